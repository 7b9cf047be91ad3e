//! Session-ID (RFC 7989): two UUIDs that name a session from end to end, through whatever stands between.

use std::fmt;

use bytestring::ByteString;

use super::{Cause, Name, TypedHeader};
use crate::parse::grammar;

/// The name that the sender has given the session, and the one of its peer. Other parameters are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId {
    /// The sender's; 0 where a server in between has none to give.
    pub local: u128,
    /// The peer's; 0 while it is not known. `None` from one that knows RFC 7329 only.
    pub remote: Option<u128>,
}

impl TypedHeader for SessionId {
    const NAME: Name = Name::SESSION_ID;

    fn read(value: ByteString) -> Result<SessionId, Cause> {
        let mut remote = None;
        let local = grammar::whole(value.as_bytes(), |input| {
            let (rest, local) = grammar::token(input)?;
            let (rest, _) = grammar::params(rest, |name, value| {
                if !name.eq_ignore_ascii_case(b"remote") {
                    return Ok(());
                }
                let uuid = uuid(value.unwrap_or_default()).ok_or(Cause::Malformed)?;
                remote.replace(uuid).map_or(Ok(()), |_| Err(Cause::Repeated))
            })?;
            Ok((rest, local))
        })?;
        Ok(SessionId { local: uuid(local).ok_or(Cause::Malformed)?, remote })
    }
}

/// `32(DIGIT / %x61-66)`. Letters in upper case are let pass.
fn uuid(text: &[u8]) -> Option<u128> {
    let valid = text.len() == 32 && text.iter().all(u8::is_ascii_hexdigit);
    if valid { u128::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok() } else { None }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.local)?;
        match self.remote {
            None => Ok(()),
            Some(remote) => write!(f, ";remote={remote:032x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions() {
        let a = "ab30317f1a784dc48ff824d0d3715d86";
        let nil = "00000000000000000000000000000000";
        for (text, expected) in [
            (a.to_string(), Ok(a.to_string())),
            (format!("{} ; Remote={nil};x=1", a.to_uppercase()), Ok(format!("{a};remote={nil}"))),
            (format!("{nil};remote={a}"), Ok(format!("{nil};remote={a}"))),
            (format!("{a}0"), Err(Cause::Malformed)),
            (a[1..].to_string(), Err(Cause::Malformed)),
            (format!("+{}", &a[1..]), Err(Cause::Malformed)),
            (format!("{a};remote"), Err(Cause::Malformed)),
            (format!("{a};remote=1"), Err(Cause::Malformed)),
            (format!("{a};remote={nil};remote={nil}"), Err(Cause::Repeated)),
            (String::new(), Err(Cause::Malformed)),
        ] {
            let found = SessionId::decode(&text.as_str().into());
            assert_eq!(found.map(|found| found.to_string()).map_err(|error| error.cause), expected, "{text}");
        }
    }
}
