//! What workers tell each other, each by a bounded queue.

use tokio::sync::mpsc;

use crate::engine::{Ticket, Transmit};
use crate::message::Message;
use crate::transport::{ConnectionId, Flow};

/// Where the worker's number begins in a connection's; below it they are counted.
const WORKER: u32 = 48;

pub(super) enum Mail {
    /// A message that came in here and belongs there.
    Message(Box<(Message, Flow)>),
    /// Bytes for a connection that is held there.
    Send(Box<Transmit>, Origin),
    /// A connection that is held there, to let go.
    Close(ConnectionId),
    /// Bytes of theirs could not be sent.
    Failed(Ticket),
    /// A flow that they have seen is lost.
    Lost(Flow),
}

/// The worker whose engine wants something sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin(pub(super) usize);

/// Whom to tell that something could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sender {
    pub(super) origin: Origin,
    pub(super) ticket: Ticket,
}

/// One worker's place among all: what comes in, and where the others are.
pub(super) struct Post {
    pub(super) worker: usize,
    inbox: mpsc::Receiver<Mail>,
    outboxes: Vec<mpsc::Sender<Mail>>,
}

impl Post {
    /// As many as there are workers; `room` is how much mail may wait for each.
    pub(super) fn offices(workers: usize, room: usize) -> Vec<Post> {
        let (outboxes, inboxes): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::channel(room.max(1))).unzip();
        let posts = inboxes.into_iter().enumerate();
        posts.map(|(worker, inbox)| Post { worker, inbox, outboxes: outboxes.clone() }).collect()
    }

    /// Mail for this worker.
    pub(super) fn poll(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Option<Mail>> {
        self.inbox.poll_recv(context)
    }

    /// Mail to another worker. `Err`: it has no room, or is gone.
    pub(super) fn send(&self, to: usize, mail: Mail) -> Result<(), Mail> {
        match self.outboxes.get(to) {
            Some(outbox) if to != self.worker => outbox.try_send(mail).map_err(|error| error.into_inner()),
            Some(_) | None => Err(mail),
        }
    }

    /// The same to all others, as far as they have room.
    pub(super) fn broadcast(&self, mail: impl Fn() -> Mail) {
        for to in (0..self.outboxes.len()).filter(|to| *to != self.worker) {
            // Whoever has no room finds out by silence.
            let _ = self.send(to, mail());
        }
    }

    /// True where there are others.
    pub(super) fn has_others(&self) -> bool {
        self.outboxes.len() > 1
    }
}

/// The number of the `count`th connection of a worker.
pub(super) fn connection_id(worker: usize, count: u64) -> ConnectionId {
    let number = (worker as u64) << WORKER | count;
    ConnectionId(std::num::NonZeroU64::new(number).unwrap_or(std::num::NonZeroU64::MIN))
}

/// The worker that holds a connection.
pub(super) fn worker_of(connection: ConnectionId) -> usize {
    (connection.0.get() >> WORKER) as usize
}
