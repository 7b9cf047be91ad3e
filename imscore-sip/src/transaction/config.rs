//! What a layer is built with, and what it counts.

use super::leg::Timers;
use crate::transport::Listener;

/// Settings of a transaction layer.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use imscore_sip::Now;
/// use imscore_sip::transaction::{Config, Counters, Timers, Transactions};
///
/// let now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
/// let mut config = Config::new([7; 32], Vec::new());
/// assert_eq!(config.access, Timers::ACCESS);
/// config.core = Timers { t1: Duration::from_millis(200), ..Timers::CORE };
/// config.max_transactions = 1_000;
/// assert_eq!(Transactions::new(config, now).counters(), &Counters::default());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The number of this engine among those that share the listeners, from 0.
    pub worker: u8,
    /// How many they are, from 1.
    pub workers: u8,
    /// What all randomness comes from. It is the same for all workers of a node, so that they agree on who owns a
    /// request; what is drawn from it differs by worker. It must be secret and other than the last run's.
    pub seed: [u8; 32],
    /// The addresses that flows name by their place in this list.
    pub listeners: Vec<Listener>,
    /// Timers on listeners of [`Side::Core`](crate::transport::Side::Core).
    pub core: Timers,
    /// Timers on listeners of [`Side::Access`](crate::transport::Side::Access).
    pub access: Timers,
    /// Server and client transactions at one time. The last eighth is for requests of a dialog and CANCEL; what finds
    /// no room is answered with 503 (RFC 3261 §21.5.4) and a Retry-After of 1 to 10 s.
    pub max_transactions: usize,
    /// The longest request, in bytes, that goes out as a datagram from a listener of
    /// [`Side::Core`](crate::transport::Side::Core). A longer one goes over TCP, where there is a listener for it on
    /// that side, and over UDP after all when that is refused (RFC 3261 §18.1.1).
    ///
    /// A peer that does not take TCP is not asked again for five minutes.
    pub path_mtu: usize,
    /// Whether the Via of requests over TCP and TLS offers their connection for requests the other way (RFC 5923): between
    /// servers that hold connections to each other.
    pub alias: bool,
    /// Whether the Via of a REGISTER says that we would send keep-alives (RFC 6223 §4.3), as a user agent does.
    pub offers_keep_alives: bool,
    /// Seconds between the keep-alives of a peer on a listener of [`Side::Access`](crate::transport::Side::Access) that offers
    /// to send some (RFC 6223 §4.4, §5): it is told so in its Via. 0: as it likes; `None`: it is told nothing.
    pub keep_alive: Option<u32>,
}

impl Config {
    /// One worker, the timers of RFC 3261 and TS 24.229 §7.7, 400,000 transactions, 1,300 bytes a datagram, nothing of
    /// keep-alives.
    pub fn new(seed: [u8; 32], listeners: Vec<Listener>) -> Config {
        Config {
            worker: 0,
            workers: 1,
            seed,
            listeners,
            core: Timers::CORE,
            access: Timers::ACCESS,
            max_transactions: 400_000,
            path_mtu: 1_300,
            alias: false,
            offers_keep_alives: false,
            keep_alive: None,
        }
    }
}

/// What happened since the layer was built. Nothing is ever counted down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Requests that came in.
    pub requests: u64,
    /// Responses that came in.
    pub responses: u64,
    /// Of the requests, repetitions and ACKs for failures, which the owner did not see.
    pub absorbed: u64,
    /// Of the responses, those of no transaction, which were dropped (RFC 6026 §7.3).
    pub unmatched: u64,
    /// Requests answered with 503 for want of room.
    pub refused: u64,
    /// Bytes that were no message, and requests whose Via could not be read.
    pub malformed: u64,
    /// Requests dropped because no response could reach their sender.
    pub unanswerable: u64,
    /// Messages that were sent again.
    pub repeated: u64,
    /// Requests that were too long for a datagram and went over TCP (RFC 3261 §18.1.1).
    pub oversized: u64,
    /// Of these, the ones that went over UDP after all, since TCP was refused.
    pub fallbacks: u64,
    /// Client transactions without a final response in time.
    pub timeouts: u64,
    /// Client transactions that failed for a flow.
    pub transport_failures: u64,
    /// Failures sent that got no ACK.
    pub unacknowledged: u64,
    /// Responses of an owner that had no transaction any more, or a status that is not sent: 408 and, but for 100,
    /// 1xx to other requests than INVITE (RFC 4320 §4).
    pub withheld: u64,
}
