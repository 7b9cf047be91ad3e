//! Whatever comes in is a line of valid JSON in a trace (P13: converters that a message can hurt).

use std::sync::mpsc;
use std::time::Instant;

use imscore_sip::trace::{Event, Ladder, Observer, Raw, Record};
use imscore_sip::transport::{Flow, ListenerId, Transport};
use imscore_sip::{Message, Now};

/// Has bytes observed as a driver does, and reads the lines back as any JSON reader would, and as records.
pub(crate) fn records(bytes: &[u8], is_plain: bool) -> Vec<Record> {
    let (sink, written) = mpsc::channel();
    let observer = Observer::new("node \"1\"\n", &[], move |record| drop(sink.send(record)));
    let mut observer = if is_plain { observer.plain() } else { observer };
    let remote = "192.0.2.1:5060".parse().unwrap();
    let flow = Flow { transport: Transport::Udp, listener: ListenerId(0), remote, connection: None };
    let now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
    match Message::parse(bytes.to_vec().into()) {
        Ok(message) => observer.on_message(&message, &flow, now),
        Err(error) => observer.on_malformed(bytes, &error, &flow, now),
    }
    drop(observer);
    let mut records = Vec::new();
    for record in written {
        let line = record.to_json();
        assert!(!line.bytes().any(|byte| byte < b' '), "a line is one line: {line}");
        serde_json::from_str::<serde_json::Value>(&line).unwrap();
        assert_eq!(Record::from_json(&line).unwrap(), record);
        records.push(record);
    }
    assert!(!records.is_empty());
    let ladder = Ladder::of(&records);
    assert!(!ladder.to_string().chars().any(|character| character.is_control() && character != '\n'));
    assert!(ladder.to_svg().ends_with("</svg>\n"));
    records
}

/// That bytes are valid JSON in both kinds of trace, and come out of the plain one as they went in.
pub(crate) fn is_valid(bytes: &[u8]) {
    records(bytes, false);
    let plain = records(bytes, true);
    let (Event::Message(imscore_sip::trace::Message { raw, .. }) | Event::Malformed { raw, .. }) = &plain[0].event
    else {
        panic!("{plain:?}")
    };
    let kept = raw.as_ref().and_then(Raw::bytes).unwrap();
    assert_eq!(kept, bytes);
}

#[test]
fn p13_every_fuzz_seed_is_valid_json() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut count = 0;
    // A packed crate has none.
    for folder in std::fs::read_dir(corpus).into_iter().flatten() {
        for seed in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            is_valid(&std::fs::read(seed.unwrap().path()).unwrap());
            count += 1;
        }
    }
    eprintln!("{count} seeds");
}

#[test]
fn p13_every_message_of_the_benches_is_valid_json() {
    let messages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/messages");
    let mut count = 0;
    // A packed crate has none.
    for message in std::fs::read_dir(&messages).into_iter().flatten() {
        is_valid(&std::fs::read(message.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 12 || !messages.exists(), "{count} messages");
}

#[test]
fn p13_bytes_of_all_kinds_are_valid_json() {
    let request = |extra: &[u8]| {
        [b"MESSAGE sip:b@h SIP/2.0\r\nCall-ID: ", extra, b"\r\nCSeq: 1 MESSAGE\r\nSubject: ", extra, b"\r\n\r\n", extra]
            .concat()
    };
    for byte in 0..=u8::MAX {
        is_valid(&[byte]);
        is_valid(&request(&[b'a', byte, b'"', b'\\']));
    }
    for extra in ["\u{2028}\u{feff}\u{10ffff}".as_bytes(), b"\xed\xa0\x80", b"\xc0\xaf", b"\\u0000\\", b""] {
        is_valid(&request(extra));
    }
}

#[test]
fn p13_messages_as_large_as_datagrams_are_valid_json() {
    let head = b"MESSAGE sip:b@h SIP/2.0\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n\r\n";
    for filling in [b'a', b'"', b'\\', 0, 0xff] {
        for length in [65_535, 65_536, 65_537] {
            let mut bytes = head.to_vec();
            bytes.resize(length, filling);
            is_valid(&bytes);
        }
    }
}

#[test]
fn a_trace_that_is_not_plain_says_who_nobody_is() {
    let message = "MESSAGE sip:bob.secret@ims.example SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
        From: \"secret\" <sip:alice.secret@ims.example>;tag=1\r\nTo: <tel:+12015550143;secret>\r\n\
        Call-ID: secret@host\r\nCSeq: 1 MESSAGE\r\nP-Asserted-Identity: <sip:secret@h>\r\n\
        Content-Type: text/plain;secret=1\r\nContent-Length: 6\r\n\r\nsecret";
    let line = records(message.as_bytes(), false)[0].to_json();
    assert!(!line.contains("secret") && !line.contains("2015550143"), "{line}");
    assert!(line.contains("\"content_type\":\"text/plain\""), "{line}");
    let malformed = records(b"secret", false)[0].to_json();
    assert!(!malformed.contains("secret") && malformed.contains("\"bytes\":6"), "{malformed}");

    let line = records(message.as_bytes(), true)[0].to_json();
    assert!(line.contains("sip:alice.secret@ims.example"), "{line}");
}

/// The same identity is the same hash in each message, and in the log.
#[test]
fn a_hash_can_be_followed() {
    let of = |text: &str| {
        let records = records(text.as_bytes(), false);
        let Event::Message(seen) = &records[0].event else { panic!("{records:?}") };
        (seen.from.clone().unwrap(), seen.to.clone().unwrap())
    };
    let message = |from: &str, to: &str| format!("OPTIONS sip:h SIP/2.0\r\nFrom: {from}\r\nTo: {to}\r\n\r\n");
    let (alice, bob) = of(&message("<sip:alice@ims.example>;tag=1", "<sip:bob@ims.example>"));
    assert_eq!(of(&message("\"B\" <sip:bob@IMS.example;user=phone>", "sip:alice@ims.example")), (bob, alice.clone()));
    assert_eq!(alice, imscore_sip::Pii("sip:alice@ims.example").to_string());
}
