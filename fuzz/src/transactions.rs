//! Transactions, and the proxy core over them: whatever comes in whatever order, each INVITE gets one final response,
//! nothing is told of what has ended, an input has bounded consequences, and at the end nothing is left.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use imscore_sip::transaction::Config;
use imscore_sip::transport::{ConnectionId, Flow, Listener, ListenerId, Side, Transport};
use imscore_sip::{Engine, Message, Now, Output, Request, StatusCode, Transmit};

use super::finals::{Finals, transaction_of};
use super::input::Input;
use layer::Layer;
use proxy::Core;

mod layer;
mod proxy;

/// Which engine, then one happening after the other.
pub fn transactions(data: &[u8]) {
    let mut input = Input::new(data);
    match input.choice(2) {
        0 => World::new(Layer::new).run(input),
        _ => World::new(Core::new).run(input),
    }
}

/// An engine with its owner.
trait Subject {
    type Engine: Engine;

    fn engine(&mut self) -> &mut Self::Engine;

    /// The owner is told something.
    fn told(&mut self, event: <Self::Engine as Engine>::Event, now: Now);

    /// The owner does something of its own.
    fn act(&mut self, input: &mut Input<'_>, now: Now);

    /// The owner brings all that waits for it to an end.
    fn settle(&mut self, now: Now);

    /// How much there is in the tables.
    fn size(&self) -> usize;

    /// INVITEs, by their transactions, that the owner has forgotten on purpose.
    fn abandoned(&self) -> &BTreeSet<String>;

    /// What must hold at the end, beside that the tables are empty.
    fn check(&self) {}
}

const STEPS: usize = 200;

const METHODS: [&str; 6] = ["INVITE", "ACK", "CANCEL", "OPTIONS", "BYE", "MESSAGE"];

const STATUSES: [u16; 12] = [100, 180, 183, 200, 202, 302, 401, 408, 486, 487, 503, 603];

/// In milliseconds, about the timers.
const PASSING: [u64; 10] = [0, 1, 200, 500, 4_000, 5_000, 32_000, 64_000, 128_000, 200_000];

/// The subject, the clock and the wire around it.
struct World<S> {
    subject: S,
    now: Now,
    /// What was received, by whom; and what was sent.
    received: Vec<(Message, Flow)>,
    sent: Vec<Transmit>,
    finals: Finals,
}

impl<S: Subject> World<S> {
    fn new(subject: fn(Now) -> S) -> World<S> {
        let now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
        World { subject: subject(now), now, received: Vec::new(), sent: Vec::new(), finals: Finals::default() }
    }

