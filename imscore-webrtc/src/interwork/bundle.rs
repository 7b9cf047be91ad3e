//! Groups of media sections (RFC 5888), of which BUNDLE shares one transport (RFC 9143).

use std::fmt;
use std::str::FromStr;

use super::{AttributeError, is_token};

/// The value of a `mid` attribute: the name of a media section, a token (RFC 5888 §4).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mid(String);

/// The value of a `group` attribute (RFC 5888 §5).
///
/// ```
/// use imscore_webrtc::interwork::{Group, Mid};
///
/// let group: Group = "BUNDLE 0 1".parse()?;
/// assert!(group.is_bundle());
/// let first: &Mid = &group.mids[0];
/// assert_eq!(first.as_str(), "0");
/// assert_eq!(Group::bundle(group.mids.clone()).to_string(), "BUNDLE 0 1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// What its sections have in common: `BUNDLE`, `LS`.
    pub semantics: String,
    /// Its sections. The first of a bundle is the one whose transport is suggested for all (RFC 9143 §7.2.1).
    pub mids: Vec<Mid>,
}

impl Mid {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Mid {
    type Err = AttributeError;

    fn from_str(value: &str) -> Result<Mid, AttributeError> {
        let value = value.trim_ascii_end();
        if is_token(value) { Ok(Mid(value.to_string())) } else { Err(AttributeError { attribute: "mid" }) }
    }
}

impl fmt::Display for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Group {
    /// A BUNDLE of these sections.
    pub fn bundle(mids: impl IntoIterator<Item = Mid>) -> Group {
        Group { semantics: "BUNDLE".to_string(), mids: mids.into_iter().collect() }
    }

    /// True for a BUNDLE.
    pub fn is_bundle(&self) -> bool {
        self.semantics == "BUNDLE"
    }
}

impl FromStr for Group {
    type Err = AttributeError;

    fn from_str(value: &str) -> Result<Group, AttributeError> {
        let malformed = AttributeError { attribute: "group" };
        let mut parts = value.trim_ascii_end().split(' ');
        let semantics = parts.next().filter(|semantics| is_token(semantics)).ok_or(malformed)?.to_string();
        let mids: Result<Vec<Mid>, AttributeError> = parts.map(str::parse).collect();
        Ok(Group { semantics, mids: mids.map_err(|_| malformed)? })
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.semantics)?;
        self.mids.iter().try_for_each(|mid| write!(f, " {mid}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_and_written() {
        for (text, semantics, count) in [("BUNDLE 0 1 data", "BUNDLE", 3), ("LS a", "LS", 1), ("BUNDLE", "BUNDLE", 0)] {
            let group: Group = text.parse().unwrap();
            assert_eq!((group.semantics.as_str(), group.mids.len()), (semantics, count));
            assert_eq!(group.is_bundle(), semantics == "BUNDLE");
            assert_eq!(group.to_string(), text);
        }
        let mids = ["0", "1"].map(|mid| mid.parse().unwrap());
        assert_eq!(Group::bundle(mids).to_string(), "BUNDLE 0 1");
        for text in ["", " BUNDLE", "BUNDLE  0", "BUNDLE a/b", "BUN:DLE 0"] {
            assert_eq!(text.parse::<Group>(), Err(AttributeError { attribute: "group" }), "{text}");
        }
    }

    #[test]
    fn names_of_sections_are_tokens() {
        for text in ["0", "audio", "!#$%&'*+-.^_`{|}~"] {
            assert_eq!(text.parse::<Mid>().unwrap().to_string(), text);
        }
        for text in ["", "a b", "a/b", "a:b", "ü"] {
            assert_eq!(text.parse::<Mid>(), Err(AttributeError { attribute: "mid" }), "{text}");
        }
    }
}
