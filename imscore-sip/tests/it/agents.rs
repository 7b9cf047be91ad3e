//! A user agent between a proxy and an owner that do whatever comes to mind: it never panics, each INVITE gets one final
//! response, and at the end nothing is left.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use imscore_sip::dialog::Terms;
use imscore_sip::resolve::Answer;
use imscore_sip::sdp::SessionDescription;
use imscore_sip::transaction::{self, ServerId};
use imscore_sip::transport::{Flow, Listener, ListenerId, Side, Transport};
use imscore_sip::ua::{Binding, CallHandle, Config, Event, RegistrationHandle, UserAgent};
use imscore_sip::{Engine, Message, Method, Now, Output, Request, Response, StatusCode};
use proptest::prelude::*;

/// What happens next; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Call {
        offers: bool,
    },
    HangUp(usize),
    Offer(usize),
    Answer(usize),
    Respond(usize, u16),
    Register,
    Unregister(usize),
    /// The peer answers something, in a branch of its own.
    Reply {
        which: usize,
        status: u16,
        branch: u8,
        reliable: bool,
        body: bool,
    },
    /// The peer asks for something in a dialog.
    Within {
        which: usize,
        method: usize,
        number: u32,
        body: bool,
    },
    Invite {
        body: bool,
        reliable: bool,
    },
    Cancel(usize),
    /// Something that was sent before comes again.
    Again(usize),
    LoseFlow,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let status = || {
        prop_oneof![
            Just(100u16),
            Just(180),
            Just(183),
            Just(200),
            Just(202),
            Just(302),
            Just(401),
            Just(407),
            Just(408),
            Just(422),
            Just(423),
            Just(481),
            Just(486),
            Just(491),
            Just(500),
            Just(603)
        ]
    };
    prop_oneof![
        2 => any::<bool>().prop_map(|offers| Step::Call { offers }),
        1 => any::<usize>().prop_map(Step::HangUp),
        2 => any::<usize>().prop_map(Step::Offer),
        2 => any::<usize>().prop_map(Step::Answer),
        3 => (any::<usize>(), status()).prop_map(|(which, status)| Step::Respond(which, status)),
        1 => Just(Step::Register),
        1 => any::<usize>().prop_map(Step::Unregister),
        8 => (any::<usize>(), status(), 0..3u8, any::<bool>(), any::<bool>()).prop_map(
            |(which, status, branch, reliable, body)| Step::Reply { which, status, branch, reliable, body }
        ),
        5 => (any::<usize>(), 0..7usize, 0..4u32, any::<bool>()).prop_map(
            |(which, method, number, body)| Step::Within { which, method, number, body }
        ),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(body, reliable)| Step::Invite { body, reliable }),
        1 => any::<usize>().prop_map(Step::Cancel),
        2 => any::<usize>().prop_map(Step::Again),
        1 => Just(Step::LoseFlow),
        4 => prop_oneof![0..3_000u64, 0..120_000u64, 0..4_000_000u64].prop_map(Step::Pass),
    ]
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// An agent, and the world around it.
struct World {
    agent: UserAgent,
    now: Now,
    flow: Flow,
    calls: Vec<CallHandle>,
    registrations: Vec<RegistrationHandle>,
    waiting: Vec<(ServerId, Request)>,
    /// What the agent has sent, and what was sent to it.
    requests: Vec<Request>,
    heard: Vec<Message>,
    invites: Vec<(Request, Now)>,
    /// Final responses to INVITEs of the peer, by branch: the statuses.
    finals: HashMap<String, Vec<u16>>,
    numbers: u32,
}

impl World {
    fn new() -> World {
        let now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
        let remote: SocketAddr = "192.0.2.9:5060".parse().unwrap();
        let flow = Flow { transport: Transport::Udp, listener: ListenerId(0), remote, connection: None };
        let listener = Listener { transport: Transport::Udp, sent_by: "192.0.2.1:5060".into(), side: Side::Core };
        let config = Config::new(transaction::Config::new([9; 32], vec![listener]));
        let mut config = config.with_login("alice", "secret", "ims.example");
        config.proxy = Some(flow.into());
        config.session_timer = Some(Terms::new(600, 90));
        World {
            agent: UserAgent::new(config, now),
            now,
            flow,
            calls: Vec::new(),
            registrations: Vec::new(),
            waiting: Vec::new(),
            requests: Vec::new(),
            heard: Vec::new(),
            invites: Vec::new(),
            finals: HashMap::new(),
            numbers: 0,
        }
    }

