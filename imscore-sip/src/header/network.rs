//! Which access and which network a phone is in, and what its calls are charged by (RFC 7315 §4.3 to §4.6).

use std::borrow::Cow;

use bytestring::ByteString;

use super::parameterised::{only_params, parameterised};
use crate::parse::grammar;
use crate::parse::params::{push_param, push_quoted, unquoted};

parameterised! {
    /// The network that a phone registers from, as the home network knows it (RFC 7315 §4.3).
    PVisitedNetworkId P_VISITED_NETWORK_ID list: true head: grammar::token_or_quoted;
    /// The access that a phone uses: `3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=…` (RFC 7315 §4.4).
    PAccessNetworkInfo P_ACCESS_NETWORK_INFO list: true head: grammar::token;
}

impl PVisitedNetworkId {
    /// A network, written in quotes.
    pub fn new(network: &str) -> PVisitedNetworkId {
        let mut head = String::with_capacity(network.len() + 2);
        push_quoted(&mut head, network);
        PVisitedNetworkId::of(&head, "")
    }

    /// The network, without quotes and escapes.
    pub fn network(&self) -> Cow<'_, str> {
        unquoted(self.head.text(&self.text))
    }
}

impl PAccessNetworkInfo {
    /// The kind of access, `3GPP-E-UTRAN-FDD`, `IEEE-802.11`, or a class of them.
    pub fn access(&self) -> &str {
        self.head.text(&self.text)
    }

    /// True where a network put the value in: `network-provided` (RFC 7315 §5.4), the only ones worth charging by.
    pub fn is_network_provided(&self) -> bool {
        self.params().contains("network-provided")
    }
}

only_params! {
    /// What ties the charging records of one session together (RFC 7315 §4.6).
    ///
    /// ```
    /// use imscore_sip::header::{PChargingFunctionAddresses, PChargingVector, PVisitedNetworkId};
    ///
    /// let vector = PChargingVector::new("1234bc").with_param("orig-ioi", "ims.example");
    /// assert_eq!((vector.icid().as_deref(), vector.orig_ioi().as_deref()), (Some("1234bc"), Some("ims.example")));
    /// let addresses = PChargingFunctionAddresses::new("ccf", "192.0.2.1").with("ccf", "192.0.2.2");
    /// assert_eq!(addresses.ccf().count(), 2);
    /// assert_eq!(PVisitedNetworkId::new("visited.example").to_string(), "\"visited.example\"");
    /// ```
    PChargingVector P_CHARGING_VECTOR list: false value: grammar::gen_value;
    /// Where charging records go (RFC 7315 §4.5).
    PChargingFunctionAddresses P_CHARGING_FUNCTION_ADDRESSES list: false value: grammar::gen_value;
}

impl PChargingVector {
    /// The identifier of the session's charging, unique in the world and for a long time.
    pub fn new(icid: &str) -> PChargingVector {
        let mut text = String::from("icid-value=");
        push_quoted(&mut text, icid);
        PChargingVector { text: text.into() }
    }

    /// The identifier of the session's charging.
    pub fn icid(&self) -> Option<Cow<'_, str>> {
        self.param("icid-value")
    }

    /// Who made the identifier: a host name or address.
    pub fn icid_generated_at(&self) -> Option<Cow<'_, str>> {
        self.param("icid-generated-at")
    }

    /// The network that the session comes from.
    pub fn orig_ioi(&self) -> Option<Cow<'_, str>> {
        self.param("orig-ioi")
    }

    /// The network that the session goes to.
    pub fn term_ioi(&self) -> Option<Cow<'_, str>> {
        self.param("term-ioi")
    }

    /// The networks that the session passes through, as they stand: names with numbers, `void` for one that is not told.
    pub fn transit_ioi(&self) -> Option<Cow<'_, str>> {
        self.param("transit-ioi")
    }

    /// The identifier of another session that this one belongs to, a call before its transfer.
    pub fn related_icid(&self) -> Option<Cow<'_, str>> {
        self.param("related-icid")
    }
}

