//! The engine: all peers, all connections, all requests that wait for an answer.

mod connections;
mod found;
mod requests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::capabilities::{self, Speaks};
use super::discovery::NotFound;
use super::duplicates::Duplicates;
use super::machine::{self, Side};
use super::overload::{self, Reports};
use super::random::Random;
use super::route::Destination;
use super::watchdog;
use super::{
    Arrival, Cause, ConnectionId, Counters, Event, Failure, Obstacle, Output, PeerSettings, PeerStatus, RequestId,
    SendError, Settings, Ticket,
};
use crate::diameter::base::DisconnectPeerRequest;
use crate::diameter::dictionary as avp;
use crate::diameter::{ApplicationId, CommandCode, Grammar, Message};

/// Diameter peers; see the module for the contract.
///
/// ```
/// use std::time::Duration;
///
/// use imscore_hss::diameter::dictionary::{self as avp, TGPP};
/// use imscore_hss::diameter::{ApplicationId, CommandCode, CommandFlags, Header, Message, Origin, Writer};
/// use imscore_hss::peer::{
///     Arrival, Cause, ConnectionId, Counters, Event, Failure, NoPeer, Obstacle, Output, PeerSettings, PeerStatus,
///     Peers, RequestId, SendError, Settings, Ticket, Transport,
/// };
///
/// let hss = PeerSettings::connect("hss.ims.example", "ims.example", "192.0.2.1:3868");
/// let origin = Origin::new("icscf.ims.example", "ims.example");
/// let mut peers = Peers::new(Settings::new(origin, vec![(TGPP, ApplicationId::CX)], vec![hss]), 1, 0);
/// peers.start(Duration::ZERO);
///
/// let status: &PeerStatus = &peers.status()[0];
/// assert_eq!(status.obstacle, Some(Obstacle::NotConnected(Cause::Connecting)));
/// let mut out =
///     Writer::new(Header::request(CommandCode::LOCATION_INFO, ApplicationId::CX, CommandFlags::default()));
/// out.avp(&avp::DESTINATION_REALM, &"ims.example");
/// let request = Message::parse(out.finish()?)?;
/// let sent: Result<RequestId, SendError> = peers.request(request, Duration::from_secs(1), Duration::ZERO);
/// let Err(SendError::NoPeer(NoPeer { realm, .. })) = sent else { panic!("nobody is there") };
/// assert_eq!(realm, "ims.example");
///
/// // A stranger connects.
/// let arrival = Arrival { transport: Transport::Tcp, from: Some("192.0.2.9".parse()?) };
/// let accepted: Option<ConnectionId> = peers.handle_accepted(arrival, Duration::ZERO);
/// assert_eq!(peers.counters(), Counters::default());
///
/// /// What the owner of a node does with its events: requests wait for an answer by their ticket.
/// fn note(event: Event, waiting: &mut Vec<(Ticket, Message)>) {
///     match event {
///         Event::Request { ticket, request, .. } => waiting.push((ticket, request)),
///         Event::Failed { failure: Failure::TimedOut, .. } => println!("no answer"),
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Peers {
    settings: Settings,
    peers: Vec<Peer>,
    connections: BTreeMap<ConnectionId, Connection>,
    /// Requests that wait for an answer.
    requests: BTreeMap<RequestId, Pending>,
    /// By Hop-by-Hop Identifier, and the connection that the answer has to come on.
    hops: BTreeMap<u32, (ConnectionId, RequestId)>,
    deadlines: BTreeSet<(Duration, RequestId)>,
    reports: Reports,
    duplicates: Duplicates,
    random: Random,
    counters: Counters,
    output: VecDeque<Output>,
    next_connection: u64,
    next_request: u64,
    next_hop: u32,
    next_end: u32,
    /// Why no peer was found by name.
    not_found: Option<NotFound>,
    stopping: bool,
}

