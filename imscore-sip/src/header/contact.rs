//! Contact (RFC 3261 §20.10).

use std::borrow::Cow;
use std::fmt;

use bytestring::ByteString;

use super::name_addr::Single;
use super::{Cause, Checked, Name, NameAddr, TypedHeader};
use crate::parse::grammar::delta_seconds;
use crate::uri::{SipUri, Uri};

/// Where to reach a phone, or `*`: all of its bindings.
///
/// ```
/// use imscore_sip::header::{Contact, TypedHeader};
///
/// let text = "<sip:alice@192.0.2.7:5072;ob>;q=0.5;expires=600;reg-id=1;+sip.instance=\"<urn:uuid:1>\"";
/// let phone = Contact::decode(&text.into())?;
/// assert_eq!((phone.q(), phone.expires(), phone.reg_id()), (Some(500), Some(600), Some(1)));
/// assert_eq!(phone.instance().as_deref(), Some("urn:uuid:1"));
/// assert_eq!(
///     Contact::new(phone.uri().expect("an address").clone()).with_expires(60).to_string(),
///     "<sip:alice@192.0.2.7:5072;ob>;expires=60"
/// );
/// # Ok::<(), imscore_sip::header::HeaderError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Contact {
    /// `*`, allowed in a REGISTER that removes every binding (RFC 3261 §10.2.2).
    Wildcard,
    /// An address.
    Address(NameAddr),
}

impl Contact {
    /// `<uri>`, without display name and parameters.
    pub fn new(uri: impl Into<Uri>) -> Contact {
        Contact::Address(NameAddr::new(uri))
    }

    /// True for `*`.
    pub fn is_wildcard(&self) -> bool {
        *self == Contact::Wildcard
    }

    /// The address with its parameters; none for `*`.
    pub fn address(&self) -> Option<&NameAddr> {
        match self {
            Contact::Wildcard => None,
            Contact::Address(address) => Some(address),
        }
    }

    /// The URI; none for `*`.
    pub fn uri(&self) -> Option<&Uri> {
        self.address().map(NameAddr::uri)
    }

    /// The SIP or SIPS URI, where it is one.
    pub fn sip(&self) -> Option<&SipUri> {
        self.address().and_then(NameAddr::sip)
    }

    /// The value of a parameter behind the address, without quotes and escapes; empty for one without a value.
    pub fn param(&self, name: &str) -> Option<Cow<'_, str>> {
        self.address().and_then(|address| address.param(name))
    }

    /// Seconds that the binding is to hold. What is no number below 2^32 counts as 3,600 (RFC 3261 §20.10).
    pub fn expires(&self) -> Option<u32> {
        let value = self.address()?.params().get("expires")?;
        match delta_seconds(value.as_bytes()) {
            Ok(([], seconds)) => Some(seconds),
            Ok(_) | Err(_) => Some(3_600),
        }
    }

    /// How much it is preferred, in thousandths from 0 to 1,000 (RFC 3261 §25.1 `qvalue`). `None`: not said, or not
    /// in a valid way.
    pub fn q(&self) -> Option<u16> {
        thousandths(self.address()?.params().get("q")?)
    }

    /// Which phone it is: the URN in `+sip.instance`, angle brackets taken off (RFC 5626 §4.1).
    pub fn instance(&self) -> Option<Cow<'_, str>> {
        let stripped =
            |value: &str| value.strip_prefix('<').and_then(|value| value.strip_suffix('>')).map(str::to_string);
        match self.param("+sip.instance")? {
            Cow::Borrowed(value) => {
                value.strip_prefix('<').and_then(|value| value.strip_suffix('>')).map(Cow::Borrowed)
            }
            Cow::Owned(value) => stripped(&value).map(Cow::Owned),
        }
    }

    /// Which of a phone's flows it is, 1 to 2^31 - 1 (RFC 5626 §4.2).
    pub fn reg_id(&self) -> Option<u32> {
        let value = self.address()?.params().get("reg-id")?;
        match delta_seconds(value.as_bytes()) {
            Ok(([], id)) if (1..1 << 31).contains(&id) => Some(id),
            Ok(_) | Err(_) => None,
        }
    }

    /// The same with the parameter in place of any of its name; `*` has none.
    #[must_use]
    pub fn with_param<'a>(&self, name: &str, value: impl Into<Option<&'a str>>) -> Contact {
        match self {
            Contact::Wildcard => Contact::Wildcard,
            Contact::Address(address) => Contact::Address(address.with_param(name, value)),
        }
    }

    /// The same without the parameters of that name.
    #[must_use]
    pub fn without_param(&self, name: &str) -> Contact {
        match self {
            Contact::Wildcard => Contact::Wildcard,
            Contact::Address(address) => Contact::Address(address.without_param(name)),
        }
    }

    /// The same with another time to hold, in seconds.
    #[must_use]
    pub fn with_expires(&self, seconds: u32) -> Contact {
        self.with_param("expires", seconds.to_string().as_str())
    }
}

