//! The engine that runs a service.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hashbrown::HashMap;
use tower_service::Service;

use super::ready::Ready;
use crate::engine::{Engine, Output, Ticket};
use crate::hash::Keyed;
use crate::message::{Message, Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::parse::ParseError;
use crate::resolve::{self, Question};
use crate::table::{Id, Table};
use crate::transaction::{ServerId, Transitions};
use crate::transport::Flow;
use crate::transport::keep_alive::Reply;
use crate::ua::{Config, Event, NotSent, UserAgent};
use crate::wheel::{TimerHandle, Wheel};

/// Handlers that are polled in one turn; then others have theirs.
const TURN: usize = 64;

type Answer = Pin<Box<dyn Future<Output = Result<Response, Box<dyn Error + Send + Sync>>> + Send>>;

/// A user agent whose requests a service answers: an [`Engine`], whose events are what happens in calls.
///
/// A handler that takes too long, fails, panics, or answers what cannot be sent is warned of, and its request gets 500; an INVITE
/// that nobody answers in time gets 408, which no other request may get (RFC 4320 §4.2). The handler of a call that is
/// cancelled is dropped; the caller has got 487. Where there are too many at a time, a request gets 503.
///
/// ```
/// use std::time::Instant;
/// use imscore_sip::service::{Router, Server};
/// use imscore_sip::ua::Config;
/// use imscore_sip::{Method, Now, StatusCode, transaction};
///
/// let router = Router::new(()).on(Method::Message, async || StatusCode::OK);
/// let now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
/// let mut config = Config::new(transaction::Config::new([7; 32], Vec::new()));
/// config.methods = router.methods();
/// let server = Server::new(config, router, now);
/// assert_eq!(server.under_way(), 0);
/// ```
pub struct Server<S> {
    agent: UserAgent,
    service: S,
    tasks: Table<Task>,
    by_request: HashMap<ServerId, Id<Task>, Keyed>,
    ready: std::sync::Arc<Ready<Id<Task>>>,
    wheel: Wheel<Id<Task>>,
    deadline: Duration,
    most: usize,
    now: Now,
}

/// A request whose handler is at it.
struct Task {
    id: ServerId,
    request: Request,
    answer: Answer,
    waker: Option<Waker>,
    deadline: Option<TimerHandle>,
}

impl<S> Server<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
{
    /// A server of [`Config::methods`], with 20 s for a handler and 10,000 of them at a time.
    pub fn new(config: Config, service: S, now: Now) -> Server<S> {
        let keyed = Keyed::from_seed(&config.transactions.seed);
        Server {
            agent: UserAgent::new(config, now),
            service,
            tasks: Table::default(),
            by_request: HashMap::with_hasher(keyed),
            ready: Ready::new(),
            wheel: Wheel::new(now.monotonic),
            deadline: Duration::from_secs(20),
            most: 10_000,
            now,
        }
    }

    /// Gives handlers that long. What is not shorter than 64*T1, 32 s, is too long for all but INVITE.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Server<S> {
        Server { deadline, ..self }
    }

    /// Runs that many handlers at a time.
    #[must_use]
    pub fn at_most(self, most: usize) -> Server<S> {
        Server { most, ..self }
    }

    /// How many handlers there are.
    pub fn under_way(&self) -> usize {
        self.tasks.len()
    }

    /// The user agent, to call, register or send with.
    pub fn agent_mut(&mut self) -> &mut UserAgent {
        &mut self.agent
    }

    fn begin(&mut self, id: ServerId, request: Request) {
        if self.tasks.len() >= self.most {
            let mut response = request.reply(StatusCode::SERVICE_UNAVAILABLE);
            response.headers.push_raw("Retry-After", b"5");
            return self.respond(id, &request, response);
        }
        let (mut service, given) = (self.service.clone(), request.clone());
        let answer: Answer = Box::pin(async move {
            poll_fn(|context| service.poll_ready(context)).await.map_err(Into::into)?;
            service.call(given).await.map_err(Into::into)
        });
        let key = self.tasks.insert(Task { id, request, answer, waker: None, deadline: None });
        self.by_request.insert(id, key);
        let waker = self.ready.waker(key);
        let deadline = self.wheel.set(self.now.monotonic + self.deadline, key);
        if let Some(task) = self.tasks.get_mut(key) {
            task.deadline = Some(deadline);
            task.waker = Some(waker.clone());
        }
        waker.wake();
    }

    fn poll_task(&mut self, key: Id<Task>) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        let Some(waker) = task.waker.clone() else { return };
        let answer = &mut task.answer;
        // What a handler leaves behind after a panic is dropped with it.
        let polled = catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(&mut Context::from_waker(&waker))));
        let method = task.request.method();
        let response = match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(Ok(response))) if response.status().is_final() => response,
            Ok(Poll::Ready(Ok(response))) => {
                tracing::warn!(%method, status = %response.status(), "a handler answered with what is not final");
                task.request.reply(StatusCode::SERVER_INTERNAL_ERROR)
            }
            Ok(Poll::Ready(Err(error))) => {
                tracing::warn!(%method, %error, "a service failed");
                task.request.reply(StatusCode::SERVER_INTERNAL_ERROR)
            }
            Err(_) => {
                tracing::error!(%method, "a handler panicked");
                task.request.reply(StatusCode::SERVER_INTERNAL_ERROR)
            }
        };
        self.end(key, response);
    }

    fn overdue(&mut self, key: Id<Task>) {
        let Some(task) = self.tasks.get(key) else { return };
        let method = task.request.method();
        tracing::warn!(%method, "a handler took too long");
        let status = match method == Method::Invite {
            true => StatusCode::REQUEST_TIMEOUT,
            false => StatusCode::SERVER_INTERNAL_ERROR,
        };
        let response = task.request.reply(status);
        self.end(key, response);
    }

    fn end(&mut self, key: Id<Task>, response: Response) {
        if let Some(task) = self.forget(key) {
            self.respond(task.id, &task.request, response);
        }
    }

    fn forget(&mut self, key: Id<Task>) -> Option<Task> {
        let mut task = self.tasks.remove(key)?;
        self.by_request.remove(&task.id);
        if let Some(deadline) = task.deadline.take() {
            self.wheel.cancel(deadline);
        }
        Some(task)
    }

    fn respond(&mut self, id: ServerId, request: &Request, response: Response) {
        match self.agent.respond(id, response, self.now) {
            // It is cancelled, or its connection and its time are gone.
            Ok(()) | Err(NotSent::Gone | NotSent::NoCall) => {}
            Err(error @ (NotSent::Exchange(_) | NotSent::Description(_))) => {
                tracing::warn!(method = %request.method(), %error, "a handler's description cannot be sent");
                // Nothing of it depends on the body.
                let _ = self.agent.respond(id, request.reply(StatusCode::SERVER_INTERNAL_ERROR), self.now);
            }
        }
    }
}

