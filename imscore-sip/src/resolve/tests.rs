use super::*;
use crate::testing::Clock;
use crate::uri::Uri;

/// What a name server would say, by `TYPE name`.
type Zone = [(&'static str, &'static str)];

/// The records of one line: `order preference flags service replacement`, `priority weight port target`, or addresses.
fn records(question: &Question, zone: &Zone) -> Option<Answer> {
    let (kind, name) = match question {
        Question::Naptr(name) => ("NAPTR", name),
        Question::Srv(name) => ("SRV", name),
        Question::A(name) => ("A", name),
        Question::Aaaa(name) => ("AAAA", name),
    };
    let mut found = Vec::new();
    for (_, line) in zone.iter().filter(|(key, _)| *key == format!("{kind} {name}")) {
        let words: Vec<&str> = line.split(' ').collect();
        found.push(match words[..] {
            ["fails"] => return Some(Answer::Failed),
            ["silent"] => return None,
            [order, preference, flags, service, replacement] => Record::Naptr {
                order: order.parse().unwrap(),
                preference: preference.parse().unwrap(),
                flags: flags.into(),
                service: service.into(),
                replacement: replacement.into(),
            },
            [priority, weight, port, target] => Record::Srv {
                priority: priority.parse().unwrap(),
                weight: weight.parse().unwrap(),
                port: port.parse().unwrap(),
                target: target.into(),
            },
            _ => Record::Address(line.parse().unwrap()),
        });
    }
    Some(Answer::Records(found, Duration::from_secs(60)))
}

/// Answers everything that comes out, and gives the results and how many questions there were.
fn drive(resolver: &mut Resolver, zone: &Zone, now: Instant) -> (Vec<Vec<Target>>, usize) {
    let (mut results, mut asked) = (Vec::new(), 0);
    loop {
        match resolver.poll_output() {
            Output::Ask(question) => {
                asked += 1;
                if let Some(answer) = records(&question, zone) {
                    resolver.handle_answer(&question, answer, now);
                }
            }
            Output::Resolved(_, targets) => results.push(targets),
            Output::Wait(_) => return (results, asked),
        }
    }
}

fn to(uri: &str) -> Destination {
    Destination::of(uri.parse::<Uri>().unwrap().as_sip().unwrap()).unwrap()
}

fn all() -> Config {
    Config {
        transports: vec![Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss],
        ..Config::new([7; 32])
    }
}

fn texts(targets: &[Target]) -> Vec<String> {
    targets.iter().map(|target| format!("{} {}", target.transport, target.address)).collect()
}

fn look(resolver: &mut Resolver, uri: &str, zone: &Zone, now: Instant) -> (Vec<String>, usize) {
    resolver.resolve(to(uri), now);
    let (results, asked) = drive(resolver, zone, now);
    (texts(&results[0]), asked)
}

#[track_caller]
fn check(uri: &str, zone: &Zone, expected: &[&str]) {
    let now = Clock::new().now().monotonic;
    let mut config = all();
    config.ipv6 = true;
    assert_eq!(look(&mut Resolver::new(config), uri, zone, now).0, expected, "{uri}");
}

/// RFC 3263 §4.1, §4.2.
#[test]
fn numbers_and_ports_leave_little_to_ask() {
    let zone: &Zone =
        &[("A h.example", "192.0.2.7"), ("AAAA h.example", "2001:db8::7"), ("SRV _sip._udp.h.example", "1 1 9 x")];
    check("sip:192.0.2.1", &[], &["UDP 192.0.2.1:5060"]);
    check("sips:[2001:db8::1]", &[], &["TLS [2001:db8::1]:5061"]);
    check("sip:192.0.2.1:5070;transport=tcp", &[], &["TCP 192.0.2.1:5070"]);
    check("sip:a.example;maddr=192.0.2.9;transport=ws", &[], &["WS 192.0.2.9:80"]);
    check("sip:h.example:5070", zone, &["UDP 192.0.2.7:5070", "UDP [2001:db8::7]:5070"]);
    check("sips:H.example:5070", zone, &["TLS 192.0.2.7:5070", "TLS [2001:db8::7]:5070"]);
    check("sip:h.example;transport=tcp", zone, &["TCP 192.0.2.7:5060", "TCP [2001:db8::7]:5060"]);
    check("sips:192.0.2.1;transport=ws", &[], &["WSS 192.0.2.1:443"]);
}

