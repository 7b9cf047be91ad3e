//! The side that notifies: RFC 6665 §4.2.

use std::time::Duration;

use super::Stage;
use crate::dialog::Subscription;
use crate::header::SubscriptionState;
use crate::ua::{Config, WatcherHandle};

fn serving(config: Config) -> Config {
    Config { events: vec!["reg".into(), "dialog".into()], ..config }
}

/// Takes the SUBSCRIBE that alice was told of last.
fn admit(stage: &mut Stage, state: Subscription) -> WatcherHandle {
    let id = stage.notes.borrow().request.unwrap();
    stage.alice(|alice, now| alice.admit(id, state, |notify| notify.set_body("text/plain", "state"), now)).unwrap()
}

#[track_caller]
fn is_over(stage: &mut Stage) {
    stage.is_over();
    let left = stage.alice(|alice, _| (alice.watchers(), alice.watched.len(), alice.wishes.len()));
    assert_eq!(left, (0, 0, 0));
}

const SUBSCRIBE: &str = "proxy -> alice  SUBSCRIBE sip:alice@192.0.2.1  Event=reg Expires=600\n";

/// RFC 6665 §4.2.1.2, §4.2.1.4, §4.2.2: pending, active, refreshed, over.
#[test]
fn a_subscription_is_served_until_it_expires() {
    let mut stage = Stage::new(serving);
    stage.run(SUBSCRIBE);
    let watcher = admit(&mut stage, Subscription::Pending);
    stage.run(
        "alice -> proxy  200  Expires=600 +Contact CSeq~=SUBSCRIBE
         alice -> proxy  NOTIFY  Event=reg Subscription-State='pending;expires=600' body~=state +Contact
         proxy -> alice  200
         +100s",
    );
    assert!(stage.alice(|alice, now| alice.activate(watcher) && alice.notify(watcher, |_| {}, now)));
    stage.run(
        "alice -> proxy  NOTIFY  Event=reg Subscription-State='active;expires=500'
         proxy -> alice  200
         proxy -> alice  SUBSCRIBE  Event=reg Expires=200
         alice -> proxy  200  Expires=200",
    );
    stage.told(&["SUBSCRIBE", "watched"]);
    stage.alice(|alice, now| alice.notify(watcher, |_| {}, now));
    stage.run(
        "alice -> proxy  NOTIFY  Subscription-State='active;expires=200'
         proxy -> alice  200
         +200s
         alice -> proxy  NOTIFY  Subscription-State='terminated;reason=timeout'
         proxy -> alice  200",
    );
    stage.told(&["gone"]);
    assert!(!stage.alice(|alice, now| alice.notify(watcher, |_| {}, now)));
    is_over(&mut stage);
}

/// RFC 6665 §4.2.1.3: taken back by the subscriber; the owner has the last word, for five seconds.
#[test]
fn a_subscription_is_taken_back() {
    for says_it in [true, false] {
        let mut stage = Stage::new(serving);
        stage.run(SUBSCRIBE);
        let watcher = admit(&mut stage, Subscription::Active);
        stage.run(
            "alice -> proxy  200
             alice -> proxy  NOTIFY  Subscription-State='active;expires=600'
             proxy -> alice  200
             proxy -> alice  SUBSCRIBE  Event=reg Expires=0
             alice -> proxy  200  Expires=0",
        );
        stage.told(&["SUBSCRIBE", "watched"]);
        if says_it {
            stage.alice(|alice, now| alice.notify(watcher, |notify| notify.set_body("text/plain", "last"), now));
            stage.run("alice -> proxy  NOTIFY  Subscription-State='terminated;reason=timeout' body~=last");
            stage.told(&[]);
        } else {
            stage.run("+5s\nalice -> proxy  NOTIFY  Subscription-State='terminated;reason=timeout'");
            stage.told(&["gone"]);
        }
        stage.run("proxy -> alice  200");
        is_over(&mut stage);
    }
}

/// RFC 6665 §4.1.3: ended from this side, with a reason and a time.
#[test]
fn a_subscription_is_ended_here() {
    let mut stage = Stage::new(serving);
    stage.run(SUBSCRIBE);
    let watcher = admit(&mut stage, Subscription::Active);
    stage.run("alice -> proxy  200\nalice -> proxy  NOTIFY\nproxy -> alice  200");
    let state = SubscriptionState::terminated("probation").with_param("retry-after", "7");
    assert!(stage.alice(|alice, now| alice.terminate_subscription(watcher, state, |_| {}, now)));
    stage.run(
        "alice -> proxy  NOTIFY  Subscription-State='terminated;reason=probation;retry-after=7'
         proxy -> alice  200
         proxy -> alice  SUBSCRIBE  Event=reg
         alice -> proxy  481",
    );
    is_over(&mut stage);
}

/// RFC 6665 §4.2.2: whoever cannot be notified has no subscription.
#[test]
fn a_subscriber_that_is_gone() {
    for answer in ["proxy -> alice  481", "+32s"] {
        let mut stage = Stage::new(serving);
        stage.run(SUBSCRIBE);
        admit(&mut stage, Subscription::Active);
        stage.notes.borrow_mut().told.clear();
        if answer.starts_with('+') {
            stage.ladder.network().run_for(Duration::from_secs(33));
        } else {
            stage.run(&format!("alice -> proxy  200\nalice -> proxy  NOTIFY\n{answer}"));
        }
        stage.told(&["gone"]);
        assert_eq!(stage.alice(|alice, _| alice.watchers()), 0);
    }
}

/// RFC 6665 §4.2.1.1: 489 with what there is, 423, 481; RFC 3261 §8.2.2.2: 482.
#[test]
fn what_is_refused_before_the_owner_is_asked() {
    let mut stage = Stage::new(serving);
    stage.run(
        "proxy -> alice  SUBSCRIBE sip:alice@192.0.2.1  Event=presence
         alice -> proxy  489  Allow-Events='reg, dialog'
         proxy -> alice  SUBSCRIBE sip:alice@192.0.2.1  -Event
         alice -> proxy  489
         proxy -> alice  SUBSCRIBE sip:alice@192.0.2.1  Event=reg Expires=59
         alice -> proxy  423  Min-Expires=60
         proxy -> alice  SUBSCRIBE sip:alice@192.0.2.1  Event=reg -Contact
         alice -> proxy  400
         proxy -> alice  SUBSCRIBE sip:alice@192.0.2.1  Event=reg To=<sip:alice@ims.example>;tag=x
         alice -> proxy  481",
    );
    stage.told(&[]);
    is_over(&mut stage);
}

/// One below the limit, at it, and above.
#[test]
fn subscriptions_are_limited() {
    let mut stage = Stage::new(|config| Config { subscriptions: 2, ..serving(config) });
    for _ in 0..2 {
        stage.run(SUBSCRIBE);
        admit(&mut stage, Subscription::Active);
        stage.run("alice -> proxy  200\nalice -> proxy  NOTIFY\nproxy -> alice  200");
    }
    stage.run(&format!("{SUBSCRIBE}alice -> proxy  503  Retry-After=60"));
    assert_eq!(stage.alice(|alice, _| alice.watchers()), 2);
}
