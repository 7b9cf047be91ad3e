//! What the HSS announces, at the whole core (TS 29.228 §6.1.3, §6.2.2).

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use imscore_hss::{
    Credentials, DigestCredentials, Hss, PrivateIdentity, PublicIdentity, Subscription, TerminationReason,
};
use imscore_sip::testing::Ladder;

use super::core::{REGISTERED, hss, ladder_over};

/// An HSS in process does not wait for anything.
fn at_once<T>(done: impl Future<Output = T>) -> T {
    match pin!(done).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

fn registered() -> (Arc<Hss>, Ladder) {
    let hss = Arc::new(hss());
    let mut ladder = ladder_over(hss.clone());
    ladder.run(REGISTERED);
    (hss, ladder)
}

/// Whatever the reason: the user is gone, may do nothing, and can come back.
#[test]
fn every_reason_of_a_termination() {
    for reason in [
        TerminationReason::Permanent,
        TerminationReason::NewServerAssigned,
        TerminationReason::ServerChange,
        TerminationReason::RemoveScscf,
    ] {
        let (hss, mut ladder) = registered();
        let bob: PublicIdentity = "sip:bob@ims.example".parse().unwrap();
        assert_eq!(at_once(hss.deregister(&bob, reason)), Ok(true), "{reason:?}");
        ladder.run(
            "+1s
             alice -> core  MESSAGE sip:bob@ims.example body=hi
             core -> alice  480
             bob -> core    MESSAGE sip:alice@ims.example body=hi
             core -> bob    403
             bob -> core    REGISTER sip:ims.example
             core -> bob    401
             bob -> core    REGISTER sip:ims.example  password=secret user=bob@ims.example
             core -> bob    200
             alice -> core  MESSAGE sip:bob@ims.example body=hi
             core -> bob    MESSAGE sip:bob@192.0.2.2*
             bob -> core    200
             core -> alice  200",
        );
    }
}

/// A pushed profile is in force without a word of the phone.
#[test]
fn another_number() {
    let (hss, mut ladder) = registered();
    let private: PrivateIdentity = "bob@ims.example".parse().unwrap();
    let digest = DigestCredentials::from_password(&private, "ims.example", "secret").unwrap();
    let identities = ["sip:bob@ims.example", "tel:+12015550177"].map(|text| text.parse().unwrap());
    at_once(hss.put(Subscription::new(private, identities, Credentials::Digest(digest)).unwrap())).unwrap();
    ladder.run(
        "+1s
         alice -> core  MESSAGE tel:+12015550177 body=hi
         core -> bob    MESSAGE sip:bob@192.0.2.2*
         bob -> core    200
         core -> alice  200
         alice -> core  MESSAGE tel:+12015550102 body=hi
         core -> alice  404",
    );
}
