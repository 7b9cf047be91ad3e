//! Diameter peers (RFC 6733 §5, §6): connections, watchdogs, and which peer a request goes to.
//!
//! [`Peers`] is an engine without socket and clock. Give it one input, then call [`Peers::poll_output`] until it says
//! [`Output::Wait`]. Time is a [`Duration`] since whatever moment the driver chooses.
//!
//! ```text
//!   request ──▶ route: realm, application, Destination-Host, priority, weight, overload
//!                 │
//!                 ▼                          answer, by connection and Hop-by-Hop Identifier
//!   Peer ── machine (RFC 6733 §5.6) ── watchdog (RFC 3539) ──▶ who asked
//!     │
//!     └─ lost or suspect: what it has not answered goes to another, with the T flag
//! ```
//!
//! ```
//! use std::time::Duration;
//! use imscore_hss::diameter::{ApplicationId, Origin, dictionary::TGPP};
//! use imscore_hss::peer::{Output, PeerSettings, Peers, Settings};
//!
//! let hss = PeerSettings::connect("hss.ims.example", "ims.example", "192.0.2.1:3868");
//! let origin = Origin::new("scscf.ims.example", "ims.example");
//! let mut peers = Peers::new(Settings::new(origin, vec![(TGPP, ApplicationId::CX)], vec![hss]), 1, 0);
//! peers.start(Duration::ZERO);
//! let Output::Connect { connection, .. } = peers.poll_output() else { panic!("it connects") };
//! peers.handle_connect_failed(connection, "connection refused", Duration::ZERO);
//! let Output::Wait(Some(again)) = peers.poll_output() else { panic!("it tries again") };
//! assert!(again >= Duration::from_secs(1));
//! assert_eq!(
//!     peers.status()[0].obstacle.as_ref().map(ToString::to_string).as_deref(),
//!     Some("cannot connect: connection refused"),
//! );
//! ```
//!
//! * Only peers of the list are spoken to, and those that were found for a realm ([`discovery`]): whoever else sends a CER gets
//!   3010, and a redirection leads only to one of them. A host that was found may answer under another name of its realm, as
//!   long as nobody else has that name.
//! * A request that finds no peer says why: [`NoPeer`] has a line for each.
//! * A request is answered once: by who was asked, on the connection that it went over.
//! * A request that was sent again is worked on once, and answered as often as it came (RFC 6733 §3).
//! * Hosts and realms that ask for less get less (RFC 7683), and their traffic comes back slowly.
//!
//! Deviations: a redirection holds for its request only (Redirect-Host-Usage is taken as DONT_CACHE); a peer that comes
//! back is used before its three watchdogs (RFC 3539 §3.4.1) where there is no other.

mod capabilities;
pub mod discovery;
mod duplicates;
mod machine;
mod overload;
mod peers;
mod random;
mod route;
#[cfg(test)]
mod tests;
mod watchdog;

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use self::discovery::NotFound;
pub use self::peers::Peers;
use crate::diameter::base::DisconnectCause;
use crate::diameter::{ApplicationId, Message, Origin, ResultCode};

/// What carries a connection (RFC 6733 §2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP, as it is.
    #[default]
    Tcp,
    /// TLS over TCP from its first byte on (RFC 6733 §13.1); both sides show certificates.
    Tls,
    /// SCTP, as it is.
    Sctp,
}

/// How a connection came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Where from, where that is known.
    pub from: Option<IpAddr>,
    /// Over what.
    pub transport: Transport,
}

