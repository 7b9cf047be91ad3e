//! Names of servers and networks as they stand in Cx.

use std::{fmt, str::FromStr, sync::Arc};

use thiserror::Error;

/// Longest name, in bytes.
pub const MAX_NAME: usize = 2048;

/// Name of an S-CSCF: its SIP URI, as Server-Name has it (TS 29.229 §6.3.3). Compared byte by byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName(Arc<str>);

/// Name of a visited network: P-Visited-Network-ID without its quotes (TS 29.229 §6.3.1). Compared in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VisitedNetwork(Arc<str>);

/// Why a text is no name.
///
/// ```
/// use imscore_hss::{NameError, ServerName, VisitedNetwork};
///
/// assert_eq!("scscf.ims.example".parse::<ServerName>(), Err(NameError::Scheme));
/// assert_eq!("".parse::<VisitedNetwork>(), Err(NameError::Length));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// Empty, or longer than [`MAX_NAME`].
    #[error("a name has 1 to {MAX_NAME} bytes")]
    Length,
    /// The name of an S-CSCF is a SIP URI.
    #[error("the name of an S-CSCF is a sip: or sips: URI")]
    Scheme,
    /// A control character or white space.
    #[error("character not allowed at byte {at}")]
    Character {
        /// Offset of the character in the text, in bytes.
        at: usize,
    },
}

impl ServerName {
    /// The URI as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl VisitedNetwork {
    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServerName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check(text, |c| c.is_ascii_graphic())?;
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
            return Err(NameError::Scheme);
        }
        Ok(Self(Arc::from(text)))
    }
}

impl FromStr for VisitedNetwork {
    type Err = NameError;

    /// Takes any text without control characters: networks name themselves with quoted strings as well.
    fn from_str(text: &str) -> Result<Self, NameError> {
        check(text, |c| !c.is_control())?;
        Ok(Self(Arc::from(text.to_lowercase())))
    }
}

fn check(text: &str, allowed: fn(char) -> bool) -> Result<(), NameError> {
    if text.is_empty() || text.len() > MAX_NAME {
        return Err(NameError::Length);
    }
    match text.find(|c| !allowed(c)) {
        Some(at) => Err(NameError::Character { at }),
        None => Ok(()),
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for VisitedNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VisitedNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!("sip:scscf.ims.example".parse::<ServerName>().unwrap().as_str(), "sip:scscf.ims.example");
        assert_eq!("scscf.ims.example".parse::<ServerName>(), Err(NameError::Scheme));
        assert_eq!("sip:a b".parse::<ServerName>(), Err(NameError::Character { at: 5 }));
        assert_eq!("".parse::<VisitedNetwork>(), Err(NameError::Length));
        assert_eq!("Visited Network 1".parse::<VisitedNetwork>(), "visited network 1".parse());
    }
}
