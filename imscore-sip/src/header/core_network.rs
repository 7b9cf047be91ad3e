//! The headers that 3GPP has defined for its own cores (TS 24.229 §7.2), but for those of identities.

use std::borrow::Cow;

use super::PAccessNetworkInfo;
use super::parameterised::{only_params, parameterised, token_headed};
use super::tokens::words;
use crate::parse::grammar::{self, gen_value_or_uri};

parameterised! {
    /// What a node needs to reach a user again after another has failed: `noresponse`, or an identity of the user (TS
    /// 24.229 §7.2.11).
    ///
    /// ```
    /// use imscore_sip::header::{
    ///     CellularNetworkInfo, PriorityShare, PriorityVerstat, ResourceShare, ResponseSource, RestorationInfo,
    ///     TypedHeader,
    /// };
    ///
    /// assert!(RestorationInfo::decode(&"noresponse".into())?.is_no_response());
    /// let cell = "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=2420100010b;cell-info-age=12";
    /// let cell = CellularNetworkInfo::decode(&cell.into())?;
    /// assert_eq!((cell.access(), cell.age()), ("3GPP-E-UTRAN-FDD", Some(12)));
    /// assert_eq!(ResourceShare::new("media-sharing").share(), "media-sharing");
    /// assert_eq!(ResponseSource::new("p-cscf.orig").to_string(), "fe=<urn:3gpp:fe:p-cscf.orig>");
    /// assert!(PriorityShare::from("allowed").is("Allowed") && PriorityVerstat::from("Passed").is("passed"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    RestorationInfo RESTORATION_INFO list: false head: grammar::token_or_quoted;
    /// Whether sessions of a user may share the resources of its access: `supported`, `media-sharing`,
    /// `no-media-sharing` (TS 24.229 §7.2.13).
    ResourceShare RESOURCE_SHARE list: false head: grammar::token;
    /// The cell that a phone on another access was in last (TS 24.229 §7.2.15); as P-Access-Network-Info otherwise.
    CellularNetworkInfo CELLULAR_NETWORK_INFO list: true head: grammar::token;
}

token_headed! {
    ResourceShare:
    /// What is shared.
    share;
    CellularNetworkInfo:
    /// The kind of access, `3GPP-E-UTRAN-FDD`.
    access;
}

only_params! {
    /// What a transit network has to say about charging (TS 24.229 §7.2.12).
    ///
    /// ```
    /// use imscore_sip::header::{DcInfo, RelayedCharge, ServiceInteractInfo, TypedHeader};
    ///
    /// let charge = RelayedCharge::decode(&"icid-value=1;transit-ioi=a.example".into())?;
    /// assert_eq!(charge.param("transit-ioi").as_deref(), Some("a.example"));
    /// assert!(ServiceInteractInfo::decode(&"x=1".into())?.without_param("x").params().is_empty());
    /// assert_eq!(DcInfo::decode(&"x=1".into())?.with_param("y", "2").to_string(), "x=1;y=2");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    RelayedCharge RELAYED_CHARGE list: false value: grammar::gen_value;
    /// Services that were carried out and those to stay away from (TS 24.229 §7.2.14).
    ServiceInteractInfo SERVICE_INTERACT_INFO list: true value: grammar::gen_value;
    /// Which function made an error: `fe=<urn:3gpp:fe:p-cscf.orig>` (TS 24.229 §7.2.17).
    ResponseSource RESPONSE_SOURCE list: false value: gen_value_or_uri;
    /// What belongs to a data channel of a call (TS 24.229 §7.2).
    DcInfo DC_INFO list: true value: gen_value_or_uri;
}

words! {
    /// Whether sessions of other priorities may share a bearer: `allowed`, `not-allowed` (TS 24.229 §7.2.16).
    PriorityShare PRIORITY_SHARE list: false rule: grammar::token, same: str::eq_ignore_ascii_case;
    /// What came of verifying a Priority or Resource-Priority that was signed (TS 24.229 §7.2).
    PriorityVerstat PRIORITY_VERSTAT list: false rule: grammar::token, same: str::eq_ignore_ascii_case;
}

impl RestorationInfo {
    /// `noresponse`: the P-CSCF that the user was registered by does not answer.
    pub fn no_response() -> RestorationInfo {
        RestorationInfo::of("noresponse", "")
    }

    /// The value without quotes and escapes.
    pub fn value(&self) -> Cow<'_, str> {
        crate::parse::params::unquoted(self.head.text(&self.text))
    }

    /// True for `noresponse`, in any case.
    pub fn is_no_response(&self) -> bool {
        self.value().eq_ignore_ascii_case("noresponse")
    }
}

