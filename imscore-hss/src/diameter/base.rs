//! Commands between two peers (RFC 6733 §5.3 to §5.5), and groups that every application has.

use super::grammar::{grammar, group};
use super::value::enumerated;
use super::{Address, ApplicationId, Group, Level};

grammar! {
    /// Capabilities-Exchange-Request, RFC 6733 §5.3.1.
    pub struct CapabilitiesExchangeRequest<'a> {
        /// Who asks.
        { origin_host: &'a str = ORIGIN_HOST }
        /// Its realm.
        { origin_realm: &'a str = ORIGIN_REALM }
        /// Where it can be reached.
        * { addresses: Address<'a> = HOST_IP_ADDRESS }
        /// Who made it; 0 says nothing.
        { vendor: u32 = VENDOR_ID }
        /// What it is called.
        { product_name: &'a str = PRODUCT_NAME }
        /// Grows with each loss of state.
        [ origin_state: u32 = ORIGIN_STATE_ID ]
        /// Vendors whose AVPs it knows.
        * [ supported_vendors: u32 = SUPPORTED_VENDOR_ID ]
        /// Applications of the IETF that it speaks.
        * [ auth_applications: u32 = AUTH_APPLICATION_ID ]
        /// Security that it offers behind this exchange: 0 none, 1 TLS.
        * [ inband_security: u32 = INBAND_SECURITY_ID ]
        /// Accounting applications that it speaks.
        * [ acct_applications: u32 = ACCT_APPLICATION_ID ]
        /// Applications of vendors that it speaks.
        * [ vendor_applications: VendorSpecificApplicationId = VENDOR_SPECIFIC_APPLICATION_ID ]
        /// Its revision.
        [ firmware_revision: u32 = FIRMWARE_REVISION ]
    }
}

grammar! {
    /// Capabilities-Exchange-Answer, RFC 6733 §5.3.2.
    pub struct CapabilitiesExchangeAnswer<'a> {
        /// Whether there is a connection now.
        { result: u32 = RESULT_CODE }
        /// Who answers.
        { origin_host: &'a str = ORIGIN_HOST }
        /// Its realm.
        { origin_realm: &'a str = ORIGIN_REALM }
        /// Where it can be reached. A refusal may leave it out.
        * [ addresses: Address<'a> = HOST_IP_ADDRESS ]
        /// Who made it; 0 says nothing. A refusal may leave it out.
        [ vendor: u32 = VENDOR_ID ]
        /// What it is called. A refusal may leave it out.
        [ product_name: &'a str = PRODUCT_NAME ]
        /// Grows with each loss of state.
        [ origin_state: u32 = ORIGIN_STATE_ID ]
        /// What is wrong, for people.
        [ error_message: &'a str = ERROR_MESSAGE ]
        /// What is wrong, as an AVP.
        * [ failed: Group<'a> = FAILED_AVP ]
        /// Vendors whose AVPs it knows.
        * [ supported_vendors: u32 = SUPPORTED_VENDOR_ID ]
        /// Applications of the IETF that it speaks.
        * [ auth_applications: u32 = AUTH_APPLICATION_ID ]
        /// Security that it offers behind this exchange: 0 none, 1 TLS.
        * [ inband_security: u32 = INBAND_SECURITY_ID ]
        /// Accounting applications that it speaks.
        * [ acct_applications: u32 = ACCT_APPLICATION_ID ]
        /// Applications of vendors that it speaks.
        * [ vendor_applications: VendorSpecificApplicationId = VENDOR_SPECIFIC_APPLICATION_ID ]
        /// Its revision.
        [ firmware_revision: u32 = FIRMWARE_REVISION ]
    }
}

grammar! {
    /// Device-Watchdog-Request, RFC 6733 §5.5.1.
    pub struct DeviceWatchdogRequest<'a> {
        /// Who asks.
        { origin_host: &'a str = ORIGIN_HOST }
        /// Its realm.
        { origin_realm: &'a str = ORIGIN_REALM }
        /// Grows with each loss of state.
        [ origin_state: u32 = ORIGIN_STATE_ID ]
    }
}

grammar! {
    /// Disconnect-Peer-Request, RFC 6733 §5.4.1.
    pub struct DisconnectPeerRequest<'a> {
        /// Who leaves.
        { origin_host: &'a str = ORIGIN_HOST }
        /// Its realm.
        { origin_realm: &'a str = ORIGIN_REALM }
        /// Why.
        { cause: DisconnectCause = DISCONNECT_CAUSE }
    }
}

grammar! {
    /// Device-Watchdog-Answer and Disconnect-Peer-Answer, RFC 6733 §5.5.2 and §5.4.2.
    pub struct PeerAnswer<'a> {
        /// How it went.
        { result: u32 = RESULT_CODE }
        /// Who answers.
        { origin_host: &'a str = ORIGIN_HOST }
        /// Its realm.
        { origin_realm: &'a str = ORIGIN_REALM }
        /// What is wrong, for people.
        [ error_message: &'a str = ERROR_MESSAGE ]
        /// What is wrong, as an AVP.
        * [ failed: Group<'a> = FAILED_AVP ]
        /// Grows with each loss of state.
        [ origin_state: u32 = ORIGIN_STATE_ID ]
    }
}

/// Disconnect-Cause, RFC 6733 §5.4.3.
///
/// ```
/// use imscore_hss::diameter::base::{
///     CapabilitiesExchangeAnswer, CapabilitiesExchangeRequest, DeviceWatchdogRequest, DisconnectCause,
///     DisconnectPeerRequest, PeerAnswer, VendorSpecificApplicationId,
/// };
/// use imscore_hss::diameter::dictionary::TGPP;
/// use imscore_hss::diameter::{
///     Address, ApplicationId, Avps, CommandCode, CommandFlags, Grammar, Header, Message, ResultCode, Writer,
/// };
///
/// /// Writes the AVPs of a command and reads them back.
/// fn pass<'a, C: Grammar<'a>>(command: &C, bytes: &'a mut Message) -> Result<C, Box<dyn std::error::Error>> {
///     let header = Header::request(CommandCode::DEVICE_WATCHDOG, ApplicationId::COMMON, CommandFlags::default());
///     let mut out = Writer::new(header);
///     command.write_avps(&mut out);
///     *bytes = Message::parse(out.finish()?)?;
///     let avps: Avps<'a> = bytes.avps();
///     Ok(C::read_avps(avps)?)
/// }
/// # let bytes = [1, 0, 0, 20, 0x80, 0, 1, 24, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2];
/// # let empty = Message::parse(bytes::Bytes::copy_from_slice(&bytes))?;
///
/// let (host, realm) = ("hss.ims.example", "ims.example");
/// let addresses = vec![Address::Ip("192.0.2.1".parse()?)];
/// let mut hello = CapabilitiesExchangeRequest::new(host, realm, addresses, TGPP, "imscore");
/// hello.vendor_applications = vec![VendorSpecificApplicationId::auth(TGPP, ApplicationId::CX)];
/// # let mut bytes = empty.clone();
/// assert_eq!(pass(&hello, &mut bytes)?.vendor_applications, hello.vendor_applications);
///
/// let welcome = CapabilitiesExchangeAnswer::new(ResultCode::SUCCESS.0, host, realm);
/// # let mut bytes = empty.clone();
/// assert_eq!(pass(&welcome, &mut bytes)?, welcome);
/// let alive = DeviceWatchdogRequest::new(host, realm);
/// # let mut bytes = empty.clone();
/// assert_eq!(pass(&alive, &mut bytes)?, alive);
/// let leaving = DisconnectPeerRequest::new(host, realm, DisconnectCause::Rebooting);
/// # let mut bytes = empty.clone();
/// assert_eq!(pass(&leaving, &mut bytes)?, leaving);
/// let answer = PeerAnswer::new(ResultCode::SUCCESS.0, host, realm);
/// # let mut bytes = empty.clone();
/// assert_eq!(pass(&answer, &mut bytes)?.result, 2_001);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisconnectCause {
    /// It comes back.
    Rebooting,
    /// It has no room; do not come back soon.
    Busy,
    /// It sees no need; do not come back.
    DoNotWantToTalkToYou,
}

/// Auth-Session-State, RFC 6733 §8.11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthSessionState {
    /// The session lives on between messages.
    StateMaintained,
    /// Each request is a session of its own.
    NoStateMaintained,
}

/// OC-Report-Type, RFC 7683 §7.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportType {
    /// The host that answered is overloaded.
    Host,
    /// The realm is.
    Realm,
}

enumerated! {
    DisconnectCause { Rebooting = 0, Busy = 1, DoNotWantToTalkToYou = 2 }
    AuthSessionState { StateMaintained = 0, NoStateMaintained = 1 }
    ReportType { Host = 0, Realm = 1 }
}

/// DRMP, RFC 7944 §9.1: 0 is served first.
pub type MessagePriority = Level<15>;

group! {
    /// Vendor-Specific-Application-Id, RFC 6733 §6.11.
    pub struct VendorSpecificApplicationId {
        /// Whose application.
        { vendor: u32 = VENDOR_ID }
        /// The application, where it authorises.
        [ auth_application: u32 = AUTH_APPLICATION_ID ]
        /// The application, where it accounts.
        [ acct_application: u32 = ACCT_APPLICATION_ID ]
    }

    /// Experimental-Result, RFC 6733 §7.6.
    pub struct ExperimentalResult {
        /// Whose result.
        { vendor: u32 = VENDOR_ID }
        /// The result.
        { code: u32 = EXPERIMENTAL_RESULT_CODE }
    }

    /// OC-Supported-Features, RFC 7683 §7.1.
    pub struct OcSupportedFeatures {
        /// Algorithms for less load; none named is the loss algorithm.
        [ features: u64 = OC_FEATURE_VECTOR ]
    }

    /// OC-OLR, RFC 7683 §7.3: an overload report.
    pub struct OcOlr {
        /// A later report has a higher number.
        { sequence: u64 = OC_SEQUENCE_NUMBER }
        /// Who is overloaded.
        { report: ReportType = OC_REPORT_TYPE }
        /// How many of a hundred requests to leave out.
        [ reduction: u32 = OC_REDUCTION_PERCENTAGE ]
        /// For how many seconds; 30 where it is absent, 0 to end it.
        [ validity: u32 = OC_VALIDITY_DURATION ]
    }

    /// Load, RFC 8583 §7.1.
    pub struct Load<'a> {
        /// Of the host or of the peer.
        [ kind: i32 = LOAD_TYPE ]
        /// 0 to 65,535.
        [ value: u64 = LOAD_VALUE ]
        /// Whose load it is.
        [ source: &'a str = SOURCE_ID ]
    }
}

impl VendorSpecificApplicationId {
    /// An application of `vendor` that authorises.
    pub fn auth(vendor: u32, application: ApplicationId) -> Self {
        Self { auth_application: Some(application.0), ..Self::new(vendor) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dictionary::TGPP;
    use super::super::message::sample;
    use super::super::{Grammar, ResultCode, Writer, dictionary as avp};
    use super::*;

    fn request() -> CapabilitiesExchangeRequest<'static> {
        let mut request =
            CapabilitiesExchangeRequest::new("hss", "ims", vec![Address::Ip([192, 0, 2, 1].into())], 0, "imscore");
        request.supported_vendors = vec![TGPP];
        request.vendor_applications = vec![VendorSpecificApplicationId::auth(TGPP, ApplicationId::CX)];
        request
    }

    #[test]
    fn capabilities() {
        let sent = sample(|out| request().write_avps(out));
        assert_eq!(CapabilitiesExchangeRequest::read_avps(sent.avps()), Ok(request()));
    }

    /// Threat X5: 64 Origin-Host in a CER; a group that is none; no Vendor-Id in one.
    #[test]
    fn x05_capabilities_that_cannot_be() {
        let fault = |write: &dyn Fn(&mut Writer)| {
            let sent = sample(|out| {
                request().write_avps(out);
                write(out);
            });
            CapabilitiesExchangeRequest::read_avps(sent.avps()).unwrap_err().result()
        };
        let hosts = |out: &mut Writer| (0..63).for_each(|_| out.avp(&avp::ORIGIN_HOST, &"hss"));
        assert_eq!(fault(&hosts), ResultCode::AVP_OCCURS_TOO_MANY_TIMES);
        let group = |data: &'static [u8]| {
            move |out: &mut Writer| out.group(&avp::VENDOR_SPECIFIC_APPLICATION_ID, |out| out.bytes(data))
        };
        assert_eq!(fault(&group(b"")), ResultCode::MISSING_AVP);
        assert_eq!(fault(&group(b"\0\0\x01")), ResultCode::INVALID_AVP_LENGTH);
        assert_eq!(fault(&group(b"\0\0\x01\x0a\x40\0\0\xff\0\0\0\0")), ResultCode::INVALID_AVP_LENGTH);
        assert_eq!(fault(&group(b"\0\0\x01\x0a\x40\0\0\x09\0\0\0\0")), ResultCode::INVALID_AVP_LENGTH);
    }
}
