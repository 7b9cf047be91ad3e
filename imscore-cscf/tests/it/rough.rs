//! Registration and call over links that lose, double and reorder a tenth of all datagrams (R7), and over links that carry
//! something else than was sent (P12): the whole core in virtual time, from many seeds.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use imscore_cscf::Worker;
use imscore_sip::testing::{Bind, Host, Link, Network, Phone, Seeds, assert_repeatable};
use imscore_sip::transaction::Timers;
use imscore_sip::transport::Listener;
use imscore_sip::{Message, Request, Response};

use crate::core;

/// What phones say of themselves.
type Said = Rc<RefCell<Vec<String>>>;

fn method_of(response: &Response) -> String {
    response.headers.cseq().map(|cseq| cseq.method.to_string()).unwrap_or_default()
}

/// A phone that registers, calls if it is a caller, and answers calls: 183 reliably, PRACK, 200, and a BYE of the caller's.
fn phone(name: &'static str, calls: bool, listeners: Vec<Listener>, said: Said) -> Phone {
    Phone::new(name, listeners).behaving(move |phone, message, _| match message {
        Message::Request(request) => answer(phone, request, &said),
        Message::Response(response) => {
            let (status, method) = (response.status().code(), method_of(response));
            if status >= 200 || status == 183 {
                said.borrow_mut().push(format!("{name} {status} {method}"));
            }
            let drafts = match (method.as_str(), status) {
                ("REGISTER", 401) => {
                    let again = phone.request("REGISTER", "sip:ims.example");
                    let user = format!("{name}@ims.example");
                    phone.authorized(again, Some(&user), "secret").into_iter().collect()
                }
                ("INVITE", 183) => phone.next("PRACK", None).into_iter().collect(),
                ("INVITE", 200) => ["ACK", "BYE"].iter().flat_map(|method| phone.next(method, None)).collect(),
                ("REGISTER", 200) if calls => {
                    vec![phone.request("INVITE", "sip:bob@ims.example").header("Supported", "100rel")]
                }
                _ => Vec::new(),
            };
            for draft in drafts {
                phone.send(draft, core::ACCESS);
            }
        }
    })
}

fn answer(phone: &mut Phone, request: &Request, said: &Said) {
    let method = request.method();
    said.borrow_mut().push(format!("bob heard {method}"));
    let replies: &[(u16, &str)] = match method.as_str() {
        "INVITE" => &[(183, "INVITE")],
        "PRACK" => &[(200, "PRACK"), (200, "INVITE")],
        "BYE" => &[(200, "BYE")],
        _ => &[],
    };
    for (status, method) in replies {
        let Ok(draft) = phone.response(*status, Some(method)) else { continue };
        let draft = if *status == 183 { phone.reliably(draft) } else { draft };
        phone.reply(draft);
    }
}

/// Bob registers, then alice registers and calls him. What the phones said, each thing once, what is left in the core's
/// tables, and the hash of the trace.
fn call(seed: u64) -> (Vec<String>, u64, u64) {
    let (network, core, said) = session(seed, Link::rough(0.1));
    let left = network.engine(core).counters().contexts.load(std::sync::atomic::Ordering::Relaxed);
    let mut said = said.take();
    said.sort();
    said.dedup();
    (said, left, network.trace().hash())
}

/// Both phones register, and one calls the other, over such links.
fn session(seed: u64, link: Link) -> (Network, Host<Worker>, Said) {
    let (node, _, _) = core::core();
    let mut network = Network::new(seed);
    network.link_all(link);
    let now = network.now();
    let binds = [core::ACCESS, core::ACCESS_TCP].map(|at| Bind::from(at).access());
    let mut random = [7; 32];
    random[..8].copy_from_slice(&seed.to_be_bytes());
    let core: Host<Worker> =
        network.add("core", binds, |listeners| Worker::new(Arc::new(node), (0, 1), random, listeners, now));
    let (clock, said) = (network.clock(), Said::default());
    let add = |name, calls, at: &str, network: &mut Network| {
        let (said, clock) = (said.clone(), clock.clone());
        network.add(name, [at], move |listeners| phone(name, calls, listeners, said).persistent(clock, Timers::ACCESS))
    };
    let alice = add("alice", true, "udp:192.0.2.1:5060", &mut network);
    let bob = add("bob", false, "udp:192.0.2.2:5060", &mut network);
    // Each step may take the 64*T1 that its phone keeps on for, 128 s; a lost one is the exception.
    for (host, wait) in [(bob, 256), (alice, 640)] {
        network.with(host, |phone, _| {
            let register = phone.request("REGISTER", "sip:ims.example");
            phone.send(register, core::ACCESS);
        });
        network.run_for(Duration::from_secs(wait));
    }
    // 64*T1 on the phones' side, twice: nothing of the call is left.
    network.run_for(Duration::from_secs(256));
    (network, core, said)
}

/// Each step of both registrations and of the call came about, once or more often, and nothing else.
const ALL: [&str; 11] = [
    "alice 183 INVITE",
    "alice 200 BYE",
    "alice 200 INVITE",
    "alice 200 PRACK",
    "alice 200 REGISTER",
    "alice 401 REGISTER",
    "bob 200 REGISTER",
    "bob 401 REGISTER",
    "bob heard ACK",
    "bob heard BYE",
    "bob heard INVITE",
];

#[test]
fn calls_get_through_rough_links() {
    Seeds::up_to(1_000).run(|seed| {
        let (said, left, _) = call(seed);
        let mut expected = Vec::from(ALL.map(String::from));
        expected.push("bob heard PRACK".to_string());
        assert_eq!(said, expected);
        assert_eq!(left, 0, "contexts are left over");
    });
}

#[test]
fn one_seed_gives_one_trace() {
    assert_repeatable(|| call(3).2);
    let other = call(4).2;
    assert_ne!(assert_repeatable(|| call(3).2), other);
}

/// P12: message by message with something wrong, and the core is alive, has emptied itself, and registers the next phone.
#[test]
fn p12_sessions_of_messages_with_something_wrong() {
    let wrong = Link { corruption: 0.2, ..Link::default() };
    Seeds::up_to(200).run(|seed| {
        let (mut network, core, _) = session(seed, wrong.clone());
        network.link_all(Link::default());
        // The INVITE that somebody may have sent last, and Timer C of it.
        network.run_for(Duration::from_secs(600));
        let left = network.engine(core).counters().contexts.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(left, 0, "contexts are left over");
        let (said, clock) = (Said::default(), network.clock());
        let heard = said.clone();
        let next = network.add("bob again", ["udp:192.0.2.4:5060"], move |listeners| {
            phone("bob", false, listeners, heard).persistent(clock, Timers::ACCESS)
        });
        network.with(next, |phone, _| {
            let register = phone.request("REGISTER", "sip:ims.example");
            phone.send(register, core::ACCESS);
        });
        network.run_for(Duration::from_secs(2));
        assert_eq!(said.take(), ["bob 401 REGISTER", "bob 200 REGISTER"]);
    });
}
