//! Server transactions: matching, repetition, provisional responses, ACK and CANCEL.

use super::*;

const TO_PEER_200: &str = "to 192.0.2.9:5060 200 INVITE";

/// RFC 3261 §17.2.1: 100 after 200 ms, made of the request as it was passed on.
#[test]
fn an_invite_is_told_100_when_its_owner_takes_long() {
    let mut rig = Rig::new();
    rig.receive(&text("INVITE", "SIP/2.0/UDP h;rport;branch=z9hG4bK1", ""), udp());
    rig.pass(1_000);
    rig.expect(&["0 Request INVITE", "200 to 192.0.2.9:5060 100 INVITE"]);
    assert!(rig.sent_text(0).contains("Via: SIP/2.0/UDP h;branch=z9hG4bK1;received=192.0.2.9;rport=5060\r\n"));
    rig.receive(&text("INVITE", "SIP/2.0/UDP h;rport;branch=z9hG4bK1", ""), udp());
    rig.expect(&["1000 to 192.0.2.9:5060 100 INVITE"]);
    assert_eq!((rig.layer.counters().absorbed, rig.layer.counters().repeated), (1, 1));
}

/// RFC 3261 §18.2.1, RFC 3581 §4.
#[test]
fn an_owner_sees_where_a_request_came_from() {
    let mut rig = Rig::new();
    for method in ["OPTIONS", "CANCEL", "ACK"] {
        let text = text(method, "SIP/2.0/UDP h;rport;branch=z9hG4bK1", ";tag=b");
        rig.layer.handle_message(parse(&text), udp(), rig.now);
        let Output::Event(Event::Request { request, .. } | Event::Cancel { request, .. } | Event::Ack { request, .. }) =
            rig.layer.poll_output()
        else {
            panic!("a request")
        };
        let via: crate::header::Via = request.headers.first().unwrap();
        assert_eq!((via.received(), via.rport()), (Some("192.0.2.9".parse().unwrap()), Some(Some(5_060))));
    }
}

#[test]
fn an_owner_that_answers_in_time_is_taken_at_its_word() {
    let mut rig = Rig::new();
    rig.receive(&branch("INVITE", "z9hG4bK1"), udp());
    rig.respond(rig.servers[0], 180);
    rig.pass(60_000);
    rig.receive(&branch("INVITE", "z9hG4bK1"), udp());
    rig.expect(&["0 Request INVITE", "0 to 192.0.2.9:5060 180 INVITE", "60000 to 192.0.2.9:5060 180 INVITE"]);
}

