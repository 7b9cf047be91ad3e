use std::cell::RefCell;
use std::rc::Rc;

use crate::message::{Method, Request, StatusCode};
use crate::owned::Owned;
use crate::testing::{Ladder, sdp_answer, sdp_offer_at};
use crate::transaction;
use crate::transport::Listener;
use crate::ua::{Config, Event, UserAgent};
use crate::{Engine, Now};

/// What the owner was told.
type Told = Rc<RefCell<Vec<String>>>;

/// A callee for two calls. It rings, and answers with 200 at once where the target has `at-once` in it, with 486 where it
/// has `busy`. Other requests get 200.
fn bob(told: &Told, now: Now) -> impl FnOnce(Vec<Listener>) -> Box<dyn Engine<Event = std::convert::Infallible>> {
    let told = told.clone();
    move |listeners| {
        let mut config = Config::new(transaction::Config::new([1; 32], listeners));
        config.calls = 2;
        let owner = move |callee: &mut UserAgent, event: Event, now: Now| {
            told.borrow_mut().push(super::text(&event));
            let Event::Request { id, request, .. } = event else { return };
            let answers: &[StatusCode] = match (request.is(&Method::Invite), request.target()) {
                (false, _) => &[StatusCode::OK],
                (true, target) if target.contains("busy") => &[StatusCode::BUSY_HERE],
                (true, target) if target.contains("at-once") => &[StatusCode::RINGING, StatusCode::OK],
                (true, _) => &[StatusCode::RINGING],
            };
            for status in answers {
                let response = request.reply(*status);
                let is_answer = request.is(&Method::Invite) && status.is_success();
                let response =
                    if is_answer { response.with_body("application/sdp", answer(&request)) } else { response };
                callee.respond(id, response, now).unwrap();
            }
        };
        Box::new(Owned::new(UserAgent::new(config, now), now, owner))
    }
}

/// The description that goes into a 2xx.
fn answer(invite: &Request) -> String {
    match std::str::from_utf8(&invite.body()) {
        Ok("") | Err(_) => sdp_offer_at("192.0.2.2", 40_000),
        Ok(offer) => sdp_answer(offer, "192.0.2.2", 40_000),
    }
}

#[track_caller]
fn check(script: &str, expected: &[&str]) {
    let told = Told::default();
    let ladder = Ladder::new();
    let now = ladder.now();
    ladder
        .engine("bob", ["udp:192.0.2.2:5060", "tcp:192.0.2.2:5060"], bob(&told, now))
        .peer("alice", "udp:192.0.2.1:5060")
        .run(script);
    assert_eq!(*told.borrow(), expected);
}

#[test]
fn a_call_is_answered_and_ended() {
    check(
        "alice -> bob  INVITE sip:at-once@ims.example
         bob -> alice  180  Contact=<sip:callee@192.0.2.2:5060;transport=udp>
         bob -> alice  200  Contact=<sip:callee@192.0.2.2:5060;transport=udp> To~=;tag=
         alice -> bob  ACK
         +1m
         alice -> bob  BYE
         bob -> alice  200",
        &["INVITE", "confirmed", "Bye"],
    );
}

/// RFC 3261 §13.3.1.4: at T1, doubling up to T2, whatever the transport, until the ACK.
#[test]
fn a_2xx_is_repeated_until_its_ack_comes() {
    for peer in ["alice", "alice/tcp"] {
        let script = "alice = udp:192.0.2.1:5060 tcp:192.0.2.1:5060
             PEER -> bob  INVITE sip:at-once@ims.example
             bob -> PEER  180
             bob -> PEER  200
             +500ms
             bob -> PEER  200  again
             +1s
             bob -> PEER  200  again
             +2s
             bob -> PEER  200  again
             +4s
             bob -> PEER  200  again
             +4s
             bob -> PEER  200  again
             PEER -> bob  ACK
             +1m
             PEER -> bob  ACK  again
             +1m";
        let told = Told::default();
        let ladder = Ladder::new();
        let now = ladder.now();
        ladder
            .engine("bob", ["udp:192.0.2.2:5060", "tcp:192.0.2.2:5060"], bob(&told, now))
            .run(&script.replace("PEER", peer));
        assert_eq!(*told.borrow(), ["INVITE", "confirmed"]);
    }
}

/// RFC 3261 §13.3.1.4, §12.1.1: the BYE takes the route set in the order of the Record-Route.
#[test]
fn a_call_without_an_ack_is_ended() {
    let repeated = "\n+4s\nbob -> alice  200  again".repeat(6);
    check(
        &format!(
            "proxy = udp:192.0.2.9:5060
             alice -> bob  INVITE sip:at-once@ims.example Record-Route+=<sip:192.0.2.9;lr> Record-Route+=<sip:192.0.2.8;lr>
             bob -> alice  180  Record-Route#=2
             bob -> alice  200
             +500ms
             bob -> alice  200  again
             +1s
             bob -> alice  200  again
             +2s
             bob -> alice  200  again
             +4s
             bob -> alice  200  again{repeated}
             +500ms
             bob -> proxy  BYE sip:alice@192.0.2.1:5060
             |             Route='<sip:192.0.2.9;lr>, <sip:192.0.2.8;lr>' CSeq='1 BYE' Max-Forwards=70
             proxy -> bob  200
             +1m
             alice -> bob  ACK
             alice -> bob  BYE
             bob -> alice  481"
        ),
        &["INVITE", "NoAck"],
    );
}

