//! The caller's flows of RFC 3665 §3, and what goes wrong in them.

use super::*;

const CALL: &str = "
    alice -> proxy  INVITE sip:bob@ims.example  +sdp CSeq='1 INVITE' Contact=<sip:alice@192.0.2.1:5060;transport=udp>
    |               From~=<sip:alice@ims.example>;tag= To=<sip:bob@ims.example> Max-Forwards=70 Supported~=100rel
    proxy -> alice  100
    proxy -> alice  180  Contact=<sip:bob@192.0.2.2> Record-Route=<sip:192.0.2.9;lr>
    proxy -> alice  200  Contact=<sip:bob@192.0.2.2> Record-Route=<sip:192.0.2.9;lr>
    alice -> proxy  ACK sip:bob@192.0.2.2  Route=<sip:192.0.2.9;lr> CSeq='1 ACK'";

/// RFC 3665 §3.1, §3.2.
#[test]
fn a_call_is_answered_and_ended_by_either_side() {
    let mut stage = Stage::new(|config| config);
    let call = stage.invite();
    stage.run(CALL);
    stage.told(&["progress 180", "answered 200"]);
    assert!(stage.alice(|alice, _| alice.agreed(call).is_some()));
    stage.run("proxy -> alice  200 INVITE  again\nalice -> proxy  ACK");
    stage.alice(|alice, now| assert!(alice.hang_up(call, now)));
    stage.run("alice -> proxy  BYE sip:bob@192.0.2.2  CSeq='2 BYE' Route=<sip:192.0.2.9;lr>\nproxy -> alice  200 BYE");
    stage.told(&[]);
    stage.is_over();

    let mut stage = Stage::new(|config| config);
    stage.invite();
    stage.run(CALL);
    stage.run("proxy -> alice  BYE\nalice -> proxy  200");
    stage.told(&["progress 180", "answered 200", "Bye"]);
    stage.is_over();
}

/// RFC 3665 §3.8 to §3.10: busy, no answer, and nobody there.
#[test]
fn a_call_that_is_not_answered() {
    let mut stage = Stage::new(|config| config);
    stage.invite();
    stage.run("alice -> proxy  INVITE\nproxy -> alice  180\nproxy -> alice  486\nalice -> proxy  ACK");
    stage.told(&["progress 180", "refused 486"]);
    stage.is_over();

    let mut stage = Stage::new(|config| config);
    let call = stage.invite();
    stage.run("alice -> proxy  INVITE\nproxy -> alice  180");
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run(
        "alice -> proxy  CANCEL sip:bob@ims.example  CSeq='1 CANCEL'
         proxy -> alice  200 CANCEL
         proxy -> alice  487 INVITE
         alice -> proxy  ACK",
    );
    stage.told(&["progress 180"]);
    stage.is_over();

    let mut stage = Stage::new(|config| Config { proxy: None, ..config });
    stage.invite();
    stage.run("+1ms");
    stage.told(&["Failed(Transport)"]);
    stage.is_over();
}

/// RFC 3261 §13.2.2.4, §15: what answers too late is acknowledged and ended.
#[test]
fn an_answer_that_crosses_the_cancel() {
    let mut stage = Stage::new(|config| config);
    let call = stage.invite();
    stage.run("alice -> proxy  INVITE\nproxy -> alice  180");
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run(
        "alice -> proxy  CANCEL
         proxy -> alice  200 INVITE  Contact=<sip:bob@192.0.2.9>
         alice -> proxy  ACK sip:bob@192.0.2.9
         alice -> proxy  BYE sip:bob@192.0.2.9
         proxy -> alice  200 BYE
         proxy -> alice  200 CANCEL",
    );
    stage.told(&["progress 180"]);
    stage.is_over();
}

