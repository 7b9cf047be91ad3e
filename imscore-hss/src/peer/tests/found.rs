//! Peers that were found by name: RFC 6733 §5.2.

use super::*;

pub(super) fn found(host: &str, addresses: &[&str]) -> PeerSettings {
    let mut peer = PeerSettings::accept(host, REALM);
    peer.addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
    peer.from = vec![[192, 0, 2, 8].into()];
    peer
}

/// RFC 6733 §5.2: who is found is connected to, who stays keeps its connection, who is gone is left.
#[test]
fn peers_that_are_found_and_lost() {
    let mut settings = settings();
    settings.peers.truncate(1);
    let mut world = World::new(settings);
    world.peers.set_found(Err(NotFound::Asking(REALM.into())), world.now);
    let error = world.ask().unwrap_err().to_string();
    assert!(
        error.ends_with("a.ims.example: not yet connected; name servers are being asked for ims.example"),
        "{error}"
    );
    let [c, d] = [found("c.ims.example", &["c"]), found("d.ims.example", &["d"])];
    world.peers.set_found(Ok(vec![c.clone(), d.clone(), found("A.ims.example", &["elsewhere"])]), world.now);
    world.expect(&["connect 1 c", "connect 2 d"]);
    world.open(1, "c.ims.example", &[]);
    world.open(2, "d.ims.example", &[]);
    assert!(world.peers.not_found().is_none());
    let heavier = PeerSettings { priority: 9, ..d.clone() };
    world.peers.set_found(Ok(vec![c.clone(), heavier]), world.now);
    world.expect(&[]);
    world.ask().unwrap();
    world.expect(&[SENT_1]);
    // What it has not answered goes to who is left.
    world.peers.set_found(Ok(vec![d.clone()]), world.now);
    world.expect(&["down c.ims.example: no longer found for its realm", AGAIN_2, "1 <- Disconnect-Peer R---"]);
    let dpr = DisconnectPeerRequest::read_avps(world.last(1).avps()).unwrap().cause;
    assert_eq!(dpr, DisconnectCause::DoNotWantToTalkToYou);
    let hosts = |world: &World| world.peers.status().into_iter().map(|peer| peer.host).collect::<Vec<_>>();
    assert_eq!(hosts(&world), ["a.ims.example", "d.ims.example"]);
    world.give(2, lia(&world.last(2), "d.ims.example", Outcome::SUCCESS, vec![]));
    world.expect(&["answer 1 d.ims.example"]);
    world.lose(1);
    assert_eq!(world.wait(25.), [] as [&str; 0]);
    // Its place is taken by the next, and it is a stranger.
    let connection = world.accept([192, 0, 2, 8]).unwrap();
    world.give(connection, cer("c.ims.example"));
    let refused = [format!("{connection} <- Capabilities-Exchange --E- 3010"), format!("close {connection}")];
    assert_eq!(world.drain(), refused);
    world.peers.set_found(Ok(vec![d, found("e.ims.example", &["e"])]), world.now);
    world.expect(&["connect 4 e"]);
    assert_eq!(hosts(&world).len(), 3);
    // Nobody at all: it is said why.
    world.peers.set_found(Err(NotFound::Silent(REALM.into())), world.now);
    world.expect(&["close 4", "down d.ims.example: no longer found for its realm", "2 <- Disconnect-Peer R---"]);
    let error = world.ask().unwrap_err().to_string();
    assert!(error.ends_with("; no name server says anything of ims.example"), "{error}");
}

/// Threats X9, X10: a host that was found may have another name of its realm, and no name outside of it, and nobody else's.
#[test]
fn names_of_those_who_are_found() {
    let mut world = World::new(settings());
    let hosts = ["c.ims.example", "d.ims.example", "e.ims.example", "f.ims.example"];
    world.peers.set_found(Ok(hosts.iter().map(|host| found(host, &[host])).collect()), world.now);
    world.drain();
    for connection in 1..=4 {
        world.peers.handle_connected(ConnectionId(connection), world.now);
    }
    world.drain();
    world.cea(1, "hss1.ims.example", 2001);
    world.expect(&["up hss1.ims.example"]);
    world.cea(2, "hss1.ims.example", 2001);
    world.expect(&["close 2"]);
    world.cea(3, "hss.evil.example", 2001);
    world.expect(&["close 3"]);
    world.cea(4, "a.ims.example", 2001);
    world.expect(&["close 4"]);
    // It is known by the name that it gave, when it is asked and when it asks.
    world.peers.request(lir_to("hss1.ims.example"), Duration::from_secs(1), world.now).unwrap();
    world.expect(&["1 <- Location-Info RP--"]);
    world.give(1, ppr("hss1.ims.example", 1, 1));
    world.expect(&["hss1.ims.example asks Push-Profile"]);
    world.give(1, ppr("c.ims.example", 1, 2));
    world.expect(&["1 <- Push-Profile -PE- 5003"]);
    // One of the list keeps to the name that it has there.
    world.peers.start(world.now);
    assert_eq!(world.drain()[0], "connect 5 a");
    world.peers.handle_connected(ConnectionId(5), world.now);
    world.drain();
    world.cea(5, "hss9.ims.example", 2001);
    world.expect(&["close 5"]);
}

/// Each address of a host has its turn before the wait grows.
#[test]
fn addresses_in_turn() {
    let mut world = World::new(settings());
    world.peers.set_found(Ok(vec![found("c.ims.example", &["c1", "c2", "c3"])]), world.now);
    let mut seen = Vec::new();
    for connection in 1..=7 {
        let lines = world.wait(5.);
        let at = format!("connect {connection} ");
        seen.extend(lines.iter().filter_map(|line| line.strip_prefix(&at)).map(str::to_owned));
        world.peers.handle_connect_failed(ConnectionId(connection), "no", world.now);
    }
    assert_eq!(seen, ["c1", "c2", "c3", "c1", "c2", "c3", "c1"]);
}
