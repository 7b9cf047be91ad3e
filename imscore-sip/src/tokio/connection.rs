//! One TCP connection: messages out of its bytes, bytes that wait to be sent, and how long it may take over either.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::gate::Permit;
use super::mail::Sender;
use super::{Counters, Settings};
use crate::parse::{Frame, FrameError, Framer, Limits};
use crate::transport::Flow;

/// Messages written with one system call at most.
const SLICES: usize = 32;

/// What a message that waits costs beside its bytes.
const OVERHEAD: usize = 64;

/// Reads of one visit; then others have their turn.
const READS: usize = 4;

/// How long the peer has to read the last bytes of a connection that we close.
const LINGER: Duration = Duration::from_secs(2);

pub(super) struct Connection {
    pub(super) flow: Flow,
    pub(super) permit: Permit,
    /// The engine has seen the flow, and is told of its end.
    pub(super) used: bool,
    /// Other workers' engines have seen it too.
    pub(super) shared: bool,
    /// When its deadline is looked at next.
    pub(super) checked_at: Instant,
    stream: Stream,
    framer: Framer,
    waker: Waker,
    unsent: Unsent,
    phase: Phase,
    opened: Instant,
    /// The last byte, either way.
    last: Instant,
    message_since: Option<Instant>,
}

enum Stream {
    Connecting(Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>),
    Open(TcpStream),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Opened by the peer, which has not sent a byte yet.
    Silent,
    Connecting,
    Open,
    /// Nothing is read any more; what waits is sent, then nothing.
    Closing {
        since: Instant,
        shut: bool,
    },
}

/// What came of a visit.
pub(super) enum Visit {
    Message(Bytes),
    Malformed(FrameError),
    /// We opened it, and it is open.
    Opened,
    Ended(Ended),
    /// Others have their turn now.
    Yield,
    Pending,
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Never opened.
    Failed,
    /// By the peer, or by an error on the way.
    Lost,
    TimedOut,
    Overfull,
    /// By us, after everything was sent.
    Closed,
}

#[derive(Default)]
struct Unsent {
    queue: VecDeque<(Bytes, Option<Sender>)>,
    /// Bytes of the first that are sent.
    sent: usize,
    /// Bytes in the queue, and what holds them.
    size: usize,
    /// Since when nothing was taken.
    since: Option<Instant>,
}

impl Connection {
    /// One that a peer opened.
    pub(super) fn accepted(
        stream: TcpStream,
        flow: Flow,
        permit: Permit,
        waker: Waker,
        limits: &Limits,
        now: Instant,
    ) -> Connection {
        Connection::new(Stream::Open(stream), Phase::Silent, flow, permit, waker, limits, now)
    }

    /// One that we open.
    pub(super) fn opening(
        stream: impl Future<Output = io::Result<TcpStream>> + Send + 'static,
        flow: Flow,
        permit: Permit,
        waker: Waker,
        limits: &Limits,
        now: Instant,
    ) -> Connection {
        Connection::new(Stream::Connecting(Box::pin(stream)), Phase::Connecting, flow, permit, waker, limits, now)
    }

    fn new(
        stream: Stream,
        phase: Phase,
        flow: Flow,
        permit: Permit,
        waker: Waker,
        limits: &Limits,
        now: Instant,
    ) -> Connection {
        Connection {
            flow,
            permit,
            used: false,
            shared: false,
            checked_at: now,
            stream,
            framer: Framer::new(limits.clone()),
            waker,
            unsent: Unsent::default(),
            phase,
            opened: now,
            last: now,
            message_since: None,
        }
    }

    /// Goes on with what there is to read, or with opening.
    pub(super) fn visit(&mut self, buffer: &mut [u8], now: Instant, counters: &Counters) -> Visit {
        if let Stream::Connecting(opening) = &mut self.stream {
            return match opening.as_mut().poll(&mut Context::from_waker(&self.waker)) {
                Poll::Ready(Ok(stream)) => {
                    self.stream = Stream::Open(stream);
                    self.phase = Phase::Open;
                    self.last = now;
                    Visit::Opened
                }
                Poll::Ready(Err(_)) => Visit::Ended(Ended::Failed),
                Poll::Pending => Visit::Pending,
            };
        }
        for _ in 0..READS {
            if let Some(visit) = self.is_open().then(|| self.framed(counters)).flatten() {
                // The next message has its own time, if it has begun already.
                self.message_since = None;
                return visit;
            }
            self.message_since = self.framer.is_in_message().then(|| self.message_since.unwrap_or(now));
            let Stream::Open(stream) = &mut self.stream else {
                return Visit::Pending;
            };
            let mut read = ReadBuf::new(buffer);
            match Pin::new(stream).poll_read(&mut Context::from_waker(&self.waker), &mut read) {
                Poll::Ready(Ok(())) if read.filled().is_empty() => return Visit::Ended(self.ended_by_peer()),
                Poll::Ready(Ok(())) => self.take(read.filled(), now, counters),
                Poll::Ready(Err(_)) => return Visit::Ended(self.ended_by_peer()),
                Poll::Pending => return Visit::Pending,
            }
        }
        Visit::Yield
    }

