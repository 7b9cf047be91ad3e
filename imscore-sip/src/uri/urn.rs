//! URNs (RFC 8141), as far as SIP meets them: services (RFC 5031), identities of devices (RFC 7254), UUIDs (RFC 9562).

use super::{OtherUri, Uri};

/// A URN, seen in the text of a URI.
///
/// ```
/// use imscore_sip::Uri;
///
/// let call: Uri = "urn:service:sos.ambulance".parse()?;
/// let urn = call.as_urn().expect("a URN");
/// assert!(urn.is_emergency());
/// assert_eq!(urn.service(), Some("sos.ambulance"));
///
/// let phone: Uri = "urn:gsma:imei:90420156-025763-0;svn=42".parse()?;
/// assert_eq!(phone.as_urn().and_then(|urn| urn.imei()).map(|imei| imei.type_allocation), Some("90420156"));
/// # Ok::<(), imscore_sip::uri::UriError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Urn<'a> {
    namespace: &'a str,
    specific: &'a str,
}

/// The identity of a phone (RFC 7254).
///
/// ```
/// use imscore_sip::uri::{Imei, OtherUri, Uri, Urn};
///
/// let Uri::Other(other): Uri = "urn:gsma:imei:90420156-025763-0;svn=42".parse()? else { panic!("a URN") };
/// let opaque: &OtherUri = &other;
/// assert_eq!(opaque.scheme(), "urn");
/// let urn: Urn<'_> = opaque.as_urn().ok_or("no URN")?;
/// let Some(Imei { serial, software, .. }) = urn.imei() else { panic!("a device") };
/// assert_eq!((serial, software), ("025763", Some("42")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imei<'a> {
    /// Who made it and which type it is, eight digits.
    pub type_allocation: &'a str,
    /// Which one of them, six digits.
    pub serial: &'a str,
    /// The digit behind both, 0 or a check digit.
    pub spare: &'a str,
    /// The version of its software, two digits.
    pub software: Option<&'a str>,
}

impl Uri {
    /// The URN that it is. `None` for another scheme, and for what RFC 8141 §2 does not allow.
    pub fn as_urn(&self) -> Option<Urn<'_>> {
        match self {
            Uri::Other(uri) => uri.as_urn(),
            Uri::Sip(_) | Uri::Tel(_) => None,
        }
    }
}

impl OtherUri {
    /// The URN that it is, as [`Uri::as_urn`].
    pub fn as_urn(&self) -> Option<Urn<'_>> {
        if self.scheme().eq_ignore_ascii_case("urn") { Urn::read(self.opaque()) } else { None }
    }
}

impl<'a> Urn<'a> {
    fn read(text: &'a str) -> Option<Urn<'a>> {
        let (namespace, rest) = text.split_once(':')?;
        let is_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let valid = (2..=32).contains(&namespace.len())
            && namespace.bytes().all(is_label)
            && !namespace.starts_with('-')
            && !namespace.ends_with('-');
        // Of the components behind a name none is part of it.
        let end = ["?+", "?=", "#"].iter().filter_map(|mark| rest.find(mark)).min().unwrap_or(rest.len());
        let specific = &rest[..end];
        (valid && !specific.is_empty() && !specific.starts_with('/')).then_some(Urn { namespace, specific })
    }

    /// The namespace as it stands: `service`, `gsma`, `uuid`, `urn-7`, `3gpp`.
    pub fn namespace(self) -> &'a str {
        self.namespace
    }

    /// The name within the namespace as it stands.
    pub fn specific(self) -> &'a str {
        self.specific
    }

    /// True for that namespace, in any case.
    pub fn is_in(self, namespace: &str) -> bool {
        self.namespace.eq_ignore_ascii_case(namespace)
    }

    /// The service of a `urn:service:`, as it stands (RFC 5031 §3).
    pub fn service(self) -> Option<&'a str> {
        Some(self.specific).filter(|_| self.is_in("service"))
    }

    /// True for that service and those below it: `sos.fire` is `sos` too (RFC 5031 §3).
    pub fn is_service(self, wanted: &str) -> bool {
        self.service().is_some_and(|service| {
            let starts = service.get(..wanted.len()).is_some_and(|start| start.eq_ignore_ascii_case(wanted));
            starts && matches!(service.as_bytes().get(wanted.len()), None | Some(b'.'))
        })
    }

    /// True for an emergency service: `urn:service:sos` and what is below it (RFC 5031 §4.2).
    pub fn is_emergency(self) -> bool {
        self.is_service("sos")
    }

    /// The number of a `urn:uuid:`: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12.
    pub fn uuid(self) -> Option<u128> {
        let groups = self.specific.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
        let digits: String = self.specific.chars().filter(char::is_ascii_hexdigit).collect();
        if groups && digits.len() == 32 && self.is_in("uuid") { u128::from_str_radix(&digits, 16).ok() } else { None }
    }

    /// The parts of a `urn:gsma:imei:`.
    pub fn imei(self) -> Option<Imei<'a>> {
        let prefix = self.specific.get(..5).filter(|prefix| prefix.eq_ignore_ascii_case("imei:"))?;
        let mut params = self.specific[prefix.len()..].split(';');
        let mut parts = params.next()?.split('-');
        let mut digits = |count: usize| {
            let is_right = |part: &&str| part.len() == count && part.bytes().all(|digit| digit.is_ascii_digit());
            parts.next().filter(is_right)
        };
        let (type_allocation, serial, spare) = (digits(8)?, digits(6)?, digits(1)?);
        let software = params.find_map(|param| {
            let (name, value) = param.split_once('=')?;
            name.eq_ignore_ascii_case("svn").then_some(value)
        });
        (parts.next().is_none() && self.is_in("gsma")).then_some(Imei { type_allocation, serial, spare, software })
    }

    /// RFC 8141 §3: the namespace in any case, the name with regard to it but for the digits of escapes. Services (RFC
    /// 5031 §3) and UUIDs (RFC 9562 §4) are the same in any case.
    pub(super) fn equivalent(self, other: Urn<'_>) -> bool {
        let any_case = self.is_in("service") || self.is_in("uuid");
        let same = if any_case {
            self.specific.eq_ignore_ascii_case(other.specific)
        } else {
            raised(self.specific).eq(raised(other.specific))
        };
        same && self.is_in(other.namespace)
    }
}

