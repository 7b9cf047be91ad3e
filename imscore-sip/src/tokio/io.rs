//! Everything of an endpoint but its engine: where inputs come from, and where outputs go.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use bytestring::ByteString;
use tokio::net::TcpListener;
use tokio::task::coop::has_budget_remaining;
use tokio::time::Sleep;

use super::connection::Visit;
use super::connections::{Connections, End};
#[cfg(feature = "dns")]
use super::dns::Names;
use super::gate::Gate;
use super::listen::Bound;
use super::mail::{Mail, Origin, Post, Sender, worker_of};
use super::ready::{Ready, Signal, Token};
use super::udp::{LARGEST, Udp};
use super::{Aliases, Counters, Settings};
use crate::engine::{Ticket, Transmit};
use crate::message::Message;
use crate::now::Now;
use crate::parse::ParseError;
use crate::resolve::{Answer, Question};
use crate::transport::keep_alive::{self, Datagram, Reply};
use crate::transport::{ConnectionId, Flow, Listener, ListenerId, Side, Transport};

/// Steps of one turn; then other tasks have theirs.
const TURN: u32 = 256;

/// Steps that one source takes while others wait.
const VISIT: u32 = 64;

/// How long nothing is accepted when the system cannot.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What an engine is given.
#[allow(clippy::large_enum_variant)]
pub(super) enum Input {
    Message(Message, Flow),
    /// A message that another worker has found to be ours.
    Owned(Box<(Message, Flow)>),
    Malformed(Bytes, ParseError, Flow),
    Lost(Flow),
    KeepAlive(Reply, Flow),
    Failed(Ticket),
    Answer(Question, Answer),
    Timeout,
}

pub(super) struct Io {
    pub(super) now: Now,
    /// What the engine waits for.
    pub(super) deadline: Option<Instant>,
    pub(super) connections: Connections,
    pub(super) counters: Arc<Counters>,
    pub(super) ready: Arc<Ready>,
    pub(super) post: Post,
    settings: Arc<Settings>,
    sources: Vec<Source>,
    pending: VecDeque<Pending>,
    visiting: Option<(Arc<Signal>, u32)>,
    steps: u32,
    alarm: Alarm,
    mail: Waker,
    #[cfg(feature = "dns")]
    names: Names,
    accept_again: Option<Instant>,
    buffer: Vec<u8>,
}

/// What a listener is here.
enum Source {
    Udp(Udp),
    Tcp(Accept),
}

struct Accept {
    transport: Transport,
    listener: Option<TcpListener>,
    local: IpAddr,
    side: Side,
    waker: Waker,
}

struct Alarm {
    sleep: Pin<Box<Sleep>>,
    armed: Option<Instant>,
    waker: Waker,
}

/// What happened here while the engine was busy.
enum Pending {
    Lost(Flow),
    Failed(Ticket),
    Answer(Question, Answer),
    /// A stream that cannot be read further, once the engine has answered.
    Close(ConnectionId),
}

/// What came of polling a source once.
#[allow(clippy::large_enum_variant)]
enum Step {
    /// One input, and maybe more.
    Input(Input),
    /// One input and no more.
    Last(Input),
    Again,
    Yield,
    Done,
}

/// Both clocks, read together.
pub fn now() -> Now {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Now { monotonic: Instant::now(), wall: wall.as_millis() as u64 }
}

