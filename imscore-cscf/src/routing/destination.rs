//! What a Request-URI asks for, seen from the home network.

use imscore_sip::ByteString;
use imscore_sip::uri::{SipUri, TelUri, Uri};

/// What kind of destination a Request-URI is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A user of this network, or a number, of which the I-CSCF finds out (TS 24.229 §5.4.3.2).
    Home,
    /// Somebody in another network.
    Foreign,
    /// A scheme that no CSCF routes by.
    Unsupported,
}

impl Destination {
    /// `home_domains` in lower case.
    pub(crate) fn of(uri: &Uri, home_domains: &[ByteString]) -> Destination {
        match uri {
            Uri::Sip(uri) if home_domains.iter().any(|domain| domain.eq_ignore_ascii_case(uri.host())) => {
                Destination::Home
            }
            Uri::Sip(_) => Destination::Foreign,
            Uri::Tel(_) => Destination::Home,
            Uri::Other(_) => Destination::Unsupported,
        }
    }
}

/// The number that a SIP URI stands for, as a `tel:` URI: with `user=phone`, a `+` in front and no GRUU
/// (TS 24.229 §5.3.2.1).
pub(crate) fn number_of(uri: &SipUri) -> Option<TelUri> {
    let user = uri.user()?;
    let is_number = uri.is_phone() && user.starts_with('+') && !uri.params().contains("gr");
    is_number.then(|| format!("tel:{user}").parse().ok()).flatten()
}

/// True for a Route that says that the request is to be served for who sends it (TS 24.229 §5.4.3.1): the `orig` of a
/// Service-Route, or of an application server.
pub(crate) fn is_originating(route: &ByteString) -> bool {
    SipUri::try_from(route.clone()).is_ok_and(|uri| uri.params().contains("orig"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        let home = ["ims.example", "other.example"].map(ByteString::from);
        for (uri, expected) in [
            ("sip:bob@ims.example", Destination::Home),
            ("sips:bob@IMS.Example:5061;transport=tcp", Destination::Home),
            ("sip:bob@other.example", Destination::Home),
            ("tel:+12015550123", Destination::Home),
            ("tel:911;phone-context=ims.example", Destination::Home),
            ("sip:bob@far.example", Destination::Foreign),
            ("sip:bob@notims.example", Destination::Foreign),
            ("sip:bob@192.0.2.1", Destination::Foreign),
            ("urn:service:sos", Destination::Unsupported),
            ("mailto:bob@ims.example", Destination::Unsupported),
        ] {
            assert_eq!(Destination::of(&uri.parse().unwrap(), &home), expected, "{uri}");
        }
    }

    /// TS 24.229 §5.3.2.1.
    #[test]
    fn numbers_in_sip_uris() {
        for (uri, expected) in [
            ("sip:+12015550123@ims.example;user=phone", Some("tel:+12015550123")),
            ("sip:+1-201-555-0123@ims.example;user=PHONE;x=y", Some("tel:+1-201-555-0123")),
            ("sip:+12015550123;isub=7@ims.example;user=phone", Some("tel:+12015550123;isub=7")),
            ("sip:+12015550123@ims.example", None),
            ("sip:12015550123@ims.example;user=phone", None),
            ("sip:+12015550123@ims.example;user=phone;gr=x", None),
            ("sip:+alice@ims.example;user=phone", None),
            ("sip:ims.example;user=phone", None),
        ] {
            let uri: SipUri = uri.parse().unwrap();
            assert_eq!(number_of(&uri).as_ref().map(TelUri::as_str), expected, "{uri}");
        }
    }

    #[test]
    fn originating_routes() {
        for (route, expected) in [
            ("sip:scscf.ims.example;lr;orig", true),
            ("sip:scscf.ims.example;ORIG;lr", true),
            ("sip:orig@scscf.ims.example;lr", false),
            ("sip:scscf.ims.example;lr", false),
            ("orig", false),
        ] {
            assert_eq!(is_originating(&route.into()), expected, "{route}");
        }
    }
}
