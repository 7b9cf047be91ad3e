//! One UDP socket.
//!
//! Datagrams are read and written one system call each: on Linux a loop of `recvfrom` up to "would block" costs less
//! than `recvmmsg` at every batch size that SIP sees, and `sendto` as much as `sendmmsg`, since what a datagram costs
//! is its way through the kernel. Only readability is waited for: with writability every datagram that leaves would
//! wake the task once more.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What a receive buffer must hold: the largest datagram.
pub(super) const LARGEST: usize = 65_535;

/// A socket, and what waits for its errors.
pub(super) struct Udp {
    socket: Arc<AsyncFd<UdpSocket>>,
    readable: Waker,
    errors: Option<Errors>,
}

struct Errors {
    waker: Waker,
    next: Pin<Box<dyn Future<Output = bool> + Send>>,
}

impl Udp {
    /// Waits for datagrams with one waker, and with the other for errors, where they are wanted and there are any.
    pub(super) fn new(socket: UdpSocket, readable: Waker, errors: Option<Waker>) -> io::Result<Udp> {
        let errors = errors.filter(|_| super::icmp::enable(&socket));
        // Deprecated for what may close or change its descriptor unasked, which a `UdpSocket` cannot.
        #[allow(deprecated)]
        let socket = AsyncFd::with_interest(socket, Interest::READABLE | Interest::ERROR)?;
        let socket = Arc::new(socket);
        let errors = errors.map(|waker| Errors { waker, next: Box::pin(next_error(socket.clone())) });
        Ok(Udp { socket, readable, errors })
    }

    /// The next datagram, or `Pending` until the waker is called.
    ///
    /// # Errors
    /// Those of the socket. One that ICMP reported of a datagram sent earlier is passed over.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        loop {
            match self.socket.try_io(Interest::READABLE, |socket| socket.recv_from(buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match self.socket.poll_read_ready(&mut Context::from_waker(&self.readable)) {
                        Poll::Ready(Ok(_)) => {}
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Pending => return Poll::Pending,
                    }
                }
                Err(error) if is_of_a_peer(&error) => {}
                received => return Poll::Ready(received),
            }
        }
    }

    /// Gives one datagram to the kernel.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) where the kernel has no room, else what is wrong with this datagram.
    pub(super) fn send(&self, bytes: &[u8], remote: SocketAddr) -> io::Result<()> {
        let socket = self.socket.get_ref();
        match socket.send_to(bytes, remote) {
            // The error may be that of another datagram, which it tells once. Not so the second time.
            Err(error) if is_of_a_peer(&error) => socket.send_to(bytes, remote).map(drop),
            sent => sent.map(drop),
        }
    }

    /// The peers of whom errors were reported since the last call, each once in a row; then waits for the next.
    pub(super) fn failed_peers(&mut self) -> Vec<SocketAddr> {
        let mut peers = Vec::new();
        let Some(errors) = &mut self.errors else {
            return peers;
        };
        while let Poll::Ready(true) = errors.next.as_mut().poll(&mut Context::from_waker(&errors.waker)) {
            super::icmp::drain(self.socket.get_ref(), |peer| peers.push(peer));
            errors.next = Box::pin(next_error(self.socket.clone()));
        }
        peers.dedup();
        peers
    }
}

/// Ready once the socket has errors. False: it will have none any more, for the runtime is at its end.
async fn next_error(socket: Arc<AsyncFd<UdpSocket>>) -> bool {
    match socket.ready(Interest::ERROR).await {
        Ok(mut guard) => {
            guard.clear_ready();
            true
        }
        Err(_) => false,
    }
}

/// An error that the kernel may report of any datagram that was sent before.
fn is_of_a_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
