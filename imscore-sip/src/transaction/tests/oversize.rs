//! Requests that are too long for a datagram (RFC 3261 §18.1.1).

use super::*;
use crate::testing::{Network, News, Phone, response};

/// A request whose bytes, with our Via over UDP, are so many.
fn long(method: &str, bytes: usize) -> Request {
    let mut probe = Rig::new();
    probe.layer.request(outgoing(method), udp(), None, probe.now);
    probe.drain();
    let mut request = outgoing(method);
    let line = "X-Fill: \r\n".len();
    request.headers.push_raw("X-Fill", "x".repeat(bytes - probe.sent[0].bytes.len() - line).as_bytes());
    request
}

fn send(rig: &mut Rig, request: Request, flow: Flow) -> ClientId {
    let id = rig.layer.request(request, flow, None, rig.now);
    rig.drain();
    id
}

fn via(bytes: &bytes::Bytes) -> String {
    let message = Message::parse(bytes.clone()).unwrap();
    let via = message.headers().raw("Via").unwrap();
    String::from_utf8(via.to_vec()).unwrap()
}

#[test]
fn only_what_is_longer_than_the_mtu_goes_over_tcp() {
    for (bytes, flow, expected) in [
        (1_299, udp(), Transport::Udp),
        (1_300, udp(), Transport::Udp),
        (1_301, udp(), Transport::Tcp),
        (8_000, tcp(), Transport::Tcp),
        // A phone is reached by the flow that it opened.
        (8_000, self::flow(ACCESS, PEER, None), Transport::Udp),
    ] {
        let mut rig = Rig::new();
        send(&mut rig, long("MESSAGE", bytes), flow);
        let sent = &rig.sent[0];
        assert_eq!((sent.flow.transport, sent.flow.remote), (expected, flow.remote), "{bytes}");
        assert!(via(&sent.bytes).starts_with(&format!("SIP/2.0/{expected} p.ims.example")), "{bytes}");
        assert_eq!(via(&sent.bytes).ends_with(";rport"), expected == Transport::Udp);
    }
    let mut udp_only = config();
    udp_only.listeners.remove(1);
    let mut rig = Rig::with(udp_only);
    send(&mut rig, long("MESSAGE", 8_000), udp());
    assert_eq!(rig.sent[0].flow, udp());
}

/// The first copy over TCP is the only one, and each response ends the transaction as on any stream.
#[test]
fn over_tcp_nothing_is_repeated() {
    for method in ["INVITE", "MESSAGE"] {
        let mut rig = Rig::new();
        send(&mut rig, long(method, 2_000), udp());
        rig.pass(20_000);
        assert_eq!(rig.sent.len(), 1);
        rig.answer(0, 486);
        assert!(rig.log.contains(&"20000 Response 486".to_string()), "{:?}", rig.log);
        rig.log.clear();
        rig.expect_idle();
    }
}

/// Refused after 300 ms: one copy over UDP then, repeated as over UDP from there on; Timer F counts from the start.
#[test]
fn what_tcp_refuses_goes_over_udp_once() {
    let mut rig = Rig::new();
    send(&mut rig, long("MESSAGE", 2_000), udp());
    rig.pass(300);
    let refused = rig.sent[0].clone();
    rig.layer.handle_send_failed(refused.ticket.unwrap(), rig.now);
    // The driver tells of the flow too, and a late report changes nothing.
    rig.layer.handle_flow_lost(refused.flow, rig.now);
    rig.pass(40_000);
    let mut lines = at(
        &[0, 300, 800, 1_800, 3_800, 7_800, 11_800, 15_800, 19_800, 23_800, 27_800, 31_800],
        "to 192.0.2.9:5060 MESSAGE",
    );
    lines.extend(at(&[32_000], "Failed Timeout"));
    lines.extend(at(&[32_000], "ClientEnded"));
    assert_eq!(std::mem::take(&mut rig.log), lines);
    assert_eq!(refused.flow.transport, Transport::Tcp);
    let (first, later) = (via(&refused.bytes), via(&rig.sent[1].bytes));
    assert_eq!(first.replace("/TCP", "/UDP") + ";rport", later);
    assert!(rig.sent[1..].iter().all(|sent| sent.flow == udp() && sent.bytes == rig.sent[1].bytes));
    rig.expect_idle();
    assert_eq!((rig.layer.counters().oversized, rig.layer.counters().fallbacks), (1, 1));
}