/// One peer: of the list, or found.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) settings: PeerSettings,
    /// Its Origin-Host: another than in the settings only where it was found by the name of those.
    pub(super) name: String,
    origin: PeerOrigin,
    /// Attempts to connect, over all addresses.
    attempts: usize,
    state: machine::State,
    watchdog: watchdog::State,
    initiator: Option<ConnectionId>,
    /// The connection that the peer opened, and its CER.
    responder: Option<(ConnectionId, Message)>,
    pub(super) speaks: Option<Speaks>,
    cause: Cause,
    exchange: Option<Duration>,
    silence: Option<Duration>,
    retry: Option<Duration>,
    /// The wait before the next attempt.
    backoff: Duration,
    /// Hop-by-Hop Identifier of our CER.
    cer: Option<u32>,
}

/// Where a peer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PeerOrigin {
    /// The settings.
    List,
    /// Name servers.
    Found,
    /// Name servers, which no longer know it. Its place is free once its connection is closed.
    Withdrawn,
}

#[derive(Debug)]
struct Connection {
    peer: Option<usize>,
    /// How it came in, where it is not one of ours.
    arrival: Option<Arrival>,
    /// The names in the certificate that was shown.
    names: Vec<String>,
    /// Until when a stranger says who it is.
    deadline: Option<Duration>,
}

#[derive(Debug)]
struct Pending {
    /// As it was given, with identifiers that are not used.
    message: Message,
    end_to_end: u32,
    /// The sender heeds reports of overload.
    heeds_reports: bool,
    destination: Destination,
    deadline: Duration,
    /// Where it is now; nowhere while it waits for a peer.
    at: Option<(usize, ConnectionId)>,
    hops: Vec<u32>,
    /// It was sent and not answered, so the next time carries the T flag.
    unanswered: bool,
}

impl Peer {
    fn new(settings: PeerSettings, origin: PeerOrigin, backoff: Duration) -> Peer {
        Peer {
            name: settings.host.clone(),
            settings,
            origin,
            attempts: 0,
            state: machine::State::Closed,
            watchdog: watchdog::State::Initial,
            initiator: None,
            responder: None,
            speaks: None,
            cause: Cause::Connecting,
            exchange: None,
            silence: None,
            retry: None,
            backoff,
            cer: None,
        }
    }

    /// True for one that may be spoken to.
    pub(super) fn is_listed(&self) -> bool {
        self.origin != PeerOrigin::Withdrawn
    }

    /// True for one that goes by this name.
    fn is_named(&self, host: &str) -> bool {
        self.is_listed() && self.name.eq_ignore_ascii_case(host)
    }

    /// What is in the way of using it.
    pub(super) fn obstacle(&self) -> Option<Obstacle> {
        match (self.state, self.watchdog) {
            (machine::State::Open(_), watchdog::State::Suspect) => Some(Obstacle::Suspect),
            (machine::State::Open(_), _) => None,
            (_, _) => Some(Obstacle::NotConnected(self.cause.clone())),
        }
    }

    /// True where it has shown that it is alive.
    pub(super) fn is_proved(&self) -> bool {
        !matches!(self.watchdog, watchdog::State::Reopen { .. })
    }

    fn connection(&self, side: Side) -> Option<ConnectionId> {
        match side {
            Side::I => self.initiator,
            Side::R => self.responder.as_ref().map(|(connection, _)| *connection),
        }
    }

    /// The connection that requests go over.
    fn open(&self) -> Option<ConnectionId> {
        match self.state {
            machine::State::Open(side) => self.connection(side),
            machine::State::Closed
            | machine::State::WaitConnAck
            | machine::State::WaitCea
            | machine::State::WaitConnAckElect { .. }
            | machine::State::WaitReturns
            | machine::State::Closing(_) => None,
        }
    }

    fn forget(&mut self, side: Side) -> Option<ConnectionId> {
        match side {
            Side::I => self.initiator.take(),
            Side::R => self.responder.take().map(|(connection, _)| connection),
        }
    }
}

