//! Session-Expires and Min-SE (RFC 4028 §4, §5).

use std::fmt;

use bytestring::ByteString;

use super::{Cause, Name, TypedHeader};
use crate::parse::grammar::{self, delta_seconds};

/// How long a session lives without a refresh, and who refreshes it.
///
/// ```
/// use imscore_sip::header::{MinSe, Refresher, SessionExpires, TypedHeader};
///
/// let expires = SessionExpires::decode(&"1800;refresher=uac".into())?;
/// assert_eq!((expires.seconds, expires.refresher), (1_800, Some(Refresher::Uac)));
/// assert_eq!(MinSe(90).to_string(), "90");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionExpires {
    /// Seconds.
    pub seconds: u32,
    /// Who refreshes, where that is settled.
    pub refresher: Option<Refresher>,
}

/// The side that refreshes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Refresher {
    Uac,
    Uas,
}

/// The shortest session interval, in seconds, that somebody on the way accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MinSe(pub u32);

impl TypedHeader for SessionExpires {
    const NAME: Name = Name::SESSION_EXPIRES;

    fn read(value: ByteString) -> Result<SessionExpires, Cause> {
        let mut refresher = None;
        let seconds = grammar::whole(value.as_bytes(), |input| {
            let (rest, seconds) = delta_seconds(input)?;
            let (rest, _) = grammar::params(rest, |name, value| {
                if !name.eq_ignore_ascii_case(b"refresher") {
                    return Ok(());
                }
                let side = match value {
                    Some(value) if value.eq_ignore_ascii_case(b"uac") => Refresher::Uac,
                    Some(value) if value.eq_ignore_ascii_case(b"uas") => Refresher::Uas,
                    _ => return Err(Cause::Malformed),
                };
                refresher.replace(side).map_or(Ok(()), |_| Err(Cause::Repeated))
            })?;
            Ok((rest, seconds))
        })?;
        Ok(SessionExpires { seconds, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seconds)?;
        match self.refresher {
            None => Ok(()),
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
        }
    }
}

impl TypedHeader for MinSe {
    const NAME: Name = Name::MIN_SE;

    fn read(value: ByteString) -> Result<MinSe, Cause> {
        grammar::whole(value.as_bytes(), |input| {
            let (rest, seconds) = delta_seconds(input)?;
            let (rest, _) = grammar::params(rest, |_, _| Ok(()))?;
            Ok((rest, MinSe(seconds)))
        })
    }
}

impl fmt::Display for MinSe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_intervals() {
        for (text, expected) in [
            ("1800", Ok("1800")),
            ("1800 ; Refresher=UAS;x=y", Ok("1800;refresher=uas")),
            ("90;refresher=uac", Ok("90;refresher=uac")),
            ("1800;refresher=me", Err(Cause::Malformed)),
            ("1800;refresher", Err(Cause::Malformed)),
            ("1800;refresher=uac;refresher=uas", Err(Cause::Repeated)),
            ("4294967296", Err(Cause::TooLarge)),
            ("x", Err(Cause::Malformed)),
        ] {
            let found =
                SessionExpires::decode(&text.into()).map(|value| value.to_string()).map_err(|error| error.cause);
            assert_eq!(found, expected.map(str::to_string), "{text}");
        }
        assert_eq!(MinSe::decode(&"90;x".into()), Ok(MinSe(90)));
        assert!(MinSe::decode(&"90 s".into()).is_err());
    }
}