    fn drain(&mut self) -> Option<Instant> {
        for _ in 0..10_000 {
            match self.agent.poll_output() {
                Output::Transmit(sent) => match Message::parse(sent.bytes).unwrap() {
                    Message::Request(request) => self.requests.push(request),
                    Message::Response(response) => self.note(&response),
                },
                Output::Close(flow) => panic!("{flow} is closed"),
                Output::Event(event) => self.on_event(event),
                Output::Ask(question) => self.agent.handle_answer(&question, Answer::Failed, self.now),
                Output::Wait(deadline) => return deadline,
            }
        }
        panic!("it never comes to rest");
    }

    fn note(&mut self, response: &Response) {
        let is_invite = response.headers.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
        if is_invite && response.status().is_final() {
            let branch = response.headers.branch().unwrap_or_default().to_owned();
            let seen = self.finals.entry(branch).or_default();
            let status = response.status().code();
            if !seen.contains(&status) {
                seen.push(status);
            }
        }
        self.heard.push(Message::Response(response.clone()));
    }

    fn on_event(&mut self, event: Event) {
        if let Event::Request { id, request, call, .. } = event {
            self.calls.extend(call);
            self.waiting.push((id, request));
        }
    }

    fn give(&mut self, message: Message) {
        // As it would come from the wire.
        let message = Message::parse(message.to_bytes()).unwrap();
        self.agent.handle_message(message, self.flow, self.now);
    }

    fn pass(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(deadline) = self.drain().filter(|deadline| *deadline <= until.monotonic) {
            let passed = deadline.saturating_duration_since(self.now.monotonic);
            self.now = self.now + passed;
            self.agent.handle_timeout(self.now);
        }
        self.now = until;
        self.agent.handle_timeout(self.now);
        self.drain();
    }

    fn request(&mut self, text: &str, body: bool) -> Request {
        self.numbers += 1;
        let via = format!("Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{}", self.numbers);
        let text = format!("{text}{via}\r\nMax-Forwards: 70\r\nContact: <sip:bob@192.0.2.9>\r\n\r\n");
        let Message::Request(request) = Message::parse(text.into()).unwrap() else { panic!("a request") };
        if body { request.with_body("application/sdp", SDP) } else { request }
    }