const DOMAIN: &Zone = &[
    ("NAPTR ims.example", "20 1 s SIP+D2U _sip._udp.ims.example."),
    ("NAPTR ims.example", "10 2 S sip+d2t _SIP._tcp.ims.example"),
    ("NAPTR ims.example", "10 1 s SIPS+D2T _sips._tcp.ims.example"),
    ("NAPTR ims.example", "1 1 u E2U+sip !.*!sip:x!"),
    ("NAPTR ims.example", "1 1 s SIP+D2S _sip._sctp.ims.example"),
    ("SRV _sip._udp.ims.example", "1 0 5060 a.ims.example"),
    ("SRV _sip._tcp.ims.example", "2 0 5070 b.ims.example."),
    ("SRV _sip._tcp.ims.example", "1 0 5060 a.ims.example"),
    ("SRV _sips._tcp.ims.example", "1 0 5061 a.ims.example"),
    ("A a.ims.example", "192.0.2.1"),
    ("A b.ims.example", "192.0.2.2"),
];

#[test]
fn a_domain_says_what_it_prefers() {
    check(
        "sip:ims.example",
        DOMAIN,
        &["TLS 192.0.2.1:5061", "TCP 192.0.2.1:5060", "TCP 192.0.2.2:5070", "UDP 192.0.2.1:5060"],
    );
    check("sips:ims.example", DOMAIN, &["TLS 192.0.2.1:5061"]);
    check("sip:ims.example;transport=udp", DOMAIN, &["UDP 192.0.2.1:5060"]);
    // Without NAPTR our own order; without SRV the host; with the root as a host nobody.
    check(
        "sip:ims.example",
        &DOMAIN[5..],
        &["UDP 192.0.2.1:5060", "TCP 192.0.2.1:5060", "TCP 192.0.2.2:5070", "TLS 192.0.2.1:5061"],
    );
    check("sip:a.ims.example", DOMAIN, &["UDP 192.0.2.1:5060"]);
    check("sip:ims.example;transport=udp", &[("SRV _sip._udp.ims.example", "0 0 0 .")], &[]);
    check("sip:nobody.example", DOMAIN, &[]);
}

/// RFC 2782: within a priority by weight, and the same seed draws the same.
#[test]
fn weights_share_the_load() {
    let zone: &Zone = &[
        ("SRV _sip._udp.ims.example", "1 90 5060 a.ims.example"),
        ("SRV _sip._udp.ims.example", "1 10 5060 b.ims.example"),
        ("A a.ims.example", "192.0.2.1"),
        ("A b.ims.example", "192.0.2.2"),
    ];
    let now = Clock::new().now().monotonic;
    let draw = || {
        let mut resolver = Resolver::new(all());
        let mut first = || look(&mut resolver, "sip:ims.example;transport=udp", zone, now).0.remove(0);
        (0..1_000).map(|_| first()).collect::<Vec<String>>()
    };
    let drawn = draw();
    let heavy = drawn.iter().filter(|first| first.contains("192.0.2.1")).count();
    assert!((870..930).contains(&heavy), "{heavy}");
    assert_eq!(draw(), drawn);
}

#[test]
fn answers_are_shared_kept_for_their_time_and_serve_while_dns_is_down() {
    let start = Clock::new().now().monotonic;
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut resolver = Resolver::new(all());
    resolver.resolve(to("sip:ims.example"), start);
    resolver.resolve(to("sip:ims.example"), start);
    let (results, asked) = drive(&mut resolver, DOMAIN, start);
    // NAPTR, three SRV, two hosts.
    assert_eq!((results.len(), asked), (2, 6));
    assert_eq!(look(&mut resolver, "sip:ims.example", &[], at(59)).1, 0);
    let down: &Zone = &[
        ("NAPTR ims.example", "fails"),
        ("SRV _sip._udp.ims.example", "fails"),
        ("SRV _sip._tcp.ims.example", "fails"),
        ("SRV _sips._tcp.ims.example", "fails"),
        ("A a.ims.example", "fails"),
        ("A b.ims.example", "fails"),
    ];
    let (targets, asked) = look(&mut resolver, "sip:ims.example", down, at(61));
    assert_eq!((targets.len(), asked), (4, 6));
    assert_eq!(look(&mut resolver, "sip:ims.example", down, at(62)), (targets, 0));
    assert_eq!(look(&mut resolver, "sip:ims.example", &[], at(92)).0.len(), 0, "it is up, and says that there is none");
}

