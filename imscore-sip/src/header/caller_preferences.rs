//! How a caller wants to be routed (RFC 3841): Request-Disposition, Accept-Contact, Reject-Contact.
//!
//! The feature sets are as a phone writes them (RFC 3840): `audio;automata="TRUE";+g.3gpp.icsi-ref="…"`. What they
//! match is for the proxy that has the contacts.

use super::parameterised::parameterised;
use super::tokens::words;
use crate::parse::grammar;

words! {
    /// What servers are to do with the request: `proxy`, `redirect`, `no-fork`, `queue` … (RFC 3841 §9.1).
    RequestDisposition REQUEST_DISPOSITION list: true rule: grammar::token, same: str::eq_ignore_ascii_case;
}

parameterised! {
    /// Features of the contact that the caller wants (RFC 3841 §9.2).
    AcceptContact ACCEPT_CONTACT list: true head: grammar::star;
    /// Features of a contact that the caller does not want (RFC 3841 §9.2).
    ///
    /// ```
    /// use imscore_sip::header::{RejectContact, RequestDisposition, TypedHeader};
    ///
    /// let reject = RejectContact::default().with_param("actor", "msg-taker");
    /// let features: Vec<_> = reject.features().collect();
    /// assert_eq!(features, [("actor", Some("msg-taker"))]);
    /// assert!(RequestDisposition::decode(&"no-fork".into())?.is("No-Fork"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    RejectContact REJECT_CONTACT list: true head: grammar::star;
}

impl AcceptContact {
    /// True where a contact must match and one that says nothing does not: `require`.
    pub fn is_required(&self) -> bool {
        self.params().contains("require")
    }

    /// True where a feature that a contact does not name counts as a mismatch: `explicit`.
    pub fn is_explicit(&self) -> bool {
        self.params().contains("explicit")
    }
}

macro_rules! features {
    ($($type:ident)*) => {$(
        impl Default for $type {
            /// No feature: `*`.
            fn default() -> $type {
                $type::of("*", "")
            }
        }

        impl $type {
            /// The features with their values as they stand, quotes included; `require` and `explicit` left out.
            pub fn features(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
                let own = |name: &str| name.eq_ignore_ascii_case("require") || name.eq_ignore_ascii_case("explicit");
                self.params().iter().filter(move |(name, _)| !own(name))
            }
        }
    )*};
}

features!(AcceptContact RejectContact);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{Cause, TypedHeader};

    #[test]
    fn feature_sets() {
        let text = "*;audio;require;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\";explicit";
        let wanted = AcceptContact::decode(&text.into()).unwrap();
        assert!(wanted.is_required() && wanted.is_explicit());
        assert_eq!(
            wanted.features().collect::<Vec<_>>(),
            [("audio", None), ("+g.3gpp.icsi-ref", Some("\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\""))]
        );
        assert_eq!(wanted.to_string(), text);
        let unwanted = RejectContact::default().with_param("actor", "msg-taker").with_param("video", None);
        assert_eq!(unwanted.to_string(), "*;actor=msg-taker;video");
        assert_eq!(RejectContact::decode(&unwanted.to_string().into()).unwrap().features().count(), 2);
        for text in ["", "audio", "*;", "* audio", "*;audio=", "**"] {
            assert_eq!(
                AcceptContact::decode(&text.into()).map_err(|error| error.cause),
                Err(Cause::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn dispositions() {
        assert!(RequestDisposition::decode(&"No-Fork".into()).unwrap().is("no-fork"));
        assert!(RequestDisposition::decode(&"proxy;x".into()).is_err());
    }
}
