//! The one table of AVPs: name, code, vendor, type, M flag, and the length of the data where a type leaves it open.
//!
//! In the order of vendor and code, as [`find`] needs it; a table out of order does not compile. Names and codes are those
//! of RFC 6733, RFC 7683, RFC 7944, RFC 8506 and RFC 8583 (vendor 0), of TS 29.214 (Rx), TS 29.229 (Cx), TS 29.329 (Sh)
//! and TS 32.299 (Rf, Ro), and of what these reuse.

use super::avp::{MANDATORY, VENDOR};

/// Vendor of what the IETF defines.
pub const IETF: u32 = 0;
/// Vendor 3GPP.
pub const TGPP: u32 = 10_415;
/// Vendor ETSI.
pub const ETSI: u32 = 13_019;

/// What the dictionary says of one AVP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Definition {
    /// The name, as the specification spells it.
    pub name: &'static str,
    /// AVP code.
    pub code: u32,
    /// Vendor of the code; 0 for the IETF.
    pub vendor: u32,
    /// How the data is to be read.
    pub kind: Kind,
    /// Whether it is sent with the M flag.
    pub mandatory: bool,
    /// Fewest bytes of data.
    pub least: usize,
    /// Most bytes of data.
    pub most: usize,
}

/// Data formats, basic and derived (RFC 6733 §4.2, §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Any bytes.
    OctetString,
    /// Signed, four bytes.
    Integer32,
    /// Signed, eight bytes.
    Integer64,
    /// Unsigned, four bytes.
    Unsigned32,
    /// Unsigned, eight bytes.
    Unsigned64,
    /// Floating point, four bytes.
    Float32,
    /// Floating point, eight bytes.
    Float64,
    /// A sequence of AVPs.
    Grouped,
    /// Address family and address.
    Address,
    /// Seconds since 1900.
    Time,
    /// Text.
    Utf8String,
    /// Domain name of a node or realm.
    DiameterIdentity,
    /// `aaa://` and so on.
    DiameterUri,
    /// One of a list of numbers.
    Enumerated,
    /// A packet filter as text.
    IpFilterRule,
}

/// What vendor and code together are: the identity of an AVP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u64);

impl Key {
    /// From vendor, 0 where there is none, and code.
    pub const fn new(vendor: u32, code: u32) -> Key {
        Key((vendor as u64) << 32 | code as u64)
    }
}

impl Kind {
    /// Fewest and most bytes of data.
    const fn size(self) -> (usize, usize) {
        match self {
            Kind::Integer32 | Kind::Unsigned32 | Kind::Float32 | Kind::Time | Kind::Enumerated => (4, 4),
            Kind::Integer64 | Kind::Unsigned64 | Kind::Float64 => (8, 8),
            Kind::Address => (2, usize::MAX),
            Kind::DiameterIdentity => (1, 255),
            Kind::DiameterUri | Kind::IpFilterRule => (1, usize::MAX),
            Kind::OctetString | Kind::Grouped | Kind::Utf8String => (0, usize::MAX),
        }
    }

    /// True where the type alone fixes the length, so that another one is an invalid length and not an invalid value.
    pub const fn is_fixed(self) -> bool {
        let (least, most) = self.size();
        least == most
    }
}

impl Definition {
    /// Vendor and code in one.
    pub const fn key(&self) -> Key {
        Key::new(self.vendor, self.code)
    }

    /// AVP flags that it is sent with.
    pub const fn flags(&self) -> u8 {
        let vendor = if self.vendor == IETF { 0 } else { VENDOR };
        if self.mandatory { vendor | MANDATORY } else { vendor }
    }
}

/// The definition of an AVP, where it has one here.
pub fn find(vendor: u32, code: u32) -> Option<&'static Definition> {
    let key = Key::new(vendor, code);
    TABLE.binary_search_by(|definition| definition.key().cmp(&key)).ok().and_then(|at| TABLE.get(at))
}

/// The whole table, in order.
pub fn all() -> &'static [Definition] {
    TABLE
}

macro_rules! dictionary {
    ($($vendor:ident { $($code:literal $constant:ident $name:literal $kind:ident $($m:ident)? $([$size:expr])?;)* })*) => {
        $($(
            #[doc = concat!($name, ", code ", $code, " of ", stringify!($vendor), ".")]
            pub const $constant: Definition = {
                #[allow(unused_mut, unused_assignments)]
                let mut size = Kind::$kind.size();
                $(size = $size;)?
                let mandatory = !stringify!($($m)?).is_empty();
                let (name, code, vendor, kind, (least, most)) = ($name, $code, $vendor, Kind::$kind, size);
                Definition { name, code, vendor, kind, mandatory, least, most }
            };
        )*)*

        static TABLE: &[Definition] = &[$($($constant,)*)*];
    };
}

/// Text that names somebody or something: never empty, and not without end.
const NAME: (usize, usize) = (1, 2048);
/// Data that is never empty.
const SOME: (usize, usize) = (1, usize::MAX);

