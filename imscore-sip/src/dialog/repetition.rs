//! When a response that waits for an ACK or a PRACK is sent again.

use std::time::{Duration, Instant};

/// A response is repeated at T1, then at twice the interval each time, until 64*T1 are over: a 2xx to INVITE with no more
/// than T2 in between (RFC 3261 §13.3.1.4), a reliable provisional response without that limit (RFC 3262 §3). This is so
/// on every transport.
///
/// ```
/// use std::time::{Duration, Instant};
/// use imscore_sip::dialog::Repetition;
///
/// let (t1, start) = (Duration::from_secs(1), Instant::now());
/// let mut reliable = Repetition::new(t1, None, start);
/// let mut seconds = vec![(reliable.due() - start).as_secs()];
/// while let Some(due) = reliable.again() {
///     seconds.push((due - start).as_secs());
/// }
/// assert_eq!(seconds, [1, 3, 7, 15, 31, 63, 64]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Repetition {
    interval: Duration,
    longest: Option<Duration>,
    due: Instant,
    until: Instant,
}

impl Repetition {
    /// For what is sent now for the first time.
    pub fn new(t1: Duration, longest: Option<Duration>, now: Instant) -> Repetition {
        Repetition { interval: t1, longest, due: now + t1, until: now + t1 * 64 }
    }

    /// When it is to be sent again.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// That moment has come: the next one. `None`: the time is over, and nothing is to be sent now.
    pub fn again(&mut self) -> Option<Instant> {
        if self.due >= self.until {
            return None;
        }
        self.interval = self.longest.map_or(self.interval * 2, |longest| (self.interval * 2).min(longest));
        self.due = (self.due + self.interval).min(self.until);
        Some(self.due)
    }
}
