//! Event and Subscription-State (RFC 6665 §8.2).

use std::borrow::Cow;

use super::parameterised::{parameterised, token_headed};
use super::tokens::words;
use crate::parse::grammar::{self, delta_seconds};

parameterised! {
    /// What is subscribed to: `reg`, `presence;id=1` (RFC 6665 §8.2.1).
    ///
    /// ```
    /// use imscore_sip::header::{AllowEvents, Event, SubscriptionState, TypedHeader};
    ///
    /// let event = Event::decode(&"reg;id=7".into())?;
    /// assert_eq!((event.package(), event.id().as_deref()), ("reg", Some("7")));
    /// let state = SubscriptionState::decode(&"active;expires=3600".into())?;
    /// assert_eq!((state.state(), state.expires()), ("active", Some(3_600)));
    /// assert!(SubscriptionState::terminated("noresource").is_terminated());
    /// assert!(AllowEvents::from("presence").is("presence"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Event EVENT list: false head: grammar::token;
    /// Where a subscription stands (RFC 6665 §8.2.3).
    SubscriptionState SUBSCRIPTION_STATE list: false head: grammar::token;
}

token_headed! {
    Event:
    /// The package with its templates, `presence.winfo`; compared with regard to case (RFC 6665 §8.2.1).
    package;
    SubscriptionState:
    /// The state as it stands: `active`, `pending`, `terminated`, or a word of an extension.
    state;
}

words! {
    /// A package of events that the sender can notify of, with its templates (RFC 6665 §8.2.2).
    AllowEvents ALLOW_EVENTS list: true rule: grammar::token, same: str::eq;
}

impl Event {
    /// What tells two subscriptions of one dialog apart.
    pub fn id(&self) -> Option<Cow<'_, str>> {
        self.param("id")
    }
}

impl SubscriptionState {
    /// `terminated;reason=<reason>`.
    pub fn terminated(reason: &str) -> SubscriptionState {
        SubscriptionState::of("terminated", "").with_param("reason", reason)
    }

    /// True for `terminated`, in any case.
    pub fn is_terminated(&self) -> bool {
        self.state().eq_ignore_ascii_case("terminated")
    }

    /// Why it ended.
    pub fn reason(&self) -> Option<Cow<'_, str>> {
        self.param("reason")
    }

    /// Seconds until it ends; none for what is no number.
    pub fn expires(&self) -> Option<u32> {
        seconds(self.params().get("expires")?)
    }

    /// Seconds to wait before another SUBSCRIBE; none for what is no number.
    pub fn retry_after(&self) -> Option<u32> {
        seconds(self.params().get("retry-after")?)
    }
}

fn seconds(value: &str) -> Option<u32> {
    match delta_seconds(value.as_bytes()) {
        Ok(([], seconds)) => Some(seconds),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;

    #[test]
    fn events() {
        let event = Event::decode(&"presence.winfo ; id=\"7\";x".into()).unwrap();
        assert_eq!((event.package(), event.id().as_deref()), ("presence.winfo", Some("7")));
        assert_eq!(Event::new("reg").with_param("id", "7").to_string(), "reg;id=7");
        for text in ["", ";id=7", "reg;", "reg x", "reg, presence"] {
            assert!(Event::decode(&text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn subscription_states() {
        let state = SubscriptionState::decode(&"Terminated;reason=deactivated;retry-after=5;expires=x".into()).unwrap();
        assert!(state.is_terminated());
        assert_eq!(
            (state.reason().as_deref(), state.retry_after(), state.expires()),
            (Some("deactivated"), Some(5), None)
        );
        let active = SubscriptionState::new("active").with_param("expires", "600000");
        assert_eq!((active.to_string().as_str(), active.expires()), ("active;expires=600000", Some(600_000)));
        assert_eq!(SubscriptionState::terminated("timeout").to_string(), "terminated;reason=timeout");
    }
}
