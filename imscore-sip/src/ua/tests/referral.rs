//! REFER, both sides: RFC 3515, RFC 4488, RFC 5589.

use super::{Stage, offer};
use crate::dialog::Refer;
use crate::header::ReferTo;
use crate::message::{Method, StatusCode};
use crate::ua::{CallHandle, Config, Reports};

/// A call of alice that is up.
fn in_call(stage: &mut Stage) -> CallHandle {
    let call = stage.invite();
    stage.run("alice -> proxy  INVITE sip:bob@ims.example\nproxy -> alice  200\nalice -> proxy  ACK");
    stage.notes.borrow_mut().told.clear();
    call
}

fn taking(mut config: Config) -> Config {
    config.methods.push(Method::Refer);
    config
}

fn carol() -> ReferTo {
    ReferTo::new("sip:carol@ims.example".parse::<crate::Uri>().unwrap())
}

/// RFC 3515 §4.1: the subscription outlives the call that it was made in.
#[test]
fn a_blind_transfer_is_asked_for() {
    let mut stage = Stage::new(|config| config);
    let call = in_call(&mut stage);
    stage.alice(|alice, now| alice.refer(call, &carol(), Reports::Implicit, now)).unwrap();
    stage.run(
        "alice -> proxy  REFER  Refer-To=<sip:carol@ims.example> Referred-By=<sip:alice@ims.example> -Refer-Sub +Contact
         proxy -> alice  202
         proxy -> alice  NOTIFY  Event=refer Subscription-State='active;expires=60' body='SIP/2.0 100 Trying'
         alice -> proxy  200",
    );
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run(
        "alice -> proxy  BYE
         proxy -> alice  200
         proxy -> alice  NOTIFY  Event=refer Subscription-State='terminated;reason=noresource' body='SIP/2.0 200 OK'
         alice -> proxy  200",
    );
    let end = "unsubscribed Terminated(terminated;reason=noresource)";
    stage.told(&["notified active;expires=60", "notified terminated;reason=noresource", end]);
    stage.is_over();
    assert_eq!(stage.alice(|alice, _| (alice.subscriptions.len(), alice.subscribed.len())), (0, 0));
}

/// RFC 3515 §2.4.6: the second REFER of a dialog is known by its CSeq.
#[test]
fn two_referrals_in_one_call() {
    let mut stage = Stage::new(|config| config);
    let call = in_call(&mut stage);
    for _ in 0..2 {
        stage.alice(|alice, now| alice.refer(call, &carol(), Reports::Implicit, now)).unwrap();
        stage.run("alice -> proxy  REFER\nproxy -> alice  202");
    }
    stage.run(
        "proxy -> alice  NOTIFY  Event='refer;id=3' Subscription-State='terminated;reason=noresource' body='SIP/2.0 486 Busy'
         alice -> proxy  200
         proxy -> alice  NOTIFY  Event='refer;id=4' Subscription-State=active body='SIP/2.0 100 Trying'
         alice -> proxy  481
         proxy -> alice  NOTIFY  Event=refer Subscription-State='terminated;reason=noresource' body='SIP/2.0 200 OK'
         alice -> proxy  200",
    );
    assert_eq!(stage.alice(|alice, _| (alice.subscriptions.len(), alice.subscribed.len())), (0, 0));
}

/// RFC 4488 §4: no reports are wanted, and none are waited for.
#[test]
fn a_referral_without_reports() {
    let mut stage = Stage::new(|config| config);
    let call = in_call(&mut stage);
    stage.alice(|alice, now| alice.refer(call, &carol(), Reports::Unwanted, now)).unwrap();
    stage.run("alice -> proxy  REFER  Refer-Sub=false Supported=norefersub\nproxy -> alice  202  Refer-Sub=false");
    stage.told(&["unsubscribed Silent"]);
    stage.alice(|alice, now| alice.refer(call, &carol(), Reports::Implicit, now)).unwrap();
    stage.run("alice -> proxy  REFER\nproxy -> alice  603");
    stage.told(&["refused 603"]);
}

/// RFC 5589 §7: the Refer-To names the consulted party and the dialog to replace.
#[test]
fn an_attended_transfer_is_asked_for() {
    let mut stage = Stage::new(|config| config);
    let (first, second) = (in_call(&mut stage), in_call(&mut stage));
    let replaces = stage.alice(|alice, now| {
        alice.transfer(first, second, now).unwrap();
        Refer::to_replace(&"sip:proxy@192.0.2.9".parse().unwrap(), &alice.dialog(second).unwrap().replaces())
            .to_string()
    });
    let header = &replaces[replaces.find("?Replaces=").unwrap()..];
    stage.run(&format!("alice -> proxy  REFER  Refer-To~={header}\nproxy -> alice  202"));
}

