//! What all commands of Cx have in common (TS 29.229 §6.1).

use bytes::Bytes;

use super::Outcome;
use crate::diameter::base::{
    AuthSessionState, ExperimentalResult, Load, MessagePriority, OcOlr, OcSupportedFeatures,
    VendorSpecificApplicationId,
};
use crate::diameter::dictionary::{self, TGPP};
use crate::diameter::grammar::{grammar, group};
use crate::diameter::{
    ApplicationId, CommandCode, CommandFlags, Fault, Grammar, Group, Header, Message, ResultCode, TooLong, Writer,
};

/// A request or an answer of one command.
pub trait Command<'a>: Grammar<'a> {
    /// The code that both share.
    const CODE: CommandCode;
}

grammar! {
    /// What every request begins with.
    pub struct RequestHead<'a> {
        /// Names this exchange; Cx sessions end with the answer.
        { session: &'a str = SESSION_ID }
        /// How urgent the request is.
        [ priority: MessagePriority = DRMP ]
        /// The application.
        { application: VendorSpecificApplicationId = VENDOR_SPECIFIC_APPLICATION_ID }
        /// Always [`AuthSessionState::NoStateMaintained`] (TS 29.229 §5.3).
        { state: AuthSessionState = AUTH_SESSION_STATE }
        /// Who asks.
        { origin_host: &'a str = ORIGIN_HOST }
        /// Its realm.
        { origin_realm: &'a str = ORIGIN_REALM }
        /// The realm of who is asked.
        { destination_realm: &'a str = DESTINATION_REALM }
        /// That the sender heeds reports of overload (RFC 7683).
        [ overload: OcSupportedFeatures = OC_SUPPORTED_FEATURES ]
        /// Features beyond the first release (TS 29.229 §7).
        * [ features: SupportedFeatures = SUPPORTED_FEATURES ]
        /// What agents on the way keep here, to be given back in the answer.
        * [ proxies: Group<'a> = PROXY_INFO ]
        /// Agents that it came through.
        * [ route: &'a str = ROUTE_RECORD ]
    }
}

grammar! {
    /// What every answer begins with. Required is only what an error message of RFC 6733 §7.2 has as well.
    pub struct AnswerHead<'a> {
        /// That of the request.
        [ session: &'a str = SESSION_ID ]
        /// How urgent the answer is.
        [ priority: MessagePriority = DRMP ]
        /// The application.
        [ application: VendorSpecificApplicationId = VENDOR_SPECIFIC_APPLICATION_ID ]
        /// How it went, in the words of the base protocol.
        [ result: u32 = RESULT_CODE ]
        /// How it went, in the words of an application.
        [ experimental: ExperimentalResult = EXPERIMENTAL_RESULT ]
        /// Always [`AuthSessionState::NoStateMaintained`] (TS 29.229 §5.3).
        [ state: AuthSessionState = AUTH_SESSION_STATE ]
        /// Who answers.
        { origin_host: &'a str = ORIGIN_HOST }
        /// Its realm.
        { origin_realm: &'a str = ORIGIN_REALM }
        /// That reports of overload come from here (RFC 7683).
        [ overload: OcSupportedFeatures = OC_SUPPORTED_FEATURES ]
        /// Reports of overload.
        * [ reports: OcOlr = OC_OLR ]
        /// Reports of load (RFC 8583).
        * [ loads: Load<'a> = LOAD ]
        /// Features that the sender has.
        * [ features: SupportedFeatures = SUPPORTED_FEATURES ]
        /// What is wrong, for people.
        [ error_message: &'a str = ERROR_MESSAGE ]
        /// Who found it wrong, if not the origin.
        [ error_host: &'a str = ERROR_REPORTING_HOST ]
        /// What is wrong, as AVPs.
        * [ failed: Group<'a> = FAILED_AVP ]
        /// That of the request.
        * [ proxies: Group<'a> = PROXY_INFO ]
        /// Agents that it came through.
        * [ route: &'a str = ROUTE_RECORD ]
    }
}

group! {
    /// Supported-Features, TS 29.229 §6.3.29.
    pub struct SupportedFeatures {
        /// Whose list.
        { vendor: u32 = VENDOR_ID }
        /// Which list.
        { list: u32 = FEATURE_LIST_ID }
        /// The bits of it, see [`features`].
        { features: u32 = FEATURE_LIST }
    }
}

/// Bits of list 1 of Cx, TS 29.229 table 7.1.1.
pub mod features {
    /// SiFC: shared sets of filter criteria are named, not sent.
    pub const SHARED_FILTER_CRITERIA: u32 = 1;
    /// AliasInd: groups of aliases stand in service profiles of their own.
    pub const ALIAS_INDICATION: u32 = 1 << 1;
    /// IMSRestorationInd: the HSS keeps what another S-CSCF needs to go on.
    pub const IMS_RESTORATION: u32 = 1 << 2;
    /// P-CSCF-Restoration-mechanism: the HSS has phones of a lost P-CSCF register again.
    pub const P_CSCF_RESTORATION: u32 = 1 << 3;
}

impl SupportedFeatures {
    /// These bits of list 1 of Cx.
    pub fn cx(features: u32) -> Self {
        Self::new(TGPP, 1, features)
    }
}

/// A request: what all have, and what is of its command.
#[derive(Clone, Debug, PartialEq)]
pub struct Request<'a, C> {
    /// What all requests have.
    pub head: RequestHead<'a>,
    /// What is of this command.
    pub command: C,
}

/// An answer: what all have, and what is of its command.
///
/// ```
/// use imscore_hss::cx::LocationInfoRequest;
/// use imscore_hss::cx::{
///     Answer, AnswerHead, Command, CxResult, LocationInfoAnswer, Outcome, Request, RequestHead, SupportedFeatures,
/// };
/// use imscore_hss::diameter::base::{
///     AuthSessionState, ExperimentalResult, Load, OcOlr, OcSupportedFeatures, ReportType,
/// };
/// use imscore_hss::diameter::{CommandCode, Message};
///
/// let head = RequestHead::cx("icscf;1;1", "icscf.ims.example", "ims.example", "ims.example");
/// let request =
///     Message::parse(Request { head, command: LocationInfoRequest::new("sip:bob@ims.example") }.encode()?)?;
/// let asked = Request::<LocationInfoRequest>::read(&request)?;
/// assert_eq!(asked.head.state, AuthSessionState::NoStateMaintained);
///
/// let unknown = Outcome::Cx(CxResult::USER_UNKNOWN);
/// let mut head = AnswerHead::to(&asked.head, unknown, "hss.ims.example", "ims.example");
/// head.features = vec![SupportedFeatures::cx(1)];
/// // Overloaded: please leave away half of it (RFC 7683).
/// head.overload = Some(OcSupportedFeatures::new());
/// let mut report = OcOlr::new(1, ReportType::Host);
/// report.reduction = Some(50);
/// head.reports = vec![report];
/// head.loads = vec![Load::new()];
/// let answer = Answer { head, command: LocationInfoAnswer::new() }.encode(request.header())?;
/// let answer = Message::parse(answer)?;
/// let read = Answer::<LocationInfoAnswer>::read(&answer)?;
/// assert_eq!(read.head.outcome()?, unknown);
/// assert_eq!(read.head.experimental, Some(ExperimentalResult::new(10_415, CxResult::USER_UNKNOWN.0)));
/// assert_eq!(LocationInfoAnswer::CODE, CommandCode::LOCATION_INFO);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<'a, C> {
    /// What all answers have.
    pub head: AnswerHead<'a>,
    /// What is of this command.
    pub command: C,
}

impl<'a> RequestHead<'a> {
    /// A request of Cx. Realm `destination_realm` is asked.
    pub fn cx(session: &'a str, origin_host: &'a str, origin_realm: &'a str, destination_realm: &'a str) -> Self {
        let application = VendorSpecificApplicationId::auth(TGPP, ApplicationId::CX);
        let state = AuthSessionState::NoStateMaintained;
        Self::new(session, application, state, origin_host, origin_realm, destination_realm)
    }
}

impl<'a> AnswerHead<'a> {
    /// The answer to a request, as its outcome says.
    pub fn to(request: &RequestHead<'a>, outcome: Outcome, origin_host: &'a str, origin_realm: &'a str) -> Self {
        let mut head = Self::new(origin_host, origin_realm);
        head.session = Some(request.session);
        head.application = Some(VendorSpecificApplicationId::auth(TGPP, ApplicationId::CX));
        head.state = Some(AuthSessionState::NoStateMaintained);
        head.proxies.clone_from(&request.proxies);
        match outcome {
            Outcome::Base(result) => head.result = Some(result.0),
            Outcome::Cx(result) => head.experimental = Some(ExperimentalResult::new(TGPP, result.0)),
            Outcome::Other { vendor, code } => head.experimental = Some(ExperimentalResult::new(vendor, code)),
        }
        head
    }

    /// What the answer says.
    ///
    /// # Errors
    /// 5005 where it says nothing, 5007 where it says both.
    pub fn outcome(&self) -> Result<Outcome, Fault> {
        match (self.result, &self.experimental) {
            (Some(result), None) => Ok(Outcome::Base(ResultCode(result))),
            (None, Some(result)) => Ok(Outcome::experimental(result.vendor, result.code)),
            (None, None) => Err(Fault::missing(&dictionary::RESULT_CODE)),
            (Some(_), Some(_)) => Err(Fault::new(ResultCode::CONTRADICTING_AVPS, "two results in one answer")),
        }
    }
}

impl<'a, C: Command<'a>> Request<'a, C> {
    /// Reads a request of this command.
    ///
    /// # Errors
    /// 3001 and 3007 for other commands and applications, 3008 and 5011 for the header, what [`Grammar::read_avps`] says
    /// of the rest.
    pub fn read(message: &'a Message) -> Result<Self, Fault> {
        check::<C>(message.header(), true)?;
        let (head, command) = read(message)?;
        Ok(Self { head, command })
    }

    /// Writes the request, with identifiers yet to be set.
    ///
    /// # Errors
    /// Longer than a message may be.
    pub fn encode(&self) -> Result<Bytes, TooLong> {
        let mut out = Writer::new(Header::request(C::CODE, ApplicationId::CX, CommandFlags::PROXIABLE));
        self.head.write_avps(&mut out);
        self.command.write_avps(&mut out);
        out.finish()
    }
}

impl<'a, C: Command<'a>> Answer<'a, C> {
    /// Reads an answer of this command.
    ///
    /// # Errors
    /// As [`Request::read`].
    pub fn read(message: &'a Message) -> Result<Self, Fault> {
        check::<C>(message.header(), false)?;
        let (head, command) = read(message)?;
        Ok(Self { head, command })
    }

    /// Writes the answer to a request with this header. A protocol error sets the E flag (RFC 6733 §7.1.3).
    ///
    /// # Errors
    /// Longer than a message may be.
    pub fn encode(&self, request: &Header) -> Result<Bytes, TooLong> {
        let mut header = request.answer();
        if self.head.result.is_some_and(|result| ResultCode(result).is_protocol_error()) {
            header.flags = header.flags.with(CommandFlags::ERROR);
        }
        let mut out = Writer::new(header);
        self.head.write_avps(&mut out);
        self.command.write_avps(&mut out);
        out.finish()
    }
}

/// Reads two lists that stand in one message.
#[inline]
fn read<'a, H: Grammar<'a>, C: Grammar<'a>>(message: &'a Message) -> Result<(H, C), Fault> {
    let (mut head, mut command) = (H::Draft::default(), C::Draft::default());
    for avp in message.avps() {
        let avp = avp?;
        if !H::offer(&mut head, &avp)? && !C::offer(&mut command, &avp)? {
            avp.ignore()?;
        }
    }
    Ok((H::finish(head)?, C::finish(command)?))
}

fn check<'a, C: Command<'a>>(header: &Header, request: bool) -> Result<(), Fault> {
    header.check()?;
    if header.application != ApplicationId::CX {
        return Err(Fault::new(ResultCode::APPLICATION_UNSUPPORTED, "another application than Cx"));
    }
    if header.command != C::CODE || header.is_request() != request {
        return Err(Fault::new(ResultCode::COMMAND_UNSUPPORTED, "another command"));
    }
    Ok(())
}
