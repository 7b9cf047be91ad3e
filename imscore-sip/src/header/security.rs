//! Agreement on a security mechanism between a phone and its first hop (RFC 3329), with the parameters of IPsec (TS
//! 33.203 annex H) and the `mediasec` of TS 24.229 §7.2A.7.

use super::contact::thousandths;
use super::parameterised::{parameterised, token_headed};
use crate::parse::grammar::{self, delta_seconds};

parameterised! {
    /// A mechanism that the phone offers (RFC 3329).
    ///
    /// ```
    /// use imscore_sip::header::{Ipsec, SecurityClient, SecurityServer, SecurityVerify, TypedHeader};
    ///
    /// let offer = "ipsec-3gpp;q=0.5;alg=hmac-sha-1-96;spi-c=1;spi-s=2;port-c=5062;port-s=5064";
    /// let client = SecurityClient::decode(&offer.into())?;
    /// let Some(Ipsec { algorithm, encryption, port_server, .. }) = client.ipsec() else { panic!("IPsec") };
    /// assert_eq!((algorithm, encryption, port_server), ("hmac-sha-1-96", "null", 5_064));
    /// assert_eq!(client.q(), Some(500));
    /// // The phone repeats what the server offered.
    /// let verify = SecurityVerify::from(&SecurityServer::new("tls"));
    /// assert_eq!(verify.mechanism(), "tls");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    SecurityClient SECURITY_CLIENT list: true head: grammar::token;
    /// A mechanism that the server offers (RFC 3329).
    SecurityServer SECURITY_SERVER list: true head: grammar::token;
    /// A mechanism that the server offered, as the phone read it (RFC 3329).
    SecurityVerify SECURITY_VERIFY list: true head: grammar::token;
}

token_headed! {
    SecurityClient:
    /// The mechanism: `ipsec-3gpp`, `tls`, `digest`, `sdes-srtp` …
    mechanism;
    SecurityServer:
    /// The mechanism: `ipsec-3gpp`, `tls`, `digest`, `sdes-srtp` …
    mechanism;
    SecurityVerify:
    /// The mechanism: `ipsec-3gpp`, `tls`, `digest`, `sdes-srtp` …
    mechanism;
}

macro_rules! mechanisms {
    ($($type:ident)*) => {$(
        impl $type {
            /// How much it is preferred, in thousandths from 0 to 1,000. `None`: not said, or in a way that is no
            /// `qvalue`.
            pub fn q(&self) -> Option<u16> {
                self.params().get("q").and_then(thousandths)
            }

            /// The parameters of IPsec. `None` for another mechanism, and where one of the four numbers of an
            /// association is missing or none.
            pub fn ipsec(&self) -> Option<Ipsec<'_>> {
                let is_ipsec = self.mechanism().eq_ignore_ascii_case("ipsec-3gpp");
                if is_ipsec { Ipsec::read(self.params()) } else { None }
            }

            /// True for a mechanism of the media, not of the signalling (TS 24.229 §7.2A.7).
            pub fn is_for_media(&self) -> bool {
                self.params().contains("mediasec")
            }
        }
    )*};
}

mechanisms!(SecurityClient SecurityServer SecurityVerify);

impl From<&SecurityServer> for SecurityVerify {
    /// What a phone sends back: the same text (RFC 3329 §2.3.1).
    fn from(server: &SecurityServer) -> SecurityVerify {
        SecurityVerify { text: server.text.clone(), head: server.head, params: server.params }
    }
}

/// One side's half of the security associations of `ipsec-3gpp` (TS 33.203 annex H).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ipsec<'a> {
    /// The integrity algorithm, `hmac-sha-1-96`.
    pub algorithm: &'a str,
    /// The encryption algorithm, `aes-cbc`; `null` where it does not say.
    pub encryption: &'a str,
    /// The protocol, `esp` where it does not say.
    pub protocol: &'a str,
    /// The mode, `trans` where it does not say.
    pub mode: &'a str,
    /// The index of the association towards its client port.
    pub spi_client: u32,
    /// The index of the association towards its server port.
    pub spi_server: u32,
    /// The port that it sends requests from.
    pub port_client: u16,
    /// The port that it takes requests at.
    pub port_server: u16,
}

impl<'a> Ipsec<'a> {
    fn read(params: super::Params<'a>) -> Option<Ipsec<'a>> {
        let number = |name: &str| match delta_seconds(params.get(name)?.as_bytes()) {
            Ok(([], number)) => Some(number),
            Ok(_) | Err(_) => None,
        };
        let port = |name: &str| number(name).and_then(|port| u16::try_from(port).ok());
        Some(Ipsec {
            algorithm: params.get("alg")?,
            encryption: params.get("ealg").unwrap_or("null"),
            protocol: params.get("prot").unwrap_or("esp"),
            mode: params.get("mod").unwrap_or("trans"),
            spi_client: number("spi-c")?,
            spi_server: number("spi-s")?,
            port_client: port("port-c")?,
            port_server: port("port-s")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;

    const OFFER: &str = "ipsec-3gpp; q=0.1;alg=hmac-sha-1-96;ealg=aes-cbc;spi-c=98765432;spi-s=87654321;\
        port-c=8642;port-s=7531";

    #[test]
    fn associations() {
        let server = SecurityServer::decode(&OFFER.into()).unwrap();
        assert_eq!((server.mechanism(), server.q(), server.is_for_media()), ("ipsec-3gpp", Some(100), false));
        let ipsec = server.ipsec().unwrap();
        assert_eq!((ipsec.algorithm, ipsec.encryption), ("hmac-sha-1-96", "aes-cbc"));
        assert_eq!((ipsec.protocol, ipsec.mode), ("esp", "trans"));
        assert_eq!((ipsec.spi_client, ipsec.spi_server), (98_765_432, 87_654_321));
        assert_eq!((ipsec.port_client, ipsec.port_server), (8_642, 7_531));
        assert_eq!(SecurityVerify::from(&server).to_string(), OFFER);
    }

    #[test]
    fn what_is_no_association() {
        for (from, to) in [
            ("spi-c=98765432", "spi-c=4294967296"),
            ("spi-s=87654321", "spi-s=x"),
            ("port-c=8642", "port-c=65536"),
            (";port-s=7531", ""),
            ("alg=hmac-sha-1-96;", ""),
            ("ipsec-3gpp", "tls"),
        ] {
            let client = SecurityClient::decode(&OFFER.replacen(from, to, 1).into()).unwrap();
            assert_eq!(client.ipsec(), None, "{to}");
        }
        let media = SecurityClient::new("sdes-srtp").with_param("mediasec", None);
        assert_eq!(media.to_string(), "sdes-srtp;mediasec");
        assert!(SecurityClient::decode(&media.to_string().into()).unwrap().is_for_media());
        for text in ["", "ipsec 3gpp", "tls;", ";q=1"] {
            assert!(SecurityClient::decode(&text.into()).is_err(), "{text}");
        }
    }
}