/// A connection, as the engine numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A request of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Who we are, and whom we speak to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Our name and realm.
    pub origin: Origin,
    /// Addresses that we connect from.
    pub addresses: Vec<IpAddr>,
    /// Product-Name.
    pub product_name: String,
    /// Grows each time that state was lost: the time of the start, for instance.
    pub origin_state: u32,
    /// Applications that we speak, each with its vendor, 0 for the IETF.
    pub applications: Vec<(u32, ApplicationId)>,
    /// Whom we speak to.
    pub peers: Vec<PeerSettings>,
    /// Tw of RFC 3539: silence before a peer is asked whether it is there. 30 s; not less than 6 s on real networks.
    pub watchdog: Duration,
    /// For connecting, for the answer to a CER or DPR, and for the first message of a stranger. 5 s.
    pub exchange: Duration,
    /// The first wait before connecting again; it doubles up to [`Settings::retry_most`]. 1 s.
    pub retry: Duration,
    /// The longest wait before connecting again: Tc of RFC 6733 §2.1. 30 s.
    pub retry_most: Duration,
    /// The wait before connecting to a peer again that said it does not want us (RFC 6733 §5.4.3). 300 s.
    pub unwanted: Duration,
    /// Most requests that wait for an answer. 65,536.
    pub max_pending: usize,
    /// Most connections that have not said who they are. 64.
    pub max_strangers: usize,
    /// Most answers kept for requests that come again. 4,096.
    pub max_answers: usize,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerSettings {
    /// Its Origin-Host.
    pub host: String,
    /// Its realm; requests to this realm may go to it.
    pub realm: String,
    /// Where to connect to, tried in turn; nowhere where it connects to us.
    pub addresses: Vec<String>,
    /// What carries the connection to it. One that is set to [`Transport::Tls`] gets 5017 over anything less.
    pub transport: Transport,
    /// Addresses that it may connect from; any where there is none.
    pub from: Vec<IpAddr>,
    /// Lower ones are used first.
    pub priority: u16,
    /// Share among those of one priority.
    pub weight: u16,
    /// Whether requests are taken from it. Where not they get 5003 (RFC 6733 §2.9).
    pub may_ask: bool,
}

impl Settings {
    /// With the defaults that are named at each setting.
    pub fn new(origin: Origin, applications: Vec<(u32, ApplicationId)>, peers: Vec<PeerSettings>) -> Settings {
        Settings {
            origin,
            addresses: vec![IpAddr::from([127, 0, 0, 1])],
            product_name: "imscore".to_owned(),
            origin_state: 1,
            applications,
            peers,
            watchdog: Duration::from_secs(30),
            exchange: Duration::from_secs(5),
            retry: Duration::from_secs(1),
            retry_most: Duration::from_secs(30),
            unwanted: Duration::from_secs(300),
            max_pending: 65_536,
            max_strangers: 64,
            max_answers: 4096,
        }
    }
}

impl PeerSettings {
    /// A peer that we connect to.
    pub fn connect(host: impl Into<String>, realm: impl Into<String>, address: impl Into<String>) -> PeerSettings {
        PeerSettings { addresses: vec![address.into()], ..PeerSettings::accept(host, realm) }
    }

    /// A peer that connects to us.
    pub fn accept(host: impl Into<String>, realm: impl Into<String>) -> PeerSettings {
        PeerSettings {
            host: host.into(),
            realm: realm.into(),
            addresses: Vec::new(),
            transport: Transport::default(),
            from: Vec::new(),
            priority: 0,
            weight: 1,
            may_ask: true,
        }
    }
}

/// What the engine wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Open a connection; say [`Peers::handle_connected`] or [`Peers::handle_connect_failed`].
    Connect {
        /// Its number.
        connection: ConnectionId,
        /// Over what.
        transport: Transport,
        /// Where to.
        address: String,
        /// Name of the peer; over TLS, the one that its certificate has to have.
        host: String,
    },
    /// Send a message.
    Transmit {
        /// Over this connection.
        connection: ConnectionId,
        /// The whole message.
        bytes: Bytes,
    },
    /// Close a connection, after what was to be sent over it. Nothing more need be said of it.
    Close(ConnectionId),
    /// Something for the owner of the engine.
    Event(Event),
    /// Nothing now: call [`Peers::handle_timeout`] at this time, where there is one.
    Wait(Option<Duration>),
}

