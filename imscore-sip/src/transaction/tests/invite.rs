//! INVITE client transactions: repetition, ACK, 2xx and CANCEL.

use super::*;

/// RFC 3261 §17.1.1.2: Timer A doubles without bound, Timer B ends it.
#[test]
fn an_invite_is_repeated_until_timer_b() {
    let mut rig = Rig::new();
    rig.request("INVITE", udp());
    rig.pass(40_000);
    let mut lines = at(&[0, 500, 1_500, 3_500, 7_500, 15_500, 31_500], "to 192.0.2.9:5060 INVITE");
    lines.extend(at(&[32_000], "Failed Timeout"));
    lines.extend(at(&[32_000], "ClientEnded"));
    assert_eq!(std::mem::take(&mut rig.log), lines);
    assert_eq!(rig.layer.counters().timeouts, 1);
    rig.expect_idle();
}

/// RFC 3261 §17.1.1.2, §17.1.1.3: Timer D.
#[test]
fn a_failure_is_acknowledged_each_time_and_passed_on_once() {
    let mut rig = Rig::new();
    rig.request("INVITE", udp());
    rig.answer(0, 180);
    rig.answer(0, 486);
    rig.pass(10_000);
    rig.answer(0, 486);
    rig.answer(0, 180);
    rig.pass(30_000);
    rig.expect(&[
        "0 to 192.0.2.9:5060 INVITE",
        "0 Response 180",
        "0 to 192.0.2.9:5060 ACK",
        "0 Response 486",
        "10000 to 192.0.2.9:5060 ACK",
        "32000 ClientEnded",
    ]);
    let branch = |index: usize| {
        let Message::Request(request) = Message::parse(rig.sent[index].bytes.clone()).unwrap() else { panic!() };
        (request.headers.branch().unwrap().to_string(), request.headers.to_tag().map(str::to_string))
    };
    assert_eq!(branch(1), (branch(0).0, Some("b".into())));
    assert_eq!(rig.sent[1].bytes, rig.sent[2].bytes);
    rig.expect_idle();
}

#[test]
fn a_failure_over_a_stream_ends_it() {
    let mut rig = Rig::new();
    rig.request("INVITE", tcp());
    rig.answer(0, 486);
    rig.expect(&["0 to 192.0.2.9:40000 INVITE", "0 to 192.0.2.9:40000 ACK", "0 Response 486", "0 ClientEnded"]);
    rig.expect_idle();
}

/// RFC 6026 §7.2: Timer M, during which every 2xx goes to the owner; the ACK is the owner's.
#[test]
fn every_2xx_is_passed_on_until_timer_m() {
    for flow in [udp(), tcp()] {
        let mut rig = Rig::new();
        rig.request("INVITE", flow);
        rig.log.clear();
        rig.answer(0, 200);
        rig.pass(31_999);
        rig.answer(0, 200);
        rig.answer(0, 486);
        rig.pass(1);
        rig.answer(0, 200);
        rig.expect(&["0 Response 200", "31999 Response 200", "32000 ClientEnded"]);
        assert_eq!(rig.layer.counters().unmatched, 1);
        rig.expect_idle();
    }
}

#[test]
fn an_ack_for_a_2xx_has_a_branch_of_its_own() {
    let mut rig = Rig::new();
    for _ in 0..2 {
        rig.layer.send_stateless(outgoing("ACK"), udp());
    }
    rig.drain();
    rig.expect(&["0 to 192.0.2.9:5060 ACK", "0 to 192.0.2.9:5060 ACK"]);
    assert_ne!(rig.sent[0].bytes, rig.sent[1].bytes);
    assert_eq!(rig.sent[0].ticket, None);
    rig.answer(0, 200);
    assert_eq!(rig.layer.counters().unmatched, 1);
    rig.expect_idle();
}

/// RFC 3261 §9.1.
#[test]
fn a_cancel_waits_for_a_provisional_response() {
    let mut rig = Rig::new();
    let id = rig.request("INVITE", udp());
    rig.layer.cancel(id, rig.now);
    rig.pass(400);
    rig.expect(&["0 to 192.0.2.9:5060 INVITE"]);
    rig.answer(0, 100);
    rig.layer.cancel(id, rig.now);
    rig.pass(600);
    rig.expect(&["400 Response 100", "400 to 192.0.2.9:5060 CANCEL", "900 to 192.0.2.9:5060 CANCEL"]);
    rig.answer(1, 200);
    rig.answer(0, 487);
    rig.expect(&["1000 to 192.0.2.9:5060 ACK", "1000 Response 487"]);
    rig.pass(32_000);
    rig.expect(&["33000 ClientEnded"]);
    rig.expect_idle();
}

