//! Requests whose next hop is a name: where it leads, and what is tried when that fails (RFC 3263 §4).
//!
//! ```text
//!   Hop::Name ─▶ lookup ─▶ targets ─▶ client transaction ─▶ final response ─▶ as of any branch
//!                             ▲               │
//!                             └───────────────┘ 503, time-out, transport error: the next one, with a branch of its own
//! ```
//!
//! Nothing of this is on the way of a request whose next hop is an address.

use std::collections::BTreeMap;
use std::time::Instant;
use std::vec;

use super::{Config, ContextId, Downstream, Event, Proxy, route};
use crate::engine::Output;
use crate::header::MaxForwards;
use crate::message::{Request, StatusCode};
use crate::now::Now;
use crate::resolve::{self, Destination, Exits, LookupId, Resolver, Target, fails_over};
use crate::transaction::Transactions;
use crate::transport::Flow;

/// What a proxy core knows of names.
pub(super) struct Names {
    pub(super) resolver: Resolver,
    exits: Exits,
    waiting: BTreeMap<LookupId, Waiting>,
    /// Of the resolver.
    deadline: Option<Instant>,
}

/// Who waits for a lookup.
enum Waiting {
    Branch(ContextId, usize),
    /// An ACK for a 2xx, which has no transaction.
    Ack(Box<Request>),
}

/// What may be tried for a branch that leads to a name.
pub(super) struct Way {
    /// As it goes out, but for its Via.
    request: Request,
    loop_key: u32,
    /// Where it has gone, and cannot be known to have failed.
    at: Option<Target>,
    left: vec::IntoIter<Target>,
}

impl Names {
    /// Those that the settings have; what is drawn among targets comes from the transaction layer's generator.
    pub(super) fn new(transactions: &mut Transactions, config: &Config) -> Names {
        let mut seed = [0; 32];
        seed.chunks_exact_mut(8).for_each(|part| part.copy_from_slice(&transactions.random().to_le_bytes()));
        let mut resolver = Resolver::new(resolve::Config::of(seed, &config.exits));
        for (name, address) in &config.hosts {
            resolver.add_address(name, *address);
        }
        Names { resolver, exits: config.exits.clone(), waiting: BTreeMap::new(), deadline: None }
    }

    /// When a question has waited long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn look_up(&mut self, destination: Destination, waiting: Waiting, now: Now) {
        let id = self.resolver.resolve(destination, now.monotonic);
        self.waiting.insert(id, waiting);
    }

    fn flow(&self, target: &Target) -> Option<Flow> {
        self.exits.flow(target.transport, target.address)
    }
}

impl Way {
    /// The next target that can be reached from here.
    fn next(&mut self, names: &Names) -> Option<Flow> {
        let (target, flow) = self.left.find_map(|target| names.flow(&target).map(|flow| (target, flow)))?;
        self.at = Some(target);
        Some(flow)
    }
}

impl Proxy {
    /// Sends an ACK for a 2xx to where the name in its Route or Request-URI leads. It waits for nothing that is known.
    pub fn send_ack_by_name(&mut self, mut request: Request, now: Now) {
        let hop_limit = request.headers.get::<MaxForwards>().ok().flatten().map_or(70, |it| it.0);
        if hop_limit > 0 {
            request.headers.set(&MaxForwards(hop_limit - 1));
            if let Some(destination) = destination(&request) {
                self.names.look_up(destination, Waiting::Ack(Box::new(request)), now);
            }
        }
    }

    /// Begins to look for the targets of a branch.
    pub(super) fn look_up(
        &mut self,
        (id, branch): (ContextId, usize),
        request: Request,
        loop_key: u32,
        now: Now,
    ) -> Box<Way> {
        match destination(&request) {
            Some(destination) => self.names.look_up(destination, Waiting::Branch(id, branch), now),
            None => {
                let response = request.reply(StatusCode::SERVICE_UNAVAILABLE);
                self.events.push_back(Event::Response { id, branch, response });
            }
        }
        Box::new(Way { request, loop_key, at: None, left: Vec::new().into_iter() })
    }

