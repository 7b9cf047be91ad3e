//! One engine against scripted peers, in virtual time.

mod found;
mod overload;
mod sizes;

use proptest::prelude::*;

use super::*;
use crate::cx::{
    Answer, AnswerHead, LocationInfoAnswer, LocationInfoRequest, Outcome, PushProfileRequest, Request, RequestHead,
};
use crate::diameter::base::{
    CapabilitiesExchangeAnswer, CapabilitiesExchangeRequest, DisconnectPeerRequest, OcOlr, OcSupportedFeatures,
    PeerAnswer, ReportType, VendorSpecificApplicationId,
};
use crate::diameter::dictionary::{self as avp, TGPP};
use crate::diameter::{Address, CommandCode, CommandFlags, Fault, Grammar, Header, Writer};

const REALM: &str = "ims.example";
const OURS: &str = "m.ims.example";

struct World {
    peers: Peers,
    now: Duration,
    /// What was sent, by connection.
    sent: Vec<(u64, Message)>,
    tickets: Vec<Ticket>,
}

/// Two that we connect to, `a` before `z`; one that connects to us.
fn settings() -> Settings {
    let mut a = PeerSettings::connect("a.ims.example", REALM, "a");
    a.priority = 1;
    let mut z = PeerSettings::connect("z.ims.example", REALM, "z");
    z.priority = 2;
    let guest = PeerSettings { from: vec![[192, 0, 2, 7].into()], ..PeerSettings::accept("guest.ims.example", REALM) };
    let mut settings = Settings::new(Origin::new(OURS, REALM), vec![(TGPP, ApplicationId::CX)], vec![a, z, guest]);
    settings.max_strangers = 3;
    settings
}

fn header(command: CommandCode, application: ApplicationId, hop_by_hop: u32, end_to_end: u32) -> Header {
    Header { hop_by_hop, end_to_end, ..Header::request(command, application, CommandFlags::default()) }
}

fn message(header: Header, avps: impl FnOnce(&mut Writer)) -> Message {
    let mut out = Writer::new(header);
    avps(&mut out);
    Message::parse(out.finish().unwrap()).unwrap()
}

fn cer(host: &str) -> Message {
    let addresses = vec![Address::Ip([192, 0, 2, 7].into())];
    let mut cer = CapabilitiesExchangeRequest::new(host, REALM, addresses, 0, "test");
    cer.vendor_applications = vec![VendorSpecificApplicationId::auth(TGPP, ApplicationId::CX)];
    let header = header(CommandCode::CAPABILITIES_EXCHANGE, ApplicationId::COMMON, 1, 1);
    message(header, |out| cer.write_avps(out))
}

fn lir() -> Message {
    let mut head = RequestHead::cx("s;1;1", OURS, REALM, REALM);
    head.overload = Some(OcSupportedFeatures { features: None });
    let command = LocationInfoRequest::new("sip:bob@ims.example");
    Message::parse(Request { head, command }.encode().unwrap()).unwrap()
}

fn lir_to(host: &str) -> Message {
    let mut command = LocationInfoRequest::new("sip:bob@ims.example");
    command.destination_host = Some(host);
    Message::parse(Request { head: RequestHead::cx("s;1;1", OURS, REALM, REALM), command }.encode().unwrap()).unwrap()
}

fn ppr(origin: &str, hop_by_hop: u32, end_to_end: u32) -> Message {
    let head = RequestHead::cx("s;1;1", origin, REALM, REALM);
    let command = PushProfileRequest::new(OURS, "alice");
    let message = Message::parse(Request { head, command }.encode().unwrap()).unwrap();
    message.readdressed(message.header().flags, hop_by_hop, end_to_end)
}

fn lia(request: &Message, host: &str, outcome: Outcome, reports: Vec<OcOlr>) -> Message {
    let asked = Request::<LocationInfoRequest<'_>>::read(request).unwrap();
    let mut head = AnswerHead::to(&asked.head, outcome, host, REALM);
    head.reports = reports;
    let command = LocationInfoAnswer { server_name: None, capabilities: None, wildcard: None, flags: None };
    Message::parse(Answer { head, command }.encode(request.header()).unwrap()).unwrap()
}

/// An answer that sends a request elsewhere.
fn redirect(asked: &Message, from: &str, to: &[&str]) -> Message {
    let header = asked.header().answer();
    let header = Header { flags: header.flags.with(CommandFlags::ERROR), ..header };
    message(header, |out| {
        out.avp(&avp::ORIGIN_HOST, &from);
        out.avp(&avp::RESULT_CODE, &ResultCode::REDIRECT_INDICATION.0);
        to.iter().for_each(|to| out.avp(&avp::REDIRECT_HOST, to));
    })
}

