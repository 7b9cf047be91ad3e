//! Where to listen, and the sockets that do.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::str::FromStr;

use bytestring::ByteString;
use socket2::{Domain, Protocol, Socket, Type};

use super::Settings;
use crate::transport::{Listener, Side, Transport};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;

/// A transport and an address to listen on: `udp:127.0.0.1:5060`, `tcp:[::1]:5060`. Port 0 takes a free one.
///
/// ```
/// use imscore_sip::tokio::ListenAddress;
/// use imscore_sip::transport::Side;
///
/// let listen: ListenAddress = "udp:192.0.2.1:5060".parse()?;
/// let listen = listen.advertised("pcscf.ims.example:5060").side(Side::Access);
/// assert_eq!(listen.to_string(), "udp:192.0.2.1:5060");
/// # Ok::<(), imscore_sip::tokio::ListenAddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    transport: Transport,
    address: SocketAddr,
    advertised: Option<ByteString>,
    side: Side,
}

/// Text that is no [`ListenAddress`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not like udp:127.0.0.1:5060 or tcp:[::1]:5060")]
pub struct ListenAddressError(String);

/// Why a socket could not be set up.
///
/// ```
/// use imscore_sip::tokio::{BindError, Endpoint, ListenAddress, ListenAddressError};
/// use imscore_sip::transaction::{Config, Transactions};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
///
/// let nonsense: Result<ListenAddress, ListenAddressError> = "5060".parse();
/// assert!(nonsense.is_err());
/// // An address for documentation is not this machine's.
/// let elsewhere: ListenAddress = "udp:192.0.2.1:5060".parse()?;
/// let layer = |listeners| Transactions::new(Config::new([7; 32], listeners), imscore_sip::tokio::now());
/// let refused = Endpoint::bind([elsewhere], layer).await;
/// assert!(matches!(refused, Err(BindError::NotLocal(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody else listens there.
    #[error("{0} is in use: stop what listens there (`ss -lnp` shows it), or choose another port")]
    InUse(ListenAddress),
    /// No interface has the address.
    #[error("{0} is not an address of this machine: choose one that `ip address` shows, or 127.0.0.1")]
    NotLocal(ListenAddress),
    /// The port needs a privilege.
    #[error("{0} is not permitted: choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE")]
    Forbidden(ListenAddress),
    /// There is no such transport here.
    #[error("{0}: this transport is not supported here: the features `tls` and `ws` bring it, TLS needs a certificate")]
    Transport(ListenAddress),
    /// Every address of the machine is no address that peers could answer to.
    #[error("{0} needs an advertised name or address: it goes into Via, and peers send their answers there")]
    Unspecified(ListenAddress),
    /// What is to stand in a Via cannot stand there.
    #[error("{0}: the advertised name must be a host name or address, with or without a port")]
    Advertised(ListenAddress),
    /// The runtime takes no more sockets, or there is no thread for a worker.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// Anything else that the system says of an address.
    #[error("{address}: {error}")]
    System {
        /// Where.
        address: ListenAddress,
        /// What it says.
        error: io::Error,
    },
}

/// A socket that listens.
#[derive(Debug)]
pub(super) enum Bound {
    Udp(UdpSocket),
    Tcp(TcpListener),
}

impl ListenAddress {
    /// Listens on an address and says so in Via.
    pub fn new(transport: Transport, address: SocketAddr) -> ListenAddress {
        ListenAddress { transport, address, advertised: None, side: Side::default() }
    }

    /// Says another name or address in Via and Record-Route, `host` or `host:port`.
    #[must_use]
    pub fn advertised(mut self, sent_by: impl Into<ByteString>) -> ListenAddress {
        self.advertised = Some(sent_by.into());
        self
    }

    /// Puts the listener on a side; without this it is on the core's.
    #[must_use]
    pub fn side(mut self, side: Side) -> ListenAddress {
        self.side = side;
        self
    }

