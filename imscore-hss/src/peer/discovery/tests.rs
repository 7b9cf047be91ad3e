//! Zones as text, and what comes of them.

use std::fmt::Write as _;

use super::*;

/// What a zone says: lines of `name TYPE fields…`, `name TYPE !` where nobody can say.
struct World {
    discovery: Discovery,
    zone: String,
    now: Duration,
    asked: Vec<String>,
}

const REALM: &str = "ims.example";

fn search() -> Search {
    let mut search = Search::new("IMS.example.", ApplicationId::CX);
    search.transports = vec![Transport::Tcp, Transport::Tls, Transport::Sctp];
    search
}

fn line(question: &Question) -> String {
    match question {
        Question::Naptr(name) => format!("{name} NAPTR"),
        Question::Srv(name) => format!("{name} SRV"),
        Question::A(name) => format!("{name} A"),
        Question::Aaaa(name) => format!("{name} AAAA"),
    }
}

fn record(kind: &str, fields: &str) -> Record {
    let fields: Vec<_> = fields.split_ascii_whitespace().collect();
    let number = |at: usize| fields[at].parse().unwrap();
    let text = |at: usize| fields[at].trim_matches('"');
    match kind {
        "NAPTR" => Record::naptr((number(0), number(1)), text(2), text(3), text(4)),
        "SRV" => Record::srv(number(0), number(1), number(2), text(3)),
        _ => Record::Address(text(0).parse().unwrap()),
    }
}

impl World {
    fn new(search: Search, zone: &str) -> World {
        let (discovery, zone) = (Discovery::new(search, 7), zone.to_owned());
        World { discovery, zone, now: Duration::ZERO, asked: Vec::new() }
    }

    /// The records that the zone has for a question, each for 60 s but where it says `ttl=`.
    fn answer(&self, question: &Question) -> Option<Answer> {
        let of = line(question);
        let (_, kind) = of.rsplit_once(' ').unwrap();
        let rest = |line: &str| line.trim().strip_prefix(&of)?.strip_prefix(' ').map(|rest| rest.trim().to_owned());
        let lines: Vec<_> = self.zone.lines().filter_map(rest).collect();
        if lines.iter().any(|line| line == "silence") {
            return None;
        }
        if lines.iter().any(|line| line == "!") {
            return Some(Answer::Failed);
        }
        let ttl = |line: &String| line.split_once("ttl=").map(|(_, ttl)| ttl.parse().unwrap());
        let lasts = Duration::from_secs(lines.iter().filter_map(ttl).min().unwrap_or(60));
        Some(Answer::Records(lines.iter().map(|line| record(kind, line)).collect(), lasts))
    }

    /// Answers what is asked until nothing is; what was found last.
    fn drain(&mut self) -> Vec<Result<Vec<PeerSettings>, NotFound>> {
        let mut found = Vec::new();
        loop {
            match self.discovery.poll_output() {
                Output::Ask(question) => {
                    self.asked.push(line(&question));
                    if let Some(answer) = self.answer(&question) {
                        self.discovery.handle_answer(&question, answer, self.now);
                    }
                }
                Output::Found(result) => found.push(result),
                Output::Wait(_) => return found,
            }
        }
    }

    /// Waits, and has the engine act when it asked to.
    fn wait(&mut self, seconds: u64) -> Vec<Result<Vec<PeerSettings>, NotFound>> {
        let end = self.now + Duration::from_secs(seconds);
        let mut found = self.drain();
        while let Output::Wait(Some(next)) = self.discovery.poll_output()
            && next <= end
        {
            assert!(next >= self.now, "a deadline that has passed");
            self.now = next;
            self.discovery.handle_timeout(next);
            found.extend(self.drain());
        }
        self.now = end;
        found
    }
}

/// What a zone comes to: a line for each peer, or why there is none.
fn found(search: Search, zone: &str) -> String {
    let mut world = World::new(search, zone);
    world.discovery.start(Duration::ZERO);
    match world.drain().pop().unwrap() {
        Err(not_found) => format!("{not_found:?}"),
        Ok(peers) => peers.iter().fold(String::new(), |mut lines, peer| {
            assert_eq!(peer.realm, "IMS.example");
            let (host, addresses) = (&peer.host, peer.addresses.join(","));
            writeln!(lines, "{host} {:?} {addresses} {}/{}", peer.transport, peer.priority, peer.weight).unwrap();
            lines
        }),
    }
}