    /// What the resolver wants done, as far as others have to do it.
    pub(super) fn drain_names(&mut self) -> Option<Output<Event>> {
        let now = self.now;
        loop {
            match self.names.resolver.poll_output() {
                resolve::Output::Ask(question) => return Some(Output::Ask(question)),
                resolve::Output::Resolved(lookup, targets) => match self.names.waiting.remove(&lookup) {
                    Some(Waiting::Branch(id, branch)) => self.found((id, branch), targets, now),
                    Some(Waiting::Ack(request)) => {
                        if let Some(flow) = targets.iter().find_map(|target| self.names.flow(target)) {
                            self.transactions.send_stateless(*request, flow);
                        }
                    }
                    None => {}
                },
                resolve::Output::Wait(deadline) => {
                    self.names.deadline = deadline;
                    return None;
                }
            }
        }
    }

    /// The targets of a branch that waits for them.
    fn found(&mut self, (id, branch): (ContextId, usize), targets: Vec<Target>, now: Now) {
        let Some(way) = self.contexts.get_mut(id).and_then(|context| context.branches[branch].way.as_deref_mut())
        else {
            return;
        };
        way.left = targets.into_iter();
        if !self.go_on(id, branch, now) {
            self.end_unsent(id, branch, StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    /// Sends the request of a branch to the next target of its name, with a branch parameter of its own (RFC 3263 §4.3).
    /// False: there is none, or nobody wants it any more.
    fn go_on(&mut self, id: ContextId, branch: usize, now: Now) -> bool {
        let Some(context) = self.contexts.get_mut(id) else { return false };
        if context.responses.answered || context.responses.cancelled {
            return false;
        }
        let entry = &mut context.branches[branch];
        let Some(way) = entry.way.as_deref_mut() else { return false };
        let Some(flow) = way.next(&self.names) else { return false };
        let (request, loop_key) = (way.request.clone(), way.loop_key);
        if let Downstream::Client(before) = entry.to {
            self.clients.remove(&before);
        }
        if let Some(timer) = entry.timer_c.take() {
            self.timers.cancel(timer);
        }
        let (to, timer_c) = self.send((id, branch), request, flow, loop_key, now);
        if let Some(context) = self.contexts.get_mut(id) {
            let entry = &mut context.branches[branch];
            (entry.to, entry.timer_c, entry.provisional) = (to, timer_c, false);
        }
        true
    }

    /// A branch whose name led somewhere failed there: by 503, in time, or by its transport. True: the next target is tried.
    pub(super) fn fails_over(&mut self, id: ContextId, branch: usize, now: Now) -> bool {
        if let Some(target) = self.target_of(id, branch) {
            self.names.resolver.failed(&target, now.monotonic);
        }
        self.go_on(id, branch, now)
    }

    /// Takes note of what a response says of the target that it comes from. True: the next target is tried in its place.
    pub(super) fn judge_target(&mut self, id: ContextId, branch: usize, status: StatusCode, now: Now) -> bool {
        if fails_over(status) {
            return self.fails_over(id, branch, now);
        }
        if let Some(target) = self.target_of(id, branch) {
            self.names.resolver.worked(&target);
        }
        if status.is_final() {
            self.give_up_targets(id, branch);
        }
        false
    }

    /// Tries no other target for a branch, and learns nothing more from it.
    pub(super) fn give_up_targets(&mut self, id: ContextId, branch: usize) {
        if let Some(context) = self.contexts.get_mut(id) {
            context.branches[branch].way = None;
        }
    }

    fn target_of(&self, id: ContextId, branch: usize) -> Option<Target> {
        self.contexts.get(id)?.branches[branch].way.as_deref()?.at.clone()
    }

    /// Ends a branch that was never sent.
    pub(super) fn end_unsent(&mut self, id: ContextId, branch: usize, status: StatusCode) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        let entry = &mut context.branches[branch];
        entry.to = Downstream::Nowhere;
        if let Some(way) = entry.way.take() {
            let response = way.request.reply(status);
            self.events.push_back(Event::Response { id, branch, response });
        }
    }
}

/// Where a request goes next (RFC 3263 §4). `None`: that is no SIP URI, or has a transport that nobody knows.
fn destination(request: &Request) -> Option<Destination> {
    Destination::of(route::next_hop(request)?.as_sip()?)
}
