use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use super::*;
use crate::engine::{Output, Transmit};
use crate::message::Message;
use crate::parse::ParseError;
use crate::testing::{News, Phone, assert_repeatable, request, response};
use crate::transport::Flow;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// alice and bob, each on UDP and TCP.
fn pair(seed: u64) -> (Network, Host<Phone>, Host<Phone>) {
    let mut network = Network::new(seed);
    let alice = network.add("alice", ["udp:192.0.2.1:5060", "tcp:192.0.2.1:5060"], |own| Phone::new("alice", own));
    let bob = network.add("bob", ["udp:192.0.2.2:5060", "tcp:192.0.2.2:5060"], |own| Phone::new("bob", own));
    (network, alice, bob)
}

/// Sends that many OPTIONS from alice, one each millisecond.
fn send(network: &mut Network, alice: Host<Phone>, count: u32, to: &str) {
    for number in 0..count {
        network.with(alice, |phone, _| {
            let options = phone.request("OPTIONS", "sip:bob@ims.example").cseq(number);
            phone.send(options, to);
        });
        network.run_for(ms(1));
    }
    network.run_for(Duration::from_secs(60));
}

/// CSeq numbers in the order in which they came.
fn heard(network: &Network, host: Host<Phone>) -> Vec<u32> {
    let cseq =
        |message: &Message| String::from_utf8_lossy(message.headers().raw("CSeq").unwrap_or_default()).into_owned();
    let number = |message: &Message| cseq(message).split(' ').next().and_then(|number| number.parse().ok());
    network.engine(host).messages().filter_map(number).collect()
}

