//! The contract between an engine and what drives it.
//!
//! An engine has no socket, task or clock. Give it one input (`handle_*`), then call [`Engine::poll_output`] until it
//! says [`Output::Wait`]; wait for bytes, for an answer, for that moment, or for the waker, and begin again. The driver
//! under `imscore_sip::tokio` does this with sockets, `testing::Network` in virtual time.

use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;
use bytestring::ByteString;

use crate::message::Message;
use crate::now::Now;
use crate::parse::ParseError;
use crate::resolve::{Answer, Question};
use crate::transaction::Transitions;
use crate::transport::Flow;
use crate::transport::keep_alive::Reply;

/// A state machine that a driver feeds.
pub trait Engine {
    /// What it tells whoever owns it.
    type Event;

    /// A message came in.
    fn handle_message(&mut self, message: Message, flow: Flow, now: Now);

    /// Bytes came in that are no SIP message. The driver closes the connection they came on.
    fn handle_malformed(&mut self, bytes: &[u8], error: ParseError, flow: Flow, now: Now);

    /// A connection is gone, or never came to be.
    fn handle_flow_lost(&mut self, flow: Flow, now: Now);

    /// A [`Transmit`] with a ticket could not be sent.
    fn handle_send_failed(&mut self, ticket: Ticket, now: Now);

    /// What a name server says to an [`Output::Ask`]; [`Answer::Failed`] at once from a driver that has none. Engines that
    /// ask nothing need not have it.
    fn handle_answer(&mut self, _question: &Question, _answer: Answer, _now: Now) {}

    /// A keep-alive that the engine sent ([`transport::keep_alive`](crate::transport::keep_alive)) was answered. Those of peers
    /// are answered by the driver, and no engine sees them.
    fn handle_keep_alive(&mut self, _reply: Reply, _flow: Flow, _now: Now) {}

    /// The moment of the last [`Output::Wait`] has come, or the waker was called.
    fn handle_timeout(&mut self, now: Now);

    /// The next thing to do.
    fn poll_output(&mut self) -> Output<Self::Event>;

    /// What to call when the engine has something to do before its deadline. Engines that run no futures need none.
    fn set_waker(&mut self, _waker: Waker) {}

    /// What its transactions did, for a trace. An engine hands out those of the transaction layer inside it, where it
    /// has one.
    fn transitions(&mut self) -> Option<&mut Transitions> {
        None
    }

    /// True where the peer of a flow has proved who it is, by a registration for instance. Such a connection may be
    /// idle for long, and does not count among those of strangers.
    fn is_known(&self, _flow: &Flow) -> bool {
        false
    }

    /// The worker that a message belongs to, where several engines share the listeners.
    fn owner(&self, _message: &Message) -> Option<usize> {
        None
    }
}

/// So that engines of several types can stand in one table.
impl<G: Engine + ?Sized> Engine for Box<G> {
    type Event = G::Event;

    fn handle_message(&mut self, message: Message, flow: Flow, now: Now) {
        (**self).handle_message(message, flow, now);
    }

    fn handle_malformed(&mut self, bytes: &[u8], error: ParseError, flow: Flow, now: Now) {
        (**self).handle_malformed(bytes, error, flow, now);
    }

    fn handle_flow_lost(&mut self, flow: Flow, now: Now) {
        (**self).handle_flow_lost(flow, now);
    }

    fn handle_send_failed(&mut self, ticket: Ticket, now: Now) {
        (**self).handle_send_failed(ticket, now);
    }

    fn handle_answer(&mut self, question: &Question, answer: Answer, now: Now) {
        (**self).handle_answer(question, answer, now);
    }

    fn handle_keep_alive(&mut self, reply: Reply, flow: Flow, now: Now) {
        (**self).handle_keep_alive(reply, flow, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        (**self).handle_timeout(now);
    }

    fn poll_output(&mut self) -> Output<G::Event> {
        (**self).poll_output()
    }

    fn set_waker(&mut self, waker: Waker) {
        (**self).set_waker(waker);
    }

    fn transitions(&mut self) -> Option<&mut Transitions> {
        (**self).transitions()
    }

    fn is_known(&self, flow: &Flow) -> bool {
        (**self).is_known(flow)
    }

    fn owner(&self, message: &Message) -> Option<usize> {
        (**self).owner(message)
    }
}

/// What an engine wants done.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Output<E> {
    /// Bytes to send.
    Transmit(Transmit),
    /// A connection to let go: what waits for it is sent, then nothing, and nothing more is read. The engine is told of its
    /// end ([`Engine::handle_flow_lost`]). UDP has none.
    Close(Flow),
    /// Something for the owner of the engine.
    Event(E),
    /// A question for a name server. Nothing else waits for the answer, which comes by [`Engine::handle_answer`].
    Ask(Question),
    /// Nothing now: call [`Engine::handle_timeout`] at this moment, where there is one.
    Wait(Option<Instant>),
}

/// One message to send.
#[derive(Clone, Debug)]
pub struct Transmit {
    /// By which way.
    pub flow: Flow,
    /// The domain that whoever is there must prove to be (RFC 5922 §7.3), where the flow names no connection and is a secure one. A
    /// connection to another domain is not used, though the address is the same.
    pub domain: Option<ByteString>,
    /// A whole message.
    pub bytes: Bytes,
    /// Whom to tell when it cannot be sent.
    pub ticket: Option<Ticket>,
}

/// Names the sender of a [`Transmit`] to the engine that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);
