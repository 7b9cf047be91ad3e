//! Reading a message takes no allocation up to 48 header lines, and one above (design decision 4 of ARCHITECTURE.md).

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use imscore_sip::Message;
use imscore_sip::message::INLINE_LINES;

use crate::messages::samples;

/// Allocations of reading a datagram, asking for what every message is asked for, and checking it.
fn allocations(datagram: &[u8]) -> u64 {
    // As a driver hands it over: a part of a larger buffer.
    let datagram = BytesMut::from(datagram).freeze();
    let shared: Bytes = datagram.clone();
    let counted = measure(|| {
        let message = Message::parse(shared.clone()).unwrap();
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
