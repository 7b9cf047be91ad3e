//! Percent escapes: reading, writing, and comparison of texts that hold them (RFC 3261 §19.1.2, §19.1.4).

use std::borrow::Cow;

use super::UriError;
use crate::parse::class::Class;

/// The bytes of a class and the escapes that a text begins with, and what stands behind them.
pub(super) fn split_escaped(class: Class, text: &[u8]) -> Result<(&[u8], &[u8]), UriError> {
    let (_, mut rest) = class.split(text);
    while let [b'%', behind @ ..] = rest {
        match behind {
            [high, low, behind @ ..] if Class::HEX.has(*high) && Class::HEX.has(*low) => rest = class.split(behind).1,
            _ => return Err(UriError::Escape),
        }
    }
    Ok(text.split_at(text.len() - rest.len()))
}

/// The bytes that a text stands for, its escapes resolved once. They may hold NUL and need not be UTF-8.
pub fn decoded(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
    Cow::Owned(units(text).map(|(_, byte)| byte).collect())
}

/// True where every percent sign has two hexadecimal digits behind it.
pub(super) fn is_escaped(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text)
        .all(|at| text.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

/// RFC 3261 §19.1.4: a character equals its escape, unless it is one of the reserved set, which may separate.
pub(super) fn same(one: &str, other: &str) -> bool {
    one == other || units(one).map(weigh).eq(units(other).map(weigh))
}

/// As [`same`], in any case.
pub(super) fn same_in_any_case(one: &str, other: &str) -> bool {
    let lower = |(escaped, byte): (bool, u8)| (escaped, byte.to_ascii_lowercase());
    one.eq_ignore_ascii_case(other) || units(one).map(weigh).map(lower).eq(units(other).map(weigh).map(lower))
}

/// A number that all of those texts share which [`same_in_any_case`] takes for one; others rarely do.
pub(super) fn mark(text: &str) -> u64 {
    units(text).map(weigh).fold(0, |mark: u64, (escaped, byte)| {
        let unit = u64::from(byte.to_ascii_lowercase()) + 1 + 256 * u64::from(escaped);
        (mark.rotate_left(5) ^ unit).wrapping_mul(0x517c_c1b7_2722_0a95)
    })
}

/// Appends `text` with all but the allowed bytes escaped. A percent sign is none that is allowed.
pub(super) fn push_escaped(out: &mut String, text: &[u8], allowed: impl Fn(u8) -> bool) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if text.iter().all(|byte| byte.is_ascii() && allowed(*byte)) {
        out.push_str(std::str::from_utf8(text).unwrap_or_default());
        return;
    }
    for byte in text {
        if allowed(*byte) {
            out.push(char::from(*byte));
        } else {
            let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// `unreserved` (RFC 3261 §25.1).
pub(super) fn is_unreserved(byte: u8) -> bool {
    Class::UNRESERVED.has(byte)
}

/// Bytes, and whether each was escaped.
fn units(text: &str) -> impl Iterator<Item = (bool, u8)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *bytes.get(at)?;
        let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                at += 3;
                Some((true, (high << 4 | low) as u8))
            }
            (_, _, _) => {
                at += 1;
                Some((false, byte))
            }
        }
    })
}

/// Only in the reserved set (RFC 2396 §2.2) does it matter whether a byte was escaped.
fn weigh((escaped, byte): (bool, u8)) -> (bool, u8) {
    (escaped && matches!(byte, b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b','), byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_equals_its_character_unless_reserved() {
        for (one, other, expected) in [
            ("%61lice", "alice", true),
            ("a%6Cice", "a%6cice", true),
            ("Alice", "alice", false),
            ("a%3Bb", "a;b", false),
            ("a%3Bb", "a%3bb", true),
            ("a%00b", "a%00b", true),
            ("a%00b", "a", false),
            ("v%61lue%25%34%31", "valueA", false),
            ("100%", "100%25", true),
        ] {
            assert_eq!(same(one, other), expected, "{one} {other}");
        }
        assert!(same_in_any_case("TC%50", "tcp"));
        assert_eq!(mark("TC%50"), mark("tcp"));
        assert_ne!(mark("tcp"), mark("tcq"));
    }

    /// RFC 4475 §3.1.1.3: once, never again over what came out.
    #[test]
    fn escapes_are_resolved_once() {
        assert_eq!(decoded("v%61lue%25%34%31"), &b"value%41"[..]);
        assert_eq!(decoded("%00x%"), &b"\0x%"[..]);
        assert!(matches!(decoded("plain"), Cow::Borrowed(_)));
    }
}
