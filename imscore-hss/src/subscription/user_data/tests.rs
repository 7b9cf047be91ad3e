//! What an HSS may say of a user, and what it may not (TS 29.228 annexes B to E).

use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::{
    ApplicationServer, Condition, DefaultHandling, ExtendedPriority, IdentityExtension, IdentityKind,
    InitialFilterCriteria, NormalForm, ProfileIdentity, ProfilePart, RegistrationType, ServicePointTrigger,
    ServiceProfile, SessionCase, TriggerPoint, WildcardedIdentity,
};

/// Everything that the schema has, laid out as an HSS might.
const FULL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- of an HSS -->
<cx:IMSSubscription xmlns:cx="urn:x" a="&unknown;">
  <PrivateID> alice@ims.example </PrivateID>
  <ServiceProfile>
    <PublicIdentity><BarringIndication>1</BarringIndication><Identity>sip:001@ims.example</Identity></PublicIdentity>
    <PublicIdentity>
      <Identity>sip:alice@ims.example</Identity>
      <Extension>
        <IdentityType>0</IdentityType>
        <Extension>
          <DisplayName>Alice &amp; &#x26; <![CDATA[<Bob>]]></DisplayName>
          <AliasIdentityGroupID>7</AliasIdentityGroupID>
          <Extension>
            <ServiceLevelTraceInfo>on</ServiceLevelTraceInfo>
            <ServicePriorityLevel>4</ServicePriorityLevel>
            <Extension>
              <ExtendedPriority>
                <PriorityNamespace>ets</PriorityNamespace><PriorityLevel>0</PriorityLevel>
              </ExtendedPriority>
              <Extension>
                <MaxNumOfAllowedSimultRegistrations>3</MaxNumOfAllowedSimultRegistrations>
              </Extension>
            </Extension>
          </Extension>
        </Extension>
      </Extension>
    </PublicIdentity>
    <PublicIdentity>
      <Identity>sip:team-5@ims.example</Identity>
      <Extension>
        <IdentityType>3</IdentityType>
        <Extension><Extension><WildcardedIMPU>sip:team-!.*!@ims.example</WildcardedIMPU></Extension></Extension>
      </Extension>
    </PublicIdentity>
    <PublicIdentity>
      <BarringIndication>0</BarringIndication>
      <Identity>sip:team-!.*!@ims.example</Identity>
      <Extension><IdentityType>4</IdentityType></Extension>
    </PublicIdentity>
    <InitialFilterCriteria>
      <Priority>1</Priority>
      <TriggerPoint>
        <ConditionTypeCNF>1</ConditionTypeCNF>
        <SPT>
          <ConditionNegated>0</ConditionNegated><Group>0</Group><Method>REGISTER</Method>
          <Extension><RegistrationType>0</RegistrationType><RegistrationType>2</RegistrationType></Extension>
        </SPT>
        <SPT>
          <ConditionNegated>true</ConditionNegated><Group>1</Group><Group>2</Group>
          <SIPHeader><Header>From</Header><Content>.*"joe".*</Content></SIPHeader>
        </SPT>
        <SPT><ConditionNegated>0</ConditionNegated><Group>1</Group><RequestURI>sip:.*@x</RequestURI></SPT>
        <SPT><ConditionNegated>0</ConditionNegated><Group>2</Group><SessionCase>4</SessionCase></SPT>
        <SPT>
          <ConditionNegated>0</ConditionNegated><Group>2</Group>
          <SessionDescription><Line>m</Line></SessionDescription>
        </SPT>
      </TriggerPoint>
      <ApplicationServer>
        <ServerName>sip:as.ims.example;lr</ServerName>
        <DefaultHandling>1</DefaultHandling>
        <ServiceInfo> as is </ServiceInfo>
        <Extension><IncludeRegisterRequest/><IncludeRegisterResponse></IncludeRegisterResponse></Extension>
      </ApplicationServer>
      <ProfilePartIndicator>1</ProfilePartIndicator>
    </InitialFilterCriteria>
    <InitialFilterCriteria>
      <ApplicationServer><ServerName>sip:as2.ims.example</ServerName></ApplicationServer>
    </InitialFilterCriteria>
    <CoreNetworkServicesAuthorization>
      <SubscribedMediaProfileId>2</SubscribedMediaProfileId>
      <Extension><ListOfServiceIds><ServiceId>a</ServiceId><ServiceId>b</ServiceId></ListOfServiceIds></Extension>
    </CoreNetworkServicesAuthorization>
    <Extension><SharedIFCSetID>5</SharedIFCSetID><SharedIFCSetID>6</SharedIFCSetID></Extension>
  </ServiceProfile>
  <ServiceProfile>
    <PublicIdentity>
      <Identity>sip:chat-1@ims.example</Identity>
      <Extension><IdentityType>2</IdentityType><WildcardedPSI>sip:chat-!.*!@ims.example</WildcardedPSI></Extension>
    </PublicIdentity>
    <PublicIdentity>
      <Identity>sip:conf-!.*!@ims.example</Identity><Extension><IdentityType>2</IdentityType></Extension>
    </PublicIdentity>
    <PublicIdentity>
      <Identity>sip:news@ims.example</Identity><Extension><IdentityType>1</IdentityType></Extension>
    </PublicIdentity>
  </ServiceProfile>