impl World {
    fn new(settings: Settings) -> World {
        let peers = Peers::new(settings, 1, 0);
        World { peers, now: Duration::ZERO, sent: Vec::new(), tickets: Vec::new() }
    }

    /// With `a` and `z` up, on connections 1 and 2.
    fn up() -> World {
        let mut world = World::new(settings());
        world.peers.start(world.now);
        world.expect(&["connect 1 a", "connect 2 z"]);
        for (connection, host) in [(1, "a.ims.example"), (2, "z.ims.example")] {
            world.open(connection, host, &[]);
        }
        world
    }

    fn open(&mut self, connection: u64, host: &str, more: &[&str]) {
        self.peers.handle_connected(ConnectionId(connection), self.now);
        self.expect(&[&format!("{connection} <- Capabilities-Exchange R---")]);
        self.cea(connection, host, 2001);
        self.expect(&[&[&*format!("up {host}")], more].concat());
    }

    fn cea(&mut self, connection: u64, host: &str, result: u32) {
        self.cea_of(connection, host, result, ApplicationId::CX);
    }

    fn cea_of(&mut self, connection: u64, host: &str, result: u32, application: ApplicationId) {
        let cer = self.last(connection);
        let mut cea = CapabilitiesExchangeAnswer::new(result, host, REALM);
        cea.vendor_applications = vec![VendorSpecificApplicationId::auth(TGPP, application)];
        let cea = message(cer.header().answer(), |out| cea.write_avps(out));
        self.give(connection, cea);
    }

    /// What was sent last over a connection.
    fn last(&self, connection: u64) -> Message {
        self.sent.iter().rev().find(|(on, _)| *on == connection).unwrap().1.clone()
    }

    fn give(&mut self, connection: u64, message: Message) {
        self.peers.handle_message(ConnectionId(connection), message, self.now);
    }

    fn dwa(&mut self, connection: u64, host: &str) {
        let answer = PeerAnswer::new(2001, host, REALM);
        let header = self.last(connection).header().answer();
        self.give(connection, message(header, |out| answer.write_avps(out)));
    }

    fn ask(&mut self) -> Result<RequestId, SendError> {
        self.peers.request(lir(), Duration::from_secs(10), self.now)
    }

    /// A connection from outside, and its number.
    fn accept(&mut self, from: [u8; 4]) -> Option<u64> {
        self.arrive(from, Transport::Tcp)
    }

    fn arrive(&mut self, from: [u8; 4], transport: Transport) -> Option<u64> {
        let arrival = Arrival { from: Some(from.into()), transport };
        self.peers.handle_accepted(arrival, self.now).map(|connection| connection.0)
    }

    fn lose(&mut self, connection: u64) {
        self.peers.handle_lost(ConnectionId(connection), self.now);
    }

    /// Waits, and has the engine act when it asked to.
    fn wait(&mut self, seconds: f64) -> Vec<String> {
        let end = self.now + Duration::from_secs_f64(seconds);
        let mut done = self.drain();
        while let Output::Wait(Some(next)) = self.peers.poll_output()
            && next <= end
        {
            assert!(next >= self.now, "a deadline that has passed");
            self.now = next;
            self.peers.handle_timeout(self.now);
            done.extend(self.drain());
        }
        self.now = end;
        done
    }

    fn drain(&mut self) -> Vec<String> {
        let mut done = Vec::new();
        loop {
            done.push(match self.peers.poll_output() {
                Output::Wait(_) => return done,
                Output::Connect { connection, transport: Transport::Tcp, address, .. } => {
                    format!("connect {} {address}", connection.0)
                }
                Output::Connect { connection, transport, address, host } => {
                    format!("connect {} {transport:?} {address} {host}", connection.0)
                }
                Output::Close(connection) => format!("close {}", connection.0),
                Output::Transmit { connection, bytes } => {
                    let message = Message::parse(bytes).unwrap();
                    let header = *message.header();
                    let result = message.find(&avp::RESULT_CODE).map(|avp| avp.read::<u32>(&avp::RESULT_CODE).unwrap());
                    self.sent.push((connection.0, message));
                    let result = result.map(|result| format!(" {result}")).unwrap_or_default();
                    format!("{} <- {} {:?}{result}", connection.0, header.command, header.flags)
                }
                Output::Event(Event::Answer { request, answer }) => {
                    format!("answer {} {}", request.0, answer.text(&avp::ORIGIN_HOST).unwrap())
                }
                Output::Event(Event::Failed { request, failure }) => format!("failed {}: {failure}", request.0),
                Output::Event(Event::Request { ticket, peer, request }) => {
                    self.tickets.push(ticket);
                    format!("{peer} asks {}", request.header().command)
                }
                Output::Event(Event::Up { peer }) => format!("up {peer}"),
                Output::Event(Event::Down { peer, cause }) => format!("down {peer}: {cause}"),
            });
        }
    }

