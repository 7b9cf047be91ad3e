//! Challenges and the answers to them: a scheme and its parameters (RFC 3261 §20.7, §20.27, §20.28, §20.44). What they
//! mean for Digest is in `auth`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use bytestring::ByteString;
use nom::Parser;
use nom::bytes::complete::{take_while, take_while1};
use nom::sequence::separated_pair;
use smallvec::SmallVec;

use super::{Cause, Name, Params, TypedHeader};
use crate::parse::grammar::{self, MAX_NAME, MAX_PARAMS, Parsed, fail, gen_value, lws, spaced, token};
use crate::parse::params::{push_quoted, push_token, push_value};
use crate::parse::part::Part;
use crate::uri::is_its_text;

macro_rules! schemes {
    ($($(#[$doc:meta])* $type:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $type {
            text: ByteString,
            scheme: Part,
            params: Part,
        }

        impl $type {
            /// A scheme without parameters yet.
            pub fn new(scheme: &str) -> $type {
                $type::build(scheme, |_| ())
            }

            /// A scheme with the parameters that `write` adds.
            pub fn build(scheme: &str, write: impl FnOnce(&mut ParamList)) -> $type {
                let mut text = String::with_capacity(256);
                push_token(&mut text, scheme);
                let scheme = Part::between(0, text.len());
                let mut list = ParamList { from: text.len(), text };
                write(&mut list);
                let ParamList { text, from } = list;
                let params = Part::between((from + 1).min(text.len()), text.len());
                $type { text: text.into(), scheme, params }
            }

            /// The scheme as it stands.
            pub fn scheme(&self) -> &str {
                self.scheme.text(&self.text)
            }

            /// True for `Digest`, in any case.
            pub fn is_digest(&self) -> bool {
                self.scheme().eq_ignore_ascii_case("Digest")
            }

            /// The value of a parameter, without quotes and escapes.
            pub fn param(&self, name: &str) -> Option<Cow<'_, str>> {
                self.params().value(name)
            }

            /// All parameters.
            pub fn params(&self) -> Params<'_> {
                Params::between_commas(self.params.text(&self.text))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.text
            }

            /// The same with one more parameter, its value as a token where it is one.
            #[must_use]
            pub fn with(&self, name: &str, value: &str) -> $type {
                self.extended(|params| params.push(name, value))
            }

            /// The same with one more parameter, its value in quotes.
            #[must_use]
            pub fn with_quoted(&self, name: &str, value: &str) -> $type {
                self.extended(|params| params.push_quoted(name, value))
            }

            /// The same without the parameter of that name; the others stand as they were written.
            #[must_use]
            pub fn without(&self, name: &str) -> $type {
                $type::build(self.scheme(), |params| {
                    let others = self.params();
                    for (other, value) in others.iter().filter(|(other, _)| !other.eq_ignore_ascii_case(name)) {
                        params.push_as_it_stands(other, value.unwrap_or_default());
                    }
                })
            }

            fn extended(&self, write: impl FnOnce(&mut ParamList)) -> $type {
                $type::build(self.scheme(), |params| {
                    for (name, value) in self.params().iter() {
                        params.push_as_it_stands(name, value.unwrap_or_default());
                    }
                    write(params);
                })
            }

            fn of(value: ByteString) -> Result<$type, Cause> {
                let text: &[u8] = value.as_bytes();
                let (scheme, params) = grammar::whole(text, credentials)?;
                Ok($type { scheme: Part::of(text, scheme), params: Part::of(text, params), text: value })
            }
        }

        is_its_text!($type);
    )*};
}

