//! The phone's task: who waits for what, and the commands of handles.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::registration::Registered;
use super::{Asked, Call, Incoming, WAITING};
use crate::message::{Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::tokio::{Endpoint, Shutdown, now};
use crate::transaction::{Cause, ServerId};
use crate::ua::{CallHandle, Event, RegistrationHandle, RequestHandle, SubscriptionHandle, UserAgent, WatcherHandle};

/// How long the last messages may take to leave.
const GRACE: Duration = Duration::from_secs(5);

pub(super) type Command = Box<dyn FnOnce(&mut Desk, &mut UserAgent, Now) + Send>;

/// Tells the phone's task what to do.
#[derive(Clone)]
pub(super) struct Line(pub(super) mpsc::UnboundedSender<Command>);

impl Line {
    /// Has something done, without waiting for it.
    pub(super) fn tell(&self, act: impl FnOnce(&mut Desk, &mut UserAgent, Now) + Send + 'static) {
        // The task outlives every line.
        let _ = self.0.send(Box::new(act));
    }

    /// Has something done. `None`: the phone's runtime is gone.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Desk, &mut UserAgent, Now) -> R + Send + 'static,
    ) -> Option<R> {
        let (done, result) = oneshot::channel();
        self.tell(move |desk, agent, now| drop(done.send(act(desk, agent, now))));
        result.await.ok()
    }
}

/// Who waits for what.
pub(super) struct Desk {
    line: mpsc::WeakUnboundedSender<Command>,
    pub(super) calls: HashMap<CallHandle, mpsc::Sender<Event>>,
    pub(super) requests: HashMap<RequestHandle, oneshot::Sender<Result<Box<Response>, Cause>>>,
    pub(super) registrations: HashMap<RegistrationHandle, watch::Sender<Registered>>,
    pub(super) subscriptions: HashMap<SubscriptionHandle, mpsc::Sender<Event>>,
    pub(super) watchers: HashMap<WatcherHandle, mpsc::Sender<Event>>,
    incoming: mpsc::Sender<Incoming>,
    asked: mpsc::Sender<Asked>,
}

/// What the phone's task is woken for.
#[allow(clippy::large_enum_variant)]
enum Turn {
    Event(Event),
    Command(Option<Command>),
}

/// The phone's task: bytes and commands, until the last handle is gone and the last message has left.
pub(super) async fn run(
    mut endpoint: Endpoint<UserAgent>,
    mut desk: Desk,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    loop {
        let turn = {
            let mut next = pin!(endpoint.next());
            poll_fn(|context| match commands.poll_recv(context) {
                Poll::Ready(command) => Poll::Ready(Turn::Command(command)),
                Poll::Pending => next.as_mut().poll(context).map(Turn::Event),
            })
            .await
        };
        match turn {
            Turn::Event(event) => desk.on_event(endpoint.engine_mut(), event, now()),
            Turn::Command(Some(command)) => command(&mut desk, endpoint.engine_mut(), now()),
            Turn::Command(None) => break,
        }
    }
    let shutdown = Shutdown::new();
    shutdown.start(GRACE);
    endpoint.run(shutdown).await;
}

impl Desk {
    pub(super) fn new(
        line: mpsc::WeakUnboundedSender<Command>,
        incoming: mpsc::Sender<Incoming>,
        asked: mpsc::Sender<Asked>,
    ) -> Desk {
        Desk {
            line,
            calls: HashMap::new(),
            requests: HashMap::new(),
            registrations: HashMap::new(),
            subscriptions: HashMap::new(),
            watchers: HashMap::new(),
            incoming,
            asked,
        }
    }

    pub(super) fn hang_up(&mut self, agent: &mut UserAgent, call: CallHandle, now: Now) {
        if self.calls.remove(&call).is_some() {
            agent.hang_up(call, now);
        }
    }

