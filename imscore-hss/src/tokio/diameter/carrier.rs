//! What carries connections: listening and connecting over TCP, TLS and SCTP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::net::{TcpListener, TcpStream};
use ::tokio::sync::mpsc;
use ::tokio::time::sleep;

use super::Input;
use crate::peer::{Arrival, Transport};

/// How long nothing is accepted when the system cannot.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Where a node listens, and with which certificates it speaks TLS.
///
/// ```
/// use imscore_hss::peer::Transport;
/// use imscore_hss::tokio::Carriers;
///
/// let carriers = Carriers::default().listen(Transport::Tcp, ([127, 0, 0, 1], 3868).into());
/// # let _ = carriers;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Carriers {
    listen: Vec<(Transport, SocketAddr)>,
    #[cfg(feature = "tls")]
    tls: Option<super::DiameterTls>,
}

impl Carriers {
    /// Listens there too. Diameter's ports are 3868 and, over TLS, 5658 (RFC 6733 §11.4).
    #[must_use]
    pub fn listen(mut self, transport: Transport, address: SocketAddr) -> Carriers {
        self.listen.push((transport, address));
        self
    }

    /// Speaks TLS with these certificates.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: super::DiameterTls) -> Carriers {
        self.tls = Some(tls);
        self
    }

    pub(super) async fn listeners(&self) -> io::Result<Vec<Listener>> {
        let mut listeners = Vec::new();
        for (transport, address) in self.listen.iter().copied() {
            let socket = match transport {
                Transport::Tcp => TcpListener::bind(address).await?,
                Transport::Tls => {
                    self.can_secure()?;
                    TcpListener::bind(address).await?
                }
                Transport::Sctp => sctp_listen(address)?,
            };
            listeners.push(Listener { transport, local: socket.local_addr()?, socket });
        }
        Ok(listeners)
    }

    pub(super) async fn connect(&self, transport: Transport, address: &str, host: &str) -> io::Result<Stream> {
        match transport {
            Transport::Tcp => Ok(Stream::plain(TcpStream::connect(address).await?)),
            Transport::Tls => self.connect_secured(address, host).await,
            Transport::Sctp => sctp_connect(address).await,
        }
    }

    #[cfg(feature = "tls")]
    fn can_secure(&self) -> io::Result<()> {
        self.tls.as_ref().map(|_| ()).ok_or_else(no_certificates)
    }

    #[cfg(feature = "tls")]
    async fn connect_secured(&self, address: &str, host: &str) -> io::Result<Stream> {
        let tls = self.tls.as_ref().ok_or_else(no_certificates)?;
        tls.connect(TcpStream::connect(address).await?, host).await
    }

    /// Shakes hands with whom has connected.
    #[cfg(feature = "tls")]
    pub(super) async fn secure(&self, stream: TcpStream) -> io::Result<(Stream, Vec<String>)> {
        self.tls.as_ref().ok_or_else(no_certificates)?.accept(stream).await
    }

    #[cfg(not(feature = "tls"))]
    fn can_secure(&self) -> io::Result<()> {
        Err(without("tls", "TLS"))
    }

    #[cfg(not(feature = "tls"))]
    async fn connect_secured(&self, _address: &str, _host: &str) -> io::Result<Stream> {
        Err(without("tls", "TLS"))
    }

    #[cfg(not(feature = "tls"))]
    pub(super) async fn secure(&self, _stream: TcpStream) -> io::Result<(Stream, Vec<String>)> {
        Err(without("tls", "TLS"))
    }
}

#[cfg(feature = "tls")]
fn no_certificates() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "TLS needs a certificate: give one with Carriers::tls")
}

#[cfg(feature = "sctp")]
use super::sctp::{connect as sctp_connect, listen as sctp_listen};

#[cfg(not(feature = "sctp"))]
fn sctp_listen(_address: SocketAddr) -> io::Result<TcpListener> {
    Err(without("sctp", "SCTP"))
}

#[cfg(not(feature = "sctp"))]
async fn sctp_connect(_address: &str) -> io::Result<Stream> {
    Err(without("sctp", "SCTP"))
}

#[cfg(not(all(feature = "tls", feature = "sctp")))]
fn without(feature: &str, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("{what} needs the feature `{feature}` of imscore-hss"))
}

/// One that listens. An SCTP socket of the one-to-one style works as a TCP socket does (RFC 6458 §4).
pub(super) struct Listener {
    pub(super) transport: Transport,
    pub(super) local: SocketAddr,
    socket: TcpListener,
}

impl Listener {
    pub(super) async fn accept_all(self, inputs: mpsc::Sender<Input>) {
        loop {
            match self.socket.accept().await {
                Ok((tcp, remote)) => {
                    let stream = match self.transport {
                        Transport::Tls => Opened::Unsecured(tcp),
                        Transport::Tcp | Transport::Sctp => Opened::Ready(Stream::plain(tcp)),
                    };
                    let arrived = Arrived { remote, transport: self.transport, stream };
                    if inputs.send(Input::Accepted(arrived)).await.is_err() {
                        return;
                    }
                }
                Err(_) => sleep(ACCEPT_AGAIN).await,
            }
        }
    }
}

/// A connection that came in.
#[derive(Debug)]
pub(super) struct Arrived {
    remote: SocketAddr,
    transport: Transport,
    pub(super) stream: Opened,
}

#[derive(Debug)]
pub(super) enum Opened {
    Ready(Stream),
    /// To be shaken hands with first.
    Unsecured(TcpStream),
}

impl Arrived {
    pub(super) fn arrival(&self) -> Arrival {
        Arrival { from: Some(self.remote.ip().to_canonical()), transport: self.transport }
    }
}

/// Both ways of a connection, whatever carries it.
pub(super) struct Stream {
    pub(super) read: Box<dyn AsyncRead + Send + Unpin>,
    pub(super) write: Box<dyn AsyncWrite + Send + Unpin>,
}

impl Stream {
    pub(super) fn plain(stream: TcpStream) -> Stream {
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        Stream { read: Box::new(read), write: Box::new(write) }
    }

    #[cfg(feature = "tls")]
    pub(super) fn over(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Stream {
        let (read, write) = ::tokio::io::split(stream);
        Stream { read: Box::new(read), write: Box::new(write) }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}
