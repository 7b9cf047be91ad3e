//! URIs: each is its text, comparison is one, and what is built from one is one.

use imscore_sip::ByteString;
use imscore_sip::header::{Route, To, TypedHeader};
use imscore_sip::uri::{MAX_LEN, SipUri, TelUri, Uri, decoded};

/// Two URIs, or a URI and a text to edit it with, on two lines.
pub fn uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (first, second) = text.split_once('\n').unwrap_or((text, text));
    let Some(one) = read(first) else { return };
    if let Some(other) = read(second) {
        let equivalent = one.equivalent(&other);
        assert_eq!(equivalent, other.equivalent(&one), "{one} and {other}");
        let is_identity = equivalent && !matches!(one, Uri::Other(_));
        assert!(!is_identity || one.address_of_record() == other.address_of_record(), "{one} and {other}");
    }
    let text: String = second.chars().filter(|character| !character.is_control()).collect();
    if text.len() > 80 {
        return;
    }
    if let Uri::Sip(uri) = &one
        && uri.as_str().len() + 3 * text.len() + 16 < MAX_LEN
        && uri.params().count() < 60
    {
        edited(uri, &text);
    }
    if let Uri::Tel(number) = &one
        && number.as_str().len() + 3 * text.len() + 16 < MAX_LEN
        && number.params().count() < 60
    {
        let edited = number.with_param("x-y", text.as_str());
        let again: TelUri = edited.as_str().parse().expect("an edited number is one");
        assert_eq!(again.param("X-Y").map(|value| decoded(value).into_owned()), Some(text.as_bytes().to_vec()));
        assert_eq!(again.without_param("x-y"), number.without_param("x-y"));
    }
    if let Some(urn) = one.as_urn() {
        let _ = (urn.service(), urn.is_emergency(), urn.uuid(), urn.imei());
        assert!(one.as_str().contains(urn.specific()));
    }
    named(&one, &text);
}

fn read(text: &str) -> Option<Uri> {
    let uri = Uri::try_from(ByteString::from(text)).ok()?;
    assert_eq!(uri.to_string(), text);
    assert!(uri.equivalent(&uri), "{uri} is not itself");
    let record = uri.address_of_record();
    if record.len() > MAX_LEN {
        // What its phone did not escape is escaped there.
        return Some(uri);
    }
    let again = Uri::try_from(record.clone()).expect("an address of record is a URI");
    assert_eq!(again.address_of_record(), record, "of {uri}");
    Some(uri)
}

fn edited(uri: &SipUri, text: &str) {
    let check = |edited: &SipUri| {
        let read = Uri::try_from(edited.text()).ok();
        let Some(Uri::Sip(again)) = read else { panic!("{edited} is no URI any more") };
        let parts = |uri: &SipUri| {
            let params: Vec<_> =
                uri.params().iter().map(|(name, value)| (name.to_string(), value.map(String::from))).collect();
            (uri.user().map(String::from), uri.host().to_string(), uri.port(), params, uri.headers().map(String::from))
        };
        assert_eq!(parts(edited), parts(&again));
    };
    let called = uri.with_user(text);
    check(&called);
    assert_eq!(decoded(called.user().unwrap_or_default()), text.as_bytes());
    for plain in
        [uri.without_user(), uri.without_params(), uri.without_headers(), uri.with_port(5070), uri.with_port(None)]
    {
        check(&plain);
    }
    if let Ok(moved) = uri.with_host(text) {
        check(&moved);
    }
    let valued = uri.with_param("x-y", text);
    check(&valued);
    assert_eq!(valued.param("X-Y").map(|value| decoded(value).into_owned()), Some(text.as_bytes().to_vec()));
    assert_eq!(valued.params().count(), uri.without_param("x-y").params().count() + 1);
    if !text.is_empty() {
        check(&uri.with_param(text, None));
    }
    let asked = uri.without_headers().with_header_field("x-y", text);
    check(&asked);
    assert_eq!(asked.header_field("X-Y").as_deref(), Some(text));
    assert_eq!(asked.is_gruu(), uri.is_gruu());
    if let Some(number) = uri.to_tel() {
        assert!(number.to_sip(uri.host()).is_ok_and(|twin| twin.is_phone()));
    }
}

/// A URI in a header, with a name and a parameter that anybody may have chosen.
fn named(uri: &Uri, text: &str) {
    let bracketed = ByteString::from(format!("<{uri}>"));
    let route = Route::decode(&bracketed).expect("any URI can stand in angle brackets");
    assert_eq!(route.uri().as_str(), uri.as_str());
    let to = To::new(uri.clone()).with_param("x-y", text);
    let again = To::decode(&to.to_string().into()).expect("what was built can be read");
    assert_eq!(again.param("x-y").as_deref(), Some(text), "in {to}");
    let to = To(to.0.with_display_name(text));
    let again = To::decode(&to.to_string().into()).expect("what was built can be read");
    assert_eq!(again.display_name().as_deref().unwrap_or_default(), text, "in {to}");
    assert_eq!(again.uri().as_str(), uri.as_str());
}
