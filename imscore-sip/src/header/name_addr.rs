//! An address with a display name and parameters: what From, To, Contact, Route and their like are made of
//! (RFC 3261 §20.10, §25.1 `name-addr`, `addr-spec`).

use std::borrow::Cow;

use bytestring::ByteString;
use memchr::{memchr, memchr3};

use super::{Cause, Params};
use crate::parse::class::Class;
use crate::parse::grammar::{self, fail, is, once, params, quoted_string, sws};
use crate::parse::params::{push_param, push_quoted, unquoted};
use crate::parse::part::{Part, push};
use crate::uri::{self, SipUri, TelUri, Uri, is_its_text};

/// `"Display name" <uri>;parameters`.
///
/// ```
/// use imscore_sip::header::{From, NameAddr, TypedHeader};
///
/// let caller = From::decode(&"\"Alice \\\"A\\\"\" <sip:alice@ims.example>;tag=1928".into())?;
/// assert_eq!(caller.display_name().as_deref(), Some("Alice \"A\""));
/// assert_eq!((caller.uri().as_str(), caller.tag()), ("sip:alice@ims.example", Some("1928")));
///
/// let uri: imscore_sip::Uri = "tel:+15550100".parse().expect("a number");
/// assert_eq!(
///     NameAddr::new(uri).with_display_name("Bob").with_param("x", "a b").as_str(),
///     "\"Bob\" <tel:+15550100>;x=\"a b\""
/// );
/// # Ok::<(), imscore_sip::header::HeaderError>(())
/// ```
#[derive(Clone)]
pub struct NameAddr {
    /// Read from the whole text, which it keeps.
    uri: Uri,
    display_name: Part,
    params: Part,
}

/// Which parameters an address has once at most, with a value.
#[derive(Clone, Copy)]
pub(super) enum Single {
    /// `tag`
    Tag,
    /// `expires` and `q`
    OfContact,
}

impl NameAddr {
    /// `<uri>`, without display name and parameters.
    pub fn new(uri: impl Into<Uri>) -> NameAddr {
        NameAddr::of(None, uri.into(), "")
    }

    /// The display name, without quotes and escapes.
    pub fn display_name(&self) -> Option<Cow<'_, str>> {
        self.display_name.find(self.text()).filter(|name| !name.is_empty()).map(unquoted)
    }

    /// The address.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The address, where it is a SIP or SIPS URI.
    pub fn sip(&self) -> Option<&SipUri> {
        self.uri.as_sip()
    }

    /// The parameters behind the address; those of the URI are not among them.
    pub fn params(&self) -> Params<'_> {
        Params::of(self.params.text(self.text()))
    }

    /// The value of a parameter without quotes and escapes; empty for one without a value.
    pub fn param(&self, name: &str) -> Option<Cow<'_, str>> {
        self.params().value(name)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.text()
    }

    /// The same with another display name.
    #[must_use]
    pub fn with_display_name(&self, name: &str) -> NameAddr {
        let mut quoted = String::with_capacity(name.len() + 2);
        push_quoted(&mut quoted, name);
        NameAddr::of(Some(&quoted), self.uri.clone(), self.params.text(self.text()))
    }

    /// The same with another address.
    #[must_use]
    pub fn with_uri(&self, uri: impl Into<Uri>) -> NameAddr {
        NameAddr::of(self.display_name.find(self.text()), uri.into(), self.params.text(self.text()))
    }

    /// The same with the parameter in place of any of its name, behind all others. A value that is neither token nor
    /// host is written in quotes.
    #[must_use]
    pub fn with_param<'a>(&self, name: &str, value: impl Into<Option<&'a str>>) -> NameAddr {
        let mut params = self.params().without(name);
        push_param(&mut params, name, value.into());
        NameAddr::of(self.display_name.find(self.text()), self.uri.clone(), &params)
    }

    /// The same without the parameters of that name.
    #[must_use]
    pub fn without_param(&self, name: &str) -> NameAddr {
        let params = self.params().without(name);
        NameAddr::of(self.display_name.find(self.text()), self.uri.clone(), &params)
    }

    /// Reads a value. Without angle brackets, where `bare` allows that, parameters are those of the header and a
    /// question mark or comma is an error (RFC 3261 §20.10). The parameters of `single` stand once and have a value.
    pub(super) fn read(value: ByteString, bare: bool, single: Single) -> Result<NameAddr, Cause> {
        let text: &[u8] = value.as_bytes();
        let [display_name, uri, params] = NameAddr::split(text, bare, single)?.map(|piece| Part::of(text, piece));
        // A display name ends in front of white space or a bracket, so that it is UTF-8 where the whole is.
        Ok(NameAddr { uri: Uri::within(value, uri)?, display_name, params })
    }

    /// What [`NameAddr::read`] refuses, without making a value.
    pub(super) fn check(value: &[u8], bare: bool, single: Single) -> Result<(), Cause> {
        let [display_name, uri, _] = NameAddr::split(value, bare, single)?;
        std::str::from_utf8(display_name).map_err(|_| Cause::Malformed)?;
        Ok(uri::check(uri)?)
    }

    /// Display name, URI and parameters.
    fn split(value: &[u8], bare: bool, single: Single) -> Result<[&[u8]; 3], Cause> {
        let (mut first, mut second) = (None, None);
        let mut each = |name: &[u8], value| match single {
            Single::Tag if is(name, b"tag") => once(&mut first, value),
            Single::OfContact if is(name, b"expires") => once(&mut first, value),
            Single::OfContact if is(name, b"q") => once(&mut second, value),
            Single::Tag | Single::OfContact => Ok(()),
        };
        grammar::whole(value, |input| {
            let (rest, (display_name, uri)) = address(input, bare)?;
            let (rest, params) = params(rest, &mut each)?;
            Ok((rest, [display_name, uri, params]))
        })
    }

    fn text(&self) -> &ByteString {
        self.uri.excerpt().source()
    }

    /// Puts a text together; `display_name` and `params` as they are to stand.
    fn of(display_name: Option<&str>, uri: Uri, params: &str) -> NameAddr {
        let mut text = String::with_capacity(uri.as_str().len() + params.len() + 32);
        let display_name = match display_name.filter(|name| !name.is_empty()) {
            None => Part::ABSENT,
            Some(name) => {
                let part = push(&mut text, name);
                text.push(' ');
                part
            }
        };
        text.push('<');
        let place = push(&mut text, uri.as_str());
        text.push('>');
        let params = push(&mut text, params);
        NameAddr { uri: uri.moved(text.into(), place), display_name, params }
    }
}

