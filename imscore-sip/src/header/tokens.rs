//! Headers that are words: option tags (RFC 3261 §20.29, §20.32, §20.37, §20.40) and methods (§20.5).

use std::fmt;

use bytestring::ByteString;

use super::{Cause, Name, TypedHeader};
use crate::message::{Headers, Method};
use crate::parse::{grammar, list};

/// Defines header types whose values are words by a rule, compared by `same`.
macro_rules! words {
    ($($(#[$doc:meta])* $type:ident $name:ident list: $list:literal rule: $rule:path, same: $same:path;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $type(pub bytestring::ByteString);

        impl $type {
            /// True for that word, compared as its specification has it.
            pub fn is(&self, word: &str) -> bool {
                $same(&self.0, word)
            }
        }

        impl $crate::header::TypedHeader for $type {
            const NAME: $crate::header::Name = $crate::header::Name::$name;
            const LIST: bool = $list;

            fn read(value: bytestring::ByteString) -> Result<$type, $crate::header::Cause> {
                $crate::parse::grammar::whole(value.as_bytes(), $rule)?;
                Ok($type(value))
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $type {
            fn from(word: &str) -> $type {
                $type(word.into())
            }
        }
    )*};
}

pub(super) use words;

words! {
    /// An extension that the server must understand.
    ///
    /// ```
    /// use imscore_sip::header::{Allow, ProxyRequire, Require, Supported, Unsupported};
    /// use imscore_sip::{Method, Request, StatusCode};
    ///
    /// let invite = Request::new(&Method::Invite, "sip:bob@ims.example")
    ///     .with(Require("100rel".into()))
    ///     .with(ProxyRequire("sec-agree".into()))
    ///     .with(Supported("timer".into()))
    ///     .with(Allow(Method::Update));
    /// assert!(invite.headers.requires("100rel") && invite.headers.supports("timer") && invite.headers.allows(&Method::Update));
    /// // Who does not understand an extension that is required says which.
    /// let wanted: ProxyRequire = invite.headers.first()?;
    /// let refused = invite.reply(StatusCode::BAD_EXTENSION).with(Unsupported(wanted.0));
    /// assert_eq!(refused.headers.raw("Unsupported"), Some(&b"sec-agree"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Require REQUIRE list: true rule: grammar::token, same: str::eq_ignore_ascii_case;
    /// An extension that every proxy must understand.
    ProxyRequire PROXY_REQUIRE list: true rule: grammar::token, same: str::eq_ignore_ascii_case;
    /// An extension that the sender understands.
    Supported SUPPORTED list: true rule: grammar::token, same: str::eq_ignore_ascii_case;
    /// An extension that was required and is not understood.
    Unsupported UNSUPPORTED list: true rule: grammar::token, same: str::eq_ignore_ascii_case;
}

/// A method that the sender understands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Allow(pub Method);

impl TypedHeader for Allow {
    const NAME: Name = Name::ALLOW;
    const LIST: bool = true;

    fn read(value: ByteString) -> Result<Allow, Cause> {
        let known = Method::known(grammar::whole(value.as_bytes(), grammar::token)?);
        Ok(Allow(known.unwrap_or_else(|| Method::Extension(value))))
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Headers {
    /// True where Supported names that option tag.
    pub fn supports(&self, tag: &str) -> bool {
        self.lists(Name::SUPPORTED, |word| word.eq_ignore_ascii_case(tag.as_bytes()))
    }

    /// True where Require names that option tag.
    pub fn requires(&self, tag: &str) -> bool {
        self.lists(Name::REQUIRE, |word| word.eq_ignore_ascii_case(tag.as_bytes()))
    }

    /// True where Allow names that method.
    pub fn allows(&self, method: &Method) -> bool {
        self.lists(Name::ALLOW, |word| word == method.as_str().as_bytes())
    }

    fn lists(&self, name: Name, is: impl Fn(&[u8]) -> bool) -> bool {
        self.raw_all(name).any(|line| list::split(line).any(&is))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn words_of_lists() {
        let text = "INVITE sip:b@h SIP/2.0\r\nSupported: timer, 100rel,\r\n Path\r\nk:\r\nRequire: precondition\r\n\
            Allow: INVITE ,ACK, invite2\r\n\r\n";
        let message = Message::parse(text.into()).unwrap();
        let headers = message.headers();
        let supported: Vec<Supported> = headers.all().unwrap();
        assert_eq!(supported, [Supported::from("timer"), "100rel".into(), "Path".into()]);
        assert_eq!(headers.all(), Ok(vec![Allow(Method::Invite), Allow(Method::Ack), Allow("invite2".into())]));
        assert!(headers.supports("path") && headers.supports("100rel") && !headers.supports("100"));
        assert!(headers.requires("Precondition") && !headers.requires("timer"));
        assert!(headers.allows(&Method::Ack) && !headers.allows(&Method::Bye) && !headers.allows(&"ack".into()));
    }

    #[test]
    fn words_are_tokens() {
        for text in ["a b", "a;b", "\"a\"", ""] {
            assert!(Require::decode(&text.into()).is_err(), "{text}");
        }
        assert!(Unsupported::decode(&"100rel".into()).unwrap().is("100REL"));
    }
}
