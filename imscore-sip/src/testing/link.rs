//! What happens to bytes on the way between two hosts.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use smallvec::SmallVec;

use super::corrupt::corrupted;

/// How long a lost segment of a stream takes to be sent again.
const RESEND: Duration = Duration::from_millis(200);

/// One direction between two hosts. Shares are between 0 and 1. The default is perfect and instant.
///
/// Datagrams are lost, doubled and put out of order; a stream of TCP loses nothing, it only gets slower.
/// Both may carry messages that are not what was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// How long bytes are under way.
    pub latency: RangeInclusive<Duration>,
    /// Share of datagrams that get lost.
    pub loss: f64,
    /// Share of datagrams that arrive twice.
    pub duplication: f64,
    /// Share of datagrams held back by up to 100 ms beyond the latency, so that later ones pass them.
    pub reordering: f64,
    /// Share of messages with something wrong in them: a line end gone, bytes or bits changed, a line doubled or taken out,
    /// the end cut off. A stream goes on behind such a message.
    pub corruption: f64,
    /// Bytes of the largest datagram that gets through, and of the largest piece that a stream is cut into.
    pub mtu: usize,
    /// True: nothing gets through, and nobody is told.
    pub cut: bool,
}

impl Default for Link {
    fn default() -> Link {
        Link {
            latency: Duration::ZERO..=Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
            reordering: 0.0,
            corruption: 0.0,
            mtu: usize::MAX,
            cut: false,
        }
    }
}

impl Link {
    /// A link that takes as long as said and is perfect otherwise.
    pub fn slow(latency: RangeInclusive<Duration>) -> Link {
        Link { latency, ..Link::default() }
    }

    /// A link that loses, doubles and holds back that share of its datagrams each, and takes 1 to 200 ms.
    pub fn rough(share: f64) -> Link {
        let latency = Duration::from_millis(1)..=Duration::from_millis(200);
        Link { latency, loss: share, duplication: share, reordering: share, ..Link::default() }
    }

    /// When the copies of a datagram arrive, counted from now; none where it is lost. `after`: when the one sent
    /// before it arrives.
    pub(super) fn datagram(&self, size: usize, after: &mut Duration, rng: &mut ChaCha8Rng) -> SmallVec<[Duration; 2]> {
        let mut copies = SmallVec::new();
        if self.cut || size > self.mtu || chance(self.loss, rng) {
            return copies;
        }
        let twice = chance(self.duplication, rng);
        for _ in 0..=usize::from(twice) {
            let latency = within(&self.latency, rng);
            if chance(self.reordering, rng) {
                copies.push(latency + within(&(Duration::from_millis(1)..=Duration::from_millis(100)), rng));
            } else {
                *after = latency.max(*after);
                copies.push(*after);
            }
        }
        copies
    }

    /// What arrives of a message that was sent.
    pub(super) fn carried(&self, bytes: &Bytes, rng: &mut ChaCha8Rng) -> Bytes {
        if chance(self.corruption, rng) { corrupted(bytes, rng) } else { bytes.clone() }
    }

    /// How long a message on a stream takes.
    pub(super) fn segment(&self, rng: &mut ChaCha8Rng) -> Duration {
        let mut latency = within(&self.latency, rng);
        while self.loss < 1.0 && chance(self.loss, rng) {
            latency += RESEND;
        }
        latency
    }
}

fn chance(share: f64, rng: &mut ChaCha8Rng) -> bool {
    share > 0.0 && (rng.next_u64() >> 11) as f64 / ((1_u64 << 53) as f64) < share
}

fn within(range: &RangeInclusive<Duration>, rng: &mut ChaCha8Rng) -> Duration {
    let (from, to) = (range.start().as_nanos() as u64, range.end().as_nanos() as u64);
    match to.saturating_sub(from) {
        0 => Duration::from_nanos(from),
        width => Duration::from_nanos(from + rng.next_u64() % (width + 1)),
    }
}
