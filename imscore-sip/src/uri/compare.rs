//! When two URIs are the same, and the one form of them that tables are keyed by.

use bytestring::ByteString;

use super::escape::{is_unreserved, push_escaped, same, same_in_any_case};
use super::sip::is_user_mark;
use super::tel::digits;
use super::{Params, SipUri, TelUri, decoded};

impl SipUri {
    /// RFC 3261 §19.1.4: user part and password with regard to case, all else without; no port is not the default
    /// port; `user`, `ttl`, `method`, `maddr` and `transport` must be on both sides or on none; headers in any order.
    pub fn equivalent(&self, other: &SipUri) -> bool {
        let text = |one: Option<&str>, other: Option<&str>| match (one, other) {
            (Some(one), Some(other)) => same(one, other),
            (one, other) => one == other,
        };
        self.is_secure() == other.is_secure()
            && self.port() == other.port()
            && self.host().eq_ignore_ascii_case(other.host())
            && text(self.user(), other.user())
            && text(self.password(), other.password())
            && params_match(self.params(), other.params())
            && params_match(other.params(), self.params())
            && headers_match(self.headers(), other.headers())
    }

    /// The form that a registrar knows an identity by (RFC 3261 §10.3 step 5, TS 23.003 §13.4): `sip:`, the user part
    /// with no more escapes than it needs, the host in lower case; no password, port, parameters or headers.
    ///
    /// A `sips:` URI names the same identity as its `sip:` twin, and so does one with a port; the text of §10.3 leaves
    /// both open.
    pub fn address_of_record(&self) -> ByteString {
        let mut text = String::with_capacity(self.as_str().len());
        text.push_str("sip:");
        if let Some(user) = self.user() {
            push_escaped(&mut text, &decoded(user), |byte| is_unreserved(byte) || is_user_mark(byte));
            text.push('@');
        }
        let user = text.len();
        text.push_str(self.host());
        text[user..].make_ascii_lowercase();
        text.into()
    }
}

impl TelUri {
    /// RFC 3966 §4: numbers without their visual separators, and the same parameters in any order.
    pub fn equivalent(&self, other: &TelUri) -> bool {
        let covered = |one: &TelUri, other: &TelUri| {
            one.params().iter().all(|(name, value)| {
                other.params().iter().any(|(twin, other)| {
                    same_in_any_case(name, twin)
                        && value_matches(name, value.unwrap_or_default(), other.unwrap_or_default())
                })
            })
        };
        digits_match(self.number(), other.number()) && covered(self, other) && covered(other, self)
    }

    /// The form that an identity is known by (TS 23.003 §13.4): no visual separators, no parameters but the
    /// `phone-context` of a local number.
    pub fn address_of_record(&self) -> ByteString {
        let mut text = String::with_capacity(self.as_str().len());
        text.push_str("tel:");
        text.extend(self.digits());
        if let Some(context) = self.phone_context().filter(|_| !self.is_global()) {
            text.push_str(";phone-context=");
            match context.starts_with('+') {
                true => text.extend(digits(context)),
                false => text.extend(context.chars().map(|character| character.to_ascii_lowercase())),
            }
        }
        text.into()
    }
}

/// Every parameter of `one` is in `other` with the same value, or may be missing there.
fn params_match(one: Params<'_>, other: Params<'_>) -> bool {
    const BOTH: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
    one.iter().all(|(name, value)| {
        let twin = other.iter().find(|(found, _)| same_in_any_case(found, name));
        match twin {
            Some((_, twin)) => same_in_any_case(value.unwrap_or_default(), twin.unwrap_or_default()),
            None => !BOTH.iter().any(|known| known.eq_ignore_ascii_case(name)),
        }
    })
}

/// The same headers, in any order.
fn headers_match(one: Option<&str>, other: Option<&str>) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return one == other;
    };
    let all_in = |one: &str, other: &str| {
        one.split('&').all(|header| other.split('&').any(|twin| same_in_any_case(header, twin)))
    };
    one.split('&').count() == other.split('&').count() && all_in(one, other) && all_in(other, one)
}

fn digits_match(one: &str, other: &str) -> bool {
    let lower = |digit: char| digit.to_ascii_lowercase();
    digits(one).map(lower).eq(digits(other).map(lower))
}

