//! MIME-Version (RFC 3261 §20.24).

use std::fmt;

use bytestring::ByteString;
use nom::Parser;
use nom::character::complete::char;
use nom::sequence::separated_pair;

use super::{Cause, Name, TypedHeader};
use crate::parse::grammar::{self, number_to};

/// The version of MIME that a body is made by: 1.0, and no other so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MimeVersion {
    /// In front of the dot.
    pub major: u16,
    /// Behind the dot.
    pub minor: u16,
}

impl MimeVersion {
    /// 1.0
    pub const ONE: MimeVersion = MimeVersion { major: 1, minor: 0 };
}

impl TypedHeader for MimeVersion {
    const NAME: Name = Name::MIME_VERSION;

    fn read(value: ByteString) -> Result<MimeVersion, Cause> {
        let number = || number_to(u16::MAX.into());
        let pair = |input| separated_pair(number(), char('.'), number()).parse(input);
        let (major, minor) = grammar::whole(value.as_bytes(), pair)?;
        Ok(MimeVersion { major: major as u16, minor: minor as u16 })
    }
}

impl fmt::Display for MimeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Cause;

    #[test]
    fn versions() {
        let check = |text: &str, expected| {
            assert_eq!(MimeVersion::decode(&text.into()).map_err(|error| error.cause), expected, "{text}");
        };
        check("1.0", Ok(MimeVersion::ONE));
        check("65535.7", Ok(MimeVersion { major: 65_535, minor: 7 }));
        check("65536.0", Err(Cause::TooLarge));
        for text in ["", "1", "1.", ".0", "1.0.0", "1 .0", "x.y"] {
            check(text, Err(Cause::Malformed));
        }
        assert_eq!(MimeVersion::ONE.to_string(), "1.0");
    }
}
