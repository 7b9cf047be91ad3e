//! Subscriptions (RFC 6665), whatever their package: how long they hold, and how they end.
//!
//! ```text
//!   Subscriber                              Notifier
//!   Waiting ──NOTIFY──▶ Pending, Active     Pending, Active ──refused, expired, over──▶ Over
//!      │                    │
//!      └── 64*T1, failure ──┴── terminated, expired ──▶ Over
//! ```

use std::time::{Duration, Instant};

use crate::header::{Expires, MinExpires, SubscriptionState};
use crate::message::{Request, Response, StatusCode};

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// No NOTIFY has come yet (RFC 6665 §4.1.2).
    Waiting,
    /// The notifier has not decided whether to accept it.
    Pending,
    /// It is accepted.
    Active,
    /// It is over.
    Over,
}

/// When to subscribe again, once a subscription is over (RFC 6665 §4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// At once.
    Now,
    /// Not before that time has passed.
    After(Duration),
    /// Not at all, without somebody's wish.
    Never,
}

impl Again {
    /// What the end of a subscription says. `probation` and `giveup` without a time count as a minute.
    pub fn of(state: &SubscriptionState) -> Again {
        let after = state.retry_after().map(|seconds| Again::After(Duration::from_secs(seconds.into())));
        match state.reason().as_deref() {
            Some("deactivated" | "timeout") => Again::Now,
            Some("rejected" | "noresource" | "invariant") => Again::Never,
            Some("probation" | "giveup") => after.unwrap_or(Again::After(Duration::from_secs(60))),
            Some(_) | None => after.unwrap_or(Again::Never),
        }
    }
}

/// The side that wants to know.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use imscore_sip::dialog::{Again, Subscriber, Subscription};
/// use imscore_sip::header::SubscriptionState;
///
/// let now = Instant::now();
/// let mut subscriber = Subscriber::new(Duration::from_secs(32), now);
/// assert_eq!(subscriber.state(), Subscription::Waiting);
/// let active = SubscriptionState::new("active").with_param("expires", "3600");
/// assert_eq!(subscriber.notified(&active, now), None);
/// assert_eq!(subscriber.refresh_at(now), now + Duration::from_secs(3_000));
/// assert_eq!(subscriber.notified(&SubscriptionState::terminated("rejected"), now), Some(Again::Never));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Subscriber {
    state: Subscription,
    until: Instant,
}

impl Subscriber {
    /// A SUBSCRIBE was sent; a NOTIFY has `wait` (64*T1: Timer N) to come (RFC 6665 §4.1.2.4).
    pub fn new(wait: Duration, now: Instant) -> Subscriber {
        Subscriber { state: Subscription::Waiting, until: now + wait }
    }

    /// Where it stands.
    pub fn state(&self) -> Subscription {
        self.state
    }

    /// When it ends unless something comes.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// A 2xx to a SUBSCRIBE. Before the first NOTIFY it changes nothing but what a later refresh goes by.
    pub fn granted(&mut self, response: &Response, now: Instant) {
        if let (Subscription::Pending | Subscription::Active, Ok(Expires(seconds))) =
            (self.state, response.headers.first())
        {
            self.until = now + Duration::from_secs(seconds.into());
        }
    }

    /// A NOTIFY: when to subscribe again, where it says that the subscription is over.
    pub fn notified(&mut self, state: &SubscriptionState, now: Instant) -> Option<Again> {
        if state.is_terminated() {
            self.state = Subscription::Over;
            return Some(Again::of(state));
        }
        let is_pending = state.state().eq_ignore_ascii_case("pending");
        self.state = if is_pending { Subscription::Pending } else { Subscription::Active };
        if let Some(seconds) = state.expires() {
            self.until = now + Duration::from_secs(seconds.into());
        }
        None
    }

    /// When to subscribe again to keep it: a while before its end.
    pub fn refresh_at(&self, now: Instant) -> Instant {
        now + before_end(self.until.saturating_duration_since(now))
    }
}

