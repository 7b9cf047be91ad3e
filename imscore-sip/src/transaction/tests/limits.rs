//! What a stranger sends too much of, or sends broken.

use super::*;

fn small(max_transactions: usize) -> Rig {
    let mut config = config();
    config.max_transactions = max_transactions;
    Rig::with(config)
}

/// RFC 3261 §21.5.4; the last eighth is for requests of a dialog and CANCEL.
#[test]
fn what_finds_no_room_gets_503() {
    let mut rig = small(8);
    for number in 0..7 {
        rig.receive(&branch("INVITE", &format!("z9hG4bKa{number}")), udp());
    }
    rig.log.clear();
    rig.receive(&branch("INVITE", "z9hG4bKb"), udp());
    rig.receive(&branch("INVITE", "z9hG4bKa1"), udp());
    rig.expect(&["0 to 192.0.2.9:5060 503 INVITE"]);
    assert!(rig.sent_text(0).contains("Retry-After: "));
    rig.receive(&branch("CANCEL", "z9hG4bKa0"), udp());
    rig.expect(&["0 Cancel of Some(0)"]);
    let bye = |branch| text("BYE", &format!("SIP/2.0/UDP 192.0.2.9;branch={branch}"), ";tag=b");
    rig.receive(&bye("z9hG4bKc"), udp());
    rig.expect(&["0 to 192.0.2.9:5060 503 BYE"]);
    rig.respond(rig.servers[7], 200);
    rig.pass(32_000);
    rig.log.clear();
    rig.receive(&bye("z9hG4bKd"), udp());
    rig.expect(&["32000 Request BYE"]);
    assert_eq!(rig.layer.counters().refused, 2);
}

