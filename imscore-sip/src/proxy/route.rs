//! Where a request goes next: Route and Request-URI (RFC 3261 §16.4, §16.6 steps 6 and 7).

use std::net::SocketAddr;

use crate::header::{Name, RecordRoute, Route};
use crate::message::Request;
use crate::transport::Transport;
use crate::uri::{SipUri, Uri};

/// Takes our own Route off a request (RFC 3261 §16.4) and gives its URI back: the topmost Route where `is_own` says so. A
/// strict router upstream has put our URI into the Request-URI and the target last; that is put right first.
pub fn take_own(request: &mut Request, is_own: impl Fn(&SipUri) -> bool) -> Option<SipUri> {
    if request.headers.contains(Name::ROUTE) {
        restore_target(request, &is_own);
    }
    let top: Route = request.headers.get().ok().flatten()?;
    let uri = top.sip().filter(|uri| is_own(uri))?.clone();
    request.headers.pop_front::<Route>();
    Some(uri)
}

/// RFC 3261 §16.4: a Request-URI that is a Record-Route of ours stands where a strict router moved it.
fn restore_target(request: &mut Request, is_own: &impl Fn(&SipUri) -> bool) {
    let Ok(Uri::Sip(target)) = request.uri() else { return };
    if !target.is_lr() || !is_own(&target) {
        return;
    }
    let Ok(mut routes) = request.headers.all::<Route>() else { return };
    let Some(last) = routes.pop() else { return };
    request.headers.remove(Name::ROUTE);
    request.set_target(last.uri().text());
    let own = Route::new(target);
    for route in std::iter::once(&own).chain(&routes) {
        request.headers.push(route);
    }
}

/// Puts the target last in the Route and the first Route into the Request-URI, where that Route is a strict router's
/// (RFC 3261 §16.6 step 6).
pub fn make_strict(request: &mut Request) {
    let Ok(Some(top)) = request.headers.get::<Route>() else { return };
    let Some(uri) = top.sip().filter(|uri| !uri.is_lr()) else { return };
    let Ok(target) = request.uri() else { return };
    request.headers.pop_front::<Route>();
    request.headers.push(&Route::new(target));
    request.set_target(uri.text());
}

/// The URI that a request goes to next: its topmost Route, else its Request-URI. `None`: neither is a URI.
pub fn next_hop(request: &Request) -> Option<Uri> {
    match request.headers.get::<Route>().ok()? {
        Some(route) => Some(route.uri().clone()),
        None => request.uri().ok(),
    }
}

/// Transport and address of a URI whose host is an address, with the ports of RFC 3263 §4.1, §4.2. `None`: the host is a
/// name, which takes a resolver, or the transport is unknown.
pub fn address(uri: &SipUri) -> Option<(Transport, SocketAddr)> {
    let transport = transport(uri)?;
    let host = uri.host_ip()?;
    Some((transport, SocketAddr::new(host, uri.port().unwrap_or(transport.default_port()))))
}

/// The transport that a URI asks for: UDP, or TLS for `sips:`, where it does not say.
pub fn transport(uri: &SipUri) -> Option<Transport> {
    let named = match uri.transport() {
        None if uri.is_secure() => return Some(Transport::Tls),
        None => return Some(Transport::Udp),
        Some(named) => Transport::find(named)?,
    };
    Some(if uri.is_secure() && named == Transport::Tcp { Transport::Tls } else { named })
}

/// Puts a Record-Route in front (RFC 3261 §16.6 step 4). Where a request leaves by another transport or address than it came
/// by, one for each side, the way in last (RFC 5658): call it twice.
pub fn record(request: &mut Request, uri: SipUri) {
    request.headers.push_front(&RecordRoute::new(uri));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Message, Method};

    fn request(target: &str, routes: &[&str]) -> Request {
        let mut request = Request::new(&Method::Bye, target);
        for route in routes {
            request.headers.push_raw("Route", route.as_bytes());
        }
        let Ok(Message::Request(request)) = Message::parse(request.to_bytes()) else { panic!("a request") };
        request
    }

    fn routes(request: &Request) -> Vec<String> {
        request.headers.all::<Route>().unwrap().iter().map(|route| route.uri().to_string()).collect()
    }

    fn is_own(uri: &SipUri) -> bool {
        uri.host() == "p.example"
    }

    #[test]
    fn our_route_is_taken_off() {
        let mut bye = request("sip:bob@192.0.2.4", &["<sip:x@p.example;lr>, <sip:p2.example;lr>"]);
        assert_eq!(take_own(&mut bye, is_own).unwrap().user(), Some("x"));
        assert_eq!(routes(&bye), ["sip:p2.example;lr"]);
        assert_eq!(take_own(&mut bye, is_own), None);
        assert_eq!(bye.target(), "sip:bob@192.0.2.4");
    }

    /// RFC 3261 §16.12.1.2.
    #[test]
    fn a_strict_router_before_us_is_put_right() {
        let mut bye = request("sip:x@p.example;lr", &["<sip:p2.example;lr>", "<sip:bob@192.0.2.4>"]);
        assert_eq!(take_own(&mut bye, is_own).unwrap().user(), Some("x"));
        assert_eq!((bye.target().as_ref(), routes(&bye)), ("sip:bob@192.0.2.4", vec!["sip:p2.example;lr".to_string()]));
    }

    #[test]
    fn a_strict_router_behind_us_gets_its_way() {
        let mut bye = request("sip:bob@192.0.2.4", &["<sip:old.example>", "<sip:p2.example;lr>"]);
        make_strict(&mut bye);
        assert_eq!(bye.target(), "sip:old.example");
        assert_eq!(routes(&bye), ["sip:p2.example;lr", "sip:bob@192.0.2.4"]);
        make_strict(&mut bye);
        assert_eq!(bye.target(), "sip:old.example", "a loose router is left alone");
    }

    #[test]
    fn addresses_of_uris() {
        for (uri, expected) in [
            ("sip:192.0.2.1", Some((Transport::Udp, "192.0.2.1:5060"))),
            ("sip:a@192.0.2.1:5070;transport=TCP", Some((Transport::Tcp, "192.0.2.1:5070"))),
            ("sips:a@[2001:db8::1]", Some((Transport::Tls, "[2001:db8::1]:5061"))),
            ("sips:a@192.0.2.1;transport=tcp", Some((Transport::Tls, "192.0.2.1:5061"))),
            ("sip:name.example", None),
            ("sip:192.0.2.1;transport=pigeon", None),
        ] {
            let Ok(Uri::Sip(parsed)) = Uri::try_from(crate::ByteString::from_static(uri)) else { panic!("{uri}") };
            let expected = expected.map(|(transport, address)| (transport, address.parse().unwrap()));
            assert_eq!(address(&parsed), expected, "{uri}");
        }
    }
}
