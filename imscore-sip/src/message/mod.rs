//! SIP messages: bytes as received, an index of their lines, and the edits made since (RFC 3261 §7).
//!
//! ```
//! use imscore_sip::{Message, header::Name};
//!
//! let datagram = "OPTIONS sip:bob@ims.example SIP/2.0\r\nX-Badge: 7\r\nTo: <sip:bob@ims.example>\r\n\r\n";
//! let Message::Request(mut options) = Message::parse(datagram.into())? else { panic!("a request") };
//! assert_eq!(options.headers.raw("x-badge"), Some(&b"7"[..]));
//!
//! options.headers.push_raw("Max-Forwards", b"70");
//! assert_eq!(options.headers.raw(Name::MAX_FORWARDS), Some(&b"70"[..]));
//! assert!(options.to_bytes().starts_with(&datagram.as_bytes()[..datagram.len() - 2]));
//! # Ok::<(), imscore_sip::ParseError>(())
//! ```

mod check;
mod headers;
mod method;
mod request;
mod response;
mod salvage;
mod status;
mod validate;

use bytes::Bytes;

pub use check::Rejection;
pub use headers::{Headers, INLINE_LINES};
pub(crate) use headers::{Line, Lines, unfold};
pub use method::Method;
pub use request::Request;
pub use response::Response;
pub use salvage::salvage_reply;
pub use status::StatusCode;

use crate::header::Seen;
use crate::parse::{Fault, Limits, ParseError, Scan, StartLine, scan};

/// A request or a response.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

/// Where the body stands in the received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

impl Message {
    /// Reads one datagram with the default [`Limits`].
    ///
    /// # Errors
    /// As [`Message::parse_with`].
    pub fn parse(datagram: Bytes) -> Result<Message, ParseError> {
        Message::parse_with(datagram, &Limits::default())
    }

    /// Reads one datagram, or one message that was framed from a stream.
    ///
    /// Empty lines in front are passed over (RFC 3261 §7.5). The body is as long as Content-Length says, and the rest
    /// of the bytes without one (RFC 3261 §18.3); bytes behind it are no part of the message.
    ///
    /// # Errors
    /// What makes the bytes no SIP message; [`ParseError::status`] is the answer that a request deserves, and
    /// [`salvage_reply`] builds it.
    pub fn parse_with(datagram: Bytes, limits: &Limits) -> Result<Message, ParseError> {
        let blank = datagram.chunks(2).take_while(|pair| pair == b"\r\n").count() * 2;
        let bytes = if blank > 0 { datagram.slice(blank..) } else { datagram };
        if bytes.len() > limits.message {
            return Err(ParseError { offset: blank + limits.message, fault: Fault::TooLarge });
        }
        let Scan { start, lines, seen, body, content_length } = scan(&bytes, limits)?;
        let end = match content_length {
            Some(length) if length > bytes.len() - body => {
                return Err(ParseError { offset: blank + body, fault: Fault::ContentLength });
            }
            Some(length) => body + length,
            None => bytes.len(),
        };
        let body = Span { start: body as u32, end: end as u32 };
        let headers = Headers::of(bytes, lines, seen);
        Ok(match start {
            StartLine::Request { method, target } => Message::Request(Request::received(headers, method, target, body)),
            StartLine::Response { status, reason } => {
                Message::Response(Response::received(headers, status, reason, body))
            }
        })
    }

    /// The headers of either.
    pub fn headers(&self) -> &Headers {
        match self {
            Message::Request(request) => &request.headers,
            Message::Response(response) => &response.headers,
        }
    }

    /// The bytes as they came in, without a copy while nothing was edited.
    #[cfg(feature = "trace")]
    pub(crate) fn kept(&self) -> Bytes {
        let headers = self.headers();
        if headers.is_edited() { self.to_bytes() } else { headers.bytes.clone() }
    }

    /// The bytes to send: one pass, what was not edited byte for byte.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Message::Request(request) => request.to_bytes(),
            Message::Response(response) => response.to_bytes(),
        }
    }

    /// As [`Message::to_bytes`], in the buffer that holds the edits: one allocation for both.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Message::Request(request) => request.into_bytes(),
            Message::Response(response) => response.into_bytes(),
        }
    }
}

