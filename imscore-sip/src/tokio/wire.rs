//! What carries the bytes of a connection: TCP, or TLS over it; and how it comes to be.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Settings;
use crate::transport::Transport;

/// A connection that is being opened, by either side.
pub(super) type Opening = Pin<Box<dyn Future<Output = io::Result<Carrier>> + Send>>;

/// An open connection.
pub(super) enum Carrier {
    /// Messages one behind the other.
    Stream(Wire),
    /// A message in each frame (RFC 7118).
    #[cfg(feature = "ws")]
    Frames(Box<super::ws::Frames>),
}

/// Bytes in their order.
pub(super) enum Wire {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::TlsStream<TcpStream>>),
}

/// What a peer that has connected is still to do. `Err`: nothing.
pub(super) fn accept(stream: TcpStream, transport: Transport, settings: &Settings) -> Result<Opening, TcpStream> {
    let _ = settings;
    match transport {
        Transport::Udp | Transport::Tcp => Err(stream),
        #[cfg(feature = "tls")]
        Transport::Tls => {
            let tls = settings.tls.clone();
            Ok(Box::pin(async move { Ok(Carrier::Stream(super::tls::accept(tls, stream).await?)) }))
        }
        #[cfg(feature = "ws")]
        Transport::Ws => {
            let ws = settings.ws.clone();
            let most = settings.limits.message;
            Ok(Box::pin(async move { super::ws::accept(Wire::Plain(stream), &ws, most).await }))
        }
        #[cfg(all(feature = "ws", feature = "tls"))]
        Transport::Wss => {
            let (tls, ws) = (settings.tls.clone(), settings.ws.clone());
            let most = settings.limits.message;
            Ok(Box::pin(async move { super::ws::accept(super::tls::accept(tls, stream).await?, &ws, most).await }))
        }
        #[cfg(not(feature = "tls"))]
        Transport::Tls => Ok(Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })),
        #[cfg(not(feature = "ws"))]
        Transport::Ws => Ok(Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })),
        #[cfg(not(all(feature = "ws", feature = "tls")))]
        Transport::Wss => Ok(Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })),
    }
}

/// What is to be done with a connection that we have opened. `name` is whom it must be, where that is known.
pub(super) async fn greet(
    stream: TcpStream,
    transport: Transport,
    remote: SocketAddr,
    name: Option<&str>,
    settings: &Settings,
) -> io::Result<Carrier> {
    let _ = (remote, name, settings);
    match transport {
        Transport::Udp | Transport::Tcp => Ok(Carrier::Stream(Wire::Plain(stream))),
        #[cfg(feature = "tls")]
        Transport::Tls => {
            let tls = settings.tls.as_ref();
            Ok(Carrier::Stream(super::tls::connect(tls, stream, remote, name).await?))
        }
        #[cfg(feature = "ws")]
        Transport::Ws => super::ws::connect(Wire::Plain(stream), remote, name, settings).await,
        #[cfg(all(feature = "ws", feature = "tls"))]
        Transport::Wss => {
            let wire = super::tls::connect(settings.tls.as_ref(), stream, remote, name).await?;
            super::ws::connect(wire, remote, name, settings).await
        }
        #[cfg(not(feature = "tls"))]
        Transport::Tls => Err(io::ErrorKind::Unsupported.into()),
        #[cfg(not(feature = "ws"))]
        Transport::Ws => Err(io::ErrorKind::Unsupported.into()),
        #[cfg(not(all(feature = "ws", feature = "tls")))]
        Transport::Wss => Err(io::ErrorKind::Unsupported.into()),
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(context),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