/// RFC 3261 §13.2.2.4: of two branches that answer, the second is ended.
#[test]
fn a_forked_call() {
    let mut stage = Stage::new(|config| config);
    let call = stage.invite();
    stage.run(
        "alice -> proxy  INVITE
         proxy -> alice  180  To=<sip:bob@ims.example>;tag=one Contact=<sip:one@192.0.2.9>
         proxy -> alice  180  To=<sip:bob@ims.example>;tag=two Contact=<sip:two@192.0.2.9>",
    );
    stage.told(&["progress 180", "progress 180"]);
    assert_eq!(stage.alice(|alice, _| alice.dialogs.len()), 2);
    stage.run(
        "proxy -> alice  200 INVITE  To=<sip:bob@ims.example>;tag=one Contact=<sip:one@192.0.2.9>
         alice -> proxy  ACK sip:one@192.0.2.9  To~=;tag=one
         proxy -> alice  200 INVITE  To=<sip:bob@ims.example>;tag=two Contact=<sip:two@192.0.2.9>
         alice -> proxy  ACK sip:two@192.0.2.9  To~=;tag=two
         alice -> proxy  BYE sip:two@192.0.2.9  CSeq='2 BYE'
         proxy -> alice  200 BYE
         proxy -> alice  200 INVITE  To=<sip:bob@ims.example>;tag=one Contact=<sip:one@192.0.2.9>
         alice -> proxy  ACK sip:one@192.0.2.9",
    );
    stage.told(&["answered 200"]);
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run("alice -> proxy  BYE sip:one@192.0.2.9\nproxy -> alice  200 BYE");
    stage.is_over();
}

/// RFC 3665 §3.3; RFC 3261 §22.2: the next CSeq, the same Call-ID and From.
#[test]
fn a_challenge_is_answered() {
    let login = |config: Config| config.with_login("alice", "secret", "ims.example");
    let mut stage = Stage::new(login);
    stage.invite();
    stage.run(
        "alice -> proxy  INVITE  -Proxy-Authorization
         proxy -> alice  407
         alice -> proxy  ACK
         alice -> proxy  INVITE  CSeq='2 INVITE' Proxy-Authorization~=username=\"alice\"
         proxy -> alice  200  Contact=<sip:bob@192.0.2.9>
         alice -> proxy  ACK  CSeq='2 ACK' +Proxy-Authorization
         proxy -> alice  BYE
         alice -> proxy  200",
    );
    stage.told(&["answered 200", "Bye"]);
    stage.is_over();
}

/// A call that was hung up is not made anew by a challenge.
#[test]
fn a_challenge_that_crosses_the_cancel() {
    let mut stage = Stage::new(|config| config.with_login("alice", "secret", "ims.example"));
    let call = stage.invite();
    stage.run("alice -> proxy  INVITE");
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run("proxy -> alice  407\nalice -> proxy  ACK\n+1m");
    stage.told(&[]);
    stage.is_over();
}

/// Threat I12: a server that always asks anew gets two answers, whatever it says of the nonce.
#[test]
fn i12_endless_challenges_come_to_an_end() {
    let mut stage = Stage::new(|config| config.with_login("alice", "secret", "ims.example"));
    stage.invite();
    stage.run(
        "alice -> proxy  INVITE
         proxy -> alice  407
         alice -> proxy  ACK
         alice -> proxy  INVITE  CSeq='2 INVITE' +Proxy-Authorization
         proxy -> alice  407  Proxy-Authenticate='Digest realm=\"ims.example\", nonce=\"2\", stale=true'
         alice -> proxy  ACK
         alice -> proxy  INVITE  CSeq='3 INVITE' +Proxy-Authorization
         proxy -> alice  407  Proxy-Authenticate='Digest realm=\"ims.example\", nonce=\"3\", stale=true'
         alice -> proxy  ACK",
    );
    stage.told(&["refused 407"]);
    stage.is_over();
}

/// Threat I11: neither another realm nor somebody within a dialog is answered.
#[test]
fn i11_no_answer_to_strangers() {
    let login = |config: Config| config.with_login("alice", "secret", "ims.example");
    let mut stage = Stage::new(login);
    stage.invite();
    stage.run(
        "alice -> proxy  INVITE
         proxy -> alice  407  Proxy-Authenticate='Digest realm=\"evil.example\", nonce=\"1\"'
         alice -> proxy  ACK",
    );
    stage.told(&["refused 407"]);

    let mut stage = Stage::new(login);
    let call = stage.invite();
    stage.run(CALL);
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run("alice -> proxy  BYE  -Proxy-Authorization\nproxy -> alice  407 BYE");
    stage.told(&["progress 180", "answered 200"]);
    stage.is_over();
}