    fn on_event(&mut self, agent: &mut UserAgent, event: Event, now: Now) {
        match event {
            Event::Request { id, request, call: None, .. } => self.on_request(agent, id, request, now),
            Event::Request { id, request, call: Some(call), .. } if !self.calls.contains_key(&call) => {
                self.on_call(agent, id, request, call, now);
            }
            Event::Request { call: Some(call), .. }
            | Event::Progress { call, .. }
            | Event::Answered { call, .. }
            | Event::Confirmed { call, .. }
            | Event::Agreed { call }
            | Event::OfferRefused { call, .. } => self.pass_on(agent, call, event, now),
            // A re-INVITE that was cancelled leaves the call as it was.
            Event::Cancelled { call, .. } if agent.dialog(call).is_some() => {}
            Event::Cancelled { call, .. } => drop(self.calls.remove(&call)),
            Event::Ended { call, .. } => {
                self.pass_on(agent, call, event, now);
                self.calls.remove(&call);
            }
            Event::Notified { subscription, .. } => {
                let is_full = self.subscriptions.get(&subscription).is_some_and(|taken| is_full(taken, event));
                if is_full {
                    tracing::warn!("a subscription is ended whose notifications nobody takes");
                    self.subscriptions.remove(&subscription);
                    agent.unsubscribe(subscription, now);
                }
            }
            Event::Unsubscribed { subscription, .. } => {
                if let Some(taken) = self.subscriptions.remove(&subscription) {
                    is_full(&taken, event);
                }
            }
            Event::Watched { watcher } => {
                // With so many that wait, one more says nothing new.
                self.watchers.get(&watcher).map(|taken| is_full(taken, event));
            }
            Event::WatcherGone { watcher } => drop(self.watchers.remove(&watcher)),
            Event::Response { request, response } => self.concluded(request, Ok(Box::new(response))),
            Event::Failed { request, cause } => self.concluded(request, Err(cause)),
            Event::Registered { registration, .. } => self.registered(registration, Registered::Holds),
            Event::Unregistered { registration, response, .. } => {
                self.registered(registration, Registered::Lost(response.map(Box::new)));
            }
        }
    }

    fn concluded(&mut self, request: RequestHandle, outcome: Result<Box<Response>, Cause>) {
        if let Some(asker) = self.requests.remove(&request) {
            // Whoever asked may have gone.
            let _ = asker.send(outcome);
        }
    }

    fn registered(&mut self, registration: RegistrationHandle, status: Registered) {
        if let Some(changes) = self.registrations.get(&registration) {
            changes.send_replace(status);
        }
    }

    /// Tells a call what happened in it. One that takes nothing is ended.
    fn pass_on(&mut self, agent: &mut UserAgent, call: CallHandle, event: Event, now: Now) {
        let Some(events) = self.calls.get(&call) else { return };
        if is_full(events, event) {
            tracing::warn!("a call is ended whose events nobody takes");
            self.hang_up(agent, call, now);
        }
    }

    fn on_request(&mut self, agent: &mut UserAgent, id: ServerId, request: Request, now: Now) {
        if request.is(&Method::Options) {
            // Nobody needs to be asked (RFC 3261 §11.2).
            let _ = agent.respond(id, request.reply(StatusCode::OK), now);
            return;
        }
        if let Some(line) = self.line.upgrade() {
            let asked = Asked { line: Line(line), id, request, is_answered: false };
            // Without room it is dropped, and gets 500.
            let _ = self.asked.try_send(asked);
        }
    }

    fn on_call(&mut self, agent: &mut UserAgent, id: ServerId, request: Request, handle: CallHandle, now: Now) {
        let Some(line) = self.line.upgrade() else {
            agent.hang_up(handle, now);
            return;
        };
        let (events, taken) = mpsc::channel(WAITING);
        self.calls.insert(handle, events);
        let asked = Asked { line: Line(line.clone()), id, request, is_answered: false };
        let call = Call { line: Line(line), handle, events: taken };
        // Without room it is dropped, and gets 500.
        let _ = self.incoming.try_send(Incoming { asked, call });
    }
}

/// Hands an event on. True: whoever it is for takes none.
fn is_full(events: &mpsc::Sender<Event>, event: Event) -> bool {
    matches!(events.try_send(event), Err(mpsc::error::TrySendError::Full(_)))
}