/// What the owner of the engine hears.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A request of ours was answered.
    Answer {
        /// Which.
        request: RequestId,
        /// The answer.
        answer: Message,
    },
    /// A request of ours was not.
    Failed {
        /// Which.
        request: RequestId,
        /// Why.
        failure: Failure,
    },
    /// A peer asks; say [`Peers::answer`].
    Request {
        /// For the answer.
        ticket: Ticket,
        /// Name of the peer.
        peer: String,
        /// The request. Header, origin and destination are checked, the rest is not.
        request: Message,
    },
    /// A peer can be used.
    Up {
        /// Its name.
        peer: String,
    },
    /// A peer can no longer be used.
    Down {
        /// Its name.
        peer: String,
        /// Why.
        cause: Cause,
    },
}

/// Says to whom an answer goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticket {
    connection: ConnectionId,
    /// Who asked: with the End-to-End Identifier, what tells repetitions.
    origin: String,
}

/// Why a peer is not connected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Cause {
    /// Nobody has tried yet, or an attempt is under way.
    #[error("not yet connected")]
    Connecting,
    /// The connection did not come to be.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// It did not answer in time.
    #[error("no answer to the capabilities exchange")]
    NoAnswer,
    /// It refused us, or said something else than was due.
    #[error("refused the capabilities exchange: {0}")]
    Refused(ResultCode),
    /// Its answer is that of somebody else.
    #[error("answers as {0}")]
    AnotherName(String),
    /// The connection broke.
    #[error("connection lost")]
    Lost,
    /// It does not answer watchdogs.
    #[error("does not answer watchdogs")]
    Silent,
    /// It left.
    #[error("left: {0:?}")]
    Left(DisconnectCause),
    /// We left.
    #[error("stopped")]
    Stopped,
    /// It was found by name, and is no longer.
    #[error("no longer found for its realm")]
    Withdrawn,
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Failure {
    /// The time is over; whether it was worked on is not known.
    #[error("no answer in time")]
    TimedOut,
    /// Its peer is gone and nobody else takes it; whether it was worked on is not known.
    #[error(transparent)]
    NoPeer(#[from] NoPeer),
}

/// Why a request was not sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// No peer takes it.
    #[error(transparent)]
    NoPeer(#[from] NoPeer),
    /// [`Settings::max_pending`] requests wait for an answer.
    #[error("too many requests wait for an answer")]
    TooMany,
}

/// Why no peer takes a request: a line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPeer {
    /// The application.
    pub application: ApplicationId,
    /// The realm that it was for.
    pub realm: String,
    /// Each peer, and what is in the way.
    pub peers: Vec<(String, Obstacle)>,
    /// Why none was found by name, where one was looked for.
    pub not_found: Option<NotFound>,
}

/// Why one peer does not take a request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// It serves another realm.
    #[error("serves {0}")]
    Realm(String),
    /// The request is for another host.
    #[error("is not the destination")]
    NotDestination,
    /// There is no connection.
    #[error("{0}")]
    NotConnected(Cause),
    /// It owes the answer to a watchdog.
    #[error("suspect")]
    Suspect,
    /// It does not speak the application.
    #[error("does not speak the application")]
    Application,
    /// It asked for less.
    #[error("overloaded, wants {0} % less")]
    Overloaded(u32),
    /// It had the request already.
    #[error("had it already")]
    Tried,
}

impl std::fmt::Display for NoPeer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no peer for {} in {}", self.application, self.realm)?;
        for (at, (host, obstacle)) in self.peers.iter().enumerate() {
            write!(f, "{} {host}: {obstacle}", if at == 0 { ":" } else { ";" })?;
        }
        if let Some(not_found) = &self.not_found {
            write!(f, "{} {not_found}", if self.peers.is_empty() { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl std::error::Error for NoPeer {}

/// How a peer stands, for people and for metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its name.
    pub host: String,
    /// What is in the way of using it, if anything.
    pub obstacle: Option<Obstacle>,
    /// Requests that it owes an answer.
    pub pending: usize,
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Answers that nobody waits for.
    pub unsolicited: u64,
    /// Requests that were refused before anybody saw them, CER among them.
    pub refused: u64,
    /// Requests that came before.
    pub duplicates: u64,
    /// Requests of ours that were sent again with the T flag.
    pub retransmitted: u64,
    /// Requests of ours that were not sent because somebody asked for less.
    pub shed: u64,
}
