//! What a server looks at before it acts on a message (RFC 3261 §8.2.2, §16.3 step 1): the headers that every element
//! needs are there once and can be read, and nothing is there in numbers that no honest sender writes.
//!
//! Values are looked at in place. Nothing is allocated unless a line is folded.

use std::borrow::Cow;

use super::headers::unfold;
use super::{Headers, Method, Request, Response, StatusCode};
use crate::header::{
    CallId, Cause, Checked, Contact, From, HeaderError, Name, Names, RecordRoute, Route, To, Via, read_cseq,
    read_max_forwards,
};
use crate::parse::list;
use crate::uri::{self, UriError};

/// Via, Route and Record-Route values of a message.
const MAX_HOPS: usize = 70;

/// Contact values of a message.
const MAX_CONTACTS: usize = 64;

/// Why a message is not acted upon. A request is answered with [`Rejection::status`], its reason in a Warning; a
/// response is dropped.
///
/// ```
/// use imscore_sip::message::Rejection;
/// use imscore_sip::{Message, StatusCode};
///
/// let Message::Request(request) = Message::parse("OPTIONS sip:h SIP/2.0\r\n\r\n".into())? else {
///     panic!("a request")
/// };
/// let rejection: Rejection = request.check().expect_err("it lacks everything");
/// assert_eq!(rejection.status(), StatusCode::BAD_REQUEST);
/// assert!(rejection.header().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// A header is missing, repeated or cannot be read.
    #[error(transparent)]
    Header(HeaderError),
    /// More values of a header than are read: 70 of Via, Route and Record-Route, 64 of Contact.
    #[error("{0} header has too many values")]
    TooMany(Name),
    /// The Request-URI is none, or carries headers (RFC 3261 §19.1.1).
    #[error("Request-URI {0}")]
    RequestUri(UriError),
    /// CSeq names another method than the request line (RFC 3261 §8.1.1.5).
    #[error("CSeq method is not that of the request")]
    Method,
}

impl Rejection {
    /// The status that a request is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Rejection::RequestUri(UriError::TooLong) => StatusCode::REQUEST_URI_TOO_LONG,
            Rejection::Header(_) | Rejection::TooMany(_) | Rejection::RequestUri(_) | Rejection::Method => {
                StatusCode::BAD_REQUEST
            }
        }
    }

    /// The header that is to blame.
    pub fn header(&self) -> Option<Name> {
        match self {
            Rejection::Header(error) => Some(error.name),
            Rejection::TooMany(name) => Some(*name),
            Rejection::Method => Some(Name::CSEQ),
            Rejection::RequestUri(_) => None,
        }
    }
}

impl std::convert::From<HeaderError> for Rejection {
    fn from(error: HeaderError) -> Rejection {
        Rejection::Header(error)
    }
}

impl Request {
    /// What stands in the way of acting on the request. The scheme of the Request-URI, Max-Forwards at 0, required
    /// extensions and loops are the proxy core's to judge (RFC 3261 §16.3 steps 2 to 6).
    ///
    /// # Errors
    /// The first thing found.
    pub fn check(&self) -> Result<(), Rejection> {
        uri::check_target(self.target_bytes()).map_err(Rejection::RequestUri)?;
        let method = check(&self.headers, true)?;
        if self.is(&method) { Ok(()) } else { Err(Rejection::Method) }
    }
}

impl Response {
    /// What makes the response one to drop (RFC 3261 §8.1.3, §16.7 step 3): as [`Request::check`], but that Contact,
    /// Route and Record-Route are not looked into.
    ///
    /// # Errors
    /// The first thing found.
    pub fn check(&self) -> Result<(), Rejection> {
        check(&self.headers, false).map(drop)
    }
}

