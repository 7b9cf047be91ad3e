//! The proxy core of RFC 3261 §16, transaction-stateful: validation, forking, the choice among responses, CANCEL, Timer C.
//!
//! [`Proxy`] is an [`Engine`] over the transaction layer. Its owner says where requests go and may edit what passes; the
//! rest is done here. A request that goes on to another function of the same process ([`Hop::Local`]) is handed over as a
//! value and comes back to the owner as an [`Event::Request`] with a context of its own, so that a chain of functions
//! behaves as it would over the wire, with one Via on the way out.
//!
//! ```text
//!   wire ─▶ server transaction ─▶ context ──┬─▶ client transaction ─▶ wire
//!                                           └─▶ context (Hop::Local) ─▶ …
//! ```
//!
//! ```
//! use std::time::Instant;
//!
//! use imscore_sip::proxy::{Config, Event, Hop, Proxy, Source, route};
//! use imscore_sip::transport::{Flow, Listener, ListenerId, Side, Transport};
//! use imscore_sip::{Engine, Message, Now, Output, transaction};
//!
//! # let now = Now { monotonic: Instant::now(), wall: 1_700_000_000_000 };
//! let listener = Listener { transport: Transport::Udp, sent_by: "192.0.2.10".into(), side: Side::Core };
//! let mut proxy = Proxy::new(Config::new(transaction::Config::new([7; 32], vec![listener])), now);
//!
//! let message = "MESSAGE sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
//!                From: <sip:a@h>;tag=1\r\nTo: <sip:bob@h>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n";
//! let way = |remote: &str| -> Result<Flow, std::net::AddrParseError> {
//!     Ok(Flow { transport: Transport::Udp, listener: ListenerId(0), remote: remote.parse()?, connection: None })
//! };
//! proxy.handle_message(Message::parse(message.into())?, way("192.0.2.1:5060")?, now);
//! loop {
//!     match proxy.poll_output() {
//!         Output::Event(Event::Request { id, request, source }) => {
//!             assert_eq!(source, Source::Flow(way("192.0.2.1:5060")?));
//!             proxy.fork(id, [(request, Hop::Flow(way("192.0.2.2:5060")?))].into_iter().collect(), now);
//!             proxy.close(id, now);
//!         }
//!         Output::Transmit(sent) => assert_eq!(sent.flow.remote, "192.0.2.2:5060".parse()?),
//!         Output::Wait(_) => break,
//!         Output::Event(_) | Output::Ask(_) | Output::Close(_) => panic!("nothing else happens"),
//!     }
//! }
//! assert_eq!(proxy.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod context;
mod loops;
mod names;
pub mod route;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytestring::ByteString;
use hashbrown::HashMap;
use smallvec::{SmallVec, smallvec};

use crate::engine::{Engine, Output, Ticket};
use crate::hash::Keyed;
use crate::header::{MaxBreadth, MaxForwards, Via};
use crate::message::{Message, Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::parse::ParseError;
use crate::resolve::{Answer, Exits, Guide, Question};
use crate::table::{Id, Table};
use crate::transaction::{self, Cause, ClientId, ServerId, Transactions};
use crate::transport::{Address, Flow, Peer};
use crate::wheel::{TimerHandle, Wheel};

use context::{Outcome, Responses};
use names::{Waiting, Way};

/// Settings of a proxy core.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Of the transaction layer.
    pub transactions: transaction::Config,
    /// How long an INVITE may stay without a final response after its last provisional one. RFC 3261 §16.6 step 11 wants
    /// more than three minutes.
    pub timer_c: Duration,
    /// Max-Breadth of a request that came without one (RFC 5393 §5.3.3).
    pub max_breadth: u32,
    /// Option tags that a Proxy-Require may name.
    pub supported: Vec<String>,
    /// From which listener a request leaves whose next hop is a name.
    pub exits: Exits,
    /// Where names lead that are not asked for: the addresses of one name in the order in which they are tried.
    pub hosts: Vec<(ByteString, Address)>,
}

