//! What goes on within a call.

use super::*;
use crate::dialog::Terms;

/// A call of alice to a bob who is at the proxy's address.
fn up(change: impl FnOnce(Config) -> Config, words: &str) -> (Stage, CallHandle) {
    let mut stage = Stage::new(change);
    let call = stage.invite();
    stage.run(&format!(
        "alice -> proxy  INVITE
         proxy -> alice  200  Contact=<sip:bob@192.0.2.9> {words}
         alice -> proxy  ACK"
    ));
    stage.told(&["answered 200"]);
    (stage, call)
}

/// RFC 3665 §3.7.
#[test]
fn an_offer_within_a_call() {
    let (mut stage, call) = up(|config| config, "");
    stage.alice(|alice, now| alice.offer(call, &offer(2), now)).unwrap();
    assert!(stage.alice(|alice, now| alice.offer(call, &offer(3), now)).is_err(), "one at a time");
    stage.run(
        "alice -> proxy  INVITE sip:bob@192.0.2.9  CSeq='2 INVITE' +sdp +Contact
         proxy -> alice  200
         alice -> proxy  ACK  CSeq='2 ACK'",
    );
    stage.told(&["agreed"]);
    stage.alice(|alice, now| alice.offer(call, &offer(3), now)).unwrap();
    stage.run("alice -> proxy  INVITE  CSeq='3 INVITE'\nproxy -> alice  488\nalice -> proxy  ACK");
    stage.told(&["offer refused Some(488)"]);
    let version = stage.alice(|alice, _| alice.agreed(call).unwrap().local.origin().session_version.to_string());
    assert_eq!(version, "2");
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run("alice -> proxy  BYE  CSeq='4 BYE'\nproxy -> alice  200 BYE");
    stage.is_over();
}

/// A re-INVITE that waits for its answer does not outlive its call.
#[test]
fn a_call_is_hung_up_while_an_offer_is_open() {
    let (mut stage, call) = up(|config| config, "");
    stage.alice(|alice, now| alice.offer(call, &offer(2), now)).unwrap();
    stage.run("alice -> proxy  INVITE\nproxy -> alice  100");
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run("alice -> proxy  CANCEL\nalice -> proxy  BYE\nproxy -> alice  200 CANCEL\nproxy -> alice  200 BYE");
    stage.told(&[]);
    stage.is_over();
}

/// RFC 3261 §14.1: the side that made the Call-ID tries again after 2.1 to 4 s.
#[test]
fn offers_that_cross() {
    let (mut stage, call) = up(|config| config, "");
    stage.alice(|alice, now| alice.offer(call, &offer(2), now)).unwrap();
    stage.run(
        "alice -> proxy  INVITE  CSeq='2 INVITE'
         proxy -> alice  INVITE
         alice -> proxy  491
         proxy -> alice  ACK
         proxy -> alice  491
         alice -> proxy  ACK
         +2090ms",
    );
    let is_invite = |sent: &crate::testing::Sent| sent.bytes.starts_with(b"INVITE");
    while !stage.ladder.network().trace().sent().next_back().is_some_and(is_invite) {
        assert!(stage.ladder.network().passed().as_millis() < 4_000 && stage.ladder.network().step());
    }
    stage.run("alice -> proxy  INVITE  CSeq='3 INVITE'\nproxy -> alice  200\nalice -> proxy  ACK");
    stage.told(&["agreed"]);
}

/// RFC 3261 §14.2, RFC 3311 §5.2.
#[test]
fn offers_of_the_other_side_are_answered() {
    let (mut stage, call) = up(|config| config, "");
    stage.run("proxy -> alice  INVITE");
    stage.alice(|alice, now| alice.answer(call, &offer(2), now)).unwrap();
    stage.run("alice -> proxy  200  +sdp +Contact\nproxy -> alice  ACK\nproxy -> alice  UPDATE");
    stage.alice(|alice, now| alice.answer(call, &offer(2), now)).unwrap();
    stage.run(
        "alice -> proxy  200  +sdp +Contact
         proxy -> alice  UPDATE  -sdp
         alice -> proxy  200  -sdp
         proxy -> alice  UPDATE",
    );
    stage.told(&["INVITE", "confirmed", "UPDATE", "UPDATE"]);
    stage.run("proxy -> alice  UPDATE\nalice -> proxy  500  +Retry-After\nproxy -> alice  BYE\nalice -> proxy  200 BYE\nalice -> proxy  487 UPDATE");
    stage.told(&["Bye"]);
    stage.is_over();
}