fn in_order(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[test]
fn a_perfect_link_delivers_at_once_and_in_order() {
    let (mut network, alice, bob) = pair(0);
    send(&mut network, alice, 50, "udp:192.0.2.2:5060");
    assert_eq!(heard(&network, bob), in_order(50));
    let last = network.engine(bob).heard().last().unwrap().at;
    assert_eq!(last.wall, 1_767_225_600_049);
}

#[test]
fn links_lose_double_and_reorder_in_their_shares() {
    let counts = |link: Link| {
        let (mut network, alice, bob) = pair(1);
        network.link_all(link);
        send(&mut network, alice, 2000, "udp:192.0.2.2:5060");
        let heard = heard(&network, bob);
        let overtaken = heard.windows(2).filter(|pair| pair[1] < pair[0]).count();
        (heard.len(), overtaken)
    };
    let (arrived, overtaken) = counts(Link { loss: 0.1, ..Link::default() });
    assert!((1750..1850).contains(&arrived) && overtaken == 0, "{arrived} {overtaken}");
    let (arrived, overtaken) = counts(Link { duplication: 0.1, ..Link::default() });
    assert!((2150..2250).contains(&arrived) && overtaken == 0, "{arrived} {overtaken}");
    let (arrived, overtaken) = counts(Link { reordering: 0.1, ..Link::default() });
    assert!(arrived == 2000 && (100..300).contains(&overtaken), "{arrived} {overtaken}");
    let (arrived, overtaken) = counts(Link::slow(ms(1)..=ms(200)));
    assert!(arrived == 2000 && overtaken == 0, "jitter alone keeps the order: {overtaken}");
    assert_eq!(counts(Link { mtu: 100, ..Link::default() }).0, 0);
    assert_eq!(counts(Link { cut: true, ..Link::default() }).0, 0);
}

#[test]
fn latency_is_within_its_range() {
    let (mut network, alice, bob) = pair(2);
    network.link("alice", "bob", Link::slow(ms(20)..=ms(30)));
    for _ in 0..100 {
        let sent = network.passed();
        network.with(alice, |phone, _| {
            let options = phone.request("OPTIONS", "sip:bob@ims.example");
            phone.send(options, "udp:192.0.2.2:5060");
        });
        assert!(network.run_until_idle(ms(100)));
        let took = network.passed() - sent;
        assert!((ms(20)..=ms(30)).contains(&took), "{took:?}");
    }
    assert_eq!(network.engine(bob).heard().len(), 100);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let run = |seed| {
        let (mut network, alice, bob) = pair(seed);
        network.link_all(Link::rough(0.1));
        send(&mut network, alice, 100, "udp:192.0.2.2:5060");
        network.with(bob, |phone, _| {
            let request = phone.last_request().unwrap().clone();
            phone.reply(response(&request, 200));
        });
        network.trace().hash()
    };
    assert_ne!(assert_repeatable(|| run(7)), assert_repeatable(|| run(8)));
}

#[test]
fn a_trace_hashes_every_byte_and_every_fate() {
    let run = |link: Link, call_id: &str| {
        let (mut network, alice, _) = pair(0);
        network.link_all(link);
        network.with(alice, |phone, _| {
            let options =
                request("OPTIONS", "sip:bob@ims.example").header("Via", "SIP/2.0/UDP a").header("From", "<sip:a>");
            phone.send(options.header("Call-ID", call_id), "udp:192.0.2.2:5060");
        });
        network.trace().hash()
    };
    assert_eq!(run(Link::default(), "one"), run(Link::default(), "one"));
    assert_ne!(run(Link::default(), "one"), run(Link::default(), "two"));
    assert_ne!(run(Link::default(), "one"), run(Link { cut: true, ..Link::default() }, "one"));
}

#[test]
fn a_trace_keeps_the_last_messages_and_hashes_all() {
    let run = |kept| {
        let (mut network, alice, _) = pair(0);
        network.trace_mut().keep(kept);
        send(&mut network, alice, 5, "udp:192.0.2.2:5060");
        (network.trace().sent().count(), network.trace().count(), network.trace().hash(), network.trace().to_string())
    };
    let (all, some, none) = (run(100), run(2), run(0));
    assert_eq!([all.0, some.0, none.0], [5, 2, 0]);
    assert_eq!([all.1, some.1, none.1], [5, 5, 5]);
    assert!(all.2 == some.2 && some.2 == none.2 && all.3.ends_with(&some.3));
    assert!(some.3.starts_with("0.003 alice -> bob UDP\nOPTIONS sip:bob@ims.example SIP/2.0\r\n"), "{}", some.3);
}

#[test]
fn a_connection_carries_messages_both_ways_in_order() {
    let (mut network, alice, bob) = pair(3);
    network.link_all(Link { mtu: 7, ..Link::rough(0.2) });
    send(&mut network, alice, 20, "tcp:192.0.2.2:5060");
    assert_eq!(heard(&network, bob), in_order(20));
    let flows: Vec<Flow> = flows(&network, bob).collect();
    assert!(flows.iter().all(|flow| flow.connection.is_some() && *flow == flows[0]), "one connection carries all");
    assert_ne!(flows[0].remote.port(), 5060);
    network.with(bob, |phone, _| {
        let reply = phone.response(200, None).unwrap();
        phone.reply(reply);
    });
    assert!(network.run_until_idle(Duration::from_secs(60)));
    let back = self::flows(&network, alice).next().unwrap();
    assert_eq!((back.remote, back.listener), ("192.0.2.2:5060".parse().unwrap(), ListenerId(1)));
}

fn flows(network: &Network, host: Host<Phone>) -> impl Iterator<Item = Flow> {
    network.engine(host).heard().iter().filter_map(|heard| match &heard.what {
        News::Message(_, flow) => Some(*flow),
        News::Malformed(..) | News::FlowLost(_) => None,
    })
}

fn lost(network: &Network, host: Host<Phone>) -> usize {
    network.engine(host).heard().iter().filter(|heard| matches!(heard.what, News::FlowLost(_))).count()
}

#[test]
fn a_connection_to_nobody_is_refused() {
    let (mut network, alice, bob) = pair(0);
    network.link_all(Link::slow(ms(10)..=ms(10)));
    network.kill(bob);
    send(&mut network, alice, 2, "tcp:192.0.2.2:5060");
    assert_eq!(lost(&network, alice), 1);
    assert_eq!(network.engine(alice).heard()[0].at.wall, 1_767_225_600_020, "after a round trip");
    send(&mut network, alice, 1, "tcp:192.0.2.77:5060");
    assert_eq!(lost(&network, alice), 2);
}

#[test]
fn icmp_tells_of_a_datagram_to_nobody() {
    let (mut network, alice, bob) = pair(0);
    send(&mut network, alice, 1, "udp:192.0.2.77:5060");
    assert_eq!(lost(&network, alice), 0);
    network.report_unreachable(true);
    send(&mut network, alice, 1, "udp:192.0.2.77:5060");
    network.kill(bob);
    send(&mut network, alice, 1, "udp:192.0.2.2:5060");
    let told = network.engine(alice).heard().iter().filter_map(|heard| match heard.what {
        News::FlowLost(flow) => Some(flow.remote),
        News::Message(..) | News::Malformed(..) => None,
    });
    assert_eq!(
        told.collect::<Vec<SocketAddr>>(),
        ["192.0.2.77:5060".parse().unwrap(), "192.0.2.2:5060".parse().unwrap()]
    );
}

#[test]
fn a_host_that_is_killed_resets_its_connections_and_starts_anew() {
    let (mut network, alice, bob) = pair(0);
    send(&mut network, alice, 2, "tcp:192.0.2.2:5060");
    network.kill(bob);
    send(&mut network, alice, 1, "udp:192.0.2.2:5060");
    assert_eq!(lost(&network, alice), 1);
    network.start(bob, |own| Phone::new("bob", own));
    network.with(alice, |phone, _| phone.forget());
    send(&mut network, alice, 3, "tcp:192.0.2.2:5060");
    assert_eq!(heard(&network, bob), in_order(3));
}

#[test]
fn a_connection_that_one_side_closes_is_lost_for_the_other() {
    let (mut network, alice, bob) = pair(0);
    network.link_all(Link::slow(ms(5)..=ms(50)));
    send(&mut network, alice, 2, "tcp:192.0.2.2:5060");
    network.with(alice, |phone, _| {
        let options = phone.request("OPTIONS", "sip:bob@ims.example");
        phone.send(options, "tcp:192.0.2.2:5060");
    });
    network.disconnect("alice", "bob");
    network.run_for(ms(100));
    let last: Vec<bool> =
        network.engine(bob).heard().iter().map(|heard| matches!(heard.what, News::FlowLost(_))).collect();
    assert_eq!(last, [false, false, false, true], "what was under way still arrives");
    assert_eq!(lost(&network, alice), 0);
}

#[test]
fn a_cut_link_loses_connections_when_it_is_whole_again() {
    let (mut network, alice, bob) = pair(0);
    send(&mut network, alice, 1, "tcp:192.0.2.2:5060");
    network.link("alice", "bob", Link { cut: true, ..Link::default() });
    send(&mut network, alice, 2, "tcp:192.0.2.2:5060");
    assert_eq!((heard(&network, bob).len(), lost(&network, alice), lost(&network, bob)), (1, 0, 0));
    network.link("alice", "bob", Link::default());
    network.settle();
    assert_eq!((lost(&network, alice), lost(&network, bob)), (1, 1));
    send(&mut network, alice, 1, "tcp:192.0.2.2:5060");
    assert_eq!(heard(&network, bob).len(), 2);
}

#[test]
fn a_connection_over_a_cut_link_is_given_up() {
    let (mut network, alice, _) = pair(0);
    network.link("alice", "bob", Link { cut: true, ..Link::default() });
    network.with(alice, |phone, _| {
        let options = phone.request("OPTIONS", "sip:bob@ims.example");
        phone.send(options, "tcp:192.0.2.2:5060");
    });
    network.run_for(ms(1999));
    assert_eq!(lost(&network, alice), 0);
    network.run_for(ms(1));
    assert_eq!(lost(&network, alice), 1);
}

#[test]
fn what_is_no_message_is_told_and_ends_a_connection() {
    let (mut network, alice, bob) = pair(0);
    let flow = |transport, listener| Flow {
        transport,
        listener: ListenerId(listener),
        remote: "192.0.2.2:5060".parse().unwrap(),
        connection: None,
    };
    network.with(alice, |phone, _| {
        phone.send_bytes("\r\n\r\n".into(), flow(Transport::Udp, 0));
        phone.send_bytes("nonsense\r\n\r\n".into(), flow(Transport::Udp, 0));
        phone.send_bytes("\r\n\r\nPOST / HTTP/1.1\r\n\r\n".into(), flow(Transport::Tcp, 1));
    });
    network.settle();
    let malformed = network.engine(bob).heard().iter().filter(|heard| matches!(heard.what, News::Malformed(..)));
    assert_eq!((malformed.count(), lost(&network, bob), lost(&network, alice)), (2, 1, 1));
}

#[test]
fn a_phone_behind_a_nat_is_seen_and_reached_at_its_public_address() {
    let mut network = Network::new(0);
    let private = Bind::from("udp:10.0.0.5:5060").behind("203.0.113.9:40000".parse().unwrap());
    let alice = network.add("alice", [private], |own| Phone::new("alice", own));
    let bob = network.add("bob", ["udp:192.0.2.2:5060"], |own| Phone::new("bob", own));
    send(&mut network, alice, 1, "udp:192.0.2.2:5060");
    assert_eq!(flows(&network, bob).next().unwrap().remote, "203.0.113.9:40000".parse().unwrap());
    send(&mut network, bob, 1, "udp:10.0.0.5:5060");
    assert_eq!(network.engine(alice).heard().len(), 0);
    send(&mut network, bob, 1, "udp:203.0.113.9:40000");
    assert_eq!(network.engine(alice).heard().len(), 1);
}

/// An engine of which a test sees every call.
struct Probe {
    seen: Rc<RefCell<Vec<String>>>,
    deadline: Option<Instant>,
    waker: Option<Waker>,
    outbox: Vec<Transmit>,
    events: u32,
    /// Wakes itself whenever it is called.
    is_restless: bool,
}

impl Engine for Probe {
    type Event = u32;

    fn handle_message(&mut self, message: Message, _: Flow, _: Now) {
        let call_id = String::from_utf8_lossy(message.headers().raw("Call-ID").unwrap_or_default()).into_owned();
        self.seen.borrow_mut().push(call_id);
        self.events += 1;
    }

    fn handle_malformed(&mut self, _: &[u8], _: ParseError, _: Flow, _: Now) {}

    fn handle_flow_lost(&mut self, flow: Flow, _: Now) {
        self.seen.borrow_mut().push(format!("lost {flow}"));
    }

    fn handle_send_failed(&mut self, ticket: Ticket, _: Now) {
        self.seen.borrow_mut().push(format!("failed {}", ticket.0));
    }

    fn handle_timeout(&mut self, now: Now) {
        let is_due = self.deadline.is_some_and(|deadline| deadline <= now.monotonic);
        self.seen.borrow_mut().push(if is_due { "deadline" } else { "woken" }.to_string());
        self.deadline = self.deadline.filter(|_| !is_due);
        self.waker.iter().filter(|_| self.is_restless).for_each(Waker::wake_by_ref);
    }

    fn poll_output(&mut self) -> Output<u32> {
        if let Some(transmit) = self.outbox.pop() {
            return Output::Transmit(transmit);
        }
        match self.events {
            0 => Output::Wait(self.deadline),
            count => {
                self.events = 0;
                Output::Event(count)
            }
        }
    }

    fn set_waker(&mut self, waker: Waker) {
        self.waker = Some(waker);
    }
}

fn probe(network: &mut Network, addresses: &[&str]) -> (Host<Probe>, Rc<RefCell<Vec<String>>>) {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let probe =
        Probe { seen: seen.clone(), deadline: None, waker: None, outbox: Vec::new(), events: 0, is_restless: false };
    (network.add("probe", addresses.iter().copied(), |_| probe), seen)
}

#[test]
fn wakers_come_first_then_messages_then_deadlines() {
    let (mut network, alice, _) = pair(0);
    let (probe, seen) = probe(&mut network, &["udp:192.0.2.9:5060"]);
    network.link_all(Link::slow(ms(10)..=ms(10)));
    network.with(probe, |probe, now| probe.deadline = Some(now.monotonic + ms(10)));
    network.with(alice, |phone, _| {
        for call_id in ["one", "two"] {
            let options = request("OPTIONS", "sip:probe").header("Call-ID", call_id);
            phone.send(options, "udp:192.0.2.9:5060");
        }
    });
    network.run_for(ms(9));
    assert!(seen.borrow().is_empty());
    network.with(probe, |probe, _| {
        let waker = probe.waker.clone().unwrap();
        waker.wake_by_ref();
        waker.wake();
    });
    network.run_for(ms(1));
    assert_eq!(*seen.borrow(), ["woken", "one", "two", "deadline"]);
    assert_eq!(network.take_events(probe), [1, 1]);
    assert!(network.take_events(probe).is_empty());
    assert!(network.run_until_idle(ms(0)), "nothing is left to do");
}

#[test]
fn a_waker_of_a_dead_engine_wakes_nobody() {
    let mut network = Network::new(0);
    let (probe, seen) = probe(&mut network, &["udp:192.0.2.9:5060"]);
    let waker = network.with(probe, |probe, now| {
        probe.deadline = Some(now.monotonic + ms(1));
        probe.waker.clone().unwrap()
    });
    network.kill(probe);
    let fresh = Rc::new(RefCell::new(Vec::new()));
    let again =
        Probe { seen: fresh.clone(), deadline: None, waker: None, outbox: Vec::new(), events: 0, is_restless: false };
    network.start(probe, |_| again);
    waker.wake();
    network.run_for(ms(10));
    assert!(seen.borrow().is_empty() && fresh.borrow().is_empty());
}

#[test]
fn whoever_sends_with_a_ticket_is_told_that_it_failed() {
    let mut network = Network::new(0);
    let (probe, seen) = probe(&mut network, &["tcp:192.0.2.9:5060"]);
    let connection = std::num::NonZeroU64::new(77).map(crate::transport::ConnectionId);
    let flow = |connection| Flow {
        transport: Transport::Tcp,
        listener: ListenerId(0),
        remote: "192.0.2.2:5060".parse().unwrap(),
        connection,
    };
    let transmit = |connection, ticket| {
        let bytes = request("OPTIONS", "sip:bob").bytes();
        Transmit { flow: flow(connection), domain: None, bytes, ticket: Some(Ticket(ticket)) }
    };
    network.with(probe, |probe, _| probe.outbox = vec![transmit(None, 1), transmit(None, 2), transmit(connection, 3)]);
    network.settle();
    assert_eq!(*seen.borrow(), ["failed 3", "failed 2", "failed 1", "lost TCP:192.0.2.2:5060"]);
}

#[test]
#[should_panic(expected = "probe sends TCP from udp")]
fn an_engine_must_send_from_a_listener_of_the_transport() {
    let mut network = Network::new(0);
    let (probe, _) = probe(&mut network, &["udp:192.0.2.9:5060"]);
    let remote = "192.0.2.2:5060".parse().unwrap();
    let flow = Flow { transport: Transport::Tcp, listener: ListenerId(0), remote, connection: None };
    let bytes = request("OPTIONS", "sip:bob").bytes();
    network.with(probe, |probe, _| probe.outbox = vec![Transmit { flow, domain: None, bytes, ticket: None }]);
}

#[test]
#[should_panic(expected = "steps at one instant, and no end")]
fn engines_without_rest_are_found_out() {
    let mut network = Network::new(0);
    let (probe, _) = probe(&mut network, &["udp:192.0.2.9:5060"]);
    network.with(probe, |probe, now| {
        probe.is_restless = true;
        probe.deadline = Some(now.monotonic);
    });
    network.settle();
}

#[test]
fn the_wall_clock_may_jump_and_timers_do_not() {
    let mut network = Network::new(0);
    let (probe, seen) = probe(&mut network, &["udp:192.0.2.9:5060"]);
    network.with(probe, |probe, now| probe.deadline = Some(now.monotonic + ms(1000)));
    network.jump_wall(-3_600_000);
    network.run_for(ms(999));
    assert_eq!(network.now().wall, 1_767_225_600_999 - 3_600_000);
    assert!(seen.borrow().is_empty());
    network.run_for(ms(1));
    assert_eq!(*seen.borrow(), ["deadline"]);
}
