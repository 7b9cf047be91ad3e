//! `sip:` and `sips:` URIs (RFC 3261 §19.1).

use std::net::IpAddr;

use bytestring::ByteString;
use memchr::memchr;
use smallvec::SmallVec;

use super::escape::{is_escaped, is_unreserved, mark, push_escaped, same_in_any_case, split_escaped};
use super::{MAX_LEN, Params, UriError, legible};
use crate::parse::class::Class;
use crate::parse::grammar::{self, MAX_NAME, MAX_PARAMS};
use crate::parse::part::{Excerpt, Part, push};

/// A `sip:` or `sips:` URI. Editing makes a new text, and escapes what the part may not hold as it is.
#[derive(Clone)]
pub struct SipUri {
    pub(super) text: Excerpt,
    pub(super) parts: Parts,
}

/// Where the parts of a URI stand.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    secure: bool,
    user: Part,
    password: Part,
    host: Part,
    port: Option<u16>,
    params: Part,
    pub(super) headers: Part,
}

impl Parts {
    /// The parts where `from` bytes in front of the URI have become `to`.
    pub(super) fn moved(self, from: usize, to: usize) -> Parts {
        let Parts { secure, user, password, host, port, params, headers } = self;
        let [user, password, host, params, headers] =
            [user, password, host, params, headers].map(|part| part.moved(from, to));
        Parts { secure, user, password, host, port, params, headers }
    }
}

impl SipUri {
    /// `sip:` and a host: a name, an IPv4 address, or an IPv6 address with or without brackets.
    ///
    /// # Errors
    /// [`UriError::Host`] for what is none.
    pub fn new(host: &str) -> Result<SipUri, UriError> {
        match host.parse() {
            Ok(IpAddr::V6(address)) => Ok(SipUri::of(Pieces { host: &format!("[{address}]"), ..Pieces::default() })),
            Ok(IpAddr::V4(_)) | Err(_) => match grammar::host(host.as_bytes()) {
                Ok(([], _)) => Ok(SipUri::of(Pieces { host, ..Pieces::default() })),
                Ok(_) | Err(_) => Err(UriError::Host),
            },
        }
    }

    /// True for `sips:`.
    pub fn is_secure(&self) -> bool {
        self.parts.secure
    }

    /// The user part without the password, as it stands. Semicolons in it are no parameters of the URI.
    pub fn user(&self) -> Option<&str> {
        self.parts.user.find(self.text.source())
    }

    /// The password, which nobody should use.
    pub fn password(&self) -> Option<&str> {
        self.parts.password.find(self.text.source())
    }

    /// The host as it stands, an IPv6 address in its brackets.
    pub fn host(&self) -> &str {
        self.parts.host.text(self.text.source())
    }

    /// The host, where it is an address and no name.
    pub fn host_ip(&self) -> Option<IpAddr> {
        address(self.host())
    }

