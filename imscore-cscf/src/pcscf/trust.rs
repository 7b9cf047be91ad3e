//! The edge of the trust domain: which headers only the core may write, and which only the core may read (RFC 3325 §5,
//! TS 24.229 §4.4).

use imscore_sip::header::{Authorization, Name};
use imscore_sip::{Headers, Request};

/// What a phone may not say in a request or a response: it is taken out of what comes in.
const FROM_CORE_ONLY: &[Name] = &[
    Name::ADDITIONAL_IDENTITY,
    Name::ATTESTATION_INFO,
    Name::FEATURE_CAPS,
    Name::ORIGINATION_ID,
    Name::P_ASSERTED_IDENTITY,
    Name::P_ASSERTED_SERVICE,
    Name::P_ASSOCIATED_URI,
    Name::P_CALLED_PARTY_ID,
    Name::P_CHARGE_INFO,
    Name::P_CHARGING_FUNCTION_ADDRESSES,
    Name::P_CHARGING_VECTOR,
    Name::P_DCS_BILLING_INFO,
    Name::P_DCS_LAES,
    Name::P_DCS_OSPS,
    Name::P_DCS_REDIRECT,
    Name::P_DCS_TRACE_PARTY_ID,
    Name::P_MEDIA_AUTHORIZATION,
    Name::P_PRIVATE_NETWORK_INDICATION,
    Name::P_PROFILE_KEY,
    Name::P_SERVED_USER,
    Name::P_USER_DATABASE,
    Name::P_VISITED_NETWORK_ID,
    Name::PATH,
    Name::PRIORITY_VERSTAT,
    Name::RELAYED_CHARGE,
    Name::RESOURCE_SHARE,
    Name::RESPONSE_SOURCE,
    Name::RESTORATION_INFO,
    Name::SERVICE_INTERACT_INFO,
    Name::SERVICE_ROUTE,
];

/// What a phone is not told: it is taken out of what goes out.
const TO_CORE_ONLY: &[Name] = &[
    Name::ATTESTATION_INFO,
    Name::CELLULAR_NETWORK_INFO,
    Name::ORIGINATION_ID,
    Name::P_ACCESS_NETWORK_INFO,
    Name::P_CHARGE_INFO,
    Name::P_CHARGING_FUNCTION_ADDRESSES,
    Name::P_CHARGING_VECTOR,
    Name::P_PRIVATE_NETWORK_INDICATION,
    Name::P_PROFILE_KEY,
    Name::P_SERVED_USER,
    Name::P_USER_DATABASE,
    Name::P_VISITED_NETWORK_ID,
    Name::RELAYED_CHARGE,
    Name::RESTORATION_INFO,
    Name::SERVICE_INTERACT_INFO,
];

/// Takes out of a phone's message what only the core may say.
pub(super) fn strip_from_phone(headers: &mut Headers) {
    headers.remove_all(FROM_CORE_ONLY);
}

/// Takes out of a phone's request what only the core may say: a phone is on no route and vouches for no registration.
pub(super) fn strip_request_from_phone(request: &mut Request) {
    strip_from_phone(&mut request.headers);
    request.headers.remove(Name::RECORD_ROUTE);
    let vouches = |value: &Authorization| value.param("integrity-protected").is_some();
    if request.headers.typed::<Authorization>().flatten().any(|value| vouches(&value)) {
        let plain: Vec<Authorization> = request
            .headers
            .typed::<Authorization>()
            .flatten()
            .map(|value| value.without("integrity-protected").into())
            .collect();
        request.headers.remove(Name::AUTHORIZATION);
        plain.iter().for_each(|value| request.headers.push(value));
    }
}

/// Takes out of a message to a phone what is the core's business, and the asserted identity where privacy is asked for
/// (RFC 3325 §9.3).
pub(super) fn strip_to_phone(headers: &mut Headers) {
    headers.remove_all(TO_CORE_ONLY);
    if wants_privacy(headers) {
        headers.remove(Name::P_ASSERTED_IDENTITY);
    }
}

fn wants_privacy(headers: &Headers) -> bool {
    let is_id = |value: &[u8]| value.trim_ascii().eq_ignore_ascii_case(b"id");
    headers.raw_all(Name::PRIVACY).any(|privacy| privacy.split(|byte| matches!(byte, b';' | b',')).any(is_id))
}
