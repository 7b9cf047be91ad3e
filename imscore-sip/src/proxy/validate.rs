//! What a proxy looks at before it forwards: RFC 3261 §16.3.

use crate::header::{MaxForwards, Name};
use crate::message::{Request, Response, StatusCode};
use crate::uri::Uri;

/// Why a request is not forwarded.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// Text for a Warning header, that says what is wrong.
    reason: String,
    unsupported: Vec<String>,
}

impl Refusal {
    fn new(status: StatusCode, reason: impl Into<String>) -> Refusal {
        Refusal { status, reason: reason.into(), unsupported: Vec::new() }
    }

    pub(super) fn reply(&self, request: &Request) -> Response {
        let mut reply = request.reply(self.status);
        for option in &self.unsupported {
            reply.headers.push_raw(Name::UNSUPPORTED.as_str(), option.as_bytes());
        }
        if !self.reason.is_empty() {
            // 399: a text for people (RFC 3261 §20.43).
            reply.headers.push_raw("Warning", format!("399 - \"{}\"", self.reason).as_bytes());
        }
        reply
    }
}

pub(super) fn loop_detected() -> Refusal {
    Refusal::new(StatusCode::LOOP_DETECTED, "")
}

/// RFC 3261 §16.3 steps 1, 2, 3 and 5; the loop check of step 4 needs the node's own branches.
pub(super) fn check(request: &Request, supported: &[String]) -> Result<(), Refusal> {
    match request.uri() {
        Ok(Uri::Other(uri)) if !uri.scheme().eq_ignore_ascii_case("urn") => {
            return Err(Refusal::new(StatusCode::UNSUPPORTED_URI_SCHEME, ""));
        }
        Ok(_) => {}
        Err(error) => return Err(Refusal::new(StatusCode::BAD_REQUEST, format!("Request-URI: {error}"))),
    }
    request.check().map_err(|rejection| Refusal::new(rejection.status(), rejection.to_string()))?;
    if request.headers.get::<MaxForwards>().ok().flatten().is_some_and(|hops| hops.0 == 0) {
        return Err(Refusal::new(StatusCode::TOO_MANY_HOPS, ""));
    }
    let mut unsupported = Vec::new();
    for option in request.headers.raw_all(Name::PROXY_REQUIRE).flat_map(|line| line.split(|byte| *byte == b',')) {
        let option = option.trim_ascii();
        if !supported.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(option)) {
            unsupported.push(String::from_utf8_lossy(option).into_owned());
        }
    }
    if !unsupported.is_empty() {
        return Err(Refusal { unsupported, ..Refusal::new(StatusCode::BAD_EXTENSION, "") });
    }
    Ok(())
}