/// One pass over the lines; the method of CSeq.
fn check(headers: &Headers, addresses: bool) -> Result<Method, Rejection> {
    let mut seen = Names::default();
    let mut method = None;
    let (mut vias, mut routes, mut recorded, mut contacts) = (0, 0, 0, 0);
    for (name, value, folded) in headers.named_and_folded() {
        let plain = |value| if folded { unfold(value) } else { Cow::Borrowed(value) };
        let blame = |cause| HeaderError { name, cause };
        if name.is_single() && !seen.insert(name) {
            return Err(blame(Cause::Repeated).into());
        }
        match name {
            Name::VIA => {
                // Only the topmost is ours to read; those below are their senders'.
                let top = vias == 0;
                vias += elements::<Via>(value, folded, MAX_HOPS - vias, |index| top && index == 0)?;
            }
            Name::FROM => From::check(&plain(value)).map_err(blame)?,
            Name::TO => To::check(&plain(value)).map_err(blame)?,
            Name::CALL_ID => CallId::check(value).map_err(blame)?,
            Name::CSEQ => method = Some(read_cseq(value).map_err(blame)?.method),
            Name::MAX_FORWARDS => read_max_forwards(value).map(drop).map_err(blame)?,
            Name::ROUTE => routes += elements::<Route>(value, folded, MAX_HOPS - routes, |_| addresses)?,
            Name::RECORD_ROUTE => {
                recorded += elements::<RecordRoute>(value, folded, MAX_HOPS - recorded, |_| addresses)?
            }
            Name::CONTACT => contacts += elements::<Contact>(value, folded, MAX_CONTACTS - contacts, |_| addresses)?,
            _ => (),
        }
    }
    let missing = |name| Err(HeaderError { name, cause: Cause::Missing }.into());
    if vias == 0 {
        return missing(Name::VIA);
    }
    for name in [Name::FROM, Name::TO, Name::CALL_ID] {
        if !seen.contains(name) {
            return missing(name);
        }
    }
    method.map_or_else(|| missing(Name::CSEQ), Ok)
}

