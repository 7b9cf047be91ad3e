//! Streams: the same messages come out however the bytes are cut, and end where the parser says that they end.

use bytes::{BufMut, Bytes};
use imscore_sip::Message;
use imscore_sip::parse::{Frame, FrameError, Framer, Limits};

use super::input::Input;

/// A number of segment lengths, those lengths, and the bytes of a connection, which are cut so over and over again.
pub fn stream(data: &[u8]) {
    let mut input = Input::new(data);
    let lengths: Vec<usize> = (0..input.choice(8)).map(|_| usize::from(input.byte())).collect();
    let pings = input.choice(2) == 1;
    let bytes = input.rest();
    let whole = frames(bytes, &[], pings);
    assert_eq!(frames(bytes, &lengths, pings), whole, "in segments of {lengths:?}");
    assert_eq!(frames(bytes, &[1], pings), whole, "in segments of one byte");
    let failed = whole.iter().position(Result::is_err);
    assert!(failed.is_none_or(|at| at == whole.len() - 1), "something behind an error");
    for frame in whole {
        if let Ok(Frame::Message(bytes)) = frame {
            ends(&bytes);
        }
    }
}

/// Everything that a connection becomes; no lengths: in one segment.
fn frames(bytes: &[u8], lengths: &[usize], pings: bool) -> Vec<Result<Frame, FrameError>> {
    let mut framer = Framer::new(Limits::default());
    if pings {
        framer.ping_sent();
    }
    let mut found = Vec::new();
    let (mut rest, mut turn) = (bytes, 0);
    while !rest.is_empty() {
        let length = lengths.get(turn % lengths.len().max(1)).map_or(rest.len(), |length| (*length).max(1));
        let (segment, behind) = rest.split_at(length.min(rest.len()));
        (rest, turn) = (behind, turn + 1);
        if turn % 2 == 0 && segment.len() <= 4096 {
            framer.spare().put_slice(segment);
        } else {
            framer.push(segment);
        }
        loop {
            match framer.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => found.push(Ok(frame)),
                Err(error) => found.push(Err(error)),
            }
        }
    }
    found
}

/// Two readers that disagree on where a message ends let one request hide in another.
fn ends(frame: &Bytes) {
    let Ok(message) = Message::parse(frame.clone()) else { return };
    let body = match &message {
        Message::Request(request) => request.body(),
        Message::Response(response) => response.body(),
    };
    assert_eq!(message.to_bytes().len(), frame.len(), "the parser has another end");
    assert!(frame.ends_with(&body));
}
