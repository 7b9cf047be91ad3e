//! Reading a message takes no allocation up to 48 header lines, and one above (design decision 4 of ARCHITECTURE.md).

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use imscore_sip::header::{MaxForwards, RecordRoute, Route, TypedHeader, Via};
use imscore_sip::message::INLINE_LINES;
use imscore_sip::transport::Transport;
use imscore_sip::uri::SipUri;
use imscore_sip::{Headers, Message};

use crate::messages::samples;

/// A datagram as a driver hands it over: a part of a larger buffer.
fn received(datagram: &[u8]) -> Bytes {
    let mut buffer = BytesMut::with_capacity(65_536);
    buffer.extend_from_slice(datagram);
    buffer.split().freeze()
}

/// Allocations of reading a datagram, asking for what every message is asked for, and checking it.
fn allocations(datagram: &[u8]) -> u64 {
    let datagram = received(datagram);
    let counted = measure(|| {
        let message = Message::parse(datagram.clone()).unwrap();
        let headers = message.headers();
        assert!(headers.branch().is_some() && headers.call_id().is_some() && headers.from_tag().is_some());
        assert!(headers.cseq().is_ok());
        std::hint::black_box(headers.to_tag());
        let verdict = match &message {
            Message::Request(request) => request.check(),
            Message::Response(response) => response.check(),
        };
        assert_eq!(verdict, Ok(()));
    });
    counted.count_total
}

#[test]
fn reading_a_sample_allocates_nothing() {
    for sample in samples() {
        assert_eq!(allocations(&sample), 0, "{}", String::from_utf8_lossy(&sample));
    }
}

#[test]
fn the_49th_line_allocates_once() {
    let with = |lines: usize| {
        let mut text = "OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
            To: <sip:b@h>\r\nCall-ID: 1@h\r\nCSeq: 1 OPTIONS\r\n"
            .to_string();
        text.push_str(&"X-Own: 1\r\n".repeat(lines - 5));
        text.push_str("\r\n");
        allocations(text.as_bytes())
    };
    assert_eq!(with(INLINE_LINES - 1), 0);
    assert_eq!(with(INLINE_LINES), 0);
    assert_eq!(with(INLINE_LINES + 1), 1);
}

fn decode<H: TypedHeader>(headers: &Headers) {
    headers.typed::<H>().for_each(|value| assert!(std::hint::black_box(value).is_ok()));
}

macro_rules! decode_every {
    ($($header:ident)*) => {
        fn decode_every(headers: &Headers) {
            $(decode::<imscore_sip::header::$header>(headers);)*
        }
    };
}

imscore_sip::every_header!(decode_every);

#[test]
fn decoding_every_value_allocates_nothing() {
    for sample in samples() {
        let datagram = received(&sample);
        let counted = measure(|| decode_every(Message::parse(datagram.clone()).unwrap().headers()));
        assert_eq!(counted.count_total, 0, "{}", String::from_utf8_lossy(&sample));
    }
}

/// What a proxy does to a message (RFC 3261 §16.6, §16.7): the bytes that leave are the only allocation.
#[test]
fn forwarding_allocates_what_it_sends() {
    let own: RecordRoute = RecordRoute::new("sip:p.example;lr".parse::<SipUri>().unwrap());
    for sample in samples() {
        let datagram = received(&sample);
        let forward = || match Message::parse(datagram.clone()).unwrap() {
            Message::Request(mut request) => {
                request.headers.set(&MaxForwards(69));
                request.headers.pop_front::<Route>();
                request.headers.push_front(&own);
                request.headers.push_via(Transport::Udp, "192.0.2.1:5060", "z9hG4bK0");
                request.into_bytes()
            }
            Message::Response(mut response) => {
                response.headers.pop_front::<Via>();
                response.into_bytes()
            }
        };
        let mut written = Bytes::new();
        let counted = measure(|| written = forward());
        assert_eq!(counted.count_total, 1, "{}", String::from_utf8_lossy(&sample));
        assert!(counted.bytes_total < sample.len() as u64 + 1024);
        let again = Message::parse(written).unwrap();
        assert!(matches!(again, Message::Response(_)) || again.headers().first::<MaxForwards>() == Ok(MaxForwards(69)));
    }
}
