//! What a handler can ask of a request.

use std::convert::Infallible;

use bytes::Bytes;

use super::IntoResponse;
use crate::header::{ContentType, HeaderError, TypedHeader};
use crate::message::{Method, Request};
use crate::sdp::{SdpError, SessionDescription};
use crate::uri::{Uri, UriError};

/// What can be had of a request. A handler is not called where one of its arguments cannot.
///
/// ```
/// use imscore_sip::service::FromRequest;
/// use imscore_sip::{Method, Request, StatusCode};
///
/// /// Only the emergency services may ask.
/// struct Emergency;
///
/// impl<S> FromRequest<S> for Emergency {
///     type Rejection = StatusCode;
///     fn from_request(request: &Request, _: &S) -> Result<Emergency, StatusCode> {
///         if request.target().starts_with("urn:service:sos") { Ok(Emergency) } else { Err(StatusCode::FORBIDDEN) }
///     }
/// }
/// let call = Request::new(&Method::Invite, "urn:service:sos.fire");
/// assert!(Emergency::from_request(&call, &()).is_ok());
/// ```
pub trait FromRequest<S>: Sized {
    /// What is answered where it cannot be had.
    type Rejection: IntoResponse;

    /// Takes it out of the request, or out of the state of the router.
    ///
    /// # Errors
    /// The request has no such thing.
    fn from_request(request: &Request, state: &S) -> Result<Self, Self::Rejection>;
}

/// The first value of a header; `Option<Header<H>>` for one that may be missing. What is missing or malformed gets 400, with
/// the name of the header in a Warning. In a response, a header to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<H>(pub H);

/// All values of a header, in order; none where it is missing.
///
/// ```
/// use imscore_sip::header::Route;
/// use imscore_sip::service::{All, FromRequest};
/// use imscore_sip::{Method, Request};
///
/// let mut request = Request::new(&Method::Options, "sip:bob@ims.example");
/// request.headers.push_raw("Route", b"<sip:a.ims.example;lr>, <sip:b.ims.example;lr>");
/// let All(routes) = All::<Route>::from_request(&request, &())?;
/// assert_eq!(routes.len(), 2);
/// # Ok::<(), imscore_sip::header::HeaderError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct All<H>(pub Vec<H>);

/// A clone of the state that the router was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State<S>(pub S);

/// Why a request has no session description for its handler.
///
/// ```
/// use imscore_sip::sdp::{SdpFault, SessionDescription};
/// use imscore_sip::service::{FromRequest, NoDescription, NoText};
/// use imscore_sip::{Method, Request};
///
/// let invite = Request::new(&Method::Invite, "sip:bob@ims.example").with_body("application/sdp", "v=1\r\n");
/// let refused: Result<SessionDescription, NoDescription> = FromRequest::from_request(&invite, &());
/// assert!(matches!(refused, Err(NoDescription::Malformed(error)) if error.fault == SdpFault::Version));
/// let noise = invite.with_body("text/plain", &b"\xff"[..]);
/// let refused: Result<String, NoText> = FromRequest::from_request(&noise, &());
/// assert_eq!(refused, Err(NoText));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDescription {
    /// Its body is something else, or there is none. Answered with 415.
    #[error("the body is no application/sdp")]
    OtherType,
    /// It cannot be read. Answered with 400.
    #[error(transparent)]
    Malformed(#[from] SdpError),
}

/// The body of a request is not UTF-8. Answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not UTF-8")]
pub struct NoText;

impl<S> FromRequest<S> for Request {
    type Rejection = Infallible;

    fn from_request(request: &Request, _: &S) -> Result<Request, Infallible> {
        Ok(request.clone())
    }
}

impl<S> FromRequest<S> for Method {
    type Rejection = Infallible;

    fn from_request(request: &Request, _: &S) -> Result<Method, Infallible> {
        Ok(request.method())
    }
}

/// The Request-URI.
impl<S> FromRequest<S> for Uri {
    type Rejection = UriError;

    fn from_request(request: &Request, _: &S) -> Result<Uri, UriError> {
        request.uri()
    }
}

impl<S, H: TypedHeader> FromRequest<S> for Header<H> {
    type Rejection = HeaderError;

    fn from_request(request: &Request, _: &S) -> Result<Header<H>, HeaderError> {
        request.headers.first().map(Header)
    }
}

impl<S, H: TypedHeader> FromRequest<S> for Option<Header<H>> {
    type Rejection = HeaderError;

    fn from_request(request: &Request, _: &S) -> Result<Option<Header<H>>, HeaderError> {
        Ok(request.headers.get()?.map(Header))
    }
}

impl<S, H: TypedHeader> FromRequest<S> for All<H> {
    type Rejection = HeaderError;

    fn from_request(request: &Request, _: &S) -> Result<All<H>, HeaderError> {
        request.headers.all().map(All)
    }
}

/// The body as it is.
impl<S> FromRequest<S> for Bytes {
    type Rejection = Infallible;

    fn from_request(request: &Request, _: &S) -> Result<Bytes, Infallible> {
        Ok(request.body())
    }
}

/// The body as text.
impl<S> FromRequest<S> for String {
    type Rejection = NoText;

    fn from_request(request: &Request, _: &S) -> Result<String, NoText> {
        String::from_utf8(request.body().to_vec()).map_err(|_| NoText)
    }
}

/// The body where it is a session description.
impl<S> FromRequest<S> for SessionDescription {
    type Rejection = NoDescription;

    fn from_request(request: &Request, _: &S) -> Result<SessionDescription, NoDescription> {
        match request.headers.first::<ContentType>() {
            Ok(content_type) if content_type.is("application/sdp") => Ok(SessionDescription::parse(request.body())?),
            Ok(_) | Err(_) => Err(NoDescription::OtherType),
        }
    }
}

/// The same, or `None` for a request without a body: an INVITE may leave the offer to the answer.
impl<S> FromRequest<S> for Option<SessionDescription> {
    type Rejection = NoDescription;

    fn from_request(request: &Request, state: &S) -> Result<Option<SessionDescription>, NoDescription> {
        if request.body().is_empty() {
            return Ok(None);
        }
        SessionDescription::from_request(request, state).map(Some)
    }
}

impl<S: Clone> FromRequest<S> for State<S> {
    type Rejection = Infallible;

    fn from_request(_: &Request, state: &S) -> Result<State<S>, Infallible> {
        Ok(State(state.clone()))
    }
}