impl TypedHeader for Contact {
    const NAME: Name = Name::CONTACT;
    const LIST: bool = true;

    fn read(value: ByteString) -> Result<Contact, Cause> {
        if value == "*" {
            return Ok(Contact::Wildcard);
        }
        NameAddr::read(value, true, Single::OfContact).map(Contact::Address)
    }
}

impl Checked for Contact {
    fn check(value: &[u8]) -> Result<(), Cause> {
        if value == b"*" { Ok(()) } else { NameAddr::check(value, true, Single::OfContact) }
    }
}

impl From<NameAddr> for Contact {
    fn from(address: NameAddr) -> Contact {
        Contact::Address(address)
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contact::Wildcard => f.write_str("*"),
            Contact::Address(address) => address.fmt(f),
        }
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `qvalue`: 0 or 1 with up to three decimals, in thousandths.
pub(super) fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let scale = [1_000, 100, 10, 1][decimals.len()];
    let part = decimals.bytes().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')) * scale;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(text: &str) -> Contact {
        Contact::decode(&text.into()).unwrap_or_else(|error| panic!("{text} {error}"))
    }

    #[test]
    fn parameters_of_a_binding() {
        let phone = contact(
            "<sip:a@192.0.2.7:5072;ob;expires=1>;q=0.33;expires=600;reg-id=2;+sip.instance=\"<urn:gsma:imei:1-2-0>\"",
        );
        assert_eq!((phone.q(), phone.expires(), phone.reg_id()), (Some(330), Some(600), Some(2)));
        assert_eq!(phone.instance().as_deref(), Some("urn:gsma:imei:1-2-0"));
        assert_eq!(phone.uri().map(Uri::as_str), Some("sip:a@192.0.2.7:5072;ob;expires=1"));
        assert!(phone.with_expires(60).to_string().ends_with("1-2-0>\";expires=60"));
    }

    #[test]
    fn a_wildcard_is_no_address() {
        let all = contact("*");
        assert!(all.is_wildcard() && all.uri().is_none() && all.with_expires(0).is_wildcard());
        assert_eq!(all.to_string(), "*");
        assert!(Contact::decode(&"*;x".into()).is_err());
    }

    #[test]
    fn numbers_out_of_range() {
        for (text, expires) in [("1", Some(1)), ("4294967296", Some(3_600)), ("1h", Some(3_600))] {
            assert_eq!(contact(&format!("<sip:h>;expires={text}")).expires(), expires, "{text}");
        }
        for (text, q) in [
            ("0", Some(0)),
            ("0.7", Some(700)),
            ("0.007", Some(7)),
            ("1.000", Some(1_000)),
            ("1.1", None),
            ("0.0001", None),
            (".5", None),
            ("x", None),
        ] {
            assert_eq!(contact(&format!("<sip:h>;q={text}")).q(), q, "{text}");
        }
        assert_eq!(contact("<sip:h>;reg-id=0").reg_id(), None);
        assert_eq!(
            Contact::decode(&"<sip:h>;expires=1;expires=2".into()).map_err(|error| error.cause),
            Err(Cause::Repeated)
        );
    }
}
