//! Virtual time, and the order of what happens in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::now::Now;

/// 2026-01-01T00:00:00Z, in milliseconds since 1970.
const WALL: u64 = 1_767_225_600_000;

/// The clock of a [`Network`](super::Network): stands still until the network moves it.
///
/// A clone shows the same time, so that an adapter outside the engines can tell it too.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    start: Instant,
    /// Nanoseconds since the start.
    elapsed: AtomicU64,
    /// What the wall clock said at the start, in milliseconds, jumps since then included.
    wall: AtomicU64,
    /// How many things have happened.
    happened: AtomicU64,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

impl Clock {
    /// A clock of its own, for tests that drive one engine by hand: `clock.now() + Duration::from_millis(500)`.
    pub fn new() -> Clock {
        let start = Instant::now();
        Clock(Arc::new(Hands { start, elapsed: 0.into(), wall: WALL.into(), happened: 0.into() }))
    }

    /// The time as engines are told it. It begins at 2026-01-01T00:00:00Z.
    pub fn now(&self) -> Now {
        let elapsed = self.passed();
        let wall = self.0.wall.load(Ordering::Relaxed) + elapsed.as_millis() as u64;
        Now { monotonic: self.0.start + elapsed, wall }
    }

    /// Virtual time since the network was made.
    pub fn passed(&self) -> Duration {
        Duration::from_nanos(self.0.elapsed.load(Ordering::Relaxed))
    }

    /// The place of a happening among all those of the network.
    pub(super) fn number(&self) -> u64 {
        self.0.happened.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn move_to(&self, elapsed: Duration) {
        self.0.elapsed.store(elapsed.as_nanos() as u64, Ordering::Relaxed);
    }

    pub(super) fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.0.start)
    }

    pub(super) fn jump_wall(&self, milliseconds: i64) {
        let wall = self.0.wall.load(Ordering::Relaxed);
        self.0.wall.store(wall.saturating_add_signed(milliseconds), Ordering::Relaxed);
    }
}
