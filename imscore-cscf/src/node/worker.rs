//! The engine of a node: it gives requests to roles, polls their procedures, and carries out what they decide.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Instant;

use futures_channel::oneshot;
use hashbrown::HashMap;
use imscore_sip::hash::Keyed;
use imscore_sip::header::Route;
use imscore_sip::proxy::{self, ContextId, Hop, Proxy, Source, route};
use imscore_sip::resolve::{Answer, Exits, Question};
use imscore_sip::transport::{Address, Flow, Listener, Side};
use imscore_sip::uri::{SipUri, Uri};
use imscore_sip::wheel::Wheel;
use imscore_sip::{
    ByteString, Engine, Message, Method, Now, Output, ParseError, Request, Response, StatusCode, Ticket, transaction,
};
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use smallvec::SmallVec;

use super::shared::{Alarm, CallShared, Effect, Shared, TaskId};
use super::tasks::{Polled, Tasks};
use super::{Listen, Node};
use crate::call::{Call, Origin, SendError};
use crate::role::{Decision, Event, Refused, Target, Targets, Verdict};

/// How many procedures are polled before the worker returns to its driver.
const POLLS_A_TURN: usize = 64;

/// A chain of functions that an ACK can pass in one node; longer ones are loops.
const LONGEST_CHAIN: usize = 16;

/// Counters of a worker, readable from other threads.
///
/// ```
/// use std::sync::atomic::Ordering;
///
/// use imscore_cscf::Counters;
///
/// /// Whether callers have waited in vain for a role.
/// fn is_slow(counters: &Counters) -> bool {
///     counters.overdue.load(Ordering::Relaxed) > 0
/// }
/// assert!(!is_slow(&Counters::default()));
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Requests given to a role.
    pub requests: AtomicU64,
    /// Procedures that panicked.
    pub panics: AtomicU64,
    /// Procedures that took longer than [`Settings::deadline`](super::Settings::deadline).
    pub overdue: AtomicU64,
    /// Requests refused because a limit of [`Settings`](super::Settings) was reached.
    pub overload: AtomicU64,
    /// ACKs and requests that could not be sent anywhere.
    pub unroutable: AtomicU64,
    /// Contexts at this moment.
    pub contexts: AtomicU64,
}

/// One worker of a node: an [`Engine`] without events.
pub struct Worker {
    node: Arc<Node>,
    proxy: Proxy,
    exits: Exits,
    shared: Arc<Shared>,
    tasks: Tasks<Finished>,
    /// Whose a procedure is.
    procedures: HashMap<TaskId, Owner, Keyed>,
    hops: HashMap<ContextId, RoleHop, Keyed>,
    answers: HashMap<u64, oneshot::Sender<Result<Response, SendError>>, Keyed>,
    sent: u64,
    wheel: Wheel<Due>,
    alarms: imscore_sip::table::Table<Arc<Alarm>>,
    counters: Arc<Counters>,
}

/// One role's part in one request.
struct RoleHop {
    role: usize,
    own: Arc<CallShared>,
    stage: Stage,
    /// What came while a procedure was under way.
    waiting: VecDeque<Input>,
    timers: Vec<(&'static str, imscore_sip::wheel::TimerHandle)>,
    begun: u64,
}

#[allow(clippy::large_enum_variant)]
enum Stage {
    Running,
    Idle(Call),
}

#[allow(clippy::large_enum_variant)]
enum Input {
    Response(usize, Response),
    Timer(&'static str),
    Cancel,
}

#[derive(Clone)]
enum Owner {
    Context(ContextId),
    /// Events and background work; the effects are all that it has.
    Node(Arc<CallShared>),
}

/// A procedure's call and decision.
struct Finished {
    call: Call,
    result: Result<Decision, Refused>,
}

#[derive(Clone, Copy)]
enum Due {
    Alarm(imscore_sip::table::Id<Arc<Alarm>>),
    Timer(ContextId, &'static str),
    Deadline(ContextId, u64),
}

impl Worker {
    /// The worker of this number among so many; `seed` is the node's, and the listeners are those of [`Node::listen`] in their order, as
    /// they were bound.
    pub fn new(
        node: Arc<Node>,
        (number, workers): (u8, u8),
        seed: [u8; 32],
        listeners: Vec<Listener>,
        now: Now,
    ) -> Worker {
        let mut random = ChaCha12Rng::from_seed(seed);
        // The transaction layers of the workers have streams of their own.
        random.set_stream(0x1000 + u64::from(number));
        let mut transactions = transaction::Config::new(seed, listeners.clone());
        // Keep-alives that a phone offers are answered; how often it sends them is its own affair (RFC 6223 §5).
        transactions.keep_alive = Some(0);
        (transactions.worker, transactions.workers) = (number, workers);
        transactions.max_transactions = node.settings.transactions;
        (transactions.core, transactions.access) = (node.settings.core_timers, node.settings.access_timers);
        let mut config = proxy::Config::new(transactions);
        config.exits = node.exits(&listeners);
        config.hosts = node.hosts.clone();
        let shared = Shared::new(now, random, listeners);
        let keyed = Keyed::from_seed(&seed);
        let mut worker = Worker {
            exits: config.exits.clone(),
            proxy: Proxy::new(config, now),
            tasks: Tasks::new(shared.clone()),
            shared,
            procedures: HashMap::with_hasher(keyed),
            hops: HashMap::with_hasher(keyed),
            answers: HashMap::with_hasher(keyed),
            sent: 0,
            wheel: Wheel::new(now.monotonic),
            alarms: Default::default(),
            counters: Arc::default(),
            node,
        };
        worker.set_now(now);
        if number == 0 {
            worker.begin_background();
        }
        worker
    }

