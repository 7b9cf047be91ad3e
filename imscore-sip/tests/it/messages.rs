//! Whole messages: those of the benchmarks, and mutants of them. What is read is written as it was read, and every way
//! to ask for a value gives the same answer.

use std::path::Path;

use bytes::Bytes;
use imscore_sip::header::{CSeq, CallId, From, HeaderError, To, Via};
use imscore_sip::{Headers, Message};
use proptest::prelude::*;

/// The messages that the benchmarks are timed on.
pub(crate) fn samples() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/messages");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the workspace has benches/messages")
        .map(|entry| entry.expect("a folder entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sip"))
        .collect();
    files.sort();
    assert!(files.len() >= 12, "{files:?}");
    files.into_iter().map(|file| std::fs::read(file).expect("a readable file")).collect()
}

fn check(message: &Message) -> bool {
    match message {
        Message::Request(request) => request.check().is_ok(),
        Message::Response(response) => response.check().is_ok(),
    }
}

/// The short ways to a value against the typed header.
fn agree(headers: &Headers) {
    let via: Result<Via, HeaderError> = headers.first();
    assert_eq!(headers.branch(), via.as_ref().ok().and_then(Via::branch));
    let from: Result<From, HeaderError> = headers.first();
    assert_eq!(headers.from_tag(), from.as_ref().ok().and_then(|from| from.tag()));
    let to: Result<To, HeaderError> = headers.first();
    assert_eq!(headers.to_tag(), to.as_ref().ok().and_then(|to| to.tag()));
    assert_eq!(headers.call_id().map(CallId::new), headers.first::<CallId>().ok());
    assert_eq!(headers.cseq(), headers.first::<CSeq>());
}

/// All that must hold for whatever bytes come in.
fn survive(bytes: &[u8]) {
    let Ok(message) = Message::parse(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let start = bytes.chunks(2).take_while(|pair| pair == b"\r\n").count() * 2;
    let written = message.to_bytes();
    assert_eq!(bytes[start..][..written.len()], written);
    if check(&message) {
        agree(message.headers());
    }
}

#[test]
fn the_samples_are_read_checked_and_written_as_they_are() {
    for sample in samples() {
        let message = Message::parse(sample.clone().into()).unwrap();
        assert!(check(&message), "{message:?}");
        assert_eq!(message.validate(), [], "{message:?}");
        assert_eq!(message.to_bytes(), sample);
        agree(message.headers());
    }
}

/// One change to a message.
#[derive(Clone, Debug)]
enum Change {
    Set(u8),
    Insert(&'static str),
    Remove(usize),
}

/// Text that means something to some rule.
pub(crate) const PIECES: &[&str] = &[
    "\"",
    "\\",
    "<",
    ">",
    ";",
    ",",
    "=",
    "@",
    ":",
    "?",
    "/",
    "(",
    ")",
    "[",
    "]",
    "*",
    "%",
    "%41",
    "%00",
    " ",
    "\t",
    "\r\n ",
    "\r\n",
    "\u{e4}",
    "a",
    "h",
    "0",
    "1",
    "9",
    "2147483648",
    "sip:",
    "sips:",
    "tel:",
    "urn:",
    "+1",
    "-",
    ".",
    "192.0.2.1",
    "[2001:db8::1]",
    "2001:db8::1",
    "SIP/2.0/UDP",
    "z9hG4bK1",
    ";tag=",
    ";branch=",
    ";received=",
    ";rport",
    ";lr",
    ";q=",
    ";expires=",
    "INVITE",
    "GMT",
    "Digest ",
    "realm=",
    "\0",
    "\u{b}",
];

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        any::<u8>().prop_map(Change::Set),
        proptest::sample::select(PIECES).prop_map(Change::Insert),
        (1..20_usize).prop_map(Change::Remove),
    ]
}

proptest! {
    #[test]
    fn mutants_of_the_samples_survive(
        which in any::<proptest::sample::Index>(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), change()), 1..6),
    ) {
        let samples = samples();
        let mut bytes = which.get(&samples).clone();
        for (at, change) in changes {
            // Most of what can break stands in the first lines.
            let at = at.index(bytes.len().min(900));
            match change {
                Change::Set(byte) => bytes[at] = byte,
                Change::Insert(piece) => drop(bytes.splice(at..at, piece.bytes())),
                Change::Remove(count) => drop(bytes.drain(at..bytes.len().min(at + count))),
            }
        }
        survive(&bytes);
    }

    #[test]
    fn lines_of_pieces_survive(
        values in proptest::collection::vec(
            (0..9_usize, proptest::collection::vec(proptest::sample::select(PIECES), 0..12)), 1..8,
        ),
    ) {
        const LINES: [&str; 9] = [
            "Via: SIP/2.0/UDP h;branch=1", "From: <sip:a@h>", "To: <sip:b@h>", "Call-ID: 1", "CSeq: 1 INVITE",
            "Contact: <sip:a@h>", "Route: <sip:p;lr>", "v: ", "f: ",
        ];
        let mut text = "INVITE sip:b@h SIP/2.0\r\n".to_string();
        for (line, pieces) in &values {
            text.extend([LINES[*line], &pieces.concat(), "\r\n"]);
        }
        text.push_str("i: 1@h\r\nCSeq: 1 INVITE\r\nTo: <sip:b@h>\r\nv: SIP/2.0/TCP h\r\nf: <sip:a@h>;tag=1\r\n\r\n");
        survive(text.as_bytes());
    }

    #[test]
    fn any_bytes_survive(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        survive(&bytes);
        survive(&[b"OPTIONS sip:a@b SIP/2.0\r\n", &bytes[..]].concat());
    }
}