</cx:IMSSubscription>
"#;

fn extended(uri: &str, extension: IdentityExtension) -> ProfileIdentity {
    ProfileIdentity::new(uri.parse().unwrap()).with_extension(extension)
}

fn full() -> UserProfile {
    let more = IdentityExtension::default;
    let alice = IdentityExtension {
        display_name: Some("Alice & & <Bob>".into()),
        alias_group: Some("7".into()),
        service_priority: Some(4),
        extended_priorities: vec![ExtendedPriority { namespace: "ets".into(), level: "0".into() }],
        trace: Some("on".into()),
        max_registrations: Some(3),
        ..more()
    };
    let kind =
        |kind, wildcard: Option<&str>| IdentityExtension { kind, wildcard: wildcard.map(str::to_owned), ..more() };
    let term = ServicePointTrigger::new;
    let mut register = term(0, Condition::Method("REGISTER".into()));
    register.registration_types = vec![RegistrationType::Initial, RegistrationType::DeRegistration];
    let content = Some(r#".*"joe".*"#.to_owned());
    let mut joe = term(1, Condition::SipHeader { header: "From".into(), content });
    (joe.negated, joe.groups) = (true, vec![1, 2]);
    let triggers = vec![
        register,
        joe,
        term(1, Condition::RequestUri("sip:.*@x".into())),
        term(2, Condition::SessionCase(SessionCase::OriginatingCdiv)),
        term(2, Condition::SessionDescription { line: "m".into(), content: None }),
    ];
    let mut server = ApplicationServer::new("sip:as.ims.example;lr");
    server.default_handling = DefaultHandling::SessionTerminated;
    server.service_info = Some(" as is ".into());
    (server.include_register_request, server.include_register_response) = (true, true);
    let trigger_point = TriggerPoint::new(NormalForm::Conjunctive, triggers);
    let mut criteria = InitialFilterCriteria::new(1, server).with_trigger_point(trigger_point);
    criteria.profile_part = Some(ProfilePart::Unregistered);
    let last = InitialFilterCriteria::LOWEST_PRIORITY;
    let user = ServiceProfile {
        identities: vec![
            ProfileIdentity::barred("sip:001@ims.example".parse().unwrap()),
            extended("sip:alice@ims.example", alice),
            extended("sip:team-5@ims.example", kind(IdentityKind::NonDistinctUser, Some("sip:team-!.*!@ims.example"))),
        ],
        wildcards: vec![WildcardedIdentity::new("sip:team-!.*!@ims.example")],
        filter_criteria: vec![
            criteria,
            InitialFilterCriteria::new(last, ApplicationServer::new("sip:as2.ims.example")),
        ],
        shared_filter_criteria: vec![5, 6],
        media_profile: Some(2),
        service_ids: vec!["a".into(), "b".into()],
    };
    let mut conference = WildcardedIdentity::new("sip:conf-!.*!@ims.example");
    conference.is_service = true;
    let mut services = ServiceProfile::new(vec![
        extended("sip:chat-1@ims.example", kind(IdentityKind::Service, Some("sip:chat-!.*!@ims.example"))),
        extended("sip:news@ims.example", kind(IdentityKind::Service, None)),
    ]);
    services.wildcards.push(conference);
    UserProfile::new("alice@ims.example".parse().unwrap(), vec![user, services])
}

#[test]
fn everything_there_and_back() {
    let read = UserProfile::from_xml(FULL.as_bytes()).unwrap();
    assert_eq!(read, ReadProfile { profile: full(), ignored: 0 });
    let written = full().to_xml();
    assert_eq!(UserProfile::from_xml(written.as_bytes()), Ok(read), "{written}");
}

/// What P-Associated-URI and barring come from: neither wildcards nor the barred are listed, and the order is the HSS's.
#[test]
fn who_is_registered() {
    let profile = full();
    let associated: Vec<_> = profile.associated_identities().map(|identity| identity.as_str()).collect();
    let services = ["sip:chat-1@ims.example", "sip:news@ims.example"];
    assert_eq!(associated, [&["sip:alice@ims.example", "sip:team-5@ims.example"][..], &services].concat());
    assert_eq!(profile.default_identity().map(|identity| identity.as_str()), Some("sip:alice@ims.example"));
}

fn around(service_profile: &str) -> String {
    let identity = "<PublicIdentity><Identity>sip:a@b.example</Identity></PublicIdentity>";
    format!(
        "<IMSSubscription><PrivateID>a</PrivateID><ServiceProfile>{identity}{service_profile}</ServiceProfile>\
         </IMSSubscription>"
    )
}

/// What cannot be is passed over and counted; it keeps no user out, and never means more than it says.
#[test]
fn what_says_nothing() {
    let plain = UserProfile::from_xml(around("").as_bytes()).unwrap().profile;
    let check = |xml: &str, ignored| {
        let read = UserProfile::from_xml(around(xml).as_bytes()).unwrap();
        assert_eq!(read, ReadProfile { profile: plain.clone(), ignored }, "{xml}");
    };
    check("<Later><Deep>x&lt;</Deep></Later>text between", 1);
    check("<Extension><Extension><Extension><Later/></Extension></Extension></Extension>", 1);
    for identity in [
        "<Identity>http://b.example</Identity>",
        "<Identity></Identity>",
        "<BarringIndication>1</BarringIndication>",
        "<BarringIndication>perhaps</BarringIndication><Identity>sip:c@b.example</Identity>",
        "<Identity>sip:c@b.example</Identity><Extension><IdentityType>5</IdentityType></Extension>",
    ] {
        check(&format!("<PublicIdentity>{identity}</PublicIdentity>"), 1);
    }
    let server = "<ApplicationServer><ServerName>sip:as</ServerName></ApplicationServer>";
    let term = "<SPT><Group>1</Group><Method>INVITE</Method></SPT>";
    let trigger = |form: &str, terms: &str| {
        format!("{server}<TriggerPoint><ConditionTypeCNF>{form}</ConditionTypeCNF>{terms}</TriggerPoint>")
    };
    for criteria in [
        String::new(),
        "<ApplicationServer/>".to_owned(),
        format!("{server}<Priority>first</Priority>"),
        format!("{server}<ProfilePartIndicator>2</ProfilePartIndicator>"),
        format!("{server}<TriggerPoint/>"),
        trigger("1", ""),
        trigger("2", term),
        trigger("1", &format!("{term}<SPT><Group>1</Group></SPT>")),
        trigger("1", &format!("{term}<SPT><Method>BYE</Method></SPT>")),
        trigger("1", &format!("{term}<SPT><Group>1</Group><SessionCase>5</SessionCase></SPT>")),
        trigger("1", &format!("{term}<SPT><Group>1</Group><SIPHeader><Content>x</Content></SIPHeader></SPT>")),
        trigger(
            "1",
            "<SPT><Group>1</Group><Method>REGISTER</Method><Extension><RegistrationType>3</RegistrationType></Extension></SPT>",
        ),
        "<ApplicationServer><ServerName>sip:as</ServerName><DefaultHandling>2</DefaultHandling></ApplicationServer>"
            .to_owned(),
    ] {
        check(&format!("<InitialFilterCriteria>{criteria}</InitialFilterCriteria>"), 1);
    }
    check("<InitialFilterCriteria><Later/></InitialFilterCriteria>", 2);
    check("<Extension><SharedIFCSetID>-1</SharedIFCSetID></Extension>", 1);
    // The element is known, and what is within it is not.
    let within = UserProfile::from_xml(around("").replace("a@b", "a<Later/>@b").as_bytes()).unwrap();
    assert_eq!(within, ReadProfile { profile: plain.clone(), ignored: 1 });
    let location = "<Extension><IMSI>1</IMSI><Extension><ReferenceLocationInformation/></Extension></Extension>";
    let located = around("").replace("</IMSSubscription>", &format!("{location}</IMSSubscription>"));
    assert_eq!(UserProfile::from_xml(located.as_bytes()), Ok(ReadProfile { profile: plain, ignored: 1 }));
}

#[test]
fn what_is_no_profile() {
    let check = |xml: &str, error: fn(u64) -> UserDataError| match UserProfile::from_xml(xml.as_bytes()) {
        Err(
            found @ (UserDataError::Malformed { at }
            | UserDataError::DocumentType { at }
            | UserDataError::Entity { at }),
        ) => {
            assert_eq!(found, error(at), "{xml}");
        }
        other => panic!("{xml}: {other:?}"),
    };
    let malformed = |at| UserDataError::Malformed { at };
    let xml = around("");
    for end in 0..xml.len() {
        check(&xml[..end], malformed);
    }
    check("<Sh-Data/>", malformed);
    check("text", malformed);
    check("<IMSSubscription></imsSubscription>", malformed);
    check(&format!("{xml}{xml}"), malformed);
    check(&format!("{xml}x"), malformed);
    check(&format!("{xml}</IMSSubscription>"), malformed);
    check(&format!(" <?xml version='1.0'?>{xml}"), malformed);
    check(&around("&"), malformed);
    check(&around("<a></b>"), malformed);
    let user = |private: &str, identity: &str| {
        let xml = format!(
            "<IMSSubscription>{private}<ServiceProfile><PublicIdentity><Identity>{identity}</Identity></PublicIdentity>\
             </ServiceProfile></IMSSubscription>"
        );
        UserProfile::from_xml(xml.as_bytes()).map(|_| ())
    };
    assert_eq!(user("<PrivateID>a</PrivateID>", "tel:+1"), Ok(()));
    assert_eq!(user("", "tel:+1"), Err(UserDataError::NoPrivateIdentity));
    assert_eq!(user("<PrivateID>a b</PrivateID>", "tel:+1"), Err(UserDataError::NoPrivateIdentity));
    assert_eq!(user("<PrivateID>a</PrivateID>", "tel:"), Err(UserDataError::NoPublicIdentity));
}

/// Threat D14: what XML could do beyond being data.
#[test]
fn d14_more_than_data() {
    let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>"#;
    let outside = r#"<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>"#;
    for document_type in [bomb, outside, "<!DOCTYPE IMSSubscription>"] {
        for xml in [
            format!("{document_type}{}", around("<Later>&b;</Later>")),
            around(document_type),
            around("") + document_type,
        ] {
            let error = UserProfile::from_xml(xml.as_bytes()).unwrap_err();
            assert!(matches!(error, UserDataError::DocumentType { .. }), "{xml}: {error}");
        }
    }
    // Wherever an entity stands, also where nobody looks.
    for part in ["&a;", "<Later>&a;</Later>", "<Later><x>&#0;</x></Later>", "<PublicIdentity><Identity>&a;"] {
        let error = UserProfile::from_xml(around(part).as_bytes()).unwrap_err();
        assert!(matches!(error, UserDataError::Entity { .. }), "{part}: {error}");
    }
    for character in ["&#1;", "&#xD800;", "&#x110000;", "&#xFFFF;", "&#;"] {
        let error = UserProfile::from_xml(around(character).as_bytes()).unwrap_err();
        assert!(matches!(error, UserDataError::Entity { .. }), "{character}: {error}");
    }
}

#[test]
fn d14_encodings() {
    let xml = around("");
    let check = |xml: &[u8], expected| assert_eq!(UserProfile::from_xml(xml).map(|_| ()), expected);
    for encoding in ["UTF-8", "utf-8", "US-ASCII"] {
        check(format!(r#"<?xml version="1.0" encoding="{encoding}"?>{xml}"#).as_bytes(), Ok(()));
    }
    check(format!("\u{feff}{xml}").as_bytes(), Ok(()));
    for encoding in ["UTF-16", "ISO-8859-1"] {
        let declared = format!(r#"<?xml version="1.0" encoding="{encoding}"?>{xml}"#);
        check(declared.as_bytes(), Err(UserDataError::Encoding));
    }
    let utf_16 = |mark: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("{mark}{xml}").encode_utf16().flat_map(bytes).collect()
    };
    for mark in ["", "\u{feff}"] {
        check(&utf_16(mark, u16::to_le_bytes), Err(UserDataError::Encoding));
        check(&utf_16(mark, u16::to_be_bytes), Err(UserDataError::Encoding));
    }
    check(&[xml.as_bytes(), b"\xff"].concat(), Err(UserDataError::Encoding));
    check(&[xml.as_bytes(), b"\0"].concat(), Err(UserDataError::Encoding));
}

#[test]
fn d14_limits() {
    let sized = |size: usize| {
        let mut xml = around("<!---->");
        let rest = " ".repeat(size - xml.len());
        xml.insert_str(xml.find("-->").unwrap(), &rest);
        UserProfile::from_xml(xml.as_bytes()).map(|read| read.ignored)
    };
    assert_eq!(sized(MAX_USER_DATA - 1), Ok(0));
    assert_eq!(sized(MAX_USER_DATA), Ok(0));
    assert_eq!(sized(MAX_USER_DATA + 1), Err(UserDataError::TooLong));
    // Two stand around already.
    let nested = |depth: usize, name: &str| {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let xml = around(&(open.repeat(depth - 2) + &close.repeat(depth - 2)));
        UserProfile::from_xml(xml.as_bytes()).map(|read| read.ignored)
    };
    for name in ["Later", "Extension"] {
        for (depth, fits) in [(MAX_DEPTH - 1, true), (MAX_DEPTH, true), (MAX_DEPTH + 1, false), (10_000, false)] {
            let found = nested(depth, name);
            assert_eq!(matches!(found, Err(UserDataError::TooDeep { .. })), !fits, "{name} {depth}: {found:?}");
            assert_eq!(found.is_ok(), fits, "{name} {depth}");
        }
    }
    // 100,000 deep does not fit into what may be read, and is refused without a step into it.
    let xml = "<a>".repeat(100_000);
    assert_eq!(UserProfile::from_xml(xml.as_bytes()), Err(UserDataError::TooLong));
    let xml = format!("<IMSSubscription>{}", "<a>".repeat(87_000));
    assert!(matches!(UserProfile::from_xml(xml.as_bytes()), Err(UserDataError::TooDeep { at: 206 })));
}

/// Service profiles as programs take them in.
#[cfg(feature = "serde")]
#[test]
fn as_json() {
    let json = serde_json::to_string(&full()).unwrap();
    assert_eq!(serde_json::from_str::<UserProfile>(&json).unwrap(), full(), "{json}");
    let short = r#"{"identities":[{"identity":"SIP:Alice@IMS.example:5060"}],
        "filter_criteria":[{"priority":0,"application_server":{"server_name":"sip:as.example"},
            "trigger_point":{"form":"conjunctive","triggers":[{"groups":[0],"condition":{"method":"INVITE"}}]}}]}"#;
    let profile: ServiceProfile = serde_json::from_str(short).unwrap();
    assert_eq!(profile.identities[0], ProfileIdentity::new("sip:Alice@ims.example".parse().unwrap()));
    let method = ServicePointTrigger::new(0, Condition::Method("INVITE".into()));
    let expected = InitialFilterCriteria::new(0, ApplicationServer::new("sip:as.example"))
        .with_trigger_point(TriggerPoint::new(NormalForm::Conjunctive, vec![method]));
    assert_eq!(profile.filter_criteria, [expected]);
    for wrong in [r#"{"identities":[{"identity":"x"}]}"#, r#"{"identity":[]}"#] {
        assert!(serde_json::from_str::<ServiceProfile>(wrong).is_err(), "{wrong}");
    }
}

/// Any characters that XML can have, the awkward ones often.
fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        Just(' '),
        Just('\n'),
        Just('\r'),
        Just('\t'),
        prop::sample::select(vec!['<', '>', '&', '"', '\'', ']', 'é', '𝄞']),
        any::<char>().prop_filter("XML has it", |character| elements::is_xml(*character)),
    ];
    prop::collection::vec(character, 0..8).prop_map(|characters| characters.into_iter().collect())
}