const REFER: &str = "proxy -> alice  REFER  Refer-To='<sip:carol@ims.example?Replaces=1%3Bto-tag%3Db%3Bfrom-tag%3Da>' \
                     | Referred-By=<sip:bob@ims.example>\n";

/// RFC 3515 §2.4.2, §2.4.4, §2.4.5, RFC 3892 §2.2: whoever takes it calls, and reports.
#[test]
fn a_referral_is_followed() {
    for (answer, fragment) in [("200", "'SIP/2.0 200 OK'"), ("486", "'SIP/2.0 486 Busy Here'")] {
        let mut stage = Stage::new(taking);
        in_call(&mut stage);
        stage.run(&REFER.replace("| ", ""));
        stage.told(&["REFER"]);
        let id = stage.notes.borrow().request.unwrap();
        stage.alice(|alice, now| alice.follow(id, Some(&offer(1)), now)).unwrap();
        stage.run(&format!(
            "alice -> proxy  200  CSeq~=REFER
             alice -> proxy  NOTIFY  Event=refer Subscription-State='active;expires=300' body~='SIP/2.0 100 Trying'
             | Content-Type=message/sipfrag;version=2.0
             alice -> proxy  INVITE sip:carol@ims.example  Replaces='1;to-tag=b;from-tag=a' Referred-By=<sip:bob@ims.example>
             proxy -> alice  200 NOTIFY
             proxy -> alice  180 INVITE
             alice -> proxy  NOTIFY  Subscription-State='active;expires=300' body~='SIP/2.0 180 Ringing'
             proxy -> alice  200 NOTIFY
             proxy -> alice  {answer} INVITE
             alice -> proxy  ACK
             alice -> proxy  NOTIFY  Subscription-State='terminated;reason=noresource' body~={fragment}
             proxy -> alice  200 NOTIFY"
        ));
        assert_eq!(stage.alice(|alice, _| (alice.watchers(), alice.wishes.len(), alice.watched.len())), (0, 0, 0));
    }
}

/// RFC 4488 §4, RFC 7614: without a subscription.
#[test]
fn a_referral_is_followed_in_silence() {
    for words in ["Refer-Sub=false", "Require=nosub"] {
        let mut stage = Stage::new(taking);
        in_call(&mut stage);
        stage.run(&format!("proxy -> alice  REFER  Refer-To=sip:carol@ims.example {words}"));
        let id = stage.notes.borrow().request.unwrap();
        stage.alice(|alice, now| alice.follow(id, None, now)).unwrap();
        stage
            .run("alice -> proxy  200  CSeq~=REFER\nalice -> proxy  INVITE sip:carol@ims.example\nproxy -> alice  180");
        assert_eq!(stage.alice(|alice, _| alice.watchers()), 0);
    }
}

/// Nothing happens without the owner: 405 where it takes none, its own refusal, 400 (RFC 3515 §2.4.2).
#[test]
fn a_referral_is_refused() {
    let mut stage = Stage::new(|config| config);
    in_call(&mut stage);
    stage.run("proxy -> alice  REFER  Refer-To=sip:carol@ims.example\nalice -> proxy  405");
    let mut stage = Stage::new(taking);
    in_call(&mut stage);
    stage.run("proxy -> alice  REFER  -Refer-To\nalice -> proxy  400");
    stage.run("proxy -> alice  REFER  Refer-To=sip:carol@ims.example");
    let id = stage.notes.borrow().request.unwrap();
    stage.alice(|alice, now| {
        let refer = alice.wishes[&id].request.clone();
        alice.respond(id, refer.reply(StatusCode::DECLINE), now).unwrap();
    });
    stage.run("alice -> proxy  603");
    stage.told(&["REFER"]);
    assert_eq!(stage.alice(|alice, _| (alice.watchers(), alice.wishes.len())), (0, 0));
}

