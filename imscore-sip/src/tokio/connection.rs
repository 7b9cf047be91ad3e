//! One connection: messages out of its bytes, bytes that wait to be sent, and how long it may take over either.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use super::gate::Permit;
use super::mail::Sender;
use super::wire::{Carrier, Opening, Wire};
use super::{Counters, Settings};
use crate::parse::{Frame, FrameError, Framer, Limits};
use crate::transport::keep_alive::{PING, PONG};
use crate::transport::{Flow, Transport};

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
    /// Whom we have opened it to.
    pub(super) name: Option<ByteString>,
    /// Closed, for those who watch it, once nothing more can be sent.
    pub(super) watched: Option<watch::Sender<()>>,
    /// The address that its peer says it listens on, where requests to it may go this way (RFC 5923).
    pub(super) alias: Option<SocketAddr>,
    /// When its deadline is looked at next.
    pub(super) checked_at: Instant,
    accepted: bool,
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
    Opening(Opening),
    Open(Carrier),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Opened by the peer, which has not sent a byte yet.
    Silent,
    Connecting,
    /// Opened by the peer, with which we do not speak SIP yet.
    Handshake,
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
    /// What we asked for with a ping.
    Pong,
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
    /// Opened by a peer that did not come to speak SIP.
    Unfit,
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
    /// More was taken than has left.
    flushing: bool,
}

impl Connection {
    /// One that a peer opened, and maybe what comes before it speaks SIP.
    pub(super) fn accepted(
        stream: Result<Opening, Carrier>,
        flow: Flow,
        permit: Permit,
        waker: Waker,
        limits: &Limits,
        now: Instant,
    ) -> Connection {
        let (stream, phase) = match stream {
            Ok(opening) => (Stream::Opening(opening), Phase::Handshake),
            Err(carrier) => (Stream::Open(carrier), Phase::Silent),
        };
        Connection::new(stream, phase, flow, permit, waker, limits, now)
    }

    /// One that we open.
    pub(super) fn opening(
        opening: Opening,
        flow: Flow,
        permit: Permit,
        waker: Waker,
        limits: &Limits,
        now: Instant,
    ) -> Connection {
        Connection::new(Stream::Opening(opening), Phase::Connecting, flow, permit, waker, limits, now)
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
            name: None,
            watched: None,
            alias: None,
            checked_at: now,
            accepted: phase != Phase::Connecting,
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
        match &mut self.stream {
            Stream::Opening(opening) => match opening.as_mut().poll(&mut Context::from_waker(&self.waker)) {
                Poll::Ready(Ok(carrier)) => {
                    self.stream = Stream::Open(carrier);
                    self.last = now;
                    // There may be something to read already, of which nobody tells.
                    self.waker.wake_by_ref();
                    if self.phase == Phase::Handshake {
                        (self.phase, self.opened) = (Phase::Silent, now);
                        return Visit::Pending;
                    }
                    self.phase = Phase::Open;
                    Visit::Opened
                }
                Poll::Ready(Err(_)) => Visit::Ended(self.unopened()),
                Poll::Pending => Visit::Pending,
            },
            Stream::Open(Carrier::Stream(_)) => self.visit_stream(buffer, now, counters),
            #[cfg(feature = "ws")]
            Stream::Open(Carrier::Frames(_)) => self.visit_frames(buffer, now, counters),
        }
    }

    fn visit_stream(&mut self, buffer: &mut [u8], now: Instant, counters: &Counters) -> Visit {
        for _ in 0..READS {
            if let Some(visit) = self.is_open().then(|| self.framed(counters)).flatten() {
                // The next message has its own time, if it has begun already.
                self.message_since = None;
                return visit;
            }
            self.message_since = self.framer.is_in_message().then(|| self.message_since.unwrap_or(now));
            let read = match &mut self.stream {
                Stream::Open(Carrier::Stream(wire)) => {
                    let mut read = ReadBuf::new(buffer);
                    let polled = Pin::new(wire).poll_read(&mut Context::from_waker(&self.waker), &mut read);
                    polled.map_ok(|()| read.filled().len())
                }
                #[cfg(feature = "ws")]
                Stream::Open(Carrier::Frames(_)) => return Visit::Pending,
                Stream::Opening(_) => return Visit::Pending,
            };
            match read {
                Poll::Ready(Ok(0) | Err(_)) => return Visit::Ended(self.ended_by_peer()),
                Poll::Ready(Ok(length)) => self.take(&buffer[..length], now, counters),
                Poll::Pending => return Visit::Pending,
            }
        }
        Visit::Yield
    }

