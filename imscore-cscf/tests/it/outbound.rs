//! The flows of RFC 5626 §9: a phone with a flow to each of two edge proxies, one of which fails.
//!
//! ```text
//!            ┌── tcp ── ep1 (P-CSCF) ──┐
//!   bob ─────┤                         ├── core (I-CSCF, S-CSCF)
//!            └── tcp ── ep2 (P-CSCF) ──┘
//!   alice ──── udp ──── ep1
//! ```

use std::sync::Arc;

use imscore_cscf::icscf::{self, Icscf};
use imscore_cscf::pcscf::{self, Pcscf};
use imscore_cscf::scscf::{self, Scscf};
use imscore_cscf::{Node, Worker};
use imscore_hss::ServerName;
use imscore_hss::state::{Clock, MemoryState};
use imscore_sip::sdp::SessionDescription;
use imscore_sip::testing::{Bind, Host, Ladder, Sent, sdp_offer_at};
use imscore_sip::transaction;
use imscore_sip::transport::{Address, Flow, ListenerId, Side, Transport};
use imscore_sip::ua::{Binding, CallHandle, Config, Event, UserAgent};

use super::core::hss;

const EDGES: [&str; 2] = ["192.0.2.11", "192.0.2.12"];
const CORE: &str = "udp:192.0.2.10:5052";

fn at(text: &str) -> Address {
    text.parse().unwrap()
}

/// An edge proxy: `pcscf1.ims.example` at the first of the addresses.
fn edge(number: usize) -> Node {
    let (name, host) = (format!("pcscf{number}.ims.example"), EDGES[number - 1]);
    let pcscf = Pcscf::new(pcscf::Settings::new(name.as_str(), "icscf.ims.example", [7; 16]));
    Node::default()
        .role(name.as_str(), pcscf)
        .host("icscf.ims.example", at(CORE))
        .host("scscf.ims.example", at(CORE))
        .listen(at(&format!("tcp:{host}:5060")), name.as_str(), Side::Access)
        .listen(at(&format!("udp:{host}:5060")), name.as_str(), Side::Access)
        .listen(at(&format!("udp:{host}:5058")), name.as_str(), Side::Core)
}

fn home() -> Node {
    let hss = Arc::new(hss());
    let clock = Clock::new(0);
    let store = Arc::new(MemoryState::new(clock.clone(), 7));
    let scscf_name: ServerName = "sip:scscf.ims.example".parse().unwrap();
    let icscf = Icscf::new(icscf::Settings::new("icscf.ims.example"), hss.clone(), [scscf_name]);
    let settings = scscf::Settings::new("scscf.ims.example", "icscf.ims.example");
    Node::default()
        .role("icscf.ims.example", icscf)
        .role("scscf.ims.example", Scscf::new(settings, hss, store).unwrap())
        .host("pcscf1.ims.example", at(&format!("udp:{}:5058", EDGES[0])))
        .host("pcscf2.ims.example", at(&format!("udp:{}:5058", EDGES[1])))
        .clock(clock)
        .listen(at(CORE), "icscf.ims.example", Side::Core)
}

struct Stage {
    ladder: Ladder,
    bob: Host<UserAgent>,
}

impl Stage {
    fn new() -> Stage {
        let mut ladder = Ladder::new();
        let now = ladder.now();
        for number in [1, 2] {
            let host = EDGES[number - 1];
            let binds = [
                Bind::from(format!("tcp:{host}:5060").as_str()).access(),
                Bind::from(format!("udp:{host}:5060").as_str()).access(),
                Bind::from(format!("udp:{host}:5058").as_str()),
            ];
            ladder = ladder.engine(&format!("ep{number}"), binds, |listeners| {
                Worker::new(Arc::new(edge(number)), (0, 1), [number as u8; 32], listeners, now)
            });
        }
        let worker = |listeners| Worker::new(Arc::new(home()), (0, 1), [9; 32], listeners, now);
        let bob = |listeners| {
            let config = Config::new(transaction::Config::new([3; 32], listeners));
            let mut config = config.with_account("sip:bob@ims.example".parse().unwrap(), "secret");
            config.instance = Some("urn:uuid:00000000-0000-1000-8000-000a95a0e128".into());
            UserAgent::new(config, now)
        };
        let mut ladder = ladder
            .engine("core", [CORE], worker)
            .engine("bob", ["tcp:192.0.2.2:5060"], bob)
            .peer("alice", "udp:192.0.2.1:5060");
        let bob = ladder.network().find("bob").unwrap();
        Stage { ladder, bob }
    }

    #[track_caller]
    fn run(&mut self, script: &str) {
        self.ladder.run(script);
    }

    /// Bob registers by one of the edges (RFC 5626 §4.2.1, §9.2).
    #[track_caller]
    fn register(&mut self, number: u32) {
        let remote = format!("{}:5060", EDGES[number as usize - 1]).parse().unwrap();
        let mut binding = Binding::new("sip:ims.example".parse().unwrap());
        binding.flow = Some(Flow { transport: Transport::Tcp, listener: ListenerId(0), remote, connection: None });
        binding.reg_id = Some(number);
        self.ladder.network().with(self.bob, |bob, now| bob.register(binding, now));
    }

