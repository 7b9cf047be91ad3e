//! Values of headers and URIs made of pieces that mean something: whatever is accepted is written so that it reads
//! back the same, and edits do what they say.

use imscore_sip::header::*;
use imscore_sip::uri::{SipUri, TelUri, Uri};
use proptest::prelude::*;

use crate::messages::PIECES;

/// What is asked of every typed header.
macro_rules! every {
    ($($header:ident)*) => {
        fn read_back_all(text: &str) {
            $(reads_back::<$header>(text);)*
        }

        const TYPED: &[Name] = &[$($header::NAME),*];
    };
}

imscore_sip::every_header!(every);

fn reads_back<H: TypedHeader>(text: &str) {
    let Ok(value) = H::decode(&text.into()) else {
        return;
    };
    let written = value.to_string();
    let Ok(again) = H::decode(&written.as_str().into()) else {
        panic!("{}: {text:?} is written as {written:?}", H::NAME);
    };
    assert_eq!(again.to_string(), written, "{}: {text:?}", H::NAME);
}

/// Beginnings that get past the first rule of some header.
const HEADS: &[&str] = &[
    "",
    "SIP/2.0/UDP h",
    "<sip:a@h>",
    "sip:a@h",
    "\"A\" <sip:a@h;lr>",
    "tel:+1",
    "<tel:7;phone-context=h>",
    "Digest a=1",
    "1 INVITE",
    "1 2 INVITE",
    "reg",
    "application/sdp",
    "icid-value=1",
    "399 h \"text\"",
    "Sat, 13 Nov 2010 23:29:00 GMT",
    "1800",
    "SIP;cause=200",
    "*;+g.3gpp.x",
    "<1@h>",
    "1@h;to-tag=a",
    "a.b.c;info=<https://h>",
    "ab30317f1a784dc48ff824d0d3715d86",
    "fe=<urn:3gpp:fe:as>",
    "urn:urn-7:a",
    "1/2@h",
    "wps.0",
    "1.0",
    "true",
    "300;code=\"x\"",
];

fn text() -> impl Strategy<Value = String> {
    let pieces = proptest::collection::vec(proptest::sample::select(PIECES), 0..10);
    (proptest::sample::select(HEADS), pieces).prop_map(|(head, pieces)| format!("{head}{}", pieces.concat()))
}

fn uri() -> impl Strategy<Value = Uri> {
    let pieces = proptest::collection::vec(proptest::sample::select(PIECES), 0..6);
    let head =
        proptest::sample::select(&["sip:a@h", "sips:a:b@h:1;x=y", "sip:h", "tel:+1", "tel:7", "urn:service:sos"][..]);
    (head, pieces).prop_map(|(head, pieces)| {
        format!("{head}{}", pieces.concat()).parse().unwrap_or_else(|_| head.parse().unwrap())
    })
}

/// Of the table of names, those alone have no type that RFC 3261 and RFC 8224 have taken out of use.
#[test]
fn every_name_has_a_type() {
    let untyped: Vec<Name> = Name::every().filter(|name| !TYPED.contains(name)).collect();
    assert_eq!(untyped, [Name::ENCRYPTION, Name::IDENTITY_INFO, Name::RESPONSE_KEY]);
    let mut once = TYPED.to_vec();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), TYPED.len());
}

/// Builds one of each header that is a word with parameters, and reads it back.
fn built_read_back(word: &str, value: &str) {
    macro_rules! check {
        ($($header:ident: $built:expr;)*) => {$(
            let built: $header = $built.with_param("x-y", value).with_param("X-Z", None);
            let written = built.to_string();
            let Ok(read) = $header::decode(&written.as_str().into()) else {
                panic!("{} is built as {written:?}", $header::NAME);
            };
            assert_eq!(read.param("X-Y").as_deref(), Some(value), "{written:?}");
            assert_eq!(read.param("x-z").as_deref(), Some(""), "{written:?}");
            assert_eq!(read.params().as_str(), built.params().as_str());
        )*};
    }
    let uri = || SipUri::new("h").unwrap().with_user(word);
    let call = CallId::new(word.to_string());
    check! {
        Accept: Accept::new(&format!("{word}/{word}"));
        AcceptContact: AcceptContact::default();
        AcceptEncoding: AcceptEncoding::new(word);
        AcceptLanguage: AcceptLanguage::new(word);
        AdditionalIdentity: AdditionalIdentity::new(uri());
        AlertInfo: AlertInfo::new(uri());
        AlertMsgError: AlertMsgError::new(104, word);
        AnswerMode: AnswerMode::new(word);
        CallInfo: CallInfo::new(uri());
        CellularNetworkInfo: CellularNetworkInfo::new(word);
        ContentDisposition: ContentDisposition::new(word);
        ContentType: ContentType::new(&format!("{word}/{word}"));
        Diversion: Diversion::new(uri());
        ErrorInfo: ErrorInfo::new(uri());
        Event: Event::new(word);
        FeatureCaps: FeatureCaps::default();
        Geolocation: Geolocation::new(uri());
        GeolocationError: GeolocationError::new(100, word);
        HistoryInfo: HistoryInfo::new(uri());
        InfoPackage: InfoPackage::new(word);
        Join: Join::new(&call, "a", "b");
        PAnswerState: PAnswerState::new(word);
        PChargeInfo: PChargeInfo::new(uri());
        PChargingVector: PChargingVector::new(word);
        PDcsRedirect: PDcsRedirect::new(&uri().into());
        PDcsTracePartyId: PDcsTracePartyId::new(uri());
        PPrivateNetworkIndication: PPrivateNetworkIndication::new("ims.example");
        PProfileKey: PProfileKey::new(uri());
        PRefusedUriList: PRefusedUriList::new(uri());
        PUserDatabase: PUserDatabase::new(uri());
        PVisitedNetworkId: PVisitedNetworkId::new(word);
        PermissionMissing: PermissionMissing::new(uri());
        PolicyContact: PolicyContact::new(uri());
        PolicyId: PolicyId::new(uri());
        PrivAnswerMode: PrivAnswerMode::new(word);
        Reason: Reason::new(word, 200).with_text(word);
        RecvInfo: RecvInfo::new(word);
        ReferEventsAt: ReferEventsAt::new(uri());
        ReferSub: ReferSub::new(true);
        ReferTo: ReferTo::new(uri());
        RejectContact: RejectContact::default();
        Replaces: Replaces::new(&call, "a", "b");
        ResourceShare: ResourceShare::new(word);
        ResponseSource: ResponseSource::new("as");
        RestorationInfo: RestorationInfo::no_response();
        SecurityClient: SecurityClient::new(word);
        SecurityServer: SecurityServer::new(word);
        SecurityVerify: SecurityVerify::new(word);
        SubscriptionState: SubscriptionState::new(word);
        TargetDialog: TargetDialog::new(&call, "a", "b");
        TriggerConsent: TriggerConsent::new(uri());
        UserToUser: UserToUser::text(word);
    }
    let signed = Identity::new(word, &uri().into()).with_param("x-y", value);
    let read = Identity::decode(&signed.to_string().into()).unwrap();
    assert_eq!((read.params().value("x-y").as_deref(), read.info()), (Some(value), Some(uri().as_str())));
}

