//! What a stranger may make longer: ten times as much of it may take twelve times the instructions, and no more.
//!
//! Limits would refuse most of these inputs; here they are raised, so that what is counted is the reading of all of it.

use std::hint::black_box;

use bytes::Bytes;
use imscore_sip::{
    ByteString, Message,
    header::{Authorization, Contact, ContentType, To, TypedHeader, Via},
    mime::{MimeLimits, Multipart},
    parse::{Framer, Limits},
    sdp::{SdpLimits, SessionDescription},
};

/// A kind of input, and what reads it.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// Its name in tables.
    pub name: &'static str,
    /// How often its piece is repeated in the smaller input.
    pub times: usize,
    write: fn(usize) -> String,
    /// What stands around that.
    frame: fn(&str) -> String,
    /// The measured work.
    pub read: fn(&Bytes),
}

/// By how much the larger input is larger.
pub const LARGER: usize = 10;

/// Every kind.
pub const GROWTHS: [Growth; 20] = [
    message("headers", 150, |times| "X-Name: value\r\n".repeat(times)),
    message("headers, each of its own name", 150, |times| {
        (0..times).map(|n| format!("X-Name-{n:06}: v\r\n")).collect()
    }),
    message("headers without a value", 400, |times| "X:\r\n".repeat(times)),
    message("Vias, a line each", 150, |times| "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n".repeat(times)),
    message("Vias in one line", 150, |times| {
        format!("Via: SIP/2.0/UDP h{}\r\n", ", SIP/2.0/UDP h;branch=z9hG4bK1".repeat(times))
    }),
    message("Contacts", 300, |times| format!("Contact: {}<sip:a@b>\r\n", "<sip:a@b>;q=0.1, ".repeat(times))),
    message("malformed Contacts", 300, |times| "Contact: \"<\r\n".repeat(times)),
    message("folds", 400, |times| format!("X-Name: a\r\n{}", " bbbb\r\n".repeat(times))),
    message("folds of a Via", 400, |times| format!("Via: SIP/2.0/UDP h\r\n{}", " ;a=b\r\n".repeat(times))),
    message("a long value", 5_000, |times| format!("X-Name: {}\r\n", "n".repeat(times))),
    message("a quoted name with escapes", 2_000, |times| {
        format!("Contact: \"{}\" <sip:a@b>\r\n", "\\\"".repeat(times))
    }),
    message("a name that does not end", 5_000, |times| "n".repeat(times) + "\r\n"),
    Growth {
        name: "parameters of a header",
        times: 6,
        write: |times| format!("<sip:a@b>{}", numbered(times, ";p", "=v")),
        frame: str::to_owned,
        read: |input| drop(black_box(To::decode(&text(input)))),
    },
    Growth {
        name: "escapes in credentials",
        times: 400,
        write: |times| format!("Digest realm=\"{}\"", "\\\"".repeat(times)),
        frame: str::to_owned,
        read: credentials,
    },
    Growth {
        name: "open quotes in credentials",
        times: 400,
        write: |times| format!("Digest {}", "a=\"".repeat(times)),
        frame: str::to_owned,
        read: credentials,
    },
    Growth {
        name: "parameters of credentials",
        times: 400,
        write: |times| format!("Digest {}", "a=b,".repeat(times)),
        frame: str::to_owned,
        read: credentials,
    },
    Growth {
        name: "sections of a description",
        times: 60,
        write: |times| "m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n".repeat(times),
        frame: |sections| format!("{SDP}{sections}"),
        read: description,
    },
    Growth {
        name: "attributes of a section",
        times: 150,
        write: |times| format!("m=audio 9 RTP/AVP 0 96\r\n{}", "a=rtpmap:97 X/8000\r\na=fmtp:97\r\n".repeat(times)),
        frame: |sections| format!("{SDP}{sections}"),
        read: description,
    },
    Growth {
        name: "lines like boundaries",
        times: 400,
        write: |times| "--b \r\n\r\n--a\r\n--\r\n".repeat(times),
        frame: |lines| format!("{lines}\r\n--b--\r\n"),
        read: |input| {
            let mut limits = MimeLimits::default();
            (limits.parts, limits.lines) = (usize::MAX, usize::MAX);
            let kind = ContentType::decode(&"multipart/mixed;boundary=b".into()).expect("a type");
            drop(black_box(Multipart::read_with(&kind, input.clone(), &limits)));
        },
    },
    Growth {
        name: "a message byte by byte on a stream",
        times: 150,
        write: |times| "X-Name: value\r\n".repeat(times),
        frame: with_lines,
        read: |input| {
            let mut framer = Framer::new(limits());
            let mut frames = 0;
            for byte in input.iter() {
                framer.push(&[*byte]);
                frames += usize::from(matches!(framer.next_frame(), Ok(Some(_))));
            }
            assert_eq!(frames, 1);
        },
    },
];