    /// As an engine is told of it, once the port is known.
    fn listener(&self, bound: SocketAddr) -> Result<Listener, BindError> {
        let sent_by = match &self.advertised {
            Some(name) if is_sent_by(name) => name.clone(),
            Some(_) => return Err(BindError::Advertised(self.clone())),
            None if bound.ip().is_unspecified() => return Err(BindError::Unspecified(self.clone())),
            // A zone (`%2`) means something on this machine only.
            None => SocketAddr::new(bound.ip(), bound.port()).to_string().into(),
        };
        Ok(Listener { transport: self.transport, sent_by, side: self.side })
    }

    fn failed(&self, error: io::Error) -> BindError {
        let address = self.clone();
        #[allow(clippy::wildcard_enum_match_arm)]
        match error.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse(address),
            io::ErrorKind::AddrNotAvailable => BindError::NotLocal(address),
            io::ErrorKind::PermissionDenied => BindError::Forbidden(address),
            _ => BindError::System { address, error },
        }
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<ListenAddress, ListenAddressError> {
        let parts = text.split_once(':').and_then(|(transport, address)| {
            Some(ListenAddress::new(Transport::find(transport)?, address.parse().ok()?))
        });
        parts.ok_or_else(|| ListenAddressError(text.to_string()))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.as_str().to_ascii_lowercase(), self.address)
    }
}

/// A sent-by (RFC 3261 §25.1), by its characters: nothing that could end the Via it is put into.
fn is_sent_by(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte))
}

/// Sets up the sockets of every worker, and says what their engines listen on.
///
/// The first socket of an address is bound to it alone, so that an address in use is an error even to those who
/// share theirs; only then the others join it.
pub(super) fn bind(
    listen: &[ListenAddress],
    workers: usize,
    settings: &Settings,
) -> Result<(Vec<Listener>, Vec<Vec<Bound>>), BindError> {
    let mut listeners = Vec::with_capacity(listen.len());
    let mut sockets: Vec<Vec<Bound>> = (0..workers).map(|_| Vec::with_capacity(listen.len())).collect();
    for address in listen {
        let (listener, shares) = share(address, workers, settings)?;
        listeners.push(listener);
        for (socket, worker) in shares.into_iter().zip(&mut sockets) {
            worker.push(socket);
        }
    }
    Ok((listeners, sockets))
}

fn share(address: &ListenAddress, workers: usize, settings: &Settings) -> Result<(Listener, Vec<Bound>), BindError> {
    let failed = |error| address.failed(error);
    if !is_supported(address.transport, settings) {
        return Err(BindError::Transport(address.clone()));
    }
    let first = socket(address, settings).map_err(failed)?;
    first.bind(&address.address.into()).map_err(failed)?;
    let bound = first.local_addr().map_err(failed)?;
    let listener = address.listener(bound.as_socket().unwrap_or(address.address))?;
    let mut sockets = vec![first];
    if workers > 1 {
        sockets[0].set_reuse_port(true).map_err(failed)?;
        for _ in 1..workers {
            let next = socket(address, settings).map_err(failed)?;
            next.set_reuse_port(true).map_err(failed)?;
            next.bind(&bound).map_err(failed)?;
            sockets.push(next);
        }
    }
    let sockets = sockets.into_iter().map(|socket| match address.transport {
        Transport::Udp => Ok(Bound::Udp(socket.into())),
        Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
            socket.listen(BACKLOG).map(|()| Bound::Tcp(socket.into()))
        }
    });
    Ok((listener, sockets.collect::<io::Result<_>>().map_err(failed)?))
}

/// True where this build and these settings can listen for a transport.
fn is_supported(transport: Transport, settings: &Settings) -> bool {
    #[cfg(feature = "tls")]
    let has_certificate = settings.tls.as_ref().is_some_and(super::Tls::can_listen);
    #[cfg(not(feature = "tls"))]
    let has_certificate = false;
    let _ = settings;
    match transport {
        Transport::Udp | Transport::Tcp => true,
        Transport::Tls => has_certificate,
        Transport::Ws => cfg!(feature = "ws"),
        Transport::Wss => has_certificate && cfg!(feature = "ws"),
    }
}

