//! What the layer tells its owner, and the names that both have for transactions.

use crate::message::{Request, Response};
use crate::transport::Flow;

/// Names a server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// Names a client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl ServerId {
    /// A small number that no other server transaction has at the same time, to index tables of the owner with.
    pub fn index(self) -> usize {
        self.slot as usize
    }
}

impl ClientId {
    /// A small number that no other client transaction has at the same time, to index tables of the owner with.
    pub fn index(self) -> usize {
        self.slot as usize
    }
}

/// Why a client transaction got no final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// None came in time: Timer B or F, or 64*T1 after a CANCEL. Counts as a 408 (RFC 3261 §16.9).
    Timeout,
    /// The request could not be sent, or its connection was lost. Counts as a 503 (RFC 3261 §16.9).
    Transport,
}

/// What the layer tells its owner.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use imscore_sip::transaction::{Cause, ClientId, Config, Event, ServerId, Transactions};
/// use imscore_sip::transport::{Flow, Listener, ListenerId, Side, Transport};
/// use imscore_sip::{Engine, Method, Now, Output, Request};
///
/// # let mut now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
/// let listener = Listener { transport: Transport::Udp, sent_by: "192.0.2.2:5060".into(), side: Side::Core };
/// let mut layer = Transactions::new(Config::new([7; 32], vec![listener]), now);
/// let remote = "192.0.2.1:5060".parse()?;
/// let flow = Flow { transport: Transport::Udp, listener: ListenerId(0), remote, connection: None };
/// let options: ClientId = layer.request(Request::new(&Method::Options, "sip:alice@192.0.2.1"), flow, None, now);
/// // Nobody answers for 64*T1.
/// now.monotonic += Duration::from_secs(32);
/// layer.handle_timeout(now);
/// let mut cause = None;
/// let mut asked: Vec<ServerId> = Vec::new();
/// loop {
///     match layer.poll_output() {
///         Output::Event(Event::Failed { id, cause: why }) if id == options => cause = Some(why),
///         Output::Event(Event::Request { id, .. }) => asked.push(id),
///         Output::Wait(_) => break,
///         _ => {}
///     }
/// }
/// assert_eq!((cause, asked.len()), (Some(Cause::Timeout), 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// A new request, other than ACK and CANCEL. Its top Via has `received` and `rport` where they belong.
    Request {
        /// Its transaction, which waits for [`Transactions::respond`](super::Transactions::respond).
        id: ServerId,
        /// The request.
        request: Request,
        /// The way that it came.
        flow: Flow,
    },
    /// An ACK that belongs to no transaction or to an accepted one: that for a 2xx.
    Ack {
        /// The ACK.
        request: Request,
        /// The way that it came.
        flow: Flow,
    },
    /// A CANCEL. It is a transaction of its own and waits for its own response.
    Cancel {
        /// The transaction of the CANCEL.
        id: ServerId,
        /// The INVITE to cancel. `None`: there is none, or it came from another address.
        invite: Option<ServerId>,
        /// The CANCEL.
        request: Request,
        /// The way that it came.
        flow: Flow,
    },
    /// A response: each provisional one, the final one, and for an INVITE each further 2xx. Our own Via is still on
    /// top of it (RFC 3261 §16.7 step 3 has the proxy remove it).
    Response {
        /// The transaction of the request.
        id: ClientId,
        /// The response.
        response: Response,
    },
    /// No final response came.
    Failed {
        /// The transaction of the request.
        id: ClientId,
        /// Why not.
        cause: Cause,
    },
    /// A response from 300 to 699 to an INVITE got no ACK (Timer H).
    Unacknowledged {
        /// The transaction of the INVITE.
        id: ServerId,
    },
    /// A response could not be sent.
    Undelivered {
        /// The transaction of the request.
        id: ServerId,
    },
    /// A server transaction is over; responses to it go nowhere from now on.
    ServerEnded {
        /// Which.
        id: ServerId,
    },
    /// A client transaction is over; no response of it comes any more.
    ClientEnded {
        /// Which.
        id: ClientId,
    },
}
