//! One place in the network: its addresses, and the engine that sits there.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::time::Instant;

use bytes::Bytes;
use bytestring::ByteString;

use crate::engine::{Engine, Output, Ticket, Transmit};
use crate::message::Message;
use crate::now::Now;
use crate::parse::ParseError;
use crate::resolve::{Answer, Question};
use crate::testing::Bind;
use crate::transport::keep_alive::Reply;
use crate::transport::{Flow, Listener};

/// Names a host of a [`Network`](super::Network), and says what engine sits there.
pub struct Host<G> {
    pub(super) index: usize,
    engine: PhantomData<fn() -> G>,
}

impl<G> Host<G> {
    pub(super) fn new(index: usize) -> Host<G> {
        Host { index, engine: PhantomData }
    }
}

impl<G> Clone for Host<G> {
    fn clone(&self) -> Host<G> {
        *self
    }
}

impl<G> Copy for Host<G> {}

impl<G> fmt::Debug for Host<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({})", self.index)
    }
}

/// A host, alive or dead.
pub(super) struct Place {
    pub(super) name: ByteString,
    pub(super) binds: Vec<Bind>,
    pub(super) seat: Option<Box<dyn Seat>>,
    /// Counts the engines that have sat here, so that nothing meant for one reaches the next.
    pub(super) life: u64,
    pub(super) deadline: Option<Instant>,
    /// Connections that this host has had.
    pub(super) connections: u64,
}

impl Place {
    pub(super) fn listeners(&self) -> Vec<Listener> {
        self.binds.iter().map(Bind::listener).collect()
    }
}

/// What an engine is given.
#[allow(clippy::large_enum_variant)]
pub(super) enum Input {
    Message(Message, Flow),
    Malformed(Bytes, ParseError, Flow),
    FlowLost(Flow),
    KeepAlive(Reply, Flow),
    SendFailed(Ticket),
    Answer(Question, Answer),
    Timeout,
}

/// What an engine wants, its events apart.
#[allow(clippy::large_enum_variant)]
pub(super) enum Step {
    Transmit(Transmit),
    Ask(Question),
    Close(Flow),
    Wait(Option<Instant>),
}

/// An engine whose type only its [`Host`] knows.
pub(super) trait Seat {
    fn input(&mut self, input: Input, now: Now);
    fn poll(&mut self) -> Step;
    fn set_waker(&mut self, waker: Waker);
    fn any(&self) -> &dyn Any;
    fn any_mut(&mut self) -> &mut dyn Any;
}

/// An engine and the events that nobody has taken yet.
pub(super) struct Seated<G: Engine> {
    pub(super) engine: G,
    pub(super) events: Vec<G::Event>,
}

impl<G: Engine<Event: 'static> + 'static> Seat for Seated<G> {
    fn input(&mut self, input: Input, now: Now) {
        match input {
            Input::Message(message, flow) => self.engine.handle_message(message, flow, now),
            Input::Malformed(bytes, error, flow) => self.engine.handle_malformed(&bytes, error, flow, now),
            Input::FlowLost(flow) => self.engine.handle_flow_lost(flow, now),
            Input::KeepAlive(reply, flow) => self.engine.handle_keep_alive(reply, flow, now),
            Input::SendFailed(ticket) => self.engine.handle_send_failed(ticket, now),
            Input::Answer(question, answer) => self.engine.handle_answer(&question, answer, now),
            Input::Timeout => self.engine.handle_timeout(now),
        }
    }

    fn poll(&mut self) -> Step {
        loop {
            match self.engine.poll_output() {
                Output::Transmit(transmit) => return Step::Transmit(transmit),
                Output::Close(flow) => return Step::Close(flow),
                Output::Event(event) => self.events.push(event),
                Output::Ask(question) => return Step::Ask(question),
                Output::Wait(deadline) => return Step::Wait(deadline),
            }
        }
    }

    fn set_waker(&mut self, waker: Waker) {
        self.engine.set_waker(waker);
    }

    fn any(&self) -> &dyn Any {
        self
    }

    fn any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// The hosts whose waker was called, in that order, each once.
#[derive(Clone, Default)]
pub(super) struct Woken(Arc<Mutex<VecDeque<Arc<Bell>>>>);

impl Woken {
    /// A waker for one life of a host.
    pub(super) fn waker(&self, host: usize, life: u64) -> Waker {
        Waker::from(Arc::new(Bell { host, life, rung: AtomicBool::new(false), woken: self.clone() }))
    }

    /// Host and life of the next.
    pub(super) fn next(&self) -> Option<(usize, u64)> {
        let bell = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        bell.rung.store(false, Ordering::Release);
        Some((bell.host, bell.life))
    }
}

struct Bell {
    host: usize,
    life: u64,
    rung: AtomicBool,
    woken: Woken,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            let woken = self.woken.clone();
            woken.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(self);
        }
    }
}