/// Counts the values of a line, `room` at most, and reads those that `wanted` picks by their place in it.
fn elements<H: Checked>(
    line: &[u8],
    folded: bool,
    room: usize,
    wanted: impl Fn(usize) -> bool,
) -> Result<usize, Rejection> {
    let mut count = 0;
    for element in list::split(line) {
        if count == room {
            return Err(Rejection::TooMany(H::NAME));
        }
        let verdict = match element {
            [] => Err(Cause::Malformed),
            element if wanted(count) && folded => H::check(&unfold(element)),
            element if wanted(count) => H::check(element),
            _ => Ok(()),
        };
        verdict.map_err(|cause| HeaderError { name: H::NAME, cause })?;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use crate::message::Message;

    const INVITE: &str = "INVITE sip:b@h SIP/2.0\r\n\
        Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
        Max-Forwards: 70\r\n\
        From: <sip:a@h>;tag=1\r\n\
        To: <sip:b@h>\r\n\
        Call-ID: 1@h\r\n\
        CSeq: 1 INVITE\r\n\
        Contact: <sip:a@192.0.2.1>\r\n\
        Route: <sip:p1;lr>, <sip:p2;lr>\r\n\
        Content-Length: 0\r\n\r\n";

    fn verdict(text: &str) -> String {
        let verdict = match Message::parse(text.to_string().into()).unwrap() {
            Message::Request(request) => request.check(),
            Message::Response(response) => response.check(),
        };
        verdict.map_or_else(|rejection| format!("{} {rejection}", rejection.status()), |()| "ok".to_string())
    }

    #[test]
    fn requests() {
        for (from, to, expected) in [
            ("", "", "ok"),
            ("Via: ", "Via:\r\n ", "ok"),
            ("Contact: <sip:a@192.0.2.1>", "Contact:\r\n <sip:a@192.0.2.1>\r\n ;x\r\n , <sip:b>", "ok"),
            ("Max-Forwards: 70\r\n", "", "ok"),
            (";tag=1", "", "ok"),
            ("Via", "X-A", "400 Via header is missing"),
            ("From", "X-A", "400 From header is missing"),
            ("To", "X-A", "400 To header is missing"),
            ("Call-ID", "X-A", "400 Call-ID header is missing"),
            ("CSeq", "X-A", "400 CSeq header is missing"),
            ("To: <sip:b@h>", "To: <sip:b@h>\r\nt: <sip:b@h>", "400 To header stands more than once"),
            ("To: <sip:b@h>", "To: <sip:b@h>;tag=1;tag=2", "400 To header stands more than once"),
            ("To: <sip:b@h>", "To: <sip:b@h>;tag=", "400 To header is malformed"),
            ("To: <sip:b@h>", "To: \"open <sip:b@h>", "400 To header is malformed"),
            ("Call-ID: 1@h", "Call-ID: 1 h", "400 Call-ID header is malformed"),
            ("CSeq: 1 INVITE", "CSeq: 1 OPTIONS", "400 CSeq method is not that of the request"),
            ("CSeq: 1 INVITE", "CSeq: 1 invite", "400 CSeq method is not that of the request"),
            ("CSeq: 1 INVITE", "CSeq: 2147483648 INVITE", "400 CSeq header holds a number that is too large"),
            ("Max-Forwards: 70", "Max-Forwards: 256", "400 Max-Forwards header holds a number that is too large"),
            ("Max-Forwards: 70", "Max-Forwards: 7\r\n 0", "400 Max-Forwards header is malformed"),
            (
                "Max-Forwards: 70",
                "Max-Forwards: 70\r\nMax-Forwards: 70",
                "400 Max-Forwards header stands more than once",
            ),
            ("branch=z9hG4bK1", "branch=", "400 Via header is malformed"),
            ("z9hG4bK1", "z9hG4bK1,", "400 Via header is malformed"),
            ("z9hG4bK1", "z9hG4bK1, malformed but not ours", "ok"),
            ("<sip:a@192.0.2.1>", "sip:a@h?Route=%3Csip:x%3E", "400 Contact header is malformed"),
            ("<sip:p2;lr>", "sip:p2", "400 Route header is malformed"),
            ("Route: <sip:p1", "Record-Route: <sip:p 1", "400 Record-Route header is malformed"),
            ("sip:b@h SIP", "sip:b@h?Route=%3Csip:x%3E SIP", "400 Request-URI has malformed headers"),
            ("sip:b@h SIP", "sip:2001:db8::9 SIP", "400 Request-URI has a malformed port"),
            ("sip:b@h SIP", "b SIP", "400 Request-URI has not the right scheme"),
            ("sip:b@h SIP", "unknown:b SIP", "ok"),
            ("sip:b@h SIP", "urn:service:sos SIP", "ok"),
            ("Content-Length", "Event: a\r\nEvent: b\r\nContent-Length", "400 Event header stands more than once"),
            ("Content-Length", "X-A: a\r\nX-A: b\r\nContent-Length", "ok"),
        ] {
            let text = INVITE.replacen(from, to, 1);
            assert!(from == to || text != INVITE, "{from}");
            assert_eq!(verdict(&text), expected, "{to}");
        }
    }

    #[test]
    fn responses() {
        let response = INVITE.replacen("INVITE sip:b@h SIP/2.0", "SIP/2.0 200 OK", 1);
        for (from, to, expected) in [
            ("", "", "ok"),
            ("CSeq: 1 INVITE", "CSeq: 1 BYE", "ok"),
            ("<sip:a@192.0.2.1>", "\"open", "ok"),
            (
                "CSeq: 1 INVITE",
                "CSeq: 9292394834772304023312 OPTIONS",
                "400 CSeq header holds a number that is too large",
            ),
            ("Via", "X-A", "400 Via header is missing"),
        ] {
            assert_eq!(verdict(&response.replacen(from, to, 1)), expected, "{to}");
        }
    }

    /// One below, at, and one above, on one line and on many.
    #[test]
    fn numbers_of_values() {
        for (name, value, limit, line) in [
            ("Via", "SIP/2.0/UDP h;branch=z9hG4bK1", 70, "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"),
            ("Route", "<sip:h;lr>", 70, "Route: <sip:p1;lr>, <sip:p2;lr>\r\n"),
            ("Record-Route", "<sip:h;lr>", 70, ""),
            ("Contact", "<sip:h>", 64, "Contact: <sip:a@192.0.2.1>\r\n"),
        ] {
            let without = INVITE.replacen(line, "", 1);
            for (count, ok) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
                let expected = if ok { "ok".to_string() } else { format!("400 {name} header has too many values") };
                let lines = format!("{name}: {value}\r\n").repeat(count);
                assert_eq!(verdict(&without.replacen("Max-", &format!("{lines}Max-"), 1)), expected, "{count}");
                let list = format!("{name}: {}\r\n", vec![value; count].join(","));
                assert_eq!(verdict(&without.replacen("Max-", &format!("{list}Max-"), 1)), expected, "{count}");
            }
        }
    }
}
