//! An engine with the observer of its messages, as one engine.

use std::task::Waker;

use super::Observer;
use crate::engine::{Engine, Output, Ticket};
use crate::message::Message;
use crate::now::Now;
use crate::parse::ParseError;
use crate::resolve::{Answer, Question};
use crate::transaction::Transitions;
use crate::transport::Flow;
use crate::transport::keep_alive::Reply;

/// An engine that is traced: for a driver of one's own, and for networks in virtual time.
///
/// ```
/// use std::time::Instant;
/// use imscore_sip::trace::{Observer, Traced};
/// use imscore_sip::transaction::{Config, Transactions};
/// use imscore_sip::Now;
///
/// let now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
/// let layer = Transactions::new(Config::new([7; 32], Vec::new()), now);
/// let observer = Observer::new("layer", &[], |record| println!("{}", record.to_json()));
/// let traced = Traced::new(layer, observer, now);
/// assert_eq!(traced.engine().server_count(), 0);
/// ```
pub struct Traced<E> {
    engine: E,
    observer: Observer,
    /// As of the last input.
    now: Now,
}

impl<E: Engine> Traced<E> {
    /// Has an engine observed.
    pub fn new(mut engine: E, observer: Observer, now: Now) -> Traced<E> {
        if let Some(transitions) = engine.transitions() {
            transitions.keep();
        }
        Traced { engine, observer, now }
    }

    /// The engine inside.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// The engine inside, to be told what to do at that time.
    pub fn engine_mut(&mut self, now: Now) -> &mut E {
        self.at(now);
        &mut self.engine
    }

    /// Writes down what the transactions did, and goes on to a new time.
    fn at(&mut self, now: Now) {
        self.catch_up();
        self.now = now;
    }

    fn catch_up(&mut self) {
        self.observer.on_transitions(self.engine.transitions(), self.now);
    }
}

impl<E: Engine> Engine for Traced<E> {
    type Event = E::Event;

    fn handle_message(&mut self, message: Message, flow: Flow, now: Now) {
        self.at(now);
        self.observer.on_message(&message, &flow, now);
        self.engine.handle_message(message, flow, now);
    }

    fn handle_malformed(&mut self, bytes: &[u8], error: ParseError, flow: Flow, now: Now) {
        self.at(now);
        self.observer.on_malformed(bytes, &error, &flow, now);
        self.engine.handle_malformed(bytes, error, flow, now);
    }

    fn handle_flow_lost(&mut self, flow: Flow, now: Now) {
        self.at(now);
        self.observer.on_flow_lost(&flow, now);
        self.engine.handle_flow_lost(flow, now);
    }

    fn handle_send_failed(&mut self, ticket: Ticket, now: Now) {
        self.at(now);
        self.observer.on_send_failed(now);
        self.engine.handle_send_failed(ticket, now);
    }

    fn handle_answer(&mut self, question: &Question, answer: Answer, now: Now) {
        self.at(now);
        self.engine.handle_answer(question, answer, now);
    }

    fn handle_keep_alive(&mut self, reply: Reply, flow: Flow, now: Now) {
        self.at(now);
        self.engine.handle_keep_alive(reply, flow, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.at(now);
        self.engine.handle_timeout(now);
    }

    fn poll_output(&mut self) -> Output<E::Event> {
        let output = self.engine.poll_output();
        self.catch_up();
        if let Output::Transmit(transmit) = &output {
            self.observer.on_transmit(transmit, self.now);
        }
        output
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
