//! Ladders of the proxy core: RFC 3261 §16 from the outside.

mod names;

use std::convert::Infallible;

use smallvec::SmallVec;

use super::*;
use crate::resolve::{Answer, Question};
use crate::testing::Ladder;
use crate::transport::{Listener, ListenerId, Transport};
use crate::uri::SipUri;

/// A proxy that record-routes everything and forks to a fixed set of phones.
struct Forking {
    proxy: Proxy,
    targets: Vec<&'static str>,
}

const OWN: &str = "192.0.2.10";

impl Forking {
    fn new(targets: &[&'static str], listeners: Vec<Listener>, now: Now) -> Forking {
        let config = Config::new(transaction::Config::new([7; 32], listeners));
        Forking { proxy: Proxy::new(config, now), targets: targets.to_vec() }
    }

    fn hop(request: &Request) -> Hop {
        let uri = route::next_hop(request).unwrap();
        let Some((transport, remote)) = route::address(uri.as_sip().unwrap()) else { return Hop::Name };
        let listener = ListenerId(u16::from(transport == Transport::Tcp));
        Hop::Flow(Flow { transport, listener, remote, connection: None })
    }

    fn on_event(&mut self, event: Event, now: Now) {
        let is_own = |uri: &SipUri| uri.host() == OWN;
        match event {
            Event::Request { id, mut request, .. } => {
                let in_dialog = route::take_own(&mut request, is_own).is_some();
                let hops: SmallVec<[(Request, Hop); 1]> = match in_dialog {
                    true => {
                        let hop = Self::hop(&request);
                        smallvec![(request, hop)]
                    }
                    false => {
                        route::record(&mut request, format!("sip:{OWN};lr").parse().unwrap());
                        let to = |target: &&str| {
                            let mut own = request.clone();
                            own.set_target(target.to_string());
                            let hop = Self::hop(&own);
                            (own, hop)
                        };
                        self.targets.iter().map(to).collect()
                    }
                };
                self.proxy.fork(id, hops, now);
                self.proxy.close(id, now);
            }
            Event::Ack { mut request, .. } => {
                route::take_own(&mut request, is_own);
                match Self::hop(&request) {
                    Hop::Flow(flow) => self.proxy.send_ack(request, flow),
                    Hop::Name | Hop::Local(_) | Hop::Nowhere(_) => self.proxy.send_ack_by_name(request, now),
                }
            }
            Event::Response { id, branch, response } => self.proxy.pass(id, branch, response, now),
            Event::Cancelled { .. } | Event::Ended { .. } | Event::Answer { .. } | Event::FlowLost { .. } => {}
        }
    }
}

impl Engine for Forking {
    type Event = Infallible;

    fn handle_message(&mut self, message: Message, flow: Flow, now: Now) {
        self.proxy.handle_message(message, flow, now);
    }

    fn handle_malformed(&mut self, bytes: &[u8], error: ParseError, flow: Flow, now: Now) {
        self.proxy.handle_malformed(bytes, error, flow, now);
    }

    fn handle_flow_lost(&mut self, flow: Flow, now: Now) {
        self.proxy.handle_flow_lost(flow, now);
    }

    fn handle_send_failed(&mut self, ticket: Ticket, now: Now) {
        self.proxy.handle_send_failed(ticket, now);
    }

