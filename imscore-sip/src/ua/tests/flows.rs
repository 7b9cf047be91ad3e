//! The flow of a registration: kept alive, found dead, made anew.

use std::time::Duration;

use super::*;
use crate::testing::{Bind, Link, Network};
use crate::transport::keep_alive::{self, Datagram};
use crate::ua::{Binding, RegistrationHandle};

fn register(stage: &mut Stage) -> RegistrationHandle {
    let binding = Binding::new("sip:ims.example".parse().unwrap());
    stage.alice(|alice, now| alice.register(binding, now))
}

/// A registration over that transport whose 200 has this header, which may be none.
fn registered(transport: Transport, header: &str) -> (Stage, RegistrationHandle) {
    let mut stage = Stage::over(transport, |config| config);
    let registration = register(&mut stage);
    stage.run(&format!("alice -> proxy  REGISTER  Via~=;keep\nproxy -> alice  200  {header}"));
    stage.told(&["registered 3600"]);
    (stage, registration)
}

/// When alice sent keep-alives so far, in milliseconds.
fn kept(stage: &mut Stage) -> Vec<u128> {
    let sent = stage.ladder.network().trace().sent();
    let kept = sent.filter(|sent| {
        sent.from.name == "alice" && keep_alive::sort(&sent.bytes, sent.from.address) != Datagram::Message
    });
    kept.map(|sent| sent.at.as_millis()).collect()
}

/// Goes on, step by step.
#[track_caller]
fn until(stage: &mut Stage, is_so: impl Fn(&mut Stage) -> bool) {
    while !is_so(stage) {
        assert!(stage.ladder.network().step(), "it never comes");
    }
}

/// RFC 5626 §4.5: the registration is made anew, 15 to 30 s from now, since no other holds.
#[track_caller]
fn comes_back(stage: &mut Stage) {
    let gone = stage.ladder.network().passed();
    until(stage, |stage| {
        let last = stage.ladder.network().trace().sent().next_back();
        last.is_some_and(|sent| sent.at > gone && sent.bytes.starts_with(b"REGISTER"))
    });
    let waited = stage.ladder.network().passed() - gone;
    assert!((15..=30).contains(&waited.as_secs()), "{waited:?}");
    stage.run("alice -> proxy  REGISTER\nproxy -> alice  200  Flow-Timer=30");
    stage.told(&["registered 3600"]);
}

/// The times between them.
fn gaps(times: &[u128]) -> Vec<u128> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// RFC 5626 §4.4, §4.4.1, §4.4.2: as often as the registrar says, at its defaults where it only says that it answers, and not
/// at all where it says nothing.
#[test]
fn a_registrar_has_its_flow_kept_alive() {
    for (transport, header, least, most) in [
        (Transport::Udp, "Flow-Timer=30", 24_000, 30_000),
        (Transport::Udp, "Require=outbound", 24_000, 29_000),
        (Transport::Tcp, "Flow-Timer=60", 48_000, 60_000),
        (Transport::Tcp, "Require=outbound", 95_000, 120_000),
    ] {
        let (mut stage, registration) = registered(transport, header);
        stage.run("+20m");
        let gaps = gaps(&kept(&mut stage));
        assert!(gaps.len() as u128 >= 1_200_000 / most - 1, "{header}: {gaps:?}");
        assert!(gaps.iter().all(|gap| (least..=most).contains(gap)), "{header}: {gaps:?}");
        assert!(gaps.iter().any(|gap| *gap != gaps[0]), "they are drawn: {gaps:?}");
        stage.told(&[]);

        stage.alice(|alice, now| assert!(alice.unregister(registration, now)));
        stage.run("alice -> proxy  REGISTER  Expires=0\nproxy -> alice  200");
        let before = kept(&mut stage).len();
        stage.is_over();
        assert_eq!(kept(&mut stage).len(), before, "nobody is registered there");
    }
    for transport in [Transport::Udp, Transport::Tcp] {
        let (mut stage, _) = registered(transport, "");
        stage.run("+20m");
        assert_eq!(kept(&mut stage), []);
    }
}

#[test]
fn an_owner_may_want_no_keep_alives() {
    let mut stage = Stage::new(|config| Config { keep_alive: false, ..config });
    register(&mut stage);
    stage.run("alice -> proxy  REGISTER  Via!~=;keep\nproxy -> alice  200  Flow-Timer=30\n+20m");
    assert_eq!(kept(&mut stage), []);
}