    /// What is counted.
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// True when no request is under way: a node that drains may stop.
    pub fn is_idle(&self) -> bool {
        self.proxy.is_empty()
    }

    fn begin_background(&mut self) {
        for (_, role) in self.node.roles.clone() {
            let mut call = Call::new(Origin::Node, None, self.shared.clone());
            let own = call.own.clone();
            let task = self.tasks.begin(Box::pin(async move {
                role.run(&mut call).await;
                Finished { call, result: Ok(Decision::Done) }
            }));
            self.procedures.insert(task, Owner::Node(own));
            self.poll_task(task);
        }
    }

    fn set_now(&self, now: Now) {
        self.shared.set_now(now);
        for clock in &self.node.clocks {
            clock.advance_to(now.wall);
        }
    }

    fn now(&self) -> Now {
        self.shared.now()
    }

    /// Gives a request to its role.
    fn on_request(&mut self, id: ContextId, mut request: Request, source: Source) {
        let (role, origin) = match source {
            Source::Flow(flow) => {
                let side = self.side(flow);
                (self.role_on_wire(&request, flow, side), Origin::Peer { flow, side })
            }
            Source::Local { to, from } => {
                let from = self.hops.get(&from).map(|hop| self.node.roles[hop.role].0.clone()).unwrap_or_default();
                (Some(to as usize), Origin::Role(from))
            }
        };
        let Some(role) = role else { return self.refuse(id, StatusCode::NOT_FOUND) };
        if self.tasks.len() >= self.node.settings.procedures {
            self.counters.overload.fetch_add(1, Ordering::Relaxed);
            return self.refuse(id, StatusCode::SERVICE_UNAVAILABLE);
        }
        if self.node.drain.is_started() && matches!(source, Source::Flow(_)) && begins_something(&request) {
            return self.refuse(id, StatusCode::SERVICE_UNAVAILABLE);
        }
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        let route = self.take_route(role, &mut request);
        let in_dialog = route.is_some() && request.headers.to_tag().is_some();
        let mut call = Call::new(origin, route, self.shared.clone());
        let own = call.own.clone();
        let handler = self.node.roles[role].1.clone();
        let hop = RoleHop { role, own, stage: Stage::Running, waiting: VecDeque::new(), timers: Vec::new(), begun: 0 };
        self.hops.insert(id, hop);
        if in_dialog {
            let result = handler.on_dialog_request(&mut call, request);
            self.on_finished(id, Finished { call, result });
        } else {
            self.begin(
                id,
                Box::pin(async move {
                    let result = handler.on_request(&mut call, request).await;
                    Finished { call, result }
                }),
            );
        }
    }

    /// Starts a procedure of a context and polls it at once: most have their answers at hand.
    fn begin(&mut self, id: ContextId, procedure: super::tasks::Procedure<Finished>) {
        let task = self.tasks.begin(procedure);
        self.procedures.insert(task, Owner::Context(id));
        if let Some(hop) = self.hops.get_mut(&id) {
            hop.stage = Stage::Running;
            hop.begun += 1;
            let begun = hop.begun;
            self.poll_task(task);
            if self.procedures.contains_key(&task) {
                let deadline = self.now().monotonic + self.node.settings.deadline;
                self.wheel.set(deadline, Due::Deadline(id, begun));
            }
        }
    }