/// RFC 3261 §12.2.1.2: a 481 says that the call is gone.
#[test]
fn a_call_that_the_other_side_forgot() {
    let (mut stage, call) = up(|config| config, "");
    stage.alice(|alice, now| alice.offer(call, &offer(2), now)).unwrap();
    stage.run("alice -> proxy  INVITE\nproxy -> alice  481\nalice -> proxy  ACK\nalice -> proxy  BYE\nproxy -> alice  481 BYE");
    stage.told(&["Expired"]);
    stage.is_over();
}

/// RFC 4028 §7, §10: the caller refreshes at half the interval, and gives up when that fails.
#[test]
fn a_session_is_refreshed() {
    let terms = |config: Config| Config { session_timer: Some(Terms::new(600, 90)), ..config };
    let (mut stage, _) = up(terms, "Session-Expires=600;refresher=uac Allow='INVITE, UPDATE'");
    stage.run(
        "+5m
         alice -> proxy  UPDATE  Session-Expires=600;refresher=uac -sdp
         proxy -> alice  200  -sdp Session-Expires=600;refresher=uac
         +5m
         alice -> proxy  UPDATE
         proxy -> alice  500
         +268s
         alice -> proxy  BYE
         proxy -> alice  200 BYE",
    );
    stage.told(&["Expired"]);
    stage.is_over();

    let (mut stage, _) = up(terms, "Session-Expires=600;refresher=uac");
    stage.run(
        "+5m
         alice -> proxy  INVITE  Session-Expires=600;refresher=uac +sdp
         proxy -> alice  200  Session-Expires=600;refresher=uac
         alice -> proxy  ACK
         proxy -> alice  BYE
         alice -> proxy  200",
    );
    stage.told(&["Bye"]);
    stage.is_over();

    let (mut stage, _) = up(terms, "Session-Expires=600;refresher=uas");
    stage.run("+568s\nalice -> proxy  BYE\nproxy -> alice  200 BYE");
    stage.told(&["Expired"]);
    stage.is_over();
}

/// RFC 4028 §7.3, §9: what one callee asks for holds for its call alone.
#[test]
fn an_interval_that_is_too_small() {
    let mut stage = Stage::new(|config| Config { session_timer: Some(Terms::new(600, 90)), ..config });
    stage.invite();
    stage.run(
        "alice -> proxy  INVITE  Session-Expires=600 -Min-SE
         proxy -> alice  422  Min-SE=900
         alice -> proxy  ACK
         alice -> proxy  INVITE  Session-Expires=900 Min-SE=900 CSeq='2 INVITE'
         proxy -> alice  422  Min-SE=900
         alice -> proxy  ACK",
    );
    stage.told(&["refused 422"]);
    stage.run(
        "proxy -> alice  INVITE sip:alice@192.0.2.1  Session-Expires=80 Supported=timer
         alice -> proxy  422  Min-SE=90
         proxy -> alice  ACK",
    );
    stage.is_over();
}

/// RFC 3262 §3: reliable where the caller knows it; the 2xx waits for the PRACK of an answer.
#[test]
fn reliable_responses_of_the_called_side() {
    let mut stage = Stage::new(|config| config);
    stage.run("proxy -> alice  INVITE sip:alice@192.0.2.1  Supported=100rel");
    let (call, id) = (stage.call(), stage.notes.borrow().request.unwrap());
    let invite = stage.alice(|alice, _| alice.waiting.get(&id).unwrap().1.clone());
    let answer = crate::testing::sdp_answer(std::str::from_utf8(&invite.body()).unwrap(), "192.0.2.1", 40_000);
    let progress = invite.reply(crate::StatusCode::SESSION_PROGRESS).with_body("application/sdp", answer.clone());
    stage.alice(|alice, now| alice.respond(id, progress, now)).unwrap();
    stage.run("alice -> proxy  183  Require=100rel +RSeq +sdp\n+500ms\nalice -> proxy  183  again\n+500ms");
    stage.alice(|alice, now| alice.respond(id, invite.reply(crate::StatusCode::OK), now)).unwrap();
    stage.run(
        "proxy -> alice  PRACK  RAck='1 1 INVITE'
         alice -> proxy  481
         proxy -> alice  PRACK
         alice -> proxy  200 PRACK
         alice -> proxy  200 INVITE  -sdp
         proxy -> alice  ACK",
    );
    stage.told(&["INVITE", "confirmed"]);
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run("alice -> proxy  BYE\nproxy -> alice  200 BYE");
    stage.is_over();
}