/// The bytes of a text, the digits of its escapes in upper case.
fn raised(text: &str) -> impl Iterator<Item = u8> {
    let mut digits = 0;
    text.bytes().map(move |byte| {
        let raised = if digits > 0 { byte.to_ascii_uppercase() } else { byte };
        digits = if byte == b'%' { 2 } else { digits.max(1) - 1 };
        raised
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap_or_else(|error| panic!("{text} {error}"))
    }

    #[test]
    fn parts() {
        for (text, expected) in [
            ("urn:service:sos", Some(("service", "sos"))),
            ("URN:Example:a/b?c?=q#f", Some(("Example", "a/b?c"))),
            ("urn:urn-7:3gpp-service.ims.icsi.mmtel", Some(("urn-7", "3gpp-service.ims.icsi.mmtel"))),
            ("urn:x:y", None),
            ("urn:-ab:y", None),
            ("urn:ab-:y", None),
            ("urn:a_b:y", None),
            ("urn:ab:", None),
            ("urn:ab:/y", None),
            ("urn:ab:#y", None),
            ("urn:ab", None),
            ("im:alice@h", None),
            ("sip:h", None),
        ] {
            let uri = uri(text);
            assert_eq!(uri.as_urn().map(|urn| (urn.namespace(), urn.specific())), expected, "{text}");
        }
        assert!(uri(&format!("urn:{}:y", "n".repeat(32))).as_urn().is_some());
        assert!(uri(&format!("urn:{}:y", "n".repeat(33))).as_urn().is_none());
    }

    /// RFC 5031 §3, §4.2.
    #[test]
    fn services() {
        for (text, emergency, fire) in [
            ("urn:service:sos", true, false),
            ("URN:Service:SOS.Fire", true, true),
            ("urn:service:sos.fire.wood", true, true),
            ("urn:service:sosfire", false, false),
            ("urn:service:counseling", false, false),
            ("urn:other:sos", false, false),
        ] {
            let uri = uri(text);
            let urn = uri.as_urn().unwrap();
            assert_eq!((urn.is_emergency(), urn.is_service("sos.fire")), (emergency, fire), "{text}");
        }
        assert_eq!(uri("urn:uuid:1").as_urn().unwrap().service(), None);
    }

    #[test]
    fn devices() {
        let imei = |text: &str| {
            let uri = uri(text);
            uri.as_urn().unwrap().imei().map(|imei| (imei.serial.to_string(), imei.software.map(String::from)))
        };
        assert_eq!(imei("urn:gsma:imei:90420156-025763-0;vers=0;svn=42"), Some(("025763".into(), Some("42".into()))));
        assert_eq!(imei("urn:gsma:IMEI:90420156-025763-0"), Some(("025763".into(), None)));
        for text in ["90420156-025763", "9042015-025763-0", "90420156-025763-0-1", "90420156-02576x-0", ""] {
            assert_eq!(imei(&format!("urn:gsma:imei:{text}")), None, "{text}");
        }
        assert_eq!(imei("urn:other:imei:90420156-025763-0"), None);
        let uuid = |text: &str| uri(text).as_urn().unwrap().uuid();
        assert_eq!(uuid("urn:uuid:00000000-0000-1000-8000-000A95A0E128"), Some(0x1000_8000_000a_95a0_e128));
        for text in [
            "urn:uuid:1",
            "urn:uuid:000000000000100080000-00A95A0E128",
            "urn:uuid:0000000x-0000-1000-8000-000A95A0E128",
            "urn:x-id:00000000-0000-1000-8000-000A95A0E128",
        ] {
            assert_eq!(uuid(text), None, "{text}");
        }
    }

    /// RFC 8141 §3.1.
    #[test]
    fn comparison() {
        for (one, other, expected) in [
            ("urn:example:a123,z456", "URN:EXAMPLE:a123,z456", true),
            ("urn:example:a123,z456?+abc", "urn:example:a123,z456?=xyz#789", true),
            ("urn:example:a123%2Cz456", "URN:EXAMPLE:a123%2cz456", true),
            ("urn:example:a123%2Cz456", "urn:example:a123,z456", false),
            ("urn:example:A123,z456", "urn:example:a123,z456", false),
            ("urn:example:%2Cz", "urn:example:%2CZ", false),
            ("urn:example:a", "urn:other:a", false),
            ("urn:service:SOS", "urn:Service:sos", true),
            ("urn:uuid:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", true),
            ("urn:x", "URN:x", true),
            ("urn:x", "urn:X", false),
            ("urn:x", "urn:ab:x", false),
        ] {
            assert_eq!(uri(one).equivalent(&uri(other)), expected, "{one} {other}");
            assert_eq!(uri(other).equivalent(&uri(one)), expected, "{other} {one}");
        }
    }
}
