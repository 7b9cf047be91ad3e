//! A user agent as async calls: [`Phone`] is a [`UserAgent`] with its sockets, in a task of its own.
//!
//! What is dropped ends: a [`Call`] hangs up, a [`Registration`] is taken back, a request that was not answered gets 500,
//! and with the last handle the phone itself goes, once its last messages have left.
//!
//! ```
//! use imscore_sip::sdp::SessionDescription;
//! use imscore_sip::tokio::ua::Phone;
//!
//! # async fn phones() -> Result<(), Box<dyn std::error::Error>> {
//! let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
//! let offer = SessionDescription::parse(sdp.into())?;
//! let bob = Phone::bind(["udp:127.0.0.1:0".parse()?], |config| config).await?;
//! let alice = Phone::bind(["udp:127.0.0.1:0".parse()?], |config| config).await?;
//!
//! let mut call = alice.call(&format!("sip:bob@{}", bob.listeners()[0].sent_by).parse()?, Some(&offer)).await?;
//! let incoming = bob.incoming().await.expect("a call");
//! incoming.ring().await?;
//! let mut answered = incoming.answer(&offer).await?;
//!
//! call.answered().await?;
//! call.hang_up().await;
//! answered.ended().await;
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(phones())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot, watch};

use super::{BindError, Endpoint, ListenAddress, Shutdown, now, seed};
use crate::message::{Method, Request, Response, StatusCode};
use crate::now::Now;
use crate::sdp::{Agreed, SessionDescription};
use crate::transaction::{self, Cause, ServerId};
use crate::transport::Listener;
use crate::ua::{Binding, CallHandle, Config, Ended, Event, NotSent, RegistrationHandle, RequestHandle, UserAgent};
use crate::uri::Uri;

/// Events of a call, or requests outside of calls, that wait to be taken. A call with more is ended, a request more gets 500.
const WAITING: usize = 64;

/// How long the last messages may take to leave.
const GRACE: Duration = Duration::from_secs(5);

/// Why a phone is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PhoneError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system has no random numbers.
    #[error("no random numbers: {0}")]
    Seed(#[from] io::Error),
}

/// Why a call or request did not come to what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It was refused.
    #[error("refused with {}", .0.status())]
    Refused(Box<Response>),
    /// No answer came.
    #[error("no answer: {0:?}")]
    Failed(Cause),
    /// It is over.
    #[error("the call is over")]
    Ended,
    /// Nothing was sent.
    #[error(transparent)]
    NotSent(#[from] NotSent),
}

impl CallError {
    /// What the end of a call says to whoever waits for its answer.
    fn of(by: Ended) -> CallError {
        match by {
            Ended::Refused(response) => CallError::Refused(response),
            Ended::Failed(cause) => CallError::Failed(cause),
            Ended::Bye | Ended::NoAck | Ended::Expired | Ended::Disagreed | Ended::Replaced => CallError::Ended,
        }
    }
}

type Command = Box<dyn FnOnce(&mut Desk, &mut UserAgent, Now) + Send>;

/// Tells the phone's task what to do.
#[derive(Clone)]
struct Line(mpsc::UnboundedSender<Command>);

impl Line {
    /// Has something done, without waiting for it.
    fn tell(&self, act: impl FnOnce(&mut Desk, &mut UserAgent, Now) + Send + 'static) {
        // The task outlives every line.
        let _ = self.0.send(Box::new(act));
    }

    /// Has something done. `None`: the phone's runtime is gone.
    async fn ask<R: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Desk, &mut UserAgent, Now) -> R + Send + 'static,
    ) -> Option<R> {
        let (done, result) = oneshot::channel();
        self.tell(move |desk, agent, now| drop(done.send(act(desk, agent, now))));
        result.await.ok()
    }
}

/// Who waits for what.
struct Desk {
    line: mpsc::WeakUnboundedSender<Command>,
    calls: HashMap<CallHandle, mpsc::Sender<Event>>,
    requests: HashMap<RequestHandle, oneshot::Sender<Result<Box<Response>, Cause>>>,
    registrations: HashMap<RegistrationHandle, watch::Sender<Registered>>,
    incoming: mpsc::Sender<Incoming>,
    asked: mpsc::Sender<Asked>,
}