proptest! {
    #[test]
    fn what_is_built_reads_back(word in "[a-z].{0,5}", value in "\\PC{0,8}") {
        built_read_back(&word, &value);
    }

    #[test]
    fn headers_read_back_as_written(text in text()) {
        read_back_all(&text);
    }

    #[test]
    fn headers_of_any_text_read_back(text in any::<String>()) {
        read_back_all(&text);
    }

    #[test]
    fn uris_are_equivalent_to_themselves_and_both_ways(one in uri(), other in uri()) {
        prop_assert!(one.equivalent(&one));
        prop_assert_eq!(one.equivalent(&other), other.equivalent(&one));
    }

    #[test]
    fn an_address_of_record_is_its_own(uri in uri()) {
        let canonical: Uri = uri.address_of_record().try_into().unwrap();
        prop_assert_eq!(canonical.address_of_record(), canonical.text());
    }

    #[test]
    fn sip_uris_are_edited_part_by_part(uri in uri(), user in ".{0,8}", name in "[a-z]{1,8}", value in ".{1,8}", port: u16) {
        if let Uri::Sip(uri) = uri {
            let edited = uri.with_user(&format!("u{user}")).with_port(port).with_param(&name, value.as_str());
            let read: SipUri = edited.as_str().parse().unwrap();
            prop_assert_eq!(imscore_sip::uri::decoded(read.user().unwrap()), format!("u{user}").into_bytes());
            prop_assert_eq!((read.host(), read.port(), read.headers()), (uri.host(), Some(port), uri.headers()));
            prop_assert_eq!(imscore_sip::uri::decoded(read.param(&name).unwrap()), value.into_bytes());
            prop_assert!(!read.without_param(&name).params().contains(&name));
        }
    }

    #[test]
    fn addresses_are_edited_part_by_part(uri in uri(), display in ".{1,8}", name in "[a-z]{1,8}", value in ".{0,8}") {
        let address = NameAddr::new(uri.clone()).with_display_name(&display).with_param(&name, value.as_str());
        let to = To::decode(&address.as_str().into());
        // A tag has rules of its own.
        if let Ok(to) = to {
            prop_assert_eq!(to.uri(), &uri);
            let plain = |text: &str| text.chars().map(|each| if each.is_ascii_control() { ' ' } else { each }).collect::<String>();
            prop_assert_eq!(to.display_name().unwrap(), plain(&display));
            prop_assert_eq!(to.param(&name).unwrap(), plain(&value));
        } else {
            prop_assert_eq!(name, "tag");
        }
    }

    #[test]
    fn vias_are_edited_part_by_part(text in text(), name in "x[a-z]{1,8}", port: u16, address: std::net::IpAddr) {
        if let Ok(via) = Via::decode(&text.as_str().into()) {
            let edited = via.with_received(address).with_rport(port).with_param(&name, None);
            prop_assert_eq!(edited.received(), Some(address));
            prop_assert_eq!(edited.rport(), Some(Some(port)));
            prop_assert!(edited.params().contains(&name));
            prop_assert_eq!((edited.host(), edited.port(), edited.branch()), (via.host(), via.port(), via.branch()));
        }
    }

    #[test]
    fn telephone_numbers_are_themselves_without_separators(number in "\\+[0-9][-.()0-9]{0,20}") {
        let uri: TelUri = format!("tel:{number}").parse().unwrap();
        let canonical: TelUri = uri.address_of_record().try_into().unwrap();
        prop_assert!(uri.equivalent(&canonical));
        prop_assert!(canonical.number()[1..].bytes().all(|digit| digit.is_ascii_digit()));
    }
}