fn check(zone: &str, expected: &str) {
    let expected: String = expected.lines().map(|line| format!("{}\n", line.trim())).collect();
    assert_eq!(found(search(), zone).trim(), expected.trim(), "{zone}");
}

/// RFC 6408 §3, RFC 3588 §5.2: of our application or of any, over what we have, by order and preference.
#[test]
fn services_by_naptr() {
    let hosts = "\
        _diameter._tcp.ims.example SRV 0 1 3868 one.ims.example.
        _diameters._tcp.ims.example SRV 0 1 5658 two.ims.example.
        _diameter._sctp.ims.example SRV 0 1 3868 three.ims.example.
        one.ims.example A 192.0.2.1
        two.ims.example A 192.0.2.2
        three.ims.example A 192.0.2.3\n";
    let (tcp, tls, sctp) =
        ("_diameter._tcp.ims.example.", "_diameters._tcp.ims.example.", "_diameter._sctp.ims.example.");
    let naptr = |rank: &str, service: &str, to: &str| format!("ims.example NAPTR {rank} \"s\" \"{service}\" {to}\n");
    let zone = |records: &[String]| [hosts, &records.concat()].concat();
    check(
        &zone(&[
            naptr("20 1", "aaa+ap16777216:diameter.tcp", tcp),
            naptr("10 9", "AAA+AP16777216:Diameter.TLS.tcp", tls),
            naptr("10 1", "aaa:diameter.sctp", sctp),
        ]),
        "three.ims.example Sctp 192.0.2.3:3868 0/1
         two.ims.example Tls 192.0.2.2:5658 1/1
         one.ims.example Tcp 192.0.2.1:3868 2/1",
    );
    // As RFC 3588 had it, and several protocols in one field.
    check(
        &zone(&[naptr("1 1", "AAA+D2S", sctp), naptr("1 2", "AAA+D2T", tcp)]),
        "three.ims.example Sctp 192.0.2.3:3868 0/1
         one.ims.example Tcp 192.0.2.1:3868 1/1",
    );
    check(
        &zone(&[naptr("1 1", "aaa+ap16777216:diameter.dtls.sctp:diameter.tcp", tcp)]),
        "one.ims.example Tcp 192.0.2.1:3868 0/1",
    );
    // Of another application, over what we have not, of no flag that there is.
    let none = format!("{:?}", NotFound::NoService(REALM.into()));
    for service in [
        "aaa+ap16777251:diameter.tcp",
        "aaa+ap16777216:diameter.dtls.sctp",
        "aaa+ap16777216",
        "aaa+ap1677721:diameter.tcp",
    ] {
        check(&zone(&[naptr("1 1", service, tcp)]), &none);
    }
    // What is there of SIP says nothing of Diameter.
    check(
        &zone(&[naptr("1 1", "SIP+D2T", "_sip._tcp.ims.example.")]),
        "one.ims.example Tcp 192.0.2.1:3868 0/1
         two.ims.example Tls 192.0.2.2:5658 1/1
         three.ims.example Sctp 192.0.2.3:3868 2/1",
    );
}

/// RFC 3958 §2.2: a host by its own address, and NAPTR records that lead to others.
#[test]
fn terminal_and_other_naptr() {
    check(
        "ims.example NAPTR 1 1 \"a\" \"aaa:diameter.tls.tcp\" hss.ims.example.
         hss.ims.example A 192.0.2.1
         hss.ims.example A 192.0.2.2",
        "hss.ims.example Tls 192.0.2.1:5658,192.0.2.2:5658 0/1",
    );
    check(
        "ims.example NAPTR 1 1 \"\" \"aaa:diameter.tcp\" pool.ims.example.
         pool.ims.example NAPTR 1 1 \"s\" \"aaa:diameter.tcp\" _diameter._tcp.ims.example.
         _diameter._tcp.ims.example SRV 0 1 3868 hss.ims.example.
         hss.ims.example A 192.0.2.1",
        "hss.ims.example Tcp 192.0.2.1:3868 0/1",
    );
}

