//! Headers in a SIP URI, behind its question mark: what a request to it is to have (RFC 3261 §19.1.1).
//!
//! They come from whoever wrote the URI. A request that is made of one takes over only what its maker has reason to
//! (RFC 3261 §19.1.5), and nothing here puts them in by itself.

use std::borrow::Cow;

use super::escape::{is_unreserved, push_escaped};
use super::sip::Pieces;
use super::{SipUri, decoded};

impl SipUri {
    /// Names and values of the headers, escapes resolved. A name of `body` stands for the body.
    pub fn header_fields(&self) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
        let fields = self.headers().into_iter().flat_map(|headers| headers.split('&'));
        fields.filter_map(|field| field.split_once('=')).map(|(name, value)| (decoded(name), decoded(value)))
    }

    /// The value of the first header of that name, in any case, where it is text without control characters: one that
    /// could break a line is none.
    pub fn header_field(&self, name: &str) -> Option<String> {
        let found = self.header_fields().find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))?.1;
        String::from_utf8(found.into_owned()).ok().filter(|value| !value.chars().any(char::is_control))
    }

    /// The URI with one more header, as a Refer-To with `Replaces` needs it.
    #[must_use]
    pub fn with_header_field(&self, name: &str, value: &str) -> SipUri {
        let mut headers = self.headers().map(|headers| format!("{headers}&")).unwrap_or_default();
        push_escaped(&mut headers, name.as_bytes(), is_header);
        headers.push('=');
        push_escaped(&mut headers, value.as_bytes(), is_header);
        SipUri::of(Pieces { headers: Some(&headers), ..self.pieces() })
    }
}

/// `hnv-unreserved / unreserved` (RFC 3261 §25.1).
fn is_header(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b'?' | b':' | b'+' | b'$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_a_uri() {
        let uri: SipUri = "sip:h?Subject=a%20b&%62ody=%00&x=&subject=2".parse().unwrap();
        let fields: Vec<_> = uri.header_fields().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let expected = [("Subject", "a b"), ("body", "\0"), ("x", ""), ("subject", "2")];
        assert_eq!(fields, expected.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())));
        assert_eq!(uri.header_field("SUBJECT").as_deref(), Some("a b"));
        assert_eq!("sip:h".parse::<SipUri>().unwrap().header_fields().count(), 0);
    }

    /// Threat P11: no header appears from the text of a URI.
    #[test]
    fn p11_a_value_that_could_break_a_line_is_none() {
        let uri: SipUri = "sip:h?Subject=x%0d%0aP-Asserted-Identity:%20%3csip:a%40h%3e&To=%ff".parse().unwrap();
        assert_eq!((uri.header_field("Subject"), uri.header_field("To")), (None, None));
    }

    #[test]
    fn building() {
        let replaces = "12@h;to-tag=a;from-tag=b";
        let uri: SipUri = "sips:bob@h;lr".parse().unwrap();
        let refer = uri.with_header_field("Replaces", replaces).with_header_field("X&Y", "\u{fc}=");
        assert_eq!(refer.as_str(), "sips:bob@h;lr?Replaces=12%40h%3Bto-tag%3Da%3Bfrom-tag%3Db&X%26Y=%C3%BC%3D");
        let read: SipUri = refer.as_str().parse().unwrap();
        assert_eq!(read.header_field("replaces").as_deref(), Some(replaces));
        assert_eq!(read.header_field("x&y").as_deref(), Some("\u{fc}="));
        assert_eq!(read.without_headers(), uri);
    }
}
