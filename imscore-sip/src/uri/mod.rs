//! URIs: `sip:`, `sips:`, `tel:`, and any other scheme as text.
//!
//! A URI is its text and the places of its parts, so that it goes out as it came in. `==` compares texts; whether two
//! URIs mean the same is [`Uri::equivalent`], a relation that is not transitive (RFC 3261 §19.1.4: a parameter of one
//! side alone is passed over) and so can be no `Eq`.
//!
//! ```
//! use imscore_sip::uri::{SipUri, Uri};
//!
//! let uri: SipUri = "sip:+15550100@ims.example;user=phone".parse()?;
//! assert_eq!(uri.user(), Some("+15550100"));
//! assert!(uri.is_phone());
//! assert_eq!(uri.with_param("lr", None).without_param("user").as_str(), "sip:+15550100@ims.example;lr");
//!
//! let home: Uri = "sip:%61lice@IMS.example".parse()?;
//! assert!(home.equivalent(&"sip:alice@ims.example;new=1".parse()?));
//! # Ok::<(), imscore_sip::uri::UriError>(())
//! ```

mod compare;
mod escape;
mod gruu;
mod headers;
mod number;
mod sip;
mod tel;
mod urn;

use std::fmt;
use std::str::FromStr;

use bytestring::ByteString;

use crate::parse::Params;
use crate::parse::class::Class;
use crate::parse::part::{Excerpt, Part};
pub use escape::decoded;
pub use number::CodeInContext;
pub use sip::SipUri;
pub(crate) use sip::address;
pub use tel::TelUri;
pub use urn::{Imei, Urn};

/// Bytes of a URI that is read.
pub const MAX_LEN: usize = 2_048;

/// A URI.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Uri {
    /// `sip:` or `sips:`.
    Sip(SipUri),
    /// `tel:`.
    Tel(TelUri),
    /// Any other scheme.
    Other(OtherUri),
}

/// A URI of another scheme, `urn:service:sos`: a scheme and what stands behind its colon.
#[derive(Clone)]
pub struct OtherUri {
    text: Excerpt,
}

/// Why a text is no URI.
///
/// ```
/// use imscore_sip::Uri;
/// use imscore_sip::uri::{SipUri, UriError};
///
/// assert_eq!("sip:a b@h".parse::<Uri>(), Err(UriError::Byte));
/// assert_eq!("sip:a@h:70000".parse::<SipUri>(), Err(UriError::Port));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// More than [`MAX_LEN`] bytes.
    #[error("is too long")]
    TooLong,
    /// A byte that no URI holds: white space, a control, `<`, `>`, `"`, or none of ASCII.
    #[error("holds a byte that no URI may hold")]
    Byte,
    /// No scheme in front of a colon, or not the one that was asked for.
    #[error("has not the right scheme")]
    Scheme,
    /// A user part or password that the grammar does not allow.
    #[error("has a malformed user part")]
    User,
    /// No host, or no valid one.
    #[error("has a malformed host")]
    Host,
    /// A port that is no number up to 65,535.
    #[error("has a malformed port")]
    Port,
    /// No telephone number.
    #[error("has a malformed number")]
    Number,
    /// A parameter that the grammar does not allow, one with a meaning that stands twice, or more than 64.
    #[error("has a malformed parameter")]
    Parameter,
    /// A header part that is no `name=value` list.
    #[error("has malformed headers")]
    Headers,
    /// A percent sign without two hexadecimal digits behind it.
    #[error("has a malformed escape")]
    Escape,
}