    #[track_caller]
    fn expect(&mut self, expected: &[&str]) {
        assert_eq!(self.drain(), expected);
    }
}

const SENT_1: &str = "1 <- Location-Info RP--";
const SENT_2: &str = "2 <- Location-Info RP--";
const AGAIN_2: &str = "2 <- Location-Info RP-T";

#[test]
fn question_and_answer() {
    let mut world = World::up();
    let cer = world.sent[0].1.clone();
    let cer = CapabilitiesExchangeRequest::read_avps(cer.avps()).unwrap();
    assert_eq!((cer.supported_vendors, cer.vendor_applications.len()), (vec![TGPP], 1));
    assert!(world.ask().is_ok());
    world.expect(&[SENT_1]);
    world.give(1, lia(&world.last(1), "a.ims.example", Outcome::SUCCESS, vec![]));
    world.expect(&["answer 1 a.ims.example"]);
    assert!(world.peers.status().iter().all(|peer| peer.pending == 0));
}

#[test]
fn refused_or_somebody_else() {
    let mut world = World::new(settings());
    world.peers.start(world.now);
    world.expect(&["connect 1 a", "connect 2 z"]);
    for connection in [1, 2] {
        world.peers.handle_connected(ConnectionId(connection), world.now);
    }
    world.drain();
    world.cea(1, "a.ims.example", 5010);
    world.cea(2, "b.ims.example", 2001);
    world.expect(&["close 1", "close 2"]);
    let no_peer = world.ask().unwrap_err().to_string();
    assert_eq!(
        no_peer,
        "no peer for Cx in ims.example: a.ims.example: refused the capabilities exchange: \
         DIAMETER_NO_COMMON_APPLICATION; z.ims.example: answers as b.ims.example; guest.ims.example: not yet connected"
    );
}

/// Why no peer takes a request is said for each of them.
#[test]
fn what_is_in_the_way() {
    let mut world = World::new(settings());
    world.peers.start(world.now);
    world.peers.handle_connected(ConnectionId(1), world.now);
    world.peers.handle_connect_failed(ConnectionId(2), "connection refused", world.now);
    world.drain();
    world.cea_of(1, "a.ims.example", 2001, ApplicationId::SH);
    world.drain();
    let obstacles = |error: SendError| match error {
        SendError::NoPeer(no_peer) => no_peer.peers.into_iter().map(|(_, obstacle)| obstacle).collect::<Vec<_>>(),
        SendError::TooMany => panic!("{error}"),
    };
    let connecting = Obstacle::NotConnected(Cause::Connecting);
    let refused = Obstacle::NotConnected(Cause::Unreachable("connection refused".into()));
    assert_eq!(obstacles(world.ask().unwrap_err()), [Obstacle::Application, refused, connecting]);
    let other = world.peers.request(lir_to("z.ims.example"), Duration::MAX / 2, world.now).unwrap_err();
    assert!(matches!(&obstacles(other)[..], [Obstacle::NotDestination, Obstacle::NotConnected(_), _]));
}

#[test]
fn attempts_are_spaced() {
    let mut world = World::new(settings());
    world.peers.start(world.now);
    world.drain();
    world.peers.handle_connect_failed(ConnectionId(2), "no", world.now);
    let mut connection = 1;
    let mut gaps = Vec::new();
    for _ in 0..8 {
        world.peers.handle_connect_failed(ConnectionId(connection), "no", world.now);
        world.drain();
        let before = world.now;
        while !world.wait(0.1).iter().any(|line| line.ends_with(" a")) {}
        connection = (1..100).rev().find(|n| world.peers.connections_of(0) == Some(ConnectionId(*n))).unwrap();
        gaps.push((world.now - before).as_secs_f64());
    }
    for (gap, least) in gaps.iter().zip([1., 2., 4., 8., 16., 30., 30., 30.]) {
        assert!((least..least * 1.26 + 0.1).contains(gap), "{gaps:?}");
    }
}

