//! A stateless relay between two peers, for the tests of the kit itself. It can be told to do wrong.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Draft;
use super::phone::header_values;
use crate::engine::{Engine, Output, Ticket, Transmit};
use crate::header::Name;
use crate::message::Message;
use crate::now::Now;
use crate::parse::ParseError;
use crate::transport::{Flow, Listener};

/// What a [`Relay`] does with a request beside passing it on.
#[derive(Clone, Debug, Default)]
pub(super) struct Manners {
    /// Passes it on that much later.
    pub(super) late: Duration,
    /// Passes it on again after these times.
    pub(super) again: Vec<Duration>,
    /// Keeps these to itself.
    pub(super) kept: Vec<&'static str>,
    /// Answers 100 first, or last.
    pub(super) trying: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    First,
    Last,
}

pub(super) struct Relay {
    own: Vec<Listener>,
    peers: [SocketAddr; 2],
    manners: Manners,
    outbox: VecDeque<Transmit>,
    later: BTreeMap<(Instant, usize), Transmit>,
}

impl Relay {
    /// What comes from one of the peers goes to the other.
    pub(super) fn new(own: Vec<Listener>, peers: [&str; 2], manners: Manners) -> Relay {
        let peers = peers.map(|peer| peer.parse().unwrap());
        Relay { own, peers, manners, outbox: VecDeque::new(), later: BTreeMap::new() }
    }

    fn send(&mut self, draft: &Draft, flow: Flow, after: Duration, now: Now) {
        let transmit = Transmit { flow, domain: None, bytes: draft.bytes(), ticket: None };
        match after {
            Duration::ZERO => self.outbox.push_back(transmit),
            _ => {
                let key = (now.monotonic + after, self.later.len());
                self.later.insert(key, transmit);
            }
        }
    }
}

impl Engine for Relay {
    type Event = String;

    fn handle_message(&mut self, message: Message, flow: Flow, now: Now) {
        let draft = Draft::of(&message);
        let Manners { late, again, kept, trying } = self.manners.clone();
        match message {
            Message::Request(request) => {
                if kept.contains(&request.method().as_str()) {
                    return;
                }
                let own = &self.own[usize::from(flow.listener.0)];
                let (transport, sent_by) = (own.transport, own.sent_by.clone());
                let other = usize::from(flow.remote.ip() == self.peers[0].ip());
                let onward = Flow { remote: self.peers[other], connection: None, ..flow };
                let below = header_values(&request.headers, Name::VIA);
                let branch = below[0].rsplit_once("=z9hG4bK").map_or("", |(_, branch)| branch).to_string();
                let via = format!("SIP/2.0/{transport} {sent_by};branch=z9hG4bK-r-{branch};from={}", flow.remote);
                let draft = below.into_iter().fold(draft.without("Via").header("Via", via), |d, via| d.add("Via", via));
                let draft = draft.add("Record-Route", format!("<sip:{sent_by};lr>"));
                let reply = |relay: &mut Relay, place| {
                    if trying == Some(place) && request.method().as_str() == "INVITE" {
                        relay.send(&super::response(&request, 100), flow, Duration::ZERO, now);
                    }
                };
                reply(self, Place::First);
                self.send(&draft, onward, late, now);
                reply(self, Place::Last);
                for after in again {
                    self.send(&draft, onward, late + after, now);
                }
            }
            Message::Response(response) => {
                let mut vias = header_values(&response.headers, Name::VIA).into_iter();
                let own = vias.next().unwrap();
                let remote: SocketAddr = own.rsplit_once(";from=").unwrap().1.parse().unwrap();
                let draft = vias.fold(draft.without("Via"), |draft, via| draft.add("Via", via));
                self.send(&draft, Flow { remote, connection: None, ..flow }, Duration::ZERO, now);
            }
        }
    }

    fn handle_malformed(&mut self, _bytes: &[u8], error: ParseError, _flow: Flow, _now: Now) {
        panic!("{error}");
    }

    fn handle_flow_lost(&mut self, _flow: Flow, _now: Now) {}

    fn handle_send_failed(&mut self, _ticket: Ticket, _now: Now) {}

    fn handle_timeout(&mut self, now: Now) {
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= now.monotonic) {
            self.outbox.push_back(first.remove());
        }
    }

    fn poll_output(&mut self) -> Output<String> {
        match self.outbox.pop_front() {
            Some(transmit) => Output::Transmit(transmit),
            None => Output::Wait(self.later.keys().next().map(|(at, _)| *at)),
        }
    }
}