fn some_text() -> impl Strategy<Value = String> {
    text().prop_map(|text| format!("x{text}"))
}

fn extension() -> impl Strategy<Value = IdentityExtension> {
    let kind = prop::sample::select(vec![IdentityKind::User, IdentityKind::Service, IdentityKind::NonDistinctUser]);
    let priority = (text(), text()).prop_map(|(namespace, level)| ExtendedPriority { namespace, level });
    let texts = (option::of(text()), option::of(text()), option::of(text()), option::of(text()));
    let numbers = (option::of(any::<u8>()), option::of(any::<u32>()));
    (kind, texts, prop::collection::vec(priority, 0..3), numbers).prop_map(
        |(kind, (display_name, alias_group, wildcard, trace), extended_priorities, (level, most))| IdentityExtension {
            kind,
            display_name,
            alias_group,
            wildcard,
            service_priority: level,
            extended_priorities,
            trace,
            max_registrations: most,
        },
    )
}

fn identity() -> impl Strategy<Value = ProfileIdentity> {
    let uri = prop::sample::select(vec!["sip:a@b.example", "sip:a&b@b.example", "tel:+1", "tel:1;phone-context=+2"]);
    (uri, any::<bool>(), extension()).prop_map(|(uri, barred, more)| {
        let mut entry = extended(uri, more);
        entry.barred = barred;
        entry
    })
}

