//! What the driver allows a peer, and how it sets its sockets up.

use std::time::Duration;

use crate::parse::Limits;

/// Limits and sizes of an [`Endpoint`](super::Endpoint). Start from the default and set what differs.
///
/// ```
/// let mut settings = imscore_sip::tokio::Settings::default();
/// settings.connections_per_address = 10_000;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// What one message may hold.
    pub limits: Limits,
    /// Bytes that the kernel is asked to hold for each UDP socket, in each direction. It grants no more than
    /// `net.core.rmem_max` and `wmem_max`.
    pub udp_buffer: usize,
    /// Whether an ICMP error counts as the loss of a UDP flow (RFC 3261 §18.4). Linux only; elsewhere, and when off,
    /// a dead neighbour shows by silence.
    pub icmp_errors: bool,
    /// Connections in all, those of our own opening included. Beyond it new ones are closed at once.
    pub connections: usize,
    /// Connections that one address, or one IPv6 /64, may open while the engine knows nothing of them
    /// ([`Engine::is_known`](crate::Engine::is_known)). Beyond it new ones are closed at once.
    pub connections_per_address: usize,
    /// How long a new connection may stay without a byte.
    pub first_byte: Duration,
    /// How long a message may take from its first byte to its last.
    pub whole_message: Duration,
    /// How long a connection stays open without a byte either way. It is longer than Timer C, so that a transaction
    /// ends on the connection on which it began (RFC 3261 §18).
    pub idle: Duration,
    /// The same for a connection that the engine knows; longer than a phone waits with its next REGISTER.
    pub idle_known: Duration,
    /// How long opening a connection may take.
    pub connect: Duration,
    /// Bytes that wait for one peer to read them. Beyond it the connection is closed.
    pub unsent: usize,
    /// How long a peer may read nothing, or acknowledge nothing (Linux), while bytes wait for it.
    pub stalled: Duration,
    /// Silence after which TCP asks a peer on the core's side whether it is still there. It asks again after a quarter
    /// of that, and the peer is gone when it has been silent for as long as `stalled` (Linux). Whole seconds.
    pub probe: Duration,
    /// How long the handshakes of TLS and WebSocket may take together.
    pub handshake: Duration,
    /// Who is asked where names lead. `None`: nobody, and no name is found but those that an engine has in a table.
    #[cfg(feature = "dns")]
    pub name_servers: Option<super::NameServers>,
    /// Certificates, and whom to trust. `None`: there is no TLS.
    #[cfg(feature = "tls")]
    pub tls: Option<super::Tls>,
    /// Who may open a WebSocket.
    #[cfg(feature = "ws")]
    pub ws: super::WsSettings,
    /// Where what the engine is given and gives out is written down. `None`: nowhere.
    #[cfg(feature = "trace")]
    pub trace: Option<super::TraceFile>,
    /// Whose connections are used for requests the other way.
    pub aliases: Aliases,
    /// Messages that wait for another worker. Beyond it they are dropped, and counted.
    pub handover: usize,
}

/// Which connections that a peer opened, and offers with `alias` in its Via, are used for requests to the address that it says it
/// listens on (RFC 5923). Without it such a request opens a connection of its own.
///
/// ```
/// use imscore_sip::tokio::{Aliases, Origins, Settings, WsSettings};
///
/// let mut settings = Settings::default();
/// settings.aliases = Aliases::Trusted;
/// let mut ws = WsSettings::default();
/// assert_eq!(ws.origins, Origins::SameHost);
/// ws.origins = Origins::Listed(vec!["https://phone.ims.example".into()]);
/// settings.ws = ws;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aliases {
    /// None.
    None,
    /// Over TLS those of peers whose certificate is that of whom the request is for: see
    /// `ClientCertificates`. Over TCP none, where any process of the same host could take what is
    /// for another.
    #[default]
    Proved,
    /// These, and over TCP those on listeners of [`Side::Core`](crate::transport::Side::Core), for a core where every host is
    /// trusted with all of its ports.
    Trusted,
}

impl Settings {
    /// Asks the name servers of this machine where names lead; where it names none, nobody.
    #[cfg(feature = "dns")]
    #[must_use]
    pub fn with_system_names(self) -> Settings {
        Settings { name_servers: super::NameServers::of_system().ok(), ..self }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            limits: Limits::default(),
            udp_buffer: 4 << 20,
            icmp_errors: true,
            connections: 16_384,
            connections_per_address: 64,
            first_byte: Duration::from_secs(5),
            whole_message: Duration::from_secs(20),
            idle: Duration::from_secs(200),
            idle_known: Duration::from_secs(3_900),
            connect: Duration::from_secs(2),
            unsent: 1 << 20,
            stalled: Duration::from_secs(20),
            probe: Duration::from_secs(8),
            handshake: Duration::from_secs(5),
            #[cfg(feature = "dns")]
            name_servers: None,
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "ws")]
            ws: super::WsSettings::default(),
            #[cfg(feature = "trace")]
            trace: None,
            aliases: Aliases::default(),
            handover: 1_024,
        }
    }
}