/// RFC 2782: priority, weight, several addresses; a service that is not there.
#[test]
fn hosts_by_srv() {
    check(
        "_diameter._tcp.ims.example SRV 20 5 3869 b.ims.example.
         _diameter._tcp.ims.example SRV 10 0 3868 a.ims.example.
         _diameter._tcp.ims.example SRV 20 0 0 no-port.ims.example.
         _diameter._sctp.ims.example SRV 0 0 0 .
         a.ims.example A 192.0.2.1
         b.ims.example A 192.0.2.2
         no-port.ims.example A 192.0.2.3",
        "a.ims.example Tcp 192.0.2.1:3868 0/1
         b.ims.example Tcp 192.0.2.2:3869 1/5",
    );
    let mut both = search();
    both.ipv6 = true;
    let zone = "_diameter._tcp.ims.example SRV 0 1 3868 a.ims.example.
         a.ims.example A 192.0.2.1
         a.ims.example AAAA 2001:db8::1";
    assert_eq!(found(both, zone), "a.ims.example Tcp 192.0.2.1:3868,[2001:db8::1]:3868 0/1\n");
}

/// Why there is nobody is said.
#[test]
fn nobody() {
    check("", &format!("{:?}", NotFound::NoRecord(REALM.into())));
    check("ims.example NAPTR !", &format!("{:?}", NotFound::Silent(REALM.into())));
    check("_diameter._tcp.ims.example SRV !", &format!("{:?}", NotFound::Silent("_diameter._tcp.ims.example".into())));
    let srv = "_diameter._tcp.ims.example SRV 0 1 3868 a.ims.example.\n";
    check(srv, &format!("{:?}", NotFound::NoAddress("a.ims.example".into())));
    check(&[srv, "a.ims.example A !"].concat(), &format!("{:?}", NotFound::Silent("a.ims.example".into())));
    let circle = "ims.example NAPTR 1 1 \"\" \"aaa:diameter.tcp\" ims.example.";
    check(circle, &format!("{:?}", NotFound::Circle(REALM.into())));
    let shown = NotFound::NoRecord(REALM.into()).to_string();
    assert_eq!(
        shown,
        "ims.example has neither NAPTR nor SRV records of Diameter: write some, or give the peer's address"
    );
}

/// RFC 6733 §5.2: who writes into the answers of a name server sends us nowhere but into the realm, and where we allow it.
#[test]
fn hosts_of_others() {
    let zone = "_diameter._tcp.ims.example SRV 0 1 3868 hss.evil.example.
         _diameter._tcp.ims.example SRV 1 1 3868 evil-ims.example.
         _diameter._tcp.ims.example SRV 2 1 3868 hss.operator.example.
         hss.evil.example A 192.0.2.1
         evil-ims.example A 192.0.2.1
         hss.operator.example A 192.0.2.2";
    let mut world = World::new(search(), zone);
    world.discovery.start(Duration::ZERO);
    assert_eq!(world.drain().pop(), Some(Err(NotFound::Outside("hss.operator.example".into()))));
    assert!(!world.asked.iter().any(|line| line.ends_with(" A")), "{:?}", world.asked);
    let mut allowed = search();
    allowed.domains = vec!["Operator.example".into()];
    assert_eq!(found(allowed, zone), "hss.operator.example Tcp 192.0.2.2:3868 0/1\n");
    for (host, domain, expected) in [
        ("ims.example", "ims.example", true),
        ("a.IMS.example", "ims.EXAMPLE", true),
        ("aims.example", "ims.example", false),
        ("example", "ims.example", false),
        ("ims.example", "", false),
        ("é.ims.example", "ims.example", true),
    ] {
        assert_eq!(is_in(host, domain), expected, "{host} in {domain}");
    }
}

/// Threat D12: 10,000 records and NAPTR records without end come to an end.
#[test]
fn zones_without_end() {
    let mut zone = String::new();
    for n in 0..10_000 {
        writeln!(
            zone,
            "_diameter._tcp.ims.example SRV {} 1 3868 h{n}.ims.example.\nh{n}.ims.example A 192.0.2.1",
            n % 3
        )
        .unwrap();
    }
    let mut world = World::new(search(), &zone);
    world.discovery.start(Duration::ZERO);
    let peers = world.drain().pop().unwrap().unwrap();
    assert_eq!((peers.len(), world.asked.len()), (8, 64));
    assert!(peers.iter().all(|peer| peer.priority == 0), "{peers:?}");
    // The same eight, whenever they are looked for.
    assert_eq!(world.wait(60).pop().unwrap().unwrap(), peers);
    let mut zone = String::new();
    for n in 0..8 {
        for from in (0..200).map(|n| format!("n{n}.ims.example")).chain(["ims.example".into()]) {
            writeln!(zone, "{from} NAPTR {n} 1 \"\" \"aaa:diameter.tcp\" n{n}.ims.example.").unwrap();
        }
    }
    let mut world = World::new(search(), &zone);
    world.discovery.start(Duration::ZERO);
    assert!(matches!(world.drain().pop(), Some(Err(NotFound::Circle(_)))));
    assert_eq!(world.asked.len(), 9, "each name once: {:?}", world.asked);
    let mut zone = "ims.example NAPTR 1 1 \"\" \"aaa:diameter.tcp\" n0.ims.example.\n".to_owned();
    for n in 0..200 {
        writeln!(zone, "n{n}.ims.example NAPTR 1 1 \"\" \"aaa:diameter.tcp\" n{}.ims.example.", n + 1).unwrap();
    }
    let mut world = World::new(search(), &zone);
    world.discovery.start(Duration::ZERO);
    assert!(matches!(world.drain().pop(), Some(Err(NotFound::NoService(_)))));
    assert_eq!(world.asked.len(), 64);
}

