//! Where a caller is (RFC 6442): Geolocation, Geolocation-Routing, Geolocation-Error; and AlertMsg-Error of emergency
//! data without a call (RFC 8876), which has the same shape.

use std::borrow::Cow;

use super::address::{BARE, addresses};
use super::parameterised::parameterised;
use super::tokens::words;
use crate::parse::grammar;
use crate::parse::params::push_quoted;

addresses! {
    /// Where the location stands: a part of the body, `<cid:…>`, or at a server (RFC 6442 §4.1).
    ///
    /// ```
    /// use imscore_sip::header::{AlertMsgError, Geolocation, GeolocationError, GeolocationRouting, TypedHeader};
    ///
    /// let location = Geolocation::decode(&"<cid:1@ims.example>".into())?;
    /// assert_eq!(location.content_id(), Some("1@ims.example"));
    /// assert!(GeolocationRouting::from("yes").is_allowed());
    /// let error = GeolocationError::new(100, "Cannot Process Location");
    /// assert_eq!(error.to_string(), "100;code=\"Cannot Process Location\"");
    /// assert_eq!(AlertMsgError::new(104, "x").code(), 104);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Geolocation GEOLOCATION list: true bare: !BARE, nameless: true;
}

words! {
    /// Whether servers on the way may route by the location: `yes` or `no` (RFC 6442 §4.2).
    GeolocationRouting GEOLOCATION_ROUTING list: false rule: grammar::token, same: str::eq_ignore_ascii_case;
}

parameterised! {
    /// What is wrong with a location: `100;code="Cannot Process Location"` (RFC 6442 §4.3).
    GeolocationError GEOLOCATION_ERROR list: false head: error_code;
    /// What is wrong with an alert of a machine (RFC 8876).
    AlertMsgError ALERT_MSG_ERROR list: false head: error_code;
}

/// `1*3DIGIT`
fn error_code(input: &[u8]) -> grammar::Parsed<'_> {
    nom::Parser::parse(&mut nom::combinator::recognize(grammar::number_to(999)), input)
}

impl Geolocation {
    /// The Content-ID of the part of the body that the location stands in, without angle brackets.
    pub fn content_id(&self) -> Option<&str> {
        let uri = self.0.uri().as_str();
        uri.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("cid:")).map(|_| &uri[4..])
    }
}

impl GeolocationRouting {
    /// True for `yes`; all else, the words of extensions too, is no consent.
    pub fn is_allowed(&self) -> bool {
        self.is("yes")
    }
}

macro_rules! errors {
    ($($type:ident)*) => {$(
        impl $type {
            /// A code up to 999 and what it means.
            pub fn new(code: u16, meaning: &str) -> $type {
                let mut params = String::from(";code=");
                push_quoted(&mut params, meaning);
                $type::of(&code.min(999).to_string(), &params)
            }

            /// The code.
            pub fn code(&self) -> u16 {
                self.head.text(&self.text).parse().unwrap_or_default()
            }

            /// What it means.
            pub fn meaning(&self) -> Option<Cow<'_, str>> {
                self.param("code")
            }
        }
    )*};
}

errors!(GeolocationError AlertMsgError);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{Cause, TypedHeader};

    #[test]
    fn locations() {
        let here = Geolocation::decode(&"<cid:target123@oslo.example>;x".into()).unwrap();
        assert_eq!(here.content_id(), Some("target123@oslo.example"));
        let there = Geolocation::decode(&"<sips:3sd@lis.example>".into()).unwrap();
        assert_eq!((there.content_id(), there.sip().map(|uri| uri.host())), (None, Some("lis.example")));
        assert!(Geolocation::decode(&"cid:a@b".into()).is_err());
    }

    #[test]
    fn consent_is_said() {
        for (text, expected) in [("yes", true), ("YES", true), ("no", false), ("perhaps", false)] {
            assert_eq!(GeolocationRouting::decode(&text.into()).unwrap().is_allowed(), expected, "{text}");
        }
        assert!(GeolocationRouting::decode(&"yes;x".into()).is_err());
    }

    #[test]
    fn errors() {
        let error = GeolocationError::decode(&"0300 ; code=\"Permission To Use\"".into()).unwrap();
        assert_eq!((error.code(), error.meaning().as_deref()), (300, Some("Permission To Use")));
        assert_eq!(GeolocationError::new(100, "No \"x\"").to_string(), "100;code=\"No \\\"x\\\"\"");
        assert_eq!(AlertMsgError::decode(&"104;code=\"Unsupported Schema\"".into()).unwrap().code(), 104);
        for (text, cause) in [("1000", Cause::TooLarge), ("", Cause::Malformed), ("x", Cause::Malformed)] {
            assert_eq!(GeolocationError::decode(&text.into()).map_err(|error| error.cause), Err(cause), "{text}");
        }
    }
}
