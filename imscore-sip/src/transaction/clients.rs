//! The client transactions: their slots, and what their state machines ask for.

use std::net::SocketAddr;

use bytes::Bytes;
use bytestring::ByteString;

use super::arena::Arena;
use super::branch::Branch;
use super::chains::Chains;
use super::event::{Cause, ClientId, Event};
use super::journal::{End, Standing, Transition};
use super::leg::Leg;
use super::outlet::{Alarm, Holder, Outlet, Pending};
use super::{client_invite, client_non_invite, follow_up};
use crate::hash::Keyed;
use crate::header::{Name, Via};
use crate::message::{Method, Request, Response};
use crate::now::Now;
use crate::transport::{ConnectionId, Flow, Peer, Transport};

/// All client transactions of an engine.
pub(super) struct Clients {
    arena: Arena<Client>,
    /// Those that go by a connection, and those that go to an address.
    ways: Chains<Way, Keyed>,
}

struct Client {
    branch: Branch,
    method: Method,
    machine: Machine,
    leg: Leg,
    flow: Flow,
    /// Whom a certificate must name there.
    domain: Option<Box<ByteString>>,
    /// The way that it goes by when the first is refused.
    fallback: Option<Flow>,
    kept: Kept,
    pending: Pending,
    relation: Relation,
}

#[derive(Clone, Copy)]
enum Machine {
    Invite(client_invite::State),
    NonInvite(client_non_invite::State),
}

/// What a transaction keeps of what it sent.
enum Kept {
    /// The request: to send it again, and to make CANCEL and ACK of an INVITE.
    Request(Bytes),
    /// The ACK for a failure, to send it again.
    Ack(Bytes),
    Nothing,
}

/// What a transaction has to do with another. A CANCEL never outlives its INVITE.
#[derive(Clone, Copy)]
enum Relation {
    None,
    /// An INVITE whose CANCEL is in that slot.
    CancelledBy(u32),
    /// The CANCEL for the INVITE in that slot; its owner is this layer.
    Cancels(u32),
}

/// What a transaction is lost with.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    Connection(ConnectionId),
    Address(Transport, SocketAddr),
}

impl Way {
    fn of(flow: &Flow) -> Way {
        match flow.connection {
            Some(connection) => Way::Connection(connection),
            None => Way::Address(flow.transport, flow.remote),
        }
    }
}

impl Clients {
    pub(super) fn new(keyed: Keyed) -> Clients {
        Clients { arena: Arena::new(), ways: Chains::new(keyed) }
    }

    pub(super) fn len(&self) -> usize {
        self.arena.len()
    }

    /// The slot of the next transaction, which its branch names.
    pub(super) fn next(&self) -> u32 {
        self.arena.next()
    }

    /// Begins a transaction with a request that has its Via. A flow of no listener fails at once; one that is refused
    /// is replaced by `fallback`, once.
    pub(super) fn open(
        &mut self,
        branch: Branch,
        method: Method,
        bytes: Bytes,
        (Peer { flow, domain }, fallback): (Peer, Option<Flow>),
        out: &mut Outlet,
        now: Now,
    ) -> ClientId {
        let leg = out.leg(&flow);
        let t1 = leg.timers.t1;
        let is_invite = method == Method::Invite;
        let machine = match is_invite {
            true => Machine::Invite(client_invite::State::Calling { timer_a: t1, cancelled: false }),
            false => Machine::NonInvite(client_non_invite::State::Trying { timer_e: t1 }),
        };
        let relation = Relation::None;
        let kept = Kept::Request(bytes);
        let pending = Pending::default();
        let client = Client {
            branch,
            method,
            machine,
            leg,
            flow,
            domain: domain.map(Box::new),
            fallback,
            kept,
            pending,
            relation,
        };
        let (slot, generation) = self.arena.insert(client);
        self.ways.join(Way::of(&flow), slot);
        self.note(slot, out);
        if out.listener(&flow).is_none() {
            self.transport_failed(slot, out, now);
        } else if is_invite {
            let mut actions = client_invite::Actions::new();
            client_invite::State::start(&leg, &mut actions);
            self.act_invite(slot, actions, None, out, now);
        } else {
            let mut actions = client_non_invite::Actions::new();
            client_non_invite::State::start(&leg, &mut actions);
            self.act_non_invite(slot, actions, None, out, now);
        }
        ClientId { slot, generation }
    }