/// When to renew something that holds for `left`: at half of that, or ten minutes before its end where that is later
/// (TS 24.229 §5.1.1.4.1, §5.1.1.3).
pub(crate) fn before_end(left: Duration) -> Duration {
    (left / 2).max(left.saturating_sub(Duration::from_secs(600)))
}

/// The side that knows.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use imscore_sip::dialog::{Notifier, Refused, Subscription};
/// use imscore_sip::header::Expires;
/// use imscore_sip::{Method, Request};
///
/// let (now, hour, minute) = (Instant::now(), Duration::from_secs(3_600), Duration::from_secs(60));
/// let subscribe = |seconds| Request::new(&Method::Subscribe, "sip:bob@ims.example").with(Expires(seconds));
/// let mut notifier = Notifier::new(&subscribe(600), Subscription::Active, minute, hour, now)?;
/// assert_eq!(notifier.report(now).to_string(), "active;expires=600");
/// assert_eq!(notifier.refresh(&subscribe(10), minute, hour, now), Err(Refused::TooBrief(60)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Notifier {
    state: Subscription,
    until: Instant,
}

/// Why a SUBSCRIBE is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It asks for less than that many seconds: 423 (RFC 6665 §4.2.1.1).
    #[error("an interval below {0} s")]
    TooBrief(u32),
}

impl Refused {
    /// The response to that request.
    pub fn reply(&self, request: &Request) -> Response {
        match self {
            Refused::TooBrief(seconds) => request.reply(StatusCode::INTERVAL_TOO_BRIEF).with(MinExpires(*seconds)),
        }
    }
}

impl Notifier {
    /// A SUBSCRIBE is taken, for as long as it asks and `longest` at most; `longest` where it does not say. An interval of 0 asks
    /// for one NOTIFY (RFC 6665 §4.4.3).
    ///
    /// # Errors
    /// It asks for less than `shortest` and an hour (RFC 6665 §4.2.1.1).
    pub fn new(
        subscribe: &Request,
        state: Subscription,
        shortest: Duration,
        longest: Duration,
        now: Instant,
    ) -> Result<Notifier, Refused> {
        let mut notifier = Notifier { state, until: now };
        notifier.refresh(subscribe, shortest, longest, now)?;
        Ok(notifier)
    }

    /// Another SUBSCRIBE in its dialog.
    ///
    /// # Errors
    /// As [`Notifier::new`]; the subscription goes on as it was.
    pub fn refresh(
        &mut self,
        subscribe: &Request,
        shortest: Duration,
        longest: Duration,
        now: Instant,
    ) -> Result<(), Refused> {
        let asked = subscribe.headers.get::<Expires>().ok().flatten();
        let time = asked.map_or(longest, |Expires(seconds)| Duration::from_secs(seconds.into()));
        if !time.is_zero() && time < shortest && time < Duration::from_secs(3_600) {
            return Err(Refused::TooBrief(shortest.as_secs() as u32));
        }
        self.until = now + time.min(longest);
        if time.is_zero() {
            self.state = Subscription::Over;
        }
        Ok(())
    }

    /// Where it stands.
    pub fn state(&self) -> Subscription {
        self.state
    }

    /// When it ends unless it is refreshed.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Seconds that are left, for the Expires of a 2xx.
    pub fn left(&self, now: Instant) -> u32 {
        self.until.saturating_duration_since(now).as_secs() as u32
    }

    /// Accepts one that was pending.
    pub fn accept(&mut self) {
        if self.state == Subscription::Pending {
            self.state = Subscription::Active;
        }
    }

    /// What the next NOTIFY says, which is the last one once the time is over.
    pub fn report(&mut self, now: Instant) -> SubscriptionState {
        if now >= self.until {
            self.state = Subscription::Over;
        }
        match self.state {
            Subscription::Over => SubscriptionState::terminated("timeout"),
            Subscription::Pending => self.holding("pending", now),
            Subscription::Active | Subscription::Waiting => self.holding("active", now),
        }
    }

    /// Ends it: what the last NOTIFY says.
    pub fn end(&mut self, reason: &str) -> SubscriptionState {
        self.state = Subscription::Over;
        SubscriptionState::terminated(reason)
    }