    fn take(&mut self, step: Step) {
        let (now, sdp) = (self.now, SessionDescription::parse(SDP.into()).unwrap());
        let pick = |count: usize, which: usize| (count > 0).then(|| which % count);
        match step {
            Step::Call { offers } => {
                let target = "sip:bob@ims.example".parse().unwrap();
                self.calls.push(self.agent.invite(&target, offers.then_some(&sdp), now));
            }
            Step::HangUp(which) => {
                if let Some(at) = pick(self.calls.len(), which) {
                    self.agent.hang_up(self.calls[at], now);
                }
            }
            Step::Offer(which) => {
                if let Some(at) = pick(self.calls.len(), which) {
                    let _ = self.agent.offer(self.calls[at], &sdp, now);
                }
            }
            Step::Answer(which) => {
                if let Some(at) = pick(self.calls.len(), which) {
                    let _ = self.agent.answer(self.calls[at], &sdp, now);
                }
            }
            Step::Respond(which, status) => {
                if let Some(at) = pick(self.waiting.len(), which) {
                    let (id, request) = &self.waiting[at];
                    let response = request.reply(StatusCode::new(status).unwrap());
                    let response = if status < 300 { response.with_body("application/sdp", SDP) } else { response };
                    let _ = self.agent.respond(*id, response, now);
                }
            }
            Step::Register => {
                let binding = Binding::new("sip:ims.example".parse().unwrap());
                self.registrations.push(self.agent.register(binding, now));
            }
            Step::Unregister(which) => {
                if let Some(at) = pick(self.registrations.len(), which) {
                    self.agent.unregister(self.registrations[at], now);
                }
            }
            Step::Reply { which, status, branch, reliable, body } => {
                let Some(at) = pick(self.requests.len(), which) else { return };
                let mut response = self.requests[at].reply(StatusCode::new(status).unwrap());
                response.set_to_tag(&format!("b{branch}"));
                response.headers.push_raw("Contact", b"<sip:bob@192.0.2.9>");
                response.headers.push_raw("Session-Expires", b"600;refresher=uac");
                response.headers.push_raw("Min-SE", b"900");
                response.headers.push_raw("Min-Expires", b"7200");
                let challenge = b"Digest realm=\"ims.example\", nonce=\"1\"";
                response.headers.push_raw("WWW-Authenticate", challenge);
                if reliable {
                    response.headers.push_raw("Require", b"100rel");
                    response.headers.push_raw("RSeq", b"1");
                }
                let response = if body { response.with_body("application/sdp", SDP) } else { response };
                self.give(Message::Response(response));
            }
            Step::Within { which, method, number, body } => {
                let Some(at) = pick(self.heard.len() + self.requests.len(), which) else { return };
                let line = |headers: &imscore_sip::Headers, name: &str| {
                    String::from_utf8_lossy(headers.raw(name).unwrap_or_default()).into_owned()
                };
                // As the other end of whatever was said before.
                let (from, to, call_id) = match self.heard.get(at) {
                    Some(heard) => {
                        let headers = heard.headers();
                        (line(headers, "From"), line(headers, "To"), line(headers, "Call-ID"))
                    }
                    None => {
                        let headers = &self.requests[at - self.heard.len()].headers;
                        (line(headers, "To"), line(headers, "From"), line(headers, "Call-ID"))
                    }
                };
                let from = if from.contains("tag=") { from } else { format!("{from};tag=b0") };
                let method = ["ACK", "BYE", "INVITE", "UPDATE", "PRACK", "MESSAGE", "INFO"][method];
                let number = self.numbers + number;
                let request = self.request(
                    &format!(
                        "{method} sip:alice@192.0.2.1 SIP/2.0\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
                         CSeq: {number} {method}\r\nRAck: 1 1 INVITE\r\n"
                    ),
                    body,
                );
                if method == "INVITE" {
                    self.invites.push((request.clone(), now));
                }
                self.give(Message::Request(request));
            }
            Step::Invite { body, reliable } => {
                let supported = if reliable { "Supported: 100rel, timer\r\n" } else { "" };
                let number = self.numbers;
                let request = self.request(
                    &format!(
                        "INVITE sip:alice@192.0.2.1 SIP/2.0\r\nFrom: <sip:bob@ims.example>;tag=c{number}\r\n\
                         To: <sip:alice@ims.example>\r\nCall-ID: c{number}\r\nCSeq: 1 INVITE\r\n{supported}"
                    ),
                    body,
                );
                self.invites.push((request.clone(), now));
                self.give(Message::Request(request));
            }
            Step::Cancel(which) => {
                let Some(at) = pick(self.invites.len(), which) else { return };
                let invite = self.invites[at].0.to_bytes();
                let text = String::from_utf8_lossy(&invite).replace("INVITE", "CANCEL");
                self.give(Message::parse(text.into_bytes().into()).unwrap());
            }
            Step::Again(which) => {
                let Some(at) = pick(self.invites.len(), which) else { return };
                let (invite, since) = self.invites[at].clone();
                // Later it would be another one.
                if now.monotonic < since.monotonic + Duration::from_secs(30) {
                    self.give(Message::Request(invite));
                }
            }
            Step::LoseFlow => self.agent.handle_flow_lost(self.flow, now),
            Step::Pass(millis) => self.pass(millis),
        }
        self.drain();
    }

    /// Hangs up, unregisters, and waits until all is over.
    fn end(&mut self) {
        for call in std::mem::take(&mut self.calls) {
            self.agent.hang_up(call, self.now);
        }
        for registration in std::mem::take(&mut self.registrations) {
            self.agent.unregister(registration, self.now);
        }
        self.drain();
        for (id, request) in std::mem::take(&mut self.waiting) {
            let _ = self.agent.respond(id, request.reply(StatusCode::SERVER_INTERNAL_ERROR), self.now);
        }
        self.pass(10 * 60_000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_comes_to_an_end(steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        world.end();
        prop_assert_eq!(world.agent.calls(), 0);
        prop_assert_eq!(world.agent.pending(), (0, 0), "requests and moments that are left");
        for (branch, statuses) in &world.finals {
            prop_assert_eq!(statuses.len(), 1, "{} got {:?}", branch, statuses);
        }
    }
}
