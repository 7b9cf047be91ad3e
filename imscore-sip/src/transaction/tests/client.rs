//! Non-INVITE client transactions, and what both kinds share.

use super::*;

/// RFC 3261 §17.1.2.2: Timer E doubles up to T2, Timer F ends it.
/// RFC 5923: connections to other servers are offered for their requests, WebSockets and datagrams are not.
#[test]
fn a_connection_may_be_offered_for_the_other_way() {
    for (flow, alias, expected) in [(tcp(), true, true), (tcp(), false, false), (udp(), true, false)] {
        let mut rig = Rig::with(Config { alias, ..config() });
        rig.layer.request(outgoing("OPTIONS"), flow, None, rig.now);
        rig.drain();
        let sent = String::from_utf8(rig.sent[0].bytes.to_vec()).unwrap();
        assert_eq!(sent.lines().nth(1).unwrap().ends_with(";alias"), expected, "{sent}");
    }
}

#[test]
fn a_request_is_repeated_until_timer_f() {
    let mut rig = Rig::new();
    rig.request("OPTIONS", udp());
    rig.pass(40_000);
    let mut lines =
        at(&[0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500], "to 192.0.2.9:5060 OPTIONS");
    lines.extend(at(&[32_000], "Failed Timeout"));
    lines.extend(at(&[32_000], "ClientEnded"));
    assert_eq!(std::mem::take(&mut rig.log), lines);
    assert!(rig.sent.windows(2).all(|pair| pair[0].bytes == pair[1].bytes));
    rig.expect_idle();
}

/// TS 24.229 §7.7: T1 2 s, T2 16 s; 64*T1 is 128 s.
#[test]
fn a_phone_is_given_longer() {
    let mut rig = Rig::new();
    rig.request("OPTIONS", flow(ACCESS, PEER, None));
    rig.pass(130_000);
    let mut lines = at(
        &[0, 2_000, 6_000, 14_000, 30_000, 46_000, 62_000, 78_000, 94_000, 110_000, 126_000],
        "to 192.0.2.9:5060 OPTIONS",
    );
    lines.extend(at(&[128_000], "Failed Timeout"));
    lines.extend(at(&[128_000], "ClientEnded"));
    assert_eq!(rig.log, lines);
}

/// RFC 3261 §17.1.2.2: every T2 once a provisional response has come.
#[test]
fn a_provisional_response_slows_the_repetition_down() {
    let mut rig = Rig::new();
    rig.request("OPTIONS", udp());
    rig.pass(600);
    rig.expect(&["0 to 192.0.2.9:5060 OPTIONS", "500 to 192.0.2.9:5060 OPTIONS"]);
    rig.answer(0, 100);
    rig.expect(&["600 Response 100"]);
    rig.pass(5_000);
    rig.expect(&["1500 to 192.0.2.9:5060 OPTIONS", "5500 to 192.0.2.9:5060 OPTIONS"]);
}

/// RFC 3261 §17.1.2.2: Timer K is T4, and absorbs what comes again.
#[test]
fn a_final_response_is_passed_on_once() {
    let mut rig = Rig::new();
    rig.request("OPTIONS", udp());
    rig.answer(0, 200);
    rig.answer(0, 200);
    rig.answer(0, 486);
    rig.pass(5_000);
    rig.expect(&["0 to 192.0.2.9:5060 OPTIONS", "0 Response 200", "5000 ClientEnded"]);
    rig.answer(0, 200);
    assert_eq!(rig.layer.counters().unmatched, 1);
    rig.expect_idle();
}

#[test]
fn a_reliable_transport_repeats_nothing() {
    let mut rig = Rig::new();
    rig.request("OPTIONS", tcp());
    rig.pass(31_000);
    rig.expect(&["0 to 192.0.2.9:40000 OPTIONS"]);
    rig.answer(0, 200);
    rig.expect(&["31000 Response 200", "31000 ClientEnded"]);
    rig.expect_idle();
}