    fn poll_task(&mut self, task: TaskId) {
        let polled = self.tasks.poll(task);
        let Some(owner) = self.procedures.get(&task).cloned() else { return };
        if !matches!(polled, Polled::Pending) {
            self.procedures.remove(&task);
        }
        for (deadline, alarm) in self.shared.take_sleeps() {
            let alarm = self.alarms.insert(alarm);
            self.wheel.set(deadline, Due::Alarm(alarm));
        }
        match (&owner, polled) {
            (Owner::Context(id), Polled::Done(finished)) => self.on_finished(*id, finished),
            (Owner::Context(id), Polled::Panicked) => {
                self.counters.panics.fetch_add(1, Ordering::Relaxed);
                self.refuse(*id, StatusCode::SERVER_INTERNAL_ERROR);
                self.hops.remove(id);
            }
            (Owner::Context(id), Polled::Pending | Polled::Gone) => self.carry_out(*id),
            (Owner::Node(own), polled) => {
                if matches!(polled, Polled::Panicked) {
                    self.counters.panics.fetch_add(1, Ordering::Relaxed);
                }
                for effect in own.take_effects() {
                    self.send(effect);
                }
            }
        }
    }

    /// A procedure decided.
    fn on_finished(&mut self, id: ContextId, finished: Finished) {
        self.carry_out(id);
        let now = self.now();
        match finished.result {
            Ok(Decision::Forward(request, targets)) => self.fork(id, request, targets),
            Ok(Decision::Reply(response)) => {
                self.proxy.stop(id, now);
                self.proxy.reply(id, response, now);
            }
            Ok(Decision::Done) => {}
            Err(refused) => {
                self.proxy.stop(id, now);
                if let Some(reply) = self.proxy.request_of(id).map(|request| refused.reply(request)) {
                    self.proxy.reply(id, reply, now);
                }
            }
        }
        self.proxy.close(id, now);
        if !self.proxy.contains(id) {
            // The caller gave up, or was answered at the deadline: nothing else will come.
            self.hops.remove(&id);
            return;
        }
        let Some(hop) = self.hops.get_mut(&id) else { return };
        hop.stage = Stage::Idle(finished.call);
        self.drain_inputs(id);
    }

    /// What came while the procedure was under way, in order.
    fn drain_inputs(&mut self, id: ContextId) {
        while let Some(hop) = self.hops.get_mut(&id) {
            if matches!(hop.stage, Stage::Running) {
                return;
            }
            let Some(input) = hop.waiting.pop_front() else { return };
            self.on_input(id, input);
        }
    }

    fn on_input(&mut self, id: ContextId, input: Input) {
        let now = self.now();
        let Some(hop) = self.hops.get_mut(&id) else {
            // The role is gone with a panic: the response takes its course without it.
            if let Input::Response(branch, response) = input {
                self.proxy.pass(id, branch, response, now);
            }
            return;
        };
        let Stage::Idle(call) = &mut hop.stage else { return hop.waiting.push_back(input) };
        let role = self.node.roles[hop.role].1.clone();
        match input {
            Input::Cancel => role.on_cancel(call),
            Input::Timer(name) => role.on_timer(call, name),
            Input::Response(branch, response) => {
                let is_final = response.status().is_final();
                call.branch = branch;
                let verdict = role.on_response(call, response);
                self.carry_out(id);
                match verdict {
                    Verdict::Pass(response) => self.proxy.pass(id, branch, response, now),
                    Verdict::Drop => self.proxy.discard(id, branch, is_final, now),
                    Verdict::Retry(request, targets) => {
                        self.proxy.open(id, now);
                        self.proxy.discard(id, branch, is_final, now);
                        self.fork(id, request, targets);
                        self.proxy.close(id, now);
                    }
                    Verdict::Resume(failure) => self.resume(id, branch, failure),
                }
                return;
            }
        }
        self.carry_out(id);
    }

    fn resume(&mut self, id: ContextId, branch: usize, failure: Response) {
        let now = self.now();
        self.proxy.open(id, now);
        self.proxy.discard(id, branch, true, now);
        let Some(hop) = self.hops.get_mut(&id) else { return };
        let role = self.node.roles[hop.role].1.clone();
        let Stage::Idle(mut call) = std::mem::replace(&mut hop.stage, Stage::Running) else { return };
        self.begin(
            id,
            Box::pin(async move {
                let result = role.on_resume(&mut call, failure).await;
                Finished { call, result }
            }),
        );
    }

