//! What is read of a message against what rsip and rsipstack read of it, where these accept it.

use bytes::Bytes;
use imscore_sip::Message;
use imscore_sip::header::{Contact, From, MaxForwards, To, Via};
use imscore_sip::uri::SipUri;

/// What every SIP stack reads of a message.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    /// Method, or status.
    start: String,
    request_uri: Option<Place>,
    via: (String, Place, Option<String>),
    call_id: String,
    cseq: (u32, String),
    from: (Place, Option<String>),
    to: (Place, Option<String>),
    contact: Option<Place>,
    max_forwards: Option<u32>,
    body: Vec<u8>,
}

/// User, host and port of an address.
type Place = (Option<String>, String, Option<u16>);

fn place(uri: &SipUri) -> Place {
    let host = uri.host().trim_matches(['[', ']']).to_ascii_lowercase();
    (uri.user().map(String::from), host, uri.port())
}

/// `None` where an address is no SIP URI, which neither peer can show.
fn ours(bytes: &Bytes) -> Option<Facts> {
    let message = Message::parse(bytes.clone()).ok()?;
    let (start, request_uri, body) = match &message {
        Message::Request(request) => {
            (request.method().to_string(), Some(place(request.uri().ok()?.as_sip()?)), request.body())
        }
        Message::Response(response) => (response.status().code().to_string(), None, response.body()),
    };
    let headers = message.headers();
    let via: Via = headers.first().ok()?;
    let (from, to): (From, To) = (headers.first().ok()?, headers.first().ok()?);
    let cseq = headers.cseq().ok()?;
    let contact = headers.get::<Contact>().ok()?.filter(|contact| !contact.is_wildcard());
    Some(Facts {
        start,
        request_uri,
        via: (
            via.transport().to_string(),
            (None, via.host().trim_matches(['[', ']']).to_ascii_lowercase(), via.port()),
            via.branch().map(String::from),
        ),
        call_id: headers.call_id()?.to_string(),
        cseq: (cseq.number, cseq.method.to_string()),
        from: (place(from.sip()?), from.tag().map(String::from)),
        to: (place(to.sip()?), to.tag().map(String::from)),
        contact: contact.map(|contact| contact.sip().map(place)).unwrap_or_default(),
        max_forwards: headers.get::<MaxForwards>().ok()?.map(|hops| hops.0.into()),
        body: body.to_vec(),
    })
}

/// The reading of a peer: both have the same names for things.
macro_rules! peer {
    ($name:ident, $sip:path, $bytes:expr, $($prelude:tt)*) => {
        fn $name(bytes: &Bytes) -> Option<Facts> {
            use $sip as sip;
            #[allow(unused_imports)]
            use $($prelude)*;

            let place = |uri: &sip::Uri| -> Place {
                let user = uri.auth.as_ref().map(|auth| auth.user.clone());
                let host = uri.host_with_port.host.to_string().trim_matches(['[', ']']).to_ascii_lowercase();
                (user, host, uri.host_with_port.port.as_ref().and_then(|port| port.to_string().parse().ok()))
            };
            let message = sip::SipMessage::try_from($bytes(bytes)).ok()?;
            let (start, request_uri, body) = match &message {
                sip::SipMessage::Request(request) => {
                    (request.method.to_string(), Some(place(&request.uri)), request.body.clone())
                }
                sip::SipMessage::Response(response) => {
                    (response.status_code.code().to_string(), None, response.body.clone())
                }
            };
            // Compact forms that it does not know are other headers to it.
            let is_compact = |header: &sip::Header| matches!(header, sip::Header::Other(name, _) if name.len() == 1);
            if message.headers().iter().any(is_compact) {
                return None;
            }
            let via = message.via_header().ok()?.typed().ok()?;
            let from = message.from_header().ok()?.typed().ok()?;
            let to = message.to_header().ok()?.typed().ok()?;
            let cseq = message.cseq_header().ok()?.typed().ok()?;
            let contact = message.contact_header().ok().map(|contact| contact.typed()).transpose().ok()?;
            let hops = message.max_forwards_header().ok().and_then(|hops| hops.value().trim().parse().ok());
            Some(Facts {
                start,
                request_uri,
                via: (
                    via.transport.to_string(),
                    place(&via.uri),
                    via.branch().map(|branch| branch.value().to_string()),
                ),
                call_id: message.call_id_header().ok()?.value().to_string(),
                cseq: (cseq.seq, cseq.method.to_string()),
                from: (place(&from.uri), from.tag().map(|tag| tag.value().to_string())),
                to: (place(&to.uri), to.tag().map(|tag| tag.value().to_string())),
                contact: contact.map(|contact| place(&contact.uri)),
                max_forwards: hops,
                body,
            })
        }
    };
}

