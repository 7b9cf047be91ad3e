//! Messages: what one says is kept, whatever is asked of it.

use bytes::Bytes;
use imscore_sip::header::{CSeq, CallId, Contact, From, Name, RecordRoute, Route, To, TypedHeader, Via};
use imscore_sip::message::salvage_reply;
use imscore_sip::parse::ParseError;
use imscore_sip::{Headers, Message, Request, StatusCode};

use super::input::roomy;

/// One datagram: read, looked into, written, answered.
pub fn message(data: &[u8]) {
    let message = match Message::parse(Bytes::copy_from_slice(data)) {
        Ok(message) => message,
        Err(error) => return salvaged(data, &error),
    };
    let written = message.to_bytes();
    let received = received(data, matches!(message, Message::Request(_)));
    assert_eq!(Some(&written[..]), received.get(..written.len()), "what nobody edited has changed");
    let again = Message::parse(written.clone()).expect("what was written can be read");
    assert!(message.headers().iter().eq(again.headers().iter()), "other lines when read again");
    assert_eq!(again.to_bytes(), written);
    let headers = message.headers();
    looked_up(headers);
    // Display names in other character sets are passed on, and are no text for who asks.
    let is_text = headers.iter().all(|(_, value)| std::str::from_utf8(value).is_ok());
    let checked = match (&message, &again) {
        (Message::Request(request), Message::Request(again)) => {
            assert_eq!((request.method(), request.target()), (again.method(), again.target()));
            assert_eq!(request.body(), again.body());
            for status in [StatusCode::TRYING, StatusCode::RINGING, StatusCode::OK, StatusCode::BUSY_HERE] {
                answered(request, status);
            }
            let checked = request.check();
            if checked.is_ok() && is_text {
                assert!(request.uri().is_ok());
                assert!(headers.all::<Route>().is_ok() && headers.all::<RecordRoute>().is_ok());
                assert!(headers.all::<Contact>().is_ok());
            }
            checked
        }
        (Message::Response(response), Message::Response(again)) => {
            assert_eq!((response.status(), response.reason()), (again.status(), again.reason()));
            assert_eq!(response.body(), again.body());
            response.check()
        }
        _ => panic!("a request was read again as a response, or a response as a request"),
    };
    if checked.is_ok() && is_text {
        assert!(headers.first::<Via>().is_ok() && headers.first::<CSeq>().is_ok() && headers.first::<CallId>().is_ok());
        assert!(headers.first::<From>().is_ok() && headers.first::<To>().is_ok());
    }
}

/// The bytes without empty lines in front, and with the version in capitals, as it is sent (RFC 3261 §7.1).
fn received(data: &[u8], is_request: bool) -> Vec<u8> {
    let blank = data.chunks(2).take_while(|pair| pair == b"\r\n").count() * 2;
    let mut bytes = data[blank..].to_vec();
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or_default();
    let version = if is_request { line - 8..line } else { 0..7 };
    bytes[version].make_ascii_uppercase();
    bytes
}

/// What is found quickly is what the typed headers say, and every way of looking finds the same lines.
fn looked_up(headers: &Headers) {
    for name in Name::every() {
        let values: Vec<&[u8]> = headers.raw_all(name).collect();
        assert_eq!(headers.raw(name), values.first().copied());
        assert!(headers.raw_all(name.as_str()).eq(values));
    }
    for (name, value) in headers.iter() {
        let name = std::str::from_utf8(name).expect("a token");
        assert!(headers.raw_all(name).any(|other| other == value), "{name} is not found");
    }
    if let Ok(via) = headers.first::<Via>() {
        assert_eq!(headers.branch(), via.branch());
    }
    if let Ok(from) = headers.first::<From>() {
        assert_eq!(headers.from_tag(), from.tag());
    }
    if let Ok(to) = headers.first::<To>() {
        assert_eq!(headers.to_tag(), to.tag());
    }
    if let Ok(call_id) = headers.first::<CallId>() {
        assert_eq!(headers.call_id(), Some(call_id.as_str()));
    }
    if let Ok(cseq) = headers.first::<CSeq>() {
        assert_eq!(headers.cseq(), Ok(cseq));
    }
}

/// Whatever a request is, its answer can be read and finds its way back.
fn answered(request: &Request, status: StatusCode) {
    let reply = request.reply(status).with_to_tag("answered");
    let Ok(Message::Response(again)) = Message::parse_with(reply.to_bytes(), &roomy()) else {
        panic!("not to be read: {reply:?}");
    };
    assert_eq!(again.status(), status);
    for name in [Name::VIA, Name::FROM, Name::CALL_ID, Name::CSEQ] {
        assert!(again.headers.raw_all(name).eq(request.headers.raw_all(name)), "{name} is another");
    }
    if request.check().is_ok() {
        assert_eq!(again.check(), Ok(()));
    }
    if request.headers.first::<To>().is_ok() {
        let tag = request.headers.to_tag().unwrap_or("answered");
        assert_eq!(again.headers.first::<To>().ok().as_ref().and_then(To::tag), Some(tag));
    }
}

/// Bytes that are no message get a whole response or none, and not much more than they were.
fn salvaged(data: &[u8], error: &ParseError) {
    let Some(reply) = salvage_reply(data, error) else { return };
    assert!(reply.len() <= data.len() + 128, "{} bytes for {}", reply.len(), data.len());
    let Ok(Message::Response(response)) = Message::parse_with(reply.clone(), &roomy()) else {
        panic!("not to be read: {}", String::from_utf8_lossy(&reply));
    };
    assert_eq!(response.status(), error.status());
    assert!(response.headers.contains(Via::NAME) && response.body().is_empty());
    let start = data.trim_ascii_start();
    assert!(!start.starts_with(b"ACK "), "an ACK is not answered");
    assert!(!start.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")), "a response is not answered");
}
