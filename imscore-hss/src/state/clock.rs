//! The time of a store that lives in process.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Wall clock that somebody else drives: milliseconds since 1970, never backwards. Clones are the same clock.
///
/// A node moves it on each turn, a test as it likes; `keep_time` (feature `tokio`) does so for programs that have
/// neither.
#[derive(Clone)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// A clock that stands at `now`, in milliseconds since 1970.
    pub fn new(now: u64) -> Self {
        Self(Arc::new(AtomicU64::new(now)))
    }

    /// Moves to `now`, in milliseconds since 1970; a time that has passed is ignored.
    pub fn advance_to(&self, now: u64) {
        self.0.fetch_max(now, Ordering::AcqRel);
    }

    /// Where it stands, in milliseconds since 1970.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_goes_back() {
        let clock = Clock::new(5);
        let same = clock.clone();
        same.advance_to(9);
        clock.advance_to(7);
        assert_eq!((clock.now(), same.now()), (9, 9));
    }
}