    /// A response to its transaction. False: there is none.
    pub(super) fn respond(&mut self, response: Response, out: &mut Outlet, now: Now) -> bool {
        let Some(slot) = self.find(&response, out) else {
            return false;
        };
        let status = response.status();
        match self.arena.get(slot).map(|client| client.machine) {
            Some(Machine::Invite(_)) => {
                let event = match status {
                    status if status.is_provisional() => client_invite::Event::Provisional,
                    status if status.is_success() => client_invite::Event::Success,
                    _ => client_invite::Event::Failure,
                };
                self.drive_invite(slot, event, Some(response), out, now);
            }
            Some(Machine::NonInvite(_)) => {
                let event = match status.is_provisional() {
                    true => client_non_invite::Event::Provisional,
                    false => client_non_invite::Event::Final,
                };
                self.drive_non_invite(slot, event, Some(response), out, now);
            }
            None => {}
        }
        true
    }

    /// RFC 3261 §17.1.3, and the sent-by of §18.1.2: the branch names the slot.
    fn find(&self, response: &Response, out: &Outlet) -> Option<u32> {
        let branch = Branch::read(response.headers.branch()?)?;
        let client = self.arena.get(branch.slot)?;
        if client.branch != branch || !is_sent_by(response, client.flow.transport, &out.listener(&client.flow)?.sent_by)
        {
            return None;
        }
        let method = response.headers.cseq().ok()?.method;
        match client.relation {
            Relation::CancelledBy(cancel) if method == Method::Cancel => Some(cancel),
            Relation::None | Relation::CancelledBy(_) | Relation::Cancels(_) => {
                (method == client.method).then_some(branch.slot)
            }
        }
    }

    /// The owner wants no answer any more; only an INVITE can be cancelled (RFC 3261 §9.1).
    pub(super) fn cancel(&mut self, id: ClientId, out: &mut Outlet, now: Now) {
        if self.arena.holds(id.slot, id.generation) {
            self.drive_invite(id.slot, client_invite::Event::Cancel, None, out, now);
        }
    }

    /// Forgets a transaction without a word. Responses to it are dropped.
    pub(super) fn abandon(&mut self, id: ClientId, out: &mut Outlet) {
        if self.arena.holds(id.slot, id.generation) {
            self.remove(id.slot, out);
        }
    }

    pub(super) fn expired_invite(&mut self, slot: u32, timer: client_invite::Timer, out: &mut Outlet, now: Now) {
        self.drive_invite(slot, client_invite::Event::Expired(timer), None, out, now);
    }

    pub(super) fn expired_non_invite(
        &mut self,
        slot: u32,
        timer: client_non_invite::Timer,
        out: &mut Outlet,
        now: Now,
    ) {
        self.drive_non_invite(slot, client_non_invite::Event::Expired(timer), None, out, now);
    }

    /// A request or ACK could not be sent. `Some`: the peer that does not take TCP, for which there is another way.
    pub(super) fn send_failed(&mut self, slot: u32, generation: u32, out: &mut Outlet, now: Now) -> Option<SocketAddr> {
        if !self.arena.holds(slot, generation) {
            return None;
        }
        let rerouted = self.reroute(slot, out, now);
        if rerouted.is_none() {
            self.transport_failed(slot, out, now);
        }
        rerouted
    }