    /// Each frame is a message (RFC 7118 §5.1), so that no message is waited for.
    #[cfg(feature = "ws")]
    fn visit_frames(&mut self, buffer: &mut [u8], now: Instant, counters: &Counters) -> Visit {
        use super::ws::Frame;
        use crate::parse::{Fault, ParseError};
        let is_open = self.is_open();
        let Stream::Open(Carrier::Frames(frames)) = &mut self.stream else {
            return Visit::Pending;
        };
        let mut context = Context::from_waker(&self.waker);
        if !is_open {
            return match frames.poll_discard(&mut context, buffer) {
                Poll::Ready(()) => Visit::Ended(Ended::Closed),
                Poll::Pending => Visit::Pending,
            };
        }
        for _ in 0..READS {
            let frame = frames.poll_next(&mut context, now);
            if !matches!(frame, Poll::Pending) {
                (self.last, self.phase) = (now, Phase::Open);
                // A ping is answered as it is read, and so is a close.
                self.unsent.flushing = true;
            }
            match frame {
                Poll::Ready(Some(Frame::Message(bytes))) => {
                    counters.bytes_in.add(bytes.len());
                    return Visit::Message(bytes);
                }
                Poll::Ready(Some(Frame::Pong)) => return Visit::Pong,
                Poll::Ready(Some(Frame::EmptyLines)) => {
                    counters.keep_alives.one();
                    self.unsent.push(Bytes::from_static(PONG), None);
                }
                Poll::Ready(Some(Frame::KeepAlive)) => counters.keep_alives.one(),
                Poll::Ready(Some(Frame::Violation)) => {
                    let error = ParseError { offset: 0, fault: Fault::StartLine };
                    return Visit::Malformed(FrameError { bytes: Bytes::new(), error });
                }
                Poll::Ready(None) => return Visit::Ended(self.ended_by_peer()),
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
                Ok(Some(Frame::Pong)) => break Some(Visit::Pong),
                Ok(None) => break None,
                Err(error) => break Some(Visit::Malformed(error)),
            }
        };
        if pinged {
            // RFC 5626 §4.4.1. Whoever asks many times at once gets one answer.
            self.unsent.push(Bytes::from_static(PONG), None);
        }
        visit
    }

    fn take(&mut self, bytes: &[u8], now: Instant, counters: &Counters) {
        counters.bytes_in.add(bytes.len());
        match self.phase {
            Phase::Closing { .. } => return,
            Phase::Silent => self.phase = Phase::Open,
            Phase::Connecting | Phase::Handshake | Phase::Open => {}
        }
        self.last = now;
        self.framer.push(bytes);
    }

    fn unopened(&self) -> Ended {
        if self.phase == Phase::Handshake { Ended::Unfit } else { Ended::Failed }
    }

    fn ended_by_peer(&self) -> Ended {
        if matches!(self.phase, Phase::Closing { .. }) { Ended::Closed } else { Ended::Lost }
    }

    /// Puts a message behind those that wait.
    pub(super) fn send(&mut self, bytes: Bytes, sender: Option<Sender>) {
        if bytes == PING {
            self.framer.ping_sent();
        }
        if !bytes.is_empty() {
            self.unsent.push(bytes, sender);
        }
    }

