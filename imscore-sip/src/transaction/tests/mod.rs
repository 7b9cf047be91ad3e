//! The layer in virtual time: messages and the passing of time go in, and everything that comes out is written down
//! with its moment.

mod client;
mod invite;
mod limits;
mod oversize;
mod server;

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use super::*;
use crate::engine::{Engine, Output, Transmit};
use crate::message::{Message, Request, StatusCode};
use crate::now::Now;
use crate::testing::Clock;
use crate::transport::{ConnectionId, Flow, Listener, ListenerId, Side, Transport};

const UDP: ListenerId = ListenerId(0);
const TCP: ListenerId = ListenerId(1);
/// UDP towards phones.
const ACCESS: ListenerId = ListenerId(2);

const PEER: &str = "192.0.2.9:5060";

struct Rig {
    layer: Transactions,
    start: Now,
    now: Now,
    log: Vec<String>,
    sent: Vec<Transmit>,
    servers: Vec<ServerId>,
}

fn config() -> Config {
    let listener = |transport, side| Listener { transport, sent_by: "p.ims.example:5060".into(), side };
    Config::new(
        [7; 32],
        vec![
            listener(Transport::Udp, Side::Core),
            listener(Transport::Tcp, Side::Core),
            listener(Transport::Udp, Side::Access),
        ],
    )
}

fn flow(listener: ListenerId, remote: &str, connection: Option<u64>) -> Flow {
    let transport = if listener == TCP { Transport::Tcp } else { Transport::Udp };
    let connection = connection.and_then(NonZeroU64::new).map(ConnectionId);
    Flow { transport, listener, remote: remote.parse().unwrap(), connection }
}

fn udp() -> Flow {
    flow(UDP, PEER, None)
}

fn tcp() -> Flow {
    flow(TCP, "192.0.2.9:40000", Some(1))
}

fn parse(text: &str) -> Message {
    Message::parse(text.to_string().into()).unwrap()
}

/// A request as a peer sends it, with that Via.
fn text(method: &str, via: &str, to_tag: &str) -> String {
    format!(
        "{method} sip:bob@ims.example SIP/2.0\r\nVia: {via}\r\nFrom: <sip:alice@ims.example>;tag=a\r\n\
         To: <sip:bob@ims.example>{to_tag}\r\nCall-ID: 1@h\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// The same from [`PEER`] in the transaction of one branch.
fn branch(method: &str, branch: &str) -> String {
    text(method, &format!("SIP/2.0/UDP 192.0.2.9;branch={branch}"), "")
}

/// A request to send, without a Via.
fn outgoing(method: &str) -> Request {
    let text = text(method, "x", "").replace("Via: x\r\n", "");
    let Message::Request(request) = parse(&text) else { panic!("a request") };
    request
}

impl Rig {
    fn new() -> Rig {
        Rig::with(config())
    }

    fn with(config: Config) -> Rig {
        let start = Clock::new().now();
        let layer = Transactions::new(config, start);
        Rig { layer, start, now: start, log: Vec::new(), sent: Vec::new(), servers: Vec::new() }
    }

    fn receive(&mut self, text: &str, flow: Flow) {
        self.layer.handle_message(parse(text), flow, self.now);
        self.drain();
    }

    fn request(&mut self, method: &str, flow: Flow) -> ClientId {
        let id = self.layer.request(outgoing(method), flow, None, self.now);
        self.drain();
        id
    }

    fn respond(&mut self, id: ServerId, status: u16) {
        let Message::Request(request) = parse(&branch("INVITE", "z9hG4bKx")) else { panic!("a request") };
        let response = request.reply(StatusCode::new(status).unwrap()).with_to_tag("b");
        self.layer.respond(id, response, self.now);
        self.drain();
    }

    /// The peer answers the request that was sent as the `index`th message.
    fn answer(&mut self, index: usize, status: u16) {
        let Message::Request(request) = Message::parse(self.sent[index].bytes.clone()).unwrap() else {
            panic!("a request")
        };
        let response = request.reply(StatusCode::new(status).unwrap()).with_to_tag("b");
        self.receive(std::str::from_utf8(&response.to_bytes()).unwrap(), self.sent[index].flow);
    }

    /// Lets time pass, with every wait ended when the layer asked for it.
    fn pass(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(deadline) = self.drain().filter(|deadline| *deadline <= until.monotonic) {
            self.now = self.now + deadline.saturating_duration_since(self.now.monotonic);
            self.layer.handle_timeout(self.now);
            // A wait may end early, but it does not stand still.
            assert!(self.drain().is_none_or(|next| next > self.now.monotonic), "a wait that is over");
        }
        self.now = until;
    }

    /// Writes down what comes out.
    fn drain(&mut self) -> Option<Instant> {
        loop {
            let at = self.now.monotonic.duration_since(self.start.monotonic).as_millis();
            match self.layer.poll_output() {
                Output::Wait(deadline) => return deadline,
                Output::Transmit(transmit) => {
                    let line = match Message::parse(transmit.bytes.clone()).unwrap() {
                        Message::Request(request) => request.method().to_string(),
                        Message::Response(response) => {
                            format!("{} {}", response.status(), response.headers.cseq().unwrap().method)
                        }
                    };
                    self.log.push(format!("{at} to {} {line}", transmit.flow.remote));
                    self.sent.push(transmit);
                }
                Output::Ask(question) => panic!("{question:?}"),
                Output::Close(flow) => panic!("{flow} is closed"),
                Output::Event(event) => {
                    let line = self.name(event);
                    self.log.push(format!("{at} {line}"));
                }
            }
        }
    }

    fn name(&mut self, event: Event) -> String {
        match event {
            Event::Request { id, request, .. } => {
                self.servers.push(id);
                format!("Request {}", request.method())
            }
            Event::Ack { request, .. } => format!("Ack {}", request.headers.to_tag().unwrap_or("-")),
            Event::Cancel { id, invite, .. } => {
                let invite = invite.map(|invite| self.servers.iter().position(|id| *id == invite).unwrap());
                self.servers.push(id);
                format!("Cancel of {invite:?}")
            }
            Event::Response { response, .. } => format!("Response {}", response.status()),
            Event::Failed { cause, .. } => format!("Failed {cause:?}"),
            Event::Unacknowledged { .. } => "Unacknowledged".into(),
            Event::Undelivered { .. } => "Undelivered".into(),
            Event::ServerEnded { .. } => "ServerEnded".into(),
            Event::ClientEnded { .. } => "ClientEnded".into(),
        }
    }

    /// What came out since the last look.
    #[track_caller]
    fn expect(&mut self, lines: &[&str]) {
        assert_eq!(std::mem::take(&mut self.log), lines);
    }

    /// Nothing is left: no transaction, no timer.
    #[track_caller]
    fn expect_idle(&mut self) {
        self.expect(&[]);
        assert_eq!((self.layer.server_count(), self.layer.client_count()), (0, 0));
        assert_eq!(self.drain(), None);
    }

    fn sent_text(&self, index: usize) -> &str {
        std::str::from_utf8(&self.sent[index].bytes).unwrap()
    }
}

/// Lines at these moments.
fn at(millis: &[u64], line: &str) -> Vec<String> {
    millis.iter().map(|millis| format!("{millis} {line}")).collect()
}
