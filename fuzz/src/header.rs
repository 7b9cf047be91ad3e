//! Typed headers: what is decoded and written decodes to the same.

use imscore_sip::header::*;
use imscore_sip::{ByteString, Message, Method, Request};

use super::input::roomy;

/// The types, by the number of an input's first byte from `@`. New ones stand at the end, so that seeds keep theirs.
const TYPES: [fn(&[u8]); 131] = [
    header::<Via>,
    header::<From>,
    header::<To>,
    header::<Contact>,
    header::<Route>,
    header::<RecordRoute>,
    header::<Path>,
    header::<ServiceRoute>,
    header::<PAssertedIdentity>,
    header::<PPreferredIdentity>,
    header::<PAssociatedUri>,
    header::<PCalledPartyId>,
    header::<PServedUser>,
    header::<ReferTo>,
    header::<ReferredBy>,
    header::<ReplyTo>,
    header::<HistoryInfo>,
    header::<Diversion>,
    header::<CallId>,
    header::<CSeq>,
    header::<MaxForwards>,
    header::<MaxBreadth>,
    header::<Expires>,
    header::<MinExpires>,
    header::<RSeq>,
    header::<RAck>,
    header::<Authorization>,
    header::<ProxyAuthorization>,
    header::<WwwAuthenticate>,
    header::<ProxyAuthenticate>,
    header::<ContentType>,
    header::<ContentDisposition>,
    header::<Date>,
    header::<RetryAfter>,
    header::<Event>,
    header::<SubscriptionState>,
    header::<PAccessNetworkInfo>,
    header::<PChargingVector>,
    header::<PChargingFunctionAddresses>,
    header::<PVisitedNetworkId>,
    header::<Reason>,
    header::<Warning>,
    header::<SessionExpires>,
    header::<MinSe>,
    header::<Privacy>,
    header::<Organization>,
    header::<Server>,
    header::<Subject>,
    header::<UserAgent>,
    header::<Allow>,
    header::<Supported>,
    header::<Require>,
    header::<ProxyRequire>,
    header::<Unsupported>,
    header::<ContentLength>,
    header::<Accept>,
    header::<AcceptContact>,
    header::<AcceptEncoding>,
    header::<AcceptLanguage>,
    header::<AcceptResourcePriority>,
    header::<AdditionalIdentity>,
    header::<AlertInfo>,
    header::<AlertMsgError>,
    header::<AllowEvents>,
    header::<AnswerMode>,
    header::<AttestationInfo>,
    header::<AuthenticationInfo>,
    header::<CallInfo>,
    header::<CellularNetworkInfo>,
    header::<ContentEncoding>,
    header::<ContentId>,
    header::<ContentLanguage>,
    header::<DcInfo>,
    header::<ErrorInfo>,
    header::<FeatureCaps>,
    header::<FlowTimer>,
    header::<Geolocation>,
    header::<GeolocationError>,
    header::<GeolocationRouting>,
    header::<Identity>,
    header::<InReplyTo>,
    header::<InfoPackage>,
    header::<Join>,
    header::<MimeVersion>,
    header::<OriginationId>,
    header::<PAnswerState>,
    header::<PAssertedService>,
    header::<PChargeInfo>,
    header::<PDcsBillingInfo>,
    header::<PDcsLaes>,
    header::<PDcsOsps>,
    header::<PDcsRedirect>,
    header::<PDcsTracePartyId>,
    header::<PEarlyMedia>,
    header::<PMediaAuthorization>,
    header::<PPreferredService>,
    header::<PPrivateNetworkIndication>,
    header::<PProfileKey>,
    header::<PRefusedUriList>,
    header::<PUserDatabase>,
    header::<PermissionMissing>,
    header::<PolicyContact>,
    header::<PolicyId>,
    header::<Priority>,
    header::<PriorityShare>,
    header::<PriorityVerstat>,
    header::<PrivAnswerMode>,
    header::<ProxyAuthenticationInfo>,
    header::<RecvInfo>,
    header::<ReferEventsAt>,
    header::<ReferSub>,
    header::<RejectContact>,
    header::<RelayedCharge>,
    header::<Replaces>,
    header::<RequestDisposition>,
    header::<ResourcePriority>,
    header::<ResourceShare>,
    header::<ResponseSource>,
    header::<RestorationInfo>,
    header::<SecurityClient>,
    header::<SecurityServer>,
    header::<SecurityVerify>,
    header::<ServiceInteractInfo>,
    header::<SessionId>,
    header::<SipETag>,
    header::<SipIfMatch>,
    header::<SuppressIfMatch>,
    header::<TargetDialog>,
    header::<Timestamp>,
    header::<TriggerConsent>,
    header::<UserToUser>,
];

/// The value of a header, whose type the first byte names.
pub fn typed_header(data: &[u8]) {
    let Some((first, value)) = data.split_first() else { return };
    if let Some(check) = TYPES.get(usize::from(first.wrapping_sub(b'@'))) {
        check(value);
    }
}

/// As a line of a message, which is how values of strangers come.
fn header<H: TypedHeader>(value: &[u8]) {
    if let Ok(text) = ByteString::try_from(value) {
        let _ = H::decode(&text);
    }
    let line = [b"OPTIONS sip:a@b SIP/2.0\r\n", H::NAME.as_str().as_bytes(), b": ", value, b"\r\n\r\n"].concat();
    let Ok(Message::Request(request)) = Message::parse(line.into()) else { return };
    let values: Vec<H> = request.headers.typed().flatten().collect();
    for value in &values {
        let written = value.to_string();
        let again = H::decode(&written.as_str().into());
        assert_eq!(again.map(|again| again.to_string()).as_deref(), Ok(&*written), "as {}", H::NAME);
    }
    if H::NAME == Name::CONTENT_LENGTH {
        return;
    }
    let mut sent = Request::new(&Method::Options, "sip:a@b");
    values.iter().for_each(|value| sent.headers.push(value));
    // A list of one line becomes as many lines as it has values.
    let Ok(Message::Request(sent)) = Message::parse_with(sent.to_bytes(), &roomy()) else {
        panic!("not to be read: {sent:?}")
    };
    // NUL, which a quoted pair may hold, is written as a space, and at the end read as none.
    let spaced = |value: &H| value.to_string().replace('\0', " ").trim_ascii_end().to_string();
    let written: Vec<String> = values.iter().map(spaced).collect();
    let again: Vec<String> = sent.headers.typed::<H>().flatten().map(|value| value.to_string()).collect();
    assert_eq!(again, written, "as {}", H::NAME);
}
