//! What is timed: our parser, the floor under it, and its peers, all behind one type.

use std::borrow::Borrow as _;
use std::hint::black_box;

use bytes::Bytes;
use imscore_sip::Message;
use imscore_sip::header::{MaxForwards, RecordRoute, Route, Via};
use imscore_sip::transport::Transport;
use imscore_sip::uri::SipUri;
use memchr::memchr_iter;

/// A parser under the clock. `parse` gives back a number that depends on all it read, so that none of the work is
/// optimised away.
#[derive(Clone, Copy, Debug)]
pub struct Parser {
    /// Its name in tables.
    pub name: &'static str,
    /// What it reads of a message.
    pub reads: &'static str,
    /// Makes the input of a message, outside the measured time; none when this parser rejects the message.
    pub prepare: fn(&Bytes) -> Option<Bytes>,
    /// The measured work: one message, already accepted by `prepare`.
    pub parse: fn(&Bytes) -> usize,
}

/// Every parser of this build, the floor first.
#[must_use]
pub fn parsers() -> Vec<Parser> {
    vec![
        FLOOR,
        HTTPARSE,
        LINES,
        IMSCORE,
        TYPED,
        FORWARD,
        #[cfg(feature = "rsipstack")]
        RSIPSTACK,
    ]
}

/// What no parser of lines can be faster than: the line feeds up to the empty line, found with vector instructions.
pub const FLOOR: Parser = Parser {
    name: "line feeds",
    reads: "line ends only (the floor)",
    prepare: |message| Some(message.clone()),
    parse: |message| {
        let mut sum = 0;
        let mut line = 0;
        for feed in memchr_iter(b'\n', message) {
            if feed == line + 1 {
                break;
            }
            sum ^= feed;
            line = feed + 1;
        }
        sum
    },
};

/// The header lines under an HTTP request line: what the HTTP world needs for splitting and checking the same lines.
pub const HTTPARSE: Parser = Parser {
    name: "httparse",
    reads: "lines, under an HTTP start line",
    prepare: |message| {
        let end = memchr::memchr(b'\n', message)?;
        let http = Bytes::from([b"GET / HTTP/1.1\r\n", &message[end + 1..]].concat());
        http_headers(&http).is_some().then_some(http)
    },
    parse: |message| http_headers(message).unwrap_or_default(),
};

/// Our index of lines, nothing decoded.
pub const LINES: Parser = Parser {
    name: "imscore, lines",
    reads: "lines, names, controls, Content-Length",
    prepare: |message| Message::parse(message.clone()).is_ok().then(|| message.clone()),
    parse: |message| Message::parse(message.clone()).map_or(0, |message| message.headers().len()),
};

/// What a transaction and a dialog are found by.
pub const IMSCORE: Parser = Parser {
    name: "imscore",
    reads: "lines, top Via branch, Call-ID, CSeq, tags",
    prepare: |message| identity(message).is_some().then(|| message.clone()),
    parse: |message| identity(message).unwrap_or_default(),
};

fn identity(message: &Bytes) -> Option<usize> {
    let message = Message::parse(message.clone()).ok()?;
    let headers = message.headers();
    let cseq = headers.cseq().ok()?;
    Some(
        headers.branch()?.len()
            ^ headers.call_id()?.len()
            ^ cseq.number as usize
            ^ headers.from_tag().map_or(0, str::len)
            ^ headers.to_tag().map_or(0, str::len),
    )
}

/// Every header of the messages as its type.
pub const TYPED: Parser = Parser {
    name: "imscore, typed",
    reads: "lines, then every value of every header decoded",
    prepare: |message| typed(message).is_some().then(|| message.clone()),
    parse: |message| typed(message).unwrap_or_default(),
};

macro_rules! count_values {
    ($headers:expr; $($type:ident)*) => {{
        let mut count = 0;
        $(for value in $headers.typed::<imscore_sip::header::$type>() {
            black_box(value.ok()?);
            count += 1;
        })*
        count
    }};
}

fn typed(message: &Bytes) -> Option<usize> {
    let message = Message::parse(message.clone()).ok()?;
    let headers = message.headers();
    Some(count_values!(headers;
        Via To From ContentLength CallId CSeq MaxForwards RecordRoute Contact Route PChargingVector PAccessNetworkInfo
        Supported ContentType Allow UserAgent Require PAssertedIdentity Expires SessionExpires Event Authorization Accept
        AcceptContact SubscriptionState SecurityVerify RequestDisposition Reason RSeq Privacy Path PVisitedNetworkId
        PPreferredIdentity PAssertedService MinSe))
}

