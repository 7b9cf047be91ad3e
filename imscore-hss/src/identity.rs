//! Who a subscriber is: the private identity that authenticates, the public identities that are called.
//!
//! A [`PublicIdentity`] is kept in the canonical form of TS 23.003 §13.4, so that two spellings of one identity compare
//! equal, hash equal and meet in a store. What the form drops (parameters, headers, port, visual separators) says how to
//! reach somebody, not who it is.

use std::{fmt, str::FromStr, sync::Arc};

use thiserror::Error;

/// Longest URI taken as an identity, in bytes.
pub const MAX_PUBLIC_IDENTITY: usize = 2048;
/// Longest private identity, in bytes: that of a network access identifier (RFC 7542 §2.3).
pub const MAX_PRIVATE_IDENTITY: usize = 253;

/// Private user identity (IMPI, TS 23.003 §13.3): the user name of Digest and AKA, never shown to other users.
///
/// Compared byte by byte: it enters the Digest computation as the phone wrote it.
///
/// ```
/// use imscore_hss::PrivateIdentity;
/// let alice: PrivateIdentity = "alice@ims.example".parse()?;
/// assert_eq!(alice.as_str(), "alice@ims.example");
/// assert!("".parse::<PrivateIdentity>().is_err());
/// # Ok::<(), imscore_hss::IdentityError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrivateIdentity(Arc<str>);

/// Public user identity (IMPU, TS 23.003 §13.4): a `sip:`, `sips:` or `tel:` URI in canonical form.
///
/// Scheme and host are lower case; a SIP user part keeps its case, with needless escapes undone (RFC 3261 §19.1.4); port,
/// parameters and headers are gone; a telephone number has no visual separators and, where it is local, keeps its
/// `phone-context` (RFC 3966 §4).
///
/// ```
/// use imscore_hss::PublicIdentity;
/// let bob: PublicIdentity = "SIP:Bob@IMS.Example:5060;transport=tcp".parse()?;
/// assert_eq!(bob.as_str(), "sip:Bob@ims.example");
/// let number: PublicIdentity = "tel:+1-201-555-0123".parse()?;
/// assert_eq!(number.as_str(), "tel:+12015550123");
/// # Ok::<(), imscore_hss::IdentityError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicIdentity(Arc<str>);

/// Why a text is no identity.
///
/// ```
/// use imscore_hss::{IdentityError, PrivateIdentity, PublicIdentity, Scheme};
///
/// assert_eq!("".parse::<PrivateIdentity>(), Err(IdentityError::Empty));
/// assert_eq!("mailto:alice@ims.example".parse::<PublicIdentity>(), Err(IdentityError::Scheme));
/// assert_eq!("tel:+12015550123".parse::<PublicIdentity>()?.scheme(), Scheme::Tel);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Nothing there.
    #[error("an identity cannot be empty")]
    Empty,
    /// Longer than [`MAX_PUBLIC_IDENTITY`] or [`MAX_PRIVATE_IDENTITY`].
    #[error("an identity has at most {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// Neither `sip:` nor `sips:` nor `tel:`.
    #[error("a public identity is a sip:, sips: or tel: URI")]
    Scheme,
    /// A SIP URI without a user part names a domain, not a user.
    #[error("a SIP URI needs a user part to be a public identity")]
    NoUser,
    /// A SIP URI with a password in it.
    #[error("a public identity carries no password")]
    Password,
    /// The host is neither a domain name nor an IP address.
    #[error("the host is neither a domain name nor an IP address")]
    Host,
    /// A local number without `phone-context` means something else in each network.
    #[error("a local number needs a phone-context")]
    PhoneContext,
    /// A character that the grammar does not have there.
    #[error("character not allowed at byte {at}")]
    Character {
        /// Offset of the character in the text, in bytes.
        at: usize,
    },
}