/// Threat X8: answers that nobody waits for, on the right connection and on another, are dropped.
#[test]
fn x08_answers_out_of_nothing() {
    let mut world = World::up();
    world.ask().unwrap();
    world.expect(&[SENT_1]);
    let asked = world.last(1);
    let answer = lia(&asked, "a.ims.example", Outcome::SUCCESS, vec![]);
    let header = *answer.header();
    world.give(2, answer.clone());
    world.give(1, answer.readdressed(header.flags, header.hop_by_hop + 1, header.end_to_end));
    world.give(1, answer.readdressed(header.flags, header.hop_by_hop, header.end_to_end + 1));
    world.expect(&[]);
    world.give(1, answer.clone());
    world.expect(&["answer 1 a.ims.example"]);
    world.give(1, answer);
    world.expect(&[]);
    assert_eq!(world.peers.counters().unsolicited, 4);
}

/// Threat X9: who is not to ask is refused, and nobody hears of it.
#[test]
fn x09_requests_of_others() {
    let mut settings = settings();
    settings.peers[1].may_ask = false;
    let mut world = World::new(settings);
    world.peers.start(world.now);
    world.drain();
    world.open(1, "a.ims.example", &[]);
    world.open(2, "z.ims.example", &[]);
    world.give(1, ppr("a.ims.example", 1, 1));
    world.expect(&["a.ims.example asks Push-Profile"]);
    world.give(2, ppr("z.ims.example", 1, 2));
    world.expect(&["2 <- Push-Profile -PE- 5003"]);
    world.give(1, ppr("hss.somewhere.else", 1, 3));
    world.expect(&["1 <- Push-Profile -PE- 5003"]);
    // What is not for us.
    world.give(1, lir_to("b.ims.example"));
    world.expect(&["1 <- Location-Info -PE- 3002"]);
    let head = RequestHead::cx("s;1;1", "a.ims.example", REALM, "other.example");
    let elsewhere = Request { head, command: LocationInfoRequest::new("sip:bob@ims.example") };
    world.give(1, Message::parse(elsewhere.encode().unwrap()).unwrap());
    world.expect(&["1 <- Location-Info -PE- 3003"]);
    let other = message(header(CommandCode::USER_DATA, ApplicationId::SH, 1, 4), |_| ());
    world.give(1, other);
    world.expect(&["1 <- User-Data --E- 3007"]);
    assert_eq!(world.peers.counters().refused, 5);
}

/// An agent brings what others ask.
#[test]
fn requests_by_an_agent() {
    let mut world = World::new(settings());
    world.peers.start(world.now);
    world.drain();
    world.peers.handle_connected(ConnectionId(1), world.now);
    world.drain();
    world.cea_of(1, "a.ims.example", 2001, ApplicationId::RELAY);
    world.expect(&["up a.ims.example"]);
    world.give(1, ppr("hss.ims.example", 1, 1));
    world.expect(&["a.ims.example asks Push-Profile"]);
    // And takes what is for others.
    world.peers.request(lir_to("hss.ims.example"), Duration::from_secs(1), world.now).unwrap();
    world.expect(&[SENT_1]);
}

/// Threat X10: a second CER of the same name is rejected, and the connection that stands is not touched.
#[test]
fn x10_second_connection_of_a_peer() {
    let mut world = World::up();
    let second = world.accept([192, 0, 2, 9]).unwrap();
    world.give(second, cer("a.ims.example"));
    world.expect(&[&format!("{second} <- Capabilities-Exchange ---- 4003"), &format!("close {second}")]);
    world.ask().unwrap();
    world.expect(&[SENT_1]);
    // As for one that connected to us.
    let first = world.accept([192, 0, 2, 7]).unwrap();
    world.give(first, cer("guest.ims.example"));
    let second = world.accept([192, 0, 2, 7]).unwrap();
    world.give(second, cer("guest.ims.example"));
    world.drain();
    world.peers.request(lir_to("guest.ims.example"), Duration::from_secs(1), world.now).unwrap();
    world.expect(&[&format!("{first} <- Location-Info RP--")]);
}

/// RFC 6733 §5.6.4: the higher name keeps the connection that it accepted.
#[test]
fn x10_election() {
    // Ours, m, is above a: our own connection goes.
    let mut world = World::new(settings());
    world.peers.start(world.now);
    for connection in [1, 2] {
        world.peers.handle_connected(ConnectionId(connection), world.now);
    }
    world.drain();
    let theirs = world.accept([192, 0, 2, 9]).unwrap();
    world.give(theirs, cer("A.IMS.example"));
    let cea = format!("{theirs} <- Capabilities-Exchange ---- 2001");
    world.expect(&["close 1", &cea, "up a.ims.example"]);
    // It is below z: z decides, and answers on ours.
    let theirs = world.accept([192, 0, 2, 9]).unwrap();
    world.give(theirs, cer("z.ims.example"));
    // Nor does it ask anything before.
    world.give(theirs, ppr("z.ims.example", 1, 1));
    world.expect(&[]);
    world.cea(2, "z.ims.example", 2001);
    world.expect(&[&format!("close {theirs}"), "up z.ims.example"]);
    // Or does not, and closes it.
    let mut world = World::new(settings());
    world.peers.start(world.now);
    world.peers.handle_connected(ConnectionId(2), world.now);
    world.drain();
    let theirs = world.accept([192, 0, 2, 9]).unwrap();
    world.give(theirs, cer("z.ims.example"));
    world.lose(2);
    world.expect(&[&format!("{theirs} <- Capabilities-Exchange ---- 2001"), "up z.ims.example"]);
}