    /// Carries out the effects that a role's code left.
    fn carry_out(&mut self, id: ContextId) {
        let Some(hop) = self.hops.get(&id) else { return };
        let now = self.now();
        for effect in hop.own.clone().take_effects() {
            match effect {
                Effect::Provisional(response) => self.proxy.reply(id, response, now),
                Effect::Fork(request, targets) => {
                    self.proxy.open(id, now);
                    self.fork(id, request, targets);
                    if self.hops.get(&id).is_some_and(|hop| matches!(hop.stage, Stage::Idle(_))) {
                        self.proxy.close(id, now);
                    }
                }
                Effect::Stop => self.proxy.stop(id, now),
                Effect::Timer(name, after) => {
                    let handle = self.wheel.set(now.monotonic + after, Due::Timer(id, name));
                    let Some(hop) = self.hops.get_mut(&id) else { continue };
                    match hop.timers.iter_mut().find(|(other, _)| *other == name) {
                        Some((_, old)) => {
                            self.wheel.cancel(std::mem::replace(old, handle));
                        }
                        None => hop.timers.push((name, handle)),
                    }
                }
                effect @ Effect::Send(..) => self.send(effect),
            }
        }
    }

    /// A request of a role's own.
    fn send(&mut self, effect: Effect) {
        let Effect::Send(mut request, target, answer) = effect else { return };
        match self.hop(&mut request, &target) {
            Ok(hop) => {
                self.sent += 1;
                self.answers.insert(self.sent, answer);
                self.proxy.originate(request, hop, self.sent, self.now());
            }
            Err(_) => {
                self.counters.unroutable.fetch_add(1, Ordering::Relaxed);
                // Nobody may wait for the answer any more.
                let _ = answer.send(Err(SendError::Unreachable));
            }
        }
    }

    fn fork(&mut self, id: ContextId, request: Request, targets: Targets) {
        let mut hops: SmallVec<[(Request, Hop); 1]> = SmallVec::new();
        let last = targets.len().saturating_sub(1);
        let mut request = Some(request);
        for (index, target) in targets.iter().enumerate() {
            let own = if index == last { request.take() } else { request.clone() };
            let Some(mut own) = own else { break };
            let hop = self.hop(&mut own, target).unwrap_or_else(|status| {
                self.counters.unroutable.fetch_add(1, Ordering::Relaxed);
                Hop::Nowhere(status)
            });
            hops.push((own, hop));
        }
        self.proxy.fork(id, hops, self.now());
    }

    /// Applies a target to a request and says where it leads.
    fn hop(&self, request: &mut Request, target: &Target) -> Result<Hop, StatusCode> {
        if let Some(uri) = &target.uri {
            request.set_target(uri.clone());
        }
        for route in target.routes.iter().rev() {
            let uri = Uri::try_from(route.clone()).map_err(|_| StatusCode::SERVER_INTERNAL_ERROR)?;
            request.headers.push_front(&Route::new(uri));
        }
        if let Some(flow) = target.flow {
            return Ok(Hop::Flow(flow));
        }
        let uri = match route::next_hop(request) {
            Some(Uri::Sip(uri)) => uri,
            // Nobody here knows numbers: TS 24.229 §5.4.3.2 step 10 leaves them to ENUM and BGCF.
            Some(Uri::Tel(_) | Uri::Other(_)) => return Err(StatusCode::NOT_FOUND),
            None => return Err(StatusCode::BAD_REQUEST),
        };
        if let Some(role) = (0..self.node.roles.len()).find(|role| self.is_of_role(&uri, *role)) {
            return Ok(Hop::Local(role as u32));
        }
        match self.node.find_host(&uri) {
            Some(Address { transport, socket }) => {
                route::make_strict(request);
                self.exits.flow(transport, socket).map(Hop::Flow).ok_or(StatusCode::SERVICE_UNAVAILABLE)
            }
            None => Ok(Hop::Name),
        }
    }

    fn side(&self, flow: Flow) -> Side {
        self.shared.listeners.get(usize::from(flow.listener.0)).map_or(Side::Access, |listener| listener.side)
    }

    /// The role for a request from the wire: a phone gets the listener's, another server the one that it names.
    fn role_on_wire(&self, request: &Request, flow: Flow, side: Side) -> Option<usize> {
        let own = self.node.find_role(&self.node.listens.get(usize::from(flow.listener.0))?.role);
        if side == Side::Access {
            return own;
        }
        let named = match route::next_hop(request) {
            Some(Uri::Sip(uri)) => self.node.find_role(uri.host()),
            Some(Uri::Tel(_) | Uri::Other(_)) | None => None,
        };
        named.or(own)
    }

