//! The whole core when a phone is gone, or the HSS.

use std::sync::Arc;

use imscore_hss::testing::{Command, Fault, FaultyHss};
use imscore_hss::{Hss, HssError};
use imscore_sip::testing::Ladder;

use crate::core::{REGISTERED, hss, ladder, ladder_over};

/// Alice by TCP and Bob by UDP, in a call that `caller` began.
fn in_a_call(caller: &str) -> Ladder {
    let mut ladder = ladder();
    ladder.run(
        "phone = tcp:192.0.2.4:5060 sip:alice@ims.example
         phone -> core  REGISTER sip:ims.example
         core -> phone  401
         phone -> core  REGISTER sip:ims.example  password=secret user=alice@ims.example
         core -> phone  200
         bob -> core    REGISTER sip:ims.example
         core -> bob    401
         bob -> core    REGISTER sip:ims.example  password=secret user=bob@ims.example
         core -> bob    200",
    );
    let callee = if caller == "bob" { "phone" } else { "bob" };
    let called = if caller == "bob" { "alice" } else { "bob" };
    ladder.run(&format!(
        "{caller} -> core  INVITE sip:{called}@ims.example
         core -> {caller}  100
         core -> {callee}  INVITE sip:{called}@192.0.2.*
         {callee} -> core  200
         core -> {caller}  200
         {caller} -> core  ACK
         core -> {callee}  ACK"
    ));
    ladder
}

/// TS 24.229 §5.2.8.1.2: the call of a phone whose connection is lost is ended towards the other, with a CSeq that none
/// of the phone's own requests can have overtaken.
#[test]
fn a_phone_that_is_gone_is_hung_up_for() {
    for (caller, cseq) in [("phone", "CSeq='1001 BYE'"), ("bob", "CSeq='1000 BYE'")] {
        in_a_call(caller).run(&format!(
            "phone -> core  close
             +32s
             core -> bob    BYE sip:bob@192.0.2.2*  {cseq} Reason~=503 -Route
             bob -> core    200"
        ));
    }
}

/// A phone that is back in time, and speaks in its call, keeps it.
#[test]
fn a_phone_that_comes_back_keeps_its_call() {
    in_a_call("phone").run(
        "phone -> core  close
         +10s
         phone -> core  REGISTER sip:ims.example  password=secret user=alice@ims.example
         core -> phone  200
         phone -> core  UPDATE
         core -> bob    UPDATE
         bob -> core    200
         core -> phone  200
         +60s
         bob -> core    BYE
         core -> phone  BYE
         phone -> core  200
         core -> bob    200",
    );
}

fn faulty() -> (Arc<FaultyHss<Hss>>, Ladder) {
    let hss = Arc::new(FaultyHss::new(hss()));
    let ladder = ladder_over(hss.clone());
    (hss, ladder)
}

/// An HSS that is down is not a user that is unknown: no 403, no 404 (TS 29.228 §6; threats R4, X11).
#[test]
fn x11_an_hss_that_is_away_is_said_to_be() {
    for (command, status) in [(Command::UserAuthorization, 480), (Command::MultimediaAuth, 504)] {
        let (hss, mut ladder) = faulty();
        hss.fail_next(command, Fault::Answer(HssError::Unreachable));
        ladder.run(&format!(
            "alice -> core  REGISTER sip:ims.example
             core -> alice  {status}
             alice -> core  REGISTER sip:ims.example
             core -> alice  401"
        ));
    }
    let (hss, mut ladder) = faulty();
    ladder.run(REGISTERED);
    hss.fail_next(Command::LocationInfo, Fault::Answer(HssError::Busy { retry_after: None }));
    hss.fail_next(Command::LocationInfo, Fault::Answer(HssError::Unreachable));
    ladder.run(
        "alice -> core  MESSAGE sip:bob@ims.example body=hi
         core -> alice  480
         alice -> core  MESSAGE sip:bob@ims.example body=hi
         core -> alice  504",
    );
}