/// Threats X4 and X5, and RFC 6733 §5.3, §5.6.1: strangers.
#[test]
fn x04_x05_strangers() {
    let mut world = World::up();
    let mut check = |first: Message, from: [u8; 4], expected: &[&str]| {
        let connection = world.accept(from).unwrap();
        world.give(connection, first);
        let lines: Vec<_> = expected.iter().map(|line| line.replace('#', &connection.to_string())).collect();
        assert_eq!(world.drain(), lines);
    };
    let known = [192, 0, 2, 7];
    check(cer("nobody.example"), known, &["# <- Capabilities-Exchange --E- 3010", "close #"]);
    check(cer("guest.ims.example"), [192, 0, 2, 8], &["# <- Capabilities-Exchange --E- 3010", "close #"]);
    check(lir(), known, &["close #"]);
    let cer_with = |write: &dyn Fn(&mut Writer)| {
        let plain = cer("guest.ims.example");
        message(*plain.header(), |out| {
            plain.avps().for_each(|avp| out.copy(&avp.unwrap()));
            write(out);
        })
    };
    let many = cer_with(&|out| (0..63).for_each(|_| out.avp(&avp::ORIGIN_HOST, &"guest.ims.example")));
    check(many, known, &["# <- Capabilities-Exchange ---- 5009", "close #"]);
    let malformed = cer_with(&|out| out.group(&avp::VENDOR_SPECIFIC_APPLICATION_ID, |out| out.bytes(&[0; 3])));
    check(malformed, known, &["# <- Capabilities-Exchange ---- 5014", "close #"]);
    let tls = cer_with(&|out| out.avp(&avp::INBAND_SECURITY_ID, &1u32));
    check(tls, known, &["# <- Capabilities-Exchange ---- 5017", "close #"]);
    let plain = CapabilitiesExchangeRequest::new("guest.ims.example", REALM, vec![Address::Ip(known.into())], 0, "x");
    let first = header(CommandCode::CAPABILITIES_EXCHANGE, ApplicationId::COMMON, 1, 1);
    let nothing = message(first, |out| plain.write_avps(out));
    check(nothing, known, &["# <- Capabilities-Exchange ---- 5010", "close #"]);
    check(cer("guest.ims.example"), known, &["# <- Capabilities-Exchange ---- 2001", "up guest.ims.example"]);
}

/// RFC 6733 §13.1: over TLS a peer shows its own certificate, and one that is to come over TLS comes over nothing else.
#[test]
fn peers_over_tls() {
    let mut settings = settings();
    settings.peers[1].transport = Transport::Tls;
    settings.peers[2].transport = Transport::Tls;
    let mut world = World::new(settings);
    world.peers.start(Duration::ZERO);
    assert_eq!(world.drain(), ["connect 1 a", "connect 2 Tls z z.ims.example"]);
    let mut check = |transport: Transport, names: Option<&str>, expected: &[&str]| {
        let connection = world.arrive([192, 0, 2, 7], transport).unwrap();
        if let Some(names) = names {
            world.peers.handle_secured(ConnectionId(connection), names.split(' ').map(str::to_owned).collect());
        }
        world.give(connection, cer("guest.ims.example"));
        let lines: Vec<_> = expected.iter().map(|line| line.replace('#', &connection.to_string())).collect();
        assert_eq!(world.drain(), lines);
    };
    check(Transport::Tcp, None, &["# <- Capabilities-Exchange ---- 5017", "close #"]);
    check(Transport::Sctp, None, &["# <- Capabilities-Exchange ---- 5017", "close #"]);
    check(Transport::Tls, Some("a.ims.example"), &["# <- Capabilities-Exchange --E- 3010", "close #"]);
    check(Transport::Tls, None, &["# <- Capabilities-Exchange --E- 3010", "close #"]);
    check(
        Transport::Tls,
        Some("a.ims.example Guest.ims.example"),
        &["# <- Capabilities-Exchange ---- 2001", "up guest.ims.example"],
    );
}

