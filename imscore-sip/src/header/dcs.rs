//! The headers of distributed call signalling in cable networks (RFC 5503).

use std::borrow::Cow;

use nom::Parser;
use nom::bytes::complete::take_while_m_n;
use nom::character::complete::char;
use nom::combinator::recognize;

use super::address::{BARE, addresses};
use super::parameterised::parameterised;
use super::tokens::words;
use crate::parse::grammar::{self, Parsed};
use crate::parse::params::{push_quoted, unquoted};
use crate::uri::{Uri, UriError};

addresses! {
    /// Who is to be traced (RFC 5503).
    PDcsTracePartyId P_DCS_TRACE_PARTY_ID list: false bare: !BARE;
}

words! {
    /// What an operator's service does to a call: `BLV`, `EI`, `RING` (RFC 5503).
    PDcsOsps P_DCS_OSPS list: false rule: grammar::token, same: str::eq_ignore_ascii_case;
}

parameterised! {
    /// What ties the billing of a call together: `correlation/element@domain` and who pays (RFC 5503).
    ///
    /// ```
    /// use imscore_sip::Uri;
    /// use imscore_sip::header::{
    ///     PDcsBillingInfo, PDcsLaes, PDcsOsps, PDcsRedirect, PDcsTracePartyId, TypedHeader,
    /// };
    ///
    /// let billing = PDcsBillingInfo::decode(&"1a2b/3c@bill.example".into())?;
    /// assert_eq!((billing.correlation_id(), billing.financial_entity()), ("1a2b", "3c@bill.example"));
    /// assert_eq!(PDcsLaes::decode(&"laes.example:5060".into())?.signalling(), "laes.example:5060");
    /// let called: Uri = "sip:bob@ims.example".parse()?;
    /// assert_eq!(PDcsRedirect::new(&called).with_param("count", "2").called()?, called);
    /// assert!(PDcsOsps::from("BLV").is("blv"));
    /// assert_eq!(PDcsTracePartyId::new(called.clone()).uri(), &called);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    PDcsBillingInfo P_DCS_BILLING_INFO list: false head: billing;
    /// Where what the law wants of a call is to go (RFC 5503).
    PDcsLaes P_DCS_LAES list: false head: grammar::host_port;
    /// Who redirected a call that the law has an eye on (RFC 5503).
    PDcsRedirect P_DCS_REDIRECT list: false head: grammar::quoted_string;
}

/// `Billing-Correlation-ID "/" FEID`: up to 48 hexadecimal digits, up to 16, an at sign, a host.
fn billing(input: &[u8]) -> Parsed<'_> {
    let digits = |most| take_while_m_n(1, most, |byte: u8| byte.is_ascii_hexdigit());
    recognize((digits(48), char('/'), digits(16), char('@'), grammar::host)).parse(input)
}

impl PDcsBillingInfo {
    /// What the records of the call have in common, in base 16.
    pub fn correlation_id(&self) -> &str {
        self.halves().0
    }

    /// The financial entity, `element@domain`.
    pub fn financial_entity(&self) -> &str {
        self.halves().1
    }

    fn halves(&self) -> (&str, &str) {
        self.head.text(&self.text).split_once('/').unwrap_or_default()
    }
}

impl PDcsLaes {
    /// Where the signalling goes, `host:port`.
    pub fn signalling(&self) -> &str {
        self.head.text(&self.text)
    }

    /// Where the media go.
    pub fn content(&self) -> Option<Cow<'_, str>> {
        self.param("content")
    }
}

impl PDcsRedirect {
    /// A call that was for that address.
    pub fn new(called: &Uri) -> PDcsRedirect {
        let mut head = String::with_capacity(called.as_str().len() + 2);
        push_quoted(&mut head, called.as_str());
        PDcsRedirect::of(&head, "")
    }

    /// Whom the call was for.
    ///
    /// # Errors
    /// What stands in the quotes is no URI.
    pub fn called(&self) -> Result<Uri, UriError> {
        unquoted(self.head.text(&self.text)).parse()
    }

    /// Who redirected it last.
    pub fn redirector(&self) -> Option<Cow<'_, str>> {
        self.param("redirector-uri")
    }

    /// How many times it was redirected; none for what is no number.
    pub fn count(&self) -> Option<u32> {
        self.params().get("count")?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{Cause, TypedHeader};

    #[test]
    fn bills() {
        let text = "3D3D74726173683A3D3D/0010f3@cable.example;charge=\"sip:a@cable.example\"";
        let bill = PDcsBillingInfo::decode(&text.into()).unwrap();
        assert_eq!((bill.correlation_id(), bill.financial_entity()), ("3D3D74726173683A3D3D", "0010f3@cable.example"));
        assert_eq!(bill.param("charge").as_deref(), Some("sip:a@cable.example"));
        let digits = |count| format!("{}/1@h", "a".repeat(count));
        assert!(PDcsBillingInfo::decode(&digits(48).into()).is_ok());
        for text in ["", "x/1@h", "1/@h", "1/1", "1/1@", &digits(49), "1/11111111111111111@h"] {
            assert_eq!(
                PDcsBillingInfo::decode(&text.into()).map_err(|error| error.cause),
                Err(Cause::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn taps() {
        let tap = PDcsLaes::decode(&"192.0.2.3:9000;content=192.0.2.4:9001;key=x".into()).unwrap();
        assert_eq!((tap.signalling(), tap.content().as_deref()), ("192.0.2.3:9000", Some("192.0.2.4:9001")));
        assert!(PDcsLaes::decode(&"192.0.2.3:70000".into()).is_err());
    }

    #[test]
    fn redirections() {
        let redirect = PDcsRedirect::decode(&"\"tel:+15550100\";redirector-uri=\"sip:b@h\";count=2".into()).unwrap();
        assert_eq!(redirect.called().unwrap().as_str(), "tel:+15550100");
        assert_eq!((redirect.redirector().as_deref(), redirect.count()), (Some("sip:b@h"), Some(2)));
        assert!(PDcsRedirect::decode(&"tel:+15550100".into()).is_err());
        assert_eq!(
            PDcsRedirect::new(&"tel:+1".parse().unwrap()).with_param("count", "1").to_string(),
            "\"tel:+1\";count=1"
        );
    }

    #[test]
    fn traces_and_operators() {
        let party = PDcsTracePartyId::decode(&"<tel:+15550100>;timestamp=3434.5".into()).unwrap();
        assert_eq!(party.param("timestamp").as_deref(), Some("3434.5"));
        assert!(PDcsOsps::decode(&"blv".into()).unwrap().is("BLV"));
    }
}
