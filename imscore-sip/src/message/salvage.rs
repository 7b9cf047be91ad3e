//! An answer to a request that could not be read: what is left of Via, From, To, Call-ID and CSeq goes into it.

use bytes::Bytes;

use crate::header::Name;
use crate::parse::ParseError;

/// The answer to bytes that [`Message::parse`](super::Message::parse) refused, where they look like a request whose
/// sender can be reached and is waiting: one with a Via, and no ACK. RFC 3261 §18.3 wants a 400 for what a datagram
/// cuts short, §8.1.3 none for a response.
pub fn salvage_reply(bytes: &[u8], error: &ParseError) -> Option<Bytes> {
    let text = bytes.trim_ascii_start();
    let start = &text[..memchr::memchr(b'\n', text)?];
    let is_sip = start.trim_ascii_end().rsplit(|byte| *byte == b' ').next()?.to_ascii_uppercase().starts_with(b"SIP/");
    let is_response = start.get(..4).is_some_and(|version| version.eq_ignore_ascii_case(b"SIP/"));
    if is_response || start.starts_with(b"ACK ") || !is_sip {
        return None;
    }
    let status = error.status();
    let mut reply = format!("SIP/2.0 {status} {}\r\n", status.reason()).into_bytes();
    let mut vias = 0;
    for line in text[start.len() + 1..].split(|byte| *byte == b'\n').take(300) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let Some(colon) = memchr::memchr(b':', line) else {
            continue;
        };
        let Some(name) = Name::find(line[..colon].trim_ascii_end()) else {
            continue;
        };
        let wanted = matches!(name, Name::VIA | Name::FROM | Name::TO | Name::CALL_ID | Name::CSEQ);
        if wanted && !line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            vias += usize::from(name == Name::VIA);
            reply.extend_from_slice(name.as_str().as_bytes());
            reply.extend_from_slice(b": ");
            reply.extend_from_slice(line[colon + 1..].trim_ascii());
            reply.extend_from_slice(b"\r\n");
        }
    }
    if vias == 0 || reply.len() > bytes.len() + 64 {
        return None;
    }
    reply.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    Some(reply.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn salvage(text: &str) -> Option<String> {
        let error = Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap_err();
        salvage_reply(text.as_bytes(), &error).map(|reply| String::from_utf8(reply.to_vec()).unwrap())
    }

    #[test]
    fn a_broken_request_is_answered_with_what_is_left_of_it() {
        let reply = salvage(
            "OPTIONS sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nbroken\r\nt: <sip:a@b>\r\nCSeq: 1 OPTIONS\r\n\r\n",
        );
        assert_eq!(
            reply.as_deref(),
            Some(
                "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nTo: <sip:a@b>\r\nCSeq: 1 OPTIONS\r\n\
                 Content-Length: 0\r\n\r\n"
            )
        );
    }

    #[test]
    fn what_no_header_may_hold_is_left_out() {
        let reply =
            salvage("OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: a\x7f\r\nTo: \x01\r\n\r\n").unwrap();
        assert_eq!(reply, "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h\r\nContent-Length: 0\r\n\r\n");
    }

    #[test]
    fn another_version_gets_505() {
        let reply = salvage("OPTIONS sip:a@b SIP/7.0\r\nVia: SIP/7.0/UDP h;branch=z9hG4bK1\r\n\r\n").unwrap();
        assert!(reply.starts_with("SIP/2.0 505 "), "{reply}");
    }

    #[test]
    fn nothing_answers_what_is_no_request_or_has_no_sender() {
        for text in [
            "SIP/2.0 999999 Big\r\nVia: SIP/2.0/UDP h\r\n\r\n",
            "sip/2.0 999999 SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n",
            "ACK sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nbroken\r\n\r\n",
            "OPTIONS sip:a@b SIP/2.0\r\nbroken\r\n\r\n",
            "POST / HTTP/1.1\r\nVia: SIP/2.0/UDP h\r\n\r\n",
            "\r\n\r\n",
        ] {
            assert_eq!(salvage(text), None, "{text}");
        }
    }
}