schemes! {
    /// What a client answers a challenge with.
    ///
    /// ```
    /// use imscore_sip::header::{
    ///     Authorization, Challenge, Credentials, ParamList, ProxyAuthenticate, ProxyAuthorization,
    ///     WwwAuthenticate,
    /// };
    /// use imscore_sip::{Method, Request, StatusCode};
    ///
    /// let challenge = Challenge::new("Digest").with_quoted("realm", "ims.example").with_quoted("nonce", "84a4cc");
    /// let register = Request::new(&Method::Register, "sip:ims.example");
    /// let refused = register.reply(StatusCode::UNAUTHORIZED).with(WwwAuthenticate(challenge.clone()));
    /// let asked: WwwAuthenticate = refused.headers.first()?;
    /// assert_eq!(asked.param("realm").as_deref(), Some("ims.example"));
    /// assert_eq!(ProxyAuthenticate(challenge).scheme(), "Digest");
    ///
    /// let credentials = Credentials::build("Digest", |params: &mut ParamList| {
    ///     params.push_quoted("username", "alice@ims.example");
    ///     params.push("nc", "00000001");
    /// });
    /// assert_eq!(Authorization(credentials.clone()).to_string(), "Digest username=\"alice@ims.example\", nc=00000001");
    /// assert!(ProxyAuthorization(credentials).is_digest());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Credentials
    /// What a server asks a client to prove itself with.
    Challenge
}

/// Parameters as they are written, one behind the other.
#[derive(Debug)]
pub struct ParamList {
    text: String,
    /// Where the scheme ends.
    from: usize,
}

impl ParamList {
    /// Adds a parameter, its value as a token where it is one.
    pub fn push(&mut self, name: &str, value: &str) {
        self.push_name(name);
        push_value(&mut self.text, value);
    }

    /// Adds a parameter, its value in quotes.
    pub fn push_quoted(&mut self, name: &str, value: &str) {
        self.push_name(name);
        push_quoted(&mut self.text, value);
    }

    fn push_as_it_stands(&mut self, name: &str, value: &str) {
        self.push_name(name);
        self.text.push_str(value);
    }

    fn push_name(&mut self, name: &str) {
        self.text.push_str(if self.text.len() == self.from { " " } else { ", " });
        push_token(&mut self.text, name);
        self.text.push('=');
    }
}