    fn holding(&self, state: &str, now: Instant) -> SubscriptionState {
        SubscriptionState::new(state).with_param("expires", self.left(now).to_string().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;
    use crate::testing::{self, Clock};

    const SECOND: Duration = Duration::from_secs(1);

    /// RFC 6665 §4.1.3.
    #[test]
    fn reasons() {
        for (text, expected) in [
            ("terminated;reason=deactivated", Again::Now),
            ("terminated;reason=timeout", Again::Now),
            ("terminated;reason=probation;retry-after=7", Again::After(SECOND * 7)),
            ("terminated;reason=giveup", Again::After(SECOND * 60)),
            ("terminated;reason=rejected;retry-after=7", Again::Never),
            ("terminated;reason=noresource", Again::Never),
            ("terminated;reason=invariant", Again::Never),
            ("terminated;reason=other;retry-after=7", Again::After(SECOND * 7)),
            ("terminated", Again::Never),
        ] {
            assert_eq!(Again::of(&SubscriptionState::decode(&text.into()).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn a_subscriber() {
        let now = Clock::new().now().monotonic;
        let mut subscriber = Subscriber::new(SECOND * 32, now);
        let ok = |seconds: &str| {
            let request = testing::request("SUBSCRIBE", "sip:bob@ims.example").request();
            testing::response(&request, 200).header("Expires", seconds).response()
        };
        subscriber.granted(&ok("600"), now);
        assert_eq!((subscriber.state(), subscriber.until()), (Subscription::Waiting, now + SECOND * 32));
        let mut notified = |text: &str| {
            let again = subscriber.notified(&SubscriptionState::decode(&text.into()).unwrap(), now);
            (subscriber.state(), subscriber.until() - now, again)
        };
        assert_eq!(notified("pending;expires=60"), (Subscription::Pending, SECOND * 60, None));
        assert_eq!(notified("ACTIVE"), (Subscription::Active, SECOND * 60, None));
        assert_eq!(notified("active;expires=3600"), (Subscription::Active, SECOND * 3_600, None));
        assert_eq!(subscriber.refresh_at(now), now + SECOND * 3_000);
        subscriber.granted(&ok("100"), now);
        assert_eq!(subscriber.refresh_at(now), now + SECOND * 50);
        let state = SubscriptionState::terminated("noresource");
        assert_eq!(subscriber.notified(&state, now), Some(Again::Never));
        assert_eq!(subscriber.state(), Subscription::Over);
    }

    #[test]
    fn a_notifier() {
        let now = Clock::new().now().monotonic;
        let subscribe =
            |expires: &str| testing::request("SUBSCRIBE", "sip:bob@ims.example").header("Expires", expires).request();
        let new =
            |expires: &str| Notifier::new(&subscribe(expires), Subscription::Pending, SECOND * 60, SECOND * 600, now);
        assert_eq!(new("59").err(), Some(Refused::TooBrief(60)));
        assert_eq!(new("601").unwrap().left(now), 600);
        assert_eq!(new("x").unwrap().left(now), 600, "what is no number counts as none");
        assert_eq!(new("0").unwrap().report(now).to_string(), "terminated;reason=timeout");
        let mut notifier = new("60").unwrap();
        assert_eq!(notifier.report(now).to_string(), "pending;expires=60");
        notifier.accept();
        assert_eq!(notifier.report(now + SECOND * 59).to_string(), "active;expires=1");
        let refreshed = notifier.refresh(&subscribe("100"), SECOND * 60, SECOND * 600, now + SECOND * 59);
        assert_eq!((refreshed, notifier.left(now)), (Ok(()), 159));
        assert_eq!(notifier.report(now + SECOND * 159).to_string(), "terminated;reason=timeout");
        notifier.accept();
        assert_eq!(
            (notifier.state(), notifier.end("noresource").to_string().as_str()),
            (Subscription::Over, "terminated;reason=noresource")
        );
        let response = Refused::TooBrief(60).reply(&subscribe("1"));
        assert_eq!((response.status().code(), response.headers.first()), (423, Ok(MinExpires(60))));
    }
}
