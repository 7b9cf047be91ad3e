//! `tel:` URIs (RFC 3966).

use bytestring::ByteString;
use memchr::memchr;

use super::sip::named_once;
use super::{Params, UriError, legible};
use crate::parse::class::Class;
use crate::parse::part::{Excerpt, Part, push};

/// A telephone number as a URI: global, `tel:+1-555-0100`, or local within a `phone-context`.
#[derive(Clone)]
pub struct TelUri {
    pub(super) text: Excerpt,
    pub(super) parts: Parts,
}

/// Where the parts of a URI stand.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    number: Part,
    params: Part,
}

impl Parts {
    /// The parts where `from` bytes in front of the URI have become `to`.
    pub(super) fn moved(self, from: usize, to: usize) -> Parts {
        Parts { number: self.number.moved(from, to), params: self.params.moved(from, to) }
    }
}

impl TelUri {
    /// The number as it stands, visual separators and the `+` of a global one included.
    pub fn number(&self) -> &str {
        self.parts.number.text(self.text.source())
    }

    /// True for a number with a country code (RFC 3966 §5.1.4).
    pub fn is_global(&self) -> bool {
        self.number().starts_with('+')
    }

    /// The digits of the number, the `+` included, visual separators left out.
    pub fn digits(&self) -> impl Iterator<Item = char> {
        digits(self.number())
    }

    /// Within what a local number is valid: a domain, or the beginning of a global number (RFC 3966 §5.1.5).
    pub fn phone_context(&self) -> Option<&str> {
        self.param("phone-context")
    }

    /// The parameters.
    pub fn params(&self) -> Params<'_> {
        Params::of(self.parts.params.text(self.text.source()))
    }

    /// The value of a parameter as it stands; empty for one without a value.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params().get(name)
    }

    /// Puts a text together, every piece of which is valid.
    pub(super) fn of(number: &str, params: &str) -> TelUri {
        let mut text = String::from("tel:");
        let number = push(&mut text, number);
        let params = push(&mut text, params);
        TelUri { text: ByteString::from(text).into(), parts: Parts { number, params } }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text, shared.
    pub fn text(&self) -> ByteString {
        self.text.text()
    }
}

impl TryFrom<ByteString> for TelUri {
    type Error = UriError;

    fn try_from(text: ByteString) -> Result<TelUri, UriError> {
        let parts = read(text.as_bytes(), text.as_bytes())?;
        Ok(TelUri { text: text.into(), parts })
    }
}

/// Takes a text apart; the places are those in `source`, of which it is a slice.
pub(super) fn read(source: &[u8], bytes: &[u8]) -> Result<Parts, UriError> {
    legible(bytes)?;
    let [b't' | b'T', b'e' | b'E', b'l' | b'L', b':', rest @ ..] = bytes else {
        return Err(UriError::Scheme);
    };
    let (number, params) = rest.split_at(memchr(b';', rest).unwrap_or(rest.len()));
    if !is_number(number) {
        return Err(UriError::Number);
    }
    check_params(params)?;
    Ok(Parts { number: Part::of(source, number), params: Part::of(source, params) })
}

/// `global-number-digits` or `local-number-digits`. A local number without its `phone-context`, which RFC 3966 §3
/// wants, is let pass: what it means is for the network that it is dialled in.
fn is_number(number: &[u8]) -> bool {
    let (digits, global) = match number {
        [b'+', digits @ ..] => (digits, true),
        digits => (digits, false),
    };
    let digit =
        |byte: u8| byte.is_ascii_digit() || !global && (byte.is_ascii_hexdigit() || matches!(byte, b'*' | b'#'));
    digits.iter().all(|byte| digit(*byte) || is_separator(*byte)) && digits.iter().any(|byte| digit(*byte))
}

/// `par`: names of letters, digits and hyphens.
fn check_params(params: &[u8]) -> Result<(), UriError> {
    let (params, rest) = named_once(params, Class::PNAME, Class::TEL_VALUE).map_err(|_| UriError::Parameter)?;
    let bare_context = params.split(|byte| *byte == b';').any(|param| param.eq_ignore_ascii_case(b"phone-context"));
    if rest.is_empty() && !bare_context { Ok(()) } else { Err(UriError::Parameter) }
}

/// `visual-separator`
fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')')
}

/// The characters of a number but for its visual separators.
pub(super) fn digits(number: &str) -> impl Iterator<Item = char> {
    number.chars().filter(|character| !character.is_ascii() || !is_separator(*character as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> TelUri {
        text.parse().unwrap_or_else(|error| panic!("{text} {error}"))
    }

    #[test]
    fn parts() {
        let global = uri("tel:+44-1632.(960)117;ext=1-2;x");
        assert!(global.is_global());
        assert_eq!(global.digits().collect::<String>(), "+441632960117");
        assert_eq!((global.param("ext"), global.param("X")), (Some("1-2"), Some("")));
        let local = uri("TEL:*31#7042;phone-context=Ims.Example");
        assert!(!local.is_global());
        assert_eq!((local.number(), local.phone_context()), ("*31#7042", Some("Ims.Example")));
        assert_eq!(local.to_string(), "TEL:*31#7042;phone-context=Ims.Example");
    }

    #[test]
    fn refusals() {
        let many = format!("tel:1{}", (0..65).map(|n| format!(";a{n}")).collect::<String>());
        for (text, error) in [
            ("tel:", UriError::Number),
            ("tel:+", UriError::Number),
            ("tel:()", UriError::Number),
            ("tel:+1a", UriError::Number),
            ("tel:1+2", UriError::Number),
            ("tel:alice", UriError::Number),
            ("tel:+1 2", UriError::Byte),
            ("tel:1;", UriError::Parameter),
            ("tel:1;a_b", UriError::Parameter),
            ("tel:1;a=", UriError::Parameter),
            ("tel:1;phone-context", UriError::Parameter),
            ("tel:1;phone-context=a;phone-context=b", UriError::Parameter),
            ("tel:1;a;A=b", UriError::Parameter),
            ("tel:1;a=%4", UriError::Parameter),
            (&many, UriError::Parameter),
            ("sip:1", UriError::Scheme),
        ] {
            assert_eq!(text.parse::<TelUri>().err(), Some(error), "{text}");
        }
    }
}
