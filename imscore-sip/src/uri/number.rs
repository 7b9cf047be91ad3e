//! Telephone numbers: building them, what their parameters say of number portability (RFC 4694) and of who vouches for
//! them, and their twins among SIP URIs (RFC 3261 §19.1.6).

use super::escape::{is_unreserved, push_escaped};
use super::{Params, SipUri, TelUri, UriError};

/// A number in a parameter, and within what it is valid where it is none of the world.
///
/// ```
/// use imscore_sip::uri::{CodeInContext, TelUri};
///
/// let ported: TelUri = "tel:+12015550123;npdi;rn=+12015550100".parse()?;
/// let Some(CodeInContext { code, context, .. }) = ported.routing_number() else { panic!("it was ported") };
/// assert_eq!((code, context), ("+12015550100", None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodeInContext<'a> {
    /// The digits as they stand, with the `+` of a global one.
    pub code: &'a str,
    /// The context of a local one: a domain or the beginning of a global number.
    pub context: Option<&'a str>,
}

impl TelUri {
    /// A global number: a plus sign, then digits and visual separators.
    ///
    /// # Errors
    /// [`UriError::Number`] for what is none.
    pub fn global(number: &str) -> Result<TelUri, UriError> {
        if !number.starts_with('+') || number.contains(';') {
            return Err(UriError::Number);
        }
        format!("tel:{number}").parse()
    }

    /// A local number within a context: a domain, or the beginning of a global number.
    ///
    /// # Errors
    /// [`UriError::Number`] for what is no local number.
    pub fn local(number: &str, context: &str) -> Result<TelUri, UriError> {
        if number.starts_with('+') || number.contains(';') {
            return Err(UriError::Number);
        }
        Ok(format!("tel:{number}").parse::<TelUri>()?.with_param("phone-context", context))
    }

    /// The same with the parameter in place of any of its name, behind all others but those that RFC 3966 §3 has behind it:
    /// `isub` and `ext` come first, then `phone-context`.
    #[must_use]
    pub fn with_param<'a>(&self, name: &str, value: impl Into<Option<&'a str>>) -> TelUri {
        let mut param = String::from(";");
        param.extend(name.chars().filter(|character| character.is_ascii_alphanumeric() || *character == '-'));
        if let Some(value) = value.into().filter(|value| !value.is_empty()) {
            param.push('=');
            push_escaped(&mut param, value.as_bytes(), is_value);
        }
        let others = self.params().without(name);
        let behind = Params::of(&others).iter().find(|(other, _)| rank(other) > rank(name));
        // What `find` gives back is a part of the text, its semicolon in front.
        let at = behind.map_or(others.len(), |(other, _)| other.as_ptr() as usize - others.as_ptr() as usize - 1);
        TelUri::of(self.number(), &format!("{}{param}{}", &others[..at], &others[at..]))
    }

    /// The same without the parameters of that name.
    #[must_use]
    pub fn without_param(&self, name: &str) -> TelUri {
        TelUri::of(self.number(), &self.params().without(name))
    }

    /// Digits to dial once the call is through, `ext` (RFC 3966 §5.3).
    pub fn extension(&self) -> Option<&str> {
        self.param("ext")
    }

    /// True where the number was looked up in a portability database already: `npdi` (RFC 4694).
    pub fn is_dipped(&self) -> bool {
        self.params().contains("npdi")
    }

    /// The number to route a ported number by: `rn` (RFC 4694).
    ///
    /// ```
    /// use imscore_sip::uri::TelUri;
    ///
    /// let ported: TelUri = "tel:+1-202-533-1234;npdi;rn=+1-202-544-0000".parse()?;
    /// assert!(ported.is_dipped());
    /// assert_eq!(ported.routing_number().map(|number| number.code), Some("+1-202-544-0000"));
    /// let twin = ported.without_param("npdi").without_param("rn").to_sip("ims.example")?;
    /// assert_eq!(twin.as_str(), "sip:+12025331234@ims.example;user=phone");
    /// # Ok::<(), imscore_sip::uri::UriError>(())
    /// ```
    pub fn routing_number(&self) -> Option<CodeInContext<'_>> {
        self.code("rn", "rn-context")
    }

    /// The carrier to route by: `cic` (RFC 4694).
    pub fn carrier(&self) -> Option<CodeInContext<'_>> {
        self.code("cic", "cic-context")
    }

    /// What the network found when it verified who calls, `TN-Validation-Passed` and its like (TS 24.229 §7.2A.20).
    pub fn verstat(&self) -> Option<&str> {
        self.param("verstat")
    }

    /// The SIP URI of the number in a domain, with `user=phone`: the number with its parameters is the user part (RFC 3261
    /// §19.1.6). Visual separators are left out.
    ///
    /// # Errors
    /// [`UriError::Host`] for what is no host.
    pub fn to_sip(&self, host: &str) -> Result<SipUri, UriError> {
        let user: String = self.digits().chain(self.params().as_str().chars()).collect();
        Ok(SipUri::new(host)?.with_user(&user).with_param("user", "phone"))
    }

    fn code(&self, name: &str, context: &str) -> Option<CodeInContext<'_>> {
        let code = self.param(name).filter(|code| !code.is_empty())?;
        Some(CodeInContext { code, context: self.param(context) })
    }
}

