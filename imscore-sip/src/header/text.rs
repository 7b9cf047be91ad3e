//! Headers that are text for people, and Privacy, which is words.

use std::fmt;

use bytestring::ByteString;

use super::{Cause, Name, TypedHeader};
use crate::parse::grammar;

macro_rules! texts {
    ($($(#[$doc:meta])* $type:ident $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $type(pub ByteString);

        impl TypedHeader for $type {
            const NAME: Name = Name::$name;

            fn read(value: ByteString) -> Result<$type, Cause> {
                Ok($type(value))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $type {
            fn from(text: &str) -> $type {
                $type(text.into())
            }
        }
    )*};
}

texts! {
    /// The software of a server (RFC 3261 §20.35).
    Server SERVER;
    /// The software of a client (RFC 3261 §20.41).
    ///
    /// ```
    /// use imscore_sip::header::{Organization, Server, UserAgent};
    /// use imscore_sip::{Method, Request};
    ///
    /// let options = Request::new(&Method::Options, "sip:ims.example").with(UserAgent("Lab/1.0".into()));
    /// let agent: UserAgent = options.headers.first()?;
    /// assert_eq!(agent.0, "Lab/1.0");
    /// assert_eq!(Server("Lab/2.0".into()).to_string(), "Lab/2.0");
    /// assert_eq!(Organization("Lab".into()).to_string(), "Lab");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    UserAgent USER_AGENT;
    /// What a call is about (RFC 3261 §20.36).
    Subject SUBJECT;
    /// Whose the sender is (RFC 3261 §20.25).
    Organization ORGANIZATION;
}

/// What a sender wants to be kept from others (RFC 3323 §4.2, RFC 3325 §9.3).
///
/// ```
/// use imscore_sip::header::Privacy;
///
/// let privacy = Privacy::new(["id", "critical"]);
/// assert!(privacy.contains("id"));
/// assert_eq!(privacy.to_string(), "id;critical");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Privacy(ByteString);

impl Privacy {
    /// Those values.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Privacy {
        let mut text = String::new();
        for value in values {
            if !text.is_empty() {
                text.push(';');
            }
            crate::parse::params::push_token(&mut text, value);
        }
        Privacy(text.into())
    }

    /// The values as they stand: `header`, `session`, `user`, `none`, `critical`, `id`, `history`.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.split([';', ',']).map(str::trim_ascii)
    }

    /// True where it names that value, in any case.
    pub fn contains(&self, value: &str) -> bool {
        self.values().any(|found| found.eq_ignore_ascii_case(value))
    }
}

impl TypedHeader for Privacy {
    const NAME: Name = Name::PRIVACY;

    /// Between values stand semicolons; the commas that some write are let pass.
    fn read(value: ByteString) -> Result<Privacy, Cause> {
        let token = |word: &str| matches!(grammar::token(word.as_bytes()), Ok(([], _)));
        let privacy = Privacy(value);
        if privacy.values().all(token) { Ok(privacy) } else { Err(Cause::Malformed) }
    }
}

impl fmt::Display for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privacy() {
        let asked = Privacy::decode(&"Id; header , critical".into()).unwrap();
        assert!(asked.contains("id") && asked.contains("header") && asked.contains("critical") && !asked.contains("i"));
        assert_eq!(Privacy::new(["id", "user"]).to_string(), "id;user");
        for text in ["", "id;", ";", "a b"] {
            assert!(Privacy::decode(&text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn texts_are_kept() {
        let text = "Fjord Phone 7 (IMS 3.2), ü";
        assert_eq!(UserAgent::decode(&text.into()).unwrap().to_string(), text);
    }
}