impl PChargingFunctionAddresses {
    /// One function, `ccf` or `ecf`, and its address.
    pub fn new(function: &str, address: &str) -> PChargingFunctionAddresses {
        PChargingFunctionAddresses { text: ByteString::new() }.with(function, address)
    }

    /// The same with one more address behind those that are there.
    #[must_use]
    pub fn with(&self, function: &str, address: &str) -> PChargingFunctionAddresses {
        let mut params = self.text.to_string();
        push_param(&mut params, function, Some(address));
        PChargingFunctionAddresses::of(params)
    }

    /// The offline charging functions in order.
    pub fn ccf(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.functions("ccf")
    }

    /// The online charging functions in order.
    pub fn ecf(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.functions("ecf")
    }

    fn functions(&self, name: &'static str) -> impl Iterator<Item = Cow<'_, str>> {
        self.params()
            .iter()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| unquoted(value.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;

    #[test]
    fn networks() {
        let visited = PVisitedNetworkId::decode(&"\"bergen, ims\";x".into()).unwrap();
        assert_eq!(visited.network(), "bergen, ims");
        assert_eq!(PVisitedNetworkId::decode(&"bergen.example".into()).unwrap().network(), "bergen.example");
        assert_eq!(PVisitedNetworkId::new("a.b").to_string(), "\"a.b\"");
        assert!(PVisitedNetworkId::decode(&"a b".into()).is_err());
    }

    #[test]
    fn accesses() {
        let access =
            PAccessNetworkInfo::decode(&"3GPP-NR-FDD;utran-cell-id-3gpp=9997;network-provided".into()).unwrap();
        assert_eq!(access.access(), "3GPP-NR-FDD");
        assert_eq!(access.param("utran-cell-id-3gpp").as_deref(), Some("9997"));
        assert!(access.is_network_provided());
    }

    #[test]
    fn charging_vectors() {
        let text = "icid-value=\"c4;1\"; icid-generated-at=[2001:db8::1];orig-ioi=oslo.example;x=AyretyU0dm+6O2/==";
        let vector = PChargingVector::decode(&text.into()).unwrap();
        assert_eq!((vector.icid().as_deref(), vector.orig_ioi().as_deref()), (Some("c4;1"), Some("oslo.example")));
        assert_eq!((vector.icid_generated_at().as_deref(), vector.term_ioi()), (Some("[2001:db8::1]"), None));
        assert_eq!(vector.param("x").as_deref(), Some("AyretyU0dm+6O2/=="));
        let passed = PChargingVector::decode(&"icid-value=1;transit-ioi=\"a.1, void\";related-icid=0".into()).unwrap();
        assert_eq!((passed.transit_ioi().as_deref(), passed.related_icid().as_deref()), (Some("a.1, void"), Some("0")));
        assert_eq!((vector.transit_ioi(), vector.related_icid()), (None, None));
        assert_eq!(
            PChargingVector::new("7").with_param("orig-ioi", "a.b").with_param("ICID-value", "8").to_string(),
            "orig-ioi=a.b;ICID-value=8"
        );
        assert_eq!(
            vector.without_param("x").without_param("icid-generated-at").as_str(),
            "icid-value=\"c4;1\";orig-ioi=oslo.example"
        );
        for text in ["", ";", "icid-value=", "icid-value=1;", "a b"] {
            assert!(PChargingVector::decode(&text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn charging_functions() {
        let text = "ccf=[2001:db8::1]; ccf=\"aaa://c2.example;transport=tcp\" ;ecf=192.0.2.3";
        let addresses = PChargingFunctionAddresses::decode(&text.into()).unwrap();
        assert_eq!(addresses.ccf().collect::<Vec<_>>(), ["[2001:db8::1]", "aaa://c2.example;transport=tcp"]);
        assert_eq!(addresses.ecf().collect::<Vec<_>>(), ["192.0.2.3"]);
        let built = PChargingFunctionAddresses::new("ccf", "c1.example").with("ccf", "aaa://c2");
        assert_eq!(built.to_string(), "ccf=c1.example;ccf=\"aaa://c2\"");
    }
}