    /// The port that is written.
    pub fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// The parameters of the URI.
    pub fn params(&self) -> Params<'_> {
        Params::of(self.parts.params.text(self.text.source()))
    }

    /// The value of a parameter as it stands; empty for one without a value.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params().get(name)
    }

    /// The `transport` parameter.
    pub fn transport(&self) -> Option<&str> {
        self.param("transport")
    }

    /// The `maddr` parameter.
    pub fn maddr(&self) -> Option<&str> {
        self.param("maddr")
    }

    /// True with an `lr` parameter, whatever its value: a loose router (RFC 3261 §19.1.1).
    pub fn is_lr(&self) -> bool {
        self.params().contains("lr")
    }

    /// True with `user=phone`: the user part is a telephone number (RFC 3261 §19.1.1).
    pub fn is_phone(&self) -> bool {
        self.param("user").is_some_and(|value| value.eq_ignore_ascii_case("phone"))
    }

    /// What stands behind the question mark.
    pub fn headers(&self) -> Option<&str> {
        self.parts.headers.find(self.text.source())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text, shared.
    pub fn text(&self) -> ByteString {
        self.text.text()
    }

    /// The URI with another user part; escapes in `user` are not kept as such. An empty one is none.
    #[must_use]
    pub fn with_user(&self, user: &str) -> SipUri {
        if user.is_empty() {
            return self.without_user();
        }
        let mut escaped = String::with_capacity(user.len());
        push_escaped(&mut escaped, user.as_bytes(), |byte| is_unreserved(byte) || is_user_mark(byte));
        SipUri::of(Pieces { user: Some(&escaped), ..self.pieces() })
    }

    /// The URI without user part and password.
    #[must_use]
    pub fn without_user(&self) -> SipUri {
        SipUri::of(Pieces { user: None, password: None, ..self.pieces() })
    }

    /// The URI with another host.
    ///
    /// # Errors
    /// [`UriError::Host`] for what is no host.
    pub fn with_host(&self, host: &str) -> Result<SipUri, UriError> {
        let host = SipUri::new(host)?;
        Ok(SipUri::of(Pieces { host: host.host(), ..self.pieces() }))
    }

    /// The URI with another port, or none.
    #[must_use]
    pub fn with_port(&self, port: impl Into<Option<u16>>) -> SipUri {
        SipUri::of(Pieces { port: port.into(), ..self.pieces() })
    }

    /// The URI with the parameter in place of any of its name, behind all others. An empty value is none.
    #[must_use]
    pub fn with_param<'a>(&self, name: &str, value: impl Into<Option<&'a str>>) -> SipUri {
        let mut params = self.params().without(name);
        params.push(';');
        push_escaped(&mut params, name.as_bytes(), |byte| Class::PARAM.has(byte));
        if let Some(value) = value.into().filter(|value| !value.is_empty()) {
            params.push('=');
            push_escaped(&mut params, value.as_bytes(), |byte| Class::PARAM.has(byte));
        }
        SipUri::of(Pieces { params: &params, ..self.pieces() })
    }

    /// The URI without the parameters of that name.
    #[must_use]
    pub fn without_param(&self, name: &str) -> SipUri {
        let params = self.params().without(name);
        SipUri::of(Pieces { params: &params, ..self.pieces() })
    }

    /// The URI without parameters.
    #[must_use]
    pub fn without_params(&self) -> SipUri {
        SipUri::of(Pieces { params: "", ..self.pieces() })
    }

    /// The URI without headers.
    #[must_use]
    pub fn without_headers(&self) -> SipUri {
        SipUri::of(Pieces { headers: None, ..self.pieces() })
    }

    pub(super) fn pieces(&self) -> Pieces<'_> {
        Pieces {
            secure: self.is_secure(),
            user: self.user(),
            password: self.password(),
            host: self.host(),
            port: self.port(),
            params: self.params().as_str(),
            headers: self.headers(),
        }
    }

    /// Puts a text together, every piece of which is valid.
    pub(super) fn of(pieces: Pieces<'_>) -> SipUri {
        let mut text = String::with_capacity(pieces.host.len() + pieces.params.len() + 64);
        text.push_str(if pieces.secure { "sips:" } else { "sip:" });
        let user = pieces.user.map_or(Part::ABSENT, |user| push(&mut text, user));
        let mut password = Part::ABSENT;
        if pieces.user.is_some() {
            if let Some(piece) = pieces.password {
                text.push(':');
                password = push(&mut text, piece);
            }
            text.push('@');
        }
        let host = push(&mut text, pieces.host);
        if let Some(port) = pieces.port {
            text.push_str(&format!(":{port}"));
        }
        let params = push(&mut text, pieces.params);
        let mut headers = Part::ABSENT;
        if let Some(piece) = pieces.headers {
            text.push('?');
            headers = push(&mut text, piece);
        }
        let (secure, port) = (pieces.secure, pieces.port);
        SipUri {
            text: ByteString::from(text).into(),
            parts: Parts { secure, user, password, host, port, params, headers },
        }
    }
}

impl TryFrom<ByteString> for SipUri {
    type Error = UriError;

    fn try_from(text: ByteString) -> Result<SipUri, UriError> {
        let parts = read(text.as_bytes(), text.as_bytes())?;
        Ok(SipUri { text: text.into(), parts })
    }
}

/// Takes a text apart; the places are those in `source`, of which it is a slice.
pub(super) fn read(source: &[u8], bytes: &[u8]) -> Result<Parts, UriError> {
    // Every part has a class of its own: only where one is malformed is it asked whether a URI holds such bytes at all.
    match bytes.len() {
        0..=MAX_LEN => parts(source, bytes).map_err(|error| legible(bytes).err().unwrap_or(error)),
        _ => Err(UriError::TooLong),
    }
}