#[test]
fn our_via_is_on_top_and_asks_for_rport_over_udp() {
    let mut rig = Rig::new();
    let mut request = outgoing("OPTIONS");
    request.headers.push_raw("Via", b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1");
    rig.layer.request(request.clone(), udp(), Some(0xfeed), rig.now);
    rig.layer.request(request, tcp(), None, rig.now);
    rig.drain();
    let Message::Request(sent) = Message::parse(rig.sent[0].bytes.clone()).unwrap() else { panic!("a request") };
    let vias: Vec<crate::header::Via> = sent.headers.all().unwrap();
    assert_eq!((vias.len(), vias[0].transport(), vias[0].host()), (2, "UDP", "p.ims.example"));
    assert_eq!((vias[0].port(), vias[0].rport()), (Some(5_060), Some(None)));
    assert_eq!(loop_key(vias[0].branch().unwrap()), Some(0xfeed));
    assert!(rig.sent_text(1).contains("Via: SIP/2.0/TCP p.ims.example:5060;branch=z9hG4bK00"));
    assert!(!rig.sent_text(1).contains("rport"));
}

/// RFC 3261 §18.3: a stream needs the length of each message.
#[test]
fn a_stream_gets_content_length() {
    let mut rig = Rig::new();
    let text = text("MESSAGE", "x", "").replace("Via: x\r\n", "").replace("Content-Length: 0\r\n", "") + "hello";
    let Message::Request(request) = parse(&text) else { panic!("a request") };
    rig.layer.request(request.clone(), tcp(), None, rig.now);
    rig.layer.request(request, udp(), None, rig.now);
    rig.drain();
    assert!(rig.sent_text(0).ends_with("Content-Length: 5\r\n\r\nhello"));
    assert!(!rig.sent_text(1).contains("Content-Length"));
}

/// RFC 3261 §17.1.3, §18.1.2: branch, sent-by and method.
#[test]
fn a_response_that_is_not_ours_is_dropped() {
    let mut rig = Rig::new();
    rig.request("OPTIONS", udp());
    rig.expect(&["0 to 192.0.2.9:5060 OPTIONS"]);
    let Message::Request(request) = Message::parse(rig.sent[0].bytes.clone()).unwrap() else { panic!("a request") };
    let ok = String::from_utf8(request.reply(StatusCode::OK).to_bytes().to_vec()).unwrap();
    let at = ok.find("z9hG4bK").unwrap();
    let last = at + "z9hG4bK".len() + 25;
    let other_digit = if ok.as_bytes()[last] == b'0' { "1" } else { "0" };
    let forged = [
        ok.replace("p.ims.example:5060;", "q.ims.example:5060;"),
        ok.replace("p.ims.example:5060;", "p.ims.example:5061;"),
        ok.replace("p.ims.example:5060;", "p.ims.example:50601;"),
        ok.replace("p.ims.example:5060;", "p.ims.example;"),
        ok.replace("1 OPTIONS", "1 INFO"),
        ok.replace("1 OPTIONS", "1 CANCEL"),
        ok.replace("CSeq", "X-CSeq"),
        format!("{}{other_digit}{}", &ok[..last], &ok[last + 1..]),
        ok.replace("z9hG4bK0000000000", "z9hG4bK0000000001"),
        ok.replace("z9hG4bK00", "z9hG4bK01"),
        ok.replace("Via:", "X-Via:"),
    ];
    for text in &forged {
        assert_ne!(*text, ok);
        rig.receive(text, udp());
        rig.expect(&[]);
    }
    assert_eq!(rig.layer.counters().unmatched, forged.len() as u64);
    rig.receive(&ok.replace("p.ims.example:5060;", "P.IMS.example:5060 ; received=192.0.2.2;"), udp());
    rig.expect(&["0 Response 200"]);
}

#[test]
fn a_lost_connection_fails_what_waits_on_it() {
    let mut rig = Rig::new();
    let other = flow(TCP, "192.0.2.8:40000", Some(2));
    let unnamed = flow(TCP, "192.0.2.9:40000", None);
    rig.request("OPTIONS", tcp());
    rig.request("INVITE", tcp());
    rig.request("INFO", other);
    rig.request("BYE", unnamed);
    rig.answer(1, 180);
    rig.log.clear();
    rig.layer.handle_flow_lost(tcp(), rig.now);
    rig.drain();
    rig.expect(&[
        "0 Failed Transport",
        "0 ClientEnded",
        "0 Failed Transport",
        "0 ClientEnded",
        "0 Failed Transport",
        "0 ClientEnded",
    ]);
    assert_eq!((rig.layer.client_count(), rig.layer.counters().transport_failures), (1, 3));
    rig.layer.handle_flow_lost(flow(TCP, "192.0.2.8:40000", None), rig.now);
    rig.drain();
    rig.expect(&[]);
    rig.layer.handle_flow_lost(other, rig.now);
    rig.drain();
    rig.expect(&["0 Failed Transport", "0 ClientEnded"]);
    rig.expect_idle();
}

#[test]
fn a_request_that_cannot_be_sent_fails() {
    let mut rig = Rig::new();
    rig.request("OPTIONS", udp());
    let ticket = rig.sent[0].ticket.unwrap();
    rig.layer.handle_send_failed(ticket, rig.now);
    rig.drain();
    rig.expect(&["0 to 192.0.2.9:5060 OPTIONS", "0 Failed Transport", "0 ClientEnded"]);
    rig.request("INFO", udp());
    rig.expect(&["0 to 192.0.2.9:5060 INFO"]);
    // The slot is used again, the ticket is not.
    rig.layer.handle_send_failed(ticket, rig.now);
    rig.drain();
    rig.expect(&[]);
}

#[test]
fn a_flow_of_no_listener_fails_at_once() {
    let mut rig = Rig::new();
    rig.request("INVITE", flow(ListenerId(9), PEER, None));
    rig.expect(&["0 Failed Transport", "0 ClientEnded"]);
    rig.layer.send_stateless(outgoing("ACK"), flow(ListenerId(9), PEER, None));
    rig.drain();
    rig.expect_idle();
}

#[test]
fn a_terminated_transaction_is_silent() {
    let mut rig = Rig::new();
    let id = rig.request("OPTIONS", udp());
    rig.layer.terminate(id);
    rig.layer.terminate(id);
    rig.answer(0, 200);
    rig.expect(&["0 to 192.0.2.9:5060 OPTIONS"]);
    rig.expect_idle();
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = |config: Config| {
        let mut rig = Rig::with(config);
        rig.request("INVITE", udp());
        rig.request("OPTIONS", tcp());
        rig.layer.send_stateless(outgoing("ACK"), udp());
        rig.receive(&branch("INVITE", "z9hG4bK1"), udp());
        rig.pass(10_000);
        let sent: Vec<_> = rig.sent.into_iter().map(|transmit| transmit.bytes).collect();
        (rig.log, sent)
    };
    let first = run(config());
    assert_eq!(first, run(config()));
    let random = |worker| {
        let mut config = config();
        config.worker = worker;
        Rig::with(config).layer.random()
    };
    assert_eq!(random(0), random(0));
    assert_ne!(random(0), random(1));
    let mut other = config();
    other.seed = [8; 32];
    assert_ne!(first.1, run(other).1);
}