    /// RFC 3261 §18.1.1: a request that was too long for a datagram goes as one after all. The time that it has in all
    /// goes on; only now is it repeated. `None`: there is no such way, or the peer has answered.
    fn reroute(&mut self, slot: u32, out: &mut Outlet, now: Now) -> Option<SocketAddr> {
        let client = self.arena.get_mut(slot)?;
        let is_unanswered = matches!(
            client.machine,
            Machine::Invite(client_invite::State::Calling { .. })
                | Machine::NonInvite(client_non_invite::State::Trying { .. })
        );
        let (Some(flow), Kept::Request(bytes), true) = (client.fallback.take(), &client.kept, is_unanswered) else {
            return None;
        };
        let sent_by = out.listener(&flow).map(|listener| &listener.sent_by);
        let bytes = sent_by.and_then(|sent_by| follow_up::over(bytes, flow.transport, sent_by, out.config.alias))?;
        client.kept = Kept::Request(bytes);
        client.leg = out.leg(&flow);
        let old = std::mem::replace(&mut client.flow, flow);
        let is_invite = matches!(client.machine, Machine::Invite(_));
        self.ways.leave(Way::of(&old), slot);
        self.ways.join(Way::of(&flow), slot);
        out.counters.fallbacks += 1;
        match is_invite {
            true => self.drive_invite(slot, client_invite::Event::Rerouted, None, out, now),
            false => self.drive_non_invite(slot, client_non_invite::Event::Rerouted, None, out, now),
        }
        Some(flow.remote)
    }

    /// All that went by that connection, and all that went to its address by any connection.
    pub(super) fn flow_lost(&mut self, flow: &Flow, out: &mut Outlet, now: Now) {
        let by_address = self.ways.of(&Way::Address(flow.transport, flow.remote));
        let by_connection = flow.connection.map(|connection| self.ways.of(&Way::Connection(connection)));
        for slot in by_connection.into_iter().flatten().chain(by_address) {
            self.transport_failed(slot, out, now);
        }
    }

    fn transport_failed(&mut self, slot: u32, out: &mut Outlet, now: Now) {
        match self.arena.get(slot).map(|client| client.machine) {
            Some(Machine::Invite(_)) => {
                self.drive_invite(slot, client_invite::Event::TransportFailed, None, out, now);
            }
            Some(Machine::NonInvite(_)) => {
                self.drive_non_invite(slot, client_non_invite::Event::TransportFailed, None, out, now);
            }
            None => {}
        }
    }

    fn drive_invite(
        &mut self,
        slot: u32,
        event: client_invite::Event,
        response: Option<Response>,
        out: &mut Outlet,
        now: Now,
    ) {
        let Some(Client { machine: Machine::Invite(state), leg, .. }) = self.arena.get_mut(slot) else {
            return;
        };
        let mut actions = client_invite::Actions::new();
        let before = Standing::from(*state);
        *state = state.on(event, leg, &mut actions);
        let ended = *state == client_invite::State::Terminated;
        if before != (*state).into() && !ended {
            self.note(slot, out);
        }
        self.act_invite(slot, actions, response, out, now);
        if ended {
            self.end(slot, out);
        }
    }

    fn act_invite(
        &mut self,
        slot: u32,
        actions: client_invite::Actions,
        mut response: Option<Response>,
        out: &mut Outlet,
        now: Now,
    ) {
        use client_invite::{Action, Timer};
        let id = self.id(slot);
        for action in actions {
            let Some(client) = self.arena.get_mut(slot) else {
                return;
            };
            match action {
                Action::Send => client.send(id, out),
                Action::SendAck => client.send_ack(response.as_ref(), id, out),
                Action::SendCancel => self.send_cancel(slot, out, now),
                Action::Deliver => {
                    if let Some(response) = response.take() {
                        out.tell(Event::Response { id, response });
                    }
                }
                Action::Fail(cause) => fail(id, cause, out),
                Action::Arm(Timer::A, after) => {
                    out.arm(&mut client.pending.repeat, after, Alarm::ClientInvite(slot, Timer::A), now);
                }
                Action::Arm(timer, after) => {
                    out.arm(&mut client.pending.end, after, Alarm::ClientInvite(slot, timer), now);
                }
                Action::Stop(Timer::A) => out.stop(&mut client.pending.repeat),
                Action::Stop(_) => out.stop(&mut client.pending.end),
            }
        }
    }