impl Config {
    /// The defaults, over this transaction layer.
    pub fn new(transactions: transaction::Config) -> Config {
        Config {
            exits: Exits::of(&transactions.listeners),
            transactions,
            timer_c: Duration::from_secs(185),
            max_breadth: 60,
            supported: Vec::new(),
            hosts: Vec::new(),
        }
    }
}

/// Names the context of a request until its last branch is done.
pub type ContextId = Id<Context>;

/// What a branch leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// Over the wire, by this way.
    Flow(Flow),
    /// To where the name leads that its topmost Route has, else its Request-URI: to one target after the other, until one
    /// does not fail (RFC 3263 §4). A Route of a strict router changes places with the Request-URI on the way (RFC 3261 §16.6
    /// step 6). Towards an address it is the same as [`Hop::Flow`], at more cost.
    Name,
    /// To a function of this process; the number is the owner's.
    Local(u32),
    /// There is no way: the branch ends with this status, as if it had been answered.
    Nowhere(StatusCode),
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the wire.
    Flow(Flow),
    /// Handed over by another context, to this function.
    Local {
        /// The context that handed it over.
        from: ContextId,
        /// The function that it is for.
        to: u32,
    },
}

/// What the owner is told.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// A valid request that wants [`Proxy::fork`] or [`Proxy::reply`], and then [`Proxy::close`].
    Request {
        /// Its context.
        id: ContextId,
        /// The request.
        request: Request,
        /// Where it came from.
        source: Source,
    },
    /// An ACK that belongs to a 2xx: it wants [`Proxy::send_ack`], or nothing.
    Ack {
        /// The ACK.
        request: Request,
        /// Where it came from.
        flow: Flow,
    },
    /// A response of a branch, 100 excepted: it wants [`Proxy::pass`] or [`Proxy::discard`].
    Response {
        /// The context.
        id: ContextId,
        /// The branch, in the order of forking.
        branch: usize,
        /// The response, our Via taken off.
        response: Response,
    },
    /// The caller gave up. Branches are cancelled already.
    Cancelled {
        /// The context.
        id: ContextId,
    },
    /// The context is gone.
    Ended {
        /// The context.
        id: ContextId,
    },
    /// A final response to a request of [`Proxy::originate`]; 408 and 503 of our own where none came. There is one, but for an
    /// INVITE: each 2xx to it comes, repeated ones too, since its owner acknowledges each (RFC 3261 §13.2.2.4).
    Answer {
        /// What the owner called it.
        token: u64,
        /// The response.
        response: Response,
    },
    /// A connection is gone.
    FlowLost {
        /// Which one.
        flow: Flow,
    },
}

/// Counters of a proxy core.
///
/// ```
/// use std::time::Instant;
///
/// use imscore_sip::proxy::{Config, Context, ContextId, Counters, Proxy};
/// use imscore_sip::{Now, table::Id, transaction};
///
/// let now = Now { monotonic: Instant::now(), wall: 1_700_000_000_000 };
/// let proxy = Proxy::new(Config::new(transaction::Config::new([7; 32], Vec::new())), now);
/// assert_eq!(proxy.counters(), Counters::default());
/// let seen: Vec<ContextId> = Vec::<Id<Context>>::new();
/// assert!(seen.iter().all(|id| proxy.contains(*id)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Requests refused by validation.
    pub refused: u64,
    /// Loops found.
    pub loops: u64,
    /// CANCELs that match nothing.
    pub stray_cancels: u64,
    /// INVITEs given up by Timer C.
    pub timer_c: u64,
}

/// One request under way.
pub struct Context {
    upstream: Upstream,
    is_invite: bool,
    /// For replies of our own; dropped with the final response.
    request: Option<Box<Request>>,
    branches: SmallVec<[Branch; 1]>,
    responses: Responses,
    /// To tag of what is answered here.
    tag: u64,
}

#[derive(Clone, Copy)]
enum Upstream {
    Server(ServerId),
    Context(ContextId, usize),
    /// The owner of the proxy, who calls it by this number.
    Owner(u64),
}