peer!(rsip, ::rsip, |bytes: &Bytes| bytes.to_vec(), ::rsip::prelude::*);
peer!(rsipstack, ::rsipstack::sip, |bytes: &Bytes| bytes.clone(), ::rsipstack::sip::*);

const BASE: &str = "INVITE sip:bob@ims.example:5070;transport=tcp SIP/2.0\r\n\
    Via: SIP/2.0/UDP pc33.example:5066;branch=z9hG4bKa\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKb\r\n\
    Max-Forwards: 70\r\nFrom: Alice <sip:alice@ims.example>;tag=1928\r\nTo: <sip:bob@ims.example>\r\n\
    Call-ID: a84b4c76e66710@pc33\r\nCSeq: 314159 INVITE\r\nContact: <sip:alice@pc33.example:5066;ob>\r\n\
    Content-Length: 4\r\n\r\nbody";

/// Spellings of the same things: what stands in the base, and what in place of it.
const SPELLINGS: &[(&str, &str)] = &[
    ("Alice <sip", "\"A. Lice\" <sip"),
    ("Alice <sip:alice@ims.example>", "sip:alice@ims.example"),
    ("<sip:bob@ims.example>\r", "<sips:bob@ims.example>;tag=a6c85cf;x=y\r"),
    ("To: <sip:bob@ims.example>", "To: Bob <sip:+15550100@ims.example;user=phone>"),
    ("pc33.example:5066;branch", "[2001:db8::9]:5066;rport;branch"),
    ("pc33.example:5066;branch=z9hG4bKa", "192.0.2.1;received=192.0.2.4;branch=z9hG4bKa"),
    ("INVITE", "MESSAGE"),
    ("sip:bob@ims.example:5070;transport=tcp SIP", "sip:ims.example SIP"),
    ("sip:bob@ims.example:5070;transport=tcp SIP", "sip:[2001:db8::1]:5070;lr SIP"),
    ("Via: SIP/2.0/UDP", "v: SIP/2.0/TLS"),
    ("From:", "f:"),
    ("To:", "t:"),
    ("Call-ID:", "i:"),
    ("Contact:", "m:"),
    ("Max-Forwards: 70", "Max-Forwards:0"),
    ("CSeq: 314159 ", "CSeq: 2147483647 "),
    ("Content-Length: 4\r\n\r\nbody", "Content-Length: 0\r\n\r\n"),
    ("Contact: <sip:alice@pc33.example:5066;ob>\r\n", ""),
    ("INVITE sip:bob@ims.example:5070;transport=tcp SIP/2.0", "SIP/2.0 180 Ringing"),
    ("INVITE sip:bob@ims.example:5070;transport=tcp SIP/2.0", "SIP/2.0 603 Decline"),
];

/// The base, every spelling by itself, and every two of them.
fn spelled() -> Vec<Bytes> {
    let with = |text: &str, (from, to): &(&str, &str)| text.contains(from).then(|| text.replace(from, to));
    let mut texts = vec![BASE.to_string()];
    for (at, one) in SPELLINGS.iter().enumerate() {
        let Some(first) = with(BASE, one) else { panic!("{one:?} is not in the base") };
        texts.extend(SPELLINGS[at + 1..].iter().filter_map(|other| with(&first, other)));
        texts.push(first);
    }
    texts.into_iter().map(Bytes::from).collect()
}

fn samples() -> Vec<Bytes> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("messages");
    let files = std::fs::read_dir(folder).expect("benches/messages").map(|file| file.expect("a file").path());
    files.map(|file| std::fs::read(file).expect("a message").into()).collect()
}

/// Compares where a peer accepts a message; it must accept that many.
fn compare(name: &str, peer: fn(&Bytes) -> Option<Facts>, at_least: usize) {
    let mut accepted = 0;
    for message in samples().into_iter().chain(spelled()) {
        let text = String::from_utf8_lossy(&message);
        let Some(theirs) = peer(&message) else { continue };
        let Some(ours) = ours(&message) else { continue };
        assert_eq!(ours, theirs, "{name} reads otherwise:\n{text}");
        accepted += 1;
    }
    println!("{name}: {accepted} messages");
    assert!(accepted >= at_least, "{name} accepts {accepted}");
}

#[test]
fn every_message_is_read() {
    assert!(spelled().iter().all(|message| ours(message).is_some()));
}

#[test]
fn values_are_those_of_rsip() {
    compare("rsip", rsip, 80);
}

#[test]
fn values_are_those_of_rsipstack() {
    compare("rsipstack", rsipstack, 100);
}
