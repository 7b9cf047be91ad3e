//! Timer values: which hold on which side, and what the state machines make of them.

use std::time::Duration;

/// The three values that all timers of RFC 3261 §17 but C and D are derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// An estimate of the round trip; the first retransmission comes after it.
    pub t1: Duration,
    /// The longest interval between retransmissions of non-INVITE requests and INVITE responses.
    pub t2: Duration,
    /// How long a message may stay in the network.
    pub t4: Duration,
}

impl Timers {
    /// Between servers: T1 500 ms, T2 4 s, T4 5 s (RFC 3261 §17.1.1.1, §17.1.2.2).
    pub const CORE: Timers =
        Timers { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) };

    /// Towards phones: T1 2 s, T2 16 s, T4 17 s (TS 24.229 §7.7).
    pub const ACCESS: Timers =
        Timers { t1: Duration::from_secs(2), t2: Duration::from_secs(16), t4: Duration::from_secs(17) };
}

/// How long the owner of an INVITE has for an answer before a 100 goes out (RFC 3261 §17.2.1).
pub(super) const TRYING_AFTER: Duration = Duration::from_millis(200);

/// What one transaction goes by: the timers of its side and whether its transport retransmits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leg {
    pub(super) timers: Timers,
    pub(super) reliable: bool,
}

impl Leg {
    /// 64*T1: Timers B, F, H, J, L and M, and how long a cancelled INVITE is waited for (RFC 3261 §9.1).
    pub(super) fn lifetime(&self) -> Duration {
        self.timers.t1 * 64
    }

    /// Timer D: at least 32 s (RFC 3261 §17.1.1.2), and as long as the peer repeats its response.
    pub(super) fn timer_d(&self) -> Duration {
        self.lifetime().max(Duration::from_secs(32))
    }

    /// The interval behind `interval`, which doubles up to T2: Timers E and G.
    pub(super) fn doubled(&self, interval: Duration) -> Duration {
        (interval * 2).min(self.timers.t2)
    }

    /// How long a client takes until its Timer E stands at T2, from when on a non-INVITE request is told 100
    /// (RFC 4320 §4.1): 3.5 s with the timers of the core.
    pub(super) fn until_e_is_t2(&self) -> Duration {
        let (mut interval, mut passed) = (self.timers.t1, Duration::ZERO);
        while interval < self.timers.t2 && !interval.is_zero() {
            passed += interval;
            interval *= 2;
        }
        passed
    }
}

#[cfg(test)]
pub(super) const UDP: Leg = Leg { timers: Timers::CORE, reliable: false };

#[cfg(test)]
pub(super) const TCP: Leg = Leg { timers: Timers::CORE, reliable: true };

#[cfg(test)]
mod tests {
    use super::*;

    fn check(timers: Timers, lifetime: u64, until_e_is_t2: u64) {
        let leg = Leg { timers, reliable: false };
        assert_eq!(leg.lifetime(), Duration::from_millis(lifetime));
        assert_eq!(leg.timer_d(), Duration::from_millis(lifetime));
        assert_eq!(leg.until_e_is_t2(), Duration::from_millis(until_e_is_t2));
    }

    /// RFC 3261 table 4; TS 24.229 table 7.7.1; RFC 4320 §4.1.
    #[test]
    fn timers_follow_from_t1_and_t2() {
        check(Timers::CORE, 32_000, 3_500);
        check(Timers::ACCESS, 128_000, 14_000);
    }

    #[test]
    fn timer_d_is_32_s_at_least() {
        let timers = Timers { t1: Duration::from_millis(10), ..Timers::CORE };
        assert_eq!(Leg { timers, reliable: false }.timer_d(), Duration::from_secs(32));
    }
}