impl PrivateIdentity {
    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PublicIdentity {
    /// The URI in canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What kind of URI it is.
    pub fn scheme(&self) -> Scheme {
        match self.0.as_bytes() {
            [b't', ..] => Scheme::Tel,
            [b's', b'i', b'p', b's', ..] => Scheme::Sips,
            _ => Scheme::Sip,
        }
    }

    /// The user part of a SIP URI, the number of a `tel:` URI.
    pub fn user(&self) -> &str {
        let rest = self.rest();
        let end = rest.find(['@', ';']).unwrap_or(rest.len());
        match self.scheme() {
            Scheme::Tel => &rest[..end],
            Scheme::Sip | Scheme::Sips => rest.split_once('@').map_or(rest, |(user, _)| user),
        }
    }

    /// The domain of a SIP URI; a `tel:` URI has none.
    pub fn domain(&self) -> Option<&str> {
        self.rest().split_once('@').map(|(_, host)| host)
    }

    /// The private identity that goes with this public identity when a REGISTER names none: the URI without its scheme
    /// (TS 24.229 §5.3.1.2).
    pub fn derived_private_identity(&self) -> PrivateIdentity {
        PrivateIdentity(Arc::from(self.rest()))
    }

    fn rest(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, rest)| rest)
    }
}

/// Kind of URI of a [`PublicIdentity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
}

impl FromStr for PrivateIdentity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        if text.is_empty() {
            return Err(IdentityError::Empty);
        }
        if text.len() > MAX_PRIVATE_IDENTITY {
            return Err(IdentityError::TooLong { limit: MAX_PRIVATE_IDENTITY });
        }
        match text.find(|c: char| c.is_control() || c.is_whitespace()) {
            Some(at) => Err(IdentityError::Character { at }),
            None => Ok(Self(Arc::from(text))),
        }
    }
}

impl FromStr for PublicIdentity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        if text.is_empty() {
            return Err(IdentityError::Empty);
        }
        if text.len() > MAX_PUBLIC_IDENTITY {
            return Err(IdentityError::TooLong { limit: MAX_PUBLIC_IDENTITY });
        }
        if let Some(at) = text.find(|c: char| !c.is_ascii_graphic()) {
            return Err(IdentityError::Character { at });
        }
        let (scheme, rest) = text.split_once(':').ok_or(IdentityError::Scheme)?;
        let at = scheme.len() + 1;
        let canonical = match scheme.to_ascii_lowercase().as_str() {
            "sip" => canonical_sip("sip:", rest, at)?,
            "sips" => canonical_sip("sips:", rest, at)?,
            "tel" => canonical_tel(rest, at)?,
            _ => return Err(IdentityError::Scheme),
        };
        Ok(Self(Arc::from(canonical)))
    }
}

/// `at` is the offset of `rest` in the whole URI, for error messages.
fn canonical_sip(scheme: &str, rest: &str, at: usize) -> Result<String, IdentityError> {
    let (user, host) = rest.split_once('@').ok_or(IdentityError::NoUser)?;
    if user.is_empty() {
        return Err(IdentityError::NoUser);
    }
    if user.contains(':') {
        return Err(IdentityError::Password);
    }
    let end = host.find([';', '?']).unwrap_or(host.len());
    let (host, parameters) = host.split_at(end);
    let mut out = String::with_capacity(scheme.len() + rest.len());
    out.push_str(scheme);
    // A telephone-subscriber may carry visual separators here as well (RFC 3261 §19.1.6).
    let number = user.starts_with('+') && is_phone(parameters);
    push_user(&mut out, user, at, number)?;
    out.push('@');
    push_host(&mut out, host)?;
    Ok(out)
}

fn is_phone(parameters: &str) -> bool {
    parameters.split(['?', ';']).any(|parameter| parameter.eq_ignore_ascii_case("user=phone"))
}

fn push_user(out: &mut String, user: &str, at: usize, number: bool) -> Result<(), IdentityError> {
    let bytes = user.as_bytes();
    let mut next = 0;
    while let Some(&byte) = bytes.get(next) {
        if byte == b'%' {
            let escape = bytes.get(next + 1..next + 3).and_then(hex);
            let decoded = escape.ok_or(IdentityError::Character { at: at + next })?;
            // RFC 3261 §19.1.4: an escape equals the character that it stands for, unless the character is reserved.
            if is_unreserved(decoded) {
                out.push(char::from(decoded));
            } else {
                out.push_str(&user[next..next + 3].to_ascii_uppercase());
            }
            next += 3;
            continue;
        }
        if !is_unreserved(byte) && !b"&=+$,;?/".contains(&byte) {
            return Err(IdentityError::Character { at: at + next });
        }
        if !(number && is_separator(byte)) {
            out.push(char::from(byte));
        }
        next += 1;
    }
    Ok(())
}

