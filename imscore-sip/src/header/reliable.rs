//! RAck: which reliable provisional response a PRACK is for (RFC 3262 §7.2).

use std::fmt;

use bytestring::ByteString;

use super::{Cause, Name, TypedHeader};
use crate::message::Method;
use crate::parse::grammar;

/// The RSeq and the CSeq of the response that a PRACK acknowledges.
///
/// ```
/// use imscore_sip::Method;
/// use imscore_sip::header::{RAck, TypedHeader};
///
/// let rack = RAck::decode(&"776656 1 INVITE".into())?;
/// assert_eq!(rack, RAck { response: 776_656, number: 1, method: Method::Invite });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RAck {
    /// The RSeq of the response.
    pub response: u32,
    /// The number in its CSeq.
    pub number: u32,
    /// The method in its CSeq.
    pub method: Method,
}

impl TypedHeader for RAck {
    const NAME: Name = Name::RACK;

    fn read(value: ByteString) -> Result<RAck, Cause> {
        let text: &[u8] = value.as_bytes();
        let (rest, response) = match grammar::number_to(u32::MAX.into())(text) {
            Ok((rest, response)) => (rest, response as u32),
            Err(nom::Err::Failure(cause)) => return Err(cause),
            Err(_) => return Err(Cause::Malformed),
        };
        // What no white space parts from the digits begins with none, and is no CSeq.
        let request = super::read_cseq(rest.trim_ascii_start())?;
        Ok(RAck { response, number: request.number, method: request.method })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.response, self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        for (text, expected) in [
            ("776656 1 INVITE", Ok("776656 1 INVITE")),
            ("1  2\tX-Own", Ok("1 2 X-Own")),
            ("4294967296 1 INVITE", Err(Cause::TooLarge)),
            ("1 2147483648 INVITE", Err(Cause::TooLarge)),
            ("1 INVITE", Err(Cause::Malformed)),
            ("1 1", Err(Cause::Malformed)),
            ("1x 1 INVITE", Err(Cause::Malformed)),
            ("", Err(Cause::Malformed)),
        ] {
            let found = RAck::decode(&text.into()).map(|value| value.to_string()).map_err(|error| error.cause);
            assert_eq!(found, expected.map(str::to_string), "{text}");
        }
    }
}