impl Uri {
    /// The SIP or SIPS URI that it is.
    pub fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Uri::Sip(uri) => Some(uri),
            Uri::Tel(_) | Uri::Other(_) => None,
        }
    }

    /// The telephone number that it is.
    pub fn as_tel(&self) -> Option<&TelUri> {
        match self {
            Uri::Tel(uri) => Some(uri),
            Uri::Sip(_) | Uri::Other(_) => None,
        }
    }

    /// The scheme as it stands.
    pub fn scheme(&self) -> &str {
        self.as_str().split(':').next().unwrap_or_default()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.excerpt()
    }

    /// The text, shared.
    pub fn text(&self) -> ByteString {
        self.excerpt().text()
    }

    /// What the URI was read from, which may be more than the URI.
    pub(crate) fn excerpt(&self) -> &Excerpt {
        match self {
            Uri::Sip(uri) => &uri.text,
            Uri::Tel(uri) => &uri.text,
            Uri::Other(uri) => &uri.text,
        }
    }

    /// The URI at that place of a text.
    pub(crate) fn within(source: ByteString, place: Part) -> Result<Uri, UriError> {
        let own = source.as_bytes().get(place.range()).unwrap_or_default();
        match Scheme::of(own) {
            Scheme::Sip => {
                let parts = sip::read(source.as_bytes(), own)?;
                Ok(Uri::Sip(SipUri { text: Excerpt::of(source, place), parts }))
            }
            Scheme::Tel => {
                let parts = tel::read(source.as_bytes(), own)?;
                Ok(Uri::Tel(TelUri { text: Excerpt::of(source, place), parts }))
            }
            Scheme::Other => {
                check_other(own)?;
                Ok(Uri::Other(OtherUri { text: Excerpt::of(source, place) }))
            }
        }
    }

    /// The same URI at the place where it stands in another text, too.
    pub(crate) fn moved(&self, source: ByteString, place: Part) -> Uri {
        let (from, to) = (self.excerpt().place().start(), place.start());
        let text = Excerpt::of(source, place);
        match self {
            Uri::Sip(uri) => Uri::Sip(SipUri { text, parts: uri.parts.moved(from, to) }),
            Uri::Tel(uri) => Uri::Tel(TelUri { text, parts: uri.parts.moved(from, to) }),
            Uri::Other(_) => Uri::Other(OtherUri { text }),
        }
    }

    /// True where both mean the same: RFC 3261 §19.1.4 for SIP, RFC 3966 §4 for `tel`, RFC 8141 §3 for `urn`, the same
    /// text for all else.
    pub fn equivalent(&self, other: &Uri) -> bool {
        match (self, other) {
            (Uri::Sip(one), Uri::Sip(other)) => one.equivalent(other),
            (Uri::Tel(one), Uri::Tel(other)) => one.equivalent(other),
            (Uri::Other(one), Uri::Other(other)) => one.equivalent(other),
            (_, _) => false,
        }
    }

    /// The canonical form that identities are looked up by: [`SipUri::address_of_record`],
    /// [`TelUri::address_of_record`]; other schemes as they stand.
    pub fn address_of_record(&self) -> ByteString {
        match self {
            Uri::Sip(uri) => uri.address_of_record(),
            Uri::Tel(uri) => uri.address_of_record(),
            Uri::Other(uri) => uri.text.text(),
        }
    }
}

impl OtherUri {
    /// The scheme as it stands.
    pub fn scheme(&self) -> &str {
        self.text.split(':').next().unwrap_or_default()
    }

    /// What stands behind the scheme's colon.
    pub fn opaque(&self) -> &str {
        self.text.split_once(':').map_or("", |(_, opaque)| opaque)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// RFC 8141 §3 for URNs; of other schemes the same text, the scheme in any case.
    fn equivalent(&self, other: &OtherUri) -> bool {
        match (self.as_urn(), other.as_urn()) {
            (Some(one), Some(other)) => one.equivalent(other),
            (Some(_), None) | (None, Some(_)) => false,
            (None, None) => self.scheme().eq_ignore_ascii_case(other.scheme()) && self.opaque() == other.opaque(),
        }
    }
}

impl TryFrom<ByteString> for Uri {
    type Error = UriError;