/// Numbers compare as numbers do: `ext`, those of number portability (RFC 4694), and a context that is one.
fn value_matches(name: &str, one: &str, other: &str) -> bool {
    let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    let number =
        is(&["ext", "rn", "cic"]) || is(&["phone-context", "rn-context", "cic-context"]) && one.starts_with('+');
    if number { digits_match(one, other) } else { same_in_any_case(one, other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sip(text: &str) -> SipUri {
        text.parse().unwrap_or_else(|error| panic!("{text} {error}"))
    }

    fn tel(text: &str) -> TelUri {
        text.parse().unwrap_or_else(|error| panic!("{text} {error}"))
    }

    /// RFC 3261 §19.1.4.
    #[test]
    fn sip_uris() {
        for (one, other, expected) in [
            ("sip:%61lice@Home.example;transport=TCP", "sip:alice@home.EXAMPLE;Transport=tcp", true),
            ("sip:carol@h", "sip:carol@h;newparam=5", true),
            ("sip:carol@h;newparam=5", "sip:carol@h;security=on", true),
            (
                "sip:h;transport=tcp;method=REGISTER?to=sip:b%40h",
                "sip:h;method=REGISTER;transport=tcp?to=sip:b%40h",
                true,
            ),
            ("sip:a@h?subject=x%20y&priority=urgent", "sip:a@h?priority=urgent&subject=x%20y", true),
            ("sip:Alice@h", "sip:alice@h", false),
            ("sip:b@h", "sip:b@h:5060", false),
            ("sip:b@h", "sip:b@h;transport=udp", false),
            ("sip:b@h", "sip:b@h;maddr=192.0.2.1", false),
            ("sip:b@h", "sip:b@h;user=ip", false),
            ("sip:b@h", "sip:b@h;ttl=1", false),
            ("sip:b@h;x=1", "sip:b@h;x=2", false),
            ("sip:b@h", "sip:b@h?subject=x", false),
            ("sip:b@h?a=1&a=2", "sip:b@h?a=1&a=1", false),
            ("sip:b@h", "sips:b@h", false),
            ("sip:b@h", "sip:h", false),
            ("sip:b:p@h", "sip:b:P@h", false),
            ("sip:b%3Bx@h", "sip:b;x@h", false),
            ("sip:null-%00@h", "sip:null-@h", false),
        ] {
            assert_eq!(sip(one).equivalent(&sip(other)), expected, "{one} {other}");
            assert_eq!(sip(other).equivalent(&sip(one)), expected, "{other} {one}");
        }
    }

    /// RFC 3966 §4.
    #[test]
    fn telephone_numbers() {
        for (one, other, expected) in [
            ("tel:+1-555-0100", "tel:+15550100", true),
            ("tel:7042;phone-context=A.example", "tel:70-42;PHONE-context=a.EXAMPLE", true),
            ("tel:7042;phone-context=+1-555", "tel:7042;phone-context=+1555", true),
            ("tel:+1;ext=1-2;isub=a", "tel:+1;isub=A;ext=12", true),
            ("tel:+1;rn=+1-202;rn-context=a", "tel:+1;RN=+1202;rn-context=A", true),
            ("tel:+1;cic=0161;cic-context=+1-2", "tel:+1;cic=01-61;cic-context=+12", true),
            ("tel:+1;x=1-2", "tel:+1;x=12", false),
            ("tel:+1;rn=1", "tel:+1;rn=2", false),
            ("tel:+15550100", "tel:15550100", false),
            ("tel:+15550100", "tel:+15550100;ext=1", false),
            ("tel:7042;phone-context=a", "tel:7042;phone-context=b", false),
        ] {
            assert_eq!(tel(one).equivalent(&tel(other)), expected, "{one} {other}");
            assert_eq!(tel(other).equivalent(&tel(one)), expected, "{other} {one}");
        }
    }

    /// RFC 3261 §10.3 step 5.
    #[test]
    fn addresses_of_record_of_sip_uris() {
        for (text, expected) in [
            ("sip:Alice@IMS.Example;user=phone?a=b", "sip:Alice@ims.example"),
            ("sips:alice:secret@ims.example:5061", "sip:alice@ims.example"),
            ("sip:%2B1%35@h", "sip:+15@h"),
            ("sip:a%40b%00@h", "sip:a%40b%00@h"),
            ("sip:a%c3%a4@h", "sip:a%C3%A4@h"),
        ] {
            assert_eq!(sip(text).address_of_record(), expected);
        }
    }

    #[test]
    fn addresses_of_record_of_telephone_numbers() {
        assert_eq!(tel("tel:+44-(1632)960117;npdi").address_of_record(), "tel:+441632960117");
        assert_eq!(
            tel("tel:70-42;x;phone-context=IMS.Example").address_of_record(),
            "tel:7042;phone-context=ims.example"
        );
    }
}