/// A peer that did not take TCP is not asked again at once, but after five minutes, in case it has learnt.
#[test]
fn a_peer_without_tcp_is_remembered() {
    let mut rig = Rig::new();
    let way = |rig: &mut Rig, flow: Flow| {
        let sent = rig.sent.len();
        send(rig, long("MESSAGE", 2_000), flow);
        rig.sent[sent].clone()
    };
    let refused = way(&mut rig, udp());
    assert_eq!(refused.flow.transport, Transport::Tcp);
    rig.layer.handle_send_failed(refused.ticket.unwrap(), rig.now);
    rig.drain();
    let other = Flow { remote: "192.0.2.10:5060".parse().unwrap(), ..udp() };
    assert_eq!(way(&mut rig, udp()).flow, udp());
    assert_eq!(way(&mut rig, other).flow.transport, Transport::Tcp);
    rig.pass(299_999);
    assert_eq!(way(&mut rig, udp()).flow, udp());
    rig.pass(1);
    assert_eq!(way(&mut rig, udp()).flow.transport, Transport::Tcp);
}

#[test]
fn a_cancelled_invite_that_tcp_refuses_is_cancelled_over_udp() {
    let mut rig = Rig::new();
    let id = send(&mut rig, long("INVITE", 2_000), udp());
    rig.layer.cancel(id, rig.now);
    rig.layer.handle_send_failed(rig.sent[0].ticket.unwrap(), rig.now);
    rig.drain();
    rig.answer(1, 180);
    rig.answer(1, 487);
    rig.expect(&[
        "0 to 192.0.2.9:5060 INVITE",
        "0 to 192.0.2.9:5060 INVITE",
        "0 Response 180",
        "0 to 192.0.2.9:5060 CANCEL",
        "0 to 192.0.2.9:5060 ACK",
        "0 Response 487",
    ]);
    for sent in &rig.sent[1..] {
        assert_eq!((sent.flow, via(&sent.bytes)), (udp(), via(&rig.sent[1].bytes)));
    }
}

/// Who has answered over TCP has the request; that the connection ends then is a failure, no reason to send it again.
#[test]
fn what_was_answered_is_not_sent_again() {
    let mut rig = Rig::new();
    send(&mut rig, long("INVITE", 2_000), udp());
    rig.answer(0, 180);
    rig.layer.handle_send_failed(rig.sent[0].ticket.unwrap(), rig.now);
    rig.drain();
    rig.expect(&["0 to 192.0.2.9:5060 INVITE", "0 Response 180", "0 Failed Transport", "0 ClientEnded"]);
}

/// A connection that ends after the request has left is no refusal either: the peer may be at work on it.
#[test]
fn what_may_have_arrived_is_not_sent_again() {
    let mut rig = Rig::new();
    send(&mut rig, long("MESSAGE", 2_000), udp());
    rig.layer.handle_flow_lost(rig.sent[0].flow, rig.now);
    rig.drain();
    rig.expect(&["0 to 192.0.2.9:5060 MESSAGE", "0 Failed Transport", "0 ClientEnded"]);
}

/// From one host of a network to another that has TCP or has not; how often the other gets the request, and how.
fn across(binds: &[&str], latency: u64) -> Vec<(u128, Transport)> {
    let mut network = Network::new(1);
    network.link_all(crate::testing::Link::slow(Duration::from_millis(latency)..=Duration::from_millis(latency)));
    let now = network.now();
    let own = ["udp:192.0.2.1:5060", "tcp:192.0.2.1:5060"];
    let layer = network.add("layer", own, |own| Transactions::new(Config::new([7; 32], own), now));
    let peer = network.add("peer", binds.iter().copied(), |own| {
        Phone::new("peer", own).behaving(|phone, message, _| {
            if let Message::Request(request) = message {
                phone.reply(response(request, 200));
            }
        })
    });
    let there = Flow { remote: "192.0.2.2:5060".parse().unwrap(), ..udp() };
    network.with(layer, |layer, now| layer.request(long("MESSAGE", 2_000), there, None, now));
    assert!(network.run_until_idle(Duration::from_secs(60)));
    let events = network.take_events(layer);
    assert!(
        matches!(&events[..], [Event::Response { response, .. }, Event::ClientEnded { .. }]
        if response.status() == StatusCode::OK),
        "{events:?}"
    );
    let heard = network.engine(peer).heard().iter().filter_map(|heard| match &heard.what {
        News::Message(_, flow) => Some((heard.at.monotonic.duration_since(now.monotonic).as_millis(), flow.transport)),
        News::Malformed(..) | News::FlowLost(_) => None,
    });
    heard.collect()
}

#[test]
fn a_peer_gets_one_copy_by_the_way_that_it_has() {
    // Connecting takes a round trip; nobody at all refuses at once.
    assert_eq!(across(&["udp:192.0.2.2:5060", "tcp:192.0.2.2:5060"], 100), [(300, Transport::Tcp)]);
    assert_eq!(across(&["udp:192.0.2.2:5060"], 100), [(200, Transport::Udp)]);
}
