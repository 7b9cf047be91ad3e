//! Connections as the network emulates them: bytes in order, none lost.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use bytes::Bytes;

use crate::engine::Ticket;
use crate::parse::{Framer, Limits};
use crate::transport::{ConnectionId, Flow, ListenerId, Transport};

/// The first port of a host's outgoing connections.
const EPHEMERAL: u16 = 20_000;

/// Names a pipe; not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PipeId(u64);

/// Which end of a pipe: that which opened it, or that which accepted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Caller,
    Callee,
}

impl Side {
    pub(super) fn other(self) -> Side {
        match self {
            Side::Caller => Side::Callee,
            Side::Callee => Side::Caller,
        }
    }
}

/// One connection.
pub(super) struct Pipe {
    pub(super) transport: Transport,
    caller: End,
    /// An end without a host until somebody accepts.
    callee: End,
    /// What waits for the connection to be accepted; `None` once it is.
    pub(super) waiting: Option<Vec<(Bytes, Option<Ticket>)>>,
    /// Something got lost on a link that was cut: nothing gets through any more.
    pub(super) stuck: bool,
}

/// One end of a connection.
pub(super) struct End {
    pub(super) host: Option<usize>,
    id: Option<ConnectionId>,
    pub(super) listener: ListenerId,
    pub(super) address: SocketAddr,
    /// When the last thing sent to this end arrives.
    pub(super) last: Duration,
    /// What cuts the bytes that arrive here into messages.
    pub(super) framer: Framer,
}

impl End {
    fn new(host: Option<usize>, listener: ListenerId, address: SocketAddr) -> End {
        End { host, id: None, listener, address, last: Duration::ZERO, framer: Framer::new(Limits::default()) }
    }
}

impl Pipe {
    pub(super) fn end(&self, side: Side) -> &End {
        match side {
            Side::Caller => &self.caller,
            Side::Callee => &self.callee,
        }
    }

    pub(super) fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Caller => &mut self.caller,
            Side::Callee => &mut self.callee,
        }
    }

    /// The connection as the host at that end names it; `None` where it is closed there.
    pub(super) fn flow(&self, side: Side) -> Option<Flow> {
        let (end, other) = (self.end(side), self.end(side.other()));
        end.id.map(|id| Flow {
            transport: self.transport,
            listener: end.listener,
            remote: other.address,
            connection: Some(id),
        })
    }
}

/// All connections, open and half open.
#[derive(Default)]
pub(super) struct Streams {
    pipes: BTreeMap<PipeId, Pipe>,
    by_id: BTreeMap<(usize, ConnectionId), (PipeId, Side)>,
    /// The connection that goes to an address, where the sender names none.
    by_remote: BTreeMap<(usize, Transport, SocketAddr), (PipeId, Side)>,
    opened: u64,
}

impl Streams {
    pub(super) fn get(&self, pipe: PipeId) -> Option<&Pipe> {
        self.pipes.get(&pipe)
    }

    pub(super) fn get_mut(&mut self, pipe: PipeId) -> Option<&mut Pipe> {
        self.pipes.get_mut(&pipe)
    }

    /// The connection that a host wants bytes to go by.
    pub(super) fn find(&self, host: usize, flow: &Flow) -> Option<(PipeId, Side)> {
        match flow.connection {
            Some(id) => self.by_id.get(&(host, id)).copied(),
            None => self.by_remote.get(&(host, flow.transport, flow.remote)).copied(),
        }
    }

    /// A connection that is not accepted yet. `number` counts the connections of the host.
    pub(super) fn open(&mut self, host: usize, number: u64, flow: &Flow, from: SocketAddr) -> PipeId {
        self.opened += 1;
        let pipe = PipeId(self.opened);
        let port = EPHEMERAL + (number % u64::from(u16::MAX - EPHEMERAL)) as u16;
        let address = SocketAddr::new(from.ip(), port);
        let caller = End::new(Some(host), flow.listener, address);
        let callee = End::new(None, ListenerId::default(), flow.remote);
        let made = Pipe { transport: flow.transport, caller, callee, waiting: Some(Vec::new()), stuck: false };
        self.pipes.insert(pipe, made);
        self.attach(pipe, Side::Caller, host, number);
        pipe
    }

    /// The callee accepts. `number` counts the connections of its host.
    pub(super) fn accept(&mut self, pipe: PipeId, host: usize, number: u64, listener: ListenerId) {
        if let Some(made) = self.pipes.get_mut(&pipe) {
            made.callee.host = Some(host);
            made.callee.listener = listener;
            self.attach(pipe, Side::Callee, host, number);
        }
    }

    fn attach(&mut self, pipe: PipeId, side: Side, host: usize, number: u64) {
        let Some(made) = self.pipes.get_mut(&pipe) else {
            return;
        };
        let id = NonZeroU64::new(number).map(ConnectionId);
        made.end_mut(side).id = id;
        let remote = made.end(side.other()).address;
        self.by_remote.insert((host, made.transport, remote), (pipe, side));
        self.by_id.extend(id.map(|id| ((host, id), (pipe, side))));
    }

    /// Closes one end and says what flow it was. The pipe is forgotten with its second end.
    pub(super) fn close(&mut self, pipe: PipeId, side: Side) -> Option<Flow> {
        let made = self.pipes.get_mut(&pipe)?;
        let flow = made.flow(side)?;
        let end = made.end_mut(side);
        let (host, id) = (end.host?, end.id.take()?);
        let is_last = made.end(side.other()).id.is_none();
        self.by_id.remove(&(host, id));
        let route = (host, flow.transport, flow.remote);
        if self.by_remote.get(&route) == Some(&(pipe, side)) {
            self.by_remote.remove(&route);
        }
        if is_last {
            self.pipes.remove(&pipe);
        }
        Some(flow)
    }

    /// The ends of a host, in the order in which they were opened.
    pub(super) fn of_host(&self, host: usize) -> Vec<(PipeId, Side)> {
        let first = ConnectionId(NonZeroU64::MIN);
        let last = ConnectionId(NonZeroU64::MAX);
        self.by_id.range((host, first)..=(host, last)).map(|(_, end)| *end).collect()
    }
}
