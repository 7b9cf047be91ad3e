//! Where bytes go: transports, flows, and the decisions of RFC 3261 §18. No socket is in here.

mod address;
pub mod keep_alive;
mod reply;
pub mod stun;

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU64;

use bytestring::ByteString;

pub use address::{Address, AddressError};
pub(crate) use reply::{ReplyPath, is_one_peer, stamp};

/// How SIP is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    /// WebSocket (RFC 7118).
    Ws,
    /// Secure WebSocket (RFC 7118).
    Wss,
}

impl Transport {
    /// As a Via has it, `UDP`.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// The transport that a Via or a `transport` parameter names, in any case.
    pub fn find(text: &str) -> Option<Transport> {
        [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss]
            .into_iter()
            .find(|transport| transport.as_str().eq_ignore_ascii_case(text))
    }

    /// True where nothing is retransmitted by SIP: all but UDP.
    pub fn is_reliable(self) -> bool {
        self != Transport::Udp
    }

    /// True where `sips:` may go: TLS and secure WebSocket.
    pub fn is_secure(self) -> bool {
        matches!(self, Transport::Tls | Transport::Wss)
    }

    /// The port of a sent-by without one (RFC 3261 §18.2.2, RFC 7118 §4.1).
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which of an engine's listeners, by its place in the list that the engine was built with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId(pub u16);

/// An address that an engine listens on, as its peers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What is spoken there.
    pub transport: Transport,
    /// What a Via or Record-Route of ours says: host and port, or a name.
    pub sent_by: ByteString,
    /// Which timers hold towards peers on that side.
    pub side: Side,
}

/// The two sides of an edge node; they differ in timers and in trust.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Side {
    /// Towards other servers: RFC 3261's timers.
    #[default]
    Core,
    /// Towards phones: TS 24.229 §7.7's timers.
    Access,
}

/// A connection of a driver; numbers are not used again while an engine lives.
///
/// ```
/// use std::num::NonZeroU64;
///
/// use imscore_sip::transport::{ConnectionId, Flow, ListenerId, Transport};
///
/// let connection = NonZeroU64::new(7).map(ConnectionId);
/// let remote = "192.0.2.1:40000".parse()?;
/// let flow = Flow { transport: Transport::Tls, listener: ListenerId(0), remote, connection };
/// assert_eq!(flow.to_string(), "TLS:192.0.2.1:40000");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub NonZeroU64);

/// The way that bytes came in on or are to go out by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// How.
    pub transport: Transport,
    /// From which of our addresses.
    pub listener: ListenerId,
    /// Where the peer is.
    pub remote: SocketAddr,
    /// On which connection. `None`: over UDP; elsewhere on any connection to `remote`, opened if there is none.
    pub connection: Option<ConnectionId>,
}

/// Whom a request is for: by which way it goes, and what a certificate there must prove.
///
/// ```
/// use imscore_sip::transport::{Flow, ListenerId, Peer, Transport};
///
/// let remote = "192.0.2.4:5061".parse()?;
/// let flow = Flow { transport: Transport::Tls, listener: ListenerId(0), remote, connection: None };
/// let peer = Peer { flow, domain: Some("ims.example".into()) };
/// assert_eq!(Peer::from(flow), Peer { domain: None, ..peer });
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// By which way.
    pub flow: Flow,
    /// The SIP domain that was looked up, in lower case, where the way is a secure one (RFC 5922 §7.3). `None`: there was none;
    /// the certificate is that of the address, or of whom the settings expect there.
    pub domain: Option<ByteString>,
}

impl From<Flow> for Peer {
    fn from(flow: Flow) -> Peer {
        Peer { flow, domain: None }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.remote)
    }
}
