//! The time that an engine is told: nothing in this crate reads a clock.

use std::time::{Duration, Instant};

/// One moment on both clocks: monotonic for timers, wall for `Date`, nonces and charging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For timers; never goes back.
    pub monotonic: Instant,
    /// Milliseconds since 1970-01-01T00:00:00Z; may jump.
    pub wall: u64,
}

impl std::ops::Add<Duration> for Now {
    type Output = Now;

    fn add(self, passed: Duration) -> Now {
        Now { monotonic: self.monotonic + passed, wall: self.wall + passed.as_millis() as u64 }
    }
}