/// A user agent with its sockets. Clones are the same phone.
#[derive(Clone)]
pub struct Phone {
    line: Line,
    listeners: Arc<[Listener]>,
    incoming: Arc<Mutex<mpsc::Receiver<Incoming>>>,
    asked: Arc<Mutex<mpsc::Receiver<Asked>>>,
}

impl Phone {
    /// Listens, and starts the phone's task in the present runtime. `configure` is given the defaults.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub async fn bind(
        listen: impl IntoIterator<Item = ListenAddress>,
        configure: impl FnOnce(Config) -> Config,
    ) -> Result<Phone, PhoneError> {
        let key = seed()?;
        let endpoint = Endpoint::bind(listen, |listeners| {
            UserAgent::new(configure(Config::new(transaction::Config::new(key, listeners))), now())
        })
        .await?;
        let (line, commands) = mpsc::unbounded_channel();
        let (incoming, calls) = mpsc::channel(WAITING);
        let (asked, requests) = mpsc::channel(WAITING);
        let listeners = endpoint.listeners().into();
        let desk = Desk {
            line: line.downgrade(),
            calls: HashMap::new(),
            requests: HashMap::new(),
            registrations: HashMap::new(),
            incoming,
            asked,
        };
        tokio::spawn(run(endpoint, desk, commands));
        Ok(Phone {
            line: Line(line),
            listeners,
            incoming: Arc::new(Mutex::new(calls)),
            asked: Arc::new(Mutex::new(requests)),
        })
    }

    /// Where the phone listens.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Registers, and keeps registered as long as the handle lives.
    ///
    /// # Errors
    /// The first attempt was refused or got no answer.
    pub async fn register(&self, binding: Binding) -> Result<Registration, CallError> {
        let (status, mut changes) = watch::channel(Registered::Waiting);
        let begun = self.line.ask(move |desk, agent, now| {
            let handle = agent.register(binding, now);
            desk.registrations.insert(handle, status);
            handle
        });
        let handle = begun.await.ok_or(CallError::Ended)?;
        let registration = Registration { line: self.line.clone(), handle, status: changes.clone() };
        let status = changes.wait_for(|status| !matches!(status, Registered::Waiting)).await;
        let status = status.map_or(Registered::Lost(None), |status| status.clone());
        match status {
            Registered::Holds | Registered::Waiting => Ok(registration),
            Registered::Lost(Some(response)) => Err(CallError::Refused(response)),
            Registered::Lost(None) => Err(CallError::Failed(Cause::Timeout)),
        }
    }

    /// Calls somebody. The call goes on once it is answered: [`Call::answered`].
    ///
    /// # Errors
    /// The phone's runtime is gone.
    pub async fn call(&self, target: &Uri, offer: Option<&SessionDescription>) -> Result<Call, CallError> {
        let (target, offer) = (target.clone(), offer.cloned());
        let (events, taken) = mpsc::channel(WAITING);
        let begun = self.line.ask(move |desk, agent, now| {
            let handle = agent.invite(&target, offer.as_ref(), now);
            desk.calls.insert(handle, events);
            handle
        });
        let handle = begun.await.ok_or(CallError::Ended)?;
        Ok(Call { line: self.line.clone(), handle, events: taken })
    }

    /// The next call that comes in.
    pub async fn incoming(&self) -> Option<Incoming> {
        self.incoming.lock().await.recv().await
    }

    /// The next request that comes in outside of calls: MESSAGE, OPTIONS.
    pub async fn asked(&self) -> Option<Asked> {
        self.asked.lock().await.recv().await
    }

    /// Sends a request outside of calls, as [`UserAgent::request`] completes it, and waits for the final response.
    ///
    /// # Errors
    /// None came.
    pub async fn request(&self, request: Request) -> Result<Response, CallError> {
        let (done, response) = oneshot::channel();
        self.line.tell(move |desk, agent, now| {
            desk.requests.insert(agent.request(request, now), done);
        });
        let outcome = response.await.map_err(|_| CallError::Ended)?;
        outcome.map(|response| *response).map_err(CallError::Failed)
    }
}

