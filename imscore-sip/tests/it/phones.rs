//! Phones over loopback: what is dropped ends.

use std::time::Duration;

use imscore_sip::sdp::SessionDescription;
use imscore_sip::tokio::ua::{Call, CallError, Incoming, Phone};
use imscore_sip::{Method, Request, StatusCode, Uri};

fn sound() -> SessionDescription {
    let text = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    SessionDescription::parse(text.into()).unwrap()
}

/// Two phones, and a call from one to the other that rings.
async fn calling() -> (Phone, Phone, Call, Incoming) {
    let [alice, bob] = [phone().await, phone().await];
    let call = alice.call(&of(&bob), Some(&sound())).await.unwrap();
    let incoming = bob.incoming().await.unwrap();
    incoming.ring().await.unwrap();
    (alice, bob, call, incoming)
}

async fn phone() -> Phone {
    Phone::bind(["udp:127.0.0.1:0".parse().unwrap()], |config| config).await.unwrap()
}

fn of(phone: &Phone) -> Uri {
    format!("sip:bob@{}", phone.listeners()[0].sent_by).parse().unwrap()
}

/// A test that hangs has failed.
async fn soon<R>(act: impl Future<Output = R>) -> R {
    tokio::time::timeout(Duration::from_secs(20), act).await.expect("in time")
}

async fn refused_with(call: &mut Call) -> StatusCode {
    match call.answered().await {
        Err(CallError::Refused(response)) => response.status(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_call_is_answered_changed_and_ended() {
    soon(async {
        let (_alice, _bob, mut call, incoming) = calling().await;
        assert_eq!(call.progress().await.unwrap().status(), StatusCode::RINGING);
        let mut answered = incoming.answer(&sound()).await.unwrap();
        call.answered().await.unwrap();
        assert!(call.agreed().await.is_some());
        let other = sound();
        let (changed, asked) = tokio::join!(call.offer(&other), async {
            loop {
                if let Some(imscore_sip::ua::Event::Request { .. }) = answered.next().await {
                    return answered.answer(&other).await;
                }
            }
        });
        changed.and(asked).unwrap();
        call.hang_up().await;
        answered.ended().await;
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_dropped_hangs_up() {
    soon(async {
        let (alice, _bob, mut call, incoming) = calling().await;
        let mut answered = incoming.answer(&sound()).await.unwrap();
        call.answered().await.unwrap();
        // The phone goes too; its last messages leave all the same.
        drop((call, alice));
        answered.ended().await;
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_rings_is_cancelled() {
    soon(async {
        let (_alice, _bob, call, mut incoming) = calling().await;
        drop(call);
        incoming.cancelled().await;
        assert!(incoming.ring().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn an_incoming_call_that_is_dropped_gets_500() {
    soon(async {
        let (_alice, _bob, mut call, incoming) = calling().await;
        drop(incoming);
        assert_eq!(refused_with(&mut call).await, StatusCode::SERVER_INTERNAL_ERROR);
    })
    .await;
}

#[tokio::test]
async fn an_incoming_call_is_refused() {
    soon(async {
        let (_alice, _bob, mut call, incoming) = calling().await;
        incoming.refuse(StatusCode::BUSY_HERE).await.unwrap();
        assert_eq!(refused_with(&mut call).await, StatusCode::BUSY_HERE);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_dropped_gets_500() {
    soon(async {
        let [alice, bob] = [phone().await, phone().await];
        let message = |phone: &Phone| Request::new(&Method::Message, of(phone).as_str()).with_body("text/plain", "hi");
        let (response, ()) = tokio::join!(alice.request(message(&bob)), async { drop(bob.asked().await) });
        assert_eq!(response.unwrap().status(), StatusCode::SERVER_INTERNAL_ERROR);
        let (response, ()) = tokio::join!(alice.request(message(&bob)), async {
            let mut asked = bob.asked().await.unwrap();
            let ok = asked.request().reply(StatusCode::OK);
            asked.respond(ok).await.unwrap();
        });
        assert_eq!(response.unwrap().status(), StatusCode::OK);
        let options = alice.request(Request::new(&Method::Options, of(&bob).as_str())).await.unwrap();
        assert!(options.headers.contains("Allow"));
    })
    .await;
}

#[tokio::test]
async fn a_call_to_nowhere_fails() {
    soon(async {
        let alice = phone().await;
        let mut call = alice.call(&"sip:bob@name.invalid".parse().unwrap(), None).await.unwrap();
        assert!(matches!(call.answered().await, Err(CallError::Failed(_))));
    })
    .await;
}