/// RFC 3262 §3: without a PRACK the call is refused at the end of 64*T1.
#[test]
fn a_reliable_response_that_is_never_acknowledged() {
    let mut stage = Stage::new(|config| config);
    stage.run("proxy -> alice  INVITE sip:alice@192.0.2.1  Require=100rel");
    let id = stage.notes.borrow().request.unwrap();
    let invite = stage.alice(|alice, _| alice.waiting.get(&id).unwrap().1.clone());
    stage.alice(|alice, now| alice.respond(id, invite.reply(crate::StatusCode::RINGING), now)).unwrap();
    let again: String = [500, 1_000, 2_000, 4_000, 8_000, 16_000]
        .map(|wait| format!("+{wait}ms\nalice -> proxy  180  again\n"))
        .concat();
    stage.run(&format!("alice -> proxy  180  Require=100rel\n{again}+500ms\nalice -> proxy  504\nproxy -> alice  ACK"));
    stage.told(&["INVITE", "NoAck"]);
    stage.is_over();
}

/// RFC 3261 §15: a call is not ended between its 2xx and the ACK.
#[test]
fn a_call_is_hung_up_before_its_ack() {
    let mut stage = Stage::new(|config| config);
    stage.run("proxy -> alice  INVITE sip:alice@192.0.2.1");
    let call = stage.call();
    stage.alice(|alice, now| {
        alice.answer(call, &offer(1), now).unwrap();
        alice.hang_up(call, now)
    });
    stage.run("alice -> proxy  200\nproxy -> alice  ACK\nalice -> proxy  BYE\nproxy -> alice  200 BYE");
    stage.told(&["INVITE"]);
    stage.is_over();
    stage.run("proxy -> alice  INVITE sip:alice@192.0.2.1");
    let call = stage.call();
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run("alice -> proxy  480\nproxy -> alice  ACK");
    stage.told(&["INVITE"]);
    stage.is_over();
}

/// RFC 3891 §3: the 2xx ends the call whose place the new one takes.
#[test]
fn a_call_takes_the_place_of_another() {
    let (mut stage, call) = up(|config| config, "");
    let id = stage.alice(|alice, _| alice.dialog(call).unwrap().id().clone());
    let replaces = format!("{};to-tag={};from-tag={}", id.call_id, id.local_tag, id.remote_tag);
    stage
        .run(&format!("carol = udp:192.0.2.3:5060\ncarol -> alice  INVITE sip:alice@192.0.2.1  Replaces='{replaces}'"));
    let taken = stage.call();
    stage.alice(|alice, now| alice.answer(taken, &offer(1), now)).unwrap();
    stage.run(
        "alice -> carol  200
         alice -> proxy  BYE
         proxy -> alice  200 BYE
         carol -> alice  ACK
         carol -> alice  INVITE sip:alice@192.0.2.1  Replaces='unknown;to-tag=1;from-tag=2'
         alice -> carol  481
         carol -> alice  ACK",
    );
    stage.told(&["INVITE", "Replaced", "confirmed"]);
}

/// RFC 3261 §8.2.2.2, §8.2.3.
#[test]
fn what_begins_no_call() {
    let mut stage = Stage::new(|config| config);
    stage.run(
        "proxy -> alice  INVITE sip:alice@192.0.2.1  Content-Type=text/plain
         alice -> proxy  415  Accept=application/sdp
         proxy -> alice  ACK
         proxy -> alice  INVITE sip:alice@192.0.2.1  body=nonsense Content-Type=application/sdp
         alice -> proxy  488
         proxy -> alice  ACK",
    );
    stage.told(&[]);
    stage.is_over();
}
