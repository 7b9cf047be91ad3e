//! The connections of one worker, by number and by remote address, and when each is looked at again.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use smallvec::{SmallVec, smallvec};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

use super::connection::{Connection, Ended, Visit};
use super::gate::Gate;
use super::mail::{Sender, connection_id};
use super::ready::{Ready, Token};
use super::wire::{self, Carrier, Wire};
use super::{Aliases, Counters, Settings};
use crate::header::Via;
use crate::message::Request;
use crate::transport::{ConnectionId, Flow, ListenerId, Side, Transport};

/// How often a connection that counts against its address is looked at: it may be known by then.
const STRANGER: Duration = Duration::from_secs(5);

pub(super) struct Connections {
    table: HashMap<ConnectionId, Connection>,
    /// More than one where several domains are at an address, each with a connection of its own.
    by_remote: HashMap<(ListenerId, SocketAddr), SmallVec<[ConnectionId; 1]>>,
    checks: BinaryHeap<Reverse<(Instant, ConnectionId)>>,
    /// Those with something to flush, each once or more often.
    unflushed: Vec<ConnectionId>,
    worker: usize,
    opened: u64,
    gate: Arc<Gate>,
    ready: Arc<Ready>,
    settings: Arc<Settings>,
    counters: Arc<Counters>,
}

/// A connection that is over, or whose end is decided.
pub(super) struct End {
    pub(super) flow: Flow,
    /// The engine has seen the flow.
    pub(super) used: bool,
    /// Other workers' engines have.
    pub(super) shared: bool,
    /// Those who wait for what was not sent.
    pub(super) unsent: Vec<Option<Sender>>,
}

impl Connections {
    pub(super) fn new(
        worker: usize,
        gate: Arc<Gate>,
        ready: Arc<Ready>,
        settings: Arc<Settings>,
        counters: Arc<Counters>,
    ) -> Connections {
        Connections {
            table: HashMap::new(),
            by_remote: HashMap::new(),
            checks: BinaryHeap::new(),
            unflushed: Vec::new(),
            worker,
            opened: 0,
            gate,
            ready,
            settings,
            counters,
        }
    }

    /// Takes a connection that a peer opened, if there is a place for it.
    pub(super) fn accept(
        &mut self,
        stream: TcpStream,
        remote: SocketAddr,
        (listener, side): (ListenerId, Side),
        transport: Transport,
        now: Instant,
    ) {
        let Ok(permit) = self.gate.admit(remote.ip()) else {
            self.counters.refused.one();
            return;
        };
        self.counters.accepted.one();
        // An option that the system does not have is no reason to refuse a peer.
        let _ = set_options(SockRef::from(&stream), side, &self.settings);
        let flow = self.flow(transport, listener, remote);
        let (id, waker) = self.signal(flow);
        let stream = wire::accept(stream, transport, &self.settings);
        let stream = stream.map_err(|stream| Carrier::Stream(Wire::Plain(stream)));
        self.insert(id, Connection::accepted(stream, flow, permit, waker, &self.settings.limits, now));
    }

    /// A connection to the address of a flow: an open one, or one that is opened now, to `domain`, or without one to whom is
    /// expected there. `None`: there is no place for it.
    pub(super) fn to(
        &mut self,
        to: &Flow,
        domain: Option<ByteString>,
        (local, side): (IpAddr, Side),
        now: Instant,
    ) -> Option<ConnectionId> {
        let Flow { transport, listener, remote, .. } = *to;
        let name = domain.filter(|_| transport.is_secure()).or_else(|| self.expected(transport, remote));
        // RFC 5922 §7.3: to another domain at the same address goes a connection of its own.
        let is_to = |id: &&ConnectionId| {
            self.table.get(*id).is_some_and(|connection| match connection.alias {
                Some(alias) if alias == remote && transport.is_secure() => connection.proves(name.as_deref(), remote),
                Some(_) | None => connection.name == name,
            })
        };
        if let Some(id) = self.by_remote.get(&(listener, remote)).and_then(|there| there.iter().rev().find(is_to)) {
            return Some(*id);
        }
        let permit = self.gate.leave()?;
        let flow = self.flow(transport, listener, remote);
        let (id, waker) = self.signal(flow);
        let opening = Box::pin(open(local, flow, side, name.clone(), self.settings.clone()));
        let mut connection = Connection::opening(opening, flow, permit, waker, &self.settings.limits, now);
        connection.name = name;
        self.insert(id, connection);
        Some(id)
    }

    /// Puts bytes behind what waits for a connection; they leave with the next [`flush`](Connections::flush). False:
    /// there is no such connection any more.
    pub(super) fn send(&mut self, id: ConnectionId, bytes: Bytes, sender: Option<Sender>, shared: bool) -> bool {
        let Some(connection) = self.table.get_mut(&id) else {
            return false;
        };
        connection.used = true;
        connection.shared |= shared;
        connection.send(bytes, sender);
        self.unflushed.push(id);
        true
    }

