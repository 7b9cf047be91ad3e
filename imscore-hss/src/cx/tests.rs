//! Every command with all that it can have; then each of its AVPs, one after the other, as it cannot be.

use bytes::Bytes;

use super::*;
use crate::diameter::base::{Load, OcOlr, OcSupportedFeatures, ReportType};
use crate::diameter::dictionary::{self as avp, Definition, Kind};
use crate::diameter::{
    Address, ApplicationId, Avps, CommandCode, CommandFlags, Fault, Group, Header, Level, Message, Origin, ResultCode,
    Secret, Time, Writer,
};
use crate::{AssignmentType, AuthorizationType, TerminationReason};

const HOST: &str = "hss.ims.example";
const IMPI: &str = "alice@ims.example";
const IMPU: &str = "sip:alice@ims.example";
const SCSCF: &str = "sip:scscf.ims.example";
/// Proxy-Host and Proxy-State.
const PROXY: &[u8] = b"\0\0\x01\x18\x40\0\0\x0cprox\0\0\0\x21\x40\0\0\x09s\0\0\0";

fn request_head() -> RequestHead<'static> {
    let mut head = RequestHead::cx("scscf.ims.example;1;2", "scscf.ims.example", "ims.example", "ims.example");
    head.priority = Level::new(15);
    head.overload = Some(OcSupportedFeatures { features: Some(1) });
    head.features = vec![SupportedFeatures::cx(features::SHARED_FILTER_CRITERIA | features::ALIAS_INDICATION)];
    head.proxies = vec![Group(PROXY), Group(PROXY)];
    head.route = vec!["agent.ims.example"];
    head
}

fn answer_head() -> AnswerHead<'static> {
    let mut head = AnswerHead::to(&request_head(), Outcome::Cx(CxResult::FIRST_REGISTRATION), HOST, "ims.example");
    head.priority = Level::new(0);
    head.overload = Some(OcSupportedFeatures { features: None });
    let mut report = OcOlr::new(7, ReportType::Realm);
    (report.reduction, report.validity) = (Some(100), Some(30));
    head.reports = vec![report, OcOlr::new(u64::MAX, ReportType::Host)];
    head.loads = vec![Load { kind: Some(1), value: Some(65_535), source: Some(HOST) }];
    head.features = vec![SupportedFeatures::cx(features::IMS_RESTORATION)];
    (head.error_message, head.error_host) = (Some("nothing"), Some(HOST));
    head.failed = vec![Group(PROXY)];
    head.route = vec!["agent.ims.example"];
    head
}

fn capabilities() -> ServerCapabilities<'static> {
    ServerCapabilities { mandatory: vec![1, 2], optional: vec![u32::MAX], server_names: vec![SCSCF] }
}

fn item() -> SipAuthDataItem<'static> {
    let mut digest = SipDigestAuthenticate::new("ims.example", "auth", Secret(b"0123456789abcdef0123456789abcdef"));
    digest.algorithm = Some("MD5");
    (digest.alternate_algorithm, digest.alternate_ha1) = (Some("SHA-256"), Some(Secret(&[b'0'; 64])));
    SipAuthDataItem {
        number: Some(1),
        scheme: Some(scheme::AKA),
        authenticate: Some(&[1; 32]),
        authorization: Some(Secret(&[2; 8])),
        context: Some(b"context"),
        confidentiality_key: Some(Secret(&[3; 16])),
        integrity_key: Some(Secret(&[4; 16])),
        digest: Some(digest),
        framed_address: Some(&[192, 0, 2, 1]),
        framed_prefix: Some(&[0, 64, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0]),
        framed_interface: Some(&[5; 8]),
        lines: vec![b"line one", b"line two"],
    }
}

fn restoration() -> ScscfRestorationInfo<'static> {
    let mut contact = RestorationInfo::new(b"<sip:pcscf.ims.example;lr>", b"<sip:alice@192.0.2.1>");
    contact.cseq = Some(1);
    contact.call_id = Some(b"abc");
    contact.subscription = Some(SubscriptionInfo::new(b"def", b"<sip:a@b>;tag=1", b"<sip:a@b>;tag=2", b"<r>", b"<c>"));
    contact.pcscf_subscription = Some(PcscfSubscriptionInfo::new(b"ghi", b"<sip:p>;tag=3", b"<sip:a@b>", b"<p>"));
    let mut restoration = ScscfRestorationInfo::new(IMPI, vec![contact.clone(), contact]);
    restoration.expires = Time::from_unix(2_000_000_000);
    restoration.scheme = Some(scheme::DIGEST);
    restoration
}