impl Io {
    /// Takes the sockets into the runtime that this is called in.
    pub(super) fn new(
        listeners: &[Listener],
        sockets: Vec<Bound>,
        post: Post,
        gate: Arc<Gate>,
        settings: Arc<Settings>,
        counters: Arc<Counters>,
    ) -> io::Result<Io> {
        let ready = Arc::new(Ready::default());
        let now = now();
        let sources =
            sockets.into_iter().zip(listeners).zip(0..).map(|((socket, Listener { side, transport, .. }), at)| {
                let waker = ready.source(Token::Listener(at));
                match socket {
                    Bound::Udp(socket) => {
                        let errors = settings.icmp_errors.then(|| ready.source(Token::Errors(at)));
                        Ok(Source::Udp(Udp::new(socket, waker, errors)?))
                    }
                    Bound::Tcp(listener) => {
                        let local = listener.local_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.ip());
                        let listener = Some(TcpListener::from_std(listener)?);
                        Ok(Source::Tcp(Accept { transport: *transport, listener, local, side: *side, waker }))
                    }
                }
            });
        let sources = sources.collect::<io::Result<_>>()?;
        let alarm = Alarm {
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            armed: None,
            waker: ready.signal(Token::Alarm).into(),
        };
        let mail = ready.source(Token::Mail);
        #[cfg(feature = "dns")]
        let names = Names::new(settings.name_servers.clone(), ready.source(Token::Names));
        let connections = Connections::new(post.worker, gate, ready.clone(), settings.clone(), counters.clone());
        Ok(Io {
            now,
            deadline: None,
            connections,
            counters,
            ready,
            post,
            settings,
            sources,
            pending: VecDeque::new(),
            visiting: None,
            steps: TURN,
            alarm,
            mail,
            #[cfg(feature = "dns")]
            names,
            accept_again: None,
            buffer: vec![0; LARGEST],
        })
    }

    /// Goes on, maybe after a while.
    pub(super) fn wake(&mut self) {
        self.now = now();
    }

    /// The next input, if there is one now. `known` is what the engine says of a flow.
    pub(super) fn next_input(&mut self, known: impl Fn(&Flow) -> bool) -> Option<Input> {
        while self.steps > 0 && has_budget_remaining() {
            self.steps -= 1;
            match self.pending.pop_front() {
                Some(Pending::Lost(flow)) => return Some(Input::Lost(flow)),
                Some(Pending::Failed(ticket)) => return Some(Input::Failed(ticket)),
                Some(Pending::Answer(question, answer)) => return Some(Input::Answer(question, answer)),
                Some(Pending::Close(id)) => {
                    let end = self.connections.close(id, self.now.monotonic);
                    self.end(end);
                    continue;
                }
                None => {}
            }
            if self.deadline.is_some_and(|deadline| deadline <= self.now.monotonic) {
                self.deadline = None;
                return Some(Input::Timeout);
            }
            if let Some(end) = self.connections.expire(self.now.monotonic, &known) {
                self.end(Some(end));
                continue;
            }
            let (signal, left) = match self.visiting.take() {
                Some(visiting) => visiting,
                None => (self.ready.pop()?, VISIT),
            };
            if left == 0 {
                signal.wake_by_ref();
                continue;
            }
            match self.step(signal.token) {
                Step::Input(input) => {
                    self.visiting = Some((signal, left - 1));
                    return Some(input);
                }
                Step::Last(input) => return Some(input),
                Step::Again => self.visiting = Some((signal, left - 1)),
                Step::Yield => signal.wake_by_ref(),
                Step::Done => {}
            }
        }
        None
    }

    /// Sends what waits, and lets the task sleep. False: there is something to do after all.
    ///
    /// A turn ends here only, not with an event: a task that waits for one event after the other gives way too.
    pub(super) fn sleep(&mut self, context: &Context<'_>) -> bool {
        self.flush();
        if self.steps == 0 || !has_budget_remaining() {
            context.waker().wake_by_ref();
            self.steps = TURN;
            return true;
        }
        if !self.pending.is_empty() {
            return false;
        }
        let next = [self.deadline, self.connections.next_check(), self.accept_again].into_iter().flatten().min();
        self.alarm.set(next);
        let sleeps = self.ready.sleep(context.waker());
        if sleeps {
            self.steps = TURN;
        }
        sleeps
    }

    /// Sends what waits on connections.
    pub(super) fn flush(&mut self) {
        while let Some(end) = self.connections.flush(self.now.monotonic) {
            self.end(Some(end));
        }
    }

    /// Accepts no more connections; those that are open go on.
    pub(super) fn stop_accepting(&mut self) {
        for source in &mut self.sources {
            if let Source::Tcp(accept) = source {
                accept.listener = None;
            }
        }
    }

    /// Sends one message.
    pub(super) fn transmit(&mut self, transmit: Transmit, origin: Origin) {
        let Transmit { flow, domain, bytes, ticket } = transmit;
        let sender = ticket.map(|ticket| Sender { origin, ticket });
        match (self.sources.get(usize::from(flow.listener.0)), flow.transport, flow.connection) {
            (Some(Source::Udp(udp)), Transport::Udp, None) => match udp.send(&bytes, flow.remote) {
                Ok(()) => {
                    self.counters.datagrams_out.one();
                    self.counters.bytes_out.add(bytes.len());
                }
                // Neither is an error of the message: SIP repeats it when there is room again.
                Err(error) if is_want_of_room(&error) => self.counters.datagrams_unsent.one(),
                Err(error) => {
                    tracing::debug!(%flow, %error, "cannot send");
                    self.failed(sender);
                }
            },
            (Some(Source::Tcp(accept)), transport, None) if transport == accept.transport => {
                let from = (accept.local, accept.side);
                self.send_to(flow, domain, from, bytes, sender);
            }
            (_, transport, Some(id)) if transport.is_reliable() && worker_of(id) != self.post.worker => {
                let mail = Mail::Send(Box::new(Transmit { flow, domain, bytes, ticket }), origin);
                if self.post.send(worker_of(id), mail).is_err() {
                    self.counters.handover_dropped.one();
                    self.failed(sender);
                }
            }
            (Some(Source::Tcp(accept)), transport, Some(id)) if transport == accept.transport => {
                let from = (accept.local, accept.side);
                let shared = origin.0 != self.post.worker;
                if !self.connections.send(id, bytes.clone(), sender, shared) {
                    // Who has left a ticket knows better where to send instead (RFC 3261 §18.2.2, RFC 5626 §5.3).
                    match sender {
                        Some(_) => self.failed(sender),
                        None => self.send_to(flow, domain, from, bytes, sender),
                    }
                }
            }
            (_, Transport::Udp | Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss, _) => {
                self.failed(sender);
            }
        }
    }

    /// Asks a name server, or says that there is none to ask.
    pub(super) fn ask(&mut self, question: Question) {
        self.counters.questions.one();
        #[cfg(feature = "dns")]
        let question = match self.names.ask(question) {
            Ok(()) => return,
            Err(question) => question,
        };
        self.counters.questions_failed.one();
        self.pending.push_back(Pending::Answer(question, Answer::Failed));
    }

    /// Lets a connection go.
    pub(super) fn close(&mut self, flow: Flow) {
        match flow.connection {
            Some(id) if worker_of(id) == self.post.worker => self.pending.push_back(Pending::Close(id)),
            Some(id) => {
                // Without room there it goes by itself, when it has been idle for long.
                let _ = self.post.send(worker_of(id), Mail::Close(id));
            }
            None => {}
        }
    }

    /// Sends on any connection to that address and domain.
    fn send_to(
        &mut self,
        flow: Flow,
        domain: Option<ByteString>,
        from: (IpAddr, Side),
        bytes: Bytes,
        sender: Option<Sender>,
    ) {
        let shared = sender.is_some_and(|sender| sender.origin.0 != self.post.worker);
        match self.connections.to(&flow, domain, from, self.now.monotonic) {
            Some(id) if self.connections.send(id, bytes, sender, shared) => {}
            Some(_) | None => self.failed(sender),
        }
    }

    /// A message for another worker's engine.
    pub(super) fn hand_over(&mut self, owner: usize, message: Message, flow: Flow) {
        if let Some(id) = flow.connection {
            self.connections.share(id);
        }
        match self.post.send(owner, Mail::Message(Box::new((message, flow)))) {
            Ok(()) => self.counters.handed_over.one(),
            Err(_) => self.counters.handover_dropped.one(),
        }
    }

    fn step(&mut self, token: Token) -> Step {
        match token {
            Token::Listener(at) => match self.sources.get(usize::from(at)) {
                Some(Source::Udp(udp)) => match udp.receive(&mut self.buffer) {
                    Poll::Ready(Ok((length, remote))) => self.datagram(length, remote, at),
                    Poll::Ready(Err(error)) => {
                        tracing::debug!(%error, "cannot receive");
                        Step::Again
                    }
                    Poll::Pending => Step::Done,
                },
                Some(Source::Tcp(_)) => self.accept(at),
                None => Step::Done,
            },
            Token::Errors(at) => self.errors(at),
            Token::Connection(id) => self.connection(id),
            Token::Engine => {
                self.deadline = None;
                Step::Last(Input::Timeout)
            }
            Token::Alarm => {
                self.now = now();
                self.alarm.armed = None;
                if self.accept_again.is_some_and(|again| again <= self.now.monotonic) {
                    self.accept_again = None;
                    self.wake_accept();
                }
                Step::Done
            }
            Token::Mail => match self.post.poll(&mut Context::from_waker(&self.mail)) {
                Poll::Ready(Some(Mail::Message(message))) => Step::Input(Input::Owned(message)),
                Poll::Ready(Some(Mail::Failed(ticket))) => Step::Input(Input::Failed(ticket)),
                Poll::Ready(Some(Mail::Lost(flow))) => Step::Input(Input::Lost(flow)),
                Poll::Ready(Some(Mail::Send(transmit, origin))) => {
                    self.transmit(*transmit, origin);
                    Step::Again
                }
                Poll::Ready(Some(Mail::Close(id))) => {
                    self.pending.push_back(Pending::Close(id));
                    Step::Again
                }
                Poll::Ready(None) | Poll::Pending => Step::Done,
            },
            #[cfg(feature = "dns")]
            Token::Names => match self.names.poll() {
                Poll::Ready((question, answer)) => {
                    if answer == Answer::Failed {
                        self.counters.questions_failed.one();
                    }
                    Step::Input(Input::Answer(question, answer))
                }
                Poll::Pending => Step::Done,
            },
        }
    }

    fn datagram(&mut self, length: usize, remote: SocketAddr, at: u16) -> Step {
        let datagram = &self.buffer[..length];
        self.counters.datagrams_in.one();
        self.counters.bytes_in.add(length);
        let flow = Flow { transport: Transport::Udp, listener: ListenerId(at), remote, connection: None };
        match keep_alive::sort(datagram, remote) {
            Datagram::Message => {}
            Datagram::Reply(reply) => return Step::Input(Input::KeepAlive(reply, flow)),
            Datagram::Request(answer) => {
                self.counters.keep_alives.one();
                self.transmit(Transmit { flow, domain: None, bytes: answer, ticket: None }, Origin(self.post.worker));
                return Step::Again;
            }
            Datagram::Empty => {
                self.counters.keep_alives.one();
                return Step::Again;
            }
        }
        // Its own bytes and no more: what a transaction keeps for minutes holds no larger buffer.
        Step::Input(match Message::parse_with(Bytes::copy_from_slice(datagram), &self.settings.limits) {
            Ok(message) => Input::Message(message, flow),
            Err(error) => self.malformed(Bytes::copy_from_slice(&self.buffer[..length]), error, flow),
        })
    }

    fn malformed(&mut self, bytes: Bytes, error: ParseError, flow: Flow) -> Input {
        tracing::debug!(%flow, %error, "no SIP message");
        self.counters.malformed.one();
        self.pending.extend(flow.connection.map(Pending::Close));
        Input::Malformed(bytes, error, flow)
    }

    fn accept(&mut self, at: u16) -> Step {
        let Some(Source::Tcp(Accept { transport, listener: Some(listener), waker, side, .. })) =
            self.sources.get(usize::from(at))
        else {
            return Step::Done;
        };
        match listener.poll_accept(&mut Context::from_waker(waker)) {
            Poll::Ready(Ok((stream, remote))) => {
                self.connections.accept(stream, remote, (ListenerId(at), *side), *transport, self.now.monotonic);
                Step::Again
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionAborted => Step::Again,
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, "cannot accept");
                self.counters.accept_errors.one();
                self.accept_again = Some(self.now.monotonic + ACCEPT_AGAIN);
                Step::Done
            }
            Poll::Pending => Step::Done,
        }
    }

    fn wake_accept(&self) {
        for source in &self.sources {
            if let Source::Tcp(accept) = source {
                accept.waker.wake_by_ref();
            }
        }
    }

    /// RFC 3261 §18.4: peers that ICMP says cannot be reached. Each worker may have sent there.
    fn errors(&mut self, at: u16) -> Step {
        let Some(Source::Udp(udp)) = self.sources.get_mut(usize::from(at)) else {
            return Step::Done;
        };
        for remote in udp.failed_peers() {
            self.counters.icmp_errors.one();
            let flow = Flow { transport: Transport::Udp, listener: ListenerId(at), remote, connection: None };
            self.pending.push_back(Pending::Lost(flow));
            self.post.broadcast(|| Mail::Lost(flow));
        }
        Step::Done
    }

    fn connection(&mut self, id: ConnectionId) -> Step {
        let Some((flow, visit)) = self.connections.visit(id, &mut self.buffer, self.now.monotonic) else {
            return Step::Done;
        };
        match visit {
            Visit::Message(bytes) => Step::Input(match Message::parse_with(bytes.clone(), &self.settings.limits) {
                Ok(message) => {
                    self.offer_alias(&message, &flow);
                    Input::Message(message, flow)
                }
                Err(error) => self.malformed(bytes, error, flow),
            }),
            Visit::Pong => Step::Input(Input::KeepAlive(Reply::Pong, flow)),
            Visit::Malformed(error) => Step::Input(self.malformed(error.bytes, error.error, flow)),
            Visit::Ended(ended) => {
                let end = self.connections.end(id, ended);
                self.end(end);
                Step::Done
            }
            Visit::Opened => Step::Again,
            Visit::Yield => Step::Yield,
            Visit::Pending => Step::Done,
        }
    }

    /// RFC 5923: a connection that its peer lets us use for requests of ours.
    fn offer_alias(&mut self, message: &Message, flow: &Flow) {
        if self.settings.aliases != Aliases::None
            && let (Message::Request(request), Some(id)) = (message, flow.connection)
            && let Some(Source::Tcp(accept)) = self.sources.get(usize::from(flow.listener.0))
        {
            self.connections.alias(id, request, accept.side);
        }
    }

    fn end(&mut self, end: Option<End>) {
        let Some(End { flow, used, shared, unsent }) = end else {
            return;
        };
        for sender in unsent {
            self.failed(sender);
        }
        if used {
            self.pending.push_back(Pending::Lost(flow));
        }
        if shared {
            self.post.broadcast(|| Mail::Lost(flow));
        }
    }

    fn failed(&mut self, sender: Option<Sender>) {
        self.counters.unsendable.one();
        match sender {
            Some(Sender { origin, ticket }) if origin.0 == self.post.worker => {
                self.pending.push_back(Pending::Failed(ticket));
            }
            Some(Sender { origin, ticket }) => {
                // Without room there it finds out by silence.
                let _ = self.post.send(origin.0, Mail::Failed(ticket));
            }
            None => {}
        }
    }
}

impl Alarm {
    /// Wakes at `next`, or earlier: a deadline that moves away costs nothing.
    fn set(&mut self, next: Option<Instant>) {
        let Some(next) = next.filter(|next| self.armed.is_none_or(|armed| *next < armed)) else {
            return;
        };
        self.armed = Some(next);
        self.sleep.as_mut().reset(next.into());
        if self.sleep.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready() {
            self.waker.wake_by_ref();
        }
    }
}

/// The kernel has no room for a datagram now.
fn is_want_of_room(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(nix::errno::Errno::ENOBUFS as i32)
}
