//! A proxy that forwards whatever it may, and what came of a datagram.

use std::time::Duration;

use imscore_sip::parse::Limits;
use imscore_sip::proxy::{Config, Event, Hop, Proxy};
use imscore_sip::resolve::Answer;
use imscore_sip::testing::Clock;
use imscore_sip::transport::{Flow, Listener, ListenerId, Side, Transport};
use imscore_sip::ua::UserAgent;
use imscore_sip::{Engine, Message, Now, Output, Request, Response, StatusCode, transaction, ua};

pub(crate) fn flow(host: u8) -> Flow {
    let remote = format!("192.0.2.{host}:5060").parse().unwrap();
    Flow { transport: Transport::Udp, listener: ListenerId(0), remote, connection: None }
}

/// The host that attacks, and the one that the proxy forwards to.
pub(crate) const STRANGER: u8 = 1;
pub(crate) const NEXT: u8 = 20;

pub(crate) fn config() -> transaction::Config {
    let listener = Listener { transport: Transport::Udp, sent_by: "192.0.2.10:5060".into(), side: Side::Core };
    transaction::Config::new([7; 32], vec![listener])
}

/// An engine, and what it sent.
pub(crate) struct Rig<E: Engine> {
    pub(crate) engine: E,
    pub(crate) now: Now,
    /// Since somebody looked: where to, and what.
    pub(crate) sent: Vec<(Flow, Message)>,
    pub(crate) told: fn(&mut E, E::Event, Now),
}

impl<E: Engine> Rig<E> {
    /// A datagram of that host, read or not to be read.
    pub(crate) fn give(&mut self, bytes: &[u8], from: u8) {
        match Message::parse(bytes.to_vec().into()) {
            Ok(message) => self.engine.handle_message(message, flow(from), self.now),
            Err(error) => self.engine.handle_malformed(bytes, error, flow(from), self.now),
        }
        self.drain();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.drain().filter(|deadline| *deadline <= until.monotonic) {
            self.now = self.now + deadline.saturating_duration_since(self.now.monotonic);
            self.engine.handle_timeout(self.now);
        }
        self.now = until;
    }

    fn drain(&mut self) -> Option<std::time::Instant> {
        loop {
            match self.engine.poll_output() {
                Output::Wait(deadline) => return deadline,
                Output::Event(event) => (self.told)(&mut self.engine, event, self.now),
                Output::Ask(question) => self.engine.handle_answer(&question, Answer::Failed, self.now),
                Output::Close(flow) => panic!("{flow} is let go"),
                Output::Transmit(sent) => {
                    // An answer has the lines of what it answers, were they too long or not.
                    let mut limits = Limits::default();
                    (limits.header_block, limits.line, limits.lines, limits.uri) = (65_535, 65_535, 65_535, 65_535);
                    self.sent.push((sent.flow, Message::parse_with(sent.bytes, &limits).unwrap()));
                }
            }
        }
    }

    /// The final responses to the stranger since somebody looked, and the requests to the next hop.
    pub(crate) fn outcome(&mut self) -> (Vec<u16>, Vec<Request>) {
        let (mut statuses, mut forwarded) = (Vec::new(), Vec::new());
        for (flow, message) in std::mem::take(&mut self.sent) {
            match message {
                Message::Response(response) if response.status().is_final() => statuses.push(response.status().code()),
                Message::Response(_) => {}
                Message::Request(request) if flow.remote == self::flow(NEXT).remote => forwarded.push(request),
                Message::Request(request) => panic!("to {flow}: {request:?}"),
            }
        }
        (statuses, forwarded)
    }
}

impl Rig<Proxy> {
    pub(crate) fn proxy(config: transaction::Config) -> Rig<Proxy> {
        let now = Clock::new().now();
        Rig { engine: Proxy::new(Config::new(config), now), now, sent: Vec::new(), told: forward }
    }

    /// Nothing is left of anything.
    #[track_caller]
    pub(crate) fn assert_empty(&self) {
        let transactions = self.engine.transactions();
        assert_eq!((self.engine.len(), transactions.server_count(), transactions.client_count()), (0, 0, 0));
    }
}

impl Rig<UserAgent> {
    pub(crate) fn agent() -> Rig<UserAgent> {
        let now = Clock::new().now();
        let told = |agent: &mut UserAgent, event, now| {
            if let ua::Event::Request { id, request, .. } = event {
                let _ = agent.respond(id, request.reply(StatusCode::BUSY_HERE), now);
            }
        };
        Rig { engine: UserAgent::new(ua::Config::new(config()), now), now, sent: Vec::new(), told }
    }
}

fn forward(proxy: &mut Proxy, event: Event, now: Now) {
    match event {
        Event::Request { id, request, .. } => {
            proxy.fork(id, [(request, Hop::Flow(flow(NEXT)))].into_iter().collect(), now);
            proxy.close(id, now);
        }
        Event::Ack { request, .. } => proxy.send_ack(request, flow(NEXT)),
        Event::Response { id, branch, response } => proxy.pass(id, branch, response, now),
        Event::Cancelled { .. } | Event::Ended { .. } | Event::Answer { .. } | Event::FlowLost { .. } => {}
    }
}

/// A request in the transaction of that branch. Lines of the same name take the place of ours, others come behind.
pub(crate) fn request(method: &str, branch: &str, lines: &[&str]) -> String {
    let mut all = vec![
        format!("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{branch}"),
        "From: <sip:alice@ims.example>;tag=a".to_string(),
        "To: <sip:bob@ims.example>".to_string(),
        format!("Call-ID: {branch}"),
        format!("CSeq: 1 {method}"),
        "Max-Forwards: 70".to_string(),
        "Contact: <sip:alice@192.0.2.1>".to_string(),
    ];
    for line in lines {
        let name = line.split_once(':').map_or(*line, |(name, _)| name);
        all.retain(|other| other.split_once(':').is_none_or(|(own, _)| own != name || lines.contains(&other.as_str())));
        all.push(line.to_string());
    }
    format!("{method} sip:bob@ims.example SIP/2.0\r\n{}\r\nContent-Length: 0\r\n\r\n", all.join("\r\n"))
}

/// What the next hop answers.
pub(crate) fn answer(request: &Request, status: u16) -> Response {
    request.reply(StatusCode::new(status).unwrap()).with_to_tag("b")
}
