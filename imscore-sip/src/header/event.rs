//! Event and Subscription-State (RFC 6665 §8.2).

use std::borrow::Cow;

use super::parameterised::parameterised;
use crate::parse::grammar::{self, delta_seconds};
use crate::parse::params::push_token;

parameterised! {
    /// What is subscribed to: `reg`, `presence;id=1` (RFC 6665 §8.2.1).
    Event EVENT list: false head: grammar::token;
    /// Where a subscription stands (RFC 6665 §8.2.3).
    SubscriptionState SUBSCRIPTION_STATE list: false head: grammar::token;
}

impl Event {
    /// A package with its templates, `presence.winfo`.
    pub fn new(package: &str) -> Event {
        let mut head = String::with_capacity(package.len());
        push_token(&mut head, package);
        Event::of(&head, "")
    }

    /// The package with its templates; compared with regard to case (RFC 6665 §8.2.1).
    pub fn package(&self) -> &str {
        self.head.text(&self.text)
    }

    /// What tells two subscriptions of one dialog apart.
    pub fn id(&self) -> Option<Cow<'_, str>> {
        self.param("id")
    }
}

impl SubscriptionState {
    /// `active`, `pending`, or a word of an extension.
    pub fn new(state: &str) -> SubscriptionState {
        let mut head = String::with_capacity(state.len());
        push_token(&mut head, state);
        SubscriptionState::of(&head, "")
    }

    /// `terminated;reason=<reason>`.
    pub fn terminated(reason: &str) -> SubscriptionState {
        SubscriptionState::of("terminated", "").with_param("reason", reason)
    }

    /// The state as it stands.
    pub fn state(&self) -> &str {
        self.head.text(&self.text)
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