/// RFC 7614: what comes of it is told where the answer says, in a dialog of its own.
#[test]
fn a_subscription_apart_is_asked_for() {
    let mut stage = Stage::new(|config| config);
    let call = in_call(&mut stage);
    stage.alice(|alice, now| alice.refer(call, &carol(), Reports::Explicit, now)).unwrap();
    stage.run(
        "alice -> proxy  REFER  Refer-To=<sip:carol@ims.example> Require=explicitsub -Refer-Sub
         proxy -> alice  200  Refer-Events-At=<sip:events@192.0.2.9>
         alice -> proxy  SUBSCRIBE sip:events@192.0.2.9  Event=refer Expires=3600 CSeq='1 SUBSCRIBE' +Contact
         |               To=<sip:events@192.0.2.9>
         proxy -> alice  200  Expires=60
         proxy -> alice  NOTIFY  Event=refer Subscription-State='active;expires=60' body='SIP/2.0 100 Trying'
         alice -> proxy  200
         proxy -> alice  NOTIFY  Event=refer Subscription-State='terminated;reason=noresource' body='SIP/2.0 200 OK'
         alice -> proxy  200",
    );
    let end = "unsubscribed Terminated(terminated;reason=noresource)";
    stage.told(&["notified active;expires=60", "notified terminated;reason=noresource", end]);
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run("alice -> proxy  BYE\nproxy -> alice  200");
    stage.is_over();
    assert_eq!(
        stage.alice(|alice, _| (alice.subscriptions.len(), alice.subscribed.len(), alice.left.len())),
        (0, 0, 0)
    );
}

/// RFC 7614: without a place to ask there is nothing to wait for; who does not know the extension says so. Threat I11: whoever
/// is in a call does not get answers to challenges by naming a place.
#[test]
fn a_subscription_apart_comes_to_nothing() {
    for (reports, required) in [(Reports::Explicit, "explicitsub"), (Reports::Never, "nosub")] {
        for (answer, told) in [("200", "unsubscribed Silent"), ("420", "refused 420")] {
            let mut stage = Stage::new(|config| config);
            let call = in_call(&mut stage);
            stage.alice(|alice, now| alice.refer(call, &carol(), reports, now)).unwrap();
            stage.run(&format!("alice -> proxy  REFER  Require={required}\nproxy -> alice  {answer}"));
            stage.told(&[told]);
        }
    }
    let mut stage = Stage::new(|config| config.with_login("alice", "secret", "ims.example"));
    let call = in_call(&mut stage);
    stage.alice(|alice, now| alice.refer(call, &carol(), Reports::Explicit, now)).unwrap();
    stage.run(
        "alice -> proxy  REFER
         proxy -> alice  200  Refer-Events-At=<sip:events@192.0.2.9>
         alice -> proxy  SUBSCRIBE
         proxy -> alice  401",
    );
    stage.told(&["refused 401"]);
}

/// RFC 7614: whoever takes it says where to ask, at a place that nobody can guess, and tells what has come of it so far, for as
/// long as that is kept.
#[test]
fn a_referral_is_followed_and_asked_after() {
    let mut stage = Stage::new(taking);
    in_call(&mut stage);
    stage.run("proxy -> alice  REFER  Refer-To=sip:carol@ims.example Require=explicitsub");
    let id = stage.notes.borrow().request.unwrap();
    stage.alice(|alice, now| alice.follow(id, Some(&offer(1)), now)).unwrap();
    stage.run(
        "alice -> proxy  200  CSeq~=REFER Refer-Events-At~=@192.0.2.1
         alice -> proxy  INVITE sip:carol@ims.example",
    );
    let place = stage.alice(|alice, _| {
        let key = alice.referrals.ids().next().unwrap();
        alice.referrals.get(key).unwrap().place()
    });
    assert!(place.len() > 32, "{place}");
    let subscribe = format!("proxy -> alice  SUBSCRIBE {place}  Event=refer Expires=600");
    stage.run(&format!(
        "{subscribe}
         alice -> proxy  200  CSeq~=SUBSCRIBE Expires=300
         alice -> proxy  NOTIFY  Event=refer Subscription-State='active;expires=300' body~='SIP/2.0 100 Trying'
         proxy -> alice  200 NOTIFY
         proxy -> alice  180 INVITE
         alice -> proxy  NOTIFY  Subscription-State='active;expires=300' body~='SIP/2.0 180 Ringing'
         proxy -> alice  200 NOTIFY
         proxy -> alice  200 INVITE
         alice -> proxy  ACK
         alice -> proxy  NOTIFY  Subscription-State='terminated;reason=noresource' body~='SIP/2.0 200 OK'
         proxy -> alice  200 NOTIFY
         {subscribe}
         alice -> proxy  200  CSeq~=SUBSCRIBE
         alice -> proxy  NOTIFY  Subscription-State='terminated;reason=noresource' body~='SIP/2.0 200 OK'
         proxy -> alice  200 NOTIFY
         proxy -> alice  SUBSCRIBE sip:guessed@192.0.2.1  Event=refer
         alice -> proxy  404
         proxy -> alice  SUBSCRIBE sip:alice@192.0.2.1  Event=presence
         alice -> proxy  489  Allow-Events=refer
         +5m
         {subscribe}
         alice -> proxy  404"
    ));
    let left =
        stage.alice(|alice, _| (alice.watchers(), alice.watched.len(), alice.referrals.len(), alice.wishes.len()));
    assert_eq!(left, (0, 0, 0, 0));
}

