//! What one node of the core tells another of a subscriber: P-Profile-Key (RFC 5002), P-User-Database (RFC 4457),
//! P-Private-Network-Indication (RFC 7316), P-Charge-Info (RFC 8496), Additional-Identity (TS 24.229 §7.2.20).

use super::address::{BARE, addresses};
use super::parameterised::parameterised;
use crate::parse::grammar;

addresses! {
    /// By what an HSS finds the profile of a request: a wildcarded identity (RFC 5002).
    PProfileKey P_PROFILE_KEY list: false bare: BARE;
    /// The HSS that an I-CSCF has found for the S-CSCF: `<aaa://hss.ims.example>` (RFC 4457).
    ///
    /// ```
    /// use imscore_sip::Uri;
    /// use imscore_sip::header::{
    ///     AdditionalIdentity, PChargeInfo, PPrivateNetworkIndication, PProfileKey, PUserDatabase, TypedHeader,
    /// };
    ///
    /// assert_eq!(PUserDatabase::decode(&"<aaa://hss.ims.example>".into())?.host(), Some("hss.ims.example"));
    /// let room: Uri = "sip:!room-.*!@ims.example".parse()?;
    /// assert_eq!(PProfileKey::new(room).to_string(), "<sip:!room-.*!@ims.example>");
    /// let payer: Uri = "sip:sales@ims.example".parse()?;
    /// assert_eq!(PChargeInfo::new(payer.clone()).uri(), AdditionalIdentity::new(payer).uri());
    /// assert_eq!(PPrivateNetworkIndication::new("works.example").domain(), "works.example");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    PUserDatabase P_USER_DATABASE list: false bare: !BARE, nameless: true;
    /// Who pays (RFC 8496).
    PChargeInfo P_CHARGE_INFO list: false bare: BARE;
    /// Another identity of the one who calls or is called (TS 24.229 §7.2.20).
    AdditionalIdentity ADDITIONAL_IDENTITY list: false bare: !BARE;
}

parameterised! {
    /// The private network that a request is traffic of, by its domain (RFC 7316).
    PPrivateNetworkIndication P_PRIVATE_NETWORK_INDICATION list: false head: grammar::host;
}

impl PUserDatabase {
    /// The host of the HSS, where the URI is one of Diameter, `aaa:` or `aaas:` (RFC 6733 §4.3.1).
    pub fn host(&self) -> Option<&str> {
        let (scheme, rest) = self.0.uri().as_str().split_once("://")?;
        let is_diameter = scheme.eq_ignore_ascii_case("aaa") || scheme.eq_ignore_ascii_case("aaas");
        match grammar::host(rest.as_bytes()) {
            Ok((behind, host)) if is_diameter && !matches!(behind.first(), Some(b'.')) => rest.get(..host.len()),
            Ok(_) | Err(_) => None,
        }
    }
}

impl PPrivateNetworkIndication {
    /// The network of that domain, of which what no domain may hold is left out.
    pub fn new(domain: &str) -> PPrivateNetworkIndication {
        let is_domain = |character: &char| character.is_ascii_alphanumeric() || matches!(character, '-' | '.');
        PPrivateNetworkIndication::of(&domain.chars().filter(is_domain).collect::<String>(), "")
    }

    /// The domain.
    pub fn domain(&self) -> &str {
        self.head.text(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;

    #[test]
    fn databases() {
        for (text, host) in [
            ("<aaa://hss.ims.example>", Some("hss.ims.example")),
            ("<AAAS://[2001:db8::1]:3868;transport=tcp>;x", Some("[2001:db8::1]")),
            ("<aaa:hss>", None),
            ("<https://hss.ims.example>", None),
        ] {
            assert_eq!(PUserDatabase::decode(&text.into()).unwrap().host(), host, "{text}");
        }
        assert!(PUserDatabase::decode(&"aaa://hss.ims.example".into()).is_err());
    }

    #[test]
    fn profiles_and_payers() {
        let key = PProfileKey::decode(&"<sip:chatroom-!.*!@ims.example>".into()).unwrap();
        assert_eq!(key.sip().and_then(|uri| uri.user()), Some("chatroom-!.*!"));
        let payer = PChargeInfo::decode(&"<sip:+15550100@gw.example>;noa=3;npi=ISDN".into()).unwrap();
        assert_eq!((payer.param("npi").as_deref(), payer.param("noa").as_deref()), (Some("ISDN"), Some("3")));
        assert!(AdditionalIdentity::decode(&"<tel:+4722000000>".into()).is_ok());
        assert!(AdditionalIdentity::decode(&"tel:+4722000000".into()).is_err());
    }

    #[test]
    fn private_networks() {
        let network = PPrivateNetworkIndication::decode(&"Fjord.example ; x=1".into()).unwrap();
        assert_eq!((network.domain(), network.param("x").as_deref()), ("Fjord.example", Some("1")));
        assert_eq!(PPrivateNetworkIndication::new("a b;c.d").to_string(), "abc.d");
        for text in ["", "a..b", "a b", "a;"] {
            assert!(PPrivateNetworkIndication::decode(&text.into()).is_err(), "{text}");
        }
    }
}