fn charging() -> ChargingInformation<'static> {
    ChargingInformation {
        primary_event: Some("aaa://ecf1.ims.example"),
        secondary_event: Some("aaa://ecf2.ims.example"),
        primary_collection: Some("aaa://ccf1.ims.example;transport=tcp"),
        secondary_collection: Some("ccf2.ims.example"),
    }
}

fn web() -> AllowedWafWwsfIdentities<'static> {
    AllowedWafWwsfIdentities { authentication: vec!["waf.example"], server: vec!["wwsf1.example", "wwsf2.example"] }
}

fn associated() -> AssociatedIdentities<'static> {
    AssociatedIdentities { user_names: vec![IMPI, "bob@ims.example"] }
}

/// Each command in full.
enum Full {
    Uar(UserAuthorizationRequest<'static>),
    Uaa(UserAuthorizationAnswer<'static>),
    Sar(ServerAssignmentRequest<'static>),
    Saa(Box<ServerAssignmentAnswer<'static>>),
    Lir(LocationInfoRequest<'static>),
    Lia(LocationInfoAnswer<'static>),
    Mar(Box<MultimediaAuthRequest<'static>>),
    Maa(MultimediaAuthAnswer<'static>),
    Rtr(RegistrationTerminationRequest<'static>),
    Rta(RegistrationTerminationAnswer<'static>),
    Ppr(Box<PushProfileRequest<'static>>),
    Ppa(PushProfileAnswer),
}

fn all() -> Vec<Full> {
    let mut uar = UserAuthorizationRequest::new(IMPI, IMPU, "visited.example");
    uar.destination_host = Some(HOST);
    uar.kind = Some(AuthorizationType::RegistrationAndCapabilities);
    uar.flags = Some(UserAuthorizationRequest::EMERGENCY);

    let mut sar = ServerAssignmentRequest::new(SCSCF, AssignmentType::DeregistrationTooMuchData, true);
    sar.destination_host = Some(HOST);
    sar.user_name = Some(IMPI);
    sar.public_identities = vec![IMPU, "tel:+12015550123"];
    sar.wildcard = Some("sip:chat-!.*!@ims.example");
    sar.restoration = Some(restoration());
    sar.multiple_registration = Some(true);
    sar.priority = Level::new(4);
    sar.flags = Some(ServerAssignmentRequest::P_CSCF_RESTORATION);
    let addresses = vec![Address::Ip([192, 0, 2, 9].into()), Address::Other { family: 8, bytes: b"1" }];
    sar.failed_pcscf = Some(FailedPcscf { name: Some("pcscf.ims.example"), addresses });

    let saa = ServerAssignmentAnswer {
        user_name: Some(IMPI),
        user_data: Some(b"<IMSSubscription/>"),
        charging: Some(charging()),
        associated: Some(associated()),
        loose_route: Some(true),
        restoration: vec![restoration(), restoration()],
        registered: Some(associated()),
        server_name: Some(SCSCF),
        wildcard: Some("sip:chat-!.*!@ims.example"),
        privileged_sender: Some(false),
        web: Some(web()),
    };

    let mut lir = LocationInfoRequest::new(IMPU);
    lir.destination_host = Some(HOST);
    lir.originating = Some(OriginatingRequest::Originating);
    lir.kind = Some(AuthorizationType::Deregistration);
    lir.priority = Level::new(0);

    let lia = LocationInfoAnswer {
        server_name: Some(SCSCF),
        capabilities: Some(capabilities()),
        wildcard: Some("sip:chat-!.*!@ims.example"),
        flags: Some(LocationInfoAnswer::DIRECT_ROUTING),
    };

    let mut mar = MultimediaAuthRequest::new(IMPI, IMPU, item(), 1, SCSCF);
    mar.destination_host = Some(HOST);
    let items = vec![item(), item()];
    let maa = MultimediaAuthAnswer { user_name: Some(IMPI), public_identity: Some(IMPU), count: Some(2), items };

    let mut reason = DeregistrationReason::new(TerminationReason::RemoveScscf);
    reason.info = Some("gone");
    let mut rtr = RegistrationTerminationRequest::new("scscf.ims.example", IMPI, reason);
    rtr.associated = Some(associated());
    rtr.public_identities = vec![IMPU];
    rtr.flags = Some(RegistrationTerminationRequest::REFERENCE_LOCATION);
    let emergency = vec![IdentityWithEmergencyRegistration::new(IMPI, IMPU)];

    let mut ppr = PushProfileRequest::new("scscf.ims.example", IMPI);
    ppr.user_data = Some(b"<IMSSubscription/>");
    ppr.charging = Some(charging());
    (ppr.item, ppr.web) = (Some(item()), Some(web()));

    vec![
        Full::Uar(uar),
        Full::Uaa(UserAuthorizationAnswer { server_name: Some(SCSCF), capabilities: Some(capabilities()) }),
        Full::Sar(sar),
        Full::Saa(Box::new(saa)),
        Full::Lir(lir),
        Full::Lia(lia),
        Full::Mar(Box::new(mar)),
        Full::Maa(maa),
        Full::Rtr(rtr),
        Full::Rta(RegistrationTerminationAnswer { associated: Some(associated()), emergency }),
        Full::Ppr(Box::new(ppr)),
        Full::Ppa(PushProfileAnswer {}),
    ]
}

fn request<C: Command<'static>>(command: C) -> Bytes {
    Request { head: request_head(), command }.encode().unwrap()
}

fn answer<C: Command<'static>>(command: C) -> Bytes {
    let to = Header::request(C::CODE, ApplicationId::CX, CommandFlags::PROXIABLE);
    Answer { head: answer_head(), command }.encode(&to).unwrap()
}

fn encode(full: Full) -> Bytes {
    match full {
        Full::Uar(command) => request(command),
        Full::Uaa(command) => answer(command),
        Full::Sar(command) => request(command),
        Full::Saa(command) => answer(*command),
        Full::Lir(command) => request(command),
        Full::Lia(command) => answer(command),
        Full::Mar(command) => request(*command),
        Full::Maa(command) => answer(command),
        Full::Rtr(command) => request(command),
        Full::Rta(command) => answer(command),
        Full::Ppr(command) => request(*command),
        Full::Ppa(command) => answer(command),
    }
}

/// Reads whatever command a message has and writes it again.
fn again(message: &Message) -> Result<Bytes, Fault> {
    fn request<'a, C: Command<'a>>(message: &'a Message) -> Result<Bytes, Fault> {
        Ok(Request::<C>::read(message)?.encode().unwrap())
    }
    fn answer<'a, C: Command<'a>>(message: &'a Message) -> Result<Bytes, Fault> {
        Ok(Answer::<C>::read(message)?.encode(message.header()).unwrap())
    }
    match (message.header().command, message.header().is_request()) {
        (CommandCode::USER_AUTHORIZATION, true) => request::<UserAuthorizationRequest<'_>>(message),
        (CommandCode::USER_AUTHORIZATION, false) => answer::<UserAuthorizationAnswer<'_>>(message),
        (CommandCode::SERVER_ASSIGNMENT, true) => request::<ServerAssignmentRequest<'_>>(message),
        (CommandCode::SERVER_ASSIGNMENT, false) => answer::<ServerAssignmentAnswer<'_>>(message),
        (CommandCode::LOCATION_INFO, true) => request::<LocationInfoRequest<'_>>(message),
        (CommandCode::LOCATION_INFO, false) => answer::<LocationInfoAnswer<'_>>(message),
        (CommandCode::MULTIMEDIA_AUTH, true) => request::<MultimediaAuthRequest<'_>>(message),
        (CommandCode::MULTIMEDIA_AUTH, false) => answer::<MultimediaAuthAnswer<'_>>(message),
        (CommandCode::REGISTRATION_TERMINATION, true) => request::<RegistrationTerminationRequest<'_>>(message),
        (CommandCode::REGISTRATION_TERMINATION, false) => answer::<RegistrationTerminationAnswer<'_>>(message),
        (CommandCode::PUSH_PROFILE, true) => request::<PushProfileRequest<'_>>(message),
        (CommandCode::PUSH_PROFILE, false) => answer::<PushProfileAnswer>(message),
        (command, _) => panic!("{command} is none of Cx"),
    }
}

/// Every command in full, requests and answers in turn.
pub(crate) fn messages() -> Vec<Message> {
    all().into_iter().map(|full| Message::parse(encode(full)).unwrap()).collect()
}

/// What was written is read, and written again is the same.
#[test]
fn every_command_with_every_avp() {
    for message in messages() {
        assert_eq!(again(&message).as_ref(), Ok(message.bytes()), "{message:?}");
    }
}

/// What a command's table names in full stands in the message of the sample: none was left out above.
#[test]
fn values_are_those_that_were_written() {
    for (full, message) in all().into_iter().zip(messages()) {
        match full {
            Full::Uar(command) => assert_eq!(Request::read(&message), Ok(Request { head: request_head(), command })),
            Full::Sar(command) => assert_eq!(Request::read(&message), Ok(Request { head: request_head(), command })),
            Full::Mar(command) => {
                assert_eq!(Request::read(&message), Ok(Request { head: request_head(), command: *command }));
            }
            Full::Saa(command) => {
                assert_eq!(Answer::read(&message), Ok(Answer { head: answer_head(), command: *command }));
            }
            Full::Maa(command) => assert_eq!(Answer::read(&message), Ok(Answer { head: answer_head(), command })),
            Full::Lir(_) | Full::Uaa(_) | Full::Lia(_) | Full::Rtr(_) | Full::Rta(_) | Full::Ppr(_) | Full::Ppa(_) => {}
        }
    }
}

/// Copies AVPs, the one of number `at` with other data. Groups are entered, except those that are taken as they are.
fn replace(avps: Avps<'_>, at: &mut isize, data: &[u8], out: &mut Writer) -> Option<&'static Definition> {
    let mut found = None;
    for avp in avps {
        let avp = avp.unwrap();
        let definition = avp.definition().unwrap();
        *at -= 1;
        if *at == -1 {
            found = Some(definition);
            out.group(&Definition { kind: Kind::Grouped, ..*definition }, |out| out.bytes(data));
        } else if definition.kind == Kind::Grouped && ![avp::PROXY_INFO, avp::FAILED_AVP].contains(definition) {
            let mut inner = None;
            out.group(definition, |out| inner = replace(avp.avps(), at, data, out));
            found = found.or(inner);
        } else {
            out.copy(&avp);
        }
    }
    found
}

/// A message again and again, each of its AVPs in turn with this data.
pub(crate) fn changed(message: &Message, data: &[u8]) -> Vec<(&'static Definition, Message)> {
    let mut all = Vec::new();
    for at in 0.. {
        let mut out = Writer::new(*message.header());
        let Some(definition) = replace(message.avps(), &mut { at }, data, &mut out) else { break };
        // Two samples of the longest AVPs are longer than a message may be.
        if let Ok(bytes) = out.finish() {
            all.push((definition, Message::parse(bytes).unwrap()));
        }
    }
    all
}

/// What comes of it when each AVP of each command has this data: a result code, or none where it is read.
fn with_data(data: &[u8], check: impl Fn(&Definition, Option<ResultCode>, &str)) {
    for (definition, changed) in messages().iter().flat_map(|message| changed(message, data)) {
        let fault = again(&changed).err();
        check(definition, fault.as_ref().map(Fault::result), &format!("{changed:?} {fault:?}"));
        if let Some(fault) = fault {
            let refused = Message::parse(changed.refuse(&fault, &Origin::new(HOST, "ims.example"))).unwrap();
            assert_eq!(refused.find(&avp::FAILED_AVP).is_some(), fault.failed_avp().is_some());
            assert!(refused.avps().all(|avp| avp.is_ok()), "{refused:?}");
        }
    }
}

/// Threats X3 and X6: each AVP of Cx with 0, 1, n-1, n+1 and 65,000 bytes.
#[test]
fn x03_x06_sizes_that_cannot_be() {
    for size in [0, 1, 2, 3, 5, 7, 9, 15, 17, 65_000] {
        with_data(&vec![b'0'; size], |definition, result, what| {
            if definition.kind.is_fixed() {
                assert_eq!(result, Some(ResultCode::INVALID_AVP_LENGTH), "{size} bytes: {what}");
            } else if size < definition.least || size > definition.most {
                assert_eq!(result, Some(ResultCode::INVALID_AVP_VALUE), "{size} bytes: {what}");
            } else if matches!(definition.kind, Kind::OctetString | Kind::Utf8String) {
                assert_eq!(result, None, "{size} bytes: {what}");
            }
        });
    }
}

/// Threat X6: each enumeration with 0xFFFFFFFF.
#[test]
fn x06_values_that_cannot_be() {
    with_data(&[0xff; 4], |definition, result, what| {
        // Load-Type is only passed on.
        if matches!(definition.kind, Kind::Enumerated | Kind::Utf8String) && *definition != avp::LOAD_TYPE {
            assert_eq!(result, Some(ResultCode::INVALID_AVP_VALUE), "{what}");
        } else if definition.kind == Kind::Grouped {
            assert_eq!(result, Some(ResultCode::INVALID_AVP_LENGTH), "{what}");
        }
    });
}

/// Threat X5: each required AVP missing, each single one twice.
#[test]
fn x05_missing_and_too_many() {
    let required = |definition: &Definition| {
        let head = [avp::SESSION_ID, avp::ORIGIN_HOST, avp::ORIGIN_REALM, avp::DESTINATION_REALM];
        head.contains(definition) || [avp::AUTH_SESSION_STATE, avp::VENDOR_SPECIFIC_APPLICATION_ID].contains(definition)
    };
    for message in messages().into_iter().filter(|message| message.header().is_request()) {
        let avps: Vec<_> = message.avps().map(Result::unwrap).collect();
        for (at, avp) in avps.iter().enumerate() {
            let count = avps.iter().filter(|other| other.key() == avp.key()).count();
            let with = |times: usize| {
                let mut out = Writer::new(*message.header());
                for (place, avp) in avps.iter().enumerate() {
                    (0..if place == at { times } else { 1 }).for_each(|_| out.copy(avp));
                }
                again(&Message::parse(out.finish().unwrap()).unwrap()).err().map(|fault| fault.result())
            };
            let definition = avp.definition().unwrap();
            if required(definition) {
                assert_eq!(with(0), Some(ResultCode::MISSING_AVP), "{avp:?}");
                assert_eq!(with(2), Some(ResultCode::AVP_OCCURS_TOO_MANY_TIMES), "{avp:?}");
            } else if count > 1 {
                assert_eq!((with(0), with(2)), (None, None), "{avp:?}");
            }
        }
    }
}

#[test]
fn other_commands_and_applications() {
    let message = &messages()[0];
    let with = |header: Header| {
        let mut out = Writer::new(header);
        message.avps().for_each(|avp| out.copy(&avp.unwrap()));
        let message = Message::parse(out.finish().unwrap()).unwrap();
        Request::<UserAuthorizationRequest<'_>>::read(&message).err().map(|fault| fault.result())
    };
    let header = *message.header();
    assert_eq!(with(header), None);
    assert_eq!(with(Header { application: ApplicationId::SH, ..header }), Some(ResultCode::APPLICATION_UNSUPPORTED));
    let other = Header { command: CommandCode::LOCATION_INFO, ..header };
    assert_eq!(with(other), Some(ResultCode::COMMAND_UNSUPPORTED));
    assert_eq!(with(header.answer()), Some(ResultCode::COMMAND_UNSUPPORTED));
    let both = Header { flags: header.flags.with(CommandFlags::ERROR), ..header };
    assert_eq!(with(both), Some(ResultCode::INVALID_HDR_BITS));
}

#[test]
fn outcomes() {
    let head = |result: Option<u32>, experimental: Option<(u32, u32)>| {
        let mut head = AnswerHead::new(HOST, "ims.example");
        head.result = result;
        head.experimental =
            experimental.map(|(vendor, code)| crate::diameter::base::ExperimentalResult::new(vendor, code));
        head.outcome().map_err(|fault| fault.result())
    };
    assert_eq!(head(Some(2001), None), Ok(Outcome::SUCCESS));
    assert_eq!(head(None, Some((avp::TGPP, 5001))), Ok(Outcome::Cx(CxResult::USER_UNKNOWN)));
    assert_eq!(head(None, Some((9, 5001))), Ok(Outcome::Other { vendor: 9, code: 5001 }));
    assert_eq!(head(None, None), Err(ResultCode::MISSING_AVP));
    assert_eq!(head(Some(2001), Some((avp::TGPP, 5001))), Err(ResultCode::CONTRADICTING_AVPS));
}

/// Keys and hashes are in no log.
#[test]
fn debug_shows_no_secret() {
    let shown = format!("{:?}", item());
    assert!(!shown.contains("0123456789abcdef"), "{shown}");
    assert!(shown.contains("confidentiality_key: Some(Secret[16])"), "{shown}");
}

/// A protocol error goes out with the E flag, everything else without (RFC 6733 §7.1.3, §7.1.4).
#[test]
fn error_flag() {
    let flags = |outcome| {
        let to = Header::request(CommandCode::PUSH_PROFILE, ApplicationId::CX, CommandFlags::PROXIABLE);
        let head = AnswerHead::to(&request_head(), outcome, HOST, "ims.example");
        Message::parse(Answer { head, command: PushProfileAnswer {} }.encode(&to).unwrap()).unwrap().header().flags
    };
    assert_eq!(flags(Outcome::Base(ResultCode::TOO_BUSY)), CommandFlags(0x60));
    assert_eq!(flags(Outcome::Base(ResultCode::UNABLE_TO_COMPLY)), CommandFlags(0x40));
    assert_eq!(flags(Outcome::Cx(CxResult::USER_UNKNOWN)), CommandFlags(0x40));
}

/// TS 29.229 §6.1: what each command has behind the AVPs that all have, by code.
#[test]
fn avps_of_each_command() {
    let capabilities = "Server-Capabilities";
    let expected = [
        "Destination-Host User-Name Public-Identity Visited-Network-Identifier User-Authorization-Type UAR-Flags",
        &format!("Server-Name {capabilities}"),
        "Destination-Host User-Name Public-Identity Public-Identity Wildcarded-Public-Identity Server-Name \
         Server-Assignment-Type User-Data-Already-Available SCSCF-Restoration-Info Multiple-Registration-Indication \
         Session-Priority SAR-Flags Failed-PCSCF",
        "User-Name User-Data Charging-Information Associated-Identities Loose-Route-Indication SCSCF-Restoration-Info \
         SCSCF-Restoration-Info Associated-Registered-Identities Server-Name Wildcarded-Public-Identity \
         Priviledged-Sender-Indication Allowed-WAF-WWSF-Identities",
        "Destination-Host Originating-Request Public-Identity User-Authorization-Type Session-Priority",
        &format!("Server-Name {capabilities} Wildcarded-Public-Identity LIA-Flags"),
        "Destination-Host User-Name Public-Identity SIP-Auth-Data-Item SIP-Number-Auth-Items Server-Name",
        "User-Name Public-Identity SIP-Number-Auth-Items SIP-Auth-Data-Item SIP-Auth-Data-Item",
        "Destination-Host User-Name Associated-Identities Public-Identity Deregistration-Reason RTR-Flags",
        "Associated-Identities Identity-with-Emergency-Registration",
        "Destination-Host User-Name User-Data Charging-Information SIP-Auth-Data-Item Allowed-WAF-WWSF-Identities",
        "",
    ];
    let names = |avps: Avps<'_>| avps.map(|avp| avp.unwrap().definition().unwrap().name).collect::<Vec<_>>().join(" ");
    for (message, expected) in messages().iter().zip(expected) {
        let found = names(message.avps());
        let (_, own) = found.rsplit_once("Route-Record").unwrap();
        assert_eq!(own.trim(), expected, "{message:?}");
    }
    let inner = |at: usize, group: &Definition| names(messages()[at].find(group).unwrap().avps());
    assert_eq!(
        inner(7, &avp::SIP_AUTH_DATA_ITEM),
        "SIP-Item-Number SIP-Authentication-Scheme SIP-Authenticate SIP-Authorization SIP-Authentication-Context \
         Confidentiality-Key Integrity-Key SIP-Digest-Authenticate Framed-IP-Address Framed-IPv6-Prefix \
         Framed-Interface-Id Line-Identifier Line-Identifier"
    );
    assert_eq!(
        inner(3, &avp::CHARGING_INFORMATION),
        "Primary-Event-Charging-Function-Name Secondary-Event-Charging-Function-Name \
         Primary-Charging-Collection-Function-Name Secondary-Charging-Collection-Function-Name"
    );
    assert_eq!(
        inner(1, &avp::SERVER_CAPABILITIES),
        "Mandatory-Capability Mandatory-Capability Optional-Capability Server-Name"
    );
}