/// RFC 3261 §9.2.
#[test]
fn a_call_that_rings_is_cancelled() {
    check(
        "alice -> bob  INVITE sip:bob@ims.example
         bob -> alice  180
         alice -> bob  CANCEL
         bob -> alice  200  CSeq='1 CANCEL' To~=;tag=
         bob -> alice  487  CSeq='1 INVITE'
         alice -> bob  ACK
         +1m
         alice -> bob  CANCEL again
         bob -> alice  481",
        &["INVITE", "cancelled"],
    );
}

/// RFC 3261 §15.1.2.
#[test]
fn a_call_that_rings_is_ended_by_bye() {
    check(
        "alice -> bob  INVITE sip:bob@ims.example
         bob -> alice  180
         alice -> bob  BYE
         bob -> alice  200  CSeq='2 BYE'
         bob -> alice  487  CSeq='1 INVITE'
         alice -> bob  ACK",
        &["INVITE", "cancelled"],
    );
}

#[test]
fn a_refused_call_is_forgotten() {
    check(
        "alice -> bob  INVITE sip:busy@ims.example
         bob -> alice  486  -Contact To~=;tag=
         alice -> bob  ACK
         alice -> bob  INVITE sip:at-once@ims.example
         bob -> alice  180
         bob -> alice  200
         alice -> bob  ACK
         alice -> bob  INVITE sip:at-once@ims.example
         bob -> alice  180
         bob -> alice  200
         alice -> bob  ACK
         alice -> bob  INVITE sip:bob@ims.example
         bob -> alice  486
         alice -> bob  ACK",
        &["INVITE", "INVITE", "confirmed", "INVITE", "confirmed"],
    );
}

/// RFC 3261 §14.2, §12.2.2.
#[test]
fn a_call_goes_on_after_a_reinvite() {
    let call = "alice -> bob  INVITE sip:at-once@ims.example Contact=<sip:at-once@192.0.2.1:5060>
         bob -> alice  180
         bob -> alice  200  Contact=<sip:callee@192.0.2.2:5060;transport=udp>
         alice -> bob  ACK";
    check(
        &format!(
            "{call}
             alice -> bob  INVITE
             bob -> alice  180
             alice -> bob  INVITE
             bob -> alice  500  +Retry-After CSeq='3 INVITE'
             alice -> bob  ACK
             +1m
             alice -> bob  BYE
             bob -> alice  200
             bob -> alice  487  CSeq='2 INVITE'
             alice -> bob  ACK  CSeq='2 ACK'"
        ),
        &["INVITE", "confirmed", "INVITE", "cancelled", "Bye"],
    );
    check(
        &format!(
            "{call}
             alice -> bob  INVITE
             bob -> alice  180
             alice -> bob  CANCEL
             bob -> alice  200
             bob -> alice  487
             alice -> bob  ACK
             +1m
             alice -> bob  MESSAGE
             bob -> alice  200"
        ),
        &["INVITE", "confirmed", "INVITE", "cancelled", "MESSAGE"],
    );
}

/// RFC 3261 §12.2.2, §15.1.2.
#[test]
fn requests_of_no_dialog_get_481() {
    check(
        "alice -> bob  BYE sip:bob@ims.example
         bob -> alice  481
         alice -> bob  INFO sip:bob@ims.example
         bob -> alice  405  Allow='ACK, BYE, CANCEL, INVITE, NOTIFY, PRACK, UPDATE, MESSAGE, OPTIONS'
         alice -> bob  OPTIONS sip:bob@ims.example To=<sip:bob@ims.example>;tag=unknown
         bob -> alice  481
         alice -> bob  ACK sip:bob@ims.example To=<sip:bob@ims.example>;tag=unknown
         alice -> bob  MESSAGE sip:bob@ims.example
         bob -> alice  200  To~=;tag= -Allow
         alice -> bob  OPTIONS sip:bob@ims.example
         bob -> alice  200  Allow~=INVITE",
        &["MESSAGE", "OPTIONS"],
    );
}

/// RFC 3261 §12.2.2.
#[test]
fn a_request_older_than_the_last_gets_500() {
    check(
        "alice -> bob  INVITE sip:at-once@ims.example
         bob -> alice  180
         bob -> alice  200
         alice -> bob  ACK
         alice -> bob  MESSAGE
         bob -> alice  200
         alice -> bob  MESSAGE CSeq='2 MESSAGE'
         bob -> alice  500
         alice -> bob  BYE CSeq='9 BYE'
         bob -> alice  200",
        &["INVITE", "confirmed", "MESSAGE", "Bye"],
    );
}

/// RFC 3261 §8.2.2.3, §8.1.1.8, §8.2.1.
#[test]
fn what_cannot_be_served_is_refused() {
    check(
        "alice -> bob  INVITE sip:bob@ims.example Require='100rel, precondition, path'
         bob -> alice  420  Unsupported='precondition, path'
         alice -> bob  ACK
         alice -> bob  INVITE sip:bob@ims.example -Contact
         bob -> alice  400
         alice -> bob  ACK
         alice -> bob  OPTIONS sip:bob@ims.example Max-Forwards=many
         bob -> alice  400  +Warning",
        &[],
    );
}

/// RFC 3261 §8.1.1.5: a CANCEL whose CSeq says something else is none, and cancels nothing.
#[test]
fn a_cancel_that_calls_itself_an_invite() {
    check(
        "alice -> bob  INVITE sip:bob@192.0.2.2
         bob -> alice  180
         alice -> bob  CANCEL  CSeq='1 INVITE'
         bob -> alice  400",
        &["INVITE"],
    );
}
