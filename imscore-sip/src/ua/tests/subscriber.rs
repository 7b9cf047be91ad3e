//! The side that subscribes: RFC 6665 §4.1.

use std::time::Duration;

use super::{Stage, bob};
use crate::header::Event;
use crate::message::{Message, Method};
use crate::testing;
use crate::ua::SubscriptionHandle;

fn subscribe(stage: &mut Stage, seconds: u64) -> SubscriptionHandle {
    stage.alice(|alice, now| alice.subscribe(&bob(), &Event::new("reg"), Duration::from_secs(seconds), now))
}

/// Neither subscriptions nor names of them are left.
#[track_caller]
fn is_over(stage: &mut Stage) {
    stage.is_over();
    let left = stage.alice(|alice, _| (alice.subscriptions.len(), alice.subscribed.len()));
    assert_eq!(left, (0, 0));
}

/// RFC 6665 §4.1.2.1, §4.1.2.2, §4.1.2.3: it begins, is refreshed in time, and is taken back.
#[test]
fn a_subscription_lives_until_it_is_taken_back() {
    let mut stage = Stage::new(|config| config);
    let handle = subscribe(&mut stage, 600);
    stage.run(
        "alice -> proxy  SUBSCRIBE sip:bob@ims.example  Event=reg Expires=600 +Contact CSeq='1 SUBSCRIBE'
         proxy -> alice  200  Expires=300
         proxy -> alice  NOTIFY  Event=reg Subscription-State='pending;expires=300' body=one
         alice -> proxy  200  CSeq~=NOTIFY
         +10s
         proxy -> alice  NOTIFY  Event=reg Subscription-State='active;expires=290' body=two
         alice -> proxy  200
         +145s
         alice -> proxy  SUBSCRIBE  Event=reg Expires=300 CSeq='2 SUBSCRIBE' +Contact
         proxy -> alice  200  Expires=300
         proxy -> alice  NOTIFY  Event=reg Subscription-State='active;expires=300'
         alice -> proxy  200
         +10s",
    );
    stage.told(&["notified pending;expires=300", "notified active;expires=290", "notified active;expires=300"]);
    assert!(stage.alice(|alice, now| alice.unsubscribe(handle, now)));
    stage.run(
        "alice -> proxy  SUBSCRIBE  Event=reg Expires=0 CSeq='3 SUBSCRIBE'
         proxy -> alice  200  Expires=0
         proxy -> alice  NOTIFY  Event=reg Subscription-State='terminated;reason=timeout'
         alice -> proxy  200",
    );
    stage.told(&[]);
    is_over(&mut stage);
}

/// A NOTIFY from a notifier of that tag, for the SUBSCRIBE that alice sent last.
fn notify(stage: &mut Stage, tag: &str, state: &str) {
    let sent: Vec<_> = stage.ladder.network().trace().sent().filter_map(|sent| sent.message()).collect();
    let subscribe = sent.iter().rev().find_map(|message| match message {
        Message::Request(request) if request.is(&Method::Subscribe) => Some(request),
        Message::Request(_) | Message::Response(_) => None,
    });
    let headers = &subscribe.unwrap().headers;
    let raw = |name: &str| String::from_utf8(headers.raw(name).unwrap().to_vec()).unwrap();
    let notify = testing::request("NOTIFY", "sip:alice@192.0.2.1:5060")
        .header("Via", format!("SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{tag}"))
        .header("From", format!("<sip:bob@ims.example>;tag={tag}"))
        .header("To", raw("From"))
        .header("Call-ID", raw("Call-ID"))
        .header("Contact", "<sip:bob@192.0.2.9>")
        .header("Event", "reg")
        .header("Subscription-State", state);
    stage.ladder = std::mem::take(&mut stage.ladder).draft("notify", notify);
}

/// RFC 6665 §4.4.1: each notifier of a forked SUBSCRIBE has a dialog; one below the limit of them, at it, and above.
#[test]
fn a_subscribe_that_was_forked() {
    let mut stage = Stage::new(|config| config);
    let handle = subscribe(&mut stage, 600);
    stage.run("alice -> proxy  SUBSCRIBE sip:bob@ims.example\nproxy -> alice  200  Expires=600");
    for at in 1..=17 {
        notify(&mut stage, &format!("b{at}"), "active;expires=600");
        let status = if at <= 16 { 200 } else { 481 };
        stage.run(&format!("proxy -> alice  $notify\nalice -> proxy  {status}"));
    }
    let legs = stage.alice(|alice, _| alice.subscriptions.get(handle.0).unwrap().notifiers());
    assert_eq!(legs, 16);
    // A late one makes none (Timer N).
    let mut stage = Stage::new(|config| config);
    let handle = subscribe(&mut stage, 600);
    stage.run("alice -> proxy  SUBSCRIBE sip:bob@ims.example\nproxy -> alice  200  Expires=600");
    notify(&mut stage, "b1", "active;expires=600");
    stage.run("proxy -> alice  $notify\nalice -> proxy  200\n+32s");
    notify(&mut stage, "b2", "active;expires=600");
    stage.run("proxy -> alice  $notify\nalice -> proxy  481");
    assert_eq!(stage.alice(|alice, _| alice.subscriptions.get(handle.0).unwrap().notifiers()), 1);
}

