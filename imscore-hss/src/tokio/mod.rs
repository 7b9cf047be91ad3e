//! What needs a runtime: time for a [`Clock`], Diameter over TCP, TLS and SCTP with peers found by name, Cx on both sides of it, and a
//! subscriber base on disk (feature `redb`).

mod cx;
mod diameter;
#[cfg(feature = "redb")]
mod record;
#[cfg(feature = "redb")]
mod redb;

use std::time::{Duration, SystemTime};

use ::tokio::time::{Instant, MissedTickBehavior, interval};

pub use self::cx::{CxHss, CxSettings, serve_cx};
pub use self::diameter::{AskError, Asked, Carriers, Diameter, Names, Requests, Status};
#[cfg(feature = "tls")]
pub use self::diameter::{DiameterTls, TlsError};
#[cfg(feature = "redb")]
pub use self::redb::{OpenError, RedbSubscribers};
use crate::state::Clock;

/// Moves a [`Clock`] for as long as it is polled; never returns.
///
/// It starts at the time of day and then goes by monotonic time, since what it keeps dies with the process: a clock
/// that is set forward by a day expires nothing early.
pub async fn keep_time(clock: Clock) {
    let started = Instant::now();
    let base = wall_clock().max(clock.now());
    let mut ticks = interval(Duration::from_millis(10));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let elapsed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        clock.advance_to(base.saturating_add(elapsed));
        ticks.tick().await;
    }
}

/// Milliseconds since 1970 by the time of day; 0 before.
fn wall_clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[::tokio::test(start_paused = true)]
    async fn time_of_day_then_monotonic() {
        let clock = Clock::new(0);
        let keeper = ::tokio::spawn(keep_time(clock.clone()));
        ::tokio::time::sleep(Duration::from_millis(1)).await;
        let start = clock.now();
        assert!(start > 1_600_000_000_000, "{start}");
        ::tokio::time::sleep(Duration::from_secs(5)).await;
        let passed = clock.now() - start;
        assert!((4_990..=5_010).contains(&passed), "{passed}");
        keeper.abort();
    }
}