/// RFC 5626 §4.4.1: ten seconds after a ping that nobody answers the flow is gone, a connection closed with it; §4.5: 15 to 30 s
/// later the registration is made anew, by another connection.
#[test]
fn a_stream_without_pongs_is_replaced() {
    let (mut stage, _) = registered(Transport::Tcp, "Flow-Timer=30");
    stage.run("+2m");
    stage.told(&[]);
    stage.ladder.network().link("alice", "proxy", Link { cut: true, ..Link::default() });
    let cut = stage.ladder.network().passed();
    until(&mut stage, |stage| !stage.notes.borrow().told.is_empty());
    stage.told(&["unregistered None true"]);
    let (last, gone) = (*kept(&mut stage).last().unwrap(), stage.ladder.network().passed());
    assert_eq!(gone.as_millis() - last, 10_000);
    assert!(gone - cut <= Duration::from_secs(40));

    stage.ladder.network().link("alice", "proxy", Link::default());
    comes_back(&mut stage);
    stage.run("+5m");
    let sent = stage.ladder.network().trace().sent();
    let mut ports: Vec<u16> =
        sent.filter(|sent| sent.from.name == "alice").map(|sent| sent.from.address.port()).collect();
    ports.dedup();
    assert_eq!(ports.len(), 2, "one connection, then another: {ports:?}");
}

/// RFC 5626 §4.4.2, RFC 8489 §6.2.1: seven requests, and 39.5 s after the first the flow is gone.
#[test]
fn a_flow_without_stun_answers_is_replaced() {
    let (mut stage, _) = registered(Transport::Udp, "Flow-Timer=30");
    stage.run("+2m");
    let before = kept(&mut stage).len();
    stage.ladder.network().link("alice", "proxy", Link { cut: true, ..Link::default() });
    until(&mut stage, |stage| !stage.notes.borrow().told.is_empty());
    stage.told(&["unregistered None true"]);
    let kept = kept(&mut stage);
    assert_eq!(gaps(&kept[before..]), [500, 1_000, 2_000, 4_000, 8_000, 16_000]);
    assert_eq!(stage.ladder.network().passed().as_millis() - kept[before], 39_500);
    stage.ladder.network().link("alice", "proxy", Link::default());
    comes_back(&mut stage);
}

/// A connection that its peer closes takes the registration with it at once.
#[test]
fn a_closed_connection_is_noticed_without_a_ping() {
    let (mut stage, _) = registered(Transport::Tcp, "Flow-Timer=30");
    stage.ladder.network().disconnect("proxy", "alice");
    stage.ladder.network().settle();
    stage.told(&["unregistered None true"]);
    let pending = stage.alice(|alice, _| alice.pending());
    assert_eq!(pending, (0, 1), "the next attempt, and no keep-alive");
}

/// RFC 6223: what a client offers in its Via is accepted there, and the rest follows.
#[test]
fn keep_alives_are_agreed_upon_in_via() {
    let mut network = Network::new(1);
    let now = network.now();
    let proxy: Flow = Flow {
        transport: Transport::Tcp,
        listener: ListenerId(0),
        remote: "192.0.2.9:5060".parse().unwrap(),
        connection: None,
    };
    network.add("registrar", [Bind::from("tcp:192.0.2.9:5060").access()], |own| {
        let config = transaction::Config { keep_alive: Some(40), ..transaction::Config::new([7; 32], own) };
        Owned::new(transaction::Transactions::new(config, now), now, |layer, event, now| {
            if let transaction::Event::Request { id, request, .. } = event {
                layer.respond(id, request.reply(crate::StatusCode::OK).with_to_tag("1"), now);
            }
        })
    });
    let alice = network.add("alice", ["tcp:192.0.2.1:5060"], |own| {
        let config = Config { proxy: Some(proxy.into()), ..Config::new(transaction::Config::new([3; 32], own)) };
        UserAgent::new(config, now)
    });
    network.with(alice, |alice, now| alice.register(Binding::new("sip:ims.example".parse().unwrap()), now));
    network.run_for(Duration::from_secs(600));
    let pings: Vec<u128> = network
        .trace()
        .sent()
        .filter(|sent| sent.from.name == "alice" && sent.bytes == keep_alive::PING)
        .map(|sent| sent.at.as_millis())
        .collect();
    assert!(gaps(&pings).iter().all(|gap| (32_000..=40_000).contains(gap)) && pings.len() > 10, "{pings:?}");
    assert_eq!(network.take_events(alice).len(), 1, "registered, and that is all");
}