macro_rules! headers {
    ($($(#[$doc:meta])* $type:ident($value:ident) $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $type(pub $value);

        impl TypedHeader for $type {
            const NAME: Name = Name::$name;

            fn read(value: ByteString) -> Result<$type, Cause> {
                $value::of(value).map($type)
            }
        }

        impl Deref for $type {
            type Target = $value;

            fn deref(&self) -> &$value {
                &self.0
            }
        }

        impl From<$value> for $type {
            fn from(value: $value) -> $type {
                $type(value)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

headers! {
    /// Credentials for a user agent server or registrar (RFC 3261 §20.7).
    Authorization(Credentials) AUTHORIZATION;
    /// Credentials for a proxy (RFC 3261 §20.28).
    ProxyAuthorization(Credentials) PROXY_AUTHORIZATION;
    /// The challenge of a user agent server or registrar, in a 401 (RFC 3261 §20.44).
    WwwAuthenticate(Challenge) WWW_AUTHENTICATE;
    /// The challenge of a proxy, in a 407 (RFC 3261 §20.27).
    ProxyAuthenticate(Challenge) PROXY_AUTHENTICATE;
}

/// `credentials`, `challenge`: a scheme and its parameters. What another scheme than Digest has instead of parameters
/// is kept as it stands.
fn credentials(input: &[u8]) -> Parsed<'_, (&[u8], &[u8])> {
    let (rest, scheme) = token(input)?;
    let (rest, _) = lws(rest)?;
    match auth_params(rest) {
        Ok(([], params)) => Ok((&[], (scheme, params))),
        _ if scheme.eq_ignore_ascii_case(b"Digest") => auth_params(rest).map(|(rest, params)| (rest, (scheme, params))),
        _ => {
            let (rest, opaque) = take_while1(is_opaque).parse(rest)?;
            Ok((rest, (scheme, &opaque[..0])))
        }
    }
}

/// What may stand behind a scheme that is not Digest: anything that begins no quoted string and controls nothing.
fn is_opaque(byte: u8) -> bool {
    byte == b'\t' || !(byte == b'"' || byte.is_ascii_control())
}

/// `auth-param *( COMMA auth-param )`, no name twice.
pub(super) fn auth_params(input: &[u8]) -> Parsed<'_> {
    let mut seen = SmallVec::<[&[u8]; 16]>::new();
    let mut rest = input;
    loop {
        let (behind, (name, _)) = separated_pair(token, spaced(b'='), gen_value).parse(rest)?;
        if seen.len() == MAX_PARAMS || name.len() > MAX_NAME {
            return fail(Cause::Limit);
        }
        if seen.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            return fail(Cause::Repeated);
        }
        seen.push(name);
        match spaced(b',').parse(behind) {
            Ok((behind, _)) => rest = behind,
            Err(_) => {
                let (behind, _) = take_while(|byte| matches!(byte, b' ' | b'\t')).parse(behind)?;
                return Ok((behind, &input[..input.len() - behind.len()]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Authorization, Cause> {
        Authorization::decode(&text.into()).map_err(|error| error.cause)
    }

    #[test]
    fn a_parameter_is_taken_out() {
        let text = r#"Digest username="a, b", Integrity-Protected=yes, nc=00000001"#;
        let read = Authorization::decode(&text.into()).unwrap();
        let plain = read.without("integrity-protected");
        assert_eq!(plain.as_str(), r#"Digest username="a, b", nc=00000001"#);
        assert_eq!((plain.param("nc").as_deref(), plain.param("integrity-protected")), (Some("00000001"), None));
    }

    #[test]
    fn parameters_of_digest() {
        let answer = read(
            r#"digest  username="a\"b", realm = "ims,example",nonce="",uri="sip:ims.example",nc=00000001,qop=auth , algorithm=AKAv1-MD5"#,
        )
        .unwrap();
        assert!(answer.is_digest());
        for (name, value) in [
            ("USERNAME", Some("a\"b")),
            ("realm", Some("ims,example")),
            ("nonce", Some("")),
            ("nc", Some("00000001")),
            ("algorithm", Some("AKAv1-MD5")),
            ("response", None),
        ] {
            assert_eq!(answer.param(name).as_deref(), value, "{name}");
        }
    }

    #[test]
    fn other_schemes_are_kept() {
        let unknown = read("NoOneKnowsThis opaque-data=here").unwrap();
        assert_eq!((unknown.scheme(), unknown.param("opaque-data").as_deref()), ("NoOneKnowsThis", Some("here")));
        let basic = read("Basic QWxhZGRpbjpvcGVu==").unwrap();
        assert_eq!((basic.to_string().as_str(), basic.params().count()), ("Basic QWxhZGRpbjpvcGVu==", 0));
    }

    /// P7: unterminated, repeated and many parameters.
    #[test]
    fn refusals() {
        let many =
            |count: usize| format!("Digest {}", (0..count).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join(","));
        let bomb = format!("Digest username=\"{}", "\\\"".repeat(4_000));
        for (text, cause) in [
            ("Digest", Cause::Malformed),
            ("Digest ", Cause::Malformed),
            ("Digest username", Cause::Malformed),
            ("Digest username=", Cause::Malformed),
            ("Digest username=\"a", Cause::Malformed),
            ("Digest username=\"a\",", Cause::Malformed),
            ("Digest username=\"a\" realm=\"b\"", Cause::Malformed),
            ("Digest username=\"a\", Username=\"b\"", Cause::Repeated),
            (&bomb, Cause::Malformed),
            (&many(65), Cause::Limit),
            ("Basic a\0", Cause::Malformed),
        ] {
            assert_eq!(read(text).err(), Some(cause), "{text}");
        }
        assert!(read(&many(64)).is_ok());
    }

    #[test]
    fn building() {
        let challenge =
            Challenge::new("Digest").with_quoted("realm", "a\"b").with("algorithm", "MD5").with("stale", "x y");
        let header = WwwAuthenticate(challenge);
        assert_eq!(header.to_string(), r#"Digest realm="a\"b", algorithm=MD5, stale="x y""#);
        let read = WwwAuthenticate::decode(&header.to_string().into()).unwrap();
        assert_eq!(read.param("realm").as_deref(), Some("a\"b"));
        assert_eq!(read.params().as_str(), header.params().as_str());
    }
}