#[test]
fn strangers_that_say_nothing() {
    let mut world = World::up();
    let strangers: Vec<_> = (0..3).map(|_| world.accept([192, 0, 2, 9]).unwrap()).collect();
    assert_eq!(world.accept([192, 0, 2, 9]), None);
    assert_eq!(world.wait(4.9), [] as [&str; 0]);
    assert_eq!(world.wait(0.2), strangers.iter().map(|n| format!("close {n}")).collect::<Vec<_>>());
    assert!(world.accept([192, 0, 2, 9]).is_some());
}

/// RFC 3539 §3.4.1: silence, a DWR, other peers, the end of the connection; then three DWA before it is used again.
#[test]
fn silence() {
    let mut world = World::up();
    let lines = world.wait(33.);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.ends_with("<- Device-Watchdog R---")));
    world.peers.request(lir(), Duration::from_secs(60), world.now).unwrap();
    world.expect(&[SENT_1]);
    world.dwa(2, "z.ims.example");
    // a says nothing.
    let lines = world.wait(33.);
    assert!(lines.contains(&AGAIN_2.to_owned()), "{lines:?}");
    let obstacle = world.peers.status()[0].obstacle.clone();
    assert_eq!(obstacle, Some(Obstacle::Suspect));
    world.dwa(2, "z.ims.example");
    let lines = world.wait(31.);
    assert!(lines.contains(&"down a.ims.example: does not answer watchdogs".to_owned()), "{lines:?}");
    world.dwa(2, "z.ims.example");
    let lines = world.wait(2.);
    let again: u64 = lines[0].strip_prefix("connect ").unwrap().trim_end_matches(" a").parse().unwrap();
    world.open(again, "a.ims.example", &[&format!("{again} <- Device-Watchdog R---")]);
    // Back, and not yet proved.
    world.ask().unwrap();
    world.expect(&[SENT_2]);
    world.dwa(again, "a.ims.example");
    for _ in 0..2 {
        let lines = world.wait(33.);
        assert!(lines.contains(&format!("{again} <- Device-Watchdog R---")), "{lines:?}");
        world.dwa(again, "a.ims.example");
        world.dwa(2, "z.ims.example");
    }
    world.drain();
    world.ask().unwrap();
    world.expect(&[&format!("{again} <- Location-Info RP--")]);
}

/// A peer that only falls silent for a while is used again.
#[test]
fn suspicion_that_was_wrong() {
    let mut world = World::up();
    world.wait(33.);
    world.dwa(2, "z.ims.example");
    world.wait(33.);
    assert_eq!(world.peers.status()[0].obstacle, Some(Obstacle::Suspect));
    world.dwa(1, "a.ims.example");
    assert_eq!(world.peers.status()[0].obstacle, None);
}

/// Threat X11: the answer is late or lost, the HSS restarts, answers come twice.
#[test]
fn x11_failover() {
    let mut world = World::up();
    world.ask().unwrap();
    world.expect(&[SENT_1]);
    let first = world.last(1);
    world.lose(1);
    world.expect(&["down a.ims.example: connection lost", AGAIN_2]);
    let again = world.last(2);
    assert_eq!(again.header().end_to_end, first.header().end_to_end);
    assert_ne!(again.header().hop_by_hop, first.header().hop_by_hop);
    world.give(2, lia(&again, "z.ims.example", Outcome::SUCCESS, vec![]));
    world.give(2, lia(&again, "z.ims.example", Outcome::SUCCESS, vec![]));
    world.expect(&["answer 1 z.ims.example"]);
    // Nobody is there: the second waits for whoever comes back first.
    world.ask().unwrap();
    world.expect(&[SENT_2]);
    world.lose(2);
    world.expect(&["down z.ims.example: connection lost"]);
    let lines = world.wait(1.3);
    assert_eq!(lines, ["connect 3 a", "connect 4 z"]);
    world.open(4, "z.ims.example", &["4 <- Device-Watchdog R---", "4 <- Location-Info RP-T"]);
    world.give(4, lia(&world.last(4), "z.ims.example", Outcome::SUCCESS, vec![]));
    world.expect(&["answer 2 z.ims.example"]);
    assert_eq!(world.peers.counters().retransmitted, 2);
}

#[test]
fn answers_that_never_come() {
    let mut world = World::up();
    world.ask().unwrap();
    world.expect(&[SENT_1]);
    assert_eq!(world.wait(9.9), [] as [&str; 0]);
    assert_eq!(world.wait(0.2), ["failed 1: no answer in time"]);
    world.give(1, lia(&world.last(1), "a.ims.example", Outcome::SUCCESS, vec![]));
    world.expect(&[]);
    // A request whose host is fixed does not go to another.
    world.peers.request(lir_to("a.ims.example"), Duration::from_secs(1), world.now).unwrap();
    world.expect(&[SENT_1]);
    world.lose(1);
    let lines = world.drain();
    assert!(lines[1].starts_with("failed 2: no peer for Cx in ims.example: a.ims.example: "), "{lines:?}");
}