struct Branch {
    to: Downstream,
    timer_c: Option<TimerHandle>,
    provisional: bool,
    /// Of a branch to a name: what else may be tried.
    way: Option<Box<Way>>,
}

#[derive(Clone, Copy)]
enum Downstream {
    Client(ClientId),
    /// Not known yet.
    Name,
    Context(ContextId),
    /// It could not be sent at all.
    Nowhere,
}

impl Context {
    fn new(upstream: Upstream, request: Request, tag: u64) -> Context {
        Context {
            upstream,
            is_invite: request.is(&Method::Invite),
            request: Some(Box::new(request)),
            branches: SmallVec::new(),
            responses: Responses::new(),
            tag,
        }
    }
}

/// The proxy core.
pub struct Proxy {
    /// As of the last input.
    now: Now,
    /// Of the transaction layer.
    deadline: Option<Instant>,
    config: Config,
    transactions: Transactions,
    contexts: Table<Context>,
    clients: HashMap<ClientId, (ContextId, usize), Keyed>,
    servers: HashMap<ServerId, ContextId, Keyed>,
    loops: loops::Loops,
    timers: Wheel<(ContextId, usize)>,
    names: Guide<Waiting>,
    events: VecDeque<Event>,
    counters: Counters,
}

impl Proxy {
    /// A proxy core that has seen nothing yet.
    pub fn new(config: Config, now: Now) -> Proxy {
        let keyed = Keyed::from_seed(&config.transactions.seed);
        let mut transactions = Transactions::new(config.transactions.clone(), now);
        Proxy {
            now,
            deadline: None,
            names: Guide::new(&mut transactions, &config.exits, &config.hosts),
            transactions,
            contexts: Table::default(),
            clients: HashMap::with_hasher(keyed),
            servers: HashMap::with_hasher(keyed),
            loops: loops::Loops::new(keyed),
            timers: Wheel::new(now.monotonic),
            events: VecDeque::new(),
            counters: Counters::default(),
            config,
        }
    }

    /// The transaction layer, for its counters and listeners.
    pub fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How many contexts there are.
    pub fn len(&self) -> usize {
        self.contexts.len()
    }

    /// True without a context.
    pub fn is_empty(&self) -> bool {
        self.contexts.is_empty()
    }

    /// True while the context is there.
    pub fn contains(&self, id: ContextId) -> bool {
        self.contexts.get(id).is_some()
    }

    /// The request of a context that has no final response yet, for replies to it.
    pub fn request_of(&self, id: ContextId) -> Option<&Request> {
        self.contexts.get(id)?.request.as_deref()
    }

    /// True when the caller has given up.
    pub fn is_cancelled(&self, id: ContextId) -> bool {
        self.contexts.get(id).is_none_or(|context| context.responses.cancelled)
    }

    /// Sends a request on (RFC 3261 §16.6): to each hop with its own Request-URI and Route, which the owner has put in place.
    /// Max-Forwards, Max-Breadth and Via are set here. Of a call that was given up nothing is sent.
    pub fn fork(&mut self, id: ContextId, hops: SmallVec<[(Request, Hop); 1]>, now: Now) {
        let Some(context) = self.contexts.get(id) else { return };
        if context.responses.cancelled || context.responses.answered {
            return;
        }
        let Some(original) = context.request.as_deref() else { return };
        let breadth = original.headers.get::<MaxBreadth>().ok().flatten().map_or(self.config.max_breadth, |it| it.0);
        let share = breadth / (hops.len().max(1) as u32);
        if share == 0 {
            return self.refuse(id, StatusCode::MAX_BREADTH_EXCEEDED, now);
        }
        let loop_key = self.loops.key(original);
        let hop_limit = original.headers.get::<MaxForwards>().ok().flatten().map_or(70, |it| it.0.saturating_sub(1));
        for (mut request, hop) in hops {
            request.headers.set(&MaxForwards(hop_limit));
            request.headers.set(&MaxBreadth(share));
            self.begin_branch(id, request, hop, loop_key, now);
        }
    }

