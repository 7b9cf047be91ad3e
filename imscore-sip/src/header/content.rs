//! What a body is: Content-Type, -Disposition, -Encoding, -Language (RFC 3261 §20.11 to §20.15), and its Content-ID (RFC
//! 8262).

use std::borrow::Cow;

use super::parameterised::{parameterised, token_headed};
use super::tokens::words;
use crate::parse::grammar;
use crate::parse::params::push_token;

parameterised! {
    /// What the body is: `application/sdp`, `multipart/mixed;boundary=…` (RFC 3261 §20.15).
    ///
    /// ```
    /// use imscore_sip::header::{
    ///     ContentDisposition, ContentEncoding, ContentId, ContentLanguage, ContentLength, ContentType,
    ///     MimeVersion, TypedHeader,
    /// };
    ///
    /// let mixed = ContentType::decode(&"multipart/mixed;boundary=\"b1\"".into())?;
    /// assert!(mixed.is_multipart() && mixed.is("Multipart/Mixed"));
    /// assert_eq!(mixed.boundary().as_deref(), Some("b1"));
    /// assert!(ContentDisposition::new("render").with_param("handling", "optional").is_optional());
    /// assert!(ContentId::decode(&"<1@ims.example>".into())?.is_named_by("cid:1@ims.example"));
    /// assert!(ContentEncoding::from("gzip").is("GZIP") && ContentLanguage::from("fr").is("FR"));
    /// assert_eq!(ContentLength::decode(&"0142".into())?.0, 142);
    /// assert_eq!(MimeVersion::ONE.to_string(), "1.0");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ContentType CONTENT_TYPE list: false head: grammar::media_type;
    /// What the body is for: `session`, `render;handling=optional` (RFC 3261 §20.11).
    ContentDisposition CONTENT_DISPOSITION list: false head: grammar::token;
}

token_headed! {
    ContentDisposition:
    /// What the body is for.
    disposition;
}

words! {
    /// What was done to the body, in this order: `gzip` (RFC 3261 §20.12).
    ContentEncoding CONTENT_ENCODING list: true rule: grammar::token, same: str::eq_ignore_ascii_case;
    /// A language that the body is in (RFC 3261 §20.13).
    ContentLanguage CONTENT_LANGUAGE list: true rule: grammar::token, same: str::eq_ignore_ascii_case;
    /// The name of a body or body part, by which others point to it: `<1@ims.example>` (RFC 8262).
    ContentId CONTENT_ID list: false rule: message_id, same: str::eq;
}

/// `msg-id`: an at sign in angle brackets with something on both sides (RFC 2045 §7).
fn message_id(input: &[u8]) -> grammar::Parsed<'_> {
    let whole = |id: &[u8]| memchr::memchr(b'@', id).is_some_and(|at| at > 1 && at + 2 < id.len());
    nom::Parser::parse(&mut nom::combinator::verify(grammar::bracketed, whole), input)
}

impl ContentId {
    /// The name without its angle brackets, as it stands in a `cid:` URI (RFC 2392) but for escapes.
    pub fn id(&self) -> &str {
        self.0.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or_default()
    }

    /// True where a `cid:` URI names this body (RFC 2392 §2).
    pub fn is_named_by(&self, uri: &str) -> bool {
        uri.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("cid:"))
            && *crate::uri::decoded(&uri[4..]) == *self.id().as_bytes()
    }
}

impl ContentType {
    /// A type and subtype with a slash between them.
    pub fn new(media_type: &str) -> ContentType {
        let (main, sub) = media_type.split_once('/').unwrap_or((media_type, ""));
        let mut head = String::with_capacity(media_type.len());
        push_token(&mut head, main);
        head.push('/');
        push_token(&mut head, sub);
        ContentType::of(&head, "")
    }

    /// The type in front of the slash.
    pub fn main(&self) -> &str {
        self.halves().0
    }

    /// The type behind the slash.
    pub fn sub(&self) -> &str {
        self.halves().1
    }

    /// True for that type and subtype, in any case, whatever the parameters.
    pub fn is(&self, media_type: &str) -> bool {
        media_type
            .split_once('/')
            .is_some_and(|(main, sub)| self.main().eq_ignore_ascii_case(main) && self.sub().eq_ignore_ascii_case(sub))
    }

    /// True for a body of several parts.
    pub fn is_multipart(&self) -> bool {
        self.main().eq_ignore_ascii_case("multipart")
    }

    /// What stands between the parts of a multipart body (RFC 2046 §5.1.1).
    pub fn boundary(&self) -> Option<Cow<'_, str>> {
        self.param("boundary")
    }

    fn halves(&self) -> (&str, &str) {
        let (main, sub) = self.head.text(&self.text).split_once('/').unwrap_or_default();
        (main.trim_ascii_end(), sub.trim_ascii_start())
    }
}

impl ContentDisposition {
    /// True where a body that is not understood may be passed over: `handling=optional`.
    pub fn is_optional(&self) -> bool {
        self.param("handling").is_some_and(|handling| handling.eq_ignore_ascii_case("optional"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;

    #[test]
    fn types() {
        let mixed = ContentType::decode(&"Multipart / mixed ; boundary=\"a b\"".into()).unwrap();
        assert!(mixed.is("multipart/MIXED") && !mixed.is("multipart/signed") && !mixed.is("multipart"));
        assert_eq!(mixed.boundary().as_deref(), Some("a b"));
        assert_eq!(ContentType::new("application/sdp").to_string(), "application/sdp");
        for text in ["", "text", "text/", "/plain", "text/plain;", "text/plain x", "text/plain, text/html"] {
            assert!(ContentType::decode(&text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn dispositions() {
        let icon = ContentDisposition::decode(&"icon;handling=Optional".into()).unwrap();
        assert_eq!((icon.disposition(), icon.is_optional()), ("icon", true));
        assert!(!ContentDisposition::new("session").is_optional());
    }

    #[test]
    fn codings_and_languages() {
        assert!(ContentEncoding::decode(&"GZIP".into()).unwrap().is("gzip"));
        assert!(ContentLanguage::decode(&"nn-no".into()).unwrap().is("nn-NO"));
        assert!(ContentEncoding::decode(&"gzip;q=1".into()).is_err());
    }

    #[test]
    fn names() {
        let name = ContentId::decode(&"<a%b@ims.example>".into()).unwrap();
        assert_eq!(name.id(), "a%b@ims.example");
        assert!(name.is_named_by("CID:a%25b@ims.example") && !name.is_named_by("cid:a@ims.example"));
        for text in ["", "1@h", "<1@h", "<@h>", "<1@>", "<1>", "<1@h>x", "<1 2@h>"] {
            assert!(ContentId::decode(&text.into()).is_err(), "{text}");
        }
    }
}
