//! One engine with its sockets.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::flow::FlowHandle;
use super::gate::Gate;
use super::io::{Input, Io};
use super::listen::{self, BindError, Bound, ListenAddress};
use super::mail::{Origin, Post};
use super::ready::Token;
use super::{Counters, Settings, Shutdown};
use crate::engine::{Engine, Output};
use crate::message::Message;
#[cfg(feature = "trace")]
use crate::trace::Observer;
use crate::transport::{Flow, Listener};

/// Events of a turn that nobody asked for; then other tasks have theirs.
const EVENTS: usize = 64;

/// How long the last bytes may take to leave when an endpoint ends.
const FLUSH: Duration = Duration::from_secs(2);

/// An engine and the sockets that it sends and receives with: one task does both.
///
/// Whoever owns it awaits [`next`](Endpoint::next), which moves bytes until the engine has an event, and calls the
/// engine between two events. Nothing moves while nobody awaits. It costs least in a task of a `current_thread`
/// runtime, or in one that was spawned; the main future of a multi-threaded runtime is woken across threads.
pub struct Endpoint<E: Engine> {
    engine: E,
    io: Io,
    listeners: Vec<Listener>,
    #[cfg(feature = "trace")]
    observer: Option<Observer>,
}

impl<E: Engine> Endpoint<E> {
    /// Listens with the default [`Settings`] and makes the engine, which is told what it listens on.
    ///
    /// # Errors
    /// An address that cannot be listened on; the error names it and says what to do.
    pub async fn bind(
        listen: impl IntoIterator<Item = ListenAddress>,
        make: impl FnOnce(Vec<Listener>) -> E,
    ) -> Result<Endpoint<E>, BindError> {
        Endpoint::bind_with(Settings::default(), listen, make).await
    }

    /// The same with other settings.
    ///
    /// # Errors
    /// As [`bind`](Endpoint::bind).
    pub async fn bind_with(
        settings: Settings,
        listen: impl IntoIterator<Item = ListenAddress>,
        make: impl FnOnce(Vec<Listener>) -> E,
    ) -> Result<Endpoint<E>, BindError> {
        let listen: Vec<ListenAddress> = listen.into_iter().collect();
        let (listeners, mut sockets) = listen::bind(&listen, 1, &settings)?;
        let gate = Gate::new(settings.connections, settings.connections_per_address);
        let (sockets, post) = sockets.pop().zip(Post::offices(1, 1).pop()).expect("there is one worker");
        let counters = Arc::default();
        Endpoint::start(listeners, sockets, post, gate, Arc::new(settings), counters, make).map_err(BindError::Runtime)
    }

    pub(super) fn start(
        listeners: Vec<Listener>,
        sockets: Vec<Bound>,
        post: Post,
        gate: Arc<Gate>,
        settings: Arc<Settings>,
        counters: Arc<Counters>,
        make: impl FnOnce(Vec<Listener>) -> E,
    ) -> io::Result<Endpoint<E>> {
        #[cfg(feature = "trace")]
        let observer = settings.trace.as_ref().map(|trace| trace.observer(&listeners));
        let io = Io::new(&listeners, sockets, post, gate, settings, counters)?;
        let mut engine = make(listeners.clone());
        engine.set_waker(io.ready.signal(Token::Engine).into());
        #[cfg(feature = "trace")]
        if let (Some(_), Some(transitions)) = (&observer, engine.transitions()) {
            transitions.keep();
        }
        Ok(Endpoint {
            engine,
            io,
            listeners,
            #[cfg(feature = "trace")]
            observer,
        })
    }

    /// What the engine listens on, in the order of [`ListenerId`](crate::transport::ListenerId).
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// What was counted up to now; readable while the endpoint runs elsewhere.
    pub fn counters(&self) -> Arc<Counters> {
        self.io.counters.clone()
    }

    /// The engine.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// The engine, to be told what to do. What it has to send leaves with the next call of [`next`](Endpoint::next).
    pub fn engine_mut(&mut self) -> &mut E {
        &mut self.engine
    }

    /// Watches the connection of a flow. `None`: it is over, or the flow names none; over UDP nobody can tell but the peer, by
    /// answering keep-alives ([`transport::keep_alive`](crate::transport::keep_alive)).
    ///
    /// The engine is told too ([`Engine::handle_flow_lost`]); this is for the code around it.
    pub fn watch(&mut self, flow: &Flow) -> Option<FlowHandle> {
        let open = self.io.connections.watch(flow.connection?)?;
        Some(FlowHandle::new(*flow, open))
    }

