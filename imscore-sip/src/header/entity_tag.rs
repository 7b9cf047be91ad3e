//! Versions of what is published: SIP-ETag and SIP-If-Match (RFC 3903), Suppress-If-Match (RFC 5839).

use super::tokens::words;
use crate::parse::grammar;

words! {
    /// The version that a server has given what was published (RFC 3903).
    ///
    /// ```
    /// use imscore_sip::header::{SipETag, SipIfMatch, SuppressIfMatch};
    ///
    /// let published = SipETag::from("dx200xyz");
    /// assert!(SipIfMatch::from("dx200xyz").is(&published.0));
    /// assert!(SuppressIfMatch::from("*").suppresses(&published));
    /// ```
    SipETag SIP_ETAG list: false rule: grammar::token, same: str::eq;
    /// The version that a PUBLISH refreshes, changes or removes (RFC 3903).
    SipIfMatch SIP_IF_MATCH list: false rule: grammar::token, same: str::eq;
    /// The version that a subscriber has, and needs no NOTIFY of; `*` for any (RFC 5839).
    SuppressIfMatch SUPPRESS_IF_MATCH list: false rule: grammar::token, same: str::eq;
}

impl From<&SipETag> for SipIfMatch {
    fn from(tag: &SipETag) -> SipIfMatch {
        SipIfMatch(tag.0.clone())
    }
}

impl SuppressIfMatch {
    /// True where no NOTIFY of that version is wanted.
    pub fn suppresses(&self, tag: &SipETag) -> bool {
        self.is("*") || self.0 == tag.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;

    #[test]
    fn versions_are_compared_with_regard_to_case() {
        let tag = SipETag::decode(&"dx200xyz".into()).unwrap();
        assert!(SipIfMatch::from(&tag).is("dx200xyz") && !tag.is("DX200xyz"));
        for (text, expected) in [("*", true), ("dx200xyz", true), ("DX200XYZ", false)] {
            assert_eq!(SuppressIfMatch::decode(&text.into()).unwrap().suppresses(&tag), expected, "{text}");
        }
        for text in ["", "a b", "\"a\"", "a;b"] {
            assert!(SipETag::decode(&text.into()).is_err(), "{text}");
        }
    }
}
