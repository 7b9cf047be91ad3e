//! From which of our listeners a request to a target leaves.

use std::net::SocketAddr;

use crate::transport::{Flow, Listener, ListenerId, Side, Transport};

/// The listeners that requests of ours may leave from: those towards other servers, and where there is none of a kind, those
/// towards phones.
///
/// ```
/// use imscore_sip::resolve::Exits;
/// use imscore_sip::transport::{Listener, ListenerId, Side, Transport};
///
/// let listener = |transport| Listener { transport, sent_by: "192.0.2.10".into(), side: Side::Core };
/// let exits = Exits::of(&[listener(Transport::Udp), listener(Transport::Tcp)]);
/// assert_eq!(exits.transports(), [Transport::Udp, Transport::Tcp]);
/// let way = exits.flow(Transport::Tcp, "192.0.2.7:5060".parse()?).ok_or("no way")?;
/// assert_eq!(way.listener, ListenerId(1));
/// assert_eq!(exits.flow(Transport::Tls, "192.0.2.7:5061".parse()?), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exits(Vec<Exit>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exit {
    listener: ListenerId,
    transport: Transport,
    is_ipv6: bool,
}

impl Exits {
    /// Those of these listeners. One that has a name in its Via counts as one of IPv4.
    pub fn of(listeners: &[Listener]) -> Exits {
        Exits::new(listeners, |listener| listeners[usize::from(listener.0)].sent_by.starts_with('['))
    }

    /// Those of these listeners; `is_ipv6` says which of them are bound to an address of IPv6.
    pub fn new(listeners: &[Listener], is_ipv6: impl Fn(ListenerId) -> bool) -> Exits {
        let all = || listeners.iter().zip(0..).map(|(listener, at)| (listener, ListenerId(at)));
        let of = |side: Side| all().filter(move |(listener, _)| listener.side == side);
        let exit = |(listener, id): (&Listener, ListenerId)| Exit {
            listener: id,
            transport: listener.transport,
            is_ipv6: is_ipv6(id),
        };
        Exits(of(Side::Core).chain(of(Side::Access)).map(exit).collect())
    }

    /// The way to an address. `None`: no listener has that transport and that family of addresses.
    pub fn flow(&self, transport: Transport, remote: SocketAddr) -> Option<Flow> {
        let fits = |exit: &&Exit| exit.transport == transport && exit.is_ipv6 == remote.is_ipv6();
        let exit = self.0.iter().find(fits)?;
        Some(Flow { transport, listener: exit.listener, remote, connection: None })
    }

    /// The transports that servers are asked by, UDP before TCP before TLS: RFC 3263 §4.1 leaves the order to us where a
    /// domain has none. WebSocket is for phones (RFC 7118 §1).
    pub fn transports(&self) -> Vec<Transport> {
        let has = |transport: &Transport| self.0.iter().any(|exit| exit.transport == *transport);
        [Transport::Udp, Transport::Tcp, Transport::Tls].into_iter().filter(has).collect()
    }

    /// Whether there is one for IPv4.
    pub fn has_ipv4(&self) -> bool {
        self.0.iter().any(|exit| !exit.is_ipv6)
    }

    /// Whether there is one for IPv6.
    pub fn has_ipv6(&self) -> bool {
        self.0.iter().any(|exit| exit.is_ipv6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(transport: Transport, sent_by: &str, side: Side) -> Listener {
        Listener { transport, sent_by: sent_by.into(), side }
    }

    #[test]
    fn a_request_leaves_from_the_side_of_the_core() {
        let exits = Exits::of(&[
            listener(Transport::Udp, "192.0.2.1:5060", Side::Access),
            listener(Transport::Udp, "192.0.2.1:5058", Side::Core),
            listener(Transport::Tcp, "192.0.2.1:5060", Side::Access),
            listener(Transport::Udp, "[2001:db8::1]:5060", Side::Core),
            listener(Transport::Ws, "192.0.2.1:5062", Side::Access),
        ]);
        let leaves = |transport, remote: &str| Some(exits.flow(transport, remote.parse().unwrap())?.listener.0);
        assert_eq!(leaves(Transport::Udp, "192.0.2.9:5060"), Some(1));
        assert_eq!(leaves(Transport::Tcp, "192.0.2.9:5060"), Some(2));
        assert_eq!(leaves(Transport::Udp, "[2001:db8::9]:5060"), Some(3));
        assert_eq!(leaves(Transport::Tcp, "[2001:db8::9]:5060"), None);
        assert_eq!(leaves(Transport::Tls, "192.0.2.9:5061"), None);
        assert_eq!(exits.transports(), [Transport::Udp, Transport::Tcp]);
        assert!(exits.has_ipv4() && exits.has_ipv6());
    }
}