fn socket(address: &ListenAddress, settings: &Settings) -> io::Result<Socket> {
    let domain = Domain::for_address(address.address);
    let socket = if address.transport == Transport::Udp {
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_recv_buffer_size(settings.udp_buffer)?;
        socket.set_send_buffer_size(settings.udp_buffer)?;
        socket
    } else {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        // Connections of a process that is gone, in TIME_WAIT, are no reason not to listen.
        socket.set_reuse_address(true)?;
        socket
    };
    if address.address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ListenAddress {
        text.parse().unwrap()
    }

    fn error(address: &ListenAddress, workers: usize) -> String {
        bind(std::slice::from_ref(address), workers, &Settings::default()).unwrap_err().to_string()
    }

    #[test]
    fn text_is_read_and_written() {
        for text in ["udp:127.0.0.1:5060", "tcp:[::1]:0", "tls:[2001:db8::1]:5061", "wss:0.0.0.0:443"] {
            assert_eq!(address(text).to_string(), text);
        }
        assert_eq!(address("UDP:127.0.0.1:5060"), address("udp:127.0.0.1:5060"));
        for text in ["", "udp", "udp:5060", "udp:localhost:5060", "sctp:127.0.0.1:5060", "udp:::1:5060", "127.0.0.1:1"]
        {
            let refused = text.parse::<ListenAddress>().unwrap_err();
            assert!(refused.to_string().contains("udp:127.0.0.1:5060"), "{refused}");
        }
    }

    #[test]
    fn the_port_that_was_free_is_what_peers_are_told() {
        for text in ["udp:127.0.0.1:0", "tcp:127.0.0.1:0", "udp:[::1]:0", "tcp:[::1]:0"] {
            for workers in [1, 3] {
                let (listeners, sockets) = bind(&[address(text)], workers, &Settings::default()).unwrap();
                let ports: Vec<SocketAddr> = sockets
                    .iter()
                    .map(|sockets| match &sockets[0] {
                        Bound::Udp(socket) => socket.local_addr().unwrap(),
                        Bound::Tcp(listener) => listener.local_addr().unwrap(),
                    })
                    .collect();
                assert_eq!(ports.len(), workers);
                assert!(ports.iter().all(|port| listeners[0].sent_by == port.to_string()), "{ports:?}");
                assert_ne!(ports[0].port(), 0);
            }
        }
    }

    #[test]
    fn an_advertised_name_goes_into_via() {
        let listen = address("udp:0.0.0.0:0");
        assert!(error(&listen, 1).contains("udp:0.0.0.0:0 needs an advertised name"));
        for bad in ["", "a b", "a;b", "a\r\nVia: b", "a>"] {
            assert!(error(&listen.clone().advertised(bad), 1).contains("must be a host name"), "{bad:?}");
        }
        let listen = listen.advertised("pcscf.ims.example").side(Side::Access);
        let (listeners, _) = bind(&[listen], 1, &Settings::default()).unwrap();
        let expected = Listener { transport: Transport::Udp, sent_by: "pcscf.ims.example".into(), side: Side::Access };
        assert_eq!(listeners, [expected]);
    }

    /// Another process that shares its own address must not get at ours, nor the other way round.
    #[test]
    fn an_address_in_use_is_named() {
        for transport in ["udp", "tcp"] {
            for (held, wanted) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
                let first = address(&format!("{transport}:127.0.0.1:0"));
                let (listeners, _held) = bind(&[first], held, &Settings::default()).unwrap();
                let text = format!("{transport}:{}", listeners[0].sent_by);
                let error = error(&address(&text), wanted);
                assert!(error.starts_with(&format!("{text} is in use: stop")), "{error}");
            }
        }
    }

    #[test]
    fn other_errors_say_what_to_do() {
        assert!(error(&address("udp:192.0.2.1:5060"), 1).contains("is not an address of this machine"));
        assert!(error(&address("tls:127.0.0.1:0"), 1).contains("not supported here"));
    }
}
