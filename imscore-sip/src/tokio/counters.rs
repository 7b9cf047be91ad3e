//! What a driver counts; readable from outside while it runs.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Running totals of one worker since it was bound. Each only grows.
        #[derive(Debug, Default)]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[$doc])* pub $name: Counter,)*
        }

        impl Counters {
            /// Every counter with its name, for whoever exports them.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name.total()),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Datagrams that came in.
    datagrams_in,
    /// Datagrams that the kernel took.
    datagrams_out,
    /// Bytes that came in, over any transport.
    bytes_in,
    /// Bytes that the kernel took, over any transport.
    bytes_out,
    /// Keep-alives that came in: empty lines (RFC 5626 §4.4.1), STUN, and datagrams of up to four bytes.
    keep_alives,
    /// Datagrams and streams that were no SIP.
    malformed,
    /// Messages that could not be sent.
    unsendable,
    /// Datagrams that the kernel had no room for. SIP repeats them.
    datagrams_unsent,
    /// Errors that ICMP reported of a UDP peer.
    icmp_errors,
    /// Connections that were accepted.
    accepted,
    /// Connections that were closed at once, being too many.
    refused,
    /// Connections that could not be accepted, for want of file descriptors most likely.
    accept_errors,
    /// Connections that we opened.
    connected,
    /// Connections that we could not open.
    connect_failed,
    /// Of the connections that were accepted, the ones whose TLS or WebSocket handshake failed.
    handshakes_failed,
    /// Connections that ended.
    closed,
    /// Of these, the ones that took too long over a message, over reading, or did nothing.
    timed_out,
    /// Of these, the ones whose peer left too much unread.
    overfull,
    /// Messages that were handed to the worker that owns them.
    handed_over,
    /// Messages that were not, since too many waited there.
    handover_dropped,
    /// Questions of engines for a name server.
    questions,
    /// Of these, the ones that no name server could answer.
    questions_failed,
}

/// One running total.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The total up to now.
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    pub(super) fn one(&self) {
        self.add(1);
    }
}