/// The ACK for a response that no transaction remembers must not be taken for that of a 2xx and passed on.
#[test]
fn the_ack_for_a_refusal_is_absorbed() {
    let mut rig = small(0);
    rig.receive(&branch("INVITE", "z9hG4bK1"), udp());
    rig.expect(&["0 to 192.0.2.9:5060 503 INVITE"]);
    let Message::Response(refusal) = Message::parse(rig.sent[0].bytes.clone()).unwrap() else { panic!("a response") };
    let tag = format!(";tag={}", refusal.headers.to_tag().unwrap());
    let via = "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1";
    rig.receive(&text("ACK", via, &tag), udp());
    rig.receive(&text("ACK", via, ""), udp());
    rig.expect(&[]);
    rig.receive(&text("ACK", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK2", &tag), udp());
    rig.expect(&[&format!("0 Ack {}", refusal.headers.to_tag().unwrap())]);
    rig.expect_idle();
}

/// RFC 3261 §8.2.7: a challenge leaves nothing behind, is the same dialog's when the request comes again, and its ACK
/// goes no further.
#[test]
fn a_stateless_answer_takes_no_room() {
    let mut rig = Rig::new();
    let mut tags = Vec::new();
    for _ in 0..2 {
        rig.receive(&branch("INVITE", "z9hG4bK1"), udp());
        let Message::Request(request) = parse(&branch("INVITE", "z9hG4bK1")) else { panic!("a request") };
        let id = *rig.servers.last().unwrap();
        rig.layer.respond_statelessly(id, request.reply(StatusCode::UNAUTHORIZED));
        rig.layer.respond_statelessly(id, request.reply(StatusCode::UNAUTHORIZED));
        rig.drain();
        rig.expect(&["0 Request INVITE", "0 to 192.0.2.9:5060 401 INVITE"]);
        let sent = rig.sent.last().unwrap().bytes.clone();
        let Message::Response(challenge) = Message::parse(sent).unwrap() else { panic!("a response") };
        tags.push(challenge.headers.to_tag().unwrap().to_string());
        assert_eq!(rig.layer.server_count(), 0);
    }
    assert_eq!(tags[0], tags[1]);
    rig.receive(&text("ACK", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1", &format!(";tag={}", tags[0])), udp());
    rig.expect_idle();
    assert_eq!(rig.layer.counters().withheld, 2);
}

/// RFC 3261 §17.2.1: one final response, by whatever way the owner answers for the second time.
#[test]
fn what_was_answered_is_not_answered_statelessly() {
    for (method, status) in [("INVITE", 486), ("INVITE", 200), ("OPTIONS", 200)] {
        let mut rig = Rig::new();
        rig.receive(&branch(method, "z9hG4bK1"), udp());
        let Message::Request(request) = parse(&branch(method, "z9hG4bK1")) else { panic!("a request") };
        rig.respond(rig.servers[0], status);
        rig.log.clear();
        rig.layer.respond_statelessly(rig.servers[0], request.reply(StatusCode::UNAUTHORIZED));
        rig.drain();
        rig.expect(&[]);
        assert_eq!((rig.layer.server_count(), rig.layer.counters().withheld), (1, 1), "{method}");
    }
}

#[test]
fn a_request_that_cannot_be_read_is_answered_without_a_transaction() {
    let mut rig = Rig::new();
    let bytes = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nCSeq: 1 OPTIONS\r\nbroken\r\n\r\n";
    let error = Message::parse(bytes[..].to_vec().into()).unwrap_err();
    rig.layer.handle_malformed(bytes, error, udp(), rig.now);
    rig.drain();
    rig.expect(&["0 to 192.0.2.9:5060 400 OPTIONS"]);
    for via in ["SIP/2.0/UDP ;branch=z9hG4bK1", "SIP/2.0/UDP h:99999;branch=z9hG4bK1", "nonsense"] {
        rig.receive(&text("OPTIONS", via, ""), udp());
        rig.expect(&["0 to 192.0.2.9:5060 400 OPTIONS"]);
        rig.receive(&text("ACK", via, ""), udp());
        rig.expect(&[]);
    }
    rig.receive(&text("OPTIONS", "x", "").replace("Via", "X-Via"), udp());
    rig.expect_idle();
    assert_eq!(rig.layer.counters().malformed, 8);
}

/// RFC 4475 §3.1.2.11, threat D10.
#[test]
fn nothing_is_sent_to_where_nobody_or_everybody_is() {
    let mut rig = Rig::new();
    for remote in ["255.255.255.255:5060", "0.0.0.0:5060", "224.0.1.75:5060", "[ff02::1]:5060"] {
        let from = flow(UDP, remote, None);
        rig.receive(&branch("OPTIONS", "z9hG4bK1"), from);
        rig.receive(&text("OPTIONS", "nonsense", ""), from);
    }
    assert_eq!(rig.layer.counters().unanswerable, 4);
    rig.expect_idle();
    let via = "SIP/2.0/UDP 192.0.2.9;maddr=255.255.255.255;received=203.0.113.7;branch=z9hG4bK1";
    rig.receive(&text("OPTIONS", via, ""), udp());
    rig.respond(rig.servers[0], 200);
    rig.expect(&["0 Request OPTIONS", "0 to 192.0.2.9:5060 200 INVITE"]);
}

/// Threat D1: what a flood leaves behind is gone after 64*T1.
#[test]
fn a_flood_leaves_nothing_behind() {
    let mut rig = small(100);
    for number in 0..1_000 {
        rig.receive(&branch("REGISTER", &format!("z9hG4bK{number}")), udp());
    }
    assert_eq!((rig.layer.server_count(), rig.layer.counters().refused), (88, 912));
    for id in rig.servers.clone() {
        rig.respond(id, 401);
    }
    rig.pass(32_000);
    rig.log.clear();
    rig.expect_idle();
}

mod events {
    use proptest::prelude::*;

    use super::*;

    /// One step of a peer, the owner or the clock.
    #[derive(Clone, Debug)]
    enum Step {
        Receive { method: usize, branch: u8, stream: bool },
        Respond { index: usize, status: u16 },
        Request { method: usize, stream: bool },
        Answer { index: usize, status: u16 },
        Cancel { index: usize },
        Lose,
        FailSend { index: usize },
        Pass { millis: u64 },
    }

    const METHODS: [&str; 4] = ["INVITE", "ACK", "CANCEL", "OPTIONS"];

    fn step() -> impl Strategy<Value = Step> {
        let status = || prop::sample::select(vec![100, 180, 200, 302, 408, 486, 503, 603]);
        prop_oneof![
            (0..4_usize, 0..4_u8, any::<bool>()).prop_map(|(method, branch, stream)| Step::Receive {
                method,
                branch,
                stream
            }),
            (any::<usize>(), status()).prop_map(|(index, status)| Step::Respond { index, status }),
            (prop::sample::select(vec![0, 3]), any::<bool>())
                .prop_map(|(method, stream)| Step::Request { method, stream }),
            (any::<usize>(), status()).prop_map(|(index, status)| Step::Answer { index, status }),
            any::<usize>().prop_map(|index| Step::Cancel { index }),
            Just(Step::Lose),
            any::<usize>().prop_map(|index| Step::FailSend { index }),
            (0..40_000_u64).prop_map(|millis| Step::Pass { millis }),
        ]
    }

    proptest! {
        /// Whatever comes in whatever order: no panic, no answer sent to the wrong side, and nothing left once every
        /// request has its answer and time has passed.
        #[test]
        fn any_order_of_events_ends(steps in prop::collection::vec(step(), 1..60)) {
            let mut rig = Rig::new();
            let mut clients = Vec::new();
            let way = |stream| if stream { tcp() } else { udp() };
            for step in steps {
                match step {
                    Step::Receive { method, branch: number, stream } => {
                        rig.receive(&branch(METHODS[method], &format!("z9hG4bK{number}")), way(stream));
                    }
                    Step::Respond { index, status } if !rig.servers.is_empty() => {
                        rig.respond(rig.servers[index % rig.servers.len()], status);
                    }
                    Step::Request { method, stream } => clients.push(rig.request(METHODS[method], way(stream))),
                    Step::Answer { index, status } if !rig.sent.is_empty() => {
                        let index = index % rig.sent.len();
                        if !rig.sent[index].bytes.starts_with(b"SIP/2.0") {
                            rig.answer(index, status);
                        }
                    }
                    Step::Cancel { index } if !clients.is_empty() => {
                        rig.layer.cancel(clients[index % clients.len()], rig.now);
                    }
                    Step::Lose => rig.layer.handle_flow_lost(tcp(), rig.now),
                    Step::FailSend { index } if !rig.sent.is_empty() => {
                        if let Some(ticket) = rig.sent[index % rig.sent.len()].ticket {
                            rig.layer.handle_send_failed(ticket, rig.now);
                        }
                    }
                    Step::Respond { .. } | Step::Answer { .. } | Step::Cancel { .. } | Step::FailSend { .. } => {}
                    Step::Pass { millis } => rig.pass(millis),
                }
                rig.drain();
            }
            for id in rig.servers.clone() {
                rig.respond(id, 486);
            }
            for id in clients {
                rig.layer.cancel(id, rig.now);
            }
            rig.pass(200_000);
            rig.log.clear();
            rig.expect_idle();
        }
    }
}
