//! Peers that did not take TCP, so that a long request does not wait for them again (RFC 3261 §18.1.1).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hashbrown::HashMap;

use crate::hash::Keyed;

/// How long a peer is not asked again.
const MEMORY: Duration = Duration::from_secs(300);

/// Peers that are remembered. One more makes the others forgotten, which costs a wait each and no more.
const PEERS: usize = 4_096;

/// Who did not take TCP, and until when that counts.
pub(super) struct Refusals(HashMap<SocketAddr, Instant, Keyed>);

impl Refusals {
    pub(super) fn new(keyed: Keyed) -> Refusals {
        Refusals(HashMap::with_hasher(keyed))
    }

    /// A connection to that peer did not come to be.
    pub(super) fn note(&mut self, peer: SocketAddr, now: Instant) {
        if self.0.len() >= PEERS && !self.0.contains_key(&peer) {
            self.0.clear();
        }
        self.0.insert(peer, now + MEMORY);
    }

    /// Whether one is not worth an attempt now.
    pub(super) fn holds(&mut self, peer: &SocketAddr, now: Instant) -> bool {
        let is_past = self.0.get(peer).is_some_and(|until| *until <= now);
        if is_past {
            self.0.remove(peer);
        }
        self.0.contains_key(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Clock;

    #[test]
    fn a_refusal_counts_for_five_minutes_and_the_memory_has_an_end() {
        let now = Clock::new().now().monotonic;
        let peer = |number: usize| SocketAddr::from(([192, 0, 2, 1], number as u16));
        let mut refusals = Refusals::new(Keyed::new([7; 16]));
        refusals.note(peer(1), now);
        assert!(!refusals.holds(&peer(2), now));
        assert!(refusals.holds(&peer(1), now + MEMORY - Duration::from_millis(1)));
        assert!(!refusals.holds(&peer(1), now + MEMORY));
        assert_eq!(refusals.0.len(), 0);
        for (count, held) in [(PEERS - 1, PEERS - 1), (PEERS, PEERS), (PEERS, PEERS), (PEERS + 1, 1)] {
            (1..=count).for_each(|number| refusals.note(peer(number), now));
            assert_eq!(refusals.0.len(), held);
        }
    }
}
