//! Two user agents with owners that do whatever comes to mind, and a wire between them that loses, repeats, turns round
//! and changes messages: each INVITE gets one final response, nothing is told of a call that has ended, an input has
//! bounded consequences, and at the end nothing is left on either side.

use std::collections::{BTreeSet, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use imscore_sip::dialog::Terms;
use imscore_sip::resolve::Answer;
use imscore_sip::sdp::SessionDescription;
use imscore_sip::transaction::{self, ServerId};
use imscore_sip::transport::{Flow, Listener, ListenerId, Transport};
use imscore_sip::ua::{Binding, CallHandle, Config, Event, RegistrationHandle, UserAgent};
use imscore_sip::{Engine, Headers, Message, Method, Now, Output, Request, StatusCode, Ticket};

use super::finals::Finals;
use super::input::Input;

/// One happening after the other.
pub fn agent(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new();
    for _ in 0..STEPS {
        if input.rest().is_empty() {
            break;
        }
        world.step(&mut input);
    }
    world.end();
}

const STEPS: usize = 200;

/// Messages under way, and of the past, that are kept to choose from.
const KEPT: usize = 64;

const STATUSES: [u16; 16] = [100, 180, 183, 200, 202, 302, 401, 407, 408, 422, 423, 481, 486, 491, 500, 603];

/// In milliseconds, about the timers of transactions and sessions.
const PASSING: [u64; 9] = [0, 1, 200, 500, 4_000, 32_000, 90_000, 600_000, 4_000_000];

/// What a message may have in addition or instead.
const LINES: [(&str, &str); 18] = [
    ("Require", "100rel"),
    ("RSeq", "1"),
    ("RSeq", "2"),
    ("RAck", "1 1 INVITE"),
    ("Supported", "100rel, timer, replaces"),
    ("Session-Expires", "90;refresher=uas"),
    ("Session-Expires", "600;refresher=uac"),
    ("Min-SE", "900"),
    ("Min-Expires", "7200"),
    ("WWW-Authenticate", "Digest realm=\"ims.example\", nonce=\"1\""),
    ("WWW-Authenticate", "Digest realm=\"elsewhere\", nonce=\"2\""),
    ("Retry-After", "1"),
    ("Contact", "<sip:other@192.0.2.3>;expires=90"),
    ("Record-Route", "<sip:192.0.2.5;lr>"),
    ("Require", "unheard-of"),
    ("Content-Type", "text/plain"),
    ("CSeq", "1 INVITE"),
    ("CSeq", "2147483647 BYE"),
];

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// An agent and its owner.
struct Side {
    agent: UserAgent,
    calls: Vec<CallHandle>,
    over: HashSet<CallHandle>,
    registrations: Vec<RegistrationHandle>,
    waiting: Vec<(ServerId, Request)>,
    tickets: Vec<Ticket>,
}

impl Side {
    fn new(number: u8, now: Now) -> Side {
        let sent_by = address(number).to_string().into();
        let listener = Listener { transport: Transport::Udp, sent_by, side: imscore_sip::transport::Side::Core };
        let config = Config::new(transaction::Config::new([number; 32], vec![listener]));
        let mut config = config.with_login("alice", "secret", "ims.example");
        config.proxy = Some(flow_to(1 - number).into());
        config.session_timer = Some(Terms::new(600, 90));
        config.methods = vec![Method::Message];
        Side {
            agent: UserAgent::new(config, now),
            calls: Vec::new(),
            over: HashSet::new(),
            registrations: Vec::new(),
            waiting: Vec::new(),
            tickets: Vec::new(),
        }
    }

    fn told(&mut self, event: Event) {
        let (call, ends) = match event {
            Event::Request { id, request, call, .. } => {
                self.waiting.push((id, request));
                self.calls.extend(call);
                (call, false)
            }
            Event::Cancelled { call, .. }
            | Event::Progress { call, .. }
            | Event::Answered { call, .. }
            | Event::Confirmed { call, .. }
            | Event::Agreed { call }
            | Event::OfferRefused { call, .. } => (Some(call), false),
            Event::Ended { call, .. } => (Some(call), true),
            Event::Response { .. }
            | Event::Failed { .. }
            | Event::Registered { .. }
            | Event::Unregistered { .. }
            | Event::Notified { .. }
            | Event::Unsubscribed { .. }
            | Event::Watched { .. }
            | Event::WatcherGone { .. } => (None, false),
        };
        if let Some(call) = call {
            assert!(!self.over.contains(&call), "something of a call that has ended");
            if ends {
                self.over.insert(call);
            }
        }
    }

    fn act(&mut self, input: &mut Input<'_>, now: Now) {
        let sdp = SessionDescription::parse(SDP.into()).expect("a description");
        let what = input.choice(10);
        let call = (!self.calls.is_empty()).then(|| self.calls[input.choice(self.calls.len())]);
        match (what, call) {
            (0 | 1, _) => {
                let target = "sip:bob@ims.example".parse().expect("a URI");
                self.calls.push(self.agent.invite(&target, (what == 0).then_some(&sdp), now));
            }
            (2, Some(call)) => {
                self.agent.hang_up(call, now);
            }
            (3, Some(call)) => drop(self.agent.offer(call, &sdp, now)),
            (4, Some(call)) => drop(self.agent.answer(call, &sdp, now)),
            (5 | 6, _) if !self.waiting.is_empty() => {
                let (id, request) = &self.waiting[input.choice(self.waiting.len())];
                let response = request.reply(StatusCode::new(input.pick(&STATUSES)).expect("a status"));
                let response = if what == 5 { response.with_body("application/sdp", SDP) } else { response };
                let _ = self.agent.respond(*id, response, now);
            }
            (7, _) => {
                let binding = Binding::new("sip:ims.example".parse().expect("a URI"));
                self.registrations.push(self.agent.register(binding, now));
            }
            (8, _) if !self.registrations.is_empty() => {
                let which = input.choice(self.registrations.len());
                self.agent.unregister(self.registrations[which], now);
            }
            (9, _) => {
                self.agent.request(Request::new(&Method::Message, "sip:bob@ims.example"), now);
            }
            _ => {}
        }
    }

    fn settle(&mut self, now: Now) {
        for call in self.calls.drain(..) {
            self.agent.hang_up(call, now);
        }
        for registration in self.registrations.drain(..) {
            self.agent.unregister(registration, now);
        }
        for (id, request) in self.waiting.drain(..) {
            let _ = self.agent.respond(id, request.reply(StatusCode::SERVER_INTERNAL_ERROR), now);
        }
    }
}

struct World {
    sides: [Side; 2],
    now: Now,
    /// Messages that have not arrived, and some that have; with the side that each is for.
    wire: Vec<(usize, Bytes)>,
    past: Vec<(usize, Bytes)>,
    /// Of each side.
    finals: [Finals; 2],
}

impl World {
    fn new() -> World {
        let now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
        let sides = [Side::new(0, now), Side::new(1, now)];
        World { sides, now, wire: Vec::new(), past: Vec::new(), finals: Default::default() }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.choice(8) {
            0 if !self.wire.is_empty() => {
                let (side, bytes) = self.wire.remove(0);
                self.arrive(side, bytes);
            }
            1 if !self.wire.is_empty() => {
                let (side, bytes) = self.wire.remove(input.choice(self.wire.len()));
                self.arrive(side, bytes);
            }
            2 if !self.wire.is_empty() => {
                let (side, bytes) = self.wire.remove(input.choice(self.wire.len()));
                self.arrive(side, changed(bytes, input));
            }
            3 if !self.past.is_empty() => {
                let (side, bytes) = self.past[input.choice(self.past.len())].clone();
                let side = if input.choice(4) == 3 { 1 - side } else { side };
                let bytes = if input.choice(2) == 1 { changed(bytes, input) } else { bytes };
                self.arrive(side, bytes);
            }
            4 if !self.wire.is_empty() => drop(self.wire.remove(input.choice(self.wire.len()))),
            5 => {
                let side = input.choice(2);
                self.sides[side].act(input, self.now);
                self.drain();
            }
            6 => self.pass(input.pick(&PASSING)),
            7 => {
                let side = &mut self.sides[input.choice(2)];
                match side.tickets.pop() {
                    Some(ticket) if input.choice(2) == 0 => side.agent.handle_send_failed(ticket, self.now),
                    _ => side.agent.handle_flow_lost(flow_to(input.byte() % 2), self.now),
                }
                self.drain();
            }
            _ => {}
        }
    }

    fn arrive(&mut self, side: usize, bytes: Bytes) {
        let flow = flow_to(1 - side as u8);
        match Message::parse(bytes.clone()) {
            Ok(message) => {
                self.finals[side].received(&message);
                self.sides[side].agent.handle_message(message, flow, self.now);
            }
            Err(error) => {
                // It is answered outside of transactions.
                let finals = std::mem::take(&mut self.finals);
                self.sides[side].agent.handle_malformed(&bytes, error, flow, self.now);
                self.drain();
                self.finals = finals;
            }
        }
        if self.past.len() < KEPT {
            self.past.push((side, bytes));
        }
        self.drain();
    }

    /// Hangs up, unregisters, answers, and waits on both sides until all is over.
    fn end(&mut self) {
        let now = self.now;
        self.sides.iter_mut().for_each(|side| side.settle(now));
        self.drain();
        self.sides.iter_mut().for_each(|side| side.settle(now));
        self.pass(10 * 60_000);
        assert_eq!(self.drain(), None, "a moment that is waited for at the end");
        for side in &self.sides {
            assert_eq!((side.agent.calls(), side.agent.pending()), (0, (0, 0)), "left behind");
        }
        self.finals.iter().for_each(|finals| finals.check(&BTreeSet::new()));
    }

    fn pass(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(deadline) = self.drain().filter(|deadline| *deadline <= until.monotonic) {
            self.now = self.now + deadline.saturating_duration_since(self.now.monotonic);
            self.time_out();
            assert!(self.drain().is_none_or(|next| next > self.now.monotonic), "a wait that is over");
        }
        self.now = until;
        self.time_out();
        self.drain();
    }

    fn time_out(&mut self) {
        let now = self.now;
        self.sides.iter_mut().for_each(|side| side.agent.handle_timeout(now));
    }

    /// Everything that one input leads to.
    fn drain(&mut self) -> Option<Instant> {
        let mut earliest = None;
        for number in 0..2 {
            let deadline = self.drain_side(number);
            earliest = [earliest, deadline].into_iter().flatten().min();
        }
        earliest
    }

    fn drain_side(&mut self, number: usize) -> Option<Instant> {
        let pending = self.sides[number].agent.pending();
        let most = 64 + 16 * (self.sides[number].agent.calls() + pending.0 + pending.1);
        for _ in 0..most {
            let side = &mut self.sides[number];
            match side.agent.poll_output() {
                Output::Wait(deadline) => return deadline,
                Output::Event(event) => side.told(event),
                Output::Close(flow) => panic!("{flow} is no connection"),
                Output::Ask(question) => side.agent.handle_answer(&question, Answer::Failed, self.now),
                Output::Transmit(transmit) => {
                    side.tickets.extend(transmit.ticket);
                    let message = Message::parse(transmit.bytes.clone()).expect("what is sent is a message");
                    self.finals[number].sent(&message, &transmit.bytes);
                    if self.wire.len() < KEPT {
                        self.wire.push((1 - number, transmit.bytes));
                    }
                }
            }
        }
        panic!("more than {most} consequences of one input");
    }
}

/// The message with one thing changed.
fn changed(bytes: Bytes, input: &mut Input<'_>) -> Bytes {
    let Ok(mut message) = Message::parse(bytes.clone()) else { return bytes };
    match input.choice(6) {
        0 => match &mut message {
            Message::Response(response) => {
                let status = input.pick(&STATUSES).to_string();
                let text = [b"SIP/2.0 ", status.as_bytes(), b" Other\r\n"].concat();
                let written = response.to_bytes();
                let rest = written.iter().position(|byte| *byte == b'\n').map_or(&b""[..], |end| &written[end + 1..]);
                return [&text[..], rest].concat().into();
            }
            Message::Request(request) => {
                let methods = [Method::Bye, Method::Cancel, Method::Ack, Method::Update, Method::Prack, Method::Invite];
                let method = methods[input.choice(methods.len())].as_str().to_owned();
                let text = String::from_utf8_lossy(&bytes).replace(request.method().as_str(), &method);
                return text.into();
            }
        },
        1 => {
            let (name, value) = input.pick(&LINES);
            headers(&mut message).push_raw(name, value.as_bytes());
        }
        2 => {
            let (name, value) = input.pick(&LINES);
            headers(&mut message).remove(name);
            headers(&mut message).push_raw(name, value.as_bytes());
        }
        3 => {
            let names =
                ["Contact", "To", "From", "CSeq", "Record-Route", "Supported", "Require", "RSeq", "Max-Forwards"];
            headers(&mut message).remove(input.pick(&names));
        }
        4 => {
            let body = if input.choice(2) == 0 { SDP } else { "" };
            match message {
                Message::Request(request) => return request.with_body("application/sdp", body).to_bytes(),
                Message::Response(response) => return response.with_body("application/sdp", body).to_bytes(),
            }
        }
        _ => {
            let mut bytes = bytes.to_vec();
            let at = usize::from(u16::from_be_bytes([input.byte(), input.byte()])) % bytes.len();
            bytes[at] = input.byte();
            return bytes.into();
        }
    }
    message.to_bytes()
}

fn headers(message: &mut Message) -> &mut Headers {
    match message {
        Message::Request(request) => &mut request.headers,
        Message::Response(response) => &mut response.headers,
    }
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number + 1], 5060))
}

fn flow_to(number: u8) -> Flow {
    Flow { transport: Transport::Udp, listener: ListenerId(0), remote: address(number), connection: None }
}