impl Peers {
    /// An engine at rest. `seed` makes identifiers and shares of load; `epoch` is the time of day in seconds, so that
    /// identifiers stay unique over a restart (RFC 6733 §3).
    pub fn new(settings: Settings, seed: u64, epoch: u64) -> Peers {
        let mut random = Random::new(seed);
        let peers = settings.peers.iter().map(|peer| Peer::new(peer.clone(), PeerOrigin::List, settings.retry));
        let peers = peers.collect();
        Peers {
            peers,
            connections: BTreeMap::new(),
            requests: BTreeMap::new(),
            hops: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            reports: Reports::default(),
            duplicates: Duplicates::new(settings.max_answers),
            counters: Counters::default(),
            output: VecDeque::new(),
            next_connection: 0,
            next_request: 0,
            next_hop: random.next() as u32,
            next_end: (epoch as u32) << 20 | random.below(1 << 20) as u32,
            random,
            settings,
            not_found: None,
            stopping: false,
        }
    }

    /// Connects to every peer that has an address.
    pub fn start(&mut self, now: Duration) {
        for at in 0..self.peers.len() {
            if !self.peer(at).settings.addresses.is_empty() {
                self.drive(at, machine::Event::Start, now);
            }
        }
    }

    /// Takes leave of every peer. Requests that wait are not sent again.
    pub fn stop(&mut self, now: Duration) {
        self.stopping = true;
        for at in 0..self.peers.len() {
            self.peer(at).cause = Cause::Stopped;
            self.peer(at).retry = None;
            self.drive(at, machine::Event::Stop, now);
        }
    }

    /// Sends a request to a peer that serves its Destination-Realm, or to its Destination-Host. The identifiers of its
    /// header are set here. It is answered or fails within `timeout`.
    ///
    /// # Errors
    /// No peer takes it, or too many wait.
    pub fn request(&mut self, message: Message, timeout: Duration, now: Duration) -> Result<RequestId, SendError> {
        if self.requests.len() >= self.settings.max_pending {
            return Err(SendError::TooMany);
        }
        let destination = Destination {
            application: message.header().application,
            realm: message.text(&avp::DESTINATION_REALM).unwrap_or_default().to_owned(),
            host: message.text(&avp::DESTINATION_HOST).map(str::to_owned),
            tried: Vec::new(),
        };
        let peer = self.choose(&destination, now)?;
        self.next_request += 1;
        let id = RequestId(self.next_request);
        let end_to_end = self.end_to_end();
        let deadline = now + timeout;
        self.deadlines.insert((deadline, id));
        let heeds_reports = overload::is_announced(&message);
        let (at, hops, unanswered) = (None, Vec::new(), false);
        let pending = Pending { message, end_to_end, heeds_reports, destination, deadline, at, hops, unanswered };
        self.requests.insert(id, pending);
        self.send(id, peer);
        Ok(id)
    }

    /// Answers a request of a peer. Where the request came several times the answer goes out as often.
    pub fn answer(&mut self, ticket: &Ticket, answer: Message) {
        let others = self.duplicates.answered(&ticket.origin, &answer);
        let mut put = |connection: ConnectionId, bytes: Bytes| {
            if self.connections.contains_key(&connection) {
                self.output.push_back(Output::Transmit { connection, bytes });
            }
        };
        let header = *answer.header();
        put(ticket.connection, answer.bytes().clone());
        for (connection, hop) in others {
            put(connection, answer.readdressed(header.flags, hop, header.end_to_end).bytes().clone());
        }
    }

    /// A connection came in. None where there are too many that have not said who they are: close it.
    ///
    /// One over TLS is shaken hands with next: say [`handle_secured`](Peers::handle_secured) before its first message.
    pub fn handle_accepted(&mut self, arrival: Arrival, now: Duration) -> Option<ConnectionId> {
        let strangers = self.connections.values().filter(|connection| connection.peer.is_none()).count();
        if strangers >= self.settings.max_strangers || self.stopping {
            return None;
        }
        let deadline = Some(now + self.settings.exchange);
        Some(self.connection(Connection { peer: None, arrival: Some(arrival), names: Vec::new(), deadline }))
    }