/// What was found holds as long as its records, and is asked for again then, but not without pause.
#[test]
fn asked_for_anew() {
    let zone = "_diameter._tcp.ims.example SRV 0 1 3868 a.ims.example. ttl=100
         a.ims.example A 192.0.2.1 ttl=90
         ims.example NAPTR 1 1 \"s\" \"aaa:diameter.tcp\" _diameter._tcp.ims.example. ttl=500";
    let mut world = World::new(search(), zone);
    world.discovery.start(Duration::ZERO);
    assert_eq!(world.drain().len(), 1);
    assert_eq!(world.wait(89), []);
    world.zone = zone.replace("192.0.2.1", "192.0.2.9").replace("ttl=90", "ttl=0");
    assert_eq!(world.wait(1)[0].as_ref().unwrap()[0].addresses, ["192.0.2.9:3868"]);
    assert_eq!(world.wait(9), []);
    assert_eq!(world.wait(1).len(), 1);
    // Now there is nobody any more.
    world.zone.clear();
    assert_eq!(world.wait(10), [Err(NotFound::NoRecord(REALM.into()))]);
    assert_eq!(world.wait(59), []);
    assert_eq!(world.wait(1).len(), 1);
}

/// RFC 8767: while nobody answers what was found serves on, for a day.
#[test]
fn name_servers_fall_silent() {
    let zone = "_diameter._tcp.ims.example SRV 0 1 3868 a.ims.example.\n a.ims.example A 192.0.2.1";
    let mut world = World::new(search(), zone);
    world.discovery.start(Duration::ZERO);
    world.drain();
    world.zone = "ims.example NAPTR silence".into();
    assert_eq!(world.wait(60), []);
    world.asked.clear();
    assert_eq!(world.wait(3_600), []);
    assert!((100..110).contains(&world.asked.len()), "every 35 s: {}", world.asked.len());
    assert_eq!(world.wait(86_400 - 3_700), []);
    assert_eq!(world.wait(200)[0], Err(NotFound::Silent(REALM.into())));
    world.zone = zone.into();
    assert_eq!(world.wait(36).pop().unwrap().unwrap().len(), 1);
}

/// Who asks and hears nothing tries again soon, and less and less often.
#[test]
fn silence_from_the_start() {
    let mut world = World::new(search(), "ims.example NAPTR !");
    world.discovery.start(Duration::ZERO);
    assert_eq!(world.drain().len(), 1);
    let found = world.wait(31);
    assert_eq!(found.len(), 5, "after 1, 3, 7, 15 and 31 s");
    assert_eq!(world.wait(60).len(), 2);
    // An answer that nobody waits for any more, and one that nobody asked for.
    let late = Answer::Records(vec![], Duration::ZERO);
    world.discovery.handle_answer(&Question::Naptr(REALM.into()), late.clone(), world.now);
    world.discovery.handle_answer(&Question::A("a.example".into()), late, world.now);
    assert_eq!(world.drain(), []);
}

/// One host that nobody can say anything of keeps nobody from the others, and is asked for again soon.
#[test]
fn part_of_it_is_silent() {
    let zone = "_diameter._tcp.ims.example SRV 0 1 3868 a.ims.example.
         _diameter._tcp.ims.example SRV 0 1 3868 b.ims.example.
         a.ims.example A 192.0.2.1
         b.ims.example A !";
    let mut world = World::new(search(), zone);
    world.discovery.start(Duration::ZERO);
    assert_eq!(world.drain().pop().unwrap().unwrap().len(), 1);
    world.zone = zone.replace('!', "192.0.2.2");
    assert_eq!(world.wait(10).pop().unwrap().unwrap().len(), 2);
    assert_eq!(world.wait(59), []);
}