/// A call. Dropping it hangs up.
pub struct Call {
    line: Line,
    handle: CallHandle,
    events: mpsc::Receiver<Event>,
}

impl Call {
    /// The next thing that happens in the call; `None` once it is over. A request in it waits for [`Call::respond`].
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// The next response to our INVITE: provisional, or the 2xx.
    ///
    /// # Errors
    /// It was refused, or failed.
    pub async fn progress(&mut self) -> Result<Response, CallError> {
        while let Some(event) = self.next().await {
            if let Event::Progress { response, .. } | Event::Answered { response, .. } = event {
                return Ok(response);
            }
            if let Event::Ended { by, .. } = event {
                return Err(CallError::of(by));
            }
            self.pass(event);
        }
        Err(CallError::Ended)
    }

    /// Waits for the 2xx to our INVITE.
    ///
    /// # Errors
    /// It was refused, or failed.
    pub async fn answered(&mut self) -> Result<Response, CallError> {
        loop {
            let response = self.progress().await?;
            if response.status().is_success() {
                return Ok(response);
            }
        }
    }

    /// What holds in the call, from the first answer on.
    pub async fn agreed(&self) -> Option<Agreed> {
        let handle = self.handle;
        self.line.ask(move |_, agent, _| agent.agreed(handle).cloned()).await.flatten()
    }

    /// Answers the offer that is open: see [`UserAgent::answer`].
    ///
    /// # Errors
    /// There is none, or the answer does not go with it.
    pub async fn answer(&self, answer: &SessionDescription) -> Result<(), CallError> {
        let (handle, answer) = (self.handle, answer.clone());
        let done = self.line.ask(move |_, agent, now| agent.answer(handle, &answer, now)).await;
        Ok(done.ok_or(CallError::Ended)??)
    }

    /// Makes an offer within the call and waits for what comes of it.
    ///
    /// # Errors
    /// It was refused, or could not be made; what was agreed before holds on.
    pub async fn offer(&mut self, offer: &SessionDescription) -> Result<(), CallError> {
        let (handle, offer) = (self.handle, offer.clone());
        let made = self.line.ask(move |_, agent, now| agent.offer(handle, &offer, now)).await;
        made.ok_or(CallError::Ended)??;
        while let Some(event) = self.next().await {
            if let Event::OfferRefused { response, .. } = event {
                let failed = CallError::Failed(Cause::Timeout);
                return Err(response.map_or(failed, |response| CallError::Refused(Box::new(response))));
            }
            if matches!(event, Event::Agreed { .. }) {
                return Ok(());
            }
            self.pass(event);
        }
        Err(CallError::Ended)
    }

    /// Answers a request of the other side within the call.
    ///
    /// # Errors
    /// Nobody waits for it, or its description does not fit.
    pub async fn respond(&self, id: ServerId, response: Response) -> Result<(), CallError> {
        let done = self.line.ask(move |_, agent, now| agent.respond(id, response, now)).await;
        Ok(done.ok_or(CallError::Ended)??)
    }

    /// Waits for the end of the call. Offers of the other side get 488 meanwhile, and other requests 501.
    pub async fn ended(&mut self) {
        while let Some(event) = self.next().await {
            self.pass(event);
        }
    }

    /// Ends the call, and waits until that is on its way.
    pub async fn hang_up(self) {
        let handle = self.handle;
        self.line.ask(move |desk, agent, now| desk.hang_up(agent, handle, now)).await;
    }

    /// What nobody asked for.
    fn pass(&self, event: Event) {
        let Event::Request { id, request, .. } = event else { return };
        let is_offer = request.is(&Method::Invite) || request.is(&Method::Update);
        let status = if is_offer { StatusCode::NOT_ACCEPTABLE_HERE } else { StatusCode::NOT_IMPLEMENTED };
        // Without anybody who waits, there is nothing to refuse.
        self.line.tell(move |_, agent, now| {
            let _ = agent.respond(id, request.reply(status), now);
        });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let handle = self.handle;
        self.line.tell(move |desk, agent, now| desk.hang_up(agent, handle, now));
    }
}

/// A request that waits for its answer. Dropped without one, it gets 500.
pub struct Asked {
    line: Line,
    id: ServerId,
    request: Request,
    is_answered: bool,
}

