use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::testing::{Host, Link, Network, Seeds, assert_repeatable};
use crate::transaction::Timers;

const ALICE: &str = "udp:192.0.2.1:5060";
const BOB: &str = "udp:192.0.2.2:5060";

/// What phones say of themselves while they call.
type Said = Rc<RefCell<Vec<String>>>;

fn caller(own: Vec<Listener>, said: Said) -> Phone {
    Phone::new("alice", own).behaving(move |phone, message, _| {
        let Message::Response(response) = message else { return };
        let (status, method) = (response.status().code(), cseq_method(&response.headers));
        said.borrow_mut().push(format!("{status} {method}"));
        let next: &[&str] = match (method.as_str(), status) {
            ("INVITE", 183) => &["PRACK"],
            ("INVITE", 200) => &["ACK", "BYE"],
            _ => &[],
        };
        for method in next {
            let draft = phone.next(method, None).unwrap();
            phone.send(draft, BOB);
        }
    })
}

fn callee(own: Vec<Listener>, last: u16) -> Phone {
    Phone::new("bob", own).behaving(move |phone, message, _| {
        let Message::Request(request) = message else { return };
        let replies: &[(u16, &str)] = match request.method().as_str() {
            "INVITE" => &[(183, "INVITE")],
            "PRACK" => &[(200, "PRACK"), (last, "INVITE")],
            "BYE" => &[(200, "BYE")],
            _ => &[],
        };
        for (status, method) in replies {
            let draft = phone.response(*status, Some(method)).unwrap();
            let draft = if *status == 183 { phone.reliably(draft) } else { draft };
            phone.reply(draft);
        }
    })
}

/// Calls once, and says what alice heard, each thing once, and what is in the trace.
fn call(seed: u64, last: u16) -> (Vec<String>, u64) {
    let mut network = Network::new(seed);
    network.link_all(Link::rough(0.15));
    let (clock, said) = (network.clock(), Said::default());
    let alice = network.add("alice", [ALICE], |own| caller(own, said.clone()).persistent(clock.clone(), Timers::CORE));
    let bob = network.add("bob", [BOB], |own| callee(own, last).persistent(clock.clone(), Timers::CORE));
    network.with(alice, |phone, _| {
        let invite = phone.request("INVITE", "sip:bob@ims.example");
        phone.send(invite, BOB);
    });
    assert!(network.run_until_idle(Duration::from_secs(300)), "nobody goes on for ever");
    let acks = |host: Host<Phone>| {
        let heard = network.engine(host).messages();
        heard
            .filter(|message| matches!(message, Message::Request(request) if request.method().as_str() == "ACK"))
            .count()
    };
    assert!(acks(bob) > 0, "{}", network.trace());
    (said.take(), network.trace().hash())
}

#[test]
fn persistent_phones_get_through_a_rough_link() {
    Seeds::up_to(100).run(|seed| {
        let (mut said, _) = call(seed, 200);
        said.sort();
        assert_eq!(said, ["183 INVITE", "200 BYE", "200 INVITE", "200 PRACK"]);
    });
}

#[test]
fn persistent_phones_acknowledge_failures() {
    Seeds::up_to(100).run(|seed| {
        let (mut said, _) = call(seed, 486);
        said.sort();
        assert_eq!(said, ["183 INVITE", "200 PRACK", "486 INVITE"]);
    });
}

#[test]
fn a_call_over_a_rough_link_is_the_same_twice() {
    assert_repeatable(|| call(3, 200).1);
}

#[test]
fn a_persistent_phone_gives_up() {
    let sent = |timers: Timers| {
        let mut network = Network::new(0);
        let clock = network.clock();
        let alice = network.add("alice", [ALICE], |own| Phone::new("alice", own).persistent(clock, timers));
        network.with(alice, |phone, _| {
            let options = phone.request("OPTIONS", "sip:bob@ims.example");
            phone.send(options, BOB);
        });
        assert!(network.run_until_idle(Duration::from_secs(240)));
        network.trace().sent().map(|sent| sent.at.as_millis() as u64).collect::<Vec<_>>()
    };
    let at = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(sent(Timers::CORE), at);
    let at = [0, 2_000, 6_000, 14_000, 30_000, 46_000, 62_000, 78_000, 94_000, 110_000, 126_000];
    assert_eq!(sent(Timers::ACCESS), at, "TS 24.229 §7.7");
}

/// RFC 3262 §3: a reliable provisional response is repeated until its PRACK comes.
#[test]
fn a_prack_ends_the_repetition() {
    let sent = |is_acknowledged: bool| {
        let mut network = Network::new(0);
        let (alice, clock) = (network.add("alice", [ALICE], |own| Phone::new("alice", own)), network.clock());
        let bob = network.add("bob", [BOB], |own| Phone::new("bob", own).persistent(clock, Timers::CORE));
        let say = |network: &mut Network, draft: &dyn Fn(&mut Phone) -> Draft| {
            network.with(alice, |phone, _| {
                let draft = draft(phone);
                phone.send(draft, BOB);
            });
            network.settle();
        };
        say(&mut network, &|phone| phone.request("INVITE", "sip:bob@ims.example"));
        network.with(bob, |phone, _| {
            let progress = phone.response(183, None).unwrap();
            let progress = phone.reliably(progress);
            phone.reply(progress);
        });
        network.settle();
        if is_acknowledged {
            say(&mut network, &|phone| phone.next("PRACK", None).unwrap());
        }
        network.run_for(Duration::from_secs(60));
        network.trace().sent().filter(|sent| sent.bytes.starts_with(b"SIP/2.0 183")).count()
    };
    assert_eq!((sent(true), sent(false)), (1, 11));
}

/// RFC 3261 §22.2: what is asked for with 401 is answered, with a nonce count that rises.
#[test]
fn a_challenge_is_answered() {
    let mut network = Network::new(0);
    let alice = network.add("alice", [ALICE], |own| Phone::new("alice", own));
    network.add("bob", [BOB], |own| {
        Phone::new("bob", own).behaving(|phone, _, _| {
            let challenge = phone.response(401, None).unwrap();
            phone.reply(challenge);
        })
    });
    let mut register = |username: Option<&'static str>| {
        let credentials = network.with(alice, |phone, _| {
            let draft = phone.request("REGISTER", "sip:ims.example");
            let draft = phone.authorized(draft.clone(), username, "secret").unwrap_or(draft);
            phone.send(draft.clone(), BOB);
            draft.value("Authorization").map(str::to_string)
        });
        network.settle();
        credentials
    };
    assert_eq!(register(None), None);
    let first = register(None).unwrap();
    assert!(first.contains(r#"username="alice@ims.example""#) && first.contains("nc=00000001"), "{first}");
    let second = register(Some("private")).unwrap();
    assert!(second.contains(r#"username="private""#) && second.contains("nc=00000001"), "a fresh nonce: {second}");
}
