//! Where the responses to a request go, and what its Via is told about that (RFC 3261 §18.2, RFC 3581).

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::Flow;
use crate::header::{Name, Via};
use crate::message::Request;
use crate::parse::list;

/// The way back to the sender of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplyPath {
    /// Where responses go.
    pub(crate) flow: Flow,
    /// Where the request came from.
    pub(crate) source: SocketAddr,
    /// Where they go once the connection of `flow` is gone: the source's address, the port of the sent-by.
    pub(crate) reopened: SocketAddr,
}

impl ReplyPath {
    /// Over UDP to the source's address, and there to the source port where the Via asks for it, else to the sent-by
    /// port; elsewhere by the connection that the request came on (RFC 3261 §18.2.2, RFC 3581 §4).
    ///
    /// A deliberate deviation: `maddr` is not followed. It would let anyone have responses sent to an address that
    /// did not ask for them (RFC 4475 §3.1.2.11 gives 255.255.255.255).
    ///
    /// Another: a sent-by that is a name is never looked up, not even when all else has failed (RFC 3263 §5). Whoever sends a
    /// request would choose with it where we send the response (threat D10); between servers that trust each other the port
    /// of the sent-by at the source's address is enough.
    ///
    /// `None`: the source is no address that can be answered.
    pub(crate) fn of(via: &Via, flow: &Flow) -> Option<ReplyPath> {
        let sent_by = SocketAddr::new(flow.remote.ip(), via.port().unwrap_or(flow.transport.default_port()));
        let remote = match flow.transport.is_reliable() || via.rport().is_some() {
            true => flow.remote,
            false => sent_by,
        };
        is_one_peer(&remote).then_some(ReplyPath {
            flow: Flow { remote, ..*flow },
            source: flow.remote,
            reopened: sent_by,
        })
    }

    /// Takes note that the connection is gone (RFC 3261 §18.2.2).
    pub(crate) fn reopen(&mut self) {
        self.flow.connection = None;
        self.flow.remote = self.reopened;
    }
}

/// True for what can be one peer's address: neither unspecified, multicast nor broadcast, and with a port.
pub(crate) fn is_one_peer(address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let broadcast = match ip {
        IpAddr::V4(ip) => ip.is_broadcast(),
        IpAddr::V6(_) => false,
    };
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// Writes into the top Via of a request where it came from: `received` where the sent-by is not that address or the
/// Via asks for `rport`, and `rport` where it asks (RFC 3261 §18.2.1, RFC 3581 §4). What the sender wrote there
/// itself is replaced. A Via that says where it came from stays untouched. Where it offers keep-alives, `keep` says how often
/// they are wanted, in seconds (RFC 6223 §4.4).
pub(crate) fn stamp(request: &mut Request, via: &Via, from: SocketAddr, keep: Option<u32>) {
    let source = from.ip().to_canonical();
    let asked = via.rport().is_some();
    let keep = keep.filter(|_| via.params().iter().any(offers_keep_alives));
    if !asked
        && keep.is_none()
        && via.received().is_none()
        && via.host_ip().map(|host| host.to_canonical()) == Some(source)
    {
        return;
    }
    let params = via.params().as_str();
    let mut text = String::with_capacity(via.as_str().len() + 64);
    text.push_str(&via.as_str()[..via.as_str().len() - params.len()]);
    for (name, value) in via.params().iter() {
        if name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport") {
            continue;
        }
        if keep.is_some() && offers_keep_alives((name, value)) {
            continue;
        }
        text.push(';');
        text.push_str(name);
        if let Some(value) = value {
            text.push('=');
            text.push_str(value);
        }
    }
    // Writing to a String does not fail.
    let _ = write!(text, ";received={source}");
    if asked {
        let _ = write!(text, ";rport={}", from.port());
    }
    if let Some(keep) = keep {
        let _ = write!(text, ";keep={keep}");
    }
    let mut line = text.into_bytes();
    if let Some(rest) = request.headers.raw(Name::VIA).and_then(list::behind_first) {
        line.extend_from_slice(b", ");
        line.extend_from_slice(rest);
    }
    request.headers.replace_raw(Name::VIA, &line);
}