/// `SIP-URI / SIPS-URI`
fn parts(source: &[u8], bytes: &[u8]) -> Result<Parts, UriError> {
    let (secure, rest) = match bytes {
        [b's' | b'S', b'i' | b'I', b'p' | b'P', b':', rest @ ..] => (false, rest),
        [b's' | b'S', b'i' | b'I', b'p' | b'P', b's' | b'S', b':', rest @ ..] => (true, rest),
        _ => return Err(UriError::Scheme),
    };
    let (user, password, rest) = match memchr(b'@', rest) {
        None => (None, None, rest),
        Some(_) => match split_escaped(Class::USER, rest)? {
            ([], _) => return Err(UriError::User),
            (user, [b'@', rest @ ..]) => (Some(user), None, rest),
            (user, [b':', rest @ ..]) => match split_escaped(Class::USER, rest)? {
                (password, [b'@', rest @ ..]) => (Some(user), Some(password), rest),
                _ => return Err(UriError::User),
            },
            _ => return Err(UriError::User),
        },
    };
    let (rest, host) = grammar::host(rest).map_err(|_| UriError::Host)?;
    let (rest, port) = match rest {
        [b':', digits @ ..] => {
            grammar::port(digits).map(|(rest, port)| (rest, Some(port))).map_err(|_| UriError::Port)?
        }
        _ => (rest, None),
    };
    let (params, rest) = uri_parameters(rest)?;
    let headers = match rest {
        [] => None,
        [b'?', headers @ ..] if !is_escaped(headers) => return Err(UriError::Escape),
        [b'?', headers @ ..] if are_headers(headers) => Some(headers),
        [b'?', ..] => return Err(UriError::Headers),
        _ if !params.is_empty() => return Err(UriError::Parameter),
        [b':', ..] => return Err(UriError::Port),
        _ => return Err(UriError::Host),
    };
    let (user, password) = (Part::of_some(source, user), Part::of_some(source, password));
    let (host, params, headers) = (Part::of(source, host), Part::of(source, params), Part::of_some(source, headers));
    Ok(Parts { secure, user, password, host, port, params, headers })
}

/// What a URI is put together from.
#[derive(Clone, Copy, Default)]
pub(super) struct Pieces<'a> {
    pub(super) secure: bool,
    pub(super) user: Option<&'a str>,
    pub(super) password: Option<&'a str>,
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
    pub(super) params: &'a str,
    pub(super) headers: Option<&'a str>,
}

/// The address that a host is, brackets or none.
pub(crate) fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) => inner.parse().ok().map(IpAddr::V6),
        // Names begin with a letter nearly always.
        None if host.starts_with(|first: char| first.is_ascii_digit()) => host.parse().ok().map(IpAddr::V4),
        None => None,
    }
}

/// `user-unreserved` (RFC 3261 §25.1).
pub(super) fn is_user_mark(byte: u8) -> bool {
    matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/')
}

/// `uri-parameters`, and what stands behind them. An equals sign in a value is let pass: base64 has them.
fn uri_parameters(input: &[u8]) -> Result<(&[u8], &[u8]), UriError> {
    named_once(input, Class::PARAM, Class::PARAM_VALUE)
}

/// Up to 64 parameters, each with a name of up to 256 bytes that no other has (RFC 3261 §19.1.1, RFC 3966 §3), and what
/// stands behind them.
pub(super) fn named_once(input: &[u8], names: Class, values: Class) -> Result<(&[u8], &[u8]), UriError> {
    let mut rest = input;
    // What is valid is ASCII. Marks are compared first: 64 names must not cost 64 times 64 comparisons.
    let mut seen = SmallVec::<[(u64, &str); 8]>::new();
    while let [b';', param @ ..] = rest {
        let (name, behind) = split_escaped(names, param)?;
        let (value, behind) = match behind {
            [b'=', value @ ..] => split_escaped(values, value)?,
            _ => (name, behind),
        };
        if seen.len() == MAX_PARAMS || name.len() > MAX_NAME || name.is_empty() || value.is_empty() {
            return Err(UriError::Parameter);
        }
        let name = std::str::from_utf8(name).unwrap_or_default();
        let mark = mark(name);
        if seen.iter().any(|(other, known)| *other == mark && same_in_any_case(known, name)) {
            return Err(UriError::Parameter);
        }
        seen.push((mark, name));
        rest = behind;
    }
    Ok((&input[..input.len() - rest.len()], rest))
}