    /// Whoever opened a connection over TLS has shown a certificate that can be trusted, with these names in it. A CER
    /// under another name gets 3010 (RFC 6733 §13.1).
    pub fn handle_secured(&mut self, connection: ConnectionId, names: Vec<String>) {
        if let Some(known) = self.connections.get_mut(&connection) {
            known.names = names;
        }
    }

    /// A connection that was asked for is there.
    pub fn handle_connected(&mut self, connection: ConnectionId, now: Duration) {
        if let Some((at, Side::I)) = self.whose(connection) {
            self.drive(at, machine::Event::Connected, now);
        }
    }

    /// A connection that was asked for did not come to be.
    pub fn handle_connect_failed(&mut self, connection: ConnectionId, reason: &str, now: Duration) {
        if let Some((at, Side::I)) = self.whose(connection) {
            self.connections.remove(&connection);
            let peer = self.peer(at);
            peer.initiator = None;
            peer.cause = Cause::Unreachable(reason.to_owned());
            self.drive(at, machine::Event::ConnectFailed, now);
        }
    }

    /// A connection is gone, or was closed because of what came over it.
    pub fn handle_lost(&mut self, connection: ConnectionId, now: Duration) {
        let whose = self.whose(connection);
        self.connections.remove(&connection);
        if let Some((at, side)) = whose {
            let peer = self.peer(at);
            peer.forget(side);
            if !matches!(peer.state, machine::State::Closing(_)) {
                peer.cause = Cause::Lost;
            }
            self.drive(at, machine::Event::Lost(side), now);
        }
    }

    /// A message came in.
    pub fn handle_message(&mut self, connection: ConnectionId, message: Message, now: Duration) {
        let Some(Connection { peer, .. }) = self.connections.get(&connection) else { return };
        let Some(at) = *peer else { return self.first(connection, &message, now) };
        let Some((_, side)) = self.whose(connection) else { return };
        let header = *message.header();
        let common = header.application == ApplicationId::COMMON;
        let state = self.peer(at).state;
        if side == Side::I && matches!(state, machine::State::WaitCea | machine::State::WaitReturns) {
            return self.first_answer(at, &message, now);
        }
        let alive = match (header.command, header.is_request()) {
            (CommandCode::DEVICE_WATCHDOG, false) => watchdog::Event::Dwa,
            (_, _) => watchdog::Event::Traffic,
        };
        self.watch(at, alive, now);
        match (header.command, header.is_request()) {
            (CommandCode::DEVICE_WATCHDOG, true) if common => {
                self.transmit(connection, &capabilities::answer(&self.settings, &header));
            }
            (CommandCode::DISCONNECT_PEER, true) if common => match DisconnectPeerRequest::read_avps(message.avps()) {
                Ok(request) => {
                    let peer = self.peer(at);
                    peer.cause = Cause::Left(request.cause);
                    self.leave(at, side, &header, now);
                }
                Err(fault) => self.refuse(connection, &message, &fault),
            },
            (CommandCode::DISCONNECT_PEER, false) if common => self.drive(at, machine::Event::Dpa, now),
            (CommandCode::DEVICE_WATCHDOG | CommandCode::CAPABILITIES_EXCHANGE, false) => {}
            (_, true) if self.peer(at).open() == Some(connection) => self.asked(at, connection, message, now),
            // Before the exchange is over and after a leave nothing is asked (RFC 6733 §5.6).
            (_, true) => self.counters.refused += 1,
            (_, false) => self.answered(connection, message, now),
        }
    }

