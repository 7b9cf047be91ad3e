//! A resolver in the hands of an engine that sends to names: who waits for which lookup, and what is tried next.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use std::vec;

use bytestring::ByteString;

use super::{Answer, Config, Destination, Exits, LookupId, Output, Question, Resolver, Target};
use crate::now::Now;
use crate::transaction::Transactions;
use crate::transport::{Address, Flow, Peer, Transport};

/// The names that an engine sends to; `W` is what waits for them.
pub(crate) struct Guide<W> {
    resolver: Resolver,
    exits: Exits,
    waiting: BTreeMap<LookupId, W>,
    /// Of the resolver.
    deadline: Option<Instant>,
}

/// The next thing that a [`Guide`] has to say.
pub(crate) enum Found<W> {
    Ask(Question),
    Targets(W, Vec<Target>),
}

/// The targets of one request, in the order in which they are tried (RFC 3263 §4.3).
#[derive(Clone, Default)]
pub(crate) struct Course {
    /// Where it has gone, and cannot be known to have failed.
    at: Option<Target>,
    left: vec::IntoIter<Target>,
}

impl<W> Guide<W> {
    /// One with these ways out and these names of the settings; what is drawn among targets comes from the transaction layer's
    /// generator.
    pub(crate) fn new(transactions: &mut Transactions, exits: &Exits, hosts: &[(ByteString, Address)]) -> Guide<W> {
        let mut seed = [0; 32];
        seed.chunks_exact_mut(8).for_each(|part| part.copy_from_slice(&transactions.random().to_le_bytes()));
        let mut resolver = Resolver::new(Config::of(seed, exits));
        for (name, address) in hosts {
            resolver.add_address(name, *address);
        }
        Guide { resolver, exits: exits.clone(), waiting: BTreeMap::new(), deadline: None }
    }

    /// When a question has waited long enough.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How many wait for a lookup.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn look_up(&mut self, destination: Destination, waiting: W, now: Now) {
        let id = self.resolver.resolve(destination, now.monotonic);
        self.waiting.insert(id, waiting);
    }

    pub(crate) fn handle_answer(&mut self, question: &Question, answer: Answer, now: Now) {
        self.resolver.handle_answer(question, answer, now.monotonic);
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        self.resolver.handle_timeout(now.monotonic);
    }

    /// The next thing to say, until there is none.
    pub(crate) fn poll(&mut self) -> Option<Found<W>> {
        loop {
            match self.resolver.poll_output() {
                Output::Ask(question) => return Some(Found::Ask(question)),
                Output::Resolved(lookup, targets) => {
                    if let Some(waiting) = self.waiting.remove(&lookup) {
                        return Some(Found::Targets(waiting, targets));
                    }
                }
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return None;
                }
            }
        }
    }

    /// The way to a target, and whom it leads to. `None`: from here it cannot be reached.
    pub(crate) fn peer(&self, target: &Target) -> Option<Peer> {
        let flow = self.flow_at(target.transport, target.address)?;
        // RFC 5922 §7.3: the identity that is expected is the domain that was looked up, not what was found for it.
        let is_proved = flow.transport.is_secure() && target.domain.parse::<IpAddr>().is_err();
        Some(Peer { flow, domain: is_proved.then(|| target.domain.clone()) })
    }

    /// The way to an address.
    pub(crate) fn flow_at(&self, transport: Transport, address: SocketAddr) -> Option<Flow> {
        self.exits.flow(transport, address)
    }

    /// Puts the targets first that a flow leads to already, unless they have failed of late (RFC 5626 §4.3).
    pub(crate) fn prefer(&self, targets: &mut [Target], flows: &[Flow], now: Now) {
        let is_used = |target: &Target| {
            flows.iter().any(|flow| (flow.transport, flow.remote) == (target.transport, target.address))
        };
        targets.sort_by_key(|target| !is_used(target) || self.resolver.is_aside(target, now.monotonic));
    }

    /// The next target of a course that can be reached from here.
    pub(crate) fn next(&self, course: &mut Course) -> Option<Peer> {
        let (target, peer) = course.left.find_map(|target| self.peer(&target).map(|peer| (target, peer)))?;
        course.at = Some(target);
        Some(peer)
    }

    /// The target that a course has come to has failed: by 503, in time, or by its transport.
    pub(crate) fn failed(&mut self, course: &Course, now: Now) {
        if let Some(target) = &course.at {
            self.resolver.failed(target, now.monotonic);
        }
    }

    /// The target that a course has come to answers.
    pub(crate) fn worked(&mut self, course: &Course) {
        if let Some(target) = &course.at {
            self.resolver.worked(target);
        }
    }
}

impl Course {
    pub(crate) fn new(targets: Vec<Target>) -> Course {
        Course { at: None, left: targets.into_iter() }
    }
}