    /// Goes on with a connection that was woken.
    pub(super) fn visit(&mut self, id: ConnectionId, buffer: &mut [u8], now: Instant) -> Option<(Flow, Visit)> {
        let connection = self.table.get_mut(&id)?;
        let flow = connection.flow;
        let visit = connection.visit(buffer, now, &self.counters);
        if connection.has_unsent() {
            self.unflushed.push(id);
        }
        if matches!(visit, Visit::Message(_) | Visit::Malformed(_)) {
            connection.used = true;
        }
        if matches!(visit, Visit::Opened) {
            self.counters.connected.one();
        }
        self.schedule(id);
        Some((flow, visit))
    }

    /// Whoever waits for the end of a connection.
    pub(super) fn watch(&mut self, id: ConnectionId) -> Option<watch::Receiver<()>> {
        let connection = self.table.get_mut(&id).filter(|connection| connection.is_open())?;
        Some(connection.watched.get_or_insert_with(|| watch::channel(()).0).subscribe())
    }

    /// A request came in whose Via offers its connection for requests the other way (RFC 5923). The address is that of the
    /// connection, with the port that the Via names, so that nobody can draw to himself what is for another host.
    pub(super) fn alias(&mut self, id: ConnectionId, request: &Request, side: Side) {
        let Some(connection) = self.table.get_mut(&id) else { return };
        let Flow { transport, listener, remote, .. } = connection.flow;
        let is_offered = match (self.settings.aliases, transport) {
            (Aliases::Proved | Aliases::Trusted, Transport::Tls) => true,
            (Aliases::Trusted, Transport::Tcp) => side == Side::Core,
            (Aliases::None | Aliases::Proved | Aliases::Trusted, _) => false,
        };
        if !is_offered || connection.alias.is_some() || !connection.is_accepted() {
            return;
        }
        let Some(via) = request.headers.first::<Via>().ok().filter(|via| via.params().contains("alias")) else {
            return;
        };
        let alias = SocketAddr::new(remote.ip(), via.port().unwrap_or(transport.default_port()));
        if let Entry::Vacant(place) = self.by_remote.entry((listener, alias)) {
            place.insert(smallvec![id]);
            connection.alias = Some(alias);
        }
    }

    /// Another worker's engine sees the flow.
    pub(super) fn share(&mut self, id: ConnectionId) {
        if let Some(connection) = self.table.get_mut(&id) {
            connection.shared = true;
        }
    }

    /// Writes what waits. A connection that breaks over it is returned, one at a time.
    pub(super) fn flush(&mut self, now: Instant) -> Option<End> {
        while let Some(id) = self.unflushed.pop() {
            let Some(connection) = self.table.get_mut(&id) else {
                continue;
            };
            if let Some(ended) = connection.flush(now, &self.settings, &self.counters) {
                return self.end(id, ended);
            }
            self.schedule(id);
        }
        None
    }

    /// Lets a connection go once everything was sent; for the engine it is lost now.
    pub(super) fn close(&mut self, id: ConnectionId, now: Instant) -> Option<End> {
        let connection = self.table.get_mut(&id)?;
        connection.close(now);
        let (used, alias) = (std::mem::take(&mut connection.used), connection.alias.take());
        let end = End { flow: connection.flow, used, shared: connection.shared, unsent: Vec::new() };
        self.forget_remote(end.flow, alias);
        self.unflushed.push(id);
        self.schedule(id);
        Some(end)
    }

    /// Takes a connection out.
    pub(super) fn end(&mut self, id: ConnectionId, ended: Ended) -> Option<End> {
        let mut connection = self.table.remove(&id)?;
        self.forget_remote(connection.flow, connection.alias);
        match ended {
            Ended::Failed => self.counters.connect_failed.one(),
            Ended::Unfit => self.counters.handshakes_failed.one(),
            Ended::TimedOut => self.counters.timed_out.one(),
            Ended::Overfull => self.counters.overfull.one(),
            Ended::Lost | Ended::Closed => {}
        }
        if ended != Ended::Failed {
            self.counters.closed.one();
        }
        tracing::debug!(flow = %connection.flow, ?ended, "connection over");
        let unsent = connection.unsent().collect();
        Some(End { flow: connection.flow, used: connection.used, shared: connection.shared, unsent })
    }