/// RFC 6733 §3: the same request is worked on once and answered as often as it came.
#[test]
fn requests_that_come_again() {
    let mut world = World::up();
    world.give(1, ppr("a.ims.example", 10, 77));
    world.expect(&["a.ims.example asks Push-Profile"]);
    world.give(1, ppr("a.ims.example", 11, 77));
    world.expect(&[]);
    let asked = ppr("a.ims.example", 10, 77);
    let fault = Fault::new(ResultCode::UNABLE_TO_COMPLY, "no");
    let answer = Message::parse(asked.refuse(&fault, &Origin::new(OURS, REALM))).unwrap();
    let ticket = world.tickets.pop().unwrap();
    world.peers.answer(&ticket, answer);
    let line = "1 <- Push-Profile -PE- 5012";
    world.expect(&[line, line]);
    let hops: Vec<_> = world.sent.iter().rev().take(2).map(|(_, message)| message.header().hop_by_hop).collect();
    assert_eq!(hops, [11, 10]);
    world.give(1, ppr("a.ims.example", 12, 77));
    world.expect(&[line]);
    assert_eq!(world.last(1).header().hop_by_hop, 12);
    assert_eq!(world.peers.counters().duplicates, 2);
}

/// RFC 6733 §6.1.8, §7.1.3: another peer after a protocol error, without the T flag.
#[test]
fn elsewhere_after_an_error() {
    let mut world = World::up();
    for result in [ResultCode::TOO_BUSY, ResultCode::UNABLE_TO_DELIVER] {
        world.ask().unwrap();
        world.expect(&[SENT_1]);
        world.give(1, lia(&world.last(1), "a.ims.example", Outcome::Base(result), vec![]));
        world.expect(&[SENT_2]);
        world.give(2, lia(&world.last(2), "z.ims.example", Outcome::Base(result), vec![]));
        assert!(world.drain()[0].ends_with("z.ims.example"), "nobody is left");
    }
    world.ask().unwrap();
    world.expect(&[SENT_1]);
    world.give(1, redirect(&world.last(1), "a.ims.example", &["aaa://z.ims.example:3868"]));
    world.expect(&[SENT_2]);
    // Only to whom we know.
    world.ask().unwrap();
    world.expect(&[SENT_1]);
    world.give(1, redirect(&world.last(1), "a.ims.example", &["aaa://stranger.example"]));
    world.expect(&["answer 4 a.ims.example"]);
}

/// Threat X12: a host that asks for nothing gets nothing, and its traffic comes back slowly.
#[test]
fn x12_overload() {
    let mut world = World::up();
    let mut report = OcOlr::new(1, ReportType::Host);
    (report.reduction, report.validity) = (Some(100), Some(20));
    world.ask().unwrap();
    world.drain();
    world.give(1, lia(&world.last(1), "a.ims.example", Outcome::SUCCESS, vec![report]));
    world.drain();
    // a is left out, z is not.
    for _ in 0..20 {
        world.ask().unwrap();
        world.expect(&[SENT_2]);
    }
    let mut realm = OcOlr::new(1, ReportType::Realm);
    (realm.reduction, realm.validity) = (Some(100), Some(20));
    world.give(2, lia(&world.last(2), "z.ims.example", Outcome::SUCCESS, vec![realm]));
    world.drain();
    let error = world.ask().unwrap_err().to_string();
    assert!(error.contains("a.ims.example: overloaded, wants 100 % less; z.ims.example: overloaded"), "{error}");
    let mut share = |seconds: f64| {
        world.wait(seconds);
        let passed = (0..200).filter(|_| world.ask().is_ok()).count();
        world.drain();
        passed
    };
    assert_eq!(share(19.9), 0);
    let (early, late) = (share(2.), share(5.));
    assert!((10..90).contains(&early) && (100..190).contains(&late), "{early} {late}");
    assert_eq!(share(5.), 200);
}

