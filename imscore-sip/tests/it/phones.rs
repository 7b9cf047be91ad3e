//! Phones over loopback: what is dropped ends.

use std::time::Duration;

use imscore_sip::dialog::{Refer, Subscription};
use imscore_sip::header::{Event as Package, ReferTo};
use imscore_sip::sdp::SessionDescription;
use imscore_sip::tokio::ua::{Call, CallError, Incoming, Phone};
use imscore_sip::ua::{Event, Reports};
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

/// RFC 6665 over loopback: what is subscribed to is told, and the end of either handle is the end.
#[tokio::test]
async fn a_subscription_is_served_and_taken_back() {
    soon(async {
        let alice = phone().await;
        let bob = Phone::bind(["udp:127.0.0.1:0".parse().unwrap()], |mut config| {
            config.events.push("presence".into());
            config
        });
        let bob = bob.await.unwrap();
        let presence = Package::new("presence");
        let mut subscription = alice.subscribe(&of(&bob), &presence, Duration::from_secs(600)).await.unwrap();
        let build = |notify: &mut Request| notify.set_body("text/plain", "open");
        let mut watcher = bob.asked().await.unwrap().admit(Subscription::Active, build).await.unwrap();
        match subscription.next().await {
            Some(Event::Notified { notify, .. }) => assert_eq!(notify.body(), "open"),
            other => panic!("{other:?}"),
        }
        drop(subscription);
        assert!(watcher.refreshed().await);
        assert!(watcher.notify(build).await);
        assert!(!watcher.refreshed().await);

        let mut subscription = alice.subscribe(&of(&bob), &presence, Duration::from_secs(600)).await.unwrap();
        drop(bob.asked().await.unwrap().admit(Subscription::Active, build).await.unwrap());
        assert!(matches!(subscription.next().await, Some(Event::Notified { .. })));
        assert!(matches!(subscription.next().await, Some(Event::Notified { .. })));
        assert!(matches!(subscription.next().await, Some(Event::Unsubscribed { .. })));
        assert!(subscription.next().await.is_none());
    })
    .await;
}

/// RFC 3515 and RFC 7614 over loopback: bob has alice call carol, and is told how that went, in their call or apart from it.
#[tokio::test]
async fn a_blind_transfer() {
    for reports in [Reports::Implicit, Reports::Explicit] {
        soon(transfer(reports)).await;
    }
}

async fn transfer(reports: Reports) {
    let [bob, carol] = [phone().await, phone().await];
    let alice = Phone::bind(["udp:127.0.0.1:0".parse().unwrap()], |mut config| {
        config.methods.push(Method::Refer);
        config
    });
    let alice = alice.await.unwrap();
    let mut call = alice.call(&of(&bob), Some(&sound())).await.unwrap();
    let answered = bob.incoming().await.unwrap().answer(&sound()).await.unwrap();
    call.answered().await.unwrap();
    let mut told = answered.refer_with(&ReferTo::new(of(&carol)), reports).await.unwrap();
    let id = match call.next().await {
        Some(Event::Request { id, .. }) => id,
        other => panic!("{other:?}"),
    };
    let mut transferred = call.follow(id, Some(&sound())).await.unwrap();
    let _carol = carol.incoming().await.unwrap().answer(&sound()).await.unwrap();
    transferred.answered().await.unwrap();
    let mut statuses = Vec::new();
    while let Some(Event::Notified { notify, .. }) = told.next().await {
        statuses.extend(Refer::progress(&notify.body()));
    }
    // Whoever subscribes apart may come when all is over.
    assert_eq!(statuses.last(), Some(&StatusCode::OK), "{statuses:?}");
    assert!(reports == Reports::Explicit || statuses[0] == StatusCode::TRYING, "{statuses:?}");
}

#[tokio::test]
async fn a_message_and_a_question() {
    soon(async {
        let [alice, bob] = [phone().await, phone().await];
        let target = of(&bob);
        let (sent, taken) = tokio::join!(alice.message(&target, "hello"), async {
            let mut asked = bob.asked().await.unwrap();
            let body = asked.request().body();
            asked.respond(asked.request().reply(StatusCode::OK)).await.unwrap();
            body
        });
        assert_eq!((sent.unwrap().status(), taken.as_ref()), (StatusCode::OK, &b"hello"[..]));
        let known = alice.options(&of(&bob)).await.unwrap();
        assert!(known.headers.allows(&Method::Message));
    })
    .await;
}