/// `headers`: at least one `hname=hvalue`, the value possibly empty.
fn are_headers(headers: &[u8]) -> bool {
    let valid =
        |byte: &u8| is_unreserved(*byte) || matches!(byte, b'[' | b']' | b'/' | b'?' | b':' | b'+' | b'$' | b'%');
    headers.split(|byte| *byte == b'&').all(|header| {
        memchr(b'=', header).is_some_and(|at| at > 0 && header[..at].iter().chain(&header[at + 1..]).all(valid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> SipUri {
        text.parse().unwrap_or_else(|error| panic!("{text} {error}"))
    }

    #[test]
    fn parts() {
        type Parts<'a> = (&'a str, Option<&'a str>, Option<&'a str>, &'a str, Option<u16>, &'a str, Option<&'a str>);
        let table: &[Parts<'_>] = &[
            ("sip:ims.example", None, None, "ims.example", None, "", None),
            ("SIPS:a:b@h:5061;x=y?p=q", Some("a"), Some("b"), "h", Some(5061), ";x=y", Some("p=q")),
            (
                "sip:user;par=u%40example.net@example.com",
                Some("user;par=u%40example.net"),
                None,
                "example.com",
                None,
                "",
                None,
            ),
            ("sip:a?b/c@[2001:db8::10:5070];lr", Some("a?b/c"), None, "[2001:db8::10:5070]", None, ";lr", None),
            ("sip:[2001:db8::10]:5070", None, None, "[2001:db8::10]", Some(5070), "", None),
            ("sip:%00%00@h", Some("%00%00"), None, "h", None, "", None),
            ("sip:*31#@h", Some("*31#"), None, "h", None, "", None),
            ("sip:a:@h;gr=urn:uuid:1", Some("a"), Some(""), "h", None, ";gr=urn:uuid:1", None),
        ];
        for (text, user, password, host, port, params, headers) in table {
            let uri = uri(text);
            let found = (uri.user(), uri.password(), uri.host(), uri.port(), uri.params().as_str(), uri.headers());
            assert_eq!(found, (*user, *password, *host, *port, *params, *headers), "{text}");
            assert_eq!(uri.to_string(), *text);
            assert_eq!(SipUri::of(uri.pieces()).to_string().len(), text.len());
        }
    }

    #[test]
    fn refusals() {
        let params = |count| (0..count).map(|n| format!(";a{n}")).collect::<String>();
        let many = format!("sip:h{}", params(65));
        let long = format!("sip:{}@h", "u".repeat(2_043));
        for (text, error) in [
            ("", UriError::Scheme),
            ("alice@h", UriError::Scheme),
            ("sip:", UriError::Host),
            ("sip:@h", UriError::User),
            ("sip:a@b@h", UriError::Host),
            ("sip:a:b:c@h", UriError::User),
            ("sip:a b@h", UriError::Byte),
            ("sip:ä@h", UriError::Byte),
            ("sip:a@h>", UriError::Byte),
            ("sip:a%4@h", UriError::Escape),
            ("sip:2001:db8::10", UriError::Port),
            ("sip:h:", UriError::Port),
            ("sip:h:65536", UriError::Port),
            ("sip:h:x", UriError::Port),
            ("sip:h/x", UriError::Host),
            ("sip:h;", UriError::Parameter),
            ("sip:h;;lr", UriError::Parameter),
            ("sip:h;a=", UriError::Parameter),
            ("sip:h;lr;LR=on", UriError::Parameter),
            ("sip:h;x=1;y;X=2", UriError::Parameter),
            ("sip:h;lr;%4Cr", UriError::Parameter),
            ("sip:h?", UriError::Headers),
            ("sip:h?a", UriError::Headers),
            (&many, UriError::Parameter),
            (&long, UriError::TooLong),
        ] {
            assert_eq!(text.parse::<SipUri>().err(), Some(error), "{text}");
        }
        assert!(format!("sip:h{}", params(64)).parse::<SipUri>().is_ok());
        assert!(format!("sip:{}@h", "u".repeat(2_042)).parse::<SipUri>().is_ok());
    }

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("sip:192.0.2.1", Some("192.0.2.1")),
            ("sip:[2001:db8::1]:5060", Some("2001:db8::1")),
            ("sip:ims.example", None),
            ("sip:192.0.2.300", None),
        ] {
            assert_eq!(uri(text).host_ip(), expected.map(|address| address.parse().unwrap()), "{text}");
        }
        assert_eq!(SipUri::new("2001:db8::1").unwrap().as_str(), "sip:[2001:db8::1]");
        assert_eq!(SipUri::new("a;lr"), Err(UriError::Host));
    }

    #[test]
    fn edits() {
        let base = uri("sips:a:b@h:5061;lr;x=y?p=q");
        for (edited, expected) in [
            (base.with_user("c d;e%"), "sips:c%20d;e%25:b@h:5061;lr;x=y?p=q"),
            (base.with_user(""), "sips:h:5061;lr;x=y?p=q"),
            (base.with_param("x", ""), "sips:a:b@h:5061;lr;x?p=q"),
            (base.without_user(), "sips:h:5061;lr;x=y?p=q"),
            (base.with_host("2001:db8::1").unwrap(), "sips:a:b@[2001:db8::1]:5061;lr;x=y?p=q"),
            (base.with_port(None), "sips:a:b@h;lr;x=y?p=q"),
            (base.with_port(5), "sips:a:b@h:5;lr;x=y?p=q"),
            (base.with_param("LR", None).with_param("z", "1;2"), "sips:a:b@h:5061;x=y;LR;z=1%3B2?p=q"),
            (base.without_param("X"), "sips:a:b@h:5061;lr?p=q"),
            (base.without_params().without_headers(), "sips:a:b@h:5061"),
        ] {
            assert_eq!(edited.as_str(), expected);
            let read = uri(expected);
            assert_eq!((read.user(), read.host(), read.port()), (edited.user(), edited.host(), edited.port()));
            assert_eq!((read.params().as_str(), read.headers()), (edited.params().as_str(), edited.headers()));
        }
        assert_eq!(base.with_host("h;lr").err(), Some(UriError::Host));
    }
}
