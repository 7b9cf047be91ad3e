//! The one table of header names: every name of the IANA registry's SIP set that an IMS node meets, with
//! its compact form. A name is interned to a [`Name`]; whatever is not in the table is kept as text.

use std::fmt;

/// A header name of the table. Two bytes, compared as an integer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(u16);

macro_rules! names {
    ($($constant:ident $text:literal $($compact:literal)?),* $(,)?) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u16)]
        enum Id { EXTENSION, $($constant),* }

        impl Name {
            $(#[doc = concat!("`", $text, "`", $(", compact form `", $compact, "`",)? ".")]
            pub const $constant: Name = Name(Id::$constant as u16);)*
        }

        /// Canonical spelling by id; id 0 stands for a name that is not in the table.
        const CANONICAL: &[&str] = &["", $($text),*];

        /// Compact forms: one letter and the name it stands for.
        const COMPACT: &[(&str, Name)] = &[$($(($compact, Name::$constant),)?)*];
    };
}

names! {
    ACCEPT "Accept", ACCEPT_CONTACT "Accept-Contact" "a", ACCEPT_ENCODING "Accept-Encoding",
    ACCEPT_LANGUAGE "Accept-Language", ACCEPT_RESOURCE_PRIORITY "Accept-Resource-Priority",
    ADDITIONAL_IDENTITY "Additional-Identity", ALERT_INFO "Alert-Info",
    ALERT_MSG_ERROR "AlertMsg-Error", ALLOW "Allow",
    ALLOW_EVENTS "Allow-Events" "u", ANSWER_MODE "Answer-Mode", ATTESTATION_INFO "Attestation-Info",
    AUTHENTICATION_INFO "Authentication-Info",
    AUTHORIZATION "Authorization", CALL_ID "Call-ID" "i", CALL_INFO "Call-Info",
    CELLULAR_NETWORK_INFO "Cellular-Network-Info", CONTACT "Contact" "m",
    CONTENT_DISPOSITION "Content-Disposition", CONTENT_ENCODING "Content-Encoding" "e", CONTENT_ID "Content-ID",
    CONTENT_LANGUAGE "Content-Language", CONTENT_LENGTH "Content-Length" "l", CONTENT_TYPE "Content-Type" "c",
    CSEQ "CSeq", DATE "Date", DC_INFO "DC-Info", DIVERSION "Diversion", ENCRYPTION "Encryption", ERROR_INFO "Error-Info",
    EVENT "Event" "o", EXPIRES "Expires", FEATURE_CAPS "Feature-Caps", FLOW_TIMER "Flow-Timer", FROM "From" "f",
    GEOLOCATION "Geolocation", GEOLOCATION_ERROR "Geolocation-Error", GEOLOCATION_ROUTING "Geolocation-Routing",
    HISTORY_INFO "History-Info", IDENTITY "Identity" "y", IDENTITY_INFO "Identity-Info", INFO_PACKAGE "Info-Package",
    IN_REPLY_TO "In-Reply-To", JOIN "Join", MAX_BREADTH "Max-Breadth", MAX_FORWARDS "Max-Forwards",
    MIME_VERSION "MIME-Version", MIN_EXPIRES "Min-Expires", MIN_SE "Min-SE", ORGANIZATION "Organization",
    ORIGINATION_ID "Origination-Id",
    P_ACCESS_NETWORK_INFO "P-Access-Network-Info", P_ANSWER_STATE "P-Answer-State",
    P_ASSERTED_IDENTITY "P-Asserted-Identity", P_ASSERTED_SERVICE "P-Asserted-Service",
    P_ASSOCIATED_URI "P-Associated-URI", P_CALLED_PARTY_ID "P-Called-Party-ID",
    P_CHARGE_INFO "P-Charge-Info", P_CHARGING_FUNCTION_ADDRESSES "P-Charging-Function-Addresses",
    P_CHARGING_VECTOR "P-Charging-Vector", P_DCS_BILLING_INFO "P-DCS-Billing-Info", P_DCS_LAES "P-DCS-LAES",
    P_DCS_OSPS "P-DCS-OSPS", P_DCS_REDIRECT "P-DCS-Redirect", P_DCS_TRACE_PARTY_ID "P-DCS-Trace-Party-ID",
    P_EARLY_MEDIA "P-Early-Media", P_MEDIA_AUTHORIZATION "P-Media-Authorization",
    P_PREFERRED_IDENTITY "P-Preferred-Identity", P_PREFERRED_SERVICE "P-Preferred-Service",
    P_PRIVATE_NETWORK_INDICATION "P-Private-Network-Indication", P_PROFILE_KEY "P-Profile-Key",
    P_REFUSED_URI_LIST "P-Refused-URI-List", P_SERVED_USER "P-Served-User", P_USER_DATABASE "P-User-Database",
    P_VISITED_NETWORK_ID "P-Visited-Network-ID", PATH "Path", PERMISSION_MISSING "Permission-Missing",
    POLICY_CONTACT "Policy-Contact", POLICY_ID "Policy-ID", PRIORITY "Priority", PRIORITY_SHARE "Priority-Share",
    PRIORITY_VERSTAT "Priority-Verstat", PRIV_ANSWER_MODE "Priv-Answer-Mode", PRIVACY "Privacy",
    PROXY_AUTHENTICATE "Proxy-Authenticate",
    PROXY_AUTHENTICATION_INFO "Proxy-Authentication-Info", PROXY_AUTHORIZATION "Proxy-Authorization",
    PROXY_REQUIRE "Proxy-Require", RACK "RAck", REASON "Reason", RECORD_ROUTE "Record-Route",
    RECV_INFO "Recv-Info", REFER_EVENTS_AT "Refer-Events-At", REFER_SUB "Refer-Sub", REFER_TO "Refer-To" "r",
    REFERRED_BY "Referred-By" "b", REJECT_CONTACT "Reject-Contact" "j", RELAYED_CHARGE "Relayed-Charge",
    REPLACES "Replaces", REPLY_TO "Reply-To", REQUEST_DISPOSITION "Request-Disposition" "d", REQUIRE "Require",
    RESOURCE_PRIORITY "Resource-Priority", RESOURCE_SHARE "Resource-Share", RESPONSE_KEY "Response-Key",
    RESPONSE_SOURCE "Response-Source", RESTORATION_INFO "Restoration-Info", RETRY_AFTER "Retry-After", ROUTE "Route",
    RSEQ "RSeq", SECURITY_CLIENT "Security-Client", SECURITY_SERVER "Security-Server",
    SECURITY_VERIFY "Security-Verify", SERVER "Server", SERVICE_INTERACT_INFO "Service-Interact-Info",
    SERVICE_ROUTE "Service-Route", SESSION_EXPIRES "Session-Expires" "x", SESSION_ID "Session-ID",
    SIP_ETAG "SIP-ETag", SIP_IF_MATCH "SIP-If-Match", SUBJECT "Subject" "s",
    SUBSCRIPTION_STATE "Subscription-State", SUPPORTED "Supported" "k", SUPPRESS_IF_MATCH "Suppress-If-Match",
    TARGET_DIALOG "Target-Dialog", TIMESTAMP "Timestamp", TO "To" "t", TRIGGER_CONSENT "Trigger-Consent",
    UNSUPPORTED "Unsupported", USER_AGENT "User-Agent", USER_TO_USER "User-to-User", VIA "Via" "v",
    WARNING "Warning", WWW_AUTHENTICATE "WWW-Authenticate",
}