impl Asked {
    /// The request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Answers it, provisionally or for good.
    ///
    /// # Errors
    /// Nobody waits for it any more, or its description does not fit.
    pub async fn respond(&mut self, response: Response) -> Result<(), CallError> {
        let (id, is_final) = (self.id, response.status().is_final());
        let done = self.line.ask(move |_, agent, now| agent.respond(id, response, now)).await;
        done.ok_or(CallError::Ended)??;
        self.is_answered |= is_final;
        Ok(())
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.is_answered {
            let (id, response) = (self.id, self.request.reply(StatusCode::SERVER_INTERNAL_ERROR));
            self.line.tell(move |_, agent, now| {
                // One that was cancelled waits no more.
                if agent.respond(id, response, now).is_ok() {
                    tracing::warn!("a request was dropped unanswered");
                }
            });
        }
    }
}

/// A call that comes in. Dropped unanswered, it gets 500.
pub struct Incoming {
    asked: Asked,
    call: Call,
}

impl Incoming {
    /// The INVITE.
    pub fn request(&self) -> &Request {
        self.asked.request()
    }

    /// What it offers; none where the answer is to hold the offer.
    pub fn offer(&self) -> Option<SessionDescription> {
        let body = self.asked.request.body();
        if body.is_empty() { None } else { SessionDescription::parse(body).ok() }
    }

    /// Says that it rings.
    ///
    /// # Errors
    /// The caller has given up.
    pub async fn ring(&self) -> Result<(), CallError> {
        self.call.respond(self.asked.id, self.asked.request.reply(StatusCode::RINGING)).await
    }

    /// Says something else than that it rings, say 183 with a description.
    ///
    /// # Errors
    /// The caller has given up, or the description does not fit.
    pub async fn respond(&mut self, response: Response) -> Result<(), CallError> {
        self.asked.respond(response).await
    }

    /// Takes the call, with the answer to its offer, or an offer where it brought none.
    ///
    /// # Errors
    /// The caller has given up, or the answer does not go with the offer.
    pub async fn answer(mut self, answer: &SessionDescription) -> Result<Call, CallError> {
        let response = self.asked.request.reply(StatusCode::OK).with_body("application/sdp", answer.to_bytes());
        self.asked.respond(response).await?;
        Ok(self.call)
    }

    /// Does not take it.
    ///
    /// # Errors
    /// The caller has given up.
    pub async fn refuse(mut self, status: StatusCode) -> Result<(), CallError> {
        let response = self.asked.request.reply(status);
        self.asked.respond(response).await
    }

    /// Waits until the caller gives up.
    pub async fn cancelled(&mut self) {
        self.call.ended().await;
    }
}

/// Where a registration stands.
#[derive(Clone)]
enum Registered {
    Waiting,
    Holds,
    Lost(Option<Box<Response>>),
}

/// A registration. Dropping it takes it back.
pub struct Registration {
    line: Line,
    handle: RegistrationHandle,
    status: watch::Receiver<Registered>,
}

impl Registration {
    /// True while the registrar holds it, as far as is known.
    pub fn holds(&self) -> bool {
        matches!(*self.status.borrow(), Registered::Holds)
    }

    /// Waits until it is lost, or holds again.
    pub async fn changed(&mut self) -> bool {
        // Without a phone there is nothing to wait for.
        let _ = self.status.changed().await;
        self.holds()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let handle = self.handle;
        self.line.tell(move |desk, agent, now| {
            desk.registrations.remove(&handle);
            agent.unregister(handle, now);
        });
    }
}

/// What the phone's task is woken for.
#[allow(clippy::large_enum_variant)]
enum Turn {
    Event(Event),
    Command(Option<Command>),
}

/// The phone's task: bytes and commands, until the last handle is gone and the last message has left.
async fn run(mut endpoint: Endpoint<UserAgent>, mut desk: Desk, mut commands: mpsc::UnboundedReceiver<Command>) {
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
    fn hang_up(&mut self, agent: &mut UserAgent, call: CallHandle, now: Now) {
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
        if let Err(mpsc::error::TrySendError::Full(_)) = events.try_send(event) {
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
