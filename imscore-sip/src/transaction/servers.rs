//! The server transactions: their table, and what their state machines ask for.

use bytes::Bytes;
use hashbrown::HashTable;

use super::arena::Arena;
use super::chains::Chains;
use super::event::{Event, ServerId};
use super::journal::{End, Standing, Transition};
use super::leg::Leg;
use super::matching::Identity;
use super::outlet::{Alarm, Holder, Outlet, Pending};
use super::{server_invite, server_non_invite};
use crate::hash::Keyed;
use crate::header::Name;
use crate::message::{Message, Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::parse::Limits;
use crate::transport::{ConnectionId, Flow, ReplyPath, stamp};

/// All server transactions of an engine.
pub(super) struct Servers {
    arena: Arena<Server>,
    table: HashTable<u32>,
    /// Those that answer by a connection.
    connections: Chains<ConnectionId, Keyed>,
}

struct Server {
    hash: u64,
    identity: Identity,
    method: Method,
    tags: Option<Box<Tags>>,
    machine: Machine,
    leg: Leg,
    path: ReplyPath,
    kept: Kept,
    pending: Pending,
}

#[derive(Clone, Copy)]
enum Machine {
    Invite(server_invite::State),
    NonInvite(server_non_invite::State),
}

/// What a transaction keeps of the messages.
enum Kept {
    /// The request as received, as long as a 100 may have to be made of it.
    Request(Bytes),
    /// What to send again.
    Response(Bytes),
    Nothing,
}

/// To tags, which RFC 2543 senders are matched by: that of the request, and that of its response for the ACK.
struct Tags {
    request: Option<Bytes>,
    response: Option<Bytes>,
}

/// A request on its way to its transaction.
pub(super) struct Arrival {
    pub(super) request: Request,
    pub(super) flow: Flow,
    pub(super) identity: Identity,
    pub(super) hash: u64,
}

/// What a state machine's actions are about.
enum Given {
    Nothing,
    Response(Response),
    Ack(Request, Flow),
}

impl Servers {
    pub(super) fn new(keyed: Keyed) -> Servers {
        Servers { arena: Arena::new(), table: HashTable::new(), connections: Chains::new(keyed) }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The transaction of a request with this method (RFC 3261 §17.2.3); ACK belongs to an INVITE.
    pub(super) fn find(&self, arrival: &Arrival, method: &Method) -> Option<u32> {
        let created_by = if *method == Method::Ack { &Method::Invite } else { method };
        let found = self.table.find(arrival.hash, |slot| {
            self.arena.get(*slot).is_some_and(|server| {
                server.method == *created_by
                    && server.identity == arrival.identity
                    && server.tags.as_ref().is_none_or(|tags| tags.are_those_of(&arrival.request, method))
            })
        });
        found.copied()
    }

    pub(super) fn id(&self, slot: u32) -> ServerId {
        ServerId { slot, generation: self.arena.generation(slot) }
    }

    /// The INVITE that a CANCEL is for. It has to come from where the INVITE came from: a stranger who guessed or saw
    /// a branch cannot end other people's calls.
    pub(super) fn cancelled_by(&self, cancel: &Arrival) -> Option<ServerId> {
        let slot = self.find(cancel, &Method::Invite)?;
        let server = self.arena.get(slot)?;
        (server.path.source.ip() == cancel.flow.remote.ip()).then(|| self.id(slot))
    }

    /// Begins a transaction.
    pub(super) fn open(
        &mut self,
        arrival: &Arrival,
        kept: Bytes,
        path: ReplyPath,
        out: &mut Outlet,
        now: Now,
    ) -> ServerId {
        let leg = out.leg(&path.flow);
        let method = arrival.request.method();
        let is_invite = method == Method::Invite;
        let machine = match is_invite {
            true => Machine::Invite(server_invite::State::Proceeding),
            false => Machine::NonInvite(server_non_invite::State::Trying),
        };
        let tags = arrival.identity.is_legacy().then(|| {
            let request = arrival.request.headers.to_tag().map(|tag| Bytes::copy_from_slice(tag.as_bytes()));
            Box::new(Tags { request, response: None })
        });
        let (slot, generation) = self.arena.insert(Server {
            hash: arrival.hash,
            identity: arrival.identity.clone(),
            method,
            tags,
            machine,
            leg,
            path,
            kept: Kept::Request(kept),
            pending: Pending::default(),
        });
        let arena = &self.arena;
        self.table.insert_unique(arrival.hash, slot, |slot| arena.get(*slot).map_or(0, |server| server.hash));
        if let Some(connection) = path.flow.connection {
            self.connections.join(connection, slot);
        }
        self.note(slot, out);
        if is_invite {
            let mut actions = server_invite::Actions::new();
            server_invite::State::start(&mut actions);
            self.act_invite(slot, actions, Given::Nothing, out, now);
        } else {
            let mut actions = server_non_invite::Actions::new();
            server_non_invite::State::start(&leg, &mut actions);
            self.act_non_invite(slot, actions, Given::Nothing, out, now);
        }
        ServerId { slot, generation }
    }

    /// A request for a transaction that there is.
    pub(super) fn again(&mut self, slot: u32, request: Request, flow: Flow, out: &mut Outlet, now: Now) {
        if request.is(&Method::Ack) {
            self.drive_invite(slot, server_invite::Event::Ack, Given::Ack(request, flow), out, now);
            return;
        }
        match self.arena.get(slot).map(|server| server.machine) {
            Some(Machine::Invite(_)) => {
                self.drive_invite(slot, server_invite::Event::Request, Given::Nothing, out, now);
            }
            Some(Machine::NonInvite(_)) => {
                self.drive_non_invite(slot, server_non_invite::Event::Request, Given::Nothing, out, now);
            }
            None => {}
        }
    }

    /// The owner answers.
    pub(super) fn respond(&mut self, id: ServerId, response: Response, out: &mut Outlet, now: Now) {
        if !self.arena.holds(id.slot, id.generation) {
            out.counters.withheld += 1;
            return;
        }
        let Some(server) = self.arena.get_mut(id.slot) else {
            return;
        };
        let status = response.status();
        if let Some(tags) = &mut server.tags {
            tags.response = response.headers.to_tag().map(|tag| Bytes::copy_from_slice(tag.as_bytes()));
        }
        let given = Given::Response(response);
        match server.machine {
            Machine::Invite(_) => {
                let event = match status {
                    status if status.is_provisional() => server_invite::Event::Provisional,
                    status if status.is_success() => server_invite::Event::Success,
                    _ => server_invite::Event::Failure,
                };
                self.drive_invite(id.slot, event, given, out, now);
            }
            Machine::NonInvite(_) => {
                let event = match status {
                    StatusCode::TRYING => server_non_invite::Event::Provisional,
                    status if status.is_provisional() => {
                        out.counters.withheld += 1;
                        return;
                    }
                    StatusCode::REQUEST_TIMEOUT => {
                        out.counters.withheld += 1;
                        server.kept = Kept::Nothing;
                        server_non_invite::Event::Silence
                    }
                    _ => server_non_invite::Event::Final,
                };
                self.drive_non_invite(id.slot, event, given, out, now);
            }
        }
    }

    /// True while a transaction has no final response.
    pub(super) fn is_unanswered(&self, id: ServerId) -> bool {
        let server = self.arena.get(id.slot).filter(|_| self.arena.holds(id.slot, id.generation));
        server.is_some_and(|server| {
            matches!(
                server.machine,
                Machine::Invite(server_invite::State::Proceeding)
                    | Machine::NonInvite(server_non_invite::State::Trying | server_non_invite::State::Proceeding)
            )
        })
    }

    /// Forgets a transaction without a word. Its request counts as new when it comes again.
    pub(super) fn abandon(&mut self, id: ServerId, out: &mut Outlet) {
        self.take(id, out);
    }

    /// As [`Servers::abandon`]: what told the transaction from others, and where its responses go.
    pub(super) fn take(&mut self, id: ServerId, out: &mut Outlet) -> Option<(Identity, Flow)> {
        let server = if self.arena.holds(id.slot, id.generation) { self.remove(id.slot, out) } else { None }?;
        Some((server.identity, server.path.flow))
    }

    pub(super) fn expired_invite(&mut self, slot: u32, timer: server_invite::Timer, out: &mut Outlet, now: Now) {
        self.drive_invite(slot, server_invite::Event::Expired(timer), Given::Nothing, out, now);
    }

    pub(super) fn expired_non_invite(
        &mut self,
        slot: u32,
        timer: server_non_invite::Timer,
        out: &mut Outlet,
        now: Now,
    ) {
        self.drive_non_invite(slot, server_non_invite::Event::Expired(timer), Given::Nothing, out, now);
    }

    pub(super) fn send_failed(&mut self, slot: u32, generation: u32, out: &mut Outlet, now: Now) {
        if !self.arena.holds(slot, generation) {
            return;
        }
        match self.arena.get(slot).map(|server| server.machine) {
            Some(Machine::Invite(_)) => {
                self.drive_invite(slot, server_invite::Event::TransportFailed, Given::Nothing, out, now);
            }
            Some(Machine::NonInvite(_)) => {
                self.drive_non_invite(slot, server_non_invite::Event::TransportFailed, Given::Nothing, out, now);
            }
            None => {}
        }
    }

    /// Responses to what came on that connection open another one (RFC 3261 §18.2.2).
    pub(super) fn connection_lost(&mut self, connection: ConnectionId) {
        for slot in self.connections.of(&connection) {
            self.connections.leave(connection, slot);
            if let Some(server) = self.arena.get_mut(slot) {
                server.path.reopen();
            }
        }
    }

    fn drive_invite(&mut self, slot: u32, event: server_invite::Event, given: Given, out: &mut Outlet, now: Now) {
        let Some(Server { machine: Machine::Invite(state), leg, .. }) = self.arena.get_mut(slot) else {
            return;
        };
        let mut actions = server_invite::Actions::new();
        let before = Standing::from(*state);
        *state = state.on(event, leg, &mut actions);
        let ended = *state == server_invite::State::Terminated;
        if before != (*state).into() && !ended {
            self.note(slot, out);
        }
        self.act_invite(slot, actions, given, out, now);
        if ended {
            self.end(slot, out);
        }
    }

    fn act_invite(&mut self, slot: u32, actions: server_invite::Actions, given: Given, out: &mut Outlet, now: Now) {
        use server_invite::{Action, Timer};
        let id = self.id(slot);
        let Some(server) = self.arena.get_mut(slot) else {
            return;
        };
        let mut given = given;
        for action in actions {
            match action {
                Action::Send => {
                    // The owner repeats a 2xx itself (RFC 6026 §7.1).
                    let keep = !matches!(server.machine, Machine::Invite(server_invite::State::Accepted));
                    server.send(std::mem::replace(&mut given, Given::Nothing), keep, id, out);
                }
                Action::Repeat => server.repeat(id, out),
                Action::SendTrying => server.send_trying(id, out),
                Action::PassAck => {
                    if let Given::Ack(request, flow) = std::mem::replace(&mut given, Given::Nothing) {
                        out.tell(Event::Ack { request, flow });
                    }
                }
                Action::Unacknowledged => {
                    out.counters.unacknowledged += 1;
                    out.tell(Event::Unacknowledged { id });
                }
                Action::Undelivered => out.tell(Event::Undelivered { id }),
                Action::Arm(Timer::G, after) => {
                    out.arm(&mut server.pending.repeat, after, Alarm::ServerInvite(slot, Timer::G), now);
                }
                Action::Arm(timer, after) => {
                    out.arm(&mut server.pending.end, after, Alarm::ServerInvite(slot, timer), now);
                }
                Action::Stop(Timer::G) => out.stop(&mut server.pending.repeat),
                Action::Stop(_) => out.stop(&mut server.pending.end),
            }
        }
    }

    fn drive_non_invite(
        &mut self,
        slot: u32,
        event: server_non_invite::Event,
        given: Given,
        out: &mut Outlet,
        now: Now,
    ) {
        let Some(Server { machine: Machine::NonInvite(state), leg, .. }) = self.arena.get_mut(slot) else {
            return;
        };
        let mut actions = server_non_invite::Actions::new();
        let before = Standing::from(*state);
        *state = state.on(event, leg, &mut actions);
        let ended = *state == server_non_invite::State::Terminated;
        if before != (*state).into() && !ended {
            self.note(slot, out);
        }
        self.act_non_invite(slot, actions, given, out, now);
        if ended {
            self.end(slot, out);
        }
    }

    fn act_non_invite(
        &mut self,
        slot: u32,
        actions: server_non_invite::Actions,
        mut given: Given,
        out: &mut Outlet,
        now: Now,
    ) {
        use server_non_invite::Action;
        let id = self.id(slot);
        let Some(server) = self.arena.get_mut(slot) else {
            return;
        };
        for action in actions {
            match action {
                Action::Send => server.send(std::mem::replace(&mut given, Given::Nothing), true, id, out),
                Action::Repeat => server.repeat(id, out),
                Action::SendTrying => server.send_trying(id, out),
                Action::Undelivered => out.tell(Event::Undelivered { id }),
                Action::Arm(timer, after) => {
                    out.arm(&mut server.pending.end, after, Alarm::ServerOther(slot, timer), now);
                }
                Action::Stop(_) => out.stop(&mut server.pending.end),
            }
        }
    }

    fn end(&mut self, slot: u32, out: &mut Outlet) {
        let id = self.id(slot);
        if self.remove(slot, out).is_some() {
            out.tell(Event::ServerEnded { id });
        }
    }

    /// For a trace.
    fn note(&self, slot: u32, out: &mut Outlet) {
        if let Some(server) = self.arena.get(slot) {
            out.transitions.note(|| server.transition(server.machine.standing()));
        }
    }

    fn remove(&mut self, slot: u32, out: &mut Outlet) -> Option<Server> {
        let mut server = self.arena.remove(slot)?;
        out.transitions.note(|| server.transition(Standing::Terminated));
        out.stop(&mut server.pending.repeat);
        out.stop(&mut server.pending.end);
        if let Some(connection) = server.path.flow.connection {
            self.connections.leave(connection, slot);
        }
        if let Ok(entry) = self.table.find_entry(server.hash, |other| *other == slot) {
            entry.remove();
        }
        Some(server)
    }
}

impl Machine {
    fn standing(self) -> Standing {
        match self {
            Machine::Invite(state) => state.into(),
            Machine::NonInvite(state) => state.into(),
        }
    }
}

impl Server {
    fn transition(&self, standing: Standing) -> Transition {
        Transition { end: End::Server, branch: self.identity.branch(), method: self.method.clone(), standing }
    }

    /// Sends the response at hand. Nothing is repeated over a reliable transport, so nothing is kept there.
    fn send(&mut self, given: Given, keep: bool, id: ServerId, out: &mut Outlet) {
        let Given::Response(mut response) = given else {
            return;
        };
        if self.leg.reliable && !response.headers.contains(Name::CONTENT_LENGTH) {
            let length = response.body().len();
            response.headers.push_raw(Name::CONTENT_LENGTH.as_str(), length.to_string().as_bytes());
        }
        let bytes = response.into_bytes();
        self.kept = if keep && !self.leg.reliable { Kept::Response(bytes.clone()) } else { Kept::Nothing };
        self.transmit(bytes, id, out);
    }

    fn send_trying(&mut self, id: ServerId, out: &mut Outlet) {
        let Kept::Request(bytes) = std::mem::replace(&mut self.kept, Kept::Nothing) else {
            return;
        };
        let Ok(Message::Request(mut request)) = Message::parse_with(bytes, &Limits::OWN) else {
            return;
        };
        if let Ok(via) = request.headers.first() {
            stamp(&mut request, &via, self.path.source, out.keep_alive_of(&self.path.flow));
        }
        self.send(Given::Response(request.reply(StatusCode::TRYING)), true, id, out);
    }

    fn repeat(&self, id: ServerId, out: &mut Outlet) {
        if let Kept::Response(bytes) = &self.kept {
            out.counters.repeated += 1;
            self.transmit(bytes.clone(), id, out);
        }
    }

    fn transmit(&self, bytes: Bytes, id: ServerId, out: &mut Outlet) {
        let holder = Holder::Server { slot: id.slot, generation: id.generation };
        out.transmit(self.path.flow, bytes, Some(holder.ticket()));
    }
}

impl Tags {
    /// RFC 3261 §17.2.3: an ACK has the To tag of the response, any other request that of the first.
    fn are_those_of(&self, request: &Request, method: &Method) -> bool {
        let wanted = if *method == Method::Ack { &self.response } else { &self.request };
        wanted.as_deref() == request.headers.to_tag().map(str::as_bytes)
    }
}