/// RFC 3262 §4, §5: PRACK in order, and with the answer where the response has the offer.
#[test]
fn reliable_responses_are_acknowledged() {
    let mut stage = Stage::new(|config| config);
    stage.invite();
    stage.run(
        "alice -> proxy  INVITE
         proxy -> alice  183 100rel  Contact=<sip:bob@192.0.2.9>
         alice -> proxy  PRACK sip:bob@192.0.2.9  RAck='1 1 INVITE' CSeq='2 PRACK' -sdp
         proxy -> alice  200 PRACK
         proxy -> alice  180 100rel
         alice -> proxy  PRACK  RAck='2 1 INVITE' CSeq='3 PRACK'
         proxy -> alice  200 PRACK
         proxy -> alice  200 INVITE
         alice -> proxy  ACK  CSeq='1 ACK'
         proxy -> alice  BYE
         alice -> proxy  200",
    );
    stage.told(&["progress 183", "progress 180", "answered 200", "Bye"]);
    stage.is_over();

    let mut stage = Stage::new(|config| config);
    let call = stage.alice(|alice, now| alice.invite(&bob(), None, now));
    stage.run("alice -> proxy  INVITE  -sdp\nproxy -> alice  183 100rel  Contact=<sip:bob@192.0.2.9>");
    stage.told(&["progress 183"]);
    stage.alice(|alice, now| alice.answer(call, &offer(1), now)).unwrap();
    stage.run(
        "alice -> proxy  PRACK sip:bob@192.0.2.9  +sdp
         proxy -> alice  200 PRACK
         proxy -> alice  200 INVITE  -sdp
         alice -> proxy  ACK  -sdp",
    );
    stage.told(&["answered 200"]);
}

/// RFC 3261 §13.2.1: an INVITE without an offer; the ACK takes the answer.
#[test]
fn an_offer_in_the_2xx_is_answered_in_the_ack() {
    let mut stage = Stage::new(|config| config);
    let call = stage.alice(|alice, now| alice.invite(&bob(), None, now));
    stage.run(
        "alice -> proxy  INVITE  -sdp
         proxy -> alice  200  Contact=<sip:bob@192.0.2.9>
         proxy -> alice  200 INVITE  Contact=<sip:bob@192.0.2.9>",
    );
    stage.told(&["answered 200"]);
    stage.alice(|alice, now| alice.answer(call, &offer(1), now)).unwrap();
    stage.run("alice -> proxy  ACK  +sdp\nproxy -> alice  200 INVITE  again\nalice -> proxy  ACK  +sdp");
    assert!(stage.alice(|alice, now| alice.answer(call, &offer(1), now)).is_err());
}

/// A 2xx whose description does not go with the offer ends the call.
#[test]
fn an_answer_that_is_none() {
    let mut stage = Stage::new(|config| config);
    stage.invite();
    stage.run(
        "alice -> proxy  INVITE
         proxy -> alice  200  -sdp Contact=<sip:bob@192.0.2.9>
         alice -> proxy  ACK
         alice -> proxy  BYE
         proxy -> alice  200 BYE",
    );
    stage.told(&["Disagreed"]);
    stage.is_over();
}

#[test]
fn requests_outside_of_dialogs() {
    let mut stage = Stage::new(|config| config.with_login("alice", "secret", "ims.example"));
    let message = || crate::Request::new(&crate::Method::Message, "sip:bob@ims.example").with_body("text/plain", "hi");
    stage.alice(|alice, now| alice.request(message(), now));
    stage.run(
        "alice -> proxy  MESSAGE sip:bob@ims.example  To=<sip:bob@ims.example> -Contact body~=hi
         proxy -> alice  401
         alice -> proxy  MESSAGE  CSeq='2 MESSAGE' Authorization~=nc=00000001
         proxy -> alice  200",
    );
    stage.alice(|alice, now| alice.request(message(), now));
    stage.run("alice -> proxy  MESSAGE  CSeq='1 MESSAGE' Authorization~=nc=00000002\nproxy -> alice  202");
    stage.told(&["response 200", "response 202"]);
    stage.is_over();
}
