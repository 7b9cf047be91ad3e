//! How bytes get from one engine to another.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use super::host::Input;
use super::streams::{PipeId, Side};
use super::{Arrival, Network};
use crate::engine::{Ticket, Transmit};
use crate::message::Message;
use crate::parse::{Frame, FrameError};
use crate::testing::Sent;
use crate::transport::keep_alive::{self, Datagram, PING, PONG, Reply};
use crate::transport::{Flow, ListenerId, Transport};

/// After how long a connection that nobody answers is given up, as in the driver's default.
const CONNECT: Duration = Duration::from_secs(2);

/// From an engine to the links.
impl Network {
    pub(super) fn transmit(&mut self, host: usize, transmit: Transmit) {
        let Transmit { flow, bytes, ticket, .. } = transmit;
        let place = &self.places[host];
        let Some(bind) = place.binds.get(usize::from(flow.listener.0)) else {
            panic!("{} sends from {:?}, which it has not", place.name, flow.listener);
        };
        let (spoken, wanted) = (bind.address.transport, flow.transport);
        assert_eq!(spoken, wanted, "{} sends {wanted} from {}", place.name, bind.address);
        let (from, life) = (bind.seen_as, place.life);
        if wanted == Transport::Udp {
            return self.send_datagram(host, from, &flow, bytes);
        }
        match self.streams.find(host, &flow) {
            Some((pipe, side)) => self.send_on(pipe, side, bytes, ticket),
            None if flow.connection.is_none() => {
                let pipe = self.connect(host, from, &flow);
                self.send_on(pipe, Side::Caller, bytes, ticket);
            }
            None => {
                if let Some(ticket) = ticket {
                    self.schedule(Duration::ZERO, Arrival::SendFailed { host, life, ticket });
                }
            }
        }
    }

    /// An engine lets a connection go, and is told of its end.
    pub(super) fn close(&mut self, host: usize, flow: &Flow) {
        let named = flow.connection.and_then(|_| self.streams.find(host, flow));
        if let Some((pipe, side)) = named {
            self.close_end(pipe, side);
            self.input(host, Input::FlowLost(*flow));
        }
    }

    fn send_datagram(&mut self, host: usize, from: SocketAddr, flow: &Flow, bytes: Bytes) {
        let now = self.passed();
        let bound = self.bound.get(&(Transport::Udp, flow.remote)).copied();
        let to = bound.map(|(host, _)| host);
        let link = to.and_then(|to| self.links.get(&(host, to))).unwrap_or(&self.link);
        let last = self.last.entry((host, to.unwrap_or(usize::MAX))).or_default();
        let mut after = last.saturating_sub(now);
        let copies = link.datagram(bytes.len(), &mut after, &mut self.rng);
        *last = now + after;
        let arriving: SmallVec<[_; 2]> =
            copies.into_iter().map(|delay| (delay, link.carried(&bytes, &mut self.rng))).collect();
        let sent = Sent {
            at: now,
            number: self.clock.number(),
            from: self.endpoint(Some(host), flow.listener, from),
            to: self.endpoint(to, bound.map(|(_, listener)| listener).unwrap_or_default(), flow.remote),
            transport: Transport::Udp,
            bytes,
            copies: arriving.len(),
        };
        self.trace.push(sent);
        for (delay, bytes) in arriving {
            self.schedule(delay, Arrival::Datagram { from, to: flow.remote, bytes });
        }
    }

    fn connect(&mut self, host: usize, from: SocketAddr, flow: &Flow) -> PipeId {
        let number = self.number_connection(host);
        let pipe = self.streams.open(host, number, flow, from);
        let to = self.bound.get(&(flow.transport, flow.remote)).map(|(host, _)| *host);
        match self.latency(host, to) {
            Some(latency) => self.schedule(latency, Arrival::Connect(pipe)),
            None => self.hang(pipe, to),
        }
        pipe
    }

    fn number_connection(&mut self, host: usize) -> u64 {
        let place = &mut self.places[host];
        place.connections += 1;
        place.connections
    }

    /// How long a segment takes; `None` where the link is cut.
    fn latency(&mut self, from: usize, to: Option<usize>) -> Option<Duration> {
        let link = to.and_then(|to| self.links.get(&(from, to))).unwrap_or(&self.link);
        (!link.cut).then(|| link.segment(&mut self.rng))
    }

    /// A connection that cannot come to be because a link is cut.
    fn hang(&mut self, pipe: PipeId, to: Option<usize>) {
        if let Some(pipe) = self.streams.get_mut(pipe) {
            pipe.stuck = true;
            let callee = pipe.end_mut(Side::Callee);
            callee.host = callee.host.or(to);
        }
        self.schedule(CONNECT, Arrival::Refused(pipe));
    }

