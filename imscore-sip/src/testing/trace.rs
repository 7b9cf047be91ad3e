//! What was sent in a test network: the last messages as they were, all of them as a hash.

use std::collections::VecDeque;
use std::fmt;
use std::hash::Hasher;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use siphasher::sip::SipHasher13;

use crate::message::Message;
use crate::transport::Transport;

/// One end of a message: the host's name, and its address as the other end sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The host, or the label of its address; empty where nobody has the address.
    pub name: ByteString,
    /// Where.
    pub address: SocketAddr,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.is_empty() {
            true => write!(f, "{}", self.address),
            false => f.write_str(&self.name),
        }
    }
}

/// A message that a host sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When, since the network was made.
    pub at: Duration,
    /// Its place among everything that happened.
    pub number: u64,
    /// By whom.
    pub from: Endpoint,
    /// To whom.
    pub to: Endpoint,
    /// How.
    pub transport: Transport,
    /// What.
    pub bytes: Bytes,
    /// How many copies arrive: 0 is lost, 2 is doubled. 1 on a stream.
    pub copies: usize,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fate = match self.copies {
            0 => " lost",
            1 => "",
            _ => " doubled",
        };
        let Sent { from, to, transport, .. } = self;
        writeln!(f, "{} {from} -> {to} {transport}{fate}", Seconds(self.at))?;
        f.write_str(&String::from_utf8_lossy(&self.bytes))
    }
}

impl Sent {
    /// The message, where the bytes are one.
    pub fn message(&self) -> Option<Message> {
        Message::parse(self.bytes.clone()).ok()
    }
}

/// Everything that hosts sent, in order.
///
/// As text it is the last messages, 10,000 unless [`Trace::keep`] says otherwise; the hash is over all.
#[derive(Clone)]
pub struct Trace {
    sent: VecDeque<Sent>,
    kept: usize,
    hasher: SipHasher13,
    count: u64,
}

impl Trace {
    pub(super) fn new() -> Trace {
        Trace { sent: VecDeque::new(), kept: 10_000, hasher: SipHasher13::new(), count: 0 }
    }

    /// How many messages are kept as they were.
    pub fn keep(&mut self, messages: usize) {
        self.kept = messages;
        self.sent.drain(..self.sent.len().saturating_sub(messages));
    }

    /// The messages that are kept.
    pub fn sent(&self) -> impl DoubleEndedIterator<Item = &Sent> {
        self.sent.iter()
    }

    /// The messages, of those that are kept, whose number is that or higher.
    pub(super) fn since(&self, number: u64) -> impl Iterator<Item = &Sent> {
        let first = self.sent.partition_point(|sent| sent.number < number);
        self.sent.range(first..)
    }

    /// How many messages were sent in all.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// A hash over the time, the ends, the fate and the bytes of every message.
    pub fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    pub(super) fn push(&mut self, sent: Sent) {
        self.count += 1;
        self.hasher.write_u64(sent.at.as_nanos() as u64);
        for end in [&sent.from, &sent.to] {
            self.hasher.write(end.to_string().as_bytes());
            self.hasher.write(end.address.to_string().as_bytes());
        }
        self.hasher.write(sent.transport.as_str().as_bytes());
        self.hasher.write_usize(sent.copies);
        self.hasher.write_usize(sent.bytes.len());
        self.hasher.write(&sent.bytes);
        if self.sent.len() == self.kept {
            self.sent.pop_front();
        }
        if self.kept > 0 {
            self.sent.push_back(sent);
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sent.iter().try_for_each(|sent| writeln!(f, "{sent}"))
    }
}

/// A time as seconds with as many decimals as it needs, three at least.
pub(super) struct Seconds(pub(super) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_nanos() % 1_000_000 {
            0 => write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis()),
            _ => write!(f, "{}.{:09}", self.0.as_secs(), self.0.subsec_nanos()),
        }
    }
}