    fn drive_non_invite(
        &mut self,
        slot: u32,
        event: client_non_invite::Event,
        response: Option<Response>,
        out: &mut Outlet,
        now: Now,
    ) {
        let Some(Client { machine: Machine::NonInvite(state), leg, .. }) = self.arena.get_mut(slot) else {
            return;
        };
        let mut actions = client_non_invite::Actions::new();
        let before = Standing::from(*state);
        *state = state.on(event, leg, &mut actions);
        let ended = *state == client_non_invite::State::Terminated;
        if before != (*state).into() && !ended {
            self.note(slot, out);
        }
        self.act_non_invite(slot, actions, response, out, now);
        if ended {
            self.end(slot, out);
        }
    }

    fn act_non_invite(
        &mut self,
        slot: u32,
        actions: client_non_invite::Actions,
        mut response: Option<Response>,
        out: &mut Outlet,
        now: Now,
    ) {
        use client_non_invite::{Action, Timer};
        let id = self.id(slot);
        let Some(client) = self.arena.get_mut(slot) else {
            return;
        };
        let is_owned = !matches!(client.relation, Relation::Cancels(_));
        for action in actions {
            match action {
                Action::Send => {
                    client.send(id, out);
                    if client.leg.reliable && client.fallback.is_none() {
                        client.kept = Kept::Nothing;
                    }
                }
                Action::Deliver => {
                    if let (true, Some(response)) = (is_owned, response.take()) {
                        out.tell(Event::Response { id, response });
                    }
                }
                Action::Fail(cause) if is_owned => fail(id, cause, out),
                Action::Fail(_) => {}
                Action::Arm(Timer::E, after) => {
                    out.arm(&mut client.pending.repeat, after, Alarm::ClientOther(slot, Timer::E), now);
                }
                Action::Arm(timer, after) => {
                    out.arm(&mut client.pending.end, after, Alarm::ClientOther(slot, timer), now);
                }
                Action::Stop(Timer::E) => out.stop(&mut client.pending.repeat),
                Action::Stop(_) => out.stop(&mut client.pending.end),
            }
        }
    }

    /// Begins the transaction of a CANCEL, which has the branch and the way of its INVITE (RFC 3261 §9.1).
    fn send_cancel(&mut self, invite: u32, out: &mut Outlet, now: Now) {
        let Some(client) = self.arena.get_mut(invite) else {
            return;
        };
        let Kept::Request(bytes) = &client.kept else {
            return;
        };
        let Some(cancel) = follow_up::cancel(bytes) else {
            return;
        };
        let (branch, to) = (client.branch, client.peer());
        let slot = self.arena.next();
        if let Some(client) = self.arena.get_mut(invite) {
            client.relation = Relation::CancelledBy(slot);
        }
        let id = self.open(branch, Method::Cancel, cancel, (to, None), out, now);
        if let Some(client) = self.arena.get_mut(id.slot) {
            client.relation = Relation::Cancels(invite);
        }
    }

    fn end(&mut self, slot: u32, out: &mut Outlet) {
        let id = self.id(slot);
        if let Some(Relation::None | Relation::CancelledBy(_)) = self.remove(slot, out) {
            out.tell(Event::ClientEnded { id });
        }
    }

    /// For a trace.
    fn note(&self, slot: u32, out: &mut Outlet) {
        if let Some(client) = self.arena.get(slot) {
            out.transitions.note(|| client.transition(client.machine.standing()));
        }
    }

    fn remove(&mut self, slot: u32, out: &mut Outlet) -> Option<Relation> {
        let mut client = self.arena.remove(slot)?;
        out.transitions.note(|| client.transition(Standing::Terminated));
        out.stop(&mut client.pending.repeat);
        out.stop(&mut client.pending.end);
        self.ways.leave(Way::of(&client.flow), slot);
        match client.relation {
            Relation::None => {}
            Relation::CancelledBy(cancel) => {
                self.remove(cancel, out);
            }
            Relation::Cancels(invite) => {
                if let Some(invite) = self.arena.get_mut(invite) {
                    invite.relation = Relation::None;
                }
            }
        }
        Some(client.relation)
    }