macro_rules! cells {
    ($($type:ident)*) => {$(
        impl $type {
            /// The cell: that of UTRAN, E-UTRAN or NR, a global one of GERAN, or one of cdma2000, in this order.
            pub fn cell(&self) -> Option<Cow<'_, str>> {
                self.param("utran-cell-id-3gpp").or_else(|| self.param("cgi-3gpp")).or_else(|| self.param("ci-3gpp2"))
            }
        }
    )*};
}

cells!(CellularNetworkInfo PAccessNetworkInfo);

impl CellularNetworkInfo {
    /// Seconds since the phone was in the cell; none for what is no number.
    pub fn age(&self) -> Option<u32> {
        self.params().get("cell-info-age")?.parse().ok()
    }
}

impl ResponseSource {
    /// A function by its name below `urn:3gpp:fe:`, as `p-cscf.orig`, of which what no URN may hold is left out.
    pub fn new(function: &str) -> ResponseSource {
        let is_name = |character: &char| character.is_ascii_alphanumeric() || matches!(character, '-' | '.');
        let name: String = function.chars().filter(is_name).collect();
        ResponseSource { text: format!("fe=<{FUNCTION}{name}>").into() }
    }

    /// The function's name below `urn:3gpp:fe:`.
    pub fn function(&self) -> Option<&str> {
        let urn = self.params().get("fe")?.strip_prefix('<')?.strip_suffix('>')?;
        let is_function = urn.get(..FUNCTION.len()).is_some_and(|start| start.eq_ignore_ascii_case(FUNCTION));
        if is_function { urn.get(FUNCTION.len()..) } else { None }
    }
}

const FUNCTION: &str = "urn:3gpp:fe:";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{Cause, TypedHeader};

    #[test]
    fn restoration_and_sharing() {
        let lost = RestorationInfo::decode(&"NoResponse".into()).unwrap();
        assert!(lost.is_no_response() && RestorationInfo::no_response().is_no_response());
        let user = RestorationInfo::decode(&"\"001010000000001\"".into()).unwrap();
        assert_eq!((&*user.value(), user.is_no_response()), ("001010000000001", false));
        let share = ResourceShare::decode(&"media-sharing;origin=session-initiator;timestamp=3".into()).unwrap();
        assert_eq!((share.share(), share.param("timestamp").as_deref()), ("media-sharing", Some("3")));
        assert!(PriorityShare::decode(&"Allowed".into()).unwrap().is("allowed"));
        assert!(PriorityVerstat::decode(&"a b".into()).is_err());
    }

    #[test]
    fn cells() {
        let cell =
            CellularNetworkInfo::decode(&"3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=2420100010b;cell-info-age=23".into());
        let cell = cell.unwrap();
        assert_eq!(
            (cell.access(), cell.cell().as_deref(), cell.age()),
            ("3GPP-E-UTRAN-FDD", Some("2420100010b"), Some(23))
        );
        let own = PAccessNetworkInfo::decode(&"3GPP-GERAN;cgi-3gpp=\"24201\"".into()).unwrap();
        assert_eq!(own.cell().as_deref(), Some("24201"));
        assert_eq!(CellularNetworkInfo::new("3GPP-GERAN").with_param("cgi-3gpp", "1").cell().as_deref(), Some("1"));
    }

    #[test]
    fn sources_of_errors() {
        let source = ResponseSource::decode(&"fe=<URN:3gpp:fe:p-cscf.orig>;x=<a;b>".into()).unwrap();
        assert_eq!((source.function(), source.param("x").as_deref()), (Some("p-cscf.orig"), Some("<a;b>")));
        assert_eq!(ResponseSource::new("s-cscf.term\r\n>").to_string(), "fe=<urn:3gpp:fe:s-cscf.term>");
        assert_eq!(ResponseSource::decode(&"fe=<urn:x>".into()).unwrap().function(), None);
        for text in ["", "fe=", "fe=<urn:x", "fe=<urn:x>y", "fe=<>"] {
            assert_eq!(
                ResponseSource::decode(&text.into()).map_err(|error| error.cause),
                Err(Cause::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn services_and_charging() {
        let service = ServiceInteractInfo::decode(&"executed-service=\"a, b\";avoid-service=c".into()).unwrap();
        assert_eq!(service.param("executed-service").as_deref(), Some("a, b"));
        assert_eq!(service.without_param("executed-service").to_string(), "avoid-service=c");
        assert!(RelayedCharge::decode(&"ioi=\"oslo\";icid-value=1".into()).is_ok());
        assert!(DcInfo::decode(&";x".into()).is_err());
    }
}