    /// Moves bytes until the engine has something to tell.
    ///
    /// Dropping the future loses nothing: the next call goes on from there.
    pub async fn next(&mut self) -> E::Event {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Moves bytes until it is told to stop, and drops the engine's events. Then no connection is accepted any more,
    /// and the engine has the time of [`Shutdown::start`] to come to rest; it is at rest when it waits for no moment.
    pub async fn run(mut self, shutdown: Shutdown) -> E {
        let mut stop = pin!(shutdown.started());
        let grace = poll_fn(|context| match stop.as_mut().poll(context) {
            Poll::Pending => self.poll_run(context).map(|never| match never {}),
            Poll::Ready(grace) => Poll::Ready(grace),
        })
        .await;
        self.io.stop_accepting();
        let at_rest = poll_fn(|context| match self.poll_run(context) {
            Poll::Pending if self.io.deadline.is_none() && self.io.connections.is_flushed() => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
            Poll::Ready(never) => match never {},
        });
        let _ = tokio::time::timeout(grace, at_rest).await;
        self.io.connections.close_all(self.io.now.monotonic);
        let flushed = poll_fn(|context| match self.poll_run(context) {
            Poll::Pending if self.io.connections.is_flushed() => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
            Poll::Ready(never) => match never {},
        });
        let _ = tokio::time::timeout(FLUSH, flushed).await;
        self.engine
    }

    fn poll_run(&mut self, context: &mut Context<'_>) -> Poll<Infallible> {
        for _ in 0..EVENTS {
            if self.poll_next(context).is_pending() {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<E::Event> {
        self.io.wake();
        loop {
            if let Some(event) = self.drain() {
                self.io.flush();
                return Poll::Ready(event);
            }
            let engine = &self.engine;
            match self.io.next_input(|flow| engine.is_known(flow)) {
                Some(input) => self.handle(input),
                None if self.io.sleep(context) => return Poll::Pending,
                None => {}
            }
        }
    }

    /// Does what the engine wants done, up to its next event.
    fn drain(&mut self) -> Option<E::Event> {
        loop {
            let output = self.engine.poll_output();
            #[cfg(feature = "trace")]
            self.observe_output(&output);
            match output {
                Output::Transmit(transmit) => self.io.transmit(transmit, Origin(self.io.post.worker)),
                Output::Close(flow) => self.io.close(flow),
                Output::Event(event) => return Some(event),
                Output::Ask(question) => self.io.ask(question),
                Output::Wait(deadline) => {
                    self.io.deadline = deadline;
                    return None;
                }
            }
        }
    }

    fn handle(&mut self, input: Input) {
        let now = self.io.now;
        #[cfg(feature = "trace")]
        self.observe_input(&input);
        match input {
            Input::Message(message, flow) => match self.owner(&message) {
                Some(other) => self.io.hand_over(other, message, flow),
                None => self.handle_message(message, flow),
            },
            Input::Owned(owned) => {
                let (message, flow) = *owned;
                self.handle_message(message, flow);
            }
            Input::Malformed(bytes, error, flow) => self.engine.handle_malformed(&bytes, error, flow, now),
            Input::Lost(flow) => self.engine.handle_flow_lost(flow, now),
            Input::KeepAlive(reply, flow) => self.engine.handle_keep_alive(reply, flow, now),
            Input::Failed(ticket) => self.engine.handle_send_failed(ticket, now),
            Input::Answer(question, answer) => self.engine.handle_answer(&question, answer, now),
            Input::Timeout => self.engine.handle_timeout(now),
        }
    }

    fn handle_message(&mut self, message: Message, flow: Flow) {
        #[cfg(feature = "trace")]
        if let Some(observer) = &mut self.observer {
            observer.on_message(&message, &flow, self.io.now);
        }
        self.engine.handle_message(message, flow, self.io.now);
    }

    /// All but messages, of which only now it will be known whose they are.
    #[cfg(feature = "trace")]
    fn observe_input(&mut self, input: &Input) {
        let Some(observer) = &mut self.observer else { return };
        let now = self.io.now;
        match input {
            Input::Malformed(bytes, error, flow) => observer.on_malformed(bytes, error, flow, now),
            Input::Lost(flow) => observer.on_flow_lost(flow, now),
            Input::Failed(_) => observer.on_send_failed(now),
            Input::Message(..) | Input::Owned(_) | Input::KeepAlive(..) | Input::Answer(..) | Input::Timeout => {}
        }
    }

    #[cfg(feature = "trace")]
    fn observe_output(&mut self, output: &Output<E::Event>) {
        let Some(observer) = &mut self.observer else { return };
        observer.on_transitions(self.engine.transitions(), self.io.now);
        if let Output::Transmit(transmit) = output {
            observer.on_transmit(transmit, self.io.now);
        }
    }

    /// The other worker that a message belongs to.
    fn owner(&self, message: &Message) -> Option<usize> {
        if !self.io.post.has_others() {
            return None;
        }
        self.engine.owner(message).filter(|owner| *owner != self.io.post.worker)
    }
}
