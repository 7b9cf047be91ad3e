//! What ICMP says of datagrams that were sent (RFC 3261 §18.4): read from the error queue of a socket, which Linux
//! has. Elsewhere nothing is reported.
//!
//! A stranger who guesses both addresses and ports can forge such a report. It says no more than that a peer is gone:
//! the transactions towards it fail, as they would had it not answered.

use std::net::{SocketAddr, UdpSocket};

#[cfg(target_os = "linux")]
pub(super) use linux::{drain, enable};

/// Asks for errors. False: there are none to be had.
#[cfg(not(target_os = "linux"))]
pub(super) fn enable(_socket: &UdpSocket) -> bool {
    false
}

/// Reads the queue empty and names the peers that cannot be reached.
#[cfg(not(target_os = "linux"))]
pub(super) fn drain(_socket: &UdpSocket, _failed: impl FnMut(SocketAddr)) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::IoSliceMut;
    use std::os::fd::AsRawFd;

    use nix::cmsg_space;
    use nix::libc::{SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6, sock_extended_err, sockaddr_in6};
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, recvmsg, setsockopt, sockopt};

    use super::*;

    /// Asks for errors. False: there are none to be had.
    pub(in super::super) fn enable(socket: &UdpSocket) -> bool {
        match socket.local_addr() {
            Ok(SocketAddr::V4(_)) => setsockopt(socket, sockopt::Ipv4RecvErr, &true).is_ok(),
            Ok(SocketAddr::V6(_)) => setsockopt(socket, sockopt::Ipv6RecvErr, &true).is_ok(),
            Err(_) => false,
        }
    }

    /// Reads the queue empty and names the peers that cannot be reached.
    pub(in super::super) fn drain(socket: &UdpSocket, mut failed: impl FnMut(SocketAddr)) {
        // The queue gives back the datagram too, of which nothing is needed.
        let mut start = [0; 1];
        let mut control = cmsg_space!(sock_extended_err, sockaddr_in6);
        loop {
            let mut parts = [IoSliceMut::new(&mut start)];
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let Ok(report) = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)
            else {
                return;
            };
            if is_final(&report)
                && let Some(peer) = report.address.and_then(peer)
            {
                failed(peer);
            }
        }
    }

    /// RFC 3261 §18.4: unreachable in any way, or a parameter problem. That a datagram was too large for one piece,
    /// ICMP type 3 code 4, is no failure: the kernel sends the next in several.
    fn is_final(report: &RecvMsg<'_, '_, SockaddrStorage>) -> bool {
        let Ok(mut messages) = report.cmsgs() else {
            return false;
        };
        #[allow(clippy::wildcard_enum_match_arm)]
        messages.any(|message| match message {
            ControlMessageOwned::Ipv4RecvErr(error, _) if error.ee_origin == SO_EE_ORIGIN_ICMP => {
                matches!((error.ee_type, error.ee_code), (3, code) if code != 4) || error.ee_type == 12
            }
            ControlMessageOwned::Ipv6RecvErr(error, _) if error.ee_origin == SO_EE_ORIGIN_ICMP6 => {
                matches!(error.ee_type, 1 | 4)
            }
            _ => false,
        })
    }

    /// Where the datagram was sent to.
    fn peer(address: SockaddrStorage) -> Option<SocketAddr> {
        let v4 = address.as_sockaddr_in().map(|address| SocketAddr::V4((*address).into()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::V6((*address).into())))
    }
}