    /// The time of the last [`Output::Wait`] has come.
    pub fn handle_timeout(&mut self, now: Duration) {
        let due = |at: &Option<Duration>| at.is_some_and(|at| at <= now);
        for at in 0..self.peers.len() {
            let peer = self.peer(at);
            if due(&peer.exchange) {
                peer.exchange = None;
                if !matches!(peer.state, machine::State::Closing(_)) {
                    peer.cause = Cause::NoAnswer;
                }
                self.drive(at, machine::Event::Expired, now);
            }
            let peer = self.peer(at);
            if due(&peer.silence) {
                peer.silence = None;
                self.watch(at, watchdog::Event::Expired, now);
            }
            let peer = self.peer(at);
            if due(&peer.retry) {
                peer.retry = None;
                self.drive(at, machine::Event::Start, now);
            }
        }
        let late = |(id, connection): (&ConnectionId, &Connection)| due(&connection.deadline).then_some(*id);
        let strangers: Vec<_> = self.connections.iter().filter_map(late).collect();
        for connection in strangers {
            self.close(connection);
        }
        while let Some((_, id)) = self.deadlines.first().copied().filter(|(deadline, _)| *deadline <= now) {
            self.finish(id, |request| Event::Failed { request, failure: Failure::TimedOut });
        }
        self.reports.expire(now);
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.output.pop_front() {
            return output;
        }
        let of_peers = self.peers.iter().flat_map(|peer| [peer.exchange, peer.silence, peer.retry]);
        let of_strangers = self.connections.values().map(|connection| connection.deadline);
        let of_requests = self.deadlines.first().map(|(deadline, _)| *deadline);
        Output::Wait(of_peers.chain(of_strangers).flatten().chain(of_requests).min())
    }

    /// How each peer stands, in the order of the list, and behind them those that were found.
    pub fn status(&self) -> Vec<PeerStatus> {
        let status = |(at, peer): (usize, &Peer)| PeerStatus {
            host: peer.name.clone(),
            obstacle: peer.obstacle(),
            pending: self.requests.values().filter(|pending| pending.at.is_some_and(|(on, _)| on == at)).count(),
        };
        self.peers.iter().enumerate().filter(|(_, peer)| peer.is_listed()).map(status).collect()
    }

    /// What was counted since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Whose connection it is, and which of the two.
    fn whose(&self, connection: ConnectionId) -> Option<(usize, Side)> {
        let at = self.connections.get(&connection)?.peer?;
        let peer = self.peers.get(at)?;
        let side = [Side::I, Side::R].into_iter().find(|side| peer.connection(*side) == Some(connection))?;
        Some((at, side))
    }

    fn connection(&mut self, connection: Connection) -> ConnectionId {
        self.next_connection += 1;
        let id = ConnectionId(self.next_connection);
        self.connections.insert(id, connection);
        id
    }

    fn close(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
        self.output.push_back(Output::Close(connection));
    }

    fn transmit(&mut self, connection: ConnectionId, message: &Message) {
        self.output.push_back(Output::Transmit { connection, bytes: message.bytes().clone() });
    }

    fn transmit_to(&mut self, at: usize, side: Side, message: &Message) {
        if let Some(connection) = self.peer(at).connection(side) {
            self.transmit(connection, message);
        }
    }

    /// Hop-by-Hop and End-to-End Identifier of a new request.
    fn identifiers(&mut self) -> (u32, u32) {
        (self.hop_by_hop(), self.end_to_end())
    }

    fn hop_by_hop(&mut self) -> u32 {
        self.next_hop = self.next_hop.wrapping_add(1);
        self.next_hop
    }

    fn end_to_end(&mut self) -> u32 {
        self.next_end = self.next_end.wrapping_add(1);
        self.next_end
    }

    #[cfg(test)]
    pub(super) fn connections_of(&self, at: usize) -> Option<ConnectionId> {
        self.peers[at].initiator
    }

    /// No request is left, and nothing of any.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.hops.is_empty() && self.deadlines.is_empty()
    }

    /// Indices come from the list itself, which never becomes shorter.
    fn peer(&mut self, at: usize) -> &mut Peer {
        &mut self.peers[at]
    }
}
