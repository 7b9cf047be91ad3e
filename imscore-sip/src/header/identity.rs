//! Identity (RFC 8224): a signature over who calls whom and when, and how strong it is, Attestation-Info and
//! Origination-Id (TS 24.229 §7.2.18, §7.2.19). The token in it is for whoever has the keys.

use std::borrow::Cow;

use bytestring::ByteString;
use nom::Parser;
use nom::bytes::complete::take_while1;

use super::tokens::words;
use super::{Cause, Name, Params, TypedHeader};
use crate::parse::grammar::{self, gen_value_or_uri, params_of};
use crate::parse::params::push_param;
use crate::parse::part::{Part, push};
use crate::uri::{Uri, is_its_text};

words! {
    /// How well the network knows the caller: `A`, fully; `B`, as a customer; `C`, as a gateway (TS 24.229 §7.2.18).
    AttestationInfo ATTESTATION_INFO list: false rule: grammar::token, same: str::eq_ignore_ascii_case;
    /// Which node vouched for the caller, as a UUID (TS 24.229 §7.2.19).
    OriginationId ORIGINATION_ID list: false rule: grammar::token, same: str::eq_ignore_ascii_case;
}

/// A signed token, `digest;info=<https://…>;alg=ES256;ppt=shaken` (RFC 8224 §4).
///
/// ```
/// use imscore_sip::header::{AttestationInfo, Identity, OriginationId, TypedHeader};
///
/// let signed = Identity::decode(&"..c2ln;info=<https://cert.example/1>;ppt=shaken".into())?;
/// assert!(signed.is_compact());
/// assert_eq!(signed.info(), Some("https://cert.example/1"));
/// assert_eq!((signed.algorithm().as_ref(), signed.passport_type().as_deref()), ("ES256", Some("shaken")));
/// assert!(AttestationInfo::from("A").is("a"));
/// assert!(OriginationId::from("f81d4fae-7dec-11d0-a765-00a0c91e6bf6").is("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Identity {
    text: ByteString,
    digest: Part,
    params: Part,
}

impl Identity {
    /// A token in its full or compact form, of which what no token holds is left out, and where the certificate is.
    pub fn new(digest: &str, info: &Uri) -> Identity {
        let mut text = String::with_capacity(digest.len() + info.as_str().len() + 8);
        text.extend(digest.bytes().filter(|byte| is_digest(*byte)).map(char::from));
        let digest = Part::between(0, text.len());
        let params = push(&mut text, &format!(";info=<{info}>"));
        Identity { text: text.into(), digest, params }
    }

    /// The token as it stands, `header.payload.signature`, or `..signature` in its compact form.
    pub fn digest(&self) -> &str {
        self.digest.text(&self.text)
    }

    /// True where header and payload of the token are left to the reader to put together (RFC 8224 §4).
    pub fn is_compact(&self) -> bool {
        self.digest().starts_with("..")
    }

    /// The parameters.
    pub fn params(&self) -> Params<'_> {
        Params::of(self.params.text(&self.text))
    }

    /// Where the certificate is.
    pub fn info(&self) -> Option<&str> {
        self.params().get("info").and_then(|uri| uri.strip_prefix('<')).and_then(|uri| uri.strip_suffix('>'))
    }

    /// The algorithm of the signature; `ES256` holds where it does not say (RFC 8224 §4).
    pub fn algorithm(&self) -> Cow<'_, str> {
        self.params().value("alg").unwrap_or(Cow::Borrowed("ES256"))
    }

    /// The type of the token: `shaken`, `div`, `rph` …
    pub fn passport_type(&self) -> Option<Cow<'_, str>> {
        self.params().value("ppt")
    }

    /// The same with the parameter in place of any of its name, behind all others.
    #[must_use]
    pub fn with_param<'a>(&self, name: &str, value: impl Into<Option<&'a str>>) -> Identity {
        let mut params = self.params().without(name);
        push_param(&mut params, name, value.into());
        let mut text = self.digest().to_string();
        let digest = Part::between(0, text.len());
        let params = push(&mut text, &params);
        Identity { text: text.into(), digest, params }
    }
}