fn offers_keep_alives((name, value): (&str, Option<&str>)) -> bool {
    name.eq_ignore_ascii_case("keep") && value.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::transport::{ConnectionId, ListenerId, Transport};

    fn flow(transport: Transport, remote: &str) -> Flow {
        let connection = transport.is_reliable().then_some(ConnectionId(std::num::NonZeroU64::MIN));
        Flow { transport, listener: ListenerId(0), remote: remote.parse().unwrap(), connection }
    }

    fn request(via: &str) -> (Request, Via) {
        let text = format!("OPTIONS sip:a@b SIP/2.0\r\nMax-Forwards: 70\r\nVia: {via}\r\n\r\n");
        let Message::Request(request) = Message::parse(text.into()).unwrap() else { panic!("a request") };
        let via = request.headers.first().unwrap();
        (request, via)
    }

    fn stamped(via: &str, remote: &str) -> String {
        kept(via, remote, None)
    }

    fn kept(via: &str, remote: &str, keep: Option<u32>) -> String {
        let (mut request, via) = request(via);
        stamp(&mut request, &via, remote.parse().unwrap(), keep);
        String::from_utf8(request.headers.raw(Name::VIA).unwrap().to_vec()).unwrap()
    }

    /// RFC 6223 §4.4.
    #[test]
    fn who_offers_keep_alives_is_told_how_often() {
        for (via, keep, expected) in [
            (";branch=1;keep", None, ";branch=1;keep"),
            (";branch=1;keep", Some(30), ";branch=1;received=192.0.2.1;keep=30"),
            (";branch=1;KEEP;x=y", Some(0), ";branch=1;x=y;received=192.0.2.1;keep=0"),
            (";branch=1", Some(30), ";branch=1"),
            (";branch=1;keep=5", Some(30), ";branch=1;keep=5"),
        ] {
            let of = |params: &str| format!("SIP/2.0/UDP 192.0.2.1{params}");
            assert_eq!(kept(&of(via), "192.0.2.1:5060", keep), of(expected));
        }
    }

    /// RFC 3261 §18.2.1, RFC 3581 §4.
    #[test]
    fn a_via_is_told_where_its_request_came_from() {
        for (via, remote, expected) in [
            ("SIP/2.0/UDP 192.0.2.1;branch=1", "192.0.2.1:5060", "SIP/2.0/UDP 192.0.2.1;branch=1"),
            ("SIP/2.0/UDP 192.0.2.1;branch=1", "192.0.2.9:5060", "SIP/2.0/UDP 192.0.2.1;branch=1;received=192.0.2.9"),
            ("SIP/2.0/UDP host;branch=1", "192.0.2.1:5060", "SIP/2.0/UDP host;branch=1;received=192.0.2.1"),
            (
                "SIP/2.0/UDP 192.0.2.1;rport;branch=1",
                "192.0.2.1:1025",
                "SIP/2.0/UDP 192.0.2.1;branch=1;received=192.0.2.1;rport=1025",
            ),
            (
                "SIP/2.0/UDP 192.0.2.1;received=203.0.113.9;branch=1",
                "192.0.2.1:5060",
                "SIP/2.0/UDP 192.0.2.1;branch=1;received=192.0.2.1",
            ),
            (
                "SIP/2.0/UDP 192.0.2.1;received=203.0.113.9;rport=9;branch=1",
                "192.0.2.1:1025",
                "SIP/2.0/UDP 192.0.2.1;branch=1;received=192.0.2.1;rport=1025",
            ),
            (
                "SIP/2.0/UDP [2001:db8::1];rport;branch=1, SIP/2.0/UDP i;branch=2",
                "[2001:db8::2]:1025",
                "SIP/2.0/UDP [2001:db8::1];branch=1;received=2001:db8::2;rport=1025, SIP/2.0/UDP i;branch=2",
            ),
            ("SIP/2.0/UDP 192.0.2.1;branch=1", "[::ffff:192.0.2.1]:5060", "SIP/2.0/UDP 192.0.2.1;branch=1"),
        ] {
            assert_eq!(stamped(via, remote), expected);
        }
    }

    fn check(transport: Transport, via: &str, remote: &str, expected: Option<&str>) {
        let (_, via) = request(via);
        let path = ReplyPath::of(&via, &flow(transport, remote));
        let expected: Option<SocketAddr> = expected.map(|expected| expected.parse().unwrap());
        assert_eq!(path.map(|path| path.flow.remote), expected, "{}", via.as_str());
    }

    /// RFC 3261 §18.2.2, RFC 3581 §4.
    #[test]
    fn responses_go_back_to_the_source() {
        check(Transport::Udp, "SIP/2.0/UDP h:5070;branch=1", "192.0.2.1:1025", Some("192.0.2.1:5070"));
        check(Transport::Udp, "SIP/2.0/UDP h;branch=1", "192.0.2.1:1025", Some("192.0.2.1:5060"));
        check(Transport::Udp, "SIP/2.0/UDP h:5070;rport;branch=1", "192.0.2.1:1025", Some("192.0.2.1:1025"));
        check(Transport::Tcp, "SIP/2.0/TCP h:5070;branch=1", "192.0.2.1:1025", Some("192.0.2.1:1025"));
    }

    /// RFC 4475 §3.1.2.11; a stranger chooses none of the addresses that are sent to.
    #[test]
    fn responses_go_to_no_address_that_a_via_names() {
        let via = "SIP/2.0/UDP 203.0.113.9;maddr=255.255.255.255;received=203.0.113.9;branch=1";
        check(Transport::Udp, via, "192.0.2.1:5060", Some("192.0.2.1:5060"));
        for source in ["0.0.0.0:5060", "255.255.255.255:5060", "224.0.1.75:5060", "[ff02::1]:5060", "[::]:5060"] {
            check(Transport::Udp, "SIP/2.0/UDP h;branch=1", source, None);
        }
        check(Transport::Udp, "SIP/2.0/UDP h:0;branch=1", "192.0.2.1:5060", None);
    }

    #[test]
    fn a_lost_connection_is_opened_to_the_sent_by_port() {
        let (_, via) = request("SIP/2.0/TCP h:5070;branch=1");
        let mut path = ReplyPath::of(&via, &flow(Transport::Tcp, "192.0.2.1:1025")).unwrap();
        path.reopen();
        assert_eq!((path.flow.remote, path.flow.connection), ("192.0.2.1:5070".parse().unwrap(), None));
    }
}