    fn handle_answer(&mut self, question: &Question, answer: Answer, now: Now) {
        self.proxy.handle_answer(question, answer, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.proxy.handle_timeout(now);
    }

    fn poll_output(&mut self) -> Output<Infallible> {
        loop {
            match self.proxy.poll_output() {
                Output::Transmit(transmit) => return Output::Transmit(transmit),
                Output::Ask(question) => return Output::Ask(question),
                Output::Close(flow) => return Output::Close(flow),
                Output::Wait(deadline) => return Output::Wait(deadline),
                Output::Event(event) => self.on_event(event, self.proxy.now),
            }
        }
    }
}

fn ladder(targets: &[&'static str]) -> Ladder {
    let ladder = Ladder::new();
    let now = ladder.now();
    ladder
        .engine("proxy", ["udp:192.0.2.10:5060", "tcp:192.0.2.10:5060"], |listeners| {
            Forking::new(targets, listeners, now)
        })
        .peer("alice", "udp:192.0.2.1:5060")
        .peer("bob", "udp:192.0.2.2:5060")
        .peer("bob2", "udp:192.0.2.3:5060")
}

const BOB: &str = "sip:bob@192.0.2.2";
const BOB2: &str = "sip:bob@192.0.2.3";

/// RFC 3261 §16: a call, with 100 at once and every later request by Route.
#[test]
fn a_call() {
    ladder(&[BOB]).run(
        "alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         proxy -> bob    INVITE sip:bob@192.0.2.2  Via#=2 Max-Forwards=69 Max-Breadth=60
         bob -> proxy    180
         proxy -> alice  180  Via#=1
         bob -> proxy    200
         proxy -> alice  200  Via#=1
         alice -> proxy  ACK
         proxy -> bob    ACK  -Route
         bob -> proxy    200 INVITE again
         proxy -> alice  200  again
         alice -> proxy  ACK
         proxy -> bob    ACK
         bob -> proxy    BYE
         proxy -> alice  BYE
         alice -> proxy  200
         proxy -> bob    200",
    );
}

/// RFC 3261 §16.7: the first 2xx wins, the others are cancelled, and their 487 ends here.
#[test]
fn a_forked_call() {
    ladder(&[BOB, BOB2]).run(
        "alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         proxy -> bob    INVITE sip:bob@192.0.2.2  Max-Breadth=30
         proxy -> bob2   INVITE sip:bob@192.0.2.3  Max-Breadth=30
         bob -> proxy    180
         proxy -> alice  180
         bob2 -> proxy   180
         proxy -> alice  180
         bob2 -> proxy   200
         proxy -> bob    CANCEL
         proxy -> alice  200
         bob -> proxy    200 CANCEL
         bob -> proxy    487 INVITE
         proxy -> bob    ACK
         alice -> proxy  ACK
         proxy -> bob2   ACK",
    );
}

/// RFC 3261 §16.7 step 6: all fail, the best failure goes upstream, a 6xx at once ends the rest.
#[test]
fn a_forked_call_that_fails() {
    ladder(&[BOB, BOB2]).run(
        "alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         proxy -> bob    INVITE sip:bob@192.0.2.2
         proxy -> bob2   INVITE sip:bob@192.0.2.3
         bob -> proxy    486
         proxy -> bob    ACK
         bob2 -> proxy   404
         proxy -> bob2   ACK
         proxy -> alice  486
         alice -> proxy  ACK
         alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         proxy -> bob    INVITE sip:bob@192.0.2.2
         proxy -> bob2   INVITE sip:bob@192.0.2.3
         bob2 -> proxy   180
         proxy -> alice  180
         bob -> proxy    603
         proxy -> bob    ACK
         proxy -> bob2   CANCEL
         bob2 -> proxy   200 CANCEL
         bob2 -> proxy   487 INVITE
         proxy -> bob2   ACK
         proxy -> alice  603",
    );
}

/// RFC 3261 §16.10, §9.1: CANCEL is answered here, goes on once there is a provisional response, and 487 comes back.
#[test]
fn a_cancelled_call() {
    ladder(&[BOB]).run(
        "alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         proxy -> bob    INVITE sip:bob@192.0.2.2
         alice -> proxy  CANCEL
         proxy -> alice  200
         bob -> proxy    100
         proxy -> bob    CANCEL
         bob -> proxy    200 CANCEL
         bob -> proxy    487 INVITE
         proxy -> bob    ACK
         proxy -> alice  487
         alice -> proxy  ACK",
    );
}

/// RFC 3261 §16.7 step 5, RFC 6026: a 200 that crosses the CANCEL goes upstream.
#[test]
fn an_answer_that_crosses_a_cancel() {
    ladder(&[BOB]).run(
        "alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         proxy -> bob    INVITE sip:bob@192.0.2.2
         bob -> proxy    180
         proxy -> alice  180
         alice -> proxy  CANCEL
         proxy -> alice  200
         proxy -> bob    CANCEL
         bob -> proxy    200 INVITE
         proxy -> alice  200
         bob -> proxy    481 CANCEL
         alice -> proxy  ACK
         proxy -> bob    ACK",
    );
}

/// RFC 3261 §16.6 step 11, §16.8: a phone that rings for ever is cancelled by Timer C; one that says nothing counts as 408.
#[test]
fn timer_c() {
    ladder(&[BOB]).run(
        "alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         proxy -> bob    INVITE sip:bob@192.0.2.2
         bob -> proxy    180
         proxy -> alice  180
         +60s
         bob -> proxy    183
         proxy -> alice  183
         +185s
         proxy -> bob    CANCEL
         bob -> proxy    200 CANCEL
         bob -> proxy    487 INVITE
         proxy -> bob    ACK
         proxy -> alice  487",
    );
}

/// RFC 3261 §16.7 step 9, §17.1.1.2: no answer at all within 64*T1 is 408.
#[test]
fn a_phone_that_is_gone() {
    ladder(&[BOB]).run(
        "alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         proxy -> bob    INVITE sip:bob@192.0.2.2
         +500ms
         proxy -> bob    INVITE again
         +1s
         proxy -> bob    INVITE again
         +2s
         proxy -> bob    INVITE again
         +4s
         proxy -> bob    INVITE again
         +8s
         proxy -> bob    INVITE again
         +16s
         proxy -> bob    INVITE again
         +500ms
         proxy -> alice  408
         alice -> proxy  ACK",
    );
}

/// RFC 4320 §4.1: another request that nobody answers is not answered here either; its sender gives up by itself.
#[test]
fn a_message_that_nobody_answers() {
    let mut ladder = ladder(&[BOB]);
    ladder.run(
        "alice -> proxy  MESSAGE sip:bob@ims.example body=hi
         proxy -> bob    MESSAGE sip:bob@192.0.2.2
         +500ms
         proxy -> bob    MESSAGE again
         +1s
         proxy -> bob    MESSAGE again
         +2s
         proxy -> alice  100
         proxy -> bob    MESSAGE again",
    );
    ladder.network().run_for(Duration::from_secs(200));
    let host = ladder.network().find::<Forking>("proxy").expect("it is there");
    assert!(ladder.network().engine(host).proxy.is_empty());
}

/// RFC 3261 §16.3, with the telling reason in a Warning.
#[test]
fn requests_that_are_refused() {
    ladder(&[BOB]).run(
        "alice -> proxy  OPTIONS sip:bob@ims.example  Max-Forwards=0
         proxy -> alice  483
         alice -> proxy  OPTIONS sip:bob@ims.example  Proxy-Require='one, two'
         proxy -> alice  420  Unsupported~=one
         alice -> proxy  OPTIONS soap:bob@ims.example
         proxy -> alice  416
         alice -> proxy  OPTIONS sip:bob@ims.example  CSeq='9999999999 OPTIONS'
         proxy -> alice  400  Warning~=CSeq",
    );
}

/// RFC 5393 §4: a request that comes back unchanged is a loop; one that comes back with another Request-URI is a spiral.
#[test]
fn loops_and_spirals() {
    let mut ladder = ladder(&["sip:bob@192.0.2.2"]);
    ladder.run(
        "alice -> proxy  OPTIONS sip:bob@ims.example
         proxy -> bob    OPTIONS sip:bob@192.0.2.2
         bob -> proxy    200
         proxy -> alice  200",
    );
    let forwarded = {
        let network = ladder.network();
        let sent = network.trace().sent().rfind(|sent| sent.to.name == "bob").expect("it was forwarded");
        sent.message().expect("a message")
    };
    let Message::Request(mut looped) = forwarded else { panic!("a request") };
    looped.set_target("sip:bob@ims.example");
    let mut proxy = Forking::new(
        &[],
        vec![Listener { transport: Transport::Udp, sent_by: OWN.into(), side: crate::transport::Side::Core }],
        ladder.now(),
    );
    // The key of the branch is of the request as it came in, without our Record-Route.
    assert!(proxy.proxy.loops.is_loop(&looped));
    looped.set_target("sip:carol@ims.example");
    assert!(!proxy.proxy.loops.is_loop(&looped));
    assert!(matches!(proxy.poll_output(), Output::Wait(_)));
}

/// RFC 5393 §5.3: a request that may not be split any more is not.
#[test]
fn max_breadth() {
    ladder(&[BOB, BOB2]).run(
        "alice -> proxy  INVITE sip:bob@ims.example  Max-Breadth=1
         proxy -> alice  100
         proxy -> alice  440",
    );
}

/// I8: somebody else's CANCEL with the same branch does nothing.
#[test]
fn a_cancel_of_somebody_else() {
    let mut ladder = ladder(&[BOB]);
    ladder.run(
        "alice -> proxy  INVITE sip:bob@ims.example  Via='SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKguessed'
         proxy -> alice  100
         proxy -> bob    INVITE sip:bob@192.0.2.2
         bob -> proxy    180
         proxy -> alice  180",
    );
    ladder.run(
        "bob2 -> proxy   CANCEL sip:bob@ims.example  Via='SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKguessed' CSeq='1 CANCEL'
         proxy -> bob2   481
         bob -> proxy    200
         proxy -> alice  200",
    );
}

/// RFC 3261 §8.1.1.5: a CANCEL whose CSeq says something else is none.
#[test]
fn a_cancel_that_calls_itself_an_invite() {
    ladder(&[BOB]).run(
        "alice -> proxy  INVITE sip:bob@ims.example
         proxy -> alice  100
         proxy -> bob    INVITE sip:bob@192.0.2.2
         bob -> proxy    180
         proxy -> alice  180
         alice -> proxy  CANCEL  CSeq='1 INVITE'
         proxy -> alice  400
         bob -> proxy    200
         proxy -> alice  200",
    );
}

/// RFC 3261 §13.2.2.4: each 2xx to an INVITE of the owner's own comes to the owner, who acknowledges each; other requests have
/// one answer.
#[test]
fn an_invite_of_ones_own_is_answered_more_than_once() {
    for (method, expected) in [(Method::Invite, vec![(7, 200), (7, 200)]), (Method::Message, vec![(7, 200)])] {
        type Owner = Box<dyn FnMut(&mut Proxy, Event, Now)>;
        let answers = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let noted = answers.clone();
        let ladder = Ladder::new();
        let now = ladder.now();
        let build = move |listeners| -> crate::Owned<Proxy, Owner> {
            let owner: Owner = Box::new(move |proxy, event, now| match event {
                Event::Answer { token, response } => noted.borrow_mut().push((token, response.status().code())),
                Event::Response { id, branch, response } => proxy.pass(id, branch, response, now),
                Event::Request { .. }
                | Event::Ack { .. }
                | Event::Cancelled { .. }
                | Event::Ended { .. }
                | Event::FlowLost { .. } => {}
            });
            let config = Config::new(transaction::Config::new([1; 32], listeners));
            crate::Owned::new(Proxy::new(config, now), now, owner)
        };
        let mut ladder = ladder.engine("proxy", ["udp:192.0.2.10:5060"], build).peer("bob", "udp:192.0.2.2:5060");
        let host: crate::testing::Host<crate::Owned<Proxy, Owner>> = ladder.network().find("proxy").unwrap();
        let request = crate::testing::request(method.as_str(), "sip:bob@192.0.2.2").request();
        let hop = Forking::hop(&request);
        ladder.network().with(host, |proxy, now| proxy.engine_mut().originate(request, hop, 7, now));
        let again = if method == Method::Invite { "bob -> proxy  200 INVITE" } else { "" };
        ladder.run(&format!("proxy -> bob  {method} sip:bob@192.0.2.2\nbob -> proxy  200\n{again}"));
        assert_eq!(*answers.borrow(), expected, "{method}");
    }
}

/// RFC 3261 §16.12.1.1 over TCP to a UDP phone: one Record-Route does, the transports are each side's own.
#[test]
fn a_call_between_transports() {
    let ladder = Ladder::new();
    let now = ladder.now();
    ladder
        .engine("proxy", ["udp:192.0.2.10:5060", "tcp:192.0.2.10:5060"], |listeners| {
            Forking::new(&[BOB], listeners, now)
        })
        .peer("alice", "tcp:192.0.2.1:5060")
        .peer("bob", "udp:192.0.2.2:5060")
        .run(
            "alice -> proxy      MESSAGE sip:bob@ims.example body=hi
             proxy/udp -> bob    MESSAGE sip:bob@192.0.2.2
             bob -> proxy        200
             proxy/tcp -> alice  200",
        );
}
