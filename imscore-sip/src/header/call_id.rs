//! Call-ID (RFC 3261 §20.8).

use std::fmt;

use bytestring::ByteString;

use super::{Cause, Checked, Name, TypedHeader};
use crate::parse::grammar::MAX_NAME;

/// What all requests and responses of a dialog, and all registrations of a phone, have in common. Compared with regard
/// to case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(ByteString);

impl CallId {
    /// A Call-ID of that text, of which what no Call-ID may hold is left out.
    pub fn new(text: impl Into<ByteString>) -> CallId {
        let text = text.into();
        if CallId::check(text.as_bytes()).is_ok() {
            return CallId(text);
        }
        CallId(text.chars().filter(char::is_ascii_graphic).take(MAX_NAME).collect::<String>().into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, shared.
    pub fn text(&self) -> &ByteString {
        &self.0
    }
}

impl Checked for CallId {
    /// `callid`: what is in use beside the `word` of RFC 3261 §25.1 is let pass, as long as it is one word.
    fn check(value: &[u8]) -> Result<(), Cause> {
        match value {
            long if long.len() > MAX_NAME => Err(Cause::Limit),
            // Without a way out, the loop is vectorised.
            [_, ..] if value.iter().fold(true, |valid, byte| valid & byte.is_ascii_graphic()) => Ok(()),
            _ => Err(Cause::Malformed),
        }
    }
}

impl TypedHeader for CallId {
    const NAME: Name = Name::CALL_ID;

    fn read(value: ByteString) -> Result<CallId, Cause> {
        CallId::check(value.as_bytes()).map(|()| CallId(value))
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_of_256_bytes() {
        for (text, expected) in [
            ("1@192.0.2.1".to_string(), Ok(())),
            ("rEg-41c7f09b@2001:db8:5c:1::a7".to_string(), Ok(())),
            ("a".repeat(256), Ok(())),
            ("a".repeat(257), Err(Cause::Limit)),
            ("a b".to_string(), Err(Cause::Malformed)),
            ("ä".to_string(), Err(Cause::Malformed)),
            (String::new(), Err(Cause::Malformed)),
        ] {
            let found = CallId::decode(&text.as_str().into()).map(drop).map_err(|error| error.cause);
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(CallId::new("a b\r\n"), CallId::new("ab"));
    }
}
