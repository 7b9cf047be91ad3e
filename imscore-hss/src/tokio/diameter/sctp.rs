//! SCTP (RFC 6733 §2.1), by sockets of the one-to-one style (RFC 6458 §4), which read and write as TCP's do. One stream
//! is used.
//!
//! Deviation: the payload protocol identifier stays 0, where Diameter has 46. It is set by SCTP_DEFAULT_SNDINFO or beside each
//! message (RFC 6458 §8.1.31, §5.3.4), which neither socket2 nor nix nor rustix has, and a call of our own to the system
//! would be unsafe code.

use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};

use ::tokio::net::{TcpListener, TcpSocket, lookup_host};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::carrier::Stream;

/// IPPROTO_SCTP.
const SCTP: i32 = 132;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

pub(super) async fn connect(address: &str) -> io::Result<Stream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host(address).await? {
        let socket = TcpSocket::from_std_stream(StdStream::from(socket(address)?));
        match socket.connect(address).await {
            Ok(stream) => return Ok(Stream::plain(stream)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::from(SCTP)));
    let socket = socket.map_err(|error| {
        let hint = "this system has no SCTP: load its kernel module (modprobe sctp), or use TCP or TLS";
        io::Error::new(io::ErrorKind::Unsupported, format!("{hint} ({error})"))
    })?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