    /// True where something waits that the next [`flush`](Connection::flush) may send.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.queue.is_empty() || self.unsent.flushing
    }

    /// True where the peer opened it.
    pub(super) fn is_accepted(&self) -> bool {
        self.accepted
    }

    /// True where more may be sent.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Closing { .. })
    }

    /// Writes what waits, as much as the kernel takes. `Some`: the connection is over.
    pub(super) fn flush(&mut self, now: Instant, settings: &Settings, counters: &Counters) -> Option<Ended> {
        let Stream::Open(carrier) = &mut self.stream else {
            return (self.unsent.size > settings.unsent).then_some(Ended::Overfull);
        };
        let mut context = Context::from_waker(&self.waker);
        let written = match carrier {
            Carrier::Stream(wire) => self.unsent.write(wire, &mut context, counters),
            #[cfg(feature = "ws")]
            Carrier::Frames(frames) => self.unsent.write_frames(frames, &mut context, counters),
        };
        match written {
            Poll::Ready(Ok(0)) => self.unsent.since = None,
            Poll::Ready(Ok(_)) => (self.unsent.since, self.last) = (None, now),
            Poll::Ready(Err(_)) => return Some(self.ended_by_peer()),
            Poll::Pending => {
                self.unsent.since.get_or_insert(now);
                return (self.unsent.size > settings.unsent).then_some(Ended::Overfull);
            }
        }
        if let Phase::Closing { shut, .. } = &mut self.phase
            && !*shut
        {
            // What the peer still sends is read, or its reset would overtake our last bytes.
            *shut = match carrier {
                Carrier::Stream(wire) => Pin::new(wire).poll_shutdown(&mut context).is_ready(),
                #[cfg(feature = "ws")]
                Carrier::Frames(frames) => frames.poll_shutdown(&mut context).is_ready(),
            };
            self.unsent.flushing = !*shut;
        }
        None
    }

    /// Whether the peer has shown, in a certificate that is trusted, to be whom a connection to that address is to reach.
    pub(super) fn proves(&self, name: Option<&str>, address: SocketAddr) -> bool {
        let _ = (name, address);
        match &self.stream {
            #[cfg(feature = "tls")]
            Stream::Open(Carrier::Stream(Wire::Tls(stream))) => super::tls::proves(stream, name, address.ip()),
            Stream::Open(_) | Stream::Opening(_) => false,
        }
    }

    /// Sends what waits and nothing more; reads nothing more.
    pub(super) fn close(&mut self, now: Instant) {
        if self.is_open() {
            self.phase = Phase::Closing { since: now, shut: false };
            self.watched = None;
        }
    }

    /// When it has taken too long.
    pub(super) fn deadline(&self, settings: &Settings, known: bool) -> Instant {
        let quiet = match self.phase {
            Phase::Silent => self.opened + settings.first_byte,
            Phase::Connecting if self.flow.transport == Transport::Tcp => self.opened + settings.connect,
            Phase::Connecting => self.opened + settings.connect + settings.handshake,
            Phase::Handshake => self.opened + settings.handshake,
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
            Phase::Silent | Phase::Handshake | Phase::Open => Ended::TimedOut,
        }
    }

    /// Those who wait for what was not sent.
    pub(super) fn unsent(&mut self) -> impl Iterator<Item = Option<Sender>> {
        std::mem::take(&mut self.unsent.queue).into_iter().map(|(_, sender)| sender)
    }
}

impl Unsent {
    /// Writes all and sees it leave: how many bytes. `Pending`: not all, and the time of a peer that does not read is
    /// running unless some were taken.
    fn write(&mut self, wire: &mut Wire, context: &mut Context<'_>, counters: &Counters) -> Poll<io::Result<usize>> {
        let mut total = 0;
        while !self.queue.is_empty() {
            let written = {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let count = self.fill(&mut slices);
                Pin::new(&mut *wire).poll_write_vectored(context, &slices[..count])
            };
            match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    counters.bytes_out.add(count);
                    self.consume(count);
                    (self.since, self.flushing) = (None, true);
                    total += count;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.flushing {
            match Pin::new(wire).poll_flush(context) {
                Poll::Ready(Ok(())) => self.flushing = false,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(total))
    }

    /// The same, each message in a frame.
    #[cfg(feature = "ws")]
    fn write_frames(
        &mut self,
        frames: &mut super::ws::Frames,
        context: &mut Context<'_>,
        counters: &Counters,
    ) -> Poll<io::Result<usize>> {
        let mut total = 0;
        while let Some((bytes, _)) = self.queue.front() {
            match frames.poll_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                Poll::Pending => return Poll::Pending,
            }
            let length = bytes.len();
            if let Err(error) = frames.start_send(bytes.clone()) {
                return Poll::Ready(Err(io::Error::other(error)));
            }
            counters.bytes_out.add(length);
            self.consume(length);
            (self.since, self.flushing) = (None, true);
            total += length;
        }
        if self.flushing {
            match frames.poll_flush(context) {
                Poll::Ready(Ok(())) => self.flushing = false,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(total))
    }

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
