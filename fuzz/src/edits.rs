//! Edits: each does what it says, and touches its own lines only.

use bytes::Bytes;
use imscore_sip::header::{
    Authorization, CSeq, Contact, MaxForwards, Name, PAssertedIdentity, Require, Route, To, TypedHeader, Via,
};
use imscore_sip::{ByteString, Headers, Message};

use super::input::{Input, roomy};

type Edit = fn(&mut Headers, usize, &str);

/// The types that are edited.
const TYPES: [(Name, Edit); 9] = [
    (Name::VIA, edit::<Via>),
    (Name::ROUTE, edit::<Route>),
    (Name::CONTACT, edit::<Contact>),
    (Name::TO, edit::<To>),
    (Name::MAX_FORWARDS, edit::<MaxForwards>),
    (Name::P_ASSERTED_IDENTITY, edit::<PAssertedIdentity>),
    (Name::REQUIRE, edit::<Require>),
    (Name::AUTHORIZATION, edit::<Authorization>),
    (Name::CSEQ, edit::<CSeq>),
];

/// Lines of edits up to an empty one, each an edit, a header and a text; then the message that they are made to.
pub fn edits(data: &[u8]) {
    let mut input = Input::new(data);
    let mut lines = Vec::new();
    while lines.len() < 16 {
        match input.line() {
            [] => break,
            line => lines.push(line),
        }
    }
    let received = Bytes::copy_from_slice(input.rest());
    let Ok(mut message) = Message::parse(received) else { return };
    let before = message.to_bytes();
    let mut touched = Vec::new();
    let mut body = body(&message);
    for line in lines {
        let mut input = Input::new(line);
        let (what, which) = (input.choice(12), input.choice(TYPES.len()));
        let text = input.text();
        match (what, &mut message) {
            (0, Message::Request(request)) if !text.is_empty() => {
                request.set_target(text.as_str());
                let target = request.target();
                let Ok(Message::Request(again)) = Message::parse_with(message.to_bytes(), &roomy()) else {
                    panic!("no request any more: {message:?}");
                };
                assert_eq!(again.target(), target);
            }
            (1, message) => {
                body = Bytes::from(text);
                match message {
                    Message::Request(request) => request.set_body("text/plain", body.clone()),
                    Message::Response(response) => *response = response.clone().with_body("text/plain", body.clone()),
                }
                touched.extend([Name::CONTENT_TYPE.as_str(), Name::CONTENT_LENGTH.as_str()]);
            }
            (2, message) => {
                let headers = headers(message);
                let before = headers.raw_all("X-Badge").count();
                headers.push_raw("X-Badge", text.as_bytes());
                assert_eq!(headers.raw_all("x-badge").count(), before + 1);
                touched.push("X-Badge");
            }
            (what, message) => {
                let (name, edit) = TYPES[which];
                edit(headers(message), what, &text);
                touched.push(name.as_str());
            }
        }
    }
    let written = message.to_bytes();
    if written.len() > 60_000 {
        return;
    }
    let again = Message::parse_with(written.clone(), &roomy()).expect("an edited message can be read");
    assert!(again.headers().iter().eq(message.headers().iter()), "other lines when read again");
    assert_eq!(self::body(&again), body);
    assert_eq!(kept(&before, &touched), kept(&written, &touched), "an edit touched other lines");
}

/// One edit of one type, held against what the list of its values should become.
fn edit<H: TypedHeader>(headers: &mut Headers, what: usize, text: &str) {
    let before = values::<H>(headers);
    let value = H::decode(&ByteString::from(text.trim_ascii()));
    let (written, rest) = (value.as_ref().map(words), before.get(1..).unwrap_or_default());
    let expected = match (what, &value, written) {
        (3 | 4, Ok(value), Ok(written)) => {
            headers.push(value);
            [&before[..], &[Ok(written)]].concat()
        }
        (5, Ok(value), Ok(written)) => {
            headers.push_front(value);
            [&[Ok(written)], &before[..]].concat()
        }
        (6, Ok(value), Ok(written)) => {
            headers.set(value);
            vec![Ok(written)]
        }
        (7, Ok(value), Ok(written)) => {
            headers.set_first(value);
            [&[Ok(written)], rest].concat()
        }
        (8 | 9, _, _) => {
            let there = headers.contains(H::NAME);
            assert_eq!(headers.pop_front::<H>(), there);
            rest.to_vec()
        }
        (10, _, _) => {
            assert_eq!(headers.raw_all(H::NAME).count(), headers.remove(H::NAME));
            Vec::new()
        }
        (11, _, _) => {
            let word = text.split(' ').next().unwrap_or_default();
            headers.retain(|value: &H| !value.to_string().contains(word));
            before.iter().filter(|value| !value.as_ref().is_ok_and(|value| value.contains(word))).cloned().collect()
        }
        _ => return,
    };
    // A line that cannot be decoded counts as one value, whatever it holds.
    if before.iter().all(Result::is_ok) {
        assert_eq!(values::<H>(headers), expected, "edit {what} of {} with {text:?}", H::NAME);
    }
}

fn values<H: TypedHeader>(headers: &Headers) -> Vec<Result<String, ()>> {
    headers.typed::<H>().map(|value| value.as_ref().map(words).map_err(|_| ())).collect()
}

/// A value as text. A fold may have become any number of spaces, and NUL, which a quoted pair may hold, is one.
fn words<H: TypedHeader>(value: &H) -> String {
    let text = value.to_string();
    text.split([' ', '\t', '\0']).filter(|word| !word.is_empty()).collect::<Vec<&str>>().join(" ")
}

fn headers(message: &mut Message) -> &mut Headers {
    match message {
        Message::Request(request) => &mut request.headers,
        Message::Response(response) => &mut response.headers,
    }
}

fn body(message: &Message) -> Bytes {
    match message {
        Message::Request(request) => request.body(),
        Message::Response(response) => response.body(),
    }
}

/// The header lines of a message as they stand, folds included, but for those of some names.
fn kept(message: &[u8], without: &[&str]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in message.split_inclusive(|byte| *byte == b'\n').skip(1).take_while(|line| *line != b"\r\n") {
        match (line, lines.last_mut()) {
            ([b' ' | b'\t', ..], Some(folded)) => folded.extend_from_slice(line),
            _ => lines.push(line.to_vec()),
        }
    }
    lines.retain(|line| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
        let name = Name::find(name).map_or(name, |known| known.as_str().as_bytes());
        !without.iter().any(|other| other.as_bytes().eq_ignore_ascii_case(name))
    });
    lines
}
