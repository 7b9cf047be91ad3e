//! Requests.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use super::{Headers, Method, Response, Span, StatusCode};
use crate::header::{Name, TypedHeader};
use crate::uri::{self, Uri, UriError};

/// A request: its line, its headers, its body.
#[derive(Clone)]
pub struct Request {
    /// The header lines.
    pub headers: Headers,
    /// Where the method ends in the received bytes.
    method: u16,
    /// The Request-URI in the received bytes.
    target: (u16, u16),
    body: Span,
}

impl Request {
    /// A request without headers. Content-Length is written as 0 until a body is set. Bytes that no URI holds are
    /// escaped in `target`.
    pub fn new(method: &Method, target: &str) -> Request {
        let target = uri::made_legible(target.into());
        let line = format!("{method} {target} SIP/2.0\r\n");
        let (from, end) = (method.as_str().len() + 1, line.len() as u32);
        let mut headers = Headers::built(line);
        headers.push_raw("Content-Length", b"0");
        Request {
            headers,
            method: (from - 1) as u16,
            target: (from as u16, (from + target.len()) as u16),
            body: Span { start: end, end },
        }
    }

    pub(super) fn received(headers: Headers, method: u16, target: (u16, u16), body: Span) -> Request {
        Request { headers, method, target, body }
    }

    /// The method.
    pub fn method(&self) -> Method {
        let token = &self.headers.bytes[..usize::from(self.method)];
        Method::known(token).unwrap_or_else(|| {
            Method::Extension(ByteString::try_from(self.headers.bytes.slice_ref(token)).unwrap_or_default())
        })
    }

    /// True for that method, without reading it out.
    pub fn is(&self, method: &Method) -> bool {
        &self.headers.bytes[..usize::from(self.method)] == method.as_str().as_bytes()
    }

    /// The Request-URI as it stands. Bytes that are not UTF-8 make it empty.
    pub fn target(&self) -> ByteString {
        match self.headers.replaced.as_ref().and_then(|replaced| replaced.target.as_ref()) {
            Some(rewritten) => rewritten.clone(),
            None => ByteString::try_from(self.headers.bytes.slice(self.received_target())).unwrap_or_default(),
        }
    }

    /// The Request-URI.
    ///
    /// # Errors
    /// What makes the text none.
    pub fn uri(&self) -> Result<Uri, UriError> {
        Uri::try_from(self.target())
    }

    /// Puts another Request-URI in place. Bytes that no URI holds are escaped, so that they break no line.
    pub fn set_target(&mut self, target: impl Into<ByteString>) {
        self.headers.replaced_mut().target = Some(uri::made_legible(target.into()));
    }

    /// Adds a header behind all others.
    #[must_use]
    pub fn with<H: TypedHeader>(mut self, header: H) -> Request {
        self.headers.push(&header);
        self
    }

    /// Puts a body in place, with its Content-Type and Content-Length.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Request {
        self.set_body(content_type, body);
        self
    }

    /// Puts a body in place, with its Content-Type and Content-Length.
    pub fn set_body(&mut self, content_type: &str, body: impl Into<Bytes>) {
        self.headers.set_body(content_type, body.into());
    }

    /// The body.
    pub fn body(&self) -> Bytes {
        self.headers.body(self.body)
    }

    /// A response to this request: Via, From, To, Call-ID and CSeq as they stand here, Timestamp in a 100, and the
    /// Record-Route of the request in what may set up a dialog (RFC 3261 §8.2.6, §12.1.1).
    ///
    /// The To tag that all but a 100 need is the caller's: [`Response::set_to_tag`].
    pub fn reply(&self, status: StatusCode) -> Response {
        Response::built(status, &self.headers, |name| match name {
            Name::VIA | Name::FROM | Name::TO | Name::CALL_ID | Name::CSEQ => true,
            Name::TIMESTAMP => status == StatusCode::TRYING,
            Name::RECORD_ROUTE => status != StatusCode::TRYING && status.code() < 300,
            _ => false,
        })
    }

    /// The bytes to send.
    pub fn to_bytes(&self) -> Bytes {
        self.write(self.headers.copied_buffer())
    }

    /// As [`Request::to_bytes`], in the buffer that holds the edits: one allocation for both.
    pub fn into_bytes(mut self) -> Bytes {
        let buffer = self.headers.take_buffer();
        self.write(buffer)
    }

    /// The bytes as they came in, without a copy while nothing was edited.
    pub(crate) fn kept(&self) -> Bytes {
        if self.headers.is_edited() { self.to_bytes() } else { self.headers.bytes.clone() }
    }

    fn write(&self, buffer: Vec<u8>) -> Bytes {
        let before = &self.headers.bytes[..self.received_target().start];
        let first = [before, self.target_bytes(), b" SIP/2.0\r\n", b""];
        self.headers.write(buffer, first, self.headers.body_bytes(self.body))
    }

    /// The Request-URI, whatever its bytes are.
    pub(super) fn target_bytes(&self) -> &[u8] {
        match self.headers.replaced.as_ref().and_then(|replaced| replaced.target.as_ref()) {
            Some(rewritten) => rewritten.as_bytes(),
            None => &self.headers.bytes[self.received_target()],
        }
    }

    fn received_target(&self) -> std::ops::Range<usize> {
        usize::from(self.target.0)..usize::from(self.target.1)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", String::from_utf8_lossy(&self.to_bytes()))
    }
}