impl Growth {
    /// The input with its piece so often.
    #[must_use]
    pub fn input(&self, times: usize) -> Bytes {
        (self.frame)(&(self.write)(times)).into()
    }
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

/// Those lines, in a message that is read from end to end.
const fn message(name: &'static str, times: usize, write: fn(usize) -> String) -> Growth {
    Growth { name, times, write, frame: with_lines, read: whole_message }
}

fn with_lines(lines: &str) -> String {
    format!(
        "OPTIONS sip:bob@ims.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
         From: <sip:alice@ims.example>;tag=a\r\nTo: <sip:bob@ims.example>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 70\r\n{lines}Content-Length: 0\r\n\r\n"
    )
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    (limits.message, limits.header_block, limits.line) = (1 << 20, 65_535, 65_535);
    (limits.lines, limits.folds, limits.name) = (65_535, 65_535, 65_535);
    limits
}

fn whole_message(input: &Bytes) {
    let Ok(mut message) = Message::parse_with(input.clone(), &limits()) else { return };
    let headers = message.headers();
    black_box((headers.all::<Via>().is_ok(), headers.all::<Contact>().is_ok(), headers.contains("Not-There")));
    black_box(message.validate());
    let headers = match &mut message {
        Message::Request(request) => &mut request.headers,
        Message::Response(response) => &mut response.headers,
    };
    headers.pop_front::<Via>();
    headers.retain::<Contact>(|contact| contact.q().is_none());
    headers.remove("X-Name");
    black_box(message.to_bytes());
}

fn credentials(input: &Bytes) {
    black_box(Authorization::decode(&text(input)).is_ok());
}

fn description(input: &Bytes) {
    let mut limits = SdpLimits::default();
    (limits.bytes, limits.media, limits.attributes) = (1 << 20, usize::MAX, usize::MAX);
    let offer = SessionDescription::parse_with(input.clone(), &limits).expect("a description");
    black_box(offer.answer([192, 0, 2, 7].into(), (1, 1), |_, media| {
        black_box((media.rtpmaps().count(), media.fmtp("98"), media.codec(99).is_some(), media.ptime()));
        None
    }));
}

fn text(input: &Bytes) -> ByteString {
    ByteString::try_from(input.clone()).expect("ASCII")
}

fn numbered(times: usize, front: &str, behind: &str) -> String {
    (0..times).map(|number| format!("{front}{number}{behind}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is refused at once costs the same whatever its size, and nothing would be shown by it.
    #[test]
    fn inputs_are_read_to_their_end() {
        for growth in GROWTHS {
            let [small, large] = [1, LARGER].map(|larger| growth.input(growth.times * larger));
            assert!(large.len() > small.len() * (LARGER - 2), "{}", growth.name);
            (growth.read)(&small);
            if large.starts_with(b"OPTIONS ") && growth.name != "a name that does not end" {
                assert!(Message::parse_with(large, &limits()).is_ok(), "{}", growth.name);
            }
        }
    }
}