/// `name-addr / addr-spec`: display name and URI.
fn address(input: &[u8], bare: bool) -> grammar::Parsed<'_, (&[u8], &[u8])> {
    let (rest, display_name) = match input {
        [b'"', ..] => quoted_string(input)?,
        _ => {
            let (display_name, rest) = Class::DISPLAY.split(input);
            (rest, display_name)
        }
    };
    let (rest, _) = sws(rest)?;
    match rest {
        [b'<', inner @ ..] => match memchr(b'>', inner) {
            Some(end) => Ok((&inner[end + 1..], (display_name.trim_ascii_end(), &inner[..end]))),
            None => fail(Cause::Malformed),
        },
        _ if bare => {
            let end = memchr3(b';', b' ', b'\t', input).unwrap_or(input.len());
            match memchr3(b'?', b',', b'"', &input[..end]) {
                None => Ok((&input[end..], (&input[..0], &input[..end]))),
                Some(_) => fail(Cause::Malformed),
            }
        }
        _ => fail(Cause::Malformed),
    }
}

impl From<Uri> for NameAddr {
    fn from(uri: Uri) -> NameAddr {
        NameAddr::new(uri)
    }
}

impl From<SipUri> for NameAddr {
    fn from(uri: SipUri) -> NameAddr {
        NameAddr::new(uri)
    }
}

impl From<TelUri> for NameAddr {
    fn from(uri: TelUri) -> NameAddr {
        NameAddr::new(uri)
    }
}