    fn send_on(&mut self, pipe: PipeId, side: Side, bytes: Bytes, ticket: Option<Ticket>) {
        self.note_stream(pipe, side, bytes.clone());
        if let (PING, Some(pipe)) = (&bytes[..], self.streams.get_mut(pipe)) {
            pipe.end_mut(side).framer.ping_sent();
        }
        match self.streams.get_mut(pipe).and_then(|pipe| pipe.waiting.as_mut()) {
            Some(waiting) => waiting.push((bytes, ticket)),
            None => self.send_segments(pipe, side, bytes),
        }
    }

    fn note_stream(&mut self, pipe: PipeId, side: Side, bytes: Bytes) {
        let Some(made) = self.streams.get(pipe) else {
            return;
        };
        let (transport, from, to) = (made.transport, made.end(side), made.end(side.other()));
        let bound = self.bound.get(&(transport, to.address)).copied();
        let (to_host, to_listener) = match (to.host, bound) {
            (Some(host), None) => (Some(host), to.listener),
            (_, Some((host, listener))) => (Some(host), listener),
            (None, None) => (None, ListenerId::default()),
        };
        let sent = Sent {
            at: self.passed(),
            number: self.clock.number(),
            from: self.endpoint(from.host, from.listener, from.address),
            to: self.endpoint(to_host, to_listener, to.address),
            transport,
            bytes,
            copies: 1,
        };
        self.trace.push(sent);
    }

    fn send_segments(&mut self, pipe: PipeId, side: Side, mut bytes: Bytes) {
        let ends = self.streams.get(pipe).map(|pipe| (pipe.end(side).host, pipe.end(side.other()).host));
        let Some((Some(from), to)) = ends else {
            return;
        };
        let link = to.and_then(|to| self.links.get(&(from, to))).unwrap_or(&self.link);
        let most = link.mtu.max(1);
        bytes = link.carried(&bytes, &mut self.rng);
        while !bytes.is_empty() {
            let bytes = bytes.split_to(most.min(bytes.len()));
            if let Some(at) = self.next_on(pipe, side) {
                self.schedule_at(at, Arrival::Segment { pipe, side: side.other(), bytes });
            }
        }
    }

    /// When what an end sends now arrives at the other, behind all that was sent before. `None`: never.
    fn next_on(&mut self, pipe: PipeId, side: Side) -> Option<Duration> {
        let made = self.streams.get(pipe)?;
        let (from, to, is_stuck) = (made.end(side).host?, made.end(side.other()).host, made.stuck);
        let latency = if is_stuck { None } else { self.latency(from, to) };
        let now = self.passed();
        let made = self.streams.get_mut(pipe)?;
        made.stuck = latency.is_none();
        let end = made.end_mut(side.other());
        end.last = end.last.max(now + latency?);
        Some(end.last)
    }

    /// One end closes; the other will hear of it.
    pub(super) fn close_end(&mut self, pipe: PipeId, side: Side) {
        if let Some(at) = self.next_on(pipe, side) {
            self.schedule_at(at, Arrival::Closed { pipe, side: side.other() });
        }
        if let (Side::Caller, Some(pipe)) = (side, self.streams.get_mut(pipe)) {
            pipe.waiting = None;
        }
        self.streams.close(pipe, side);
    }

    /// A link is whole again: connections on which something got lost are gone.
    pub(super) fn reset_stuck(&mut self, host: usize, other: usize) {
        for (pipe, side) in self.streams.of_host(host) {
            let stuck = self.streams.get(pipe).filter(|pipe| pipe.stuck);
            if stuck.is_some_and(|pipe| pipe.end(side.other()).host == Some(other)) {
                self.schedule(Duration::ZERO, Arrival::Closed { pipe, side });
            }
        }
    }
}