    /// When to call [`expire`](Connections::expire) next.
    pub(super) fn next_check(&self) -> Option<Instant> {
        self.checks.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out a connection that has taken too long, one at a time. `known` is what the engine says of a flow.
    pub(super) fn expire(&mut self, now: Instant, known: impl Fn(&Flow) -> bool) -> Option<End> {
        while let Some(Reverse((at, id))) = self.checks.peek().copied()
            && at <= now
        {
            self.checks.pop();
            // An entry that an earlier one has replaced says nothing.
            let Some(connection) = self.table.get_mut(&id).filter(|connection| connection.checked_at == at) else {
                continue;
            };
            let known = known(&connection.flow);
            if known {
                connection.permit.vouch();
            }
            let deadline = connection.deadline(&self.settings, known);
            if deadline <= now {
                let ended = connection.expired();
                return self.end(id, ended);
            }
            let next = if connection.permit.is_stranger() { deadline.min(now + STRANGER) } else { deadline };
            connection.checked_at = next;
            self.checks.push(Reverse((next, id)));
        }
        None
    }

    /// True where nothing waits to be sent.
    pub(super) fn is_flushed(&self) -> bool {
        self.table.values().all(|connection| !connection.has_unsent())
    }

    /// Lets all go; see [`close`](Connections::close).
    pub(super) fn close_all(&mut self, now: Instant) {
        let all: Vec<ConnectionId> = self.table.keys().copied().collect();
        for id in all {
            self.close(id, now);
        }
    }

    /// Whom a connection to that address is to reach, where that is checked.
    fn expected(&self, transport: Transport, remote: SocketAddr) -> Option<ByteString> {
        #[cfg(feature = "tls")]
        if transport.is_secure() {
            return self.settings.tls.as_ref()?.expected(remote);
        }
        let _ = (transport, remote);
        None
    }

    fn flow(&mut self, transport: Transport, listener: ListenerId, remote: SocketAddr) -> Flow {
        self.opened += 1;
        let connection = Some(connection_id(self.worker, self.opened));
        Flow { transport, listener, remote, connection }
    }

    fn signal(&self, flow: Flow) -> (ConnectionId, std::task::Waker) {
        let id = flow.connection.unwrap_or(connection_id(self.worker, self.opened));
        (id, self.ready.source(Token::Connection(id)))
    }

    fn insert(&mut self, id: ConnectionId, mut connection: Connection) {
        connection.checked_at = connection.deadline(&self.settings, false);
        self.checks.push(Reverse((connection.checked_at, id)));
        self.by_remote.entry((connection.flow.listener, connection.flow.remote)).or_default().push(id);
        self.table.insert(id, connection);
    }

    /// Looks at a connection earlier than it was to be, where its deadline has come closer.
    fn schedule(&mut self, id: ConnectionId) {
        if let Some(connection) = self.table.get_mut(&id) {
            let deadline = connection.deadline(&self.settings, false);
            if deadline < connection.checked_at {
                connection.checked_at = deadline;
                self.checks.push(Reverse((deadline, id)));
            }
        }
    }

    fn forget_remote(&mut self, flow: Flow, alias: Option<SocketAddr>) {
        for remote in [Some(flow.remote), alias].into_iter().flatten().map(|remote| (flow.listener, remote)) {
            if let Entry::Occupied(mut there) = self.by_remote.entry(remote) {
                there.get_mut().retain(|id| Some(*id) != flow.connection);
                if there.get().is_empty() {
                    there.remove();
                }
            }
        }
    }
}

/// Opens a connection from the address of a listener, so that the peer sees whom it knows.
async fn open(
    local: IpAddr,
    flow: Flow,
    side: Side,
    name: Option<ByteString>,
    settings: Arc<Settings>,
) -> io::Result<Carrier> {
    let remote = flow.remote;
    let socket = if remote.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    set_options(SockRef::from(&socket), side, &settings)?;
    if !local.is_unspecified() {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    let stream = socket.connect(remote).await?;
    wire::greet(stream, flow.transport, remote, name.as_deref(), &settings).await
}

/// How a connection finds out that its peer is gone without a word.
fn set_options(socket: SockRef<'_>, side: Side, settings: &Settings) -> io::Result<()> {
    // Or a message would wait for the acknowledgement of the one before.
    socket.set_tcp_nodelay(true)?;
    // A phone pays for each question with its battery, and keeps its flow open itself (RFC 5626 §4.4).
    if side == Side::Core {
        let probes = TcpKeepalive::new().with_time(settings.probe).with_interval(settings.probe / 4);
        socket.set_tcp_keepalive(&probes)?;
    }
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(settings.stalled))?;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Fault R10: a peer that is gone without a reset.
    #[test]
    fn a_neighbour_is_asked_whether_it_is_there_and_a_phone_is_not() {
        let settings = Settings { probe: Duration::from_secs(8), ..Settings::default() };
        for (side, asked) in [(Side::Core, true), (Side::Access, false)] {
            let stream = TcpSocket::new_v4().unwrap();
            let socket = SockRef::from(&stream);
            set_options(SockRef::from(&stream), side, &settings).unwrap();
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(settings.stalled));
            assert_eq!(socket.keepalive().unwrap(), asked);
            let times = (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap());
            assert_eq!(times == (Duration::from_secs(8), Duration::from_secs(2)), asked);
        }
    }
}