impl TypedHeader for Identity {
    const NAME: Name = Name::IDENTITY;
    const LIST: bool = true;

    /// A value without `info` is refused, as one with a URI outside of angle brackets is, and the quoted signature of RFC
    /// 4474, which RFC 8224 has replaced.
    fn read(value: ByteString) -> Result<Identity, Cause> {
        let text: &[u8] = value.as_bytes();
        let mut info = None;
        let (digest, params) = grammar::whole(text, |input| {
            let (rest, digest) = take_while1(is_digest).parse(input)?;
            let (rest, params) =
                params_of(rest, gen_value_or_uri, |name, value| match (name.eq_ignore_ascii_case(b"info"), value) {
                    (false, _) => Ok(()),
                    (true, Some(uri @ [b'<', ..])) => info.replace(uri).map_or(Ok(()), |_| Err(Cause::Repeated)),
                    (true, _) => Err(Cause::Malformed),
                })?;
            Ok((rest, (digest, params)))
        })?;
        info.ok_or(Cause::Malformed)?;
        Ok(Identity { digest: Part::of(text, digest), params: Part::of(text, params), text: value })
    }
}

is_its_text!(Identity);

/// Base64 for URLs and the dots between the parts of a token; plain base64, as the grammar has it, too.
fn is_digest(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let text = "eyJhbGci.eyJk-_c3Q.c2ln; info=<https://certs.example/a;b.pem?x=1>;alg=ES256;ppt=\"shaken\"";
        let identity = Identity::decode(&text.into()).unwrap();
        assert_eq!((identity.digest(), identity.is_compact()), ("eyJhbGci.eyJk-_c3Q.c2ln", false));
        assert_eq!(identity.info(), Some("https://certs.example/a;b.pem?x=1"));
        assert_eq!((&*identity.algorithm(), identity.passport_type().as_deref()), ("ES256", Some("shaken")));
        assert_eq!(identity.to_string(), text);
    }

    #[test]
    fn building() {
        let info: Uri = "https://certs.example/a;b.pem".parse().unwrap();
        let identity = Identity::new("..c2ln \r\n", &info).with_param("alg", "ES384").with_param("ppt", "div");
        assert_eq!(identity.to_string(), "..c2ln;info=<https://certs.example/a;b.pem>;alg=ES384;ppt=div");
        let read = Identity::decode(&identity.to_string().into()).unwrap();
        assert_eq!((read.is_compact(), read.info(), &*read.algorithm()), (true, Some(info.as_str()), "ES384"));
    }

    #[test]
    fn refusals() {
        for (text, cause) in [
            ("", Cause::Malformed),
            ("a.b.c", Cause::Malformed),
            ("a.b.c;alg=ES256", Cause::Malformed),
            ("a.b.c;info=https://h", Cause::Malformed),
            ("a.b.c;info=\"https://h\"", Cause::Malformed),
            ("a.b.c;info=<https://h", Cause::Malformed),
            ("a.b.c;info=<>", Cause::Malformed),
            ("a.b.c;info=<https://h>;info=<https://i>", Cause::Repeated),
            ("\"a\";info=<https://h>", Cause::Malformed),
        ] {
            assert_eq!(Identity::decode(&text.into()).map_err(|error| error.cause), Err(cause), "{text}");
        }
    }

    #[test]
    fn attestations() {
        assert!(AttestationInfo::decode(&"A".into()).unwrap().is("a"));
        let node = OriginationId::from("7b2f8c1e-93d0-4f0a-8d55-2f1f5e0a9c11");
        assert_eq!(OriginationId::decode(&node.to_string().into()).unwrap(), node);
        assert!(AttestationInfo::decode(&"A B".into()).is_err());
    }
}
