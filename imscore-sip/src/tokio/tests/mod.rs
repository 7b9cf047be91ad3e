//! The driver on loopback, with an engine that answers every request.

#[cfg(feature = "dns")]
mod dns;
mod keep_alive;
mod limits;
mod oversize;
mod tcp;
mod threats;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "trace")]
mod trace;
mod udp;
mod workers;
#[cfg(feature = "ws")]
mod ws;

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::*;
use crate::message::{Message, StatusCode, salvage_reply};
use crate::parse::{Fault, ParseError};
use crate::resolve::{Answer, Question};
use crate::transport::keep_alive::Reply;
use crate::transport::{Flow, Listener, ListenerId, Transport};
use crate::{Engine, Now, Output, Ticket, Transmit};

/// What an engine was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Request(Flow),
    Response(StatusCode, Flow),
    Malformed(Fault, Flow),
    Lost(Flow),
    Pong(Flow),
    Mapped(SocketAddr, Flow),
    Failed(Ticket),
    /// How many records an answer had. `None`: nobody could say.
    Answered(Option<usize>),
    Timeout,
}

/// Answers every request with 200, what is malformed with what is left of it, and tells what it sees.
#[derive(Default)]
struct Echo {
    outputs: VecDeque<Output<Seen>>,
    deadline: Option<Instant>,
    waker: Option<Waker>,
    /// Whether it knows who asks.
    knows: bool,
}

impl Echo {
    fn send(&mut self, transmit: Transmit) {
        self.outputs.push_back(Output::Transmit(transmit));
    }

    fn tell(&mut self, seen: Seen) {
        self.outputs.push_back(Output::Event(seen));
    }
}

impl Engine for Echo {
    type Event = Seen;

    fn handle_message(&mut self, message: Message, flow: Flow, _now: Now) {
        match message {
            Message::Request(request) => {
                self.tell(Seen::Request(flow));
                let bytes = request.reply(StatusCode::OK).to_bytes();
                self.send(Transmit { flow, domain: None, bytes, ticket: None });
            }
            Message::Response(response) => self.tell(Seen::Response(response.status(), flow)),
        }
    }

    fn handle_malformed(&mut self, bytes: &[u8], error: ParseError, flow: Flow, _now: Now) {
        self.tell(Seen::Malformed(error.fault, flow));
        if let Some(bytes) = salvage_reply(bytes, &error) {
            self.send(Transmit { flow, domain: None, bytes, ticket: None });
        }
    }

    fn handle_flow_lost(&mut self, flow: Flow, _now: Now) {
        self.tell(Seen::Lost(flow));
    }

    fn handle_send_failed(&mut self, ticket: Ticket, _now: Now) {
        self.tell(Seen::Failed(ticket));
    }

    fn handle_answer(&mut self, _question: &Question, answer: Answer, _now: Now) {
        self.tell(Seen::Answered(match answer {
            Answer::Records(records, _) => Some(records.len()),
            Answer::Failed => None,
        }));
    }

    fn handle_keep_alive(&mut self, reply: Reply, flow: Flow, _now: Now) {
        match reply {
            Reply::Pong => self.tell(Seen::Pong(flow)),
            Reply::Binding(binding) => self.tell(Seen::Mapped(binding.mapped.unwrap(), flow)),
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        if self.deadline.is_none_or(|deadline| deadline <= now.monotonic) {
            self.deadline = None;
            self.tell(Seen::Timeout);
        }
    }

    fn poll_output(&mut self) -> Output<Seen> {
        self.outputs.pop_front().unwrap_or(Output::Wait(self.deadline))
    }

    fn set_waker(&mut self, waker: Waker) {
        self.waker = Some(waker);
    }

    fn is_known(&self, _flow: &Flow) -> bool {
        self.knows
    }
}

/// What an engine is to do between two events.
type ToDo = Box<dyn FnOnce(&mut Echo) + Send>;

/// An endpoint in a task, and what its engine sees.
struct Rig {
    seen: mpsc::UnboundedReceiver<Seen>,
    tell: mpsc::UnboundedSender<ToDo>,
    counters: Arc<Counters>,
    addresses: Vec<SocketAddr>,
}

impl Rig {
    async fn new(listen: &[&str], settings: Settings) -> Rig {
        Rig::listening(listen.iter().map(|text| text.parse().unwrap()), settings).await
    }

    async fn listening(listen: impl IntoIterator<Item = ListenAddress>, settings: Settings) -> Rig {
        let mut endpoint = Endpoint::bind_with(settings, listen, |_| Echo::default()).await.unwrap();
        let counters = endpoint.counters();
        let addresses = endpoint.listeners().iter().map(|listener| listener.sent_by.parse().unwrap()).collect();
        let (sees, seen) = mpsc::unbounded_channel();
        let (tell, mut told) = mpsc::unbounded_channel::<ToDo>();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    event = endpoint.next() => drop(sees.send(event)),
                    Some(to_do) = told.recv() => to_do(endpoint.engine_mut()),
                    else => return,
                }
            }
        });
        Rig { seen, tell, counters, addresses }
    }

    fn tell(&self, to_do: impl FnOnce(&mut Echo) + Send + 'static) {
        assert!(self.tell.send(Box::new(to_do)).is_ok(), "the endpoint is gone");
    }

    fn send(&self, flow: Flow, bytes: impl Into<Bytes>, ticket: Option<u64>) {
        let transmit = Transmit { flow, domain: None, bytes: bytes.into(), ticket: ticket.map(Ticket) };
        self.tell(|engine| engine.send(transmit));
    }

    async fn next(&mut self) -> Seen {
        within(self.seen.recv()).await.expect("an endpoint")
    }
}

/// The result, unless it takes so long that it never comes.
async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("it takes too long")
}

/// A flow by the first listener.
fn flow(transport: Transport, remote: SocketAddr) -> Flow {
    Flow { transport, listener: ListenerId(0), remote, connection: None }
}

fn options(call_id: &str, transport: Transport) -> String {
    format!(
        "OPTIONS sip:bob@ims.example SIP/2.0\r\nVia: SIP/2.0/{transport} h;branch=z9hG4bK{call_id}\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:bob@ims.example>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// What [`Echo`] answers.
fn answer(call_id: &str, transport: Transport) -> String {
    let answer = options(call_id, transport);
    format!("SIP/2.0 200 OK\r\n{}", answer.split_once("\r\n").unwrap().1)
}