    fn run(mut self, mut input: Input<'_>) {
        for _ in 0..STEPS {
            if input.rest().is_empty() {
                break;
            }
            self.step(&mut input);
        }
        self.subject.settle(self.now);
        self.drain();
        self.pass(1_200_000);
        assert_eq!(self.subject.size(), 0, "left behind");
        assert_eq!(self.drain(), None, "a timer of nothing");
        self.finals.check(self.subject.abandoned());
        self.subject.check();
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.choice(8) {
            0 => {
                let (message, flow) = self.request(input);
                self.receive(message, flow);
            }
            1 => self.answer(input),
            2 if !self.received.is_empty() => {
                let (message, flow) = self.received[input.choice(self.received.len())].clone();
                self.receive(message, flow);
            }
            3 => {
                self.subject.act(input, self.now);
                self.drain();
            }
            4 => self.pass(input.pick(&PASSING)),
            5 => {
                let flow = flow(input.choice(3));
                self.subject.engine().handle_flow_lost(flow, self.now);
                self.drain();
            }
            6 if !self.sent.is_empty() => {
                let which = input.choice(self.sent.len());
                if let Some(ticket) = self.sent[which].ticket {
                    self.subject.engine().handle_send_failed(ticket, self.now);
                    self.drain();
                }
            }
            7 => {
                let flow = flow(input.choice(3));
                let bytes = [b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK", input.line()].concat();
                if let Err(error) = Message::parse(bytes.clone().into()) {
                    // It is answered outside of transactions.
                    let finals = std::mem::take(&mut self.finals);
                    self.subject.engine().handle_malformed(&bytes, error, flow, self.now);
                    self.drain();
                    self.finals = finals;
                }
            }
            _ => {}
        }
    }

    /// One of our grammar: a method, a branch, a way, and what is odd about it.
    fn request(&mut self, input: &mut Input<'_>) -> (Message, Flow) {
        let (method, branch, way, odd) = (input.pick(&METHODS), input.choice(6), input.choice(3), input.choice(10));
        let (sent_by, cookie) = match odd {
            1 => ("192.0.2.77;maddr=192.0.2.78", "z9hG4bK"),
            2 => ("192.0.2.9", ""),
            _ => ("192.0.2.9", "z9hG4bK"),
        };
        let transport = if way == 0 { "UDP" } else { "TCP" };
        let to_tag = if odd == 3 { ";tag=b" } else { "" };
        let hops = if odd == 4 { 0 } else { 70 };
        let more = match odd {
            5 => "Max-Breadth: 1\r\n",
            6 => "Proxy-Require: foo\r\n",
            7 => "Via: SIP/2.0/UDP p.ims.example:5060;branch=z9hG4bKother\r\n",
            8 => "Route: <sip:192.0.2.20;lr>\r\n",
            9 => "Max-Breadth: 0\r\n",
            _ => "",
        };
        let text = format!(
            "{method} sip:bob@ims.example SIP/2.0\r\nVia: SIP/2.0/{transport} {sent_by};branch={cookie}{branch}\r\n{more}\
             From: <sip:alice@ims.example>;tag=a\r\nTo: <sip:bob@ims.example>{to_tag}\r\nCall-ID: {branch}@h\r\n\
             CSeq: 1 {method}\r\nMax-Forwards: {hops}\r\nContent-Length: 0\r\n\r\n"
        );
        (Message::parse(text.into()).expect("a request"), flow(way))
    }

    /// A peer answers what was sent to it, or repeats its answer.
    fn answer(&mut self, input: &mut Input<'_>) {
        if self.sent.is_empty() {
            return;
        }
        let transmit = &self.sent[input.choice(self.sent.len())];
        let (status, tag) = (input.pick(&STATUSES), input.choice(3));
        let (bytes, flow) = (transmit.bytes.clone(), transmit.flow);
        let Ok(Message::Request(request)) = Message::parse(bytes) else { return };
        let reply = request.reply(StatusCode::new(status).expect("a status")).with_to_tag(&format!("t{tag}"));
        let reply = Message::parse(reply.to_bytes()).expect("a reply");
        self.receive(reply, flow);
    }

    fn receive(&mut self, message: Message, flow: Flow) {
        self.finals.received(&message);
        self.received.push((message.clone(), flow));
        self.subject.engine().handle_message(message, flow, self.now);
        self.drain();
    }

    /// Lets time pass, with every wait ended when the engine asked for it.
    fn pass(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(deadline) = self.drain().filter(|deadline| *deadline <= until.monotonic) {
            self.now = self.now + deadline.saturating_duration_since(self.now.monotonic);
            self.subject.engine().handle_timeout(self.now);
            let next = self.drain();
            assert!(next.is_none_or(|next| next > self.now.monotonic), "a wait that is over");
        }
        self.now = until;
        self.subject.engine().handle_timeout(self.now);
        self.drain();
    }

    /// Everything that one input leads to, the owner's doings included.
    fn drain(&mut self) -> Option<Instant> {
        let most = 64 + 16 * self.subject.size();
        for _ in 0..most {
            match self.subject.engine().poll_output() {
                Output::Wait(deadline) => {
                    assert!(self.subject.size() > 0 || deadline.is_none(), "a timer of nothing");
                    return deadline;
                }
                Output::Event(event) => self.subject.told(event, self.now),
                // Nobody answers, and nobody sees to connections: time must do.
                Output::Ask(_) | Output::Close(_) => {}
                Output::Transmit(transmit) => self.note(transmit),
            }
        }
        panic!("more than {most} consequences of one input");
    }

    fn note(&mut self, transmit: Transmit) {
        let message = Message::parse(transmit.bytes.clone()).expect("what is sent is a message");
        self.finals.sent(&message, &transmit.bytes);
        if self.sent.len() < 256 {
            self.sent.push(transmit);
        }
    }
}

/// Our listener for UDP with a peer there, or one for TCP with a connection to it.
fn flow(number: usize) -> Flow {
    let remote = SocketAddr::from(([192, 0, 2, 9], 5060));
    let connection = NonZeroU64::new(number as u64).map(ConnectionId);
    let (transport, listener) = if number == 0 { (Transport::Udp, 0) } else { (Transport::Tcp, 1) };
    Flow { transport, listener: ListenerId(listener), remote, connection }
}

/// Listeners for [`flow`], and room for so many transactions.
fn config(most: usize) -> Config {
    let listener = |transport| Listener { transport, sent_by: "p.ims.example:5060".into(), side: Side::Core };
    let mut config = Config::new([7; 32], vec![listener(Transport::Udp), listener(Transport::Tcp)]);
    config.max_transactions = most;
    config
}

/// A request to send, without a Via.
fn outgoing(method: &str) -> Request {
    let text = format!(
        "{method} sip:bob@ims.example SIP/2.0\r\nFrom: <sip:us@ims.example>;tag=us\r\nTo: <sip:bob@ims.example>\r\n\
         Call-ID: us\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n\r\n"
    );
    let Ok(Message::Request(request)) = Message::parse(text.into()) else { panic!("a request") };
    request
}