is_its_text!(NameAddr: |value| value.text());

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, bare: bool) -> Result<NameAddr, Cause> {
        NameAddr::read(text.into(), bare, Single::Tag)
    }

    /// A URI that was read within a value is one of its own, and its parts move with it into another.
    #[test]
    fn addresses_are_texts_of_their_own() {
        let one = read("\"A\" <sip:alice:secret@h:5070;lr?x=y>;tag=1", true).unwrap();
        assert_eq!(one.uri().text(), "sip:alice:secret@h:5070;lr?x=y");
        assert_eq!(one.uri(), &one.uri().as_str().parse::<Uri>().unwrap());
        let tel = read("<tel:+4722000000;phone-context=h>", true).unwrap();
        let other = read("Somebody <urn:service:sos>;x", true).unwrap();
        for (addressed, uri) in [(other.with_uri(one.uri().clone()), &one), (one.with_uri(tel.uri().clone()), &tel)] {
            assert_eq!(addressed.uri(), uri.uri());
            let sip = addressed.sip().map(|uri| (uri.user(), uri.password(), uri.host(), uri.port(), uri.headers()));
            let expected = uri.sip().map(|uri| (uri.user(), uri.password(), uri.host(), uri.port(), uri.headers()));
            assert_eq!(sip, expected);
            assert_eq!(addressed.sip().is_some_and(SipUri::is_lr), uri.sip().is_some_and(SipUri::is_lr));
            let tel = addressed.uri().as_tel().map(|tel| (tel.number().to_string(), tel.phone_context()));
            assert_eq!(tel, uri.uri().as_tel().map(|tel| (tel.number().to_string(), tel.phone_context())));
        }
        assert_eq!(other.with_uri(one.uri().clone()).as_str(), "Somebody <sip:alice:secret@h:5070;lr?x=y>;x");
    }

    #[test]
    fn parts() {
        for (text, display_name, uri, params) in [
            ("<sip:a@h>", None, "sip:a@h", ""),
            ("sip:a@h", None, "sip:a@h", ""),
            ("sip:a@h ;   tag    = 1", None, "sip:a@h", " ;   tag    = 1"),
            ("sip:a@h;x=y", None, "sip:a@h", ";x=y"),
            ("caller<sip:a@h;x?y=z>;p", Some("caller"), "sip:a@h;x?y=z", ";p"),
            ("A  B\t<tel:+1>", Some("A  B"), "tel:+1", ""),
            (
                r#""A \"B\" <sip:no>, C" <sip:a@h> ; p="x;y>" "#,
                Some(r#"A "B" <sip:no>, C"#),
                "sip:a@h",
                r#" ; p="x;y>""#,
            ),
            (r#""" <urn:service:sos>"#, Some(""), "urn:service:sos", ""),
            ("Zoë <sip:a@h>", Some("Zoë"), "sip:a@h", ""),
        ] {
            let found = read(text, true).unwrap_or_else(|cause| panic!("{text} {cause}"));
            assert_eq!(found.display_name().as_deref(), display_name, "{text}");
            assert_eq!((found.uri().as_str(), found.params().as_str()), (uri, params), "{text}");
            assert_eq!(found.to_string(), text);
        }
    }

    #[test]
    fn refusals() {
        for text in [
            "",
            "<>",
            "<sip:a@h",
            "< sip:a@h >",
            "<sip:a@h> x",
            "<sip:a@h>;",
            "<sip:a@h>;;x",
            "<sip:a@h>;x=",
            "<sip:a@h>;x=\"open",
            "\"open <sip:a@h>",
            "A, B <sip:a@h>",
            "A:B <sip:a@h>",
            "sip:a@h?x=y",
            "sip:a@h,b",
            "sip:a b@h",
            "<sip:a@h>, <sip:b@h>",
            "a@h",
        ] {
            assert!(read(text, true).is_err(), "{text}");
        }
        assert!(read("sip:a@h", false).is_err());
    }

    #[test]
    fn edits() {
        let base = read("A <sip:a@h>;tag=1;x", true).unwrap();
        for (edited, expected) in [
            (base.with_display_name("B \"C\"\r\n"), r#""B \"C\"  " <sip:a@h>;tag=1;x"#),
            (base.with_uri("tel:+1".parse::<Uri>().unwrap()), "A <tel:+1>;tag=1;x"),
            (base.with_param("TAG", "2").with_param("i", "<urn:x>"), "A <sip:a@h>;x;TAG=2;i=\"<urn:x>\""),
            (base.without_param("tag"), "A <sip:a@h>;x"),
            (NameAddr::new("sip:b@h".parse::<Uri>().unwrap()).with_param("lr", None), "<sip:b@h>;lr"),
            (read("sip:a@h;tag=1", true).unwrap().with_param("y", None), "<sip:a@h>;tag=1;y"),
        ] {
            assert_eq!(edited.as_str(), expected);
            let decoded = read(expected, true).unwrap();
            assert_eq!(decoded.display_name(), edited.display_name());
            assert_eq!((decoded.uri(), decoded.params().as_str()), (edited.uri(), edited.params().as_str()));
        }
    }
}
