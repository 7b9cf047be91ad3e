//! The session description in a message.

use crate::header::{ContentType, Name, TypedHeader};
use crate::message::Headers;
use crate::sdp::{SdpError, SessionDescription};

/// The media type of a session description.
pub(super) const SDP: &str = "application/sdp";

/// The session description in a body of that type.
pub(super) fn description(headers: &Headers, body: bytes::Bytes) -> Result<Option<SessionDescription>, SdpError> {
    if body.is_empty() || !is_sdp(headers) {
        return Ok(None);
    }
    SessionDescription::parse(body).map(Some)
}

/// True where the body is none that a session is made of: neither a description nor something of several parts.
pub(super) fn is_foreign(headers: &Headers, body: &[u8]) -> bool {
    let is_parts = |value: &[u8]| value.get(..10).is_some_and(|head| head.eq_ignore_ascii_case(b"multipart/"));
    !body.is_empty() && !is_sdp(headers) && !headers.raw(ContentType::NAME).is_some_and(is_parts)
}

fn is_sdp(headers: &Headers) -> bool {
    let Some(value) = headers.raw(Name::CONTENT_TYPE) else { return false };
    let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
    value[..end].trim_ascii().eq_ignore_ascii_case(SDP.as_bytes())
}