    /// Takes the role's own Route off: by its name, or by an address that it listens on. A role that stays on the way of a
    /// dialog between two of its listeners has two neighbours with one user part (RFC 5658): both go.
    fn take_route(&self, role: usize, request: &mut Request) -> Option<ByteString> {
        let is_own = |uri: &SipUri| self.is_of_role(uri, role);
        let uri = route::take_own(request, is_own)?;
        if let Some(user) = uri.user() {
            route::take_own(request, |next| is_own(next) && next.user() == Some(user));
        }
        Some(uri.text())
    }

    fn is_of_role(&self, uri: &SipUri, role: usize) -> bool {
        let name = &self.node.roles[role].0;
        let is_listener = |(listen, bound): (&Listen, &Listener)| {
            listen.role.eq_ignore_ascii_case(name) && is_sent_by(uri, &bound.sent_by)
        };
        uri.host().eq_ignore_ascii_case(name) || self.node.listens.iter().zip(&self.shared.listeners).any(is_listener)
    }

    /// An ACK to a 2xx passes the roles of its Route and leaves; it never waits and is never answered.
    fn on_ack(&mut self, mut request: Request, flow: Flow) {
        let side = self.side(flow);
        let mut origin = Origin::Peer { flow, side };
        let Some(mut role) = self.role_on_wire(&request, flow, side) else { return };
        for _ in 0..LONGEST_CHAIN {
            let Some(route) = self.take_route(role, &mut request) else { break };
            let mut call = Call::new(origin, Some(route), self.shared.clone());
            let decision = self.node.roles[role].1.on_dialog_request(&mut call, request);
            let Ok(Decision::Forward(forwarded, targets)) = decision else { return };
            request = forwarded;
            let Some(target) = targets.into_iter().next() else { return };
            match self.hop(&mut request, &target) {
                Ok(Hop::Local(next)) => {
                    origin = Origin::Role(self.node.roles[role].0.clone());
                    role = next as usize;
                }
                Ok(Hop::Flow(flow)) => return self.proxy.send_ack(request, flow),
                Ok(Hop::Name) => return self.proxy.send_ack_by_name(request, self.now()),
                Ok(Hop::Nowhere(_)) | Err(_) => break,
            }
        }
        self.counters.unroutable.fetch_add(1, Ordering::Relaxed);
    }

    fn on_flow_lost(&mut self, flow: Flow) {
        for (_, role) in self.node.roles.clone() {
            let mut call = Call::new(Origin::Node, None, self.shared.clone());
            let own = call.own.clone();
            let task = self.tasks.begin(Box::pin(async move {
                role.on_event(&mut call, Event::FlowLost(flow)).await;
                Finished { call, result: Ok(Decision::Done) }
            }));
            self.procedures.insert(task, Owner::Node(own));
            self.poll_task(task);
        }
    }

    fn refuse(&mut self, id: ContextId, status: StatusCode) {
        let now = self.now();
        if let Some(mut reply) = self.proxy.request_of(id).map(|request| request.reply(status)) {
            if status == StatusCode::SERVICE_UNAVAILABLE {
                // RFC 3261 §20.33; spread, so that not all come back at once.
                let seconds = 1 + self.shared.random() % 10;
                reply.headers.push_raw("Retry-After", seconds.to_string().as_bytes());
            }
            self.proxy.reply(id, reply, now);
        }
        self.proxy.close(id, now);
    }

    fn on_proxy(&mut self, event: proxy::Event) {
        match event {
            proxy::Event::Request { id, request, source } => self.on_request(id, request, source),
            proxy::Event::Ack { request, flow } => self.on_ack(request, flow),
            proxy::Event::Response { id, branch, response } => self.on_input(id, Input::Response(branch, response)),
            proxy::Event::Cancelled { id } => {
                if let Some(hop) = self.hops.get(&id) {
                    hop.own.cancel();
                }
                self.on_input(id, Input::Cancel);
            }
            proxy::Event::Ended { id } => self.on_ended(id),
            proxy::Event::Answer { token, response } => {
                if let Some(answer) = self.answers.remove(&token) {
                    let _ = answer.send(Ok(response));
                }
            }
            proxy::Event::FlowLost { flow } => self.on_flow_lost(flow),
        }
    }