/// What a proxy does with the bytes of a message: of a request, one hop fewer, its own Route off, its Record-Route and Via
/// on; of a response, its own Via off; then writing.
pub const FORWARD: Parser = Parser {
    name: "imscore, forward",
    reads: "lines, the edits of a proxy, and writing",
    prepare: |message| forward(message).is_some().then(|| message.clone()),
    parse: |message| forward(message).unwrap_or_default(),
};

fn forward(message: &Bytes) -> Option<usize> {
    let written = match Message::parse(message.clone()).ok()? {
        Message::Request(mut request) => {
            let headers = &mut request.headers;
            let hops = headers.get::<MaxForwards>().ok()?.map_or(70, |hops| hops.0);
            headers.set(&MaxForwards(hops - 1));
            headers.pop_front::<Route>();
            headers.push_front(OWN_ROUTE.with(RecordRoute::clone).borrow());
            headers.push_via(Transport::Udp, "198.51.100.7:5060", "z9hG4bK0000000000d4f5378bda8143e6");
            request.into_bytes()
        }
        Message::Response(mut response) => {
            response.headers.pop_front::<Via>();
            response.into_bytes()
        }
    };
    Some(written.len())
}

thread_local! {
    static OWN_ROUTE: RecordRoute =
        RecordRoute::new("sip:3c9a17e4f0d2b685@pcscf.ims.example;lr".parse::<SipUri>().expect("a URI"));
}

/// The same of rsipstack.
#[cfg(feature = "rsipstack")]
pub const RSIPSTACK: Parser = Parser {
    name: "rsipstack",
    reads: "as imscore",
    prepare: |message| rsipstack_identity(message).is_some().then(|| message.clone()),
    parse: |message| rsipstack_identity(message).unwrap_or_default(),
};

#[cfg(feature = "rsipstack")]
fn rsipstack_identity(message: &Bytes) -> Option<usize> {
    use rsipstack::sip::{HeadersExt, SipMessage, ToTypedHeader};

    let message = SipMessage::try_from(message.clone()).ok()?;
    let via = message.via_header().ok()?.typed().ok()?;
    let cseq = message.cseq_header().ok()?.typed().ok()?;
    let from = message.from_header().ok()?.tag().ok()?;
    let to = message.to_header().ok()?.tag().ok()?;
    Some(
        via.branch()?.value().len()
            ^ message.call_id_header().ok()?.value().len()
            ^ cseq.seq as usize
            ^ from.map_or(0, |tag| tag.value().len())
            ^ to.map_or(0, |tag| tag.value().len()),
    )
}

fn http_headers(message: &[u8]) -> Option<usize> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let status = request.parse(message).ok()?;
    status
        .is_complete()
        .then(|| request.headers.iter().fold(0, |sum, header| sum ^ header.name.len() ^ header.value.len()))
}

#[cfg(test)]
mod tests {
    use crate::messages::messages;

    use super::*;

    #[test]
    fn every_parser_accepts_every_message() {
        for parser in parsers() {
            for sample in messages() {
                assert!((parser.prepare)(&sample.bytes).is_some(), "{} rejects {}", parser.name, sample.name);
            }
        }
    }

    #[test]
    fn a_hop_changes_what_a_hop_changes() {
        let invite =
            messages().into_iter().find(|sample| sample.name.contains("invite_ims")).expect("the INVITE").bytes;
        let text = String::from_utf8(invite.to_vec()).expect("text");
        let (via, route) = (text.find("Via: ").expect("a Via"), text.find("Record-Route: ").expect("a Record-Route"));
        let added = forward(&invite).expect("it is read") as isize - text.len() as isize;
        let own_via = "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK0000000000d4f5378bda8143e6\r\n".len();
        let own_route = "Record-Route: <sip:3c9a17e4f0d2b685@pcscf.ims.example;lr>\r\n".len();
        let own_hop = "<sip:orig@scscf1.ims.mnc070.mcc999.3gppnetwork.org:5054;lr>, ".len();
        assert!(via < route);
        assert_eq!(added, (own_via + own_route) as isize - own_hop as isize);
    }

    #[test]
    fn the_floor_ends_at_the_empty_line() {
        let head = Bytes::from_static(b"BYE sip:a SIP/2.0\r\nCSeq: 1 BYE\r\n\r\n");
        let whole = Bytes::from([&head[..], b"line\nline\n"].concat());
        assert_eq!((FLOOR.parse)(&whole), (FLOOR.parse)(&head));
    }
}