impl<S> Engine for Server<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
{
    type Event = Event;

    fn handle_message(&mut self, message: Message, flow: Flow, now: Now) {
        self.now = now;
        self.agent.handle_message(message, flow, now);
    }

    fn handle_malformed(&mut self, bytes: &[u8], error: ParseError, flow: Flow, now: Now) {
        self.now = now;
        self.agent.handle_malformed(bytes, error, flow, now);
    }

    fn handle_flow_lost(&mut self, flow: Flow, now: Now) {
        self.now = now;
        self.agent.handle_flow_lost(flow, now);
    }

    fn handle_send_failed(&mut self, ticket: Ticket, now: Now) {
        self.now = now;
        self.agent.handle_send_failed(ticket, now);
    }

    fn handle_answer(&mut self, question: &Question, answer: resolve::Answer, now: Now) {
        self.now = now;
        self.agent.handle_answer(question, answer, now);
    }

    fn handle_keep_alive(&mut self, reply: Reply, flow: Flow, now: Now) {
        self.now = now;
        self.agent.handle_keep_alive(reply, flow, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        self.agent.handle_timeout(now);
        while let Some(key) = self.wheel.pop(now.monotonic) {
            self.overdue(key);
        }
    }

    fn poll_output(&mut self) -> Output<Event> {
        let mut polls = 0;
        loop {
            let deadline = match self.agent.poll_output() {
                Output::Transmit(transmit) => return Output::Transmit(transmit),
                Output::Event(Event::Request { id, request, .. }) => {
                    self.begin(id, request);
                    continue;
                }
                Output::Event(Event::Cancelled { id, call }) => {
                    if let Some(key) = self.by_request.get(&id).copied() {
                        self.forget(key);
                    }
                    return Output::Event(Event::Cancelled { id, call });
                }
                Output::Event(event) => return Output::Event(event),
                Output::Ask(question) => return Output::Ask(question),
                Output::Close(flow) => return Output::Close(flow),
                Output::Wait(deadline) => deadline,
            };
            if polls < TURN
                && let Some(key) = self.ready.pop()
            {
                polls += 1;
                self.poll_task(key);
                continue;
            }
            let own = self.wheel.next_deadline();
            let soonest = [deadline, own].into_iter().flatten().min();
            return Output::Wait(if self.ready.is_empty() { soonest } else { Some(self.now.monotonic) });
        }
    }

    fn set_waker(&mut self, waker: Waker) {
        self.ready.set_driver(waker);
    }

    fn transitions(&mut self) -> Option<&mut Transitions> {
        self.agent.transitions()
    }

    fn is_known(&self, flow: &Flow) -> bool {
        self.agent.is_known(flow)
    }

    fn owner(&self, message: &Message) -> Option<usize> {
        self.agent.owner(message)
    }
}
