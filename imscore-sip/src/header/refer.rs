//! What comes of a REFER: Refer-Sub (RFC 4488) and Refer-Events-At (RFC 7614). Refer-To and Referred-By are addresses.

use super::address::{BARE, addresses};
use super::parameterised::parameterised;
use crate::parse::grammar;

parameterised! {
    /// Whether a REFER makes a subscription (RFC 4488).
    ///
    /// ```
    /// use imscore_sip::Uri;
    /// use imscore_sip::header::{ReferEventsAt, ReferSub};
    ///
    /// assert_eq!(ReferSub::new(false).to_string(), "false");
    /// let at = ReferEventsAt::new("sip:events@ims.example".parse::<Uri>()?);
    /// assert_eq!(at.to_string(), "<sip:events@ims.example>");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ReferSub REFER_SUB list: false head: truth;
}

addresses! {
    /// Where to subscribe to what comes of a REFER (RFC 7614).
    ReferEventsAt REFER_EVENTS_AT list: false bare: !BARE, nameless: true;
}

impl ReferSub {
    /// `true` or `false`.
    pub fn new(subscribes: bool) -> ReferSub {
        ReferSub::of(if subscribes { "true" } else { "false" }, "")
    }

    /// True where there is, or is to be, a subscription.
    pub fn is_true(&self) -> bool {
        self.head.text(&self.text).eq_ignore_ascii_case("true")
    }
}

/// `"true" / "false"`, in any case.
fn truth(input: &[u8]) -> grammar::Parsed<'_> {
    let is_one = |word: &&[u8]| word.eq_ignore_ascii_case(b"true") || word.eq_ignore_ascii_case(b"false");
    nom::Parser::parse(&mut nom::combinator::verify(grammar::token, |word: &[u8]| is_one(&word)), input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;

    #[test]
    fn subscriptions() {
        assert!(ReferSub::decode(&"TRUE;x".into()).unwrap().is_true());
        assert!(!ReferSub::decode(&"false".into()).unwrap().is_true());
        assert_eq!(ReferSub::new(false).to_string(), "false");
        for text in ["", "yes", "true false", "true;", "truely", "falsely"] {
            assert!(ReferSub::decode(&text.into()).is_err(), "{text}");
        }
        let at = ReferEventsAt::decode(&"<sips:vPT3izQ8NuHYAKHpBLL9@b.example;gr>;x".into()).unwrap();
        assert_eq!(at.sip().and_then(|uri| uri.param("gr")), Some(""));
    }
}
