//! User-to-User (RFC 7433): what the users' machines have to say to each other, opaque to all between.

use std::borrow::Cow;

use super::parameterised::parameterised;
use crate::parse::grammar;
use crate::parse::params::{push_quoted, unquoted};

parameterised! {
    /// Data of one application: `56a390f3d2b7;encoding=hex;purpose=isdn-uui` (RFC 7433).
    UserToUser USER_TO_USER list: true head: grammar::token_or_quoted;
}

impl UserToUser {
    /// Bytes, written in base 16 with `encoding=hex`.
    pub fn hex(data: &[u8]) -> UserToUser {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
        let head: String = data.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        UserToUser::of(if head.is_empty() { "\"\"" } else { &head }, ";encoding=hex")
    }

    /// Text, written in quotes.
    pub fn text(text: &str) -> UserToUser {
        let mut head = String::with_capacity(text.len() + 2);
        push_quoted(&mut head, text);
        UserToUser::of(&head, "")
    }

    /// The data without quotes and escapes, before any encoding is undone.
    pub fn data(&self) -> Cow<'_, str> {
        unquoted(self.head.text(&self.text))
    }

    /// How the data are written: `hex` where it does not say.
    pub fn encoding(&self) -> Cow<'_, str> {
        self.param("encoding").unwrap_or(Cow::Borrowed("hex"))
    }

    /// The application: `isdn-uui` where it does not say (RFC 7434).
    pub fn purpose(&self) -> Cow<'_, str> {
        self.param("purpose").unwrap_or(Cow::Borrowed("isdn-uui"))
    }

    /// What kind of data the application has.
    pub fn content(&self) -> Option<Cow<'_, str>> {
        self.param("content")
    }

    /// The bytes of data that are written in base 16. `None` for another encoding, and what is none.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let data = self.data();
        if !self.encoding().eq_ignore_ascii_case("hex") || !data.len().is_multiple_of(2) {
            return None;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        data.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;

    #[test]
    fn data() {
        let uui = UserToUser::decode(&"56A390f3;encoding=hex;purpose=foo;content=bar".into()).unwrap();
        assert_eq!(uui.bytes().as_deref(), Some(&[0x56, 0xa3, 0x90, 0xf3][..]));
        assert_eq!((&*uui.purpose(), uui.content().as_deref()), ("foo", Some("bar")));
        assert_eq!(UserToUser::decode(&"56a".into()).unwrap().bytes(), None);
        assert_eq!(UserToUser::decode(&"xy".into()).unwrap().bytes(), None);
        let text = UserToUser::text("hello, \"you\"").with_param("encoding", "utf-8");
        let read = UserToUser::decode(&text.to_string().into()).unwrap();
        assert_eq!((&*read.data(), read.bytes(), &*read.purpose()), ("hello, \"you\"", None, "isdn-uui"));
        for bytes in [&b""[..], b"\0\xff"] {
            let written = UserToUser::hex(bytes).to_string();
            assert_eq!(
                UserToUser::decode(&written.as_str().into()).unwrap().bytes().as_deref(),
                Some(bytes),
                "{written}"
            );
        }
        for text in ["", "a b", "\"a", "a;", "a, b"] {
            assert!(UserToUser::decode(&text.into()).is_err(), "{text}");
        }
    }
}