    fn begin_branch(&mut self, id: ContextId, request: Request, hop: Hop, loop_key: u32, now: Now) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        let branch = context.responses.begin();
        let mut way = None;
        let (to, timer_c) = match hop {
            Hop::Flow(flow) => self.send((id, branch), request, flow, loop_key, now),
            Hop::Name => {
                way = Some(self.look_up((id, branch), request, loop_key, now));
                (Downstream::Name, None)
            }
            Hop::Local(place) => {
                let tag = self.transactions.random();
                let context = Context::new(Upstream::Context(id, branch), request.clone(), tag);
                let child = self.contexts.insert(context);
                let exhausted = request.headers.get::<MaxForwards>().is_ok_and(|it| it.is_some_and(|it| it.0 == 0));
                if exhausted {
                    self.refuse(child, StatusCode::TOO_MANY_HOPS, now);
                } else {
                    let source = Source::Local { from: id, to: place };
                    self.events.push_back(Event::Request { id: child, request, source });
                }
                (Downstream::Context(child), None)
            }
            Hop::Nowhere(status) => {
                let response = request.reply(status);
                self.events.push_back(Event::Response { id, branch, response });
                (Downstream::Nowhere, None)
            }
        };
        if let Some(context) = self.contexts.get_mut(id) {
            context.branches.push(Branch { to, timer_c, provisional: false, way });
        }
    }

    /// Sends the request of a branch in a transaction of its own.
    fn send(
        &mut self,
        place: (ContextId, usize),
        request: Request,
        to: impl Into<Peer>,
        loop_key: u32,
        now: Now,
    ) -> (Downstream, Option<TimerHandle>) {
        let is_invite = self.contexts.get(place.0).is_some_and(|context| context.is_invite);
        let client = self.transactions.request(request, to, Some(loop_key), now);
        self.clients.insert(client, place);
        let deadline = now.monotonic + self.config.timer_c;
        (Downstream::Client(client), is_invite.then(|| self.timers.set(deadline, place)))
    }

    /// Says that no branch will come any more for now: once all are done, the best response goes upstream.
    pub fn close(&mut self, id: ContextId, now: Now) {
        self.set_open(id, false, now);
    }

    /// Says that branches may come again: the choice among responses waits for [`Proxy::close`].
    pub fn open(&mut self, id: ContextId, now: Now) {
        self.set_open(id, true, now);
    }

    fn set_open(&mut self, id: ContextId, open: bool, now: Now) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        context.responses.open = open;
        let outcome = context.responses.settle();
        self.carry_out(id, outcome, now);
    }

    /// Answers a request in place of forwarding it, provisionally or for good.
    pub fn reply(&mut self, id: ContextId, response: Response, now: Now) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        if context.responses.answered {
            return;
        }
        if response.status().is_final() {
            context.responses.answered = true;
            context.responses.open = false;
        }
        self.upstream(id, response, now);
        self.end_if_done(id);
    }

    /// A response of a branch takes its course (RFC 3261 §16.7).
    pub fn pass(&mut self, id: ContextId, branch: usize, response: Response, now: Now) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        if !response.status().is_final() {
            if context.responses.passes_provisional() {
                self.upstream(id, response, now);
            }
            return;
        }
        let outcome = context.responses.finish(branch, Some(response), context.is_invite);
        self.carry_out(id, outcome, now);
    }

    /// A final response of a branch is not passed on and counts for nothing; a provisional one is just dropped.
    pub fn discard(&mut self, id: ContextId, branch: usize, is_final: bool, now: Now) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        if is_final {
            let outcome = context.responses.finish(branch, None, context.is_invite);
            self.carry_out(id, outcome, now);
        }
    }

    /// Cancels all branches that have no final response yet (RFC 3261 §16.10).
    pub fn stop(&mut self, id: ContextId, now: Now) {
        let Some(context) = self.contexts.get(id) else { return };
        if !context.is_invite {
            return;
        }
        let pending: SmallVec<[(usize, Downstream); 4]> = (0..context.branches.len())
            .filter(|branch| context.responses.is_pending(*branch))
            .map(|branch| (branch, context.branches[branch].to))
            .collect();
        for (branch, to) in pending {
            match to {
                Downstream::Client(client) => {
                    self.give_up_targets(id, branch);
                    self.transactions.cancel(client, now);
                }
                Downstream::Name => self.end_unsent(id, branch, StatusCode::REQUEST_TERMINATED),
                Downstream::Context(child) => self.cancel(child, now),
                Downstream::Nowhere => {}
            }
        }
    }

    /// Sends a request of the owner's own; the outcome is an [`Event::Answer`] with this number, for an INVITE maybe more.
    pub fn originate(&mut self, request: Request, hop: Hop, token: u64, now: Now) {
        self.now = now;
        let id = self.contexts.insert(Context::new(Upstream::Owner(token), request.clone(), 0));
        self.fork(id, smallvec![(request, hop)], now);
        self.close(id, now);
    }

    /// Sends an ACK on, which has no transaction.
    pub fn send_ack(&mut self, mut request: Request, flow: Flow) {
        let hop_limit = request.headers.get::<MaxForwards>().ok().flatten().map_or(70, |it| it.0);
        if hop_limit > 0 {
            request.headers.set(&MaxForwards(hop_limit - 1));
            self.transactions.send_stateless(request, flow);
        }
    }

    /// Ends a branch's choice: sends what goes upstream, cancels what has become idle.
    fn carry_out(&mut self, id: ContextId, outcome: Outcome, now: Now) {
        if outcome.cancel {
            self.stop(id, now);
        }
        if let Some(response) = outcome.upstream {
            self.upstream(id, response, now);
        }
        let Some(context) = self.contexts.get(id) else { return };
        let idle = !context.responses.open && !context.responses.answered && !context.responses.any_pending();
        if idle {
            // Every branch ended without a response that counts.
            return self.refuse(id, StatusCode::REQUEST_TIMEOUT, now);
        }
        self.end_if_done(id);
    }

    fn upstream(&mut self, id: ContextId, mut response: Response, now: Now) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        if response.status().is_final() {
            context.request = None;
        }
        if response.status() != StatusCode::TRYING && response.headers.to_tag().is_none() {
            response.set_to_tag(&format!("{:016x}", context.tag));
        }
        match context.upstream {
            Upstream::Server(server) => self.transactions.respond(server, response, now),
            Upstream::Context(parent, branch) => {
                self.events.push_back(Event::Response { id: parent, branch, response });
            }
            Upstream::Owner(token) if response.status().is_final() => {
                self.events.push_back(Event::Answer { token, response });
            }
            Upstream::Owner(_) => {}
        }
    }

    fn refuse(&mut self, id: ContextId, status: StatusCode, now: Now) {
        if let Some(reply) = self.request_of(id).map(|request| request.reply(status)) {
            self.reply(id, reply, now);
        }
    }

    /// A context that is answered and whose branches are done is forgotten; one of an INVITE that was accepted lasts as
    /// long as its transactions, which may repeat the 2xx.
    fn end_if_done(&mut self, id: ContextId) {
        let Some(context) = self.contexts.get(id) else { return };
        if !context.responses.answered || context.responses.any_pending() {
            return;
        }
        let lasting = context.is_invite
            && context.branches.iter().any(|branch| match branch.to {
                Downstream::Client(client) => self.clients.contains_key(&client),
                Downstream::Context(child) => self.contexts.get(child).is_some(),
                Downstream::Name | Downstream::Nowhere => false,
            });
        if !lasting {
            self.end(id);
        }
    }

    fn end(&mut self, id: ContextId) {
        let Some(context) = self.contexts.remove(id) else { return };
        for branch in &context.branches {
            if let Some(timer) = branch.timer_c {
                self.timers.cancel(timer);
            }
            if let Downstream::Client(client) = branch.to {
                self.clients.remove(&client);
            }
        }
        self.events.push_back(Event::Ended { id });
        match context.upstream {
            Upstream::Server(server) => {
                self.servers.remove(&server);
            }
            Upstream::Context(parent, _) => self.end_if_done(parent),
            Upstream::Owner(_) => {}
        }
    }

    /// The caller of a context gave up.
    fn cancel(&mut self, id: ContextId, now: Now) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        if context.responses.answered || context.responses.cancelled {
            return;
        }
        context.responses.cancelled = true;
        let waits = context.responses.any_pending();
        self.events.push_back(Event::Cancelled { id });
        if waits {
            self.stop(id, now);
        } else {
            // A procedure is still under way, or nothing was sent: nobody downstream can answer.
            self.refuse(id, StatusCode::REQUEST_TERMINATED, now);
        }
    }

    fn begin(&mut self, server: ServerId, request: Request, flow: Flow, now: Now) {
        let is_invite = request.is(&Method::Invite);
        if is_invite {
            self.transactions.respond(server, request.reply(StatusCode::TRYING), now);
        }
        let refused = validate::check(&request, &self.config.supported)
            .err()
            .or_else(|| self.loops.is_loop(&request).then(validate::loop_detected));
        let tag = self.transactions.random();
        let id = self.contexts.insert(Context::new(Upstream::Server(server), request.clone(), tag));
        self.servers.insert(server, id);
        match refused {
            None => self.events.push_back(Event::Request { id, request, source: Source::Flow(flow) }),
            Some(refusal) => {
                self.counters.refused += 1;
                self.counters.loops += u64::from(refusal.status == StatusCode::LOOP_DETECTED);
                self.reply(id, refusal.reply(&request), now);
            }
        }
    }

    fn cancel_received(&mut self, id: ServerId, invite: Option<ServerId>, request: &Request, now: Now) {
        if let Err(rejection) = request.check() {
            let tag = format!("{:016x}", self.transactions.random());
            return self.transactions.respond(id, request.reply(rejection.status()).with_to_tag(&tag), now);
        }
        let context = invite.and_then(|invite| self.servers.get(&invite).copied());
        let tag = context.and_then(|context| self.contexts.get(context)).map(|context| context.tag);
        let (status, tag) = match tag {
            Some(tag) => (StatusCode::OK, tag),
            None => (StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST, self.transactions.random()),
        };
        self.transactions.respond(id, request.reply(status).with_to_tag(&format!("{tag:016x}")), now);
        match context {
            Some(context) => self.cancel(context, now),
            None => self.counters.stray_cancels += 1,
        }
    }

    fn response_received(&mut self, client: ClientId, mut response: Response, now: Now) {
        // RFC 3261 §16.7 step 3.
        response.headers.pop_front::<Via>();
        let Some((id, branch)) = self.clients.get(&client).copied() else { return };
        let Some(context) = self.contexts.get_mut(id) else { return };
        let entry = &mut context.branches[branch];
        if let Some(timer) = entry.timer_c.take() {
            self.timers.cancel(timer);
            if !response.status().is_final() {
                // RFC 3261 §16.7 step 2: each provisional response but 100 puts Timer C off.
                entry.timer_c = Some(self.timers.set(now.monotonic + self.config.timer_c, (id, branch)));
            }
        }
        entry.provisional |= !response.status().is_final();
        if entry.way.is_some() && self.judge_target(id, branch, response.status(), now) {
            return;
        }
        if response.status() != StatusCode::TRYING {
            self.events.push_back(Event::Response { id, branch, response });
        }
    }

    fn branch_failed(&mut self, client: ClientId, cause: Cause, now: Now) {
        let Some((id, branch)) = self.clients.get(&client).copied() else { return };
        if !self.contexts.get(id).is_some_and(|context| context.responses.is_pending(branch)) {
            return;
        }
        if self.fails_over(id, branch, now) {
            return;
        }
        let Some(context) = self.contexts.get_mut(id) else { return };
        let Some(request) = context.request.as_deref() else {
            context.responses.finish(branch, None, context.is_invite);
            return self.end_if_done(id);
        };
        // RFC 3261 §16.7 step 9, §16.9: a timed out branch counts as 408, a broken one as 503.
        let status = match cause {
            Cause::Timeout if context.responses.cancelled => StatusCode::REQUEST_TERMINATED,
            Cause::Timeout => StatusCode::REQUEST_TIMEOUT,
            Cause::Transport => StatusCode::SERVICE_UNAVAILABLE,
        };
        let response = request.reply(status);
        self.events.push_back(Event::Response { id, branch, response });
    }

    fn timer_c(&mut self, id: ContextId, branch: usize, now: Now) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        let Some(entry) = context.branches.get_mut(branch) else { return };
        entry.timer_c = None;
        let Downstream::Client(client) = entry.to else { return };
        self.counters.timer_c += 1;
        if entry.provisional {
            self.transactions.cancel(client, now);
        } else {
            self.branch_failed(client, Cause::Timeout, now);
        }
    }

    fn drain_transactions(&mut self) -> Option<Output<Event>> {
        let now = self.now;
        loop {
            match self.transactions.poll_output() {
                Output::Transmit(transmit) => return Some(Output::Transmit(transmit)),
                Output::Ask(question) => return Some(Output::Ask(question)),
                Output::Close(flow) => return Some(Output::Close(flow)),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return None;
                }
                Output::Event(event) => match event {
                    transaction::Event::Request { id, request, flow } => self.begin(id, request, flow, now),
                    transaction::Event::Ack { request, flow } => {
                        self.events.push_back(Event::Ack { request, flow });
                    }
                    transaction::Event::Cancel { id, invite, request, .. } => {
                        self.cancel_received(id, invite, &request, now);
                    }
                    transaction::Event::Response { id, response } => self.response_received(id, response, now),
                    transaction::Event::Failed { id, cause } => self.branch_failed(id, cause, now),
                    transaction::Event::Unacknowledged { .. } | transaction::Event::Undelivered { .. } => {}
                    transaction::Event::ClientEnded { id } => {
                        if let Some((context, _)) = self.clients.remove(&id) {
                            self.end_if_done(context);
                        }
                    }
                    transaction::Event::ServerEnded { .. } => {}
                },
            }
        }
    }
}

