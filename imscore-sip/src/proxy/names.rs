//! Requests whose next hop is a name: where it leads, and what is tried when that fails (RFC 3263 §4).
//!
//! ```text
//!   Hop::Name ─▶ lookup ─▶ targets ─▶ client transaction ─▶ final response ─▶ as of any branch
//!                             ▲               │
//!                             └───────────────┘ 503, time-out, transport error: the next one, with a branch of its own
//! ```
//!
//! Nothing of this is on the way of a request whose next hop is an address.

use super::{ContextId, Downstream, Event, Hop, Proxy, route};
use crate::engine::Output;
use crate::header::MaxForwards;
use crate::message::{Request, StatusCode};
use crate::now::Now;
use crate::resolve::{Course, Destination, Found, Target, fails_over};

/// Who waits for a lookup.
pub(super) enum Waiting {
    Branch(ContextId, usize),
    /// An ACK for a 2xx, which has no transaction.
    Ack(Box<Request>),
}

/// What may be tried for a branch that leads to a name.
pub(super) struct Way {
    /// As it goes out, but for its Via.
    request: Request,
    loop_key: u32,
    course: Course,
}

impl Proxy {
    /// The hop that the Route or the target of a request names: its address, where it is one that we have a listener for, else its
    /// name. A strict router at an address gets its way (RFC 3261 §16.6 step 6), one with a name when it is found.
    pub fn next_hop(&self, request: &mut Request) -> Hop {
        let next = route::next_hop(request);
        let address = next.as_ref().and_then(|next| route::address(next.as_sip()?));
        match address.and_then(|(transport, remote)| self.names.flow_at(transport, remote)) {
            Some(flow) => {
                route::make_strict(request);
                Hop::Flow(flow)
            }
            None => Hop::Name,
        }
    }

    /// Sends an ACK for a 2xx to where the name in its Route or Request-URI leads. It waits for nothing that is known.
    pub fn send_ack_by_name(&mut self, mut request: Request, now: Now) {
        self.now = now;
        let hop_limit = request.headers.get::<MaxForwards>().ok().flatten().map_or(70, |it| it.0);
        if hop_limit > 0 {
            request.headers.set(&MaxForwards(hop_limit - 1));
            if let Some(destination) = destination(&request) {
                route::make_strict(&mut request);
                self.names.look_up(destination, Waiting::Ack(Box::new(request)), now);
            }
        }
    }

    /// Begins to look for the targets of a branch.
    pub(super) fn look_up(
        &mut self,
        (id, branch): (ContextId, usize),
        mut request: Request,
        loop_key: u32,
        now: Now,
    ) -> Box<Way> {
        // What is found may be sent before there is another input.
        self.now = now;
        match destination(&request) {
            Some(destination) => self.names.look_up(destination, Waiting::Branch(id, branch), now),
            None => {
                let response = request.reply(StatusCode::SERVICE_UNAVAILABLE);
                self.events.push_back(Event::Response { id, branch, response });
            }
        }
        route::make_strict(&mut request);
        Box::new(Way { request, loop_key, course: Course::default() })
    }

    /// What the resolver wants done, as far as others have to do it.
    pub(super) fn drain_names(&mut self) -> Option<Output<Event>> {
        let now = self.now;
        while let Some(found) = self.names.poll() {
            match found {
                Found::Ask(question) => return Some(Output::Ask(question)),
                Found::Targets(Waiting::Branch(id, branch), targets) => self.found((id, branch), targets, now),
                Found::Targets(Waiting::Ack(request), targets) => {
                    if let Some(peer) = targets.iter().find_map(|target| self.names.peer(target)) {
                        self.transactions.send_stateless(*request, peer);
                    }
                }
            }
        }
        None
    }

    /// The targets of a branch that waits for them.
    fn found(&mut self, (id, branch): (ContextId, usize), targets: Vec<Target>, now: Now) {
        let Some(way) = self.contexts.get_mut(id).and_then(|context| context.branches[branch].way.as_deref_mut())
        else {
            return;
        };
        way.course = Course::new(targets);
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
        let Some(peer) = self.names.next(&mut way.course) else { return false };
        let (request, loop_key) = (way.request.clone(), way.loop_key);
        if let Downstream::Client(before) = entry.to {
            self.clients.remove(&before);
        }
        if let Some(timer) = entry.timer_c.take() {
            self.timers.cancel(timer);
        }
        let (to, timer_c) = self.send((id, branch), request, peer, loop_key, now);
        if let Some(context) = self.contexts.get_mut(id) {
            let entry = &mut context.branches[branch];
            (entry.to, entry.timer_c, entry.provisional) = (to, timer_c, false);
        }
        true
    }

    /// A branch whose name led somewhere failed there: by 503, in time, or by its transport. True: the next target is tried.
    pub(super) fn fails_over(&mut self, id: ContextId, branch: usize, now: Now) -> bool {
        if let Some(way) = self.contexts.get(id).and_then(|context| context.branches[branch].way.as_deref()) {
            self.names.failed(&way.course, now);
        }
        self.go_on(id, branch, now)
    }

    /// Takes note of what a response says of the target that it comes from. True: the next target is tried in its place.
    pub(super) fn judge_target(&mut self, id: ContextId, branch: usize, status: StatusCode, now: Now) -> bool {
        if fails_over(status) {
            return self.fails_over(id, branch, now);
        }
        if let Some(way) = self.contexts.get(id).and_then(|context| context.branches[branch].way.as_deref()) {
            self.names.worked(&way.course);
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