impl Name {
    /// What stands for every name that is not in the table.
    pub(crate) const EXTENSION: Name = Name(Id::EXTENSION as u16);

    /// The name that `text` spells, in any case, long or compact (RFC 3261 §7.3.3). `None`: not in the table.
    pub fn find(text: &[u8]) -> Option<Name> {
        let mut slot = hash(text);
        loop {
            match TABLE[slot] {
                0 => return None,
                entry => {
                    let (spelling, name) = spelled(entry);
                    if spelling.as_bytes() == text || spelling.as_bytes().eq_ignore_ascii_case(text) {
                        return Some(name);
                    }
                }
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// The canonical spelling, `P-Asserted-Identity`.
    pub fn as_str(self) -> &'static str {
        CANONICAL[usize::from(self.0)]
    }

    /// Every name of the table, in alphabetical order of its constants.
    pub fn every() -> impl Iterator<Item = Name> {
        (1..CANONICAL.len()).map(|id| Name(id as u16))
    }

    /// One above the largest id.
    pub(crate) const COUNT: usize = CANONICAL.len();

    pub(crate) const fn id(self) -> u16 {
        self.0
    }

    pub(crate) fn of_id(id: u16) -> Name {
        Name(id)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name to look a header up by: one of the table, or any text.
///
/// ```
/// use imscore_sip::header::{AsName, Name};
///
/// assert_eq!("v".as_name(), Ok(Name::VIA));
/// assert_eq!("x-badge".as_name(), Err("x-badge"));
/// assert_eq!(Name::VIA.as_name(), Ok(Name::VIA));
/// ```
pub trait AsName {
    /// The table's name, or the text to compare without regard to case.
    fn as_name(&self) -> Result<Name, &str>;
}

impl AsName for Name {
    fn as_name(&self) -> Result<Name, &str> {
        Ok(*self)
    }
}

impl AsName for &str {
    fn as_name(&self) -> Result<Name, &str> {
        Name::find(self.as_bytes()).ok_or(self)
    }
}

const SLOTS: usize = 1024;

/// Open addressing, built at compile time: 0 is free, 1.. the canonical names, then the compact forms.
const TABLE: [u16; SLOTS] = {
    let mut table = [0; SLOTS];
    let mut entry = 1;
    while entry < CANONICAL.len() + COMPACT.len() {
        let mut slot = hash(spelled(entry as u16).0.as_bytes());
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = entry as u16;
        entry += 1;
    }
    table
};

const fn spelled(entry: u16) -> (&'static str, Name) {
    let entry = entry as usize;
    if entry < CANONICAL.len() { (CANONICAL[entry], Name(entry as u16)) } else { COMPACT[entry - CANONICAL.len()] }
}

/// Length, first, middle and last letter tell nearly all names apart; the comparison decides.
const fn hash(name: &[u8]) -> usize {
    if name.is_empty() {
        return 0;
    }
    let (first, middle, last) = (name[0] | 0x20, name[name.len() / 2] | 0x20, name[name.len() - 1] | 0x20);
    let mixed = (name.len() as u32).wrapping_mul(0x9e37_79b1)
        ^ (first as u32).wrapping_mul(0x85eb_ca6b)
        ^ (middle as u32).wrapping_mul(0xc2b2_ae35)
        ^ (last as u32).wrapping_mul(0x27d4_eb2f);
    (mixed >> 20) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for name in Name::every() {
            for text in [name.as_str().to_string(), name.as_str().to_lowercase(), name.as_str().to_uppercase()] {
                assert_eq!(Name::find(text.as_bytes()), Some(name), "{text}");
            }
        }
    }

    #[test]
    fn compact_forms_stand_for_their_names() {
        for (compact, name) in [("v", Name::VIA), ("M", Name::CONTACT), ("f", Name::FROM), ("L", Name::CONTENT_LENGTH)]
        {
            assert_eq!(Name::find(compact.as_bytes()), Some(name));
        }
    }

    #[test]
    fn other_names_are_not_found() {
        for text in ["", "X-Badge", "Vi", "Viaa", "Via ", "P-Asserted_Identity"] {
            assert_eq!(Name::find(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_look_up_takes_few_probes() {
        let longest = (1..(CANONICAL.len() + COMPACT.len()) as u16)
            .map(|entry| {
                let home = hash(spelled(entry).0.as_bytes());
                (0..).find(|step| TABLE[(home + step) % SLOTS] == entry).unwrap()
            })
            .max();
        assert!(longest < Some(4), "{longest:?}");
    }
}
