//! Responses.

use std::fmt;

use bytes::Bytes;

use super::{Headers, Line, Lines, Span, StatusCode};
use crate::header::{Name, Seen, TypedHeader};

/// A response: its status line, its headers, its body.
#[derive(Clone)]
pub struct Response {
    /// The header lines.
    pub headers: Headers,
    status: StatusCode,
    /// The reason phrase in the received bytes.
    reason: (u16, u16),
    body: Span,
}

const VERSION: &[u8] = b"SIP/2.0";

/// The place of a reason phrase that was replaced.
const REWRITTEN: (u16, u16) = (0, 0);

impl Response {
    pub(super) fn received(headers: Headers, status: u16, reason: (u16, u16), body: Span) -> Response {
        let status = StatusCode::new(status).unwrap_or(StatusCode::SERVER_INTERNAL_ERROR);
        Response { headers, status, reason, body }
    }

    /// A response whose lines of the names that `copies` says yes to are those of a request, in the request's order.
    pub(super) fn built(status: StatusCode, request: &Headers, copies: impl Fn(Name) -> bool) -> Response {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(VERSION);
        bytes.extend_from_slice(&status.spaced());
        bytes.extend_from_slice(status.reason().as_bytes());
        let reason = (12, bytes.len() as u16);
        bytes.extend_from_slice(b"\r\n");
        let mut lines = Lines::new();
        let mut seen = Seen::NOTHING;
        let mut put = |name: Name, value: &[u8], folded: bool| {
            let start = bytes.len();
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
            let line = Line::new(name, start, name.as_str().len() + 2, bytes.len() - start);
            if let Some(line) = line {
                seen.note(name);
                lines.push(line.folded(folded.into()));
            }
        };
        for (name, value, folded) in request.named_and_folded() {
            if copies(name) {
                put(name, value, folded);
            }
        }
        put(Name::CONTENT_LENGTH, b"0", false);
        let end = bytes.len() as u32;
        let headers = Headers::of(bytes.into(), lines, seen);
        Response { headers, status, reason, body: Span { start: end, end } }
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The reason phrase as it stands.
    pub fn reason(&self) -> &[u8] {
        match self.reason {
            REWRITTEN => self.status.reason().as_bytes(),
            (start, end) => &self.headers.bytes[usize::from(start)..usize::from(end)],
        }
    }

    /// Puts another status code in place, with the reason phrase that belongs to it.
    pub fn set_status(&mut self, status: StatusCode) {
        (self.status, self.reason) = (status, REWRITTEN);
    }

    /// Gives the response a To tag, unless it has one.
    pub fn set_to_tag(&mut self, tag: &str) {
        let Some(to) = self.headers.raw(Name::TO) else {
            return;
        };
        if crate::header::tag_of(to).is_none() {
            let tagged = [to, b";tag=", tag.as_bytes()].concat();
            self.headers.replace_raw(Name::TO, &tagged);
        }
    }

    /// The response with a To tag, unless it has one.
    #[must_use]
    pub fn with_to_tag(mut self, tag: &str) -> Response {
        self.set_to_tag(tag);
        self
    }

    /// Adds a header behind all others.
    #[must_use]
    pub fn with<H: TypedHeader>(mut self, header: H) -> Response {
        self.headers.push(&header);
        self
    }

    /// Puts a body in place, with its Content-Type and Content-Length.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Response {
        self.headers.set_body(content_type, body.into());
        self
    }

    /// The body.
    pub fn body(&self) -> Bytes {
        self.headers.body(self.body)
    }

    /// The bytes to send.
    pub fn to_bytes(&self) -> Bytes {
        self.write(self.headers.copied_buffer())
    }

    /// As [`Response::to_bytes`], in the buffer that holds the edits: one allocation for both.
    pub fn into_bytes(mut self) -> Bytes {
        let buffer = self.headers.take_buffer();
        self.write(buffer)
    }

    fn write(&self, buffer: Vec<u8>) -> Bytes {
        let code = self.status.spaced();
        let (code, reason) = match self.reason {
            REWRITTEN => (&code[..], self.status.reason().as_bytes()),
            (_, end) => (&self.headers.bytes[VERSION.len()..usize::from(end)], &b""[..]),
        };
        // RFC 3261 §7.1: in capitals, however it came.
        let first = [VERSION, code, reason, b"\r\n"];
        self.headers.write(buffer, first, self.headers.body_bytes(self.body))
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", String::from_utf8_lossy(&self.to_bytes()))
    }
}