    /// The context is gone; a procedure that is still under way goes on without it.
    fn on_ended(&mut self, id: ContextId) {
        let Some(hop) = self.hops.get(&id) else { return };
        for (_, timer) in &hop.timers {
            self.wheel.cancel(*timer);
        }
        if matches!(hop.stage, Stage::Idle(_)) {
            self.hops.remove(&id);
        }
    }

    fn on_due(&mut self, due: Due) {
        match due {
            Due::Alarm(alarm) => {
                if let Some(alarm) = self.alarms.remove(alarm) {
                    alarm.ring();
                }
            }
            Due::Timer(id, name) => {
                if let Some(hop) = self.hops.get_mut(&id) {
                    hop.timers.retain(|(other, _)| *other != name);
                    self.on_input(id, Input::Timer(name));
                }
            }
            Due::Deadline(id, begun) => {
                let overdue = |hop: &RoleHop| hop.begun == begun && matches!(hop.stage, Stage::Running);
                if self.hops.get(&id).is_some_and(overdue) {
                    self.counters.overdue.fetch_add(1, Ordering::Relaxed);
                    self.refuse(id, StatusCode::SERVER_TIMEOUT);
                }
            }
        }
    }
}

impl Engine for Worker {
    type Event = std::convert::Infallible;

    fn handle_message(&mut self, message: Message, flow: Flow, now: Now) {
        self.set_now(now);
        self.proxy.handle_message(message, flow, now);
    }

    fn handle_malformed(&mut self, bytes: &[u8], error: ParseError, flow: Flow, now: Now) {
        self.set_now(now);
        self.proxy.handle_malformed(bytes, error, flow, now);
    }

    fn handle_flow_lost(&mut self, flow: Flow, now: Now) {
        self.set_now(now);
        self.proxy.handle_flow_lost(flow, now);
    }

    fn handle_send_failed(&mut self, ticket: Ticket, now: Now) {
        self.set_now(now);
        self.proxy.handle_send_failed(ticket, now);
    }

    fn handle_answer(&mut self, question: &Question, answer: Answer, now: Now) {
        self.set_now(now);
        self.proxy.handle_answer(question, answer, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.set_now(now);
        self.proxy.handle_timeout(now);
        while let Some(due) = self.wheel.pop(now.monotonic) {
            self.on_due(due);
        }
    }

    fn poll_output(&mut self) -> Output<Self::Event> {
        let mut polls = 0;
        loop {
            let proxy = match self.proxy.poll_output() {
                Output::Transmit(transmit) => return Output::Transmit(transmit),
                Output::Ask(question) => return Output::Ask(question),
                Output::Close(flow) => return Output::Close(flow),
                Output::Event(event) => {
                    self.on_proxy(event);
                    continue;
                }
                Output::Wait(deadline) => deadline,
            };
            if polls < POLLS_A_TURN
                && let Some(task) = self.shared.next_ready()
            {
                polls += 1;
                self.poll_task(task);
                continue;
            }
            self.counters.contexts.store(self.proxy.len() as u64, Ordering::Relaxed);
            let own = self.wheel.next_deadline();
            let soonest = [proxy, own].into_iter().flatten().min();
            return Output::Wait(if self.shared.has_ready() { Some(self.turn_again()) } else { soonest });
        }
    }

    fn set_waker(&mut self, waker: Waker) {
        self.shared.set_driver(waker);
    }

    fn transitions(&mut self) -> Option<&mut transaction::Transitions> {
        self.proxy.transitions()
    }

    fn is_known(&self, flow: &Flow) -> bool {
        let now = self.now();
        self.node.roles.iter().any(|(_, role)| role.knows(flow, now))
    }

    fn owner(&self, message: &Message) -> Option<usize> {
        self.proxy.owner(message)
    }
}

impl Worker {
    /// More procedures are ready than one turn polls: come back at once.
    fn turn_again(&self) -> Instant {
        self.now().monotonic
    }
}

/// Whether a URI names a listener by what its Via says.
fn is_sent_by(uri: &SipUri, sent_by: &str) -> bool {
    match (uri.port(), sent_by.strip_prefix(uri.host())) {
        (None, Some(rest)) => rest.is_empty() || rest == ":5060",
        (Some(port), Some(rest)) => rest.strip_prefix(':').is_some_and(|text| text.parse() == Ok(port)),
        (_, None) => false,
    }
}

/// Whether a request begins what a node that drains does not want any more: a registration, a session, a subscription.
fn begins_something(request: &Request) -> bool {
    let begins = [Method::Register, Method::Invite, Method::Subscribe].iter().any(|method| request.is(method));
    begins && request.headers.to_tag().is_none()
}