impl SipUri {
    /// The telephone number that the URI stands for: the user part of one with `user=phone` (RFC 3261 §19.1.6). `None`
    /// without it, and for a user part that is none.
    pub fn to_tel(&self) -> Option<TelUri> {
        let user = self.user().filter(|_| self.is_phone())?;
        format!("tel:{user}").parse().ok()
    }
}

/// Where among the parameters one stands (RFC 3966 §3).
fn rank(name: &str) -> u8 {
    let is = |known: &str| known.eq_ignore_ascii_case(name);
    if is("isub") || is("ext") { 0 } else { 2 - u8::from(is("phone-context")) }
}

/// `paramchar` (RFC 3966 §3).
fn is_value(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tel(text: &str) -> TelUri {
        text.parse().unwrap_or_else(|error| panic!("{text} {error}"))
    }

    #[test]
    fn numbers_are_built() {
        assert_eq!(TelUri::global("+1-555-0100").unwrap().as_str(), "tel:+1-555-0100");
        assert_eq!(
            TelUri::local("*31#7042", "ims.example").unwrap().as_str(),
            "tel:*31#7042;phone-context=ims.example"
        );
        for (number, global) in
            [("15550100", true), ("+1;x", true), ("+", true), ("+1", false), ("7;x", false), ("", false)]
        {
            let built = if global { TelUri::global(number) } else { TelUri::local(number, "h") };
            assert_eq!(built, Err(UriError::Number), "{number}");
        }
        let base = tel("tel:7042;x=1;phone-context=h");
        for (edited, expected) in [
            (base.with_param("X", "a;b"), "tel:7042;phone-context=h;X=a%3Bb"),
            (base.with_param("phone-context", "+47"), "tel:7042;phone-context=+47;x=1"),
            (base.with_param("ext", "9"), "tel:7042;ext=9;x=1;phone-context=h"),
            (tel("tel:7;isub=1;y;z").with_param("Phone-Context", "h"), "tel:7;isub=1;Phone-Context=h;y;z"),
            (tel("tel:7;phone-context=h;z").with_param("isub", "1"), "tel:7;isub=1;phone-context=h;z"),
            (base.with_param("npdi", None), "tel:7042;x=1;phone-context=h;npdi"),
            (base.without_param("x"), "tel:7042;phone-context=h"),
        ] {
            assert_eq!(edited.as_str(), expected);
            let read = tel(expected);
            assert_eq!((read.number(), read.params().as_str()), (edited.number(), edited.params().as_str()));
        }
    }

    /// RFC 4694.
    #[test]
    fn ported_numbers() {
        let global = tel("tel:+1-202-533-1234;npdi;rn=+1-202-544-0000");
        assert!(global.is_dipped());
        assert_eq!(global.routing_number(), Some(CodeInContext { code: "+1-202-544-0000", context: None }));
        let local =
            tel("tel:+15550100;rn=544-0000;rn-context=+1-202;cic=0161;cic-context=+1;verstat=TN-Validation-Passed");
        assert_eq!(local.routing_number(), Some(CodeInContext { code: "544-0000", context: Some("+1-202") }));
        assert_eq!(local.carrier(), Some(CodeInContext { code: "0161", context: Some("+1") }));
        assert_eq!((local.is_dipped(), local.verstat()), (false, Some("TN-Validation-Passed")));
        let bare = tel("tel:+1;rn;ext=7");
        assert_eq!((bare.routing_number(), bare.carrier(), bare.extension()), (None, None, Some("7")));
    }

    /// RFC 3261 §19.1.6.
    #[test]
    fn numbers_as_sip_uris() {
        for (number, twin) in [
            ("tel:+358-555-1234567;postd=pp22", "sip:+3585551234567;postd=pp22@ims.example;user=phone"),
            ("tel:7042;phone-context=h", "sip:7042;phone-context=h@ims.example;user=phone"),
            ("tel:*31#1", "sip:*31%231@ims.example;user=phone"),
        ] {
            assert_eq!(tel(number).to_sip("ims.example").unwrap().as_str(), twin);
        }
        for (uri, number) in [
            ("sip:+1555;npdi@h;user=phone", Some("tel:+1555;npdi")),
            ("sip:*31#1@h;user=phone", Some("tel:*31#1")),
            ("sip:+1555@h", None),
            ("sip:alice@h;user=phone", None),
            ("sip:h;user=phone", None),
        ] {
            let found = uri.parse::<SipUri>().unwrap().to_tel();
            assert_eq!(found.as_ref().map(TelUri::as_str), number, "{uri}");
        }
        assert_eq!(tel("tel:+1").to_sip("a b"), Err(UriError::Host));
    }
}
