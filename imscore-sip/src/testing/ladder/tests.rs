//! The kit must fail wherever an engine does: each fault of a relay has its test here.

use std::time::Duration;

use super::*;
use crate::Message;
use crate::testing::relay::{Manners, Place, Relay};
use crate::testing::request;

const ALICE: &str = "192.0.2.1:5060";
const BOB: &str = "192.0.2.2:5060";

/// A relay between alice and bob.
fn relay(manners: Manners) -> Ladder {
    let listen = ["udp:192.0.2.9:5060", "tcp:192.0.2.9:5060"];
    Ladder::new()
        .engine("relay", listen, |listeners| Relay::new(listeners, [ALICE, BOB], manners))
        .peer("alice", Bind::from("udp:192.0.2.1:5060"))
        .peer("bob", "udp:192.0.2.2:5060")
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The fault and the line of a script that fails.
#[track_caller]
fn fault(manners: Manners, script: &str) -> (Fault, usize) {
    match relay(manners).try_run(script) {
        Err(failure) => (failure.fault, failure.line),
        Ok(()) => panic!("this should have failed:\n{script}"),
    }
}

const ONE: &str = "alice -> relay INVITE sip:bob@ims.example
    relay -> bob INVITE sip:bob@ims.example";

const AGAIN: &str = "alice -> relay INVITE sip:bob@ims.example
    relay -> bob INVITE sip:bob@ims.example
    +500ms
    relay -> bob INVITE again";

#[test]
fn what_is_as_the_script_says_passes() {
    let mut plain = relay(Manners::default());
    plain.run(ONE);
    let bob = plain.network().find::<Phone>("bob").expect("bob is a phone");
    assert_eq!(plain.network().engine(bob).messages().count(), 1);
    assert!(plain.network().find::<Phone>("relay").is_none());
    relay(Manners { again: vec![ms(500)], ..Manners::default() }).run(AGAIN);
    relay(Manners { trying: Some(Place::First), ..Manners::default() }).run(
        "alice -> relay INVITE sip:bob@ims.example
         relay -> alice 100
         relay -> bob INVITE *",
    );
}

#[test]
fn an_extra_message_fails() {
    let twice = || Manners { trying: Some(Place::Last), ..Manners::default() };
    assert_eq!(fault(twice(), ONE), (Fault::Extra, 3), "at the end");
    assert_eq!(
        fault(twice(), &format!("{ONE}\nbob -> relay 200\nrelay -> alice 200")),
        (Fault::Extra, 3),
        "before input"
    );
    assert_eq!(fault(twice(), &format!("{ONE}\n+1s")), (Fault::Extra, 3), "before time passes");
    assert_eq!(
        fault(twice(), &format!("{ONE}\n+0ms\nrelay -> alice 100")),
        (Fault::Early, 3),
        "before a step of no time"
    );
    let later = Manners { again: vec![ms(200)], ..Manners::default() };
    assert_eq!(fault(later.clone(), &format!("{ONE}\n+500ms")), (Fault::Extra, 3), "midway through a step");
    assert_eq!(fault(later.clone(), &format!("{ONE}\n+200ms")), (Fault::Extra, 4), "at the end of a step");
    assert_eq!(fault(later, &format!("{ONE}\n+500ms\nbob -> relay 180\nrelay -> alice 180")), (Fault::Extra, 3));
}

#[test]
fn a_missing_message_fails() {
    let kept = || Manners { kept: vec!["INVITE"], ..Manners::default() };
    assert_eq!(fault(kept(), ONE), (Fault::Missing, 2), "nothing happens at all");
    assert_eq!(fault(Manners::default(), AGAIN), (Fault::Missing, 4), "behind a step");
    let script = "alice -> relay INVITE sip:bob@ims.example
        relay -> alice 100
        relay -> bob INVITE *";
    assert_eq!(fault(Manners::default(), script), (Fault::Missing, 2), "what follows happens");
}

#[test]
fn an_early_message_fails() {
    let early = |after| Manners { again: vec![ms(after)], ..Manners::default() };
    assert_eq!(fault(early(499), AGAIN), (Fault::Early, 3));
    assert_eq!(fault(early(1), AGAIN), (Fault::Early, 3));
    assert_eq!(fault(early(0), AGAIN), (Fault::Early, 3), "before the step begins");
}

#[test]
fn a_late_message_fails() {
    assert_eq!(fault(Manners { late: ms(1), ..Manners::default() }, ONE), (Fault::Late, 2));
    assert_eq!(fault(Manners { again: vec![ms(501)], ..Manners::default() }, AGAIN), (Fault::Late, 4));
}

#[test]
fn a_wrong_order_fails() {
    let script = "alice -> relay INVITE sip:bob@ims.example
        relay -> alice 100
        relay -> bob INVITE *";
    assert_eq!(fault(Manners { trying: Some(Place::Last), ..Manners::default() }, script), (Fault::Order, 2));
}

#[test]
fn a_different_message_fails() {
    for expected in [
        "relay -> bob ACK",
        "relay -> alice INVITE",
        "bob -> relay INVITE",
        "relay -> bob INVITE sip:carol@ims.example",
        "relay -> bob 200",
        "relay/tcp -> bob INVITE",
        "relay -> bob/tcp INVITE",
        "relay -> bob INVITE From=<sip:alice@ims.example>",
        "relay -> bob INVITE Record-Route~=scscf",
        "relay -> bob INVITE Record-Route!~=192.0.2.9",
        "relay -> bob INVITE Via#=1",
        "relay -> bob INVITE X-Badge=*",
        "relay -> bob INVITE +P-Asserted-Identity",
        "relay -> bob INVITE -Contact",
        "relay -> bob INVITE -sdp",
        "relay -> bob INVITE body~=H264",
        "relay -> bob INVITE again",
        "relay -> bob INVITE nonsense",
    ] {
        let script = format!("alice -> relay INVITE sip:bob@ims.example\n{expected}");
        let failure = relay(Manners::default()).try_run(&script);
        assert!(failure.is_err(), "{expected}");
    }
}

#[test]
fn a_response_to_another_method_fails() {
    let script =
        "alice -> relay OPTIONS sip:bob@ims.example\nrelay -> bob OPTIONS *\nbob -> relay 200\nrelay -> alice 200";
    relay(Manners::default()).run(&format!("{script} OPTIONS"));
    assert_eq!(fault(Manners::default(), &format!("{script} INVITE")), (Fault::Different, 4));
}

#[test]
fn a_response_that_belongs_to_nothing_fails() {
    let answering = |own| {
        Phone::new("bob", own).behaving(|phone, _, _| {
            let ok = phone.response(200, None).expect("a request is there");
            let via = ok.value("Via").unwrap_or_default().replace("z9hG4bK", "z9hG4bKother");
            let flow = crate::transport::Flow {
                transport: Transport::Udp,
                listener: crate::transport::ListenerId(0),
                remote: ALICE.parse().unwrap(),
                connection: None,
            };
            phone.send_bytes(ok.header("Via", via).bytes(), flow);
        })
    };
    let mut ladder = Ladder::new().engine("bob", ["udp:192.0.2.2:5060"], answering).peer("alice", "udp:192.0.2.1:5060");
    let failure = ladder.try_run("alice -> bob OPTIONS sip:bob@ims.example\nbob -> alice 200").unwrap_err();
    assert_eq!(failure.fault, Fault::Different);
}

#[test]
fn assertions_that_hold_pass() {
    relay(Manners::default()).run(
        r#"alice -> relay  INVITE sip:bob@ims.example  P-Preferred-Identity='"Alice" <sip:alice@ims.example>'
             | Privacy=id -Max-Forwards From=tel:+15550100
           relay -> bob    INVITE sip:bob@*  P-Preferred-Identity='"Alice" <sip:alice@ims.example>' Privacy~=i
             | From=<tel:+15550100>;tag=alice-* -Max-Forwards Via#=2 +sdp body~=AMR-WB i=* Record-Route#=1
           bob -> relay    486 INVITE Warning='399 bob "busy"'
           relay -> alice  486 INVITE Warning~=busy +To -sdp"#,
    );
}

#[test]
fn scripts_that_cannot_be_played_fail() {
    for line in [
        "carol -> relay INVITE sip:bob@ims.example",
        "alice -> nobody INVITE sip:bob@ims.example",
        "alice -> relay BYE",
        "alice -> relay ACK",
        "alice -> relay CANCEL",
        "alice -> relay 200",
        "alice -> relay PRACK",
        "alice -> relay INVITE again",
        "alice -> relay INVITE sip:bob@ims.example Via#=2",
        "alice -> relay INVITE sip:bob@ims.example P-Asserted-Identity~=bob",
        "alice -> relay INVITE sip:bob@ims.example nonsense",
        "alice -> relay $unknown",
        "alice relay INVITE",
    ] {
        let (fault, number) = fault(Manners::default(), line);
        assert!(number == 1 && matches!(fault, Fault::Script | Fault::Missing), "{line}: {fault:?}");
    }
}

#[test]
fn a_failure_shows_the_ladder_and_what_happened() {
    let late = Manners { late: ms(20), ..Manners::default() };
    let shown = relay(late).try_run(ONE).unwrap_err().to_string();
    assert_eq!(
        shown,
        "line 2: came at 0.020, not at 0.000\n\n    \
           1  alice -> relay INVITE sip:bob@ims.example\n\
         -   2  relay -> bob INVITE sip:bob@ims.example\n\
         +      0.020  relay -> bob  INVITE sip:bob@ims.example\n"
    );
    let shown = relay(Manners::default()).try_run(&ONE.replace("bob INVITE", "bob INVITE Via#=1 X=1")).unwrap_err();
    assert_eq!((shown.fault, shown.line), (Fault::Different, 2));
    let script = "alice -> relay INVITE sip:bob@ims.example\nrelay -> bob INVITE Via#=1 -Contact";
    let shown = relay(Manners::default()).try_run(script).unwrap_err().to_string();
    assert!(shown.contains("Via has 2 values, not 1; Contact is <sip:alice@192.0.2.1:5060>, not absent\n"), "{shown}");
    assert!(shown.contains("\nINVITE sip:bob@ims.example SIP/2.0\r\n"), "{shown}");
}

/// A call with reliable provisional responses (RFC 3262), an UPDATE, a re-INVITE from the far side, and a BYE: peers know
/// what belongs in each without being told.
#[test]
fn peers_keep_their_dialogs() {
    relay(Manners::default()).run(
        "alice -> relay  INVITE sip:bob@ims.example  Supported=100rel
         relay -> bob    INVITE sip:bob@ims.example
         bob -> relay    183 100rel
         relay -> alice  183 INVITE  RSeq=1 Require=100rel To=*;tag=bob-* +sdp
         alice -> relay  PRACK
         relay -> bob    PRACK sip:bob@192.0.2.2:5060  RAck='1 1 INVITE' CSeq='2 PRACK' Call-ID=alice-1 To=*;tag=bob-1
           | Route=<sip:192.0.2.9:5060;lr>
         bob -> relay    200
         relay -> alice  200 PRACK
         alice -> relay  UPDATE
         relay -> bob    UPDATE sip:bob@192.0.2.2:5060  CSeq='3 UPDATE' +sdp
         bob -> relay    200
         relay -> alice  200 UPDATE +sdp
         bob -> relay    180
         relay -> alice  180 INVITE -sdp
         bob -> relay    200
         relay -> alice  200 INVITE Contact=<sip:bob@192.0.2.2:5060>
         bob -> relay    200 INVITE
         relay -> alice  200 INVITE again
         alice -> relay  ACK
         relay -> bob    ACK sip:bob@192.0.2.2:5060  CSeq='1 ACK' -Contact
         bob -> relay    INVITE
         relay -> alice  INVITE sip:alice@192.0.2.1:5060  CSeq='1 INVITE' From=*;tag=bob-1 Call-ID=alice-1
         alice -> relay  200
         relay -> bob    200 INVITE
         bob -> relay    ACK
         relay -> alice  ACK sip:alice@192.0.2.1:5060
         alice -> relay  BYE
         relay -> bob    BYE sip:bob@192.0.2.2:5060  CSeq='4 BYE'
         bob -> relay    200
         relay -> alice  200 BYE",
    );
}

/// RFC 3261 §9.1 and §17.1.1.3: CANCEL and the ACK of a failure go with the INVITE.
#[test]
fn cancel_and_the_ack_of_a_failure_have_the_branch_of_the_invite() {
    relay(Manners::default()).run(
        "alice -> relay  INVITE sip:bob@ims.example
         relay -> bob    INVITE *
         bob -> relay    180
         relay -> alice  180
         alice -> relay  CANCEL
         relay -> bob    CANCEL sip:bob@ims.example  Via~=z9hG4bKalice-1 CSeq='1 CANCEL' To=<sip:bob@ims.example> -sdp
         bob -> relay    200
         relay -> alice  200 CANCEL
         bob -> relay    487
         relay -> alice  487 INVITE
         alice -> relay  ACK
         relay -> bob    ACK sip:bob@ims.example  Via~=z9hG4bKalice-1 CSeq='1 ACK' To=*;tag=bob-1",
    );
}

/// RFC 3261 §10.2.4, RFC 3608 §6.1: one Call-ID, a CSeq that rises, and the Service-Route for what follows.
#[test]
fn a_registration_goes_on_and_brings_a_service_route() {
    relay(Manners::default()).run(
        r#"alice -> relay  REGISTER sip:ims.example
           relay -> bob    REGISTER sip:ims.example  To=<sip:alice@ims.example> CSeq='1 REGISTER' Call-ID=alice-1
           bob -> relay    401
           relay -> alice  401 WWW-Authenticate~=nonce=
           alice -> relay  REGISTER sip:ims.example Path=<sip:relay;lr> password=secret
           relay -> bob    REGISTER *  CSeq='2 REGISTER' Call-ID=alice-1 Authorization~=username="alice@ims.example"
           bob -> relay    200 Service-Route='<sip:a;lr>, <sip:b;lr>'
           relay -> alice  200 Contact=<sip:alice@192.0.2.1:5060>;expires=3600 Path=<sip:relay;lr>
           alice -> relay  MESSAGE tel:+15550100
           relay -> bob    MESSAGE tel:+15550100  Route='<sip:a;lr>, <sip:b;lr>' From~=sip:alice@
           bob -> relay    200
           relay -> alice  200
           alice -> relay  REGISTER sip:ims.example
           relay -> bob    REGISTER *  CSeq='3 REGISTER' Call-ID=alice-1 -Route"#,
    );
}

#[test]
fn dialogs_of_a_fork_are_told_apart() {
    let mut ladder = relay(Manners::default());
    ladder.run(
        "alice -> relay  INVITE sip:bob@ims.example
         relay -> bob    INVITE *
         bob -> relay    180 To=<sip:bob@ims.example>;tag=bob1-1
         relay -> alice  180
         bob -> relay    180 To=<sip:bob@ims.example>;tag=bob2-1 100rel
         relay -> alice  180
         alice -> relay  UPDATE with=bob1
         relay -> bob    UPDATE *  To=*;tag=bob1-1
         alice -> relay  PRACK
         relay -> bob    PRACK *  To=*;tag=bob2-1
         alice -> relay  BYE with=bob2
         relay -> bob    BYE *  To=*;tag=bob2-1",
    );
}

#[test]
fn scripts_can_declare_their_peers_and_speak_tcp() {
    let manners = Manners::default();
    let mut ladder = Ladder::new().engine("relay", ["udp:192.0.2.9:5060", "tcp:192.0.2.9:5060"], |listeners| {
        Relay::new(listeners, [ALICE, BOB], manners)
    });
    ladder.run(
        "alice = tcp:192.0.2.1:5060 tel:+15550100
         bob = tcp:192.0.2.2:5060
         alice -> relay   MESSAGE sip:bob@ims.example
         relay/tcp -> bob MESSAGE *  From~=tel:+15550100 Via~=SIP/2.0/TCP
         bob -> relay     200
         relay -> 192.0.2.1:20001  200
         alice -> relay   close",
    );
}

#[test]
fn the_addresses_of_an_engine_can_have_names() {
    let binds = || {
        let edge = Bind::from("udp:192.0.2.9:5060").label("edge").sent_by("edge.ims.example");
        [edge, Bind::from("udp:192.0.2.9:5058").label("core").access()]
    };
    let ladder = || {
        let build = |own: Vec<Listener>| {
            assert_eq!((own[0].sent_by.as_ref(), own[1].side), ("edge.ims.example", crate::transport::Side::Access));
            Relay::new(own, [ALICE, BOB], Manners::default())
        };
        let ladder = Ladder::new().engine("relay", binds(), build);
        ladder.peer("alice", "udp:192.0.2.1:5060").peer("bob", "udp:192.0.2.2:5060")
    };
    let play = |lines: &str| ladder().try_run(lines).map_err(|failure| failure.fault);
    assert_eq!(play("alice -> core OPTIONS sip:a\ncore -> bob OPTIONS * Via~=192.0.2.9:5058"), Ok(()));
    assert_eq!(play("alice -> edge OPTIONS sip:a\nedge -> bob OPTIONS * Via~=edge.ims.example"), Ok(()));
    assert_eq!(play("alice -> relay OPTIONS sip:a\nrelay -> bob OPTIONS *"), Ok(()));
    assert_eq!(play("alice -> edge OPTIONS sip:a\ncore -> bob OPTIONS *"), Err(Fault::Different));
}

#[test]
fn drafts_are_sent_as_they_are() {
    let options = request("OPTIONS", "sip:bob@ims.example").header("X-Badge", "7").header("Call-ID", "fixed");
    relay(Manners::default()).draft("options", options).run(
        "alice -> relay  $options Accept=*/*
         relay -> bob    OPTIONS *  X-Badge=7 Call-ID=fixed Accept=*/*",
    );
}

#[test]
fn lines_with_an_oracle_stand_in_order_with_messages() {
    let log = Log::new();
    let writer = log.clone();
    let asking = move |listeners| {
        Phone::new("icscf", listeners).behaving(move |phone, message, _| {
            if let Message::Request(_) = message {
                writer.asked("User-Authorization  sip:alice@ims.example");
                writer.answered("First-Registration capabilities=1");
                let reply = phone.response(200, None).expect("a request is there");
                phone.reply(reply);
            }
        })
    };
    let mut ladder = Ladder::new()
        .engine("icscf", ["udp:192.0.2.9:5060"], asking)
        .peer("pcscf", "udp:192.0.2.1:5060")
        .oracle("hss", &log);
    let script = "pcscf -> icscf  REGISTER sip:ims.example
         icscf -> hss    User-Authorization sip:alice@ims.example
         hss -> icscf    First-Registration capabilities=*
         icscf -> pcscf  200";
    ladder.run(script);
    let again =
        |ladder: &mut Ladder, from: &str, to: &str| ladder.try_run(&script.replace(from, to)).unwrap_err().fault;
    assert_eq!(again(&mut ladder, "sip:alice@", "sip:carol@"), Fault::Different);
    let mut ladder = Ladder::new().oracle("hss", &log).peer("pcscf", "udp:192.0.2.1:5060");
    log.asked("Location-Info sip:bob@ims.example");
    assert_eq!(ladder.try_run("+1s").unwrap_err().fault, Fault::Extra);
}