#[test]
fn leave_taking() {
    let mut world = World::up();
    let dpr = |cause| {
        let dpr = DisconnectPeerRequest::new("a.ims.example", REALM, cause);
        let header = header(CommandCode::DISCONNECT_PEER, ApplicationId::COMMON, 1, 1);
        message(header, |out| dpr.write_avps(out))
    };
    world.ask().unwrap();
    world.drain();
    world.give(1, dpr(DisconnectCause::Busy));
    world.expect(&["1 <- Disconnect-Peer ---- 2001", "down a.ims.example: left: Busy", AGAIN_2]);
    world.lose(1);
    // It is left alone for long.
    let mut lines = Vec::new();
    for _ in 0..11 {
        lines.extend(world.wait(26.9));
        if lines.last().is_some_and(|line| line.ends_with("Device-Watchdog R---")) {
            world.dwa(2, "z.ims.example");
        }
    }
    assert!(!lines.iter().any(|line| line.starts_with("connect")), "{lines:?}");
    assert!(world.wait(5.).contains(&"connect 3 a".to_owned()));
    // And we leave.
    world.peers.stop(world.now);
    world.expect(&["close 3", "down z.ims.example: stopped", "2 <- Disconnect-Peer R---"]);
    world.dwa(2, "z.ims.example");
    world.expect(&["close 2"]);
    assert_eq!(world.wait(400.), [] as [&str; 0]);
    assert_eq!(world.accept([192, 0, 2, 7]), None);
}

#[test]
fn shares_by_priority_and_weight() {
    let mut settings = settings();
    (settings.peers[0].priority, settings.peers[0].weight) = (5, 3);
    (settings.peers[1].priority, settings.peers[1].weight) = (5, 1);
    let mut world = World::new(settings);
    world.peers.start(world.now);
    world.drain();
    world.open(1, "a.ims.example", &[]);
    world.open(2, "z.ims.example", &[]);
    (0..1000).for_each(|_| drop(world.ask()));
    let to_a = world.drain().iter().filter(|line| *line == SENT_1).count();
    assert!((700..800).contains(&to_a), "{to_a}");
}

#[test]
fn no_more_requests_than_allowed() {
    let mut settings = settings();
    settings.max_pending = 2;
    let mut world = World::new(settings);
    world.peers.start(world.now);
    world.drain();
    world.open(1, "a.ims.example", &[]);
    assert!(world.ask().is_ok() && world.ask().is_ok());
    assert_eq!(world.ask(), Err(SendError::TooMany));
    world.wait(10.);
    assert!(world.ask().is_ok());
}

fn event() -> impl Strategy<Value = (u8, u8, u8)> {
    (0u8..12, 0u8..6, any::<u8>())
}

proptest! {
    /// Whatever comes in whatever order: no panic, each request ends once, and nothing stays behind.
    #[test]
    fn any_order_of_events(events in proptest::collection::vec(event(), 0..60), seed in any::<u64>()) {
        let mut world = World::new(settings());
        world.peers = Peers::new(settings(), seed, 0);
        world.peers.start(world.now);
        let (mut asked, mut ended) = (0, 0);
        for (what, which, n) in events {
            let connection = u64::from(which) + 1;
            match what {
                0 => world.peers.handle_connected(ConnectionId(connection), world.now),
                1 => world.peers.handle_connect_failed(ConnectionId(connection), "no", world.now),
                2 => world.lose(connection),
                3 => drop(world.accept([192, 0, 2, 7])),
                4 => world.give(connection, cer(["a.ims.example", "z.ims.example", "guest.ims.example"][usize::from(n % 3)])),
                5 => asked += usize::from(world.ask().is_ok()),
                6 => {
                    if let Some((on, sent)) = world.sent.last().cloned() {
                        let header = *sent.header();
                        match header.command {
                            CommandCode::CAPABILITIES_EXCHANGE if header.is_request() => {
                                world.cea(on, ["a.ims.example", "z.ims.example"][usize::from(n % 2)], 2001);
                            }
                            CommandCode::LOCATION_INFO if header.is_request() => {
                                world.give(on, lia(&sent, "a.ims.example", Outcome::SUCCESS, vec![]));
                            }
                            _ => world.dwa(on, "a.ims.example"),
                        }
                    }
                }
                7 => world.give(connection, ppr("a.ims.example", n.into(), n.into())),
                8 if n == 0 => world.peers.stop(world.now),
                9 => {
                    let hosts = ["b.ims.example", "c.ims.example"].into_iter().enumerate();
                    let hosts = hosts.filter(|(at, _)| n >> at & 1 == 1).map(|(_, host)| found::found(host, &["found"]));
                    world.peers.set_found(Ok(hosts.collect()), world.now);
                }
                _ => ended += world.wait(f64::from(n) / 8.).iter().filter(|line| is_end(line)).count(),
            }
            ended += world.drain().iter().filter(|line| is_end(line)).count();
        }
        ended += world.wait(11.).iter().filter(|line| is_end(line)).count();
        prop_assert_eq!(asked, ended);
        prop_assert!(world.peers.is_idle());
    }
}

fn is_end(line: &str) -> bool {
    line.starts_with("answer") || line.starts_with("failed")
}
