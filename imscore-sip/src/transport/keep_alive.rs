//! Keep-alives that we send: what on which transport, how often, and what says that a flow is gone (RFC 5626 §4.4).
//!
//! A [`KeepAlive`] is that of one flow. It has no clock and no randomness: each [`Step`] says what is to be sent, and after how
//! long to call [`KeepAlive::due`] again; the owner sets that timer on the wheel that it has. Replys come from the driver, by
//! [`Engine::handle_keep_alive`](crate::Engine::handle_keep_alive).
//!
//! ```text
//!              due: ping               pong
//!   Resting ──────────────▶ Pinged ──────────▶ Resting
//!                             └── 10 s ──▶ failed
//!
//!              due: request            its answer, from the address as before
//!   Resting ──────────────▶ Asked ───────────▶ Resting
//!                           ▲ └┤ due: once more, up to seven times
//!                           └──┴── no answer, an error, another address ──▶ failed
//! ```
//!
//! ```
//! use imscore_sip::transport::keep_alive::{Interval, KeepAlive, PING, Reply, Step};
//! use imscore_sip::transport::{Flow, ListenerId, Transport};
//!
//! let remote = "192.0.2.9:5060".parse()?;
//! let flow = Flow { transport: Transport::Tcp, listener: ListenerId(0), remote, connection: None };
//! let mut keep_alive = KeepAlive::new(flow, Interval::of(Transport::Tcp));
//! // After 95 to 120 s:
//! let Step::Send { bytes, .. } = keep_alive.due([7, 7]) else { panic!("a ping") };
//! assert_eq!(&bytes[..], PING);
//! assert!(matches!(keep_alive.answered(&Reply::Pong, 7), Some(Step::Rest(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::stun::{Binding, Class, is_stun};
use super::{Flow, Transport, is_one_peer};
use crate::header::{FlowTimer, Via};
use crate::message::Response;

/// What asks on a stream whether the peer is there (RFC 5626 §3.5.1). On a WebSocket a ping frame does (RFC 7118 §6), which the
/// driver puts in its place.
pub const PING: &[u8] = b"\r\n\r\n";

/// What answers a [`PING`].
pub const PONG: &[u8] = b"\r\n";

/// How long a pong may take (RFC 5626 §4.4.1).
///
/// The clause lets a pong count that stands behind a message which is still being read when the time is over. Here it does not:
/// a line that needs ten seconds for a message carries no calls.
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// The first wait for an answer to a STUN request; each next is twice as long (RFC 8489 §6.2.1).
const RTO: Duration = Duration::from_millis(500);

/// How often a STUN request is sent, and how many times [`RTO`] the last waits: Rc and Rm of RFC 8489 §6.2.1.
const REQUESTS: u32 = 7;
const LAST_WAIT: u32 = 16;

/// A peer that asks for more gets no more: an answer may take as long as this.
const SHORTEST: u32 = 10;

/// A peer that asks for less gets no less: a day.
const LONGEST: u32 = 86_400;

/// The answer to a keep-alive of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// On a stream or a WebSocket.
    Pong,
    /// On UDP: a [`Class::Success`] or [`Class::Error`].
    Binding(Binding),
}

/// What a datagram is, on a socket where SIP is spoken.
///
/// ```
/// use imscore_sip::transport::keep_alive::{Datagram, Failure, Interval, KeepAlive, Step, sort};
/// use imscore_sip::transport::stun::{Binding, StunError};
/// use imscore_sip::transport::{Flow, ListenerId, Transport};
///
/// let phone = "203.0.113.9:40000".parse()?;
/// assert_eq!(sort(b"\r\n\r\n", phone), Datagram::Empty);
/// assert_eq!(sort(b"OPTIONS sip:h SIP/2.0\r\n\r\n", phone), Datagram::Message);
/// assert!(matches!(sort(&Binding::request([7; 12]).to_bytes(), phone), Datagram::Request(_)));
/// assert!(matches!(Binding::read(b"OPTIONS"), Err(StunError::NotStun)));
///
/// let flow = Flow { transport: Transport::Tcp, listener: ListenerId(0), remote: phone, connection: None };
/// let mut keep_alive = KeepAlive::new(flow, Interval::of(Transport::Tcp));
/// keep_alive.due([7, 7]);
/// assert_eq!(keep_alive.due([7, 7]), Step::Failed(Failure::Silence), "no pong in ten seconds");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datagram {
    /// SIP, or nothing that is known.
    Message,
    /// A STUN request, and the datagram that answers it (RFC 5626 §4.4.2).
    Request(Bytes),
    /// For [`Engine::handle_keep_alive`](crate::Engine::handle_keep_alive).
    Reply(Reply),
    /// What keeps a binding in a NAT open and is not answered: up to four bytes of empty lines and zeros as phones send them, an
    /// indication, STUN that is broken.
    Empty,
}