fn push_host(out: &mut String, host_and_port: &str) -> Result<(), IdentityError> {
    let (host, port) = match host_and_port.strip_prefix('[') {
        Some(inner) => {
            let (address, port) = inner.split_once(']').ok_or(IdentityError::Host)?;
            let address: std::net::Ipv6Addr = address.parse().map_err(|_| IdentityError::Host)?;
            (format!("[{address}]"), port)
        }
        None => {
            let end = host_and_port.find(':').unwrap_or(host_and_port.len());
            let (host, port) = host_and_port.split_at(end);
            (domain(host)?, port)
        }
    };
    if !port.is_empty() {
        let digits = port.strip_prefix(':').ok_or(IdentityError::Host)?;
        digits.parse::<u16>().map_err(|_| IdentityError::Host)?;
    }
    out.push_str(&host);
    Ok(())
}

fn domain(host: &str) -> Result<String, IdentityError> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if host.len() > 253 || !host.split('.').all(label) {
        return Err(IdentityError::Host);
    }
    Ok(host.to_ascii_lowercase())
}

fn canonical_tel(rest: &str, at: usize) -> Result<String, IdentityError> {
    let (number, parameters) = rest.split_once(';').unwrap_or((rest, ""));
    let (plus, digits) = match number.strip_prefix('+') {
        Some(digits) => ("+", digits),
        None => ("", number),
    };
    let mut out = format!("tel:{plus}");
    let start = out.len();
    for (offset, byte) in digits.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => out.push(char::from(byte)),
            // RFC 3966 §3: phonedigit-hex belongs to local numbers only.
            b'a'..=b'f' | b'A'..=b'F' | b'*' | b'#' if plus.is_empty() => {
                out.push(char::from(byte.to_ascii_lowercase()));
            }
            _ if is_separator(byte) => {}
            _ => return Err(IdentityError::Character { at: at + plus.len() + offset }),
        }
    }
    if out.len() == start {
        return Err(IdentityError::NoUser);
    }
    if plus.is_empty() {
        let context = parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.eq_ignore_ascii_case("phone-context").then_some(value)
        });
        out.push_str(";phone-context=");
        push_context(&mut out, context.ok_or(IdentityError::PhoneContext)?)?;
    }
    Ok(out)
}

fn push_context(out: &mut String, context: &str) -> Result<(), IdentityError> {
    match context.strip_prefix('+') {
        Some(digits) => {
            if !digits.bytes().any(|b| b.is_ascii_digit())
                || !digits.bytes().all(|b| b.is_ascii_digit() || is_separator(b))
            {
                return Err(IdentityError::PhoneContext);
            }
            out.push('+');
            out.extend(digits.chars().filter(char::is_ascii_digit));
        }
        None => out.push_str(&domain(context).map_err(|_| IdentityError::PhoneContext)?),
    }
    Ok(())
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |b: &u8| char::from(*b).to_digit(16);
    match digits {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    }
}

/// `unreserved` of RFC 3261 §25.1.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte)
}

/// `visual-separator` of RFC 3966 §3.
fn is_separator(byte: u8) -> bool {
    b"-.()".contains(&byte)
}

macro_rules! text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }
    )*};
}