/// From the links to an engine.
impl Network {
    pub(super) fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Datagram { from, to, bytes } => self.receive(from, to, bytes),
            Arrival::Unreachable { from, to } => {
                if let Some((host, listener)) = self.bound.get(&(Transport::Udp, from)).copied() {
                    let flow = Flow { transport: Transport::Udp, listener, remote: to, connection: None };
                    self.input(host, Input::FlowLost(flow));
                }
            }
            Arrival::Connect(pipe) => self.accept(pipe),
            Arrival::Accepted(pipe) => {
                let waiting = self.streams.get_mut(pipe).and_then(|pipe| pipe.waiting.take());
                for (bytes, _) in waiting.into_iter().flatten() {
                    self.send_segments(pipe, Side::Caller, bytes);
                }
            }
            Arrival::Refused(pipe) => self.refuse(pipe),
            Arrival::Segment { pipe, side, bytes } => self.read(pipe, side, bytes),
            Arrival::Closed { pipe, side } => self.lose(pipe, side),
            Arrival::Answer { host, life, question, answer } => {
                if self.places[host].life == life {
                    self.input(host, Input::Answer(question, answer));
                }
            }
            Arrival::SendFailed { host, life, ticket } => {
                if self.places[host].life == life {
                    self.input(host, Input::SendFailed(ticket));
                }
            }
        }
    }

    /// A datagram. Empty lines and zeros only keep a binding in a NAT open; STUN is answered as the driver does.
    fn receive(&mut self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        let alive =
            self.bound.get(&(Transport::Udp, to)).filter(|(host, _)| self.places[*host].seat.is_some()).copied();
        match alive {
            Some((host, listener)) => {
                let flow = Flow { transport: Transport::Udp, listener, remote: from, connection: None };
                match keep_alive::sort(&bytes, from) {
                    Datagram::Message => drop(self.deliver(host, bytes, flow)),
                    Datagram::Reply(reply) => self.input(host, Input::KeepAlive(reply, flow)),
                    Datagram::Request(answer) => self.send_datagram(host, to, &flow, answer),
                    Datagram::Empty => {}
                }
            }
            None if self.reports_unreachable => {
                let back = self.bound.get(&(Transport::Udp, from)).map(|(host, _)| *host);
                let latency = self.link.segment(&mut self.rng);
                back.is_some().then(|| self.schedule(latency, Arrival::Unreachable { from, to }));
            }
            None => {}
        }
    }

    /// Bytes of a stream, as the driver under `imscore_sip::tokio` reads them: a ping is answered, whatever is no
    /// message ends the connection.
    fn read(&mut self, pipe: PipeId, side: Side, bytes: Bytes) {
        let mut unread = Some(bytes);
        loop {
            let Some(made) = self.streams.get_mut(pipe) else {
                return;
            };
            let Some((host, flow)) = made.end(side).host.zip(made.flow(side)) else {
                return;
            };
            let framer = &mut made.end_mut(side).framer;
            unread.take().into_iter().for_each(|bytes| framer.push(&bytes));
            let is_well = match framer.next_frame() {
                Ok(None) => return,
                Ok(Some(Frame::Message(bytes))) => self.deliver(host, bytes, flow),
                Ok(Some(Frame::Ping)) => {
                    self.send_segments(pipe, side, Bytes::from_static(PONG));
                    true
                }
                Ok(Some(Frame::Pong)) => {
                    self.input(host, Input::KeepAlive(Reply::Pong, flow));
                    true
                }
                Err(FrameError { bytes, error }) => {
                    self.input(host, Input::Malformed(bytes, error, flow));
                    false
                }
            };
            if !is_well {
                self.close_end(pipe, side);
                return self.input(host, Input::FlowLost(flow));
            }
        }
    }

    /// Hands the bytes of a message to an engine. False: they are none.
    fn deliver(&mut self, host: usize, bytes: Bytes, flow: Flow) -> bool {
        match Message::parse(bytes.clone()) {
            Ok(message) => {
                self.input(host, Input::Message(message, flow));
                true
            }
            Err(error) => {
                self.input(host, Input::Malformed(bytes, error, flow));
                false
            }
        }
    }

    /// A connection reaches the address that it is for.
    fn accept(&mut self, pipe: PipeId) {
        let Some(made) = self.streams.get(pipe) else {
            return;
        };
        let caller = made.end(Side::Caller).host;
        let bound = self.bound.get(&(made.transport, made.end(Side::Callee).address)).copied();
        let alive = bound.filter(|(host, _)| self.places[*host].seat.is_some());
        if let Some((host, listener)) = alive {
            let number = self.number_connection(host);
            self.streams.accept(pipe, host, number, listener);
            match self.next_on(pipe, Side::Callee) {
                Some(at) => self.schedule_at(at, Arrival::Accepted(pipe)),
                None => self.hang(pipe, Some(host)),
            }
            return;
        }
        let back = match bound {
            Some((host, _)) => self.latency(host, caller),
            None => Some(Duration::ZERO),
        };
        match back {
            Some(latency) => self.schedule(latency, Arrival::Refused(pipe)),
            None => self.hang(pipe, bound.map(|(host, _)| host)),
        }
    }

    /// An end learns that the other has closed.
    fn lose(&mut self, pipe: PipeId, side: Side) {
        if side == Side::Caller && self.streams.get(pipe).is_some_and(|pipe| pipe.waiting.is_some()) {
            return self.refuse(pipe);
        }
        let host = self.streams.get(pipe).and_then(|pipe| pipe.end(side).host);
        let flow = self.streams.close(pipe, side);
        if let Some((host, flow)) = host.zip(flow) {
            self.input(host, Input::FlowLost(flow));
        }
    }

    /// A connection did not come to be: whoever wanted to send by it is told, message by message.
    fn refuse(&mut self, pipe: PipeId) {
        let Some(waiting) = self.streams.get_mut(pipe).and_then(|pipe| pipe.waiting.take()) else {
            return;
        };
        let host = self.streams.get(pipe).and_then(|pipe| pipe.end(Side::Caller).host);
        let flow = self.streams.close(pipe, Side::Caller);
        let Some((host, flow)) = host.zip(flow) else {
            return;
        };
        for ticket in waiting.into_iter().filter_map(|(_, ticket)| ticket) {
            self.input(host, Input::SendFailed(ticket));
        }
        self.input(host, Input::FlowLost(flow));
    }
}