impl Engine for Proxy {
    type Event = Event;

    fn handle_message(&mut self, message: Message, flow: Flow, now: Now) {
        self.now = now;
        self.transactions.handle_message(message, flow, now);
    }

    fn handle_malformed(&mut self, bytes: &[u8], error: ParseError, flow: Flow, now: Now) {
        self.now = now;
        self.transactions.handle_malformed(bytes, error, flow, now);
    }

    fn handle_flow_lost(&mut self, flow: Flow, now: Now) {
        self.now = now;
        self.transactions.handle_flow_lost(flow, now);
        self.events.push_back(Event::FlowLost { flow });
    }

    fn handle_send_failed(&mut self, ticket: Ticket, now: Now) {
        self.now = now;
        self.transactions.handle_send_failed(ticket, now);
    }

    fn handle_answer(&mut self, question: &Question, answer: Answer, now: Now) {
        self.now = now;
        self.names.handle_answer(question, answer, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        self.transactions.handle_timeout(now);
        self.names.handle_timeout(now);
        let mut due: SmallVec<[(ContextId, usize); 4]> = SmallVec::new();
        self.timers.expire(now.monotonic, |key| due.push(key));
        for (id, branch) in due {
            self.timer_c(id, branch, now);
        }
    }

    fn poll_output(&mut self) -> Output<Event> {
        if let Some(output) = self.drain_names().or_else(|| self.drain_transactions()) {
            return output;
        }
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        let deadlines = [self.deadline, self.timers.next_deadline(), self.names.deadline()];
        Output::Wait(deadlines.into_iter().flatten().min())
    }

    fn transitions(&mut self) -> Option<&mut transaction::Transitions> {
        self.transactions.transitions()
    }

    fn owner(&self, message: &Message) -> Option<usize> {
        self.transactions.owner(message)
    }
}
