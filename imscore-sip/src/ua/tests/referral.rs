//! REFER, both sides: RFC 3515, RFC 4488, RFC 5589.

use super::{Stage, offer};
use crate::dialog::Refer;
use crate::header::ReferTo;
use crate::message::{Method, StatusCode};
use crate::ua::{CallHandle, Config};

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
    stage.alice(|alice, now| alice.refer(call, &carol(), true, now)).unwrap();
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
        stage.alice(|alice, now| alice.refer(call, &carol(), true, now)).unwrap();
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
    stage.alice(|alice, now| alice.refer(call, &carol(), false, now)).unwrap();
    stage.run("alice -> proxy  REFER  Refer-Sub=false Supported=norefersub\nproxy -> alice  202  Refer-Sub=false");
    stage.told(&["unsubscribed Silent"]);
    stage.alice(|alice, now| alice.refer(call, &carol(), true, now)).unwrap();
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

/// RFC 4488 §4, RFC 7614 §4: without a subscription.
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
