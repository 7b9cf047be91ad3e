//! Which service a request is of: P-Asserted-Service and P-Preferred-Service (RFC 6050).

use std::fmt;

use bytestring::ByteString;

use super::{Cause, Name, TypedHeader};

const URN: &str = "urn:urn-7:";

macro_rules! services {
    ($($(#[$doc:meta])* $type:ident $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $type(ByteString);

        impl $type {
            /// That service, `3gpp-service.ims.icsi.mmtel`, of which what no service may hold is left out.
            pub fn new(service: &str) -> $type {
                let kept = service.chars().filter(|character| u8::try_from(*character).is_ok_and(is_service));
                $type(URN.chars().chain(kept).collect::<String>().into())
            }

            /// The service behind `urn:urn-7:`, `3gpp-service.ims.icsi.mmtel`.
            pub fn service(&self) -> &str {
                &self.0[URN.len()..]
            }

            /// True for that service or one below it: `….mmtel.x` is `….mmtel` too (TS 24.229 §7.2A.8).
            pub fn is(&self, service: &str) -> bool {
                let start = self.service().get(..service.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(service))
                    && matches!(self.service().as_bytes().get(service.len()), None | Some(b'.'))
            }

            /// The whole URN.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TypedHeader for $type {
            const NAME: Name = Name::$name;
            const LIST: bool = true;

            fn read(value: ByteString) -> Result<$type, Cause> {
                if is_urn(&value) { Ok($type(value)) } else { Err(Cause::Malformed) }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

services! {
    /// The service of a request, by the word of the trust domain (RFC 6050).
    ///
    /// ```
    /// use imscore_sip::header::{PAssertedService, PPreferredService};
    ///
    /// let service = PPreferredService::new("3gpp-service.ims.icsi.mmtel");
    /// assert_eq!(service.to_string(), "urn:urn-7:3gpp-service.ims.icsi.mmtel");
    /// assert!(PAssertedService::new(service.service()).is("3gpp-service.ims.icsi.mmtel"));
    /// ```
    PAssertedService P_ASSERTED_SERVICE;
    /// The service that a phone wants (RFC 6050).
    PPreferredService P_PREFERRED_SERVICE;
}

/// `"urn:urn-7:" urn-service-id`: labels of letters, digits and hyphens, with dots between them. The underscores that
/// some write are let pass.
fn is_urn(value: &str) -> bool {
    value.get(..URN.len()).is_some_and(|start| start.eq_ignore_ascii_case(URN))
        && value[URN.len()..].split('.').all(|label| !label.is_empty())
        && value.bytes().skip(URN.len()).all(is_service)
}

fn is_service(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services() {
        let text = "URN:urn-7:3gpp-service.ims.icsi.mmtel.hd-video";
        let service = PAssertedService::decode(&text.into()).unwrap();
        assert_eq!(service.service(), "3gpp-service.ims.icsi.mmtel.hd-video");
        assert!(service.is("3gpp-service.IMS.icsi.mmtel") && !service.is("3gpp-service.ims.icsi.mm"));
        assert!(!service.is("3gpp-service.ims.icsi.mmtel.hd-video.x"));
        assert_eq!(PPreferredService::new("a.b\r\n").as_str(), "urn:urn-7:a.b");
        for text in ["", "urn:urn-7:", "urn:urn-7:a..b", "urn:urn-7:a b", "urn:service:sos", "<urn:urn-7:a>"] {
            let cause = PAssertedService::decode(&text.into()).map_err(|error| error.cause);
            assert_eq!(cause, Err(Cause::Malformed), "{text}");
        }
    }
}