text!(PrivateIdentity, PublicIdentity);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<&str, IdentityError>) {
        let parsed = text.parse::<PublicIdentity>();
        assert_eq!(parsed.as_ref().map(PublicIdentity::as_str).map_err(|error| *error), expected, "{text}");
    }

    #[test]
    fn canonical_form_of_sip_uris() {
        check("sip:alice@ims.example", Ok("sip:alice@ims.example"));
        check("SIPS:Alice@IMS.EXAMPLE.", Ok("sips:Alice@ims.example"));
        check("sip:alice@ims.example:5060;transport=tcp?Subject=x", Ok("sip:alice@ims.example"));
        check("sip:%61lice%2f%3A@ims.example", Ok("sip:alice%2F%3A@ims.example"));
        check("sip:alice@[2001:DB8:0::1]:5060", Ok("sip:alice@[2001:db8::1]"));
        check("sip:+1-201-555.0123@ims.example;user=phone", Ok("sip:+12015550123@ims.example"));
        check("sip:+1-201@ims.example", Ok("sip:+1-201@ims.example"));
        check("sip:a;b=c@ims.example", Ok("sip:a;b=c@ims.example"));
    }

    #[test]
    fn canonical_form_of_tel_uris() {
        check("tel:+1-(201)-555.0123;isub=1", Ok("tel:+12015550123"));
        check("TEL:863-1234;Phone-Context=Ims.Example", Ok("tel:8631234;phone-context=ims.example"));
        check("tel:*31#;phone-context=+1-914", Ok("tel:*31#;phone-context=+1914"));
    }

    #[test]
    fn what_is_no_public_identity() {
        use IdentityError::{Character, Empty, Host, NoUser, Password, PhoneContext, Scheme, TooLong};
        check("", Err(Empty));
        check("alice@ims.example", Err(Scheme));
        check("urn:service:sos", Err(Scheme));
        check("sip:ims.example", Err(NoUser));
        check("sip:@ims.example", Err(NoUser));
        check("sip:alice:secret@ims.example", Err(Password));
        check("sip:alice@", Err(Host));
        check("sip:alice@ims..example", Err(Host));
        check("sip:alice@bob@ims.example", Err(Host));
        check("sip:alice@[::1", Err(Host));
        check("sip:alice@ims.example:x", Err(Host));
        check("sip:alice@ims.example:70000", Err(Host));
        check("sip:a%6@ims.example", Err(Character { at: 5 }));
        check("sip:a\"b@ims.example", Err(Character { at: 5 }));
        check("sip:al ice@ims.example", Err(Character { at: 6 }));
        check("tel:", Err(NoUser));
        check("tel:+--", Err(NoUser));
        check("tel:+12a", Err(Character { at: 7 }));
        check("tel:911", Err(PhoneContext));
        check("tel:911;phone-context=+", Err(PhoneContext));
        check(&format!("sip:{}@ims.example", "a".repeat(2048)), Err(TooLong { limit: 2048 }));
    }

    #[test]
    fn limits_of_private_identities() {
        assert!("a".repeat(253).parse::<PrivateIdentity>().is_ok());
        assert_eq!("a".repeat(254).parse::<PrivateIdentity>(), Err(IdentityError::TooLong { limit: 253 }));
        assert_eq!("a b".parse::<PrivateIdentity>(), Err(IdentityError::Character { at: 1 }));
        assert_eq!("".parse::<PrivateIdentity>(), Err(IdentityError::Empty));
    }

    #[test]
    fn parts() {
        let alice: PublicIdentity = "sip:alice@ims.example".parse().unwrap();
        assert_eq!((alice.scheme(), alice.user(), alice.domain()), (Scheme::Sip, "alice", Some("ims.example")));
        assert_eq!(alice.derived_private_identity().as_str(), "alice@ims.example");
        let number: PublicIdentity = "tel:31;phone-context=ims.example".parse().unwrap();
        assert_eq!((number.scheme(), number.user(), number.domain()), (Scheme::Tel, "31", None));
    }

    proptest! {
        #[test]
        fn canonical_form_is_a_fixed_point(text in "(sip|sips|tel|SIP):[a-zA-Z0-9+%;:@.?\\[\\]=()-]{0,24}") {
            if let Ok(identity) = text.parse::<PublicIdentity>() {
                prop_assert_eq!(identity.as_str().parse(), Ok(identity.clone()));
            }
        }

        #[test]
        fn any_text_is_an_identity_or_an_error(text in ".{0,64}") {
            let _ = text.parse::<PublicIdentity>();
            let _ = text.parse::<PrivateIdentity>();
        }
    }
}