/// RFC 5057 §4.1, RFC 3261 §12.2.1.1: what outlives a call shares its dialog, and so one CSeq that goes on from that of the BYE.
#[test]
fn two_subscriptions_outlive_one_call() {
    let mut stage = Stage::new(|config| config);
    let call = in_call(&mut stage);
    let mut handles = Vec::new();
    for number in [2, 3] {
        handles.push(stage.alice(|alice, now| alice.refer(call, &carol(), Reports::Implicit, now)).unwrap());
        stage.run(&format!("alice -> proxy  REFER  CSeq='{number} REFER'\nproxy -> alice  202"));
    }
    stage.run("proxy -> alice  NOTIFY  Event='refer;id=2' Subscription-State=active body='SIP/2.0 100 Trying'\nalice -> proxy  200");
    stage.alice(|alice, now| alice.hang_up(call, now));
    // The other one is heard of only now.
    stage.run(
        "alice -> proxy  BYE  CSeq='4 BYE'
         proxy -> alice  200
         proxy -> alice  NOTIFY  Event='refer;id=3' Subscription-State=active body='SIP/2.0 100 Trying'
         alice -> proxy  200",
    );
    for (handle, number) in handles.into_iter().zip([5, 6]) {
        stage.alice(|alice, now| assert!(alice.unsubscribe(handle, now)));
        stage.run(&format!(
            "alice -> proxy  SUBSCRIBE  CSeq='{number} SUBSCRIBE' Expires=0\nproxy -> alice  200  Expires=0"
        ));
    }
    for id in [2, 3] {
        stage.run(&format!(
            "proxy -> alice  NOTIFY  Event='refer;id={id}' Subscription-State='terminated;reason=timeout' body='SIP/2.0 100 Trying'
             alice -> proxy  200"
        ));
    }
    assert_eq!(stage.alice(|alice, _| (alice.subscriptions.len(), alice.left.len())), (0, 0));
    stage.is_over();
}

/// As above, on the side that notifies.
#[test]
fn two_watchers_outlive_one_call() {
    let mut stage = Stage::new(taking);
    let call = in_call(&mut stage);
    for number in [2, 3] {
        stage.run("proxy -> alice  REFER  Refer-To=sip:carol@ims.example");
        let id = stage.notes.borrow().request.unwrap();
        stage.alice(|alice, now| alice.follow(id, Some(&offer(1)), now)).unwrap();
        stage.run(&format!(
            "alice -> proxy  200  CSeq~=REFER
             alice -> proxy  NOTIFY  CSeq='{number} NOTIFY' body~='SIP/2.0 100 Trying'
             alice -> proxy  INVITE sip:carol@ims.example
             proxy -> alice  200 NOTIFY"
        ));
    }
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run("alice -> proxy  BYE  CSeq='4 BYE'\nproxy -> alice  200 BYE");
    let watchers: Vec<_> = stage.alice(|alice, _| alice.watchers.ids().collect());
    let over = crate::header::SubscriptionState::terminated("noresource");
    for (watcher, number) in watchers.into_iter().zip([5, 6]) {
        let (watcher, over) = (crate::ua::WatcherHandle(watcher), over.clone());
        stage.alice(|alice, now| alice.terminate_subscription(watcher, over, |_| {}, now));
        stage.run(&format!("alice -> proxy  NOTIFY  CSeq='{number} NOTIFY'\nproxy -> alice  200 NOTIFY"));
    }
    assert_eq!(stage.alice(|alice, _| (alice.watchers(), alice.left.len())), (0, 0));
}
