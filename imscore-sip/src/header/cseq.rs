//! CSeq (RFC 3261 §20.16).

use std::fmt;

use bytestring::ByteString;

use super::{Cause, Name, TypedHeader};
use crate::message::Method;
use crate::parse::grammar;

/// The place of a request in its dialog, and its method.
///
/// ```
/// use imscore_sip::Method;
/// use imscore_sip::header::{CSeq, TypedHeader};
///
/// let cseq = CSeq::decode(&"4711 INVITE".into())?;
/// assert_eq!(cseq, CSeq { number: 4_711, method: Method::Invite });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// Below 2^31 (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The method of the request, also in its responses.
    pub method: Method,
}

/// Bytes of a method.
const MAX_METHOD: usize = 64;

impl TypedHeader for CSeq {
    const NAME: Name = Name::CSEQ;

    fn read(value: ByteString) -> Result<CSeq, Cause> {
        read(value.as_bytes())
    }
}

/// Reads a value, folded or not.
pub(crate) fn read(value: &[u8]) -> Result<CSeq, Cause> {
    let digits = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
    let (digits, rest) = value.split_at(digits);
    let token = rest.trim_ascii();
    if digits.is_empty() || token.len() == rest.len() || token.len() > MAX_METHOD {
        return Err(Cause::Malformed);
    }
    let number = match grammar::number_to((1 << 31) - 1)(digits) {
        Ok((_, number)) => number as u32,
        Err(_) => return Err(Cause::TooLarge),
    };
    let method = match (Method::known(token), grammar::token(token)) {
        (Some(known), _) => known,
        (None, Ok(([], token))) => match std::str::from_utf8(token) {
            Ok(token) => Method::Extension(token.into()),
            Err(_) => return Err(Cause::Malformed),
        },
        (None, _) => return Err(Cause::Malformed),
    };
    Ok(CSeq { number, method })
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let long = format!("1 {}", "M".repeat(65));
        for (text, expected) in [
            ("1 INVITE", Ok("1 INVITE")),
            ("0009\t  INVITE", Ok("9 INVITE")),
            ("2147483647 invite", Ok("2147483647 invite")),
            ("1 RE%47IST%45R", Ok("1 RE%47IST%45R")),
            ("2147483648 INVITE", Err(Cause::TooLarge)),
            ("99999999999999999999999 INVITE", Err(Cause::TooLarge)),
            ("1INVITE", Err(Cause::Malformed)),
            ("1", Err(Cause::Malformed)),
            ("INVITE", Err(Cause::Malformed)),
            ("-1 INVITE", Err(Cause::Malformed)),
            ("1 INVITE x", Err(Cause::Malformed)),
            ("1 INV,ITE", Err(Cause::Malformed)),
            (&long, Err(Cause::Malformed)),
        ] {
            let found = CSeq::decode(&text.into()).map(|cseq| cseq.to_string()).map_err(|error| error.cause);
            assert_eq!(found, expected.map(str::to_string), "{text}");
        }
        assert!(CSeq::decode(&format!("1 {}", "M".repeat(64)).into()).is_ok());
    }
}