    fn id(&self, slot: u32) -> ClientId {
        ClientId { slot, generation: self.arena.generation(slot) }
    }
}

fn fail(id: ClientId, cause: Cause, out: &mut Outlet) {
    match cause {
        Cause::Timeout => out.counters.timeouts += 1,
        Cause::Transport => out.counters.transport_failures += 1,
    }
    out.tell(Event::Failed { id, cause });
}

impl Machine {
    fn standing(self) -> Standing {
        match self {
            Machine::Invite(state) => state.into(),
            Machine::NonInvite(state) => state.into(),
        }
    }
}

impl Client {
    fn transition(&self, standing: Standing) -> Transition {
        Transition {
            end: End::Client,
            branch: Some(self.branch.to_string().into()),
            method: self.method.clone(),
            standing,
        }
    }

    fn send(&self, id: ClientId, out: &mut Outlet) {
        if let Kept::Request(bytes) = &self.kept {
            self.transmit(bytes.clone(), id, out);
        }
    }

    /// Makes the ACK for the first failure, and sends it again for each that follows.
    fn send_ack(&mut self, response: Option<&Response>, id: ClientId, out: &mut Outlet) {
        if let (Kept::Request(invite), Some(response)) = (&self.kept, response) {
            self.kept = follow_up::ack(invite, response).map_or(Kept::Nothing, Kept::Ack);
        }
        if let Kept::Ack(bytes) = &self.kept {
            self.transmit(bytes.clone(), id, out);
        }
    }

    fn transmit(&self, bytes: Bytes, id: ClientId, out: &mut Outlet) {
        let holder = Holder::Client { slot: id.slot, generation: id.generation };
        out.transmit(self.peer(), bytes, Some(holder.ticket()));
    }

    fn peer(&self) -> Peer {
        Peer { flow: self.flow, domain: self.domain.as_deref().cloned() }
    }
}

/// What our Via says beside where we are.
#[derive(Clone, Copy)]
pub(super) struct Extra {
    /// That we would send keep-alives (RFC 6223).
    pub(super) keep: bool,
    /// That the connection may be used for requests the other way (RFC 5923).
    pub(super) alias: bool,
}

/// The parameter of our Via that goes with its transport, behind all others.
pub(super) fn last_param(transport: Transport, alias: bool) -> &'static str {
    match transport {
        Transport::Udp => ";rport",
        Transport::Tcp | Transport::Tls if alias => ";alias",
        Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => "",
    }
}

/// Puts our Via on top of a request.
pub(super) fn push_via(request: &mut Request, transport: Transport, sent_by: &str, branch: Branch, extra: Extra) {
    let keep = if extra.keep { ";keep" } else { "" };
    let last = last_param(transport, extra.alias);
    let via = format_args!("SIP/2.0/{} {sent_by};branch={branch}{keep}{last}", transport.as_str());
    request.headers.push_front_text(Name::VIA, via);
}

/// RFC 3261 §18.1.2: the top Via of a response is the one that we sent. Nearly all peers give it back as it was
/// written; it is taken apart for the others only.
fn is_sent_by(response: &Response, transport: Transport, sent_by: &str) -> bool {
    let written = response.headers.raw(Name::VIA).and_then(|via| {
        let rest = via.strip_prefix(b"SIP/2.0/")?.strip_prefix(transport.as_str().as_bytes())?;
        rest.strip_prefix(b" ")?.strip_prefix(sent_by.as_bytes())
    });
    if written.is_some_and(|rest| rest.starts_with(b";")) {
        return true;
    }
    response.headers.first::<Via>().is_ok_and(|via| {
        let (host, port) = match sent_by.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
            Some(_) | None => (sent_by, None),
        };
        via.host().eq_ignore_ascii_case(host) && via.port() == port
    })
}
