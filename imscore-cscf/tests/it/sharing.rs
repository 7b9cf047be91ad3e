//! One public identity at several phones, each with a private identity of its own (TS 23.228 §4.3.3.4).

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use imscore_hss::{Credentials, DigestCredentials, Hss, Provision, PublicIdentity, TerminationReason};
use imscore_sip::testing::Ladder;

use crate::core::{REGISTERED, hss, ladder_over};

/// An HSS in process does not wait for anything.
fn at_once<T>(done: impl Future<Output = T>) -> T {
    match pin!(done).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// Alice and Bob, who has a tablet besides his phone.
fn with_a_tablet() -> (Arc<Hss>, Ladder) {
    let hss = Arc::new(hss());
    let tablet = "tablet@ims.example".parse().unwrap();
    let credentials = DigestCredentials::from_password(&tablet, "ims.example", "other").unwrap();
    let share = Provision::Shares {
        private_identity: tablet,
        credentials: Credentials::Digest(credentials),
        with: "bob@ims.example".parse().unwrap(),
    };
    at_once(hss.put(share)).unwrap();
    let mut ladder = ladder_over(hss.clone()).peer("tablet", "udp:192.0.2.3:5060");
    ladder.run(REGISTERED);
    ladder.run(
        "tablet -> core  REGISTER sip:ims.example  From=<sip:bob@ims.example> To=<sip:bob@ims.example>
         |               Authorization='Digest username=\"tablet@ims.example\", realm=\"ims.example\", nonce=\"\", uri=\"sip:ims.example\", response=\"\"'
         core -> tablet  401
         tablet -> core  REGISTER sip:ims.example  password=other user=tablet@ims.example
         |               From=<sip:bob@ims.example> To=<sip:bob@ims.example>
         core -> tablet  200  Contact~=192.0.2.2 Contact~=192.0.2.3 P-Associated-URI~=sip:bob P-Associated-URI~=tel:+12015550102",
    );
    (hss, ladder)
}

/// TS 24.229 §5.4.3.3: both ring, and the one that answers has the call.
#[test]
fn both_ring() {
    with_a_tablet().1.run(
        "alice -> core  INVITE tel:+12015550102
         core -> alice  100
         core -> bob    INVITE sip:bob@192.0.2.2*
         core -> tablet INVITE sip:tablet@192.0.2.3*  P-Called-Party-ID~=tel:+12015550102
         bob -> core    180
         core -> alice  180
         tablet -> core 180
         core -> alice  180
         tablet -> core 200
         core -> bob    CANCEL
         core -> alice  200
         bob -> core    200 CANCEL
         bob -> core    487 INVITE
         core -> bob    ACK
         alice -> core  ACK
         core -> tablet ACK
         alice -> core  BYE
         core -> tablet BYE
         tablet -> core 200
         core -> alice  200",
    );
}

/// TS 24.229 §5.4.1.4, TS 29.228 §6.1.2.1: one phone leaves, the other one is reached.
#[test]
fn one_leaves_and_the_other_stays() {
    with_a_tablet().1.run(
        "bob -> core    REGISTER sip:ims.example  Expires=0 password=secret user=bob@ims.example
         core -> bob    200  Contact~=192.0.2.3
         alice -> core  MESSAGE sip:bob@ims.example body=hi
         core -> tablet MESSAGE sip:tablet@192.0.2.3*
         tablet -> core 200
         core -> alice  200
         tablet -> core REGISTER sip:ims.example  Expires=0 password=other user=tablet@ims.example
         |              From=<sip:bob@ims.example> To=<sip:bob@ims.example>
         core -> tablet 200  -Contact
         alice -> core  MESSAGE sip:bob@ims.example body=hi
         core -> alice  480",
    );
}

/// TS 29.228 §6.1.3: the HSS takes one away, then all.
#[test]
fn what_the_hss_ends() {
    let (hss, mut ladder) = with_a_tablet();
    at_once(hss.delete(&"bob@ims.example".parse().unwrap())).unwrap();
    ladder.run(
        "+1s
         alice -> core  MESSAGE sip:bob@ims.example body=hi
         core -> tablet MESSAGE sip:tablet@192.0.2.3*
         tablet -> core 200
         core -> alice  200",
    );
    let bob: PublicIdentity = "sip:bob@ims.example".parse().unwrap();
    assert_eq!(at_once(hss.deregister(&bob, TerminationReason::Permanent)), Ok(true));
    ladder.run(
        "+1s
         alice -> core  MESSAGE sip:bob@ims.example body=hi
         core -> alice  480",
    );
}

/// TS 29.228 §6.1.3: one word of the HSS is the end of both.
#[test]
fn the_hss_ends_both() {
    let (hss, mut ladder) = with_a_tablet();
    let bob: PublicIdentity = "tel:+12015550102".parse().unwrap();
    assert_eq!(at_once(hss.deregister(&bob, TerminationReason::Permanent)), Ok(true));
    ladder.run(
        "+1s
         alice -> core  MESSAGE sip:bob@ims.example body=hi
         core -> alice  480",
    );
}