/// RFC 3261 §17.2.1: Timer G doubles up to T2 until the ACK; Timer I is T4.
#[test]
fn a_failure_is_repeated_until_it_is_acknowledged() {
    let mut rig = Rig::new();
    rig.receive(&branch("INVITE", "z9hG4bK1"), udp());
    rig.respond(rig.servers[0], 486);
    rig.pass(12_000);
    let mut lines = at(&[0], "Request INVITE");
    lines.extend(at(&[0, 500, 1_500, 3_500, 7_500, 11_500], "to 192.0.2.9:5060 486 INVITE"));
    assert_eq!(std::mem::take(&mut rig.log), lines);
    for _ in 0..2 {
        rig.receive(&text("ACK", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1", ";tag=b"), udp());
    }
    rig.receive(&branch("INVITE", "z9hG4bK1"), udp());
    rig.pass(10_000);
    rig.expect(&["17000 ServerEnded"]);
    rig.expect_idle();
}

/// RFC 3261 §17.2.1: Timer H.
#[test]
fn a_failure_without_an_ack_is_given_up() {
    for flow in [udp(), tcp()] {
        let mut rig = Rig::new();
        rig.receive(&branch("INVITE", "z9hG4bK1"), flow);
        rig.respond(rig.servers[0], 486);
        rig.pass(31_999);
        rig.log.clear();
        rig.pass(1);
        rig.expect(&["32000 Unacknowledged", "32000 ServerEnded"]);
        assert_eq!(rig.layer.counters().unacknowledged, 1);
        rig.expect_idle();
    }
}

#[test]
fn an_ack_over_a_stream_ends_it() {
    let mut rig = Rig::new();
    rig.receive(&branch("INVITE", "z9hG4bK1"), tcp());
    rig.respond(rig.servers[0], 486);
    rig.pass(1_000);
    rig.receive(&branch("ACK", "z9hG4bK1"), tcp());
    rig.expect(&["0 Request INVITE", "0 to 192.0.2.9:40000 486 INVITE", "1000 ServerEnded"]);
    rig.expect_idle();
}

/// RFC 6026 §7.1: Timer L absorbs the INVITE; each 2xx of the owner is sent, and each ACK is the owner's.
#[test]
fn an_accepted_invite_lingers_for_further_2xx() {
    let mut rig = Rig::new();
    rig.receive(&branch("INVITE", "z9hG4bK1"), udp());
    rig.respond(rig.servers[0], 200);
    rig.pass(500);
    rig.receive(&branch("INVITE", "z9hG4bK1"), udp());
    rig.respond(rig.servers[0], 200);
    rig.respond(rig.servers[0], 486);
    rig.respond(rig.servers[0], 180);
    rig.receive(&text("ACK", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1", ";tag=b"), udp());
    rig.receive(&text("ACK", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK2", ";tag=b"), udp());
    rig.pass(40_000);
    rig.expect(&[
        "0 Request INVITE",
        &format!("0 {TO_PEER_200}"),
        &format!("500 {TO_PEER_200}"),
        "500 Ack b",
        "500 Ack b",
        "32000 ServerEnded",
    ]);
    rig.respond(rig.servers[0], 200);
    assert_eq!(rig.layer.counters().withheld, 1);
    rig.expect_idle();
}

/// RFC 3261 §17.2.2: Timer J.
#[test]
fn a_final_response_is_sent_again_for_a_repeated_request() {
    let mut rig = Rig::new();
    rig.receive(&branch("OPTIONS", "z9hG4bK1"), udp());
    rig.receive(&branch("OPTIONS", "z9hG4bK1"), udp());
    rig.respond(rig.servers[0], 200);
    rig.respond(rig.servers[0], 486);
    rig.pass(31_999);
    rig.receive(&branch("OPTIONS", "z9hG4bK1"), udp());
    rig.pass(1);
    rig.expect(&[
        "0 Request OPTIONS",
        &format!("0 {TO_PEER_200}"),
        &format!("31999 {TO_PEER_200}"),
        "32000 ServerEnded",
    ]);
    rig.expect_idle();
    rig.receive(&branch("OPTIONS", "z9hG4bK1"), udp());
    rig.expect(&["32000 Request OPTIONS"]);
}

/// RFC 4320 §4.1: no 100 before the client's Timer E is at T2, one then, and never another 1xx.
#[test]
fn other_requests_are_told_100_late() {
    let mut rig = Rig::new();
    rig.receive(&branch("OPTIONS", "z9hG4bK1"), udp());
    rig.respond(rig.servers[0], 100);
    rig.respond(rig.servers[0], 183);
    rig.pass(10_000);
    rig.expect(&["0 Request OPTIONS", "3500 to 192.0.2.9:5060 100 OPTIONS"]);
    rig.receive(&branch("OPTIONS", "z9hG4bK2"), tcp());
    rig.respond(rig.servers[1], 183);
    rig.respond(rig.servers[1], 100);
    rig.expect(&["10000 Request OPTIONS", "10000 to 192.0.2.9:40000 100 INVITE"]);
    rig.receive(&branch("OPTIONS", "z9hG4bK3"), flow(ACCESS, PEER, None));
    rig.pass(20_000);
    rig.expect(&["10000 Request OPTIONS", "24000 to 192.0.2.9:5060 100 OPTIONS"]);
}

/// RFC 4320 §4.2.
#[test]
fn no_408_is_sent_to_other_requests() {
    let mut rig = Rig::new();
    rig.receive(&branch("OPTIONS", "z9hG4bK1"), udp());
    rig.respond(rig.servers[0], 408);
    rig.receive(&branch("OPTIONS", "z9hG4bK1"), udp());
    rig.respond(rig.servers[0], 200);
    rig.pass(32_000);
    rig.expect(&["0 Request OPTIONS", "32000 ServerEnded"]);
    rig.receive(&branch("OPTIONS", "z9hG4bK1"), tcp());
    rig.respond(rig.servers[1], 408);
    rig.expect(&["32000 Request OPTIONS", "32000 ServerEnded"]);
    assert_eq!(rig.layer.counters().withheld, 2);
    rig.receive(&branch("INVITE", "z9hG4bK2"), udp());
    rig.respond(rig.servers[2], 408);
    rig.expect(&["32000 Request INVITE", "32000 to 192.0.2.9:5060 408 INVITE"]);
}

#[test]
fn silence_ends_the_100_too() {
    let mut rig = Rig::new();
    rig.receive(&branch("OPTIONS", "z9hG4bK1"), udp());
    rig.pass(4_000);
    rig.receive(&branch("OPTIONS", "z9hG4bK1"), udp());
    rig.respond(rig.servers[0], 408);
    rig.receive(&branch("OPTIONS", "z9hG4bK1"), udp());
    rig.expect(&["0 Request OPTIONS", "3500 to 192.0.2.9:5060 100 OPTIONS", "4000 to 192.0.2.9:5060 100 OPTIONS"]);
}

/// RFC 3261 §9.2, §17.2.3: a CANCEL is a transaction of its own with the branch of the INVITE.
#[test]
fn a_cancel_finds_its_invite() {
    let mut rig = Rig::new();
    rig.receive(&branch("INVITE", "z9hG4bK1"), udp());
    rig.receive(&branch("CANCEL", "z9hG4bK1"), flow(UDP, "192.0.2.9:1025", None));
    rig.receive(&branch("CANCEL", "z9hG4bK1"), udp());
    rig.respond(rig.servers[1], 200);
    rig.respond(rig.servers[0], 487);
    rig.expect(&[
        "0 Request INVITE",
        "0 Cancel of Some(0)",
        "0 to 192.0.2.9:5060 200 INVITE",
        "0 to 192.0.2.9:5060 487 INVITE",
    ]);
    rig.receive(&branch("CANCEL", "z9hG4bK2"), udp());
    rig.expect(&["0 Cancel of None"]);
}

/// Threat I8: a branch alone does not end other people's calls.
#[test]
fn a_cancel_from_elsewhere_finds_no_invite() {
    let mut rig = Rig::new();
    rig.receive(&branch("INVITE", "z9hG4bK1"), udp());
    rig.receive(&branch("CANCEL", "z9hG4bK1"), flow(UDP, "203.0.113.7:5060", None));
    rig.expect(&["0 Request INVITE", "0 Cancel of None"]);
}

/// RFC 3261 §17.2.3: without a branch that says something, by Request-URI, tags, Call-ID, CSeq and Via.
#[test]
fn senders_of_rfc_2543_are_matched() {
    for via in ["SIP/2.0/UDP 192.0.2.9", "SIP/2.0/UDP 192.0.2.9;branch=1", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK"] {
        let mut rig = Rig::new();
        rig.receive(&text("INVITE", via, ""), udp());
        rig.receive(&text("INVITE", via, ""), udp());
        rig.respond(rig.servers[0], 486);
        rig.receive(&text("INVITE", via, ";tag=x"), udp());
        rig.log.remove(0);
        rig.expect(&["0 to 192.0.2.9:5060 486 INVITE", "0 Request INVITE"]);
        rig.receive(&text("CANCEL", via, ""), udp());
        rig.expect(&["0 Cancel of Some(0)"]);
        // The ACK has the To tag of the response.
        rig.receive(&text("ACK", via, ";tag=other"), udp());
        rig.expect(&["0 Ack other"]);
        rig.receive(&text("ACK", via, ";tag=b"), udp());
        rig.expect(&[]);
        rig.pass(5_000);
        assert!(rig.log.contains(&"5000 ServerEnded".to_string()), "{via}");
    }
}

#[test]
fn a_lost_connection_is_opened_again_for_the_response() {
    let mut rig = Rig::new();
    rig.receive(&text("INVITE", "SIP/2.0/TCP 192.0.2.1:5070;branch=z9hG4bK1", ""), tcp());
    rig.layer.handle_flow_lost(tcp(), rig.now);
    rig.respond(rig.servers[0], 180);
    rig.expect(&["0 Request INVITE", "0 to 192.0.2.9:5070 180 INVITE"]);
    assert_eq!(rig.sent[0].flow.connection, None);
    rig.layer.handle_send_failed(rig.sent[0].ticket.unwrap(), rig.now);
    rig.drain();
    rig.expect(&["0 Undelivered"]);
    rig.respond(rig.servers[0], 486);
    rig.receive(&text("ACK", "SIP/2.0/TCP 192.0.2.1:5070;branch=z9hG4bK1", ";tag=b"), tcp());
    rig.expect(&["0 to 192.0.2.9:5070 486 INVITE", "0 ServerEnded"]);
    rig.expect_idle();
}

#[test]
fn a_stream_gets_content_length_in_responses() {
    let mut rig = Rig::new();
    rig.receive(&branch("OPTIONS", "z9hG4bK1"), tcp());
    rig.receive(&branch("OPTIONS", "z9hG4bK2"), udp());
    let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nCSeq: 1 OPTIONS\r\n\r\nhello";
    let Message::Response(response) = parse(text) else { panic!("a response") };
    rig.layer.respond(rig.servers[0], response.clone(), rig.now);
    rig.layer.respond(rig.servers[1], response, rig.now);
    rig.drain();
    assert!(rig.sent_text(0).ends_with("Content-Length: 5\r\n\r\nhello"));
    assert!(!rig.sent_text(1).contains("Content-Length"));
}

#[test]
fn an_abandoned_transaction_is_forgotten() {
    let mut rig = Rig::new();
    rig.receive(&branch("INVITE", "z9hG4bK1"), tcp());
    rig.layer.abandon(rig.servers[0]);
    rig.layer.abandon(rig.servers[0]);
    rig.respond(rig.servers[0], 200);
    rig.expect(&["0 Request INVITE"]);
    rig.expect_idle();
    rig.receive(&branch("INVITE", "z9hG4bK1"), tcp());
    // The slot is used again, the name is not.
    rig.respond(rig.servers[0], 200);
    rig.layer.abandon(rig.servers[0]);
    rig.expect(&["0 Request INVITE"]);
    assert_eq!((rig.layer.server_count(), rig.layer.counters().withheld), (1, 2));
}

#[test]
fn a_message_belongs_to_one_worker() {
    let mut config = config();
    (config.workers, config.worker) = (4, 3);
    let mut rig = Rig::with(config.clone());
    rig.request("INVITE", udp());
    let Message::Request(sent) = Message::parse(rig.sent[0].bytes.clone()).unwrap() else { panic!("a request") };
    config.worker = 1;
    let other = Transactions::new(config, rig.now);
    let response = Message::Response(sent.reply(StatusCode::OK));
    assert_eq!((rig.layer.owner(&response), other.owner(&response)), (Some(3), Some(3)));
    let foreign = parse("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n\r\n");
    assert_eq!(other.owner(&foreign), None);
    let mut owners = Vec::new();
    for number in 0..50 {
        let of = |method: &str| other.owner(&parse(&branch(method, &format!("z9hG4bK{number}"))));
        assert_eq!(of("INVITE"), rig.layer.owner(&parse(&branch("INVITE", &format!("z9hG4bK{number}")))));
        assert_eq!((of("INVITE"), of("INVITE")), (of("ACK"), of("CANCEL")));
        owners.extend(of("INVITE"));
    }
    owners.sort();
    owners.dedup();
    assert_eq!(owners, [0, 1, 2, 3]);
}
