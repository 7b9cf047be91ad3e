//! What a handler can answer with.

use std::convert::Infallible;
use std::fmt::Display;

use super::extract::{Header, NoDescription, NoText};
use crate::header::{HeaderError, TypedHeader};
use crate::message::{Request, Response, StatusCode};
use crate::sdp::SessionDescription;
use crate::uri::UriError;

/// What a response to a request is made of: a status; that and headers, a description or both; an error of reading the
/// request, which is a 400.
///
/// ```
/// use imscore_sip::header::Expires;
/// use imscore_sip::service::{Header, IntoResponse};
/// use imscore_sip::{Method, Request, StatusCode};
///
/// let subscribe = Request::new(&Method::Subscribe, "sip:bob@ims.example");
/// let response = (StatusCode::OK, Header(Expires(600))).into_response(&subscribe);
/// assert_eq!(response.headers.raw("Expires"), Some(&b"600"[..]));
/// ```
pub trait IntoResponse {
    /// The response to that request.
    fn into_response(self, request: &Request) -> Response;
}

impl IntoResponse for Response {
    fn into_response(self, _: &Request) -> Response {
        self
    }
}

impl IntoResponse for StatusCode {
    fn into_response(self, request: &Request) -> Response {
        request.reply(self)
    }
}

impl IntoResponse for Infallible {
    fn into_response(self, _: &Request) -> Response {
        match self {}
    }
}

/// 200 with that body.
impl IntoResponse for SessionDescription {
    fn into_response(self, request: &Request) -> Response {
        (StatusCode::OK, self).into_response(request)
    }
}

impl<T: IntoResponse, H: TypedHeader> IntoResponse for (T, Header<H>) {
    fn into_response(self, request: &Request) -> Response {
        self.0.into_response(request).with(self.1.0)
    }
}

impl<T: IntoResponse> IntoResponse for (T, SessionDescription) {
    fn into_response(self, request: &Request) -> Response {
        self.0.into_response(request).with_body("application/sdp", self.1.to_bytes())
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    fn into_response(self, request: &Request) -> Response {
        match self {
            Ok(answer) => answer.into_response(request),
            Err(refusal) => refusal.into_response(request),
        }
    }
}

impl IntoResponse for HeaderError {
    fn into_response(self, request: &Request) -> Response {
        warned(request, StatusCode::BAD_REQUEST, &self)
    }
}

impl IntoResponse for UriError {
    fn into_response(self, request: &Request) -> Response {
        warned(request, StatusCode::BAD_REQUEST, &self)
    }
}

impl IntoResponse for NoText {
    fn into_response(self, request: &Request) -> Response {
        warned(request, StatusCode::BAD_REQUEST, &self)
    }
}

impl IntoResponse for NoDescription {
    fn into_response(self, request: &Request) -> Response {
        match self {
            NoDescription::OtherType => {
                let mut response = warned(request, StatusCode::UNSUPPORTED_MEDIA_TYPE, &self);
                // RFC 3261 §21.4.13.
                response.headers.push_raw("Accept", b"application/sdp");
                response
            }
            NoDescription::Malformed(_) => warned(request, StatusCode::BAD_REQUEST, &self),
        }
    }
}

/// What went wrong is said in a Warning (RFC 3261 §20.43).
fn warned(request: &Request, status: StatusCode, cause: &dyn Display) -> Response {
    let mut response = request.reply(status);
    let text = cause.to_string().replace(['"', '\\'], "'");
    response.headers.push_raw("Warning", format!("399 - \"{text}\"").as_bytes());
    response
}