/// What a datagram is that came from there.
pub fn sort(datagram: &[u8], from: SocketAddr) -> Datagram {
    if !is_stun(datagram) {
        let is_empty = datagram.len() <= 4 && datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0));
        return if is_empty { Datagram::Empty } else { Datagram::Message };
    }
    let Ok(binding) = Binding::read(datagram) else { return Datagram::Empty };
    match binding.class {
        Class::Request if is_one_peer(&from) => {
            binding.answer(from).map_or(Datagram::Empty, |answer| Datagram::Request(answer.to_bytes().into()))
        }
        Class::Success | Class::Error => Datagram::Reply(Reply::Binding(binding)),
        Class::Request | Class::Indication => Datagram::Empty,
    }
}

/// The time between two keep-alives, which is drawn anew each time so that phones do not fall into step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    shortest: Duration,
    longest: Duration,
}

impl Interval {
    /// Where the peer names none: 95 to 120 s (RFC 5626 §4.4.1), on UDP 24 to 29 s (§4.4.2), since many a NAT forgets a UDP flow
    /// after 30 s.
    pub fn of(transport: Transport) -> Interval {
        let (shortest, longest) = if transport.is_reliable() { (95, 120) } else { (24, 29) };
        Interval { shortest: Duration::from_secs(shortest), longest: Duration::from_secs(longest) }
    }

    /// From four fifths of what a peer names, in seconds, to all of it (RFC 5626 §4.4, RFC 6223 §5); 10 s at least and a day
    /// at most, whatever it names.
    pub fn within(seconds: u32) -> Interval {
        let longest = Duration::from_secs(seconds.clamp(SHORTEST, LONGEST).into());
        Interval { shortest: longest * 4 / 5, longest }
    }

    /// What the 2xx to a REGISTER asks for that came by `transport` and has our own Via on top: Flow-Timer goes before `keep`,
    /// and outbound alone asks for the defaults, as does a `keep` of 0 (RFC 5626 §4.4, RFC 6223 §5). `None`: the peer did not
    /// say that it understands any.
    pub fn asked_for(response: &Response, transport: Transport) -> Option<Interval> {
        if let Ok(FlowTimer(seconds)) = response.headers.first() {
            return Some(Interval::within(seconds));
        }
        let via: Option<Via> = response.headers.first().ok();
        match via.and_then(|via| via.params().get("keep")?.parse().ok()) {
            Some(0) => Some(Interval::of(transport)),
            Some(seconds) => Some(Interval::within(seconds)),
            None => response.headers.requires("outbound").then(|| Interval::of(transport)),
        }
    }

    /// One of the times.
    pub fn draw(&self, random: u64) -> Duration {
        let span = (self.longest - self.shortest).as_millis() as u64;
        self.shortest + Duration::from_millis(random % (span + 1))
    }
}

/// Keeps one flow alive.
#[derive(Clone, Debug)]
pub struct KeepAlive {
    flow: Flow,
    interval: Interval,
    state: State,
    /// Where the peer saw us the first time (RFC 5626 §4.4.2).
    mapped: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Resting,
    Pinged,
    Asked { transaction: [u8; 12], sent: u32 },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this on the flow, and call [`KeepAlive::due`] after that time unless an answer has come.
    Send {
        /// A ping, or a STUN request.
        bytes: Bytes,
        /// The time.
        again: Duration,
    },
    /// Call [`KeepAlive::due`] after that time, instead of any that was named before.
    Rest(Duration),
    /// The flow is gone: whoever uses it is to be told, and a connection is to be closed.
    Failed(Failure),
}

/// Why a flow is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing came back in time.
    Silence,
    /// The peer sees us at another address: what it has bound to the old one does not reach us (RFC 5626 §4.4.2).
    Moved {
        /// Where it sees us.
        to: SocketAddr,
    },
    /// The peer refuses to answer, with that code.
    Refused(u16),
}

impl KeepAlive {
    /// One that rests: call [`KeepAlive::due`] after a time that [`Interval::draw`] gives.
    pub fn new(flow: Flow, interval: Interval) -> KeepAlive {
        KeepAlive { flow, interval, state: State::Resting, mapped: None }
    }

    /// Which flow.
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// How often.
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// The time that the last step named is over. `random` must be what nobody can guess.
    pub fn due(&mut self, random: [u64; 2]) -> Step {
        match self.state {
            State::Resting if self.flow.transport.is_reliable() => {
                self.state = State::Pinged;
                Step::Send { bytes: Bytes::from_static(PING), again: PONG_WITHIN }
            }
            State::Resting => {
                let mut transaction = [0; 12];
                transaction[..8].copy_from_slice(&random[0].to_be_bytes());
                transaction[8..].copy_from_slice(&random[1].to_be_bytes()[..4]);
                self.ask(transaction, 0)
            }
            State::Pinged => Step::Failed(Failure::Silence),
            State::Asked { sent: REQUESTS, .. } => Step::Failed(Failure::Silence),
            State::Asked { transaction, sent } => self.ask(transaction, sent),
        }
    }