dictionary! {
    IETF {
        1 USER_NAME "User-Name" Utf8String M [NAME];
        8 FRAMED_IP_ADDRESS "Framed-IP-Address" OctetString M [(4, 4)];
        25 CLASS "Class" OctetString M;
        27 SESSION_TIMEOUT "Session-Timeout" Unsigned32 M;
        30 CALLED_STATION_ID "Called-Station-Id" Utf8String M;
        33 PROXY_STATE "Proxy-State" OctetString M;
        44 ACCT_SESSION_ID "Acct-Session-Id" OctetString M;
        50 ACCT_MULTI_SESSION_ID "Acct-Multi-Session-Id" Utf8String M;
        55 EVENT_TIMESTAMP "Event-Timestamp" Time M;
        85 ACCT_INTERIM_INTERVAL "Acct-Interim-Interval" Unsigned32 M;
        96 FRAMED_INTERFACE_ID "Framed-Interface-Id" OctetString M [(8, 8)];
        97 FRAMED_IPV6_PREFIX "Framed-IPv6-Prefix" OctetString M [(2, 18)];
        104 DIGEST_REALM "Digest-Realm" Utf8String M [NAME];
        110 DIGEST_QOP "Digest-Qop" Utf8String M;
        111 DIGEST_ALGORITHM "Digest-Algorithm" Utf8String M;
        121 DIGEST_HA1 "Digest-HA1" Utf8String M [NAME];
        257 HOST_IP_ADDRESS "Host-IP-Address" Address M;
        258 AUTH_APPLICATION_ID "Auth-Application-Id" Unsigned32 M;
        259 ACCT_APPLICATION_ID "Acct-Application-Id" Unsigned32 M;
        260 VENDOR_SPECIFIC_APPLICATION_ID "Vendor-Specific-Application-Id" Grouped M;
        261 REDIRECT_HOST_USAGE "Redirect-Host-Usage" Enumerated M;
        262 REDIRECT_MAX_CACHE_TIME "Redirect-Max-Cache-Time" Unsigned32 M;
        263 SESSION_ID "Session-Id" Utf8String M [NAME];
        264 ORIGIN_HOST "Origin-Host" DiameterIdentity M;
        265 SUPPORTED_VENDOR_ID "Supported-Vendor-Id" Unsigned32 M;
        266 VENDOR_ID "Vendor-Id" Unsigned32 M;
        267 FIRMWARE_REVISION "Firmware-Revision" Unsigned32;
        268 RESULT_CODE "Result-Code" Unsigned32 M;
        269 PRODUCT_NAME "Product-Name" Utf8String;
        270 SESSION_BINDING "Session-Binding" Unsigned32 M;
        271 SESSION_SERVER_FAILOVER "Session-Server-Failover" Enumerated M;
        272 MULTI_ROUND_TIME_OUT "Multi-Round-Time-Out" Unsigned32 M;
        273 DISCONNECT_CAUSE "Disconnect-Cause" Enumerated M;
        274 AUTH_REQUEST_TYPE "Auth-Request-Type" Enumerated M;
        276 AUTH_GRACE_PERIOD "Auth-Grace-Period" Unsigned32 M;
        277 AUTH_SESSION_STATE "Auth-Session-State" Enumerated M;
        278 ORIGIN_STATE_ID "Origin-State-Id" Unsigned32 M;
        279 FAILED_AVP "Failed-AVP" Grouped M;
        280 PROXY_HOST "Proxy-Host" DiameterIdentity M;
        281 ERROR_MESSAGE "Error-Message" Utf8String;
        282 ROUTE_RECORD "Route-Record" DiameterIdentity M;
        283 DESTINATION_REALM "Destination-Realm" DiameterIdentity M;
        284 PROXY_INFO "Proxy-Info" Grouped M;
        285 RE_AUTH_REQUEST_TYPE "Re-Auth-Request-Type" Enumerated M;
        287 ACCOUNTING_SUB_SESSION_ID "Accounting-Sub-Session-Id" Unsigned64 M;
        291 AUTHORIZATION_LIFETIME "Authorization-Lifetime" Unsigned32 M;
        292 REDIRECT_HOST "Redirect-Host" DiameterUri M;
        293 DESTINATION_HOST "Destination-Host" DiameterIdentity M;
        294 ERROR_REPORTING_HOST "Error-Reporting-Host" DiameterIdentity;
        295 TERMINATION_CAUSE "Termination-Cause" Enumerated M;
        296 ORIGIN_REALM "Origin-Realm" DiameterIdentity M;
        297 EXPERIMENTAL_RESULT "Experimental-Result" Grouped M;
        298 EXPERIMENTAL_RESULT_CODE "Experimental-Result-Code" Unsigned32 M;
        299 INBAND_SECURITY_ID "Inband-Security-Id" Unsigned32 M;
        301 DRMP "DRMP" Enumerated;
        412 CC_INPUT_OCTETS "CC-Input-Octets" Unsigned64 M;
        413 CC_MONEY "CC-Money" Grouped M;
        414 CC_OUTPUT_OCTETS "CC-Output-Octets" Unsigned64 M;
        415 CC_REQUEST_NUMBER "CC-Request-Number" Unsigned32 M;
        416 CC_REQUEST_TYPE "CC-Request-Type" Enumerated M;
        417 CC_SERVICE_SPECIFIC_UNITS "CC-Service-Specific-Units" Unsigned64 M;
        418 CC_SESSION_FAILOVER "CC-Session-Failover" Enumerated M;
        419 CC_SUB_SESSION_ID "CC-Sub-Session-Id" Unsigned64 M;
        420 CC_TIME "CC-Time" Unsigned32 M;
        421 CC_TOTAL_OCTETS "CC-Total-Octets" Unsigned64 M;
        422 CHECK_BALANCE_RESULT "Check-Balance-Result" Enumerated M;
        423 COST_INFORMATION "Cost-Information" Grouped M;
        424 COST_UNIT "Cost-Unit" Utf8String M;
        425 CURRENCY_CODE "Currency-Code" Unsigned32 M;
        426 CREDIT_CONTROL "Credit-Control" Enumerated M;
        427 CREDIT_CONTROL_FAILURE_HANDLING "Credit-Control-Failure-Handling" Enumerated M;
        428 DIRECT_DEBITING_FAILURE_HANDLING "Direct-Debiting-Failure-Handling" Enumerated M;
        429 EXPONENT "Exponent" Integer32 M;
        430 FINAL_UNIT_INDICATION "Final-Unit-Indication" Grouped M;
        431 GRANTED_SERVICE_UNIT "Granted-Service-Unit" Grouped M;
        432 RATING_GROUP "Rating-Group" Unsigned32 M;
        433 REDIRECT_ADDRESS_TYPE "Redirect-Address-Type" Enumerated M;
        434 REDIRECT_SERVER "Redirect-Server" Grouped M;
        435 REDIRECT_SERVER_ADDRESS "Redirect-Server-Address" Utf8String M;
        436 REQUESTED_ACTION "Requested-Action" Enumerated M;
        437 REQUESTED_SERVICE_UNIT "Requested-Service-Unit" Grouped M;
        438 RESTRICTION_FILTER_RULE "Restriction-Filter-Rule" IpFilterRule M;
        439 SERVICE_IDENTIFIER "Service-Identifier" Unsigned32 M;
        440 SERVICE_PARAMETER_INFO "Service-Parameter-Info" Grouped;
        441 SERVICE_PARAMETER_TYPE "Service-Parameter-Type" Unsigned32;
        442 SERVICE_PARAMETER_VALUE "Service-Parameter-Value" OctetString;
        443 SUBSCRIPTION_ID "Subscription-Id" Grouped M;
        444 SUBSCRIPTION_ID_DATA "Subscription-Id-Data" Utf8String M;
        445 UNIT_VALUE "Unit-Value" Grouped M;
        446 USED_SERVICE_UNIT "Used-Service-Unit" Grouped M;
        447 VALUE_DIGITS "Value-Digits" Integer64 M;
        448 VALIDITY_TIME "Validity-Time" Unsigned32 M;
        449 FINAL_UNIT_ACTION "Final-Unit-Action" Enumerated M;
        450 SUBSCRIPTION_ID_TYPE "Subscription-Id-Type" Enumerated M;
        451 TARIFF_TIME_CHANGE "Tariff-Time-Change" Time M;
        452 TARIFF_CHANGE_USAGE "Tariff-Change-Usage" Enumerated M;
        453 G_S_U_POOL_IDENTIFIER "G-S-U-Pool-Identifier" Unsigned32 M;
        454 CC_UNIT_TYPE "CC-Unit-Type" Enumerated M;
        455 MULTIPLE_SERVICES_INDICATOR "Multiple-Services-Indicator" Enumerated M;
        456 MULTIPLE_SERVICES_CREDIT_CONTROL "Multiple-Services-Credit-Control" Grouped M;
        457 G_S_U_POOL_REFERENCE "G-S-U-Pool-Reference" Grouped M;
        458 USER_EQUIPMENT_INFO "User-Equipment-Info" Grouped;
        459 USER_EQUIPMENT_INFO_TYPE "User-Equipment-Info-Type" Enumerated;
        460 USER_EQUIPMENT_INFO_VALUE "User-Equipment-Info-Value" OctetString;
        461 SERVICE_CONTEXT_ID "Service-Context-Id" Utf8String M;
        480 ACCOUNTING_RECORD_TYPE "Accounting-Record-Type" Enumerated M;
        483 ACCOUNTING_REALTIME_REQUIRED "Accounting-Realtime-Required" Enumerated M;
        485 ACCOUNTING_RECORD_NUMBER "Accounting-Record-Number" Unsigned32 M;
        621 OC_SUPPORTED_FEATURES "OC-Supported-Features" Grouped;
        622 OC_FEATURE_VECTOR "OC-Feature-Vector" Unsigned64;
        623 OC_OLR "OC-OLR" Grouped;
        624 OC_SEQUENCE_NUMBER "OC-Sequence-Number" Unsigned64;
        625 OC_VALIDITY_DURATION "OC-Validity-Duration" Unsigned32;
        626 OC_REPORT_TYPE "OC-Report-Type" Enumerated;
        627 OC_REDUCTION_PERCENTAGE "OC-Reduction-Percentage" Unsigned32;
        649 SOURCE_ID "SourceID" DiameterIdentity;
        650 LOAD "Load" Grouped;
        651 LOAD_TYPE "Load-Type" Enumerated;
        652 LOAD_VALUE "Load-Value" Unsigned64;
    }
    TGPP {
        // bearer AVPs that IMS reuses, TS 29.061
        18 TGPP_SGSN_MCC_MNC "3GPP-SGSN-MCC-MNC" Utf8String M;
        21 TGPP_RAT_TYPE "3GPP-RAT-Type" OctetString M;
        22 TGPP_USER_LOCATION_INFO "3GPP-User-Location-Info" OctetString M;
        23 TGPP_MS_TIMEZONE "3GPP-MS-TimeZone" OctetString M;
        // Rx
        500 ABORT_CAUSE "Abort-Cause" Enumerated M;
        501 ACCESS_NETWORK_CHARGING_ADDRESS "Access-Network-Charging-Address" Address M;
        502 ACCESS_NETWORK_CHARGING_IDENTIFIER "Access-Network-Charging-Identifier" Grouped M;
        503 ACCESS_NETWORK_CHARGING_IDENTIFIER_VALUE "Access-Network-Charging-Identifier-Value" OctetString M;
        504 AF_APPLICATION_IDENTIFIER "AF-Application-Identifier" OctetString M;
        505 AF_CHARGING_IDENTIFIER "AF-Charging-Identifier" OctetString M;
        507 FLOW_DESCRIPTION "Flow-Description" IpFilterRule M;
        509 FLOW_NUMBER "Flow-Number" Unsigned32 M;
        510 FLOWS "Flows" Grouped M;
        511 FLOW_STATUS "Flow-Status" Enumerated M;
        512 FLOW_USAGE "Flow-Usage" Enumerated M;
        513 SPECIFIC_ACTION "Specific-Action" Enumerated M;
        515 MAX_REQUESTED_BANDWIDTH_DL "Max-Requested-Bandwidth-DL" Unsigned32 M;
        516 MAX_REQUESTED_BANDWIDTH_UL "Max-Requested-Bandwidth-UL" Unsigned32 M;
        517 MEDIA_COMPONENT_DESCRIPTION "Media-Component-Description" Grouped M;
        518 MEDIA_COMPONENT_NUMBER "Media-Component-Number" Unsigned32 M;
        519 MEDIA_SUB_COMPONENT "Media-Sub-Component" Grouped M;
        520 MEDIA_TYPE "Media-Type" Enumerated M;
        521 RR_BANDWIDTH "RR-Bandwidth" Unsigned32 M;
        522 RS_BANDWIDTH "RS-Bandwidth" Unsigned32 M;
        523 SIP_FORKING_INDICATION "SIP-Forking-Indication" Enumerated M;
        524 CODEC_DATA "Codec-Data" OctetString M;
        525 SERVICE_URN "Service-URN" OctetString M;
        526 ACCEPTABLE_SERVICE_INFO "Acceptable-Service-Info" Grouped M;
        527 SERVICE_INFO_STATUS "Service-Info-Status" Enumerated M;
        528 MPS_IDENTIFIER "MPS-Identifier" OctetString;
        529 AF_SIGNALLING_PROTOCOL "AF-Signalling-Protocol" Enumerated;
        530 SPONSORED_CONNECTIVITY_DATA "Sponsored-Connectivity-Data" Grouped;
        531 SPONSOR_IDENTITY "Sponsor-Identity" Utf8String;
        532 APPLICATION_SERVICE_PROVIDER_IDENTITY "Application-Service-Provider-Identity" Utf8String;
        533 RX_REQUEST_TYPE "Rx-Request-Type" Enumerated;
        534 MIN_REQUESTED_BANDWIDTH_DL "Min-Requested-Bandwidth-DL" Unsigned32;
        535 MIN_REQUESTED_BANDWIDTH_UL "Min-Requested-Bandwidth-UL" Unsigned32;
        536 REQUIRED_ACCESS_INFO "Required-Access-Info" Enumerated;
        537 IP_DOMAIN_ID "IP-Domain-Id" OctetString;
        538 GCS_IDENTIFIER "GCS-Identifier" OctetString;
        539 SHARING_KEY_DL "Sharing-Key-DL" Unsigned32;
        540 SHARING_KEY_UL "Sharing-Key-UL" Unsigned32;
        541 RETRY_INTERVAL "Retry-Interval" Unsigned32;
        542 SPONSORING_ACTION "Sponsoring-Action" Enumerated;
        543 MAX_SUPPORTED_BANDWIDTH_DL "Max-Supported-Bandwidth-DL" Unsigned32;
        544 MAX_SUPPORTED_BANDWIDTH_UL "Max-Supported-Bandwidth-UL" Unsigned32;
        545 MIN_DESIRED_BANDWIDTH_DL "Min-Desired-Bandwidth-DL" Unsigned32;
        546 MIN_DESIRED_BANDWIDTH_UL "Min-Desired-Bandwidth-UL" Unsigned32;
        547 MCPTT_IDENTIFIER "MCPTT-Identifier" OctetString;
        548 SERVICE_AUTHORIZATION_INFO "Service-Authorization-Info" Unsigned32;
        549 MEDIA_COMPONENT_STATUS "Media-Component-Status" Unsigned32;
        550 PRIORITY_SHARING_INDICATOR "Priority-Sharing-Indicator" Enumerated;
        551 AF_REQUESTED_DATA "AF-Requested-Data" Unsigned32;
        552 CONTENT_VERSION "Content-Version" Unsigned64;
        553 PRE_EMPTION_CONTROL_INFO "Pre-emption-Control-Info" Unsigned32;
        554 EXTENDED_MAX_REQUESTED_BW_DL "Extended-Max-Requested-BW-DL" Unsigned32;
        555 EXTENDED_MAX_REQUESTED_BW_UL "Extended-Max-Requested-BW-UL" Unsigned32;
        556 EXTENDED_MAX_SUPPORTED_BW_DL "Extended-Max-Supported-BW-DL" Unsigned32;
        557 EXTENDED_MAX_SUPPORTED_BW_UL "Extended-Max-Supported-BW-UL" Unsigned32;
        558 EXTENDED_MIN_DESIRED_BW_DL "Extended-Min-Desired-BW-DL" Unsigned32;
        559 EXTENDED_MIN_DESIRED_BW_UL "Extended-Min-Desired-BW-UL" Unsigned32;
        560 EXTENDED_MIN_REQUESTED_BW_DL "Extended-Min-Requested-BW-DL" Unsigned32;
        561 EXTENDED_MIN_REQUESTED_BW_UL "Extended-Min-Requested-BW-UL" Unsigned32;
        562 MCVIDEO_IDENTIFIER "MCVideo-Identifier" OctetString;
        563 IMS_CONTENT_IDENTIFIER "IMS-Content-Identifier" OctetString;
        564 IMS_CONTENT_TYPE "IMS-Content-Type" Enumerated;
        // Cx
        600 VISITED_NETWORK_IDENTIFIER "Visited-Network-Identifier" OctetString M [NAME];
        601 PUBLIC_IDENTITY "Public-Identity" Utf8String M [NAME];
        602 SERVER_NAME "Server-Name" Utf8String M [NAME];
        603 SERVER_CAPABILITIES "Server-Capabilities" Grouped M;
        604 MANDATORY_CAPABILITY "Mandatory-Capability" Unsigned32 M;
        605 OPTIONAL_CAPABILITY "Optional-Capability" Unsigned32 M;
        606 USER_DATA "User-Data" OctetString M [SOME];
        607 SIP_NUMBER_AUTH_ITEMS "SIP-Number-Auth-Items" Unsigned32 M;
        608 SIP_AUTHENTICATION_SCHEME "SIP-Authentication-Scheme" Utf8String M [NAME];
        609 SIP_AUTHENTICATE "SIP-Authenticate" OctetString M [SOME];
        610 SIP_AUTHORIZATION "SIP-Authorization" OctetString M [SOME];
        611 SIP_AUTHENTICATION_CONTEXT "SIP-Authentication-Context" OctetString M;
        612 SIP_AUTH_DATA_ITEM "SIP-Auth-Data-Item" Grouped M;
        613 SIP_ITEM_NUMBER "SIP-Item-Number" Unsigned32 M;
        614 SERVER_ASSIGNMENT_TYPE "Server-Assignment-Type" Enumerated M;
        615 DEREGISTRATION_REASON "Deregistration-Reason" Grouped M;
        616 REASON_CODE "Reason-Code" Enumerated M;
        617 REASON_INFO "Reason-Info" Utf8String M;
        618 CHARGING_INFORMATION "Charging-Information" Grouped M;
        619 PRIMARY_EVENT_CHARGING_FUNCTION_NAME "Primary-Event-Charging-Function-Name" DiameterUri M;
        620 SECONDARY_EVENT_CHARGING_FUNCTION_NAME "Secondary-Event-Charging-Function-Name" DiameterUri M;
        621 PRIMARY_CHARGING_COLLECTION_FUNCTION_NAME "Primary-Charging-Collection-Function-Name" DiameterUri M;
        622 SECONDARY_CHARGING_COLLECTION_FUNCTION_NAME "Secondary-Charging-Collection-Function-Name" DiameterUri M;
        623 USER_AUTHORIZATION_TYPE "User-Authorization-Type" Enumerated M;
        624 USER_DATA_ALREADY_AVAILABLE "User-Data-Already-Available" Enumerated M;
        625 CONFIDENTIALITY_KEY "Confidentiality-Key" OctetString M [(16, 16)];
        626 INTEGRITY_KEY "Integrity-Key" OctetString M [(16, 16)];
        628 SUPPORTED_FEATURES "Supported-Features" Grouped;
        629 FEATURE_LIST_ID "Feature-List-ID" Unsigned32;
        630 FEATURE_LIST "Feature-List" Unsigned32;
        631 SUPPORTED_APPLICATIONS "Supported-Applications" Grouped;
        632 ASSOCIATED_IDENTITIES "Associated-Identities" Grouped;
        633 ORIGINATING_REQUEST "Originating-Request" Enumerated M;
        634 WILDCARDED_PUBLIC_IDENTITY "Wildcarded-Public-Identity" Utf8String [NAME];
        635 SIP_DIGEST_AUTHENTICATE "SIP-Digest-Authenticate" Grouped;
        636 WILDCARDED_IMPU "Wildcarded-IMPU" Utf8String [NAME];
        637 UAR_FLAGS "UAR-Flags" Unsigned32;
        638 LOOSE_ROUTE_INDICATION "Loose-Route-Indication" Enumerated;
        639 SCSCF_RESTORATION_INFO "SCSCF-Restoration-Info" Grouped;
        640 PATH "Path" OctetString;
        641 CONTACT "Contact" OctetString;
        642 SUBSCRIPTION_INFO "Subscription-Info" Grouped;
        643 CALL_ID_SIP_HEADER "Call-ID-SIP-Header" OctetString;
        644 FROM_SIP_HEADER "From-SIP-Header" OctetString;
        645 TO_SIP_HEADER "To-SIP-Header" OctetString;
        646 RECORD_ROUTE "Record-Route" OctetString;
        647 ASSOCIATED_REGISTERED_IDENTITIES "Associated-Registered-Identities" Grouped;
        648 MULTIPLE_REGISTRATION_INDICATION "Multiple-Registration-Indication" Enumerated;
        649 RESTORATION_INFO "Restoration-Info" Grouped;
        650 SESSION_PRIORITY "Session-Priority" Enumerated;
        651 IDENTITY_WITH_EMERGENCY_REGISTRATION "Identity-with-Emergency-Registration" Grouped;
        652 PRIVILEDGED_SENDER_INDICATION "Priviledged-Sender-Indication" Enumerated;
        653 LIA_FLAGS "LIA-Flags" Unsigned32;
        654 INITIAL_CSEQ_SEQUENCE_NUMBER "Initial-CSeq-Sequence-Number" Unsigned32;
        655 SAR_FLAGS "SAR-Flags" Unsigned32;
        656 ALLOWED_WAF_WWSF_IDENTITIES "Allowed-WAF-WWSF-Identities" Grouped;
        657 WEBRTC_AUTHENTICATION_FUNCTION_NAME "WebRTC-Authentication-Function-Name" Utf8String;
        658 WEBRTC_WEB_SERVER_FUNCTION_NAME "WebRTC-Web-Server-Function-Name" Utf8String;
        659 RTR_FLAGS "RTR-Flags" Unsigned32;
        660 P_CSCF_SUBSCRIPTION_INFO "P-CSCF-Subscription-Info" Grouped;
        661 REGISTRATION_TIME_OUT "Registration-Time-Out" Time;
        662 ALTERNATE_DIGEST_ALGORITHM "Alternate-Digest-Algorithm" Utf8String;
        663 ALTERNATE_DIGEST_HA1 "Alternate-Digest-HA1" Utf8String;
        664 FAILED_PCSCF "Failed-PCSCF" Grouped;
        665 PCSCF_FQDN "PCSCF-FQDN" DiameterIdentity;
        666 PCSCF_IP_ADDRESS "PCSCF-IP-Address" Address;
        667 OC_REG_TIMER_EXT "OC-Reg-Timer-Ext" Unsigned32;
        // Sh
        700 USER_IDENTITY "User-Identity" Grouped M;
        701 MSISDN "MSISDN" OctetString M;
        702 SH_USER_DATA "User-Data" OctetString M;
        703 DATA_REFERENCE "Data-Reference" Enumerated M;
        704 SERVICE_INDICATION "Service-Indication" OctetString M;
        705 SUBS_REQ_TYPE "Subs-Req-Type" Enumerated M;
        706 REQUESTED_DOMAIN "Requested-Domain" Enumerated M;
        707 CURRENT_LOCATION "Current-Location" Enumerated M;
        708 IDENTITY_SET "Identity-Set" Enumerated;
        709 EXPIRY_TIME "Expiry-Time" Time;
        710 SEND_DATA_INDICATION "Send-Data-Indication" Enumerated;
        711 DSAI_TAG "DSAI-Tag" OctetString M;
        712 ONE_TIME_NOTIFICATION "One-Time-Notification" Enumerated;
        713 REQUESTED_NODES "Requested-Nodes" Unsigned32;
        714 SERVING_NODE_INDICATION "Serving-Node-Indication" Enumerated;
        715 REPOSITORY_DATA_ID "Repository-Data-ID" Grouped;
        716 SEQUENCE_NUMBER "Sequence-Number" Unsigned32;
        717 PRE_PAGING_SUPPORTED "Pre-paging-Supported" Enumerated;
        718 LOCAL_TIME_ZONE_INDICATION "Local-Time-Zone-Indication" Enumerated;
        719 UDR_FLAGS "UDR-Flags" Unsigned32;
        720 CALL_REFERENCE_INFO "Call-Reference-Info" Grouped;
        721 CALL_REFERENCE_NUMBER "Call-Reference-Number" OctetString;
        722 AS_NUMBER "AS-Number" OctetString;
        // Rf and Ro: what an IMS node sends
        823 EVENT_TYPE "Event-Type" Grouped M;
        824 SIP_METHOD "SIP-Method" Utf8String M;
        825 EVENT "Event" Utf8String M;
        826 CONTENT_TYPE "Content-Type" Utf8String M;
        827 CONTENT_LENGTH "Content-Length" Unsigned32 M;
        828 CONTENT_DISPOSITION "Content-Disposition" Utf8String M;
        829 ROLE_OF_NODE "Role-Of-Node" Enumerated M;
        830 USER_SESSION_ID "User-Session-Id" Utf8String M;
        831 CALLING_PARTY_ADDRESS "Calling-Party-Address" Utf8String M;
        832 CALLED_PARTY_ADDRESS "Called-Party-Address" Utf8String M;
        833 TIME_STAMPS "Time-Stamps" Grouped M;
        834 SIP_REQUEST_TIMESTAMP "SIP-Request-Timestamp" Time M;
        835 SIP_RESPONSE_TIMESTAMP "SIP-Response-Timestamp" Time M;
        836 APPLICATION_SERVER "Application-Server" Utf8String M;
        837 APPLICATION_PROVIDED_CALLED_PARTY_ADDRESS "Application-Provided-Called-Party-Address" Utf8String M;
        838 INTER_OPERATOR_IDENTIFIER "Inter-Operator-Identifier" Grouped M;
        839 ORIGINATING_IOI "Originating-IOI" Utf8String M;
        840 TERMINATING_IOI "Terminating-IOI" Utf8String M;
        841 IMS_CHARGING_IDENTIFIER "IMS-Charging-Identifier" Utf8String M;
        842 SDP_SESSION_DESCRIPTION "SDP-Session-Description" Utf8String M;
        843 SDP_MEDIA_COMPONENT "SDP-Media-Component" Grouped M;
        844 SDP_MEDIA_NAME "SDP-Media-Name" Utf8String M;
        845 SDP_MEDIA_DESCRIPTION "SDP-Media-Description" Utf8String M;
        846 CG_ADDRESS "CG-Address" Address M;
        848 SERVED_PARTY_IP_ADDRESS "Served-Party-IP-Address" Address M;
        850 APPLICATION_SERVER_INFORMATION "Application-Server-Information" Grouped M;
        851 TRUNK_GROUP_ID "Trunk-Group-Id" Grouped M;
        852 INCOMING_TRUNK_GROUP_ID "Incoming-Trunk-Group-Id" Utf8String M;
        853 OUTGOING_TRUNK_GROUP_ID "Outgoing-Trunk-Group-Id" Utf8String M;
        854 BEARER_SERVICE "Bearer-Service" OctetString M;
        855 SERVICE_ID "Service-Id" Utf8String M;
        856 ASSOCIATED_URI "Associated-URI" Utf8String M;
        857 CHARGED_PARTY "Charged-Party" Utf8String M;
        861 CAUSE_CODE "Cause-Code" Integer32 M;
        862 NODE_FUNCTIONALITY "Node-Functionality" Enumerated M;
        863 SERVICE_SPECIFIC_DATA "Service-Specific-Data" Utf8String M;
        864 ORIGINATOR "Originator" Enumerated M;
        865 PS_FURNISH_CHARGING_INFORMATION "PS-Furnish-Charging-Information" Grouped M;
        868 TIME_QUOTA_THRESHOLD "Time-Quota-Threshold" Unsigned32 M;
        869 VOLUME_QUOTA_THRESHOLD "Volume-Quota-Threshold" Unsigned32 M;
        870 TRIGGER_TYPE "Trigger-Type" Enumerated M;
        871 QUOTA_HOLDING_TIME "Quota-Holding-Time" Unsigned32 M;
        872 REPORTING_REASON "Reporting-Reason" Enumerated M;
        873 SERVICE_INFORMATION "Service-Information" Grouped M;
        874 PS_INFORMATION "PS-Information" Grouped M;
        876 IMS_INFORMATION "IMS-Information" Grouped M;
        881 QUOTA_CONSUMPTION_TIME "Quota-Consumption-Time" Unsigned32 M;
        882 MEDIA_INITIATOR_FLAG "Media-Initiator-Flag" Enumerated M;
        885 NUMBER_OF_PARTICIPANTS "Number-Of-Participants" Unsigned32 M;
        888 EXPIRES "Expires" Unsigned32 M;
        889 MESSAGE_BODY "Message-Body" Grouped M;
        1226 UNIT_QUOTA_THRESHOLD "Unit-Quota-Threshold" Unsigned32 M;
        1249 SERVICE_SPECIFIC_INFO "Service-Specific-Info" Grouped M;
        1250 CALLED_ASSERTED_IDENTITY "Called-Asserted-Identity" Utf8String M;
        1251 REQUESTED_PARTY_ADDRESS "Requested-Party-Address" Utf8String M;
        1257 SERVICE_SPECIFIC_TYPE "Service-Specific-Type" Unsigned32 M;
        1263 ACCESS_NETWORK_INFORMATION "Access-Network-Information" OctetString M;
        1264 TRIGGER "Trigger" Grouped M;
        1265 BASE_TIME_INTERVAL "Base-Time-Interval" Unsigned32 M;
        1266 ENVELOPE "Envelope" Grouped M;
        1267 ENVELOPE_END_TIME "Envelope-End-Time" Time M;
        1268 ENVELOPE_REPORTING "Envelope-Reporting" Enumerated M;
        1269 ENVELOPE_START_TIME "Envelope-Start-Time" Time M;
        1270 TIME_QUOTA_MECHANISM "Time-Quota-Mechanism" Grouped M;
        1271 TIME_QUOTA_TYPE "Time-Quota-Type" Enumerated M;
        1272 EARLY_MEDIA_DESCRIPTION "Early-Media-Description" Grouped M;
        1273 SDP_TIMESTAMPS "SDP-TimeStamps" Grouped M;
        1274 SDP_OFFER_TIMESTAMP "SDP-Offer-Timestamp" Time M;
        1275 SDP_ANSWER_TIMESTAMP "SDP-Answer-Timestamp" Time M;
        1276 AF_CORRELATION_INFORMATION "AF-Correlation-Information" Grouped M;
        1278 OFFLINE_CHARGING "Offline-Charging" Grouped M;
        1280 ALTERNATE_CHARGED_PARTY_ADDRESS "Alternate-Charged-Party-Address" Utf8String M;
        1281 IMS_COMMUNICATION_SERVICE_IDENTIFIER "IMS-Communication-Service-Identifier" Utf8String M;
        1288 MEDIA_INITIATOR_PARTY "Media-Initiator-Party" Utf8String M;
        2020 LOW_BALANCE_INDICATION "Low-Balance-Indication" Enumerated M;
        2021 REMAINING_BALANCE "Remaining-Balance" Grouped M;
        2022 REFUND_INFORMATION "Refund-Information" OctetString M;
        2023 CARRIER_SELECT_ROUTING_INFORMATION "Carrier-Select-Routing-Information" Utf8String M;
        2024 NUMBER_PORTABILITY_ROUTING_INFORMATION "Number-Portability-Routing-Information" Utf8String M;
        2030 MMTEL_INFORMATION "MMTel-Information" Grouped M;
        2031 MMTEL_SSERVICE_TYPE "MMTel-SService-Type" Unsigned32 M;
        2032 SERVICE_MODE "Service-Mode" Unsigned32 M;
        2033 SUBSCRIBER_ROLE "Subscriber-Role" Enumerated M;
        2034 NUMBER_OF_DIVERSIONS "Number-Of-Diversions" Unsigned32 M;
        2035 ASSOCIATED_PARTY_ADDRESS "Associated-Party-Address" Utf8String M;
        2036 SDP_TYPE "SDP-Type" Enumerated M;
        2048 SUPPLEMENTARY_SERVICE "Supplementary-Service" Grouped M;
        2052 ACCUMULATED_COST "Accumulated-Cost" Grouped M;
        2053 AOC_COST_INFORMATION "AoC-Cost-Information" Grouped M;
        2054 AOC_INFORMATION "AoC-Information" Grouped M;
        2055 AOC_REQUEST_TYPE "AoC-Request-Type" Enumerated M;
        2056 CURRENT_TARIFF "Current-Tariff" Grouped M;
        2057 NEXT_TARIFF "Next-Tariff" Grouped M;
        2058 RATE_ELEMENT "Rate-Element" Grouped M;
        2059 SCALE_FACTOR "Scale-Factor" Grouped M;
        2060 TARIFF_INFORMATION "Tariff-Information" Grouped M;
        2061 UNIT_COST "Unit-Cost" Grouped M;
        2062 INCREMENTAL_COST "Incremental-Cost" Grouped M;
        2301 SIP_REQUEST_TIMESTAMP_FRACTION "SIP-Request-Timestamp-Fraction" Unsigned32 M;
        2302 SIP_RESPONSE_TIMESTAMP_FRACTION "SIP-Response-Timestamp-Fraction" Unsigned32 M;
        2303 ONLINE_CHARGING_FLAG "Online-Charging-Flag" Enumerated M;
        2304 CUG_INFORMATION "CUG-Information" OctetString M;
        2305 REAL_TIME_TARIFF_INFORMATION "Real-Time-Tariff-Information" Grouped M;
        2306 TARIFF_XML "Tariff-XML" Utf8String M;
        2309 ACCOUNT_EXPIRATION "Account-Expiration" Time M;
        2310 AOC_FORMAT "AoC-Format" Enumerated M;
        2311 AOC_SERVICE "AoC-Service" Grouped M;
        2312 AOC_SERVICE_OBLIGATORY_TYPE "AoC-Service-Obligatory-Type" Enumerated M;
        2313 AOC_SERVICE_TYPE "AoC-Service-Type" Enumerated M;
        2314 AOC_SUBSCRIPTION_INFORMATION "AoC-Subscription-Information" Grouped M;
        2315 PREFERRED_AOC_CURRENCY "Preferred-AoC-Currency" Unsigned32 M;
        2320 OUTGOING_SESSION_ID "Outgoing-Session-Id" Utf8String M;
        2321 INITIAL_IMS_CHARGING_IDENTIFIER "Initial-IMS-Charging-Identifier" Utf8String M;
        2322 IMS_EMERGENCY_INDICATOR "IMS-Emergency-Indicator" Enumerated M;
        2601 IMS_APPLICATION_REFERENCE_IDENTIFIER "IMS-Application-Reference-Identifier" Utf8String M;
        2602 LOW_PRIORITY_INDICATOR "Low-Priority-Indicator" Enumerated M;
        2603 IP_REALM_DEFAULT_INDICATION "IP-Realm-Default-Indication" Enumerated M;
        2604 LOCAL_GW_INSERTED_INDICATION "Local-GW-Inserted-Indication" Enumerated M;
        2605 TRANSCODER_INSERTED_INDICATION "Transcoder-Inserted-Indication" Enumerated M;
        2701 TRANSIT_IOI_LIST "Transit-IOI-List" Utf8String M;
        2702 STATUS "Status" Enumerated M;
        2703 NNI_INFORMATION "NNI-Information" Grouped M;
        2704 NNI_TYPE "NNI-Type" Enumerated M;
        2705 NEIGHBOUR_NODE_ADDRESS "Neighbour-Node-Address" Address M;
        2706 RELATIONSHIP_MODE "Relationship-Mode" Enumerated M;
        2707 SESSION_DIRECTION "Session-Direction" Enumerated M;
        2708 FROM_ADDRESS "From-Address" Utf8String M;
        2709 ACCESS_TRANSFER_INFORMATION "Access-Transfer-Information" Grouped M;
        2710 ACCESS_TRANSFER_TYPE "Access-Transfer-Type" Enumerated M;
    }
    ETSI {
        500 LINE_IDENTIFIER "Line-Identifier" OctetString;
    }
}

