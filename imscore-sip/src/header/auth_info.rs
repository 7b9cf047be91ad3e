//! What a server tells those who have proved themselves: Authentication-Info (RFC 3261 §20.6) and its twin of proxies
//! (RFC 7615). What it means for Digest is in `auth`.

use std::borrow::Cow;

use bytestring::ByteString;

use super::auth::auth_params;
use super::{Cause, Name, Params, TypedHeader};
use crate::parse::grammar;
use crate::parse::params::{push_quoted, push_token, push_value};
use crate::uri::is_its_text;

macro_rules! infos {
    ($($(#[$doc:meta])* $type:ident $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub struct $type {
            text: ByteString,
        }

        impl $type {
            /// The parameters, which commas stand between.
            pub fn params(&self) -> Params<'_> {
                Params::between_commas(&self.text)
            }

            /// The value of a parameter, without quotes and escapes.
            pub fn param(&self, name: &str) -> Option<Cow<'_, str>> {
                self.params().value(name)
            }

            /// The nonce to use from now on.
            pub fn next_nonce(&self) -> Option<Cow<'_, str>> {
                self.param("nextnonce")
            }

            /// The server's own proof, `rspauth`.
            pub fn response_auth(&self) -> Option<Cow<'_, str>> {
                self.param("rspauth")
            }

            /// The same with one more parameter, its value as a token where it is one.
            #[must_use]
            pub fn with(&self, name: &str, value: &str) -> $type {
                $type { text: extended(&self.text, name, |text| push_value(text, value)) }
            }

            /// The same with one more parameter, its value in quotes.
            #[must_use]
            pub fn with_quoted(&self, name: &str, value: &str) -> $type {
                $type { text: extended(&self.text, name, |text| push_quoted(text, value)) }
            }
        }

        impl TypedHeader for $type {
            const NAME: Name = Name::$name;

            fn read(value: ByteString) -> Result<$type, Cause> {
                grammar::whole(value.as_bytes(), auth_params)?;
                Ok($type { text: value })
            }
        }

        is_its_text!($type);
    )*};
}

infos! {
    /// Of a user agent server or registrar (RFC 3261 §20.6).
    ///
    /// ```
    /// use imscore_sip::header::{AuthenticationInfo, ProxyAuthenticationInfo, TypedHeader};
    ///
    /// let info = AuthenticationInfo::decode(&"nextnonce=\"47364c\", qop=auth, rspauth=\"6629fa\"".into())?;
    /// assert_eq!(info.next_nonce().as_deref(), Some("47364c"));
    /// assert_eq!(info.response_auth().as_deref(), Some("6629fa"));
    /// assert!(ProxyAuthenticationInfo::decode(&"nextnonce=\"1\"".into())?.response_auth().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    AuthenticationInfo AUTHENTICATION_INFO;
    /// Of a proxy (RFC 7615).
    ProxyAuthenticationInfo PROXY_AUTHENTICATION_INFO;
}

fn extended(params: &str, name: &str, value: impl FnOnce(&mut String)) -> ByteString {
    let mut text = String::from(params);
    if !text.is_empty() {
        text.push_str(", ");
    }
    push_token(&mut text, name);
    text.push('=');
    value(&mut text);
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Cause;

    #[test]
    fn proofs() {
        let text = "nextnonce=\"47364c23\" , qop=auth,rspauth=\"6629fae4\", cnonce=\"a,b\", nc=00000001";
        let info = AuthenticationInfo::decode(&text.into()).unwrap();
        assert_eq!(
            (info.next_nonce().as_deref(), info.response_auth().as_deref()),
            (Some("47364c23"), Some("6629fae4"))
        );
        assert_eq!((info.param("cnonce").as_deref(), info.param("NC").as_deref()), (Some("a,b"), Some("00000001")));
        let built = ProxyAuthenticationInfo::default().with_quoted("nextnonce", "x\"y").with("qop", "auth");
        assert_eq!(built.to_string(), "nextnonce=\"x\\\"y\", qop=auth");
        assert_eq!(ProxyAuthenticationInfo::decode(&built.to_string().into()).unwrap().next_nonce().unwrap(), "x\"y");
    }

    #[test]
    fn refusals() {
        for (text, cause) in [
            ("", Cause::Malformed),
            ("nextnonce", Cause::Malformed),
            ("qop=auth,", Cause::Malformed),
            ("qop=auth nc=1", Cause::Malformed),
            ("qop=\"auth", Cause::Malformed),
            ("qop=auth, QOP=auth-int", Cause::Repeated),
        ] {
            assert_eq!(AuthenticationInfo::decode(&text.into()).map_err(|error| error.cause), Err(cause), "{text}");
        }
    }
}