#[test]
fn a_cancel_behind_a_provisional_response_goes_at_once() {
    let mut rig = Rig::new();
    let id = rig.request("INVITE", tcp());
    rig.answer(0, 180);
    rig.layer.cancel(id, rig.now);
    rig.drain();
    rig.expect(&["0 to 192.0.2.9:40000 INVITE", "0 Response 180", "0 to 192.0.2.9:40000 CANCEL"]);
    let top = |index: usize| {
        let Message::Request(request) = Message::parse(rig.sent[index].bytes.clone()).unwrap() else { panic!() };
        String::from_utf8(request.headers.raw("Via").unwrap().to_vec()).unwrap()
    };
    assert_eq!(top(0), top(1));
    // The INVITE takes its CANCEL with it.
    rig.answer(0, 487);
    rig.expect(&["0 to 192.0.2.9:40000 ACK", "0 Response 487", "0 ClientEnded"]);
    rig.expect_idle();
}

/// RFC 3261 §9.1: 64*T1 for the final response.
#[test]
fn a_cancelled_invite_without_an_answer_fails() {
    let mut rig = Rig::new();
    let id = rig.request("INVITE", tcp());
    rig.answer(0, 180);
    rig.pass(1_000);
    rig.layer.cancel(id, rig.now);
    rig.log.clear();
    rig.pass(31_000);
    rig.answer(1, 200);
    rig.answer(0, 183);
    rig.pass(1_000);
    rig.expect(&["1000 to 192.0.2.9:40000 CANCEL", "32000 Response 183", "33000 Failed Timeout", "33000 ClientEnded"]);
    rig.expect_idle();
}

#[test]
fn a_2xx_that_crossed_the_cancel_is_passed_on() {
    let mut rig = Rig::new();
    let id = rig.request("INVITE", udp());
    rig.answer(0, 180);
    rig.layer.cancel(id, rig.now);
    rig.drain();
    rig.log.clear();
    rig.answer(0, 200);
    rig.answer(1, 200);
    rig.pass(40_000);
    rig.expect(&["0 Response 200", "32000 ClientEnded"]);
    rig.expect_idle();
}

#[test]
fn a_cancel_that_is_too_late_or_for_another_request_does_nothing() {
    let mut rig = Rig::new();
    let options = rig.request("OPTIONS", udp());
    rig.answer(0, 100);
    rig.layer.cancel(options, rig.now);
    let invite = rig.request("INVITE", tcp());
    rig.answer(1, 486);
    rig.layer.cancel(invite, rig.now);
    rig.log.clear();
    rig.drain();
    rig.expect(&[]);
}

/// The slot of a CANCEL that is over may hold another request, which its INVITE has nothing to do with.
#[test]
fn a_cancel_that_is_over_leaves_its_slot_alone() {
    let mut rig = Rig::new();
    let id = rig.request("INVITE", udp());
    rig.answer(0, 180);
    rig.layer.cancel(id, rig.now);
    rig.drain();
    rig.answer(1, 200);
    rig.pass(5_000);
    rig.request("OPTIONS", udp());
    rig.log.clear();
    rig.answer(1, 200);
    rig.answer(0, 487);
    rig.pass(32_000);
    assert!(rig.log.contains(&"37000 Failed Timeout".to_string()), "{:?}", rig.log);
}

#[test]
fn a_cancel_that_cannot_be_sent_leaves_the_invite_alone() {
    let mut rig = Rig::new();
    let id = rig.request("INVITE", udp());
    rig.answer(0, 180);
    rig.layer.cancel(id, rig.now);
    rig.drain();
    rig.log.clear();
    rig.layer.handle_send_failed(rig.sent[1].ticket.unwrap(), rig.now);
    rig.answer(0, 487);
    rig.expect(&["0 to 192.0.2.9:5060 ACK", "0 Response 487"]);
    rig.pass(32_000);
    rig.expect(&["32000 ClientEnded"]);
    rig.expect_idle();
}