/// RFC 6665 §4.4.1: the NOTIFY that overtakes the 2xx makes the dialog; §4.4.3: one state, and no more.
#[test]
fn a_fetch_whose_notify_comes_first() {
    let mut stage = Stage::new(|config| config);
    subscribe(&mut stage, 0);
    stage.run("alice -> proxy  SUBSCRIBE sip:bob@ims.example  Expires=0");
    notify(&mut stage, "b", "terminated;reason=timeout");
    stage.run(
        "proxy -> alice  $notify
         alice -> proxy  200
         proxy -> alice  200 SUBSCRIBE  Expires=0",
    );
    let end = "unsubscribed Terminated(terminated;reason=timeout)";
    stage.told(&["notified terminated;reason=timeout", end]);
    is_over(&mut stage);
}

/// RFC 6665 §4.1.2.4: Timer N.
#[test]
fn without_a_notify_it_ends() {
    let mut stage = Stage::new(|config| config);
    subscribe(&mut stage, 600);
    stage.run(
        "alice -> proxy  SUBSCRIBE sip:bob@ims.example
         proxy -> alice  200  Expires=600
         +31999ms",
    );
    stage.told(&[]);
    stage.run("+1ms");
    stage.told(&["unsubscribed Expired"]);
    is_over(&mut stage);
}

/// RFC 6665 §4.1.2.2: Timer N of a refresh.
#[test]
fn without_a_notify_after_a_refresh_it_ends() {
    let mut stage = Stage::new(|config| config);
    subscribe(&mut stage, 600);
    stage.run(
        "alice -> proxy  SUBSCRIBE sip:bob@ims.example
         proxy -> alice  200  Expires=600
         proxy -> alice  NOTIFY  Event=reg Subscription-State='active;expires=600'
         alice -> proxy  200
         +300s
         alice -> proxy  SUBSCRIBE
         proxy -> alice  200  Expires=600
         +32s",
    );
    stage.told(&["notified active;expires=600", "unsubscribed Expired"]);
    is_over(&mut stage);
}

/// RFC 6665 §4.1.2.1 (423), §4.1.2.2 (481 ends, 500 does not).
#[test]
fn refusals() {
    let mut stage = Stage::new(|config| config);
    subscribe(&mut stage, 60);
    stage.run(
        "alice -> proxy  SUBSCRIBE sip:bob@ims.example  Expires=60
         proxy -> alice  423  Min-Expires=600
         alice -> proxy  SUBSCRIBE sip:bob@ims.example  Expires=600 CSeq='2 SUBSCRIBE'
         proxy -> alice  200  Expires=600
         proxy -> alice  NOTIFY  Event=reg Subscription-State='active;expires=600'
         alice -> proxy  200
         +300s
         alice -> proxy  SUBSCRIBE  CSeq='3 SUBSCRIBE'
         proxy -> alice  500
         +150s
         alice -> proxy  SUBSCRIBE  CSeq='4 SUBSCRIBE'
         proxy -> alice  481",
    );
    stage.told(&["notified active;expires=600", "refused 481"]);
    is_over(&mut stage);
    subscribe(&mut stage, 60);
    stage.run("alice -> proxy  SUBSCRIBE sip:bob@ims.example\nproxy -> alice  489  Allow-Events=presence");
    stage.told(&["refused 489"]);
    is_over(&mut stage);
}

/// RFC 6665 §4.1.3: 481 for what was not asked for, 489 without an event; §4.2.2 out of order.
#[test]
fn notifies_that_nobody_waits_for() {
    let mut stage = Stage::new(|config| config);
    subscribe(&mut stage, 600);
    stage.run(
        "alice -> proxy  SUBSCRIBE sip:bob@ims.example
         proxy -> alice  200  Expires=600
         proxy -> alice  NOTIFY  Event=presence Subscription-State=active
         alice -> proxy  481
         proxy -> alice  NOTIFY  Event='reg;id=7' Subscription-State=active
         alice -> proxy  481
         proxy -> alice  NOTIFY  -Event Subscription-State=active
         alice -> proxy  489
         proxy -> alice  NOTIFY  Event=reg -Subscription-State
         alice -> proxy  400
         proxy -> alice  NOTIFY  Event=reg Subscription-State='active;expires=600' CSeq='9 NOTIFY'
         alice -> proxy  200
         proxy -> alice  NOTIFY  Event=reg Subscription-State='active;expires=600' CSeq='8 NOTIFY'
         alice -> proxy  500
         proxy -> alice  NOTIFY  Event=reg Subscription-State='terminated;reason=rejected' CSeq='10 NOTIFY'
         alice -> proxy  200
         proxy -> alice  NOTIFY  Event=reg Subscription-State=active CSeq='11 NOTIFY'
         alice -> proxy  481",
    );
    stage.told(&[
        "notified active;expires=600",
        "notified terminated;reason=rejected",
        "unsubscribed Terminated(terminated;reason=rejected)",
    ]);
    is_over(&mut stage);
}