    /// Sends the request of a transaction that was sent `before` times.
    fn ask(&mut self, transaction: [u8; 12], before: u32) -> Step {
        let sent = before + 1;
        self.state = State::Asked { transaction, sent };
        let again = if sent == REQUESTS { RTO * LAST_WAIT } else { RTO * 2u32.pow(before) };
        Step::Send { bytes: Binding::request(transaction).to_bytes().into(), again }
    }

    /// An answer came in by the flow. `None`: it is none to what was asked last.
    pub fn answered(&mut self, reply: &Reply, random: u64) -> Option<Step> {
        match (self.state, reply) {
            (State::Pinged, Reply::Pong) => {}
            (State::Asked { transaction, .. }, Reply::Binding(binding)) if binding.transaction == transaction => {
                match (binding.class, binding.mapped, self.mapped) {
                    (Class::Success, Some(to), Some(before)) if to != before => {
                        return Some(Step::Failed(Failure::Moved { to }));
                    }
                    (Class::Success, Some(mapped), _) => self.mapped = Some(mapped),
                    // Whoever does not say where it sees us has not answered.
                    (Class::Success, None, _) | (Class::Request | Class::Indication, ..) => return None,
                    (Class::Error, ..) => {
                        return Some(Step::Failed(Failure::Refused(binding.error.unwrap_or_default())));
                    }
                }
            }
            (State::Resting | State::Pinged | State::Asked { .. }, Reply::Pong | Reply::Binding(_)) => return None,
        }
        self.state = State::Resting;
        Some(Step::Rest(self.interval.draw(random)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::transport::ListenerId;

    #[test]
    fn keep_alives_are_told_from_messages() {
        let from = "192.0.2.1:5060".parse().unwrap();
        let request = Binding::request([7; 12]);
        let answer = request.answer(from).unwrap();
        let indication = Binding { class: Class::Indication, ..request.clone() }.to_bytes();
        for empty in
            [&b""[..], b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0", &indication, &[&indication[..], b"x"].concat()]
        {
            assert_eq!(sort(empty, from), Datagram::Empty, "{empty:?}");
        }
        for sip in [&b"\r\n\r\n\r\n"[..], b"\r\nO", b"ping", b"\r\n\r\nOPTIONS sip:a@b SIP/2.0\r\n\r\n", &[0; 20]] {
            assert_eq!(sort(sip, from), Datagram::Message, "{sip:?}");
        }
        assert_eq!(sort(&request.to_bytes(), from), Datagram::Request(answer.to_bytes().into()));
        assert_eq!(sort(&request.to_bytes(), "192.0.2.1:0".parse().unwrap()), Datagram::Empty);
        assert_eq!(sort(&answer.to_bytes(), from), Datagram::Reply(Reply::Binding(answer)));
    }

    fn keep_alive(transport: Transport) -> KeepAlive {
        let remote = "192.0.2.9:5060".parse().unwrap();
        let flow = Flow { transport, listener: ListenerId(0), remote, connection: None };
        KeepAlive::new(flow, Interval::within(30))
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// RFC 5626 §4.4.1.
    #[test]
    fn a_ping_without_a_pong_within_ten_seconds_is_the_end_of_a_stream() {
        for transport in [Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss] {
            let mut stream = keep_alive(transport);
            assert_eq!(stream.answered(&Reply::Pong, 0), None, "nobody asked");
            let ping = Step::Send { bytes: Bytes::from_static(b"\r\n\r\n"), again: seconds(10.0) };
            for _ in 0..3 {
                assert_eq!(stream.due([1, 2]), ping);
                assert_eq!(stream.answered(&Reply::Pong, 0), Some(Step::Rest(seconds(24.0))));
                assert_eq!(stream.answered(&Reply::Pong, 0), None);
            }
            assert_eq!(stream.due([1, 2]), ping);
            assert_eq!(stream.due([1, 2]), Step::Failed(Failure::Silence));
        }
    }

    fn answer(bytes: &[u8], mapped: &str) -> Reply {
        Reply::Binding(Binding::read(bytes).unwrap().answer(mapped.parse().unwrap()).unwrap())
    }

    /// RFC 8489 §6.2.1: 39.5 s in all.
    #[test]
    fn a_stun_request_is_sent_seven_times() {
        let mut flow = keep_alive(Transport::Udp);
        let mut sent = Vec::new();
        let mut waits = Vec::new();
        let failure = loop {
            match flow.due([1, 2]) {
                Step::Send { bytes, again } => {
                    sent.push(bytes);
                    waits.push(again.as_millis());
                }
                Step::Failed(failure) => break failure,
                rest @ Step::Rest(_) => panic!("{rest:?}"),
            }
        };
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 8_000]);
        assert!(sent.iter().all(|bytes| *bytes == sent[0]), "one transaction");
        assert_eq!(failure, Failure::Silence);
    }

    /// RFC 5626 §4.4.2.
    #[test]
    fn who_is_seen_elsewhere_has_lost_the_flow() {
        let mut flow = keep_alive(Transport::Udp);
        for (mapped, moved) in [("203.0.113.1:1", false), ("203.0.113.1:1", false), ("203.0.113.1:2", true)] {
            let Step::Send { bytes, .. } = flow.due([1, 2]) else { panic!("a request") };
            let other = answer(&Binding::request([9; 12]).to_bytes(), "203.0.113.9:9");
            assert_eq!(flow.answered(&other, 0), None, "of another transaction");
            assert_eq!(flow.answered(&Reply::Pong, 0), None);
            let mapped: SocketAddr = mapped.parse().unwrap();
            let expected = match moved {
                true => Step::Failed(Failure::Moved { to: mapped }),
                false => Step::Rest(seconds(24.0)),
            };
            assert_eq!(flow.answered(&answer(&bytes, &mapped.to_string()), 0), Some(expected));
        }
    }

    #[test]
    fn an_error_is_a_failure_and_half_an_answer_is_none() {
        let mut flow = keep_alive(Transport::Udp);
        let Step::Send { bytes, .. } = flow.due([1, 2]) else { panic!("a request") };
        let request = Binding::read(&bytes).unwrap();
        let half = Binding { class: Class::Success, ..request.clone() };
        assert_eq!(flow.answered(&Reply::Binding(half), 0), None);
        assert_eq!(flow.answered(&Reply::Binding(request.clone()), 0), None);
        let refused = Binding { class: Class::Error, error: Some(420), ..request };
        assert_eq!(flow.answered(&Reply::Binding(refused), 0), Some(Step::Failed(Failure::Refused(420))));
    }

    /// RFC 5626 §4.4, §4.4.1, §4.4.2; a peer can make nobody restless, nor sleep for ever.
    #[test]
    fn the_time_between_two_is_drawn() {
        for (interval, shortest, longest) in [
            (Interval::of(Transport::Udp), 24.0, 29.0),
            (Interval::of(Transport::Wss), 95.0, 120.0),
            (Interval::within(30), 24.0, 30.0),
            (Interval::within(0), 8.0, 10.0),
            (Interval::within(9), 8.0, 10.0),
            (Interval::within(10), 8.0, 10.0),
            (Interval::within(11), 8.8, 11.0),
            (Interval::within(u32::MAX), 69_120.0, 86_400.0),
        ] {
            let drawn: Vec<Duration> = (0..100_000_000).step_by(997).map(|random| interval.draw(random)).collect();
            let ends = (drawn.iter().min().copied(), drawn.iter().max().copied());
            let (least, most) = (ends.0.unwrap(), ends.1.unwrap());
            assert!(least >= seconds(shortest) && least < seconds(shortest * 1.01), "{least:?}");
            assert!(most <= seconds(longest) && most > seconds(longest * 0.99), "{most:?}");
        }
    }

    /// RFC 5626 §4.4, RFC 6223 §5.
    #[test]
    fn a_registrar_says_how_often() {
        let udp = Interval::of(Transport::Udp);
        for (headers, expected) in [
            ("", None),
            ("Require: path\r\n", None),
            ("Require: path, outbound\r\n", Some(udp)),
            ("Via: SIP/2.0/UDP h;branch=z9hG4bK1;keep\r\n", None),
            ("Via: SIP/2.0/UDP h;branch=z9hG4bK1;keep=x\r\n", None),
            ("Via: SIP/2.0/UDP h;branch=z9hG4bK1;keep=0\r\n", Some(udp)),
            ("Via: SIP/2.0/UDP h;branch=z9hG4bK1;keep=40\r\n", Some(Interval::within(40))),
            ("Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP i;branch=z9hG4bK2;keep=40\r\n", None),
            ("Flow-Timer: 25\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;keep=40\r\n", Some(Interval::within(25))),
        ] {
            let text = format!("SIP/2.0 200 OK\r\n{headers}\r\n");
            let Message::Response(response) = Message::parse(text.into()).unwrap() else { panic!("a response") };
            assert_eq!(Interval::asked_for(&response, Transport::Udp), expected, "{headers}");
        }
    }
}