impl Headers {
    /// Headers of a message that is built here: none yet.
    fn built(start_line: String) -> Headers {
        Headers::of(start_line.into(), Lines::new(), Seen::NOTHING)
    }

    fn body(&self, received: Span) -> Bytes {
        match self.replaced.as_ref().and_then(|replaced| replaced.body.as_ref()) {
            Some(replaced) => replaced.clone(),
            None => self.bytes.slice(received.start as usize..received.end as usize),
        }
    }

    /// Puts a body in place, with its Content-Type and Content-Length; an empty `content_type` takes both the body's
    /// headers and the body away.
    fn set_body(&mut self, content_type: &str, body: Bytes) {
        use crate::header::Name;
        self.remove(Name::CONTENT_TYPE);
        self.remove(Name::CONTENT_LENGTH);
        if !content_type.is_empty() {
            self.push_raw("Content-Type", content_type.as_bytes());
        }
        self.push_raw("Content-Length", body.len().to_string().as_bytes());
        self.replaced_mut().body = Some(body);
    }

    /// The body as it is to be written.
    fn body_bytes(&self, received: Span) -> &[u8] {
        match self.replaced.as_ref().and_then(|replaced| replaced.body.as_ref()) {
            Some(replaced) => replaced,
            None => &self.bytes[received.start as usize..received.end as usize],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Name;

    const INVITE: &str = "INVITE sip:bob@ims.example SIP/2.0\r\n\
        v: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1 ,SIP/2.0/TCP 192.0.2.2;branch=z9hG4bK2\r\n\
        Max-Forwards:  70 \r\n\
        f: \"A; tag=no\" <sip:alice@ims.example;tag=uri>;tag=one\r\n\
        To: <sip:bob@ims.example>\r\n\
        Subject: a\r\n  folded\r\n\tline\r\n\
        X-Badge : 7\r\n\
        i: 1@192.0.2.1\r\nCSeq: 1 INVITE\r\nContent-Length: 4\r\n\r\nbodytrailing";

    fn invite() -> Request {
        let Ok(Message::Request(request)) = Message::parse(Bytes::from_static(INVITE.as_bytes())) else {
            panic!("a request")
        };
        request
    }

    #[test]
    fn an_unedited_message_is_written_byte_for_byte() {
        assert_eq!(invite().to_bytes(), INVITE.as_bytes()[..INVITE.len() - "trailing".len()]);
        assert_eq!(invite().body(), "body");
    }

    #[test]
    fn an_edit_touches_its_own_bytes_only() {
        let mut request = invite();
        request.set_target("sip:carol@ims.example");
        request.headers.push_raw("X-Note", b"a\r\nVia: forged");
        assert_eq!(request.headers.remove("x-badge"), 1);
        let written = String::from_utf8(request.to_bytes().to_vec()).unwrap();
        let expected = INVITE
            .replace("sip:bob@ims.example SIP", "sip:carol@ims.example SIP")
            .replace("X-Badge : 7\r\n", "")
            .replace("Length: 4\r\n", "Length: 4\r\nX-Note: a  Via: forged\r\n")
            .replace("trailing", "");
        assert_eq!(written, expected);
        assert_eq!(request.target(), "sip:carol@ims.example");
    }

    #[test]
    fn a_request_uri_breaks_no_line() {
        for (target, written) in [
            ("sip:a@h SIP/2.0\r\nVia: forged", "sip:a@h%20SIP/2.0%0D%0AVia:%20forged"),
            ("sip:\u{fc}<\"%41>@h", "sip:%C3%BC%3C%22%41%3E@h"),
            ("sip:%41@h", "sip:%41@h"),
        ] {
            let mut request = invite();
            request.set_target(target);
            let built = Request::new(&Method::Options, target);
            for request in [request, built] {
                let Ok(Message::Request(read)) = Message::parse(request.to_bytes()) else { panic!("{request:?}") };
                assert_eq!((read.target(), request.target()), (written.into(), written.into()));
                assert!(read.headers.iter().eq(request.headers.iter()));
            }
        }
    }

    /// RFC 3261 §7.1.
    #[test]
    fn the_version_is_sent_in_capitals() {
        for (line, written) in [
            ("OPTIONS sip:a@b Sip/2.0", "OPTIONS sip:a@b SIP/2.0"),
            ("sip/2.0 200 Sip/2.0 is fine", "SIP/2.0 200 Sip/2.0 is fine"),
        ] {
            let message = Message::parse(format!("{line}\r\n\r\n").into()).unwrap();
            assert_eq!(message.to_bytes(), format!("{written}\r\n\r\n"));
        }
    }

    #[test]
    fn a_reply_is_built_from_the_request() {
        let reply = invite().reply(StatusCode::RINGING).with_to_tag("two").with_to_tag("three");
        assert_eq!(
            String::from_utf8(reply.to_bytes().to_vec()).unwrap(),
            "SIP/2.0 180 Ringing\r\n\
             Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1 ,SIP/2.0/TCP 192.0.2.2;branch=z9hG4bK2\r\n\
             From: \"A; tag=no\" <sip:alice@ims.example;tag=uri>;tag=one\r\n\
             To: <sip:bob@ims.example>;tag=two\r\n\
             Call-ID: 1@192.0.2.1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        );
        let Message::Response(read) = Message::parse(reply.to_bytes()).unwrap() else { panic!("a response") };
        assert_eq!((read.status(), read.reason()), (StatusCode::RINGING, &b"Ringing"[..]));
    }

    #[test]
    fn a_folded_value_reads_as_one_line() {
        let folded = INVITE.replace("<sip:alice@ims.example;tag=uri>", "\r\n <sip:alice@ims.example>\r\n ");
        let Ok(Message::Request(invite)) = Message::parse(folded.into()) else { panic!("a request") };
        let reply = invite.reply(StatusCode::RINGING);
        for headers in [&invite.headers, &reply.headers] {
            let from: crate::header::From = headers.first().unwrap();
            assert_eq!(from.as_str(), "\"A; tag=no\" <sip:alice@ims.example> ;tag=one");
        }
        assert!(invite.check().is_ok());
    }

    #[test]
    fn a_replaced_body_brings_its_headers() {
        let mut request = invite();
        request.set_body("text/plain", "other body");
        let Message::Request(read) = Message::parse(request.to_bytes()).unwrap() else { panic!("a request") };
        assert_eq!(read.body(), "other body");
        assert_eq!(read.headers.raw(Name::CONTENT_TYPE), Some(&b"text/plain"[..]));
        assert_eq!(read.headers.raw_all(Name::CONTENT_LENGTH).count(), 1);
    }

    #[test]
    fn methods_are_read_as_they_stand() {
        for (token, method) in [("INVITE", Method::Invite), ("invite", Method::Extension("invite".into()))] {
            let text = format!("{token} sip:a@b SIP/2.0\r\n\r\n");
            let Message::Request(request) = Message::parse(text.into()).unwrap() else { panic!("a request") };
            assert_eq!(request.method(), method);
            assert!(request.is(&method));
        }
    }

    #[test]
    fn a_datagram_shorter_than_content_length_is_refused() {
        let text = "OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 5\r\n\r\nfour";
        let fault = Message::parse(text.into()).map_err(|error| error.fault).err();
        assert_eq!(fault, Some(Fault::ContentLength));
    }

    #[test]
    fn empty_lines_in_front_are_passed_over() {
        let text = format!("\r\n\r\n{INVITE}");
        assert!(matches!(Message::parse(text.into()), Ok(Message::Request(request)) if request.body() == "body"));
    }

    /// A message is moved through tables and queues: design decision 4.
    #[test]
    fn a_move_of_a_message_is_at_most_600_bytes() {
        assert!(size_of::<Message>() <= 600, "{}", size_of::<Message>());
        assert_eq!(size_of::<Line>(), 10);
    }
}