/// Threat D12: a name server that says nothing holds up those who ask it, for 5 s, and nobody else.
#[test]
fn a_question_holds_up_nobody_else() {
    let start = Clock::new().now().monotonic;
    let mut resolver = Resolver::new(all());
    let slow = resolver.resolve(to("sip:slow.example:5060"), start);
    assert_eq!(drive(&mut resolver, &[("A slow.example", "silent")], start), (vec![], 1));
    assert_eq!(look(&mut resolver, "sip:ims.example", DOMAIN, start).0.len(), 4);
    assert_eq!(resolver.poll_output(), Output::Wait(Some(start + PATIENCE)));
    resolver.handle_timeout(start + PATIENCE - Duration::from_millis(1));
    assert_eq!(resolver.poll_output(), Output::Wait(Some(start + PATIENCE)));
    resolver.handle_timeout(start + PATIENCE);
    assert_eq!(resolver.poll_output(), Output::Resolved(slow, vec![]));
    // A late answer, and one that nobody asked for.
    for name in ["slow.example", "x.example"] {
        let answer = Answer::Records(vec![Record::Address("192.0.2.66".parse().unwrap())], PATIENCE);
        resolver.handle_answer(&Question::A(name.into()), answer, start + PATIENCE);
        assert_eq!(resolver.poll_output(), Output::Wait(None));
    }
}

/// Threat D12: 10,000 records, and names that lead to themselves.
#[test]
fn what_a_domain_says_is_bounded() {
    let now = Clock::new().now().monotonic;
    let mut resolver = Resolver::new(all());
    resolver.resolve(to("sip:ims.example;transport=udp"), now);
    let Output::Ask(question) = resolver.poll_output() else { panic!("a question") };
    let srv =
        |number: u32| Record::Srv { priority: 1, weight: 1, port: 5_060, target: format!("h{number}.example").into() };
    resolver.handle_answer(&question, Answer::Records((0..10_000).map(srv).collect(), PATIENCE), now);
    let mut asked = 0;
    while let Output::Ask(question) = resolver.poll_output() {
        asked += 1;
        let many = (0..10_000_u32).map(|host| Record::Address(IpAddr::from((0x0a00_0000 + host).to_be_bytes())));
        resolver.handle_answer(&question, Answer::Records(many.collect(), PATIENCE), now);
        assert!(asked <= 64, "no end");
    }
    let circle: &Zone = &[
        ("NAPTR c.example", "1 1 s SIP+D2U c.example"),
        ("SRV c.example", "1 1 5060 c.example"),
        ("A c.example", "192.0.2.1"),
    ];
    assert_eq!(look(&mut Resolver::new(all()), "sip:c.example", circle, now), (vec!["UDP 192.0.2.1:5060".into()], 3));
}

/// RFC 3263 §4.3: who failed is tried last for 30 s, and then by one.
#[test]
fn a_failed_target_is_set_aside_and_probed() {
    let start = Clock::new().now().monotonic;
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut resolver = Resolver::new(all());
    resolver.set_host("h.example", ["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()]);
    let first = |resolver: &mut Resolver, now| {
        resolver.resolve(to("sip:h.example"), now);
        let (mut results, asked) = drive(resolver, &[], now);
        assert_eq!((asked, results[0].len()), (0, 2));
        results.remove(0).remove(0)
    };
    let bad = first(&mut resolver, start);
    resolver.failed(&bad, start);
    for (seconds, is_bad) in [(0, false), (29, false), (30, true), (30, false), (59, false), (60, true)] {
        assert_eq!(first(&mut resolver, at(seconds)) == bad, is_bad, "{seconds}");
    }
    resolver.worked(&bad);
    assert_eq!(first(&mut resolver, at(61)), bad);
    assert!(fails_over(StatusCode::SERVICE_UNAVAILABLE) && !fails_over(StatusCode::BUSY_HERE));
}