fn wildcard() -> impl Strategy<Value = WildcardedIdentity> {
    let pattern = text().prop_map(|text| format!("sip:!{text}!@b.example"));
    (pattern, any::<bool>(), any::<bool>()).prop_map(|(pattern, is_service, barred)| WildcardedIdentity {
        pattern,
        is_service,
        barred,
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    let case = prop::sample::select(vec![
        SessionCase::OriginatingRegistered,
        SessionCase::TerminatingRegistered,
        SessionCase::TerminatingUnregistered,
        SessionCase::OriginatingUnregistered,
        SessionCase::OriginatingCdiv,
    ]);
    prop_oneof![
        text().prop_map(Condition::RequestUri),
        text().prop_map(Condition::Method),
        case.prop_map(Condition::SessionCase),
        (text(), option::of(text())).prop_map(|(header, content)| Condition::SipHeader { header, content }),
        (text(), option::of(text())).prop_map(|(line, content)| Condition::SessionDescription { line, content }),
    ]
}

fn criteria() -> impl Strategy<Value = InitialFilterCriteria> {
    let kinds = [RegistrationType::Initial, RegistrationType::ReRegistration, RegistrationType::DeRegistration];
    let kinds = prop::collection::vec(prop::sample::select(kinds.to_vec()), 0..3);
    let term = (any::<bool>(), prop::collection::vec(any::<u32>(), 1..3), condition(), kinds).prop_map(
        |(negated, groups, condition, registration_types)| ServicePointTrigger {
            negated,
            groups,
            condition,
            registration_types,
        },
    );
    let form = prop::sample::select(vec![NormalForm::Conjunctive, NormalForm::Disjunctive]);
    let trigger =
        (form, prop::collection::vec(term, 1..3)).prop_map(|(form, triggers)| TriggerPoint { form, triggers });
    let handling = prop::sample::select(vec![DefaultHandling::SessionContinued, DefaultHandling::SessionTerminated]);
    let server = (some_text(), handling, option::of(text()), any::<bool>(), any::<bool>()).prop_map(
        |(server_name, default_handling, service_info, request, response)| ApplicationServer {
            server_name,
            default_handling,
            service_info,
            include_register_request: request,
            include_register_response: response,
        },
    );
    let part = prop::sample::select(vec![ProfilePart::Registered, ProfilePart::Unregistered]);
    (any::<u32>(), option::of(trigger), server, option::of(part)).prop_map(
        |(priority, trigger_point, application_server, profile_part)| InitialFilterCriteria {
            priority,
            trigger_point,
            application_server,
            profile_part,
        },
    )
}

fn service_profile() -> impl Strategy<Value = ServiceProfile> {
    (
        prop::collection::vec(identity(), 1..3),
        prop::collection::vec(wildcard(), 0..2),
        prop::collection::vec(criteria(), 0..3),
        prop::collection::vec(any::<u32>(), 0..3),
        option::of(any::<u32>()),
        prop::collection::vec(text(), 0..3),
    )
        .prop_map(
            |(identities, wildcards, filter_criteria, shared_filter_criteria, media_profile, service_ids)| {
                ServiceProfile {
                    identities,
                    wildcards,
                    filter_criteria,
                    shared_filter_criteria,
                    media_profile,
                    service_ids,
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read(profiles in prop::collection::vec(service_profile(), 1..3)) {
        let profile = UserProfile::new("a@b.example".parse().unwrap(), profiles);
        let xml = profile.to_xml();
        prop_assert_eq!(UserProfile::from_xml(xml.as_bytes()), Ok(ReadProfile { profile, ignored: 0 }), "{}", xml);
    }

    #[test]
    fn any_bytes_are_a_profile_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = UserProfile::from_xml(&bytes);
    }

    /// Whatever happens to a document on the way: no panic, and what is read is read again.
    #[test]
    fn broken_documents(at in 0..FULL.len(), with in text(), cut in 0..40_usize) {
        let mut xml = FULL.as_bytes().to_vec();
        let end = (at + cut).min(xml.len());
        xml.splice(at..end, with.bytes());
        if let Ok(ReadProfile { profile, .. }) = UserProfile::from_xml(&xml) {
            let again = UserProfile::from_xml(profile.to_xml().as_bytes());
            prop_assert_eq!(again, Ok(ReadProfile { profile, ignored: 0 }));
        }
    }
}