    /// The next message of what was read.
    fn framed(&mut self, counters: &Counters) -> Option<Visit> {
        let mut pinged = false;
        let visit = loop {
            match self.framer.next_frame() {
                Ok(Some(Frame::Message(bytes))) => break Some(Visit::Message(bytes)),
                Ok(Some(Frame::Ping)) => {
                    counters.keep_alives.one();
                    pinged = true;
                }
                Ok(Some(Frame::Pong)) => {}
                Ok(None) => break None,
                Err(error) => break Some(Visit::Malformed(error)),
            }
        };
        if pinged {
            // RFC 5626 §4.4.1. Whoever asks many times at once gets one answer.
            self.unsent.push(Bytes::from_static(b"\r\n"), None);
        }
        visit
    }

    fn take(&mut self, bytes: &[u8], now: Instant, counters: &Counters) {
        counters.bytes_in.add(bytes.len());
        match self.phase {
            Phase::Closing { .. } => return,
            Phase::Silent => self.phase = Phase::Open,
            Phase::Connecting | Phase::Open => {}
        }
        self.last = now;
        self.framer.push(bytes);
    }

    fn ended_by_peer(&self) -> Ended {
        if matches!(self.phase, Phase::Closing { .. }) { Ended::Closed } else { Ended::Lost }
    }

    /// Puts a message behind those that wait.
    pub(super) fn send(&mut self, bytes: Bytes, sender: Option<Sender>) {
        if !bytes.is_empty() {
            self.unsent.push(bytes, sender);
        }
    }

    /// True where something waits that the next [`flush`](Connection::flush) may send.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.queue.is_empty()
    }

    /// True where more may be sent.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Closing { .. })
    }

    /// Writes what waits, as much as the kernel takes. `Some`: the connection is over.
    pub(super) fn flush(&mut self, now: Instant, settings: &Settings, counters: &Counters) -> Option<Ended> {
        let Stream::Open(stream) = &mut self.stream else {
            return (self.unsent.size > settings.unsent).then_some(Ended::Overfull);
        };
        let mut context = Context::from_waker(&self.waker);
        while !self.unsent.queue.is_empty() {
            let written = {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let count = self.unsent.fill(&mut slices);
                Pin::new(&mut *stream).poll_write_vectored(&mut context, &slices[..count])
            };
            match written {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return Some(self.ended_by_peer()),
                Poll::Ready(Ok(count)) => {
                    counters.bytes_out.add(count);
                    self.unsent.consume(count);
                    self.unsent.since = None;
                    self.last = now;
                }
                Poll::Pending => {
                    self.unsent.since.get_or_insert(now);
                    return (self.unsent.size > settings.unsent).then_some(Ended::Overfull);
                }
            }
        }
        if let Phase::Closing { shut, .. } = &mut self.phase
            && !std::mem::replace(shut, true)
        {
            // What the peer still sends is read, or its reset would overtake our last bytes.
            let _ = Pin::new(stream).poll_shutdown(&mut context);
        }
        None
    }

    /// Sends what waits and nothing more; reads nothing more.
    pub(super) fn close(&mut self, now: Instant) {
        if self.is_open() {
            self.phase = Phase::Closing { since: now, shut: false };
        }
    }

    /// When it has taken too long.
    pub(super) fn deadline(&self, settings: &Settings, known: bool) -> Instant {
        let quiet = match self.phase {
            Phase::Silent => self.opened + settings.first_byte,
            Phase::Connecting => self.opened + settings.connect,
            Phase::Closing { since, .. } => since + LINGER,
            Phase::Open if known => self.last + settings.idle_known,
            Phase::Open => self.last + settings.idle,
        };
        let message = self.message_since.map(|since| since + settings.whole_message);
        let stalled = self.unsent.since.map(|since| since + settings.stalled);
        [message, stalled].into_iter().flatten().fold(quiet, Instant::min)
    }

    /// How it ends when its deadline has come.
    pub(super) fn expired(&self) -> Ended {
        match self.phase {
            Phase::Connecting => Ended::Failed,
            Phase::Closing { .. } => Ended::Closed,
            Phase::Silent | Phase::Open => Ended::TimedOut,
        }
    }

    /// Those who wait for what was not sent.
    pub(super) fn unsent(&mut self) -> impl Iterator<Item = Option<Sender>> {
        std::mem::take(&mut self.unsent.queue).into_iter().map(|(_, sender)| sender)
    }
}

impl Unsent {
    fn push(&mut self, bytes: Bytes, sender: Option<Sender>) {
        self.size += bytes.len() + OVERHEAD;
        self.queue.push_back((bytes, sender));
    }

    /// The next bytes to send, in up to as many pieces as there is room for.
    fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES]) -> usize {
        let mut skip = self.sent;
        let mut count = 0;
        for ((bytes, _), slice) in self.queue.iter().zip(slices) {
            *slice = IoSlice::new(&bytes[skip..]);
            skip = 0;
            count += 1;
        }
        count
    }

    fn consume(&mut self, mut count: usize) {
        while let Some((bytes, _)) = self.queue.front() {
            let rest = bytes.len() - self.sent;
            if count < rest {
                self.sent += count;
                return;
            }
            count -= rest;
            self.sent = 0;
            self.size -= bytes.len() + OVERHEAD;
            self.queue.pop_front();
        }
    }
}
