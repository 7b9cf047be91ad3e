//! What a sender can read: Accept, Accept-Encoding, Accept-Language (RFC 3261 §20.1 to §20.3). Each value has a
//! preference, `q`.

use super::contact::thousandths;
use super::parameterised::{parameterised, token_headed};
use crate::parse::grammar;
use crate::parse::params::push_token;

parameterised! {
    /// A media type that the sender reads, `application/sdp`, or a range, `text/*`, `*/*` (RFC 3261 §20.1).
    ///
    /// ```
    /// use imscore_sip::header::{Accept, AcceptEncoding, AcceptLanguage, TypedHeader};
    ///
    /// let accept = Accept::decode(&"application/*;q=0.5".into())?;
    /// assert!(accept.covers("application/sdp"));
    /// assert_eq!(accept.q(), Some(500));
    /// assert!(AcceptLanguage::new("en").covers("en-GB"));
    /// assert_eq!(AcceptEncoding::new("gzip").with_param("q", "0.8").to_string(), "gzip;q=0.8");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Accept ACCEPT list: true head: grammar::media_type;
    /// A coding of bodies that the sender undoes, `gzip`, `identity` or `*` (RFC 3261 §20.2).
    AcceptEncoding ACCEPT_ENCODING list: true head: grammar::token;
    /// A language that the sender's user reads, `nb`, `en-gb` or `*` (RFC 3261 §20.3).
    AcceptLanguage ACCEPT_LANGUAGE list: true head: grammar::token;
}

token_headed! {
    AcceptEncoding:
    /// The coding as it stands.
    coding;
    AcceptLanguage:
    /// The language or range as it stands.
    range;
}

impl Accept {
    /// A type and subtype, or stars in place of them, with a slash between.
    pub fn new(range: &str) -> Accept {
        let (main, sub) = range.split_once('/').unwrap_or((range, "*"));
        let mut head = String::with_capacity(range.len() + 2);
        push_token(&mut head, main);
        head.push('/');
        push_token(&mut head, sub);
        Accept::of(&head, "")
    }

    /// The type or range as it stands.
    pub fn range(&self) -> &str {
        self.head.text(&self.text)
    }

    /// True where the range has that type and subtype in it, in any case, whatever the parameters.
    pub fn covers(&self, media_type: &str) -> bool {
        let halves = |text: &str| {
            text.split_once('/').map(|(main, sub)| {
                (main.trim_ascii_end().to_ascii_lowercase(), sub.trim_ascii_start().to_ascii_lowercase())
            })
        };
        match (halves(self.range()), halves(media_type)) {
            (Some((main, sub)), Some(wanted)) => {
                (main == "*" && sub == "*") || (main == wanted.0 && (sub == "*" || sub == wanted.1))
            }
            (_, _) => false,
        }
    }
}

impl AcceptLanguage {
    /// True where the range has that language in it: the same, or one that it is the beginning of up to a hyphen (RFC
    /// 2616 §14.4).
    pub fn covers(&self, language: &str) -> bool {
        let range = self.range();
        let starts = language.get(..range.len()).is_some_and(|start| start.eq_ignore_ascii_case(range));
        range == "*" || starts && matches!(language.as_bytes().get(range.len()), None | Some(b'-'))
    }
}

macro_rules! preferred {
    ($($type:ident)*) => {$(
        impl $type {
            /// How much it is preferred, in thousandths from 0, not at all, to 1,000, which holds where nothing is
            /// said. `None`: said in a way that is no `qvalue` (RFC 3261 §25.1).
            pub fn q(&self) -> Option<u16> {
                self.params().get("q").map_or(Some(1_000), thousandths)
            }
        }
    )*};
}

preferred!(Accept AcceptEncoding AcceptLanguage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{Cause, TypedHeader};

    #[test]
    fn media_ranges() {
        for (text, covers, misses, q) in [
            ("application/sdp;level=1", "Application/SDP", "application/pidf+xml", Some(1_000)),
            ("text/*;q=0.5", "text/html", "image/png", Some(500)),
            ("*/* ; q=0.001", "x/y", "x", Some(1)),
            ("Text / Plain;q=2", "text/plain", "text/plaintext", None),
        ] {
            let accept = Accept::decode(&text.into()).unwrap();
            assert!(accept.covers(covers) && !accept.covers(misses), "{text}");
            assert_eq!(accept.q(), q, "{text}");
        }
        for text in ["text", "text/", "/x", "a b/c", "text/plain;", "text/plain, text/html"] {
            assert_eq!(Accept::decode(&text.into()).map_err(|error| error.cause), Err(Cause::Malformed), "{text}");
        }
        assert_eq!(Accept::new("a/b").with_param("q", "0.2").to_string(), "a/b;q=0.2");
        assert!(!Accept::new("*/x").covers("y/z"));
        assert_eq!(Accept::new("a\r\n").to_string(), "a/*");
    }

    #[test]
    fn languages_and_codings() {
        let nordic = AcceptLanguage::decode(&"nn-NO;q=0.8".into()).unwrap();
        assert_eq!((nordic.range(), nordic.q()), ("nn-NO", Some(800)));
        assert!(nordic.covers("NN-no-x") && !nordic.covers("nn") && !nordic.covers("nn-nox"));
        assert!(AcceptLanguage::new("*").covers("da"));
        assert_eq!(AcceptEncoding::decode(&"gzip;q=0".into()).unwrap().q(), Some(0));
        assert_eq!(AcceptEncoding::new("gzip").coding(), "gzip");
        assert!(AcceptEncoding::decode(&"\"gzip\"".into()).is_err());
    }
}