    /// Shares the text; what it came from stays in memory as long as the URI.
    fn try_from(text: ByteString) -> Result<Uri, UriError> {
        let place = Part::between(0, text.len());
        Uri::within(text, place)
    }
}

/// What `Uri::try_from` refuses, without making a value.
pub(crate) fn check(text: &[u8]) -> Result<(), UriError> {
    match Scheme::of(text) {
        Scheme::Sip => sip::read(text, text).map(drop),
        Scheme::Tel => tel::read(text, text).map(drop),
        Scheme::Other => check_other(text),
    }
}

/// As [`check`], for a Request-URI: a `?` part in a SIP URI is an error there (RFC 3261 §19.1.1).
pub(crate) fn check_target(text: &[u8]) -> Result<(), UriError> {
    match Scheme::of(text) {
        Scheme::Sip if sip::read(text, text)?.headers != Part::ABSENT => Err(UriError::Headers),
        Scheme::Sip => Ok(()),
        Scheme::Tel | Scheme::Other => check(text),
    }
}

/// By which grammar a text is read.
enum Scheme {
    Sip,
    Tel,
    Other,
}

impl Scheme {
    fn of(text: &[u8]) -> Scheme {
        match text {
            [b's' | b'S', b'i' | b'I', b'p' | b'P', b':', ..] => Scheme::Sip,
            [b's' | b'S', b'i' | b'I', b'p' | b'P', b's' | b'S', b':', ..] => Scheme::Sip,
            [b't' | b'T', b'e' | b'E', b'l' | b'L', b':', ..] => Scheme::Tel,
            _ => Scheme::Other,
        }
    }
}

/// A scheme, a colon, and something behind it.
fn check_other(text: &[u8]) -> Result<(), UriError> {
    legible(text)?;
    let scheme = &text[..memchr::memchr(b':', text).ok_or(UriError::Scheme)?];
    let valid = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && scheme.len() + 1 < text.len();
    if valid { Ok(()) } else { Err(UriError::Scheme) }
}

/// Length and bytes that hold for every URI.
fn legible(text: &[u8]) -> Result<(), UriError> {
    match text.len() {
        0..=MAX_LEN if Class::URI.is_all_of(text) => Ok(()),
        0..=MAX_LEN => Err(UriError::Byte),
        _ => Err(UriError::TooLong),
    }
}

/// The text with the bytes escaped that no URI holds; any other as it is.
pub(crate) fn made_legible(text: ByteString) -> ByteString {
    if Class::URI.is_all_of(text.as_bytes()) {
        return text;
    }
    let mut legible = String::with_capacity(text.len() + 16);
    escape::push_escaped(&mut legible, text.as_bytes(), |byte| Class::URI.has(byte));
    legible.into()
}

impl From<SipUri> for Uri {
    fn from(uri: SipUri) -> Uri {
        Uri::Sip(uri)
    }
}

impl From<TelUri> for Uri {
    fn from(uri: TelUri) -> Uri {
        Uri::Tel(uri)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Uri, UriError> {
        Uri::try_from(ByteString::from(text))
    }
}

/// Equality, hash, and writing by the text alone: the field of that name, or what the closure finds.
macro_rules! is_its_text {
    ($($type:ty),*) => {$($crate::uri::is_its_text!($type: |value| &value.text);)*};
    ($type:ty: $text:expr) => {
        impl PartialEq for $type {
            fn eq(&self, other: &$type) -> bool {
                let text: fn(&$type) -> &str = $text;
                text(self) == text(other)
            }
        }

        impl Eq for $type {}

        impl std::hash::Hash for $type {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                let text: fn(&$type) -> &str = $text;
                text(self).hash(state);
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let text: fn(&$type) -> &str = $text;
                f.write_str(text(self))
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}

pub(crate) use is_its_text;

is_its_text!(SipUri, TelUri, OtherUri);

impl FromStr for SipUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<SipUri, UriError> {
        SipUri::try_from(ByteString::from(text))
    }
}

impl FromStr for TelUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<TelUri, UriError> {
        TelUri::try_from(ByteString::from(text))
    }
}
