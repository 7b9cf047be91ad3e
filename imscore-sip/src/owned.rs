//! An engine with the code that owns it, as one engine.

use std::convert::Infallible;
use std::task::Waker;

use crate::engine::{Engine, Output, Ticket};
use crate::message::Message;
use crate::now::Now;
use crate::parse::ParseError;
use crate::resolve::{Answer, Question};
use crate::transaction::Transitions;
use crate::transport::Flow;
use crate::transport::keep_alive::Reply;

/// An engine and a function that gets its events at once, each with the engine and the time. Together they are an engine
/// without events, for a driver to run: what both want sent leaves in one go.
///
/// ```
/// use std::time::Instant;
/// use imscore_sip::transaction::{Config, Event, Transactions};
/// use imscore_sip::{Now, Owned, StatusCode};
///
/// let now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
/// let layer = Transactions::new(Config::new([7; 32], Vec::new()), now);
/// let agreeable = Owned::new(layer, now, |layer, event, now| {
///     if let Event::Request { id, request, .. } = event {
///         layer.respond(id, request.reply(StatusCode::OK).with_to_tag("1"), now);
///     }
/// });
/// assert_eq!(agreeable.engine().server_count(), 0);
/// ```
pub struct Owned<E, F> {
    engine: E,
    owner: F,
    /// As of the last input.
    now: Now,
}

impl<E: Engine, F: FnMut(&mut E, E::Event, Now)> Owned<E, F> {
    /// An engine whose events go to `owner`.
    pub fn new(engine: E, now: Now, owner: F) -> Owned<E, F> {
        Owned { engine, owner, now }
    }

    /// The engine inside.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// The engine inside, to be told what to do.
    pub fn engine_mut(&mut self) -> &mut E {
        &mut self.engine
    }
}

impl<E: Engine, F: FnMut(&mut E, E::Event, Now)> Engine for Owned<E, F> {
    type Event = Infallible;

    fn handle_message(&mut self, message: Message, flow: Flow, now: Now) {
        self.now = now;
        self.engine.handle_message(message, flow, now);
    }

    fn handle_malformed(&mut self, bytes: &[u8], error: ParseError, flow: Flow, now: Now) {
        self.now = now;
        self.engine.handle_malformed(bytes, error, flow, now);
    }

    fn handle_flow_lost(&mut self, flow: Flow, now: Now) {
        self.now = now;
        self.engine.handle_flow_lost(flow, now);
    }

    fn handle_send_failed(&mut self, ticket: Ticket, now: Now) {
        self.now = now;
        self.engine.handle_send_failed(ticket, now);
    }

    fn handle_answer(&mut self, question: &Question, answer: Answer, now: Now) {
        self.now = now;
        self.engine.handle_answer(question, answer, now);
    }

    fn handle_keep_alive(&mut self, reply: Reply, flow: Flow, now: Now) {
        self.now = now;
        self.engine.handle_keep_alive(reply, flow, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        self.engine.handle_timeout(now);
    }

    fn poll_output(&mut self) -> Output<Infallible> {
        loop {
            match self.engine.poll_output() {
                Output::Transmit(transmit) => return Output::Transmit(transmit),
                Output::Ask(question) => return Output::Ask(question),
                Output::Close(flow) => return Output::Close(flow),
                Output::Event(event) => (self.owner)(&mut self.engine, event, self.now),
                Output::Wait(deadline) => return Output::Wait(deadline),
            }
        }
    }

    fn set_waker(&mut self, waker: Waker) {
        self.engine.set_waker(waker);
    }

    fn transitions(&mut self) -> Option<&mut Transitions> {
        self.engine.transitions()
    }

    fn is_known(&self, flow: &Flow) -> bool {
        self.engine.is_known(flow)
    }

    fn owner(&self, message: &Message) -> Option<usize> {
        self.engine.owner(message)
    }
}