    /// The second edge crashes and is there again, without what it knew.
    fn crash(&mut self) {
        let network = self.ladder.network();
        let (host, now): (Host<Worker>, _) = (network.find("ep2").unwrap(), network.now());
        network.kill(host);
        network.start(host, |listeners| Worker::new(Arc::new(edge(2)), (0, 1), [12; 32], listeners, now));
        network.settle();
    }

    /// What bob was told.
    fn told(&mut self) -> Vec<Event> {
        self.ladder.network().take_events(self.bob)
    }

    /// Bob answers the call that came in last.
    #[track_caller]
    fn answer(&mut self) -> CallHandle {
        let answer = SessionDescription::parse(sdp_offer_at("192.0.2.2", 40_000).into()).unwrap();
        let call = self.told().into_iter().rev().find_map(|event| {
            let Event::Request { call, .. } = event else { return None };
            call
        });
        let call = call.expect("a call");
        self.ladder.network().with(self.bob, |bob, now| bob.answer(call, &answer, now)).unwrap();
        call
    }
}

/// A REGISTER of bob's by that edge; the first one is challenged.
fn registration(number: u32, is_first: bool) -> String {
    let forward = format!(
        "bob -> ep{number}   REGISTER sip:ims.example  Contact~=;ob Contact~=;reg-id={number} Supported~=outbound
         ep{number} -> core  REGISTER sip:ims.example  Path~=@pcscf{number}.ims.example Path~=;ob Require~=path\n"
    );
    let challenge = format!("core -> ep{number}  401\nep{number} -> bob   401\n");
    let granted = format!(
        "core -> ep{number}  200  Require~=outbound
         ep{number} -> bob   200  Require~=outbound Flow-Timer=120 Contact~=;reg-id={number}\n"
    );
    match is_first {
        true => format!("{forward}{challenge}{forward}{granted}"),
        false => format!("{forward}{granted}"),
    }
}

const ALICE: &str = "
    alice -> ep1  REGISTER sip:ims.example
    ep1 -> core   REGISTER
    core -> ep1   401
    ep1 -> alice  401
    alice -> ep1  REGISTER sip:ims.example  password=secret user=alice@ims.example
    ep1 -> core   REGISTER
    core -> ep1   200
    ep1 -> alice  200\n";

/// An INVITE of alice's, up to where the core sends it down to bob.
const INVITE: &str = "
    alice -> ep1  INVITE sip:bob@ims.example
    ep1 -> alice  100
    ep1 -> core   INVITE sip:bob@ims.example
    core -> ep1   100\n";

/// Bob's answer by that edge.
fn answered(edge: &str) -> String {
    format!("bob -> {edge} 200\n{edge} -> core 200\ncore -> ep1 200\nep1 -> alice 200\n")
}

/// RFC 5626 §9.2, §9.3, §9.4: two flows; the later one is used, until its edge has lost it and says 430, of which the caller hears
/// nothing; then the other one is, and the lost one is made anew and used again.
#[test]
fn a_phone_with_two_flows_of_which_one_fails() {
    let mut stage = Stage::new();
    for number in [1, 2] {
        stage.register(number);
        stage.run(&registration(number, true));
    }
    stage.run(ALICE);
    assert_eq!(stage.told().iter().filter(|event| matches!(event, Event::Registered { .. })).count(), 2);

    stage.crash();
    let again = stage.told().into_iter().find_map(|event| {
        let Event::Unregistered { again, .. } = event else { return None };
        again
    });
    let again = again.expect("bob tries again");
    // RFC 5626 §4.5: another flow holds, so there is time.
    assert!((45..=90).contains(&again.as_secs()), "{again:?}");

    stage.run(&format!(
        "{INVITE}
         core -> ep2  INVITE  Route~=@pcscf2.ims.example
         ep2 -> core  100
         ep2 -> core  430
         core -> ep2  ACK
         core -> ep1  INVITE  Route~=@pcscf1.ims.example
         ep1 -> core  100
         ep1 -> bob   INVITE"
    ));
    let call = stage.answer();
    stage.run(&answered("ep1"));
    stage.run(
        "alice -> ep1  ACK
         ep1 -> core   ACK
         core -> ep1   ACK
         ep1 -> bob    ACK",
    );
    stage.ladder.network().with(stage.bob, |bob, now| bob.hang_up(call, now));
    stage.run(
        "bob -> ep1    BYE
         ep1 -> core   BYE
         core -> ep1   BYE
         ep1 -> alice  BYE
         alice -> ep1  200
         ep1 -> core   200
         core -> ep1   200
         ep1 -> bob    200",
    );

    let is_register = |sent: &Sent| sent.from.name == "bob" && sent.bytes.starts_with(b"REGISTER");
    let registers = |stage: &mut Stage| stage.ladder.network().trace().sent().filter(|sent| is_register(sent)).count();
    let before = registers(&mut stage);
    while registers(&mut stage) == before {
        assert!(stage.ladder.network().step(), "bob does not come back");
    }
    stage.run(&registration(2, false));
    stage.run(&format!(
        "{INVITE}
         core -> ep2  INVITE  Route~=@pcscf2.ims.example
         ep2 -> core  100
         ep2 -> bob   INVITE"
    ));
}
