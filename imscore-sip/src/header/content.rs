//! Content-Type and Content-Disposition (RFC 3261 §20.15, §20.11).

use std::borrow::Cow;

use super::parameterised::parameterised;
use crate::parse::grammar;
use crate::parse::params::push_token;

parameterised! {
    /// What the body is: `application/sdp`, `multipart/mixed;boundary=…` (RFC 3261 §20.15).
    ContentType CONTENT_TYPE list: false head: grammar::media_type;
    /// What the body is for: `session`, `render;handling=optional` (RFC 3261 §20.11).
    ContentDisposition CONTENT_DISPOSITION list: false head: grammar::token;
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
    /// A disposition without parameters.
    pub fn new(disposition: &str) -> ContentDisposition {
        let mut head = String::with_capacity(disposition.len());
        push_token(&mut head, disposition);
        ContentDisposition::of(&head, "")
    }

    /// What the body is for.
    pub fn disposition(&self) -> &str {
        self.head.text(&self.text)
    }

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
}