/// [`find`] searches by halves.
const _: () = {
    let mut at = 1;
    while at < TABLE.len() {
        assert!(TABLE[at - 1].key().0 < TABLE[at].key().0, "out of order, or twice");
        at += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found() {
        for definition in all() {
            assert_eq!(find(definition.vendor, definition.code), Some(definition));
        }
        assert_eq!(find(TGPP, 599), None);
        assert_eq!(find(TGPP + 1, 601), None);
    }

    /// TS 29.229 table 6.3.0.1, TS 29.214 table 5.3.0.1, RFC 6733 §4.5.
    #[test]
    fn flags_and_types() {
        assert_eq!((PUBLIC_IDENTITY.vendor, PUBLIC_IDENTITY.mandatory, PUBLIC_IDENTITY.least), (TGPP, true, 1));
        assert_eq!((UAR_FLAGS.kind, UAR_FLAGS.mandatory), (Kind::Unsigned32, false));
        assert_eq!((ERROR_MESSAGE.vendor, ERROR_MESSAGE.mandatory), (IETF, false));
        assert_eq!((CONFIDENTIALITY_KEY.least, CONFIDENTIALITY_KEY.most), (16, 16));
        assert!(REASON_CODE.kind.is_fixed() && !CONFIDENTIALITY_KEY.kind.is_fixed());
    }
}
