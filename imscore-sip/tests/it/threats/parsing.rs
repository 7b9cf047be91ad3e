//! Messages that one reader takes for one thing and the next for another, and those that broke parsers.

use bytes::Bytes;
use imscore_sip::header::{Authorization, Contact, ContentType, Name, ReferTo, TypedHeader};
use imscore_sip::mime::Multipart;
use imscore_sip::parse::{Frame, Framer, Limits};

use super::rig::{Rig, STRANGER, request};

/// A proxy and a user agent refuse a request with this status, and the proxy forwards nothing of it.
#[track_caller]
fn refused_by_both(text: &str, status: u16) {
    let (mut proxy, mut agent) = (Rig::proxy(super::rig::config()), Rig::agent());
    proxy.give(text.as_bytes(), STRANGER);
    agent.give(text.as_bytes(), STRANGER);
    let (found, forwarded) = proxy.outcome();
    assert!(forwarded.is_empty(), "forwarded: {forwarded:?}");
    assert_eq!((&found[..], &agent.outcome().0[..]), (&[status][..], &[status][..]), "{text}");
    // Both are alive.
    let other = request("OPTIONS", "alive", &[]);
    proxy.give(other.as_bytes(), STRANGER);
    assert_eq!(proxy.outcome().1.len(), 1);
}

/// P2: a control in front of the colon of one To, and another To with a tag: whoever skips one sees a dialog.
#[test]
fn p02_two_views_of_to() {
    for control in ["\x0b", "\x01", "\u{a0}", "\x7f", "\x0c"] {
        let odd = format!("To{control}: <sip:bob@ims.example>");
        refused_by_both(&request("INVITE", "1", &[&odd, "To: <sip:bob@ims.example>;tag=x"]), 400);
        refused_by_both(&request("INVITE", "1", &["To: <sip:bob@ims.example>;tag=x", &odd]), 400);
    }
    // White space is legal there, and then there are two.
    refused_by_both(&request("INVITE", "1", &["To : <sip:bob@ims.example>", "To: <sip:bob@ims.example>;tag=x"]), 400);
}

/// P3.
#[test]
fn p03_two_to_headers_and_empty_tags() {
    refused_by_both(&request("INVITE", "1", &["To: <sip:bob@ims.example>", "To: <sip:eve@ims.example>;tag=x"]), 400);
    refused_by_both(&request("INVITE", "1", &["To: <sip:bob@ims.example>", "t: <sip:eve@ims.example>"]), 400);
    for tag in [";tag=", ";tag=\"\"", ";tag", ";tag=;x", ";tag= "] {
        refused_by_both(&request("INVITE", "1", &[&format!("To: <sip:bob@ims.example>{tag}")]), 400);
        refused_by_both(&request("INVITE", "1", &[&format!("From: <sip:bob@ims.example>{tag}")]), 400);
    }
}

/// P4: what has no way back is refused to its source and goes nowhere else; what only looks odd is passed on as it came.
#[test]
fn p04_invalid_via() {
    for via in [
        "",
        ";",
        ",",
        "SIP/2.0",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/2.0/UDP ;branch=z9hG4bK1",
        "SIP/2.0/UDP h:;branch=z",
        "SIP/2.0/UDP [::1;branch=z9hG4bK1",
        "SIP/2.0/UDP h:99999",
        "SIP//UDP h",
        "SIP/2.0/UDP h;branch=\"",
        "SIP/2.0/UDP h;branch=z9hG4bK1;;",
        "SIP/2.0/UDP h, ",
        "SIP/2.0/UDP h;rport=x;received=y",
    ] {
        refused_by_both(&request("INVITE", "1", &[&format!("Via: {via}")]), 400);
    }
    let mut agent = Rig::agent();
    agent.give(request("INVITE", "1", &["Via: \0"]).as_bytes(), STRANGER);
    assert!(agent.sent.is_empty(), "no answer to what cannot be read");
    for via in ["SIP / 2.0 / UDP h : 5060 ; branch=z9hG4bK1", "SIP/2.0/UDP h,x"] {
        let mut proxy = Rig::proxy(super::rig::config());
        proxy.give(request("INVITE", "1", &[&format!("Via: {via}")]).as_bytes(), STRANGER);
        let (statuses, forwarded) = proxy.outcome();
        assert!(statuses.is_empty() && forwarded.len() == 1, "{via}: {statuses:?}");
        assert_eq!(forwarded[0].headers.raw_all(Name::VIA).count(), 2, "{via}: ours stands above it");
    }
}

/// P5: 256 bytes of a branch or a tag are read and kept whole, one more is refused.
#[test]
fn p05_long_branches_and_tags() {
    for length in [127, 128, 254, 255, 256, 257, 4_096] {
        let word = "t".repeat(length);
        let lines = [
            format!("From: <sip:alice@ims.example>;tag={word}"),
            format!("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{}", &word[7..]),
        ];
        for line in lines {
            let text = request("INVITE", "1", &[&line]);
            if length > 256 {
                refused_by_both(&text, 400);
                continue;
            }
            let mut proxy = Rig::proxy(super::rig::config());
            proxy.give(text.as_bytes(), STRANGER);
            let (statuses, forwarded) = proxy.outcome();
            assert!(statuses.is_empty() && forwarded.len() == 1, "{length}: {statuses:?}");
            assert!(String::from_utf8_lossy(&forwarded[0].to_bytes()).contains(&word[7..]));
        }
    }
}

/// P6: 64 bytes of a method are one, more are refused, whatever stands in the first line.
#[test]
fn p06_long_cseq_methods() {
    for length in [65, 1_000, 8_000, 20_000] {
        refused_by_both(&request("INVITE", "1", &[&format!("CSeq: 1 {}", "M".repeat(length))]), 400);
    }
    let mut proxy = Rig::proxy(super::rig::config());
    proxy.give(request("OPTIONS", "1", &[&format!("CSeq: 1 {}", "M".repeat(65_000))]).as_bytes(), STRANGER);
    assert!(proxy.outcome().1.is_empty());
    proxy.give(request(&"M".repeat(64), "2", &[]).as_bytes(), STRANGER);
    assert_eq!(proxy.outcome().1.len(), 1);
    proxy.give(request(&"M".repeat(65), "3", &[]).as_bytes(), STRANGER);
    assert_eq!(proxy.outcome().0, [400]);
}

/// P7: credentials that do not end are no credentials. That it takes no longer than it must is shown with D6.
#[test]
fn p07_unterminated_digests() {
    for value in
        ["Digest realm=\"", "Digest realm=\"\\", "Digest \"\"\"\"\"", "Digest a=\"b\" c=\"d", "Digest =", "Digest ,,,="]
    {
        let decoded = Authorization::decode(&value.into());
        assert!(decoded.is_err() || decoded.is_ok_and(|it| it.param("realm").is_none()), "{value}");
    }
    let bomb = format!("Digest realm={}", "\"\\\"\"".repeat(1_000));
    assert!(Authorization::decode(&bomb.as_str().into()).is_err());
}

/// P8: parts within parts to a depth of four, and boundaries that are none.
#[test]
fn p08_multipart_bodies() {
    let read = |boundary: &str, body: String| {
        let kind = ContentType::decode(&format!("multipart/mixed;boundary={boundary}").as_str().into())?;
        Ok::<_, imscore_sip::header::HeaderError>(Multipart::read(&kind, body.into()).is_ok())
    };
    let nested = |depth: usize| {
        (0..depth).rev().fold("Content-Type: text/plain\r\n\r\nx\r\n".to_string(), |inner, level| {
            let body = format!("--b{level}\r\n{inner}--b{level}--\r\n");
            if level == 0 { body } else { format!("Content-Type: multipart/mixed;boundary=b{level}\r\n\r\n{body}") }
        })
    };
    assert_eq!([3, 4, 5, 1_000].map(|depth| read("b0", nested(depth)).unwrap()), [true, true, false, false]);
    for boundary in ["\"\"", "", "\" \"", &"b".repeat(71)] {
        assert!(!read(boundary, "--\r\n\r\nx\r\n----\r\n".into()).unwrap_or(false), "{boundary:?}");
    }
}

/// P10: what stands behind a length that is doubtful is never a message of that connection.
#[test]
fn p10_smuggling_on_a_stream() {
    let inner = request("INVITE", "inner", &[]);
    let lines = [
        "Content-Length: -1",
        "Content-Length: +5",
        "Content-Length: 0x10",
        "Content-Length: 2147483648",
        "Content-Length: 99999999999999999999",
        "Content-Length: 5\r\nContent-Length: 0",
        "Content-Length: 0\r\nl: 5",
        "Content-Length: 0, 5",
        "Content-Length: 5 0",
        "Content-Length\x0b: 0",
        "Content-Length:",
        "X: y\nContent-Length: 0",
        "Transfer-Encoding: chunked",
        "Content-Length : 0\rX: y",
    ];
    for line in lines {
        let outer = request("OPTIONS", "outer", &[]).replace("Content-Length: 0", line);
        let mut framer = Framer::new(Limits::default());
        framer.push(format!("{outer}{inner}").as_bytes());
        let mut failed = false;
        while let Some(frame) = framer.next_frame().unwrap_or_else(|_| {
            failed = true;
            None
        }) {
            let Frame::Message(bytes) = frame else { continue };
            assert!(!bytes.starts_with(b"INVITE"), "{line}: the inner message was run");
        }
        assert!(failed, "{line}: the connection goes on");
    }
}

/// P11: text of a URI is text of a URI, wherever it stands and whatever it escapes.
#[test]
fn p11_headers_in_uris() {
    let uris = [
        "sip:bob@ims.example?Route=%3Csip:evil.example%3E&P-Asserted-Identity=%3Csip:admin%40ims.example%3E",
        "sip:bob%0D%0AP-Asserted-Identity%3A%20%3Csip%3Aadmin%40ims.example%3E@ims.example",
        "sip:bob@ims.example;x=%0D%0ARoute:%20%3Csip:evil.example%3E",
    ];
    for uri in uris {
        let referred = format!("Refer-To: <{uri}>");
        // The Contact of a dialog has no headers either.
        let contact = format!("Contact: <{}>", uri.split('?').next().unwrap());
        let plain = request("REFER", "1", &[&referred, &contact]);
        for text in [plain.clone(), plain.replacen("sip:bob@ims.example", uri, 1)] {
            let mut proxy = Rig::proxy(super::rig::config());
            proxy.give(text.as_bytes(), STRANGER);
            let (statuses, forwarded) = proxy.outcome();
            for request in &forwarded {
                assert!(!request.headers.contains(Name::ROUTE) && !request.headers.contains(Name::P_ASSERTED_IDENTITY));
                assert_eq!(request.headers.raw(ReferTo::NAME), Some(format!("<{uri}>").as_bytes()));
                assert!(request.headers.first::<Contact>().is_ok());
            }
            // A Request-URI has no headers (RFC 3261 §19.1.1).
            let refused = text != plain && uri.contains('?');
            assert_eq!((&statuses[..], forwarded.len()), if refused { (&[400][..], 0) } else { (&[][..], 1) }, "{uri}");
        }
    }
}

/// P14: a datagram that is STUN at the front is no SIP, and its lengths are believed as far as they go.
#[test]
fn p14_stun_lengths() {
    use imscore_sip::transport::stun::Binding;

    let header = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    for (length, attribute) in [(4u8, [0, 6, 0xff, 0xff]), (4, [0, 6, 0, 1]), (8, [0, 6, 0, 0]), (3, [0, 6, 0, 0])] {
        let mut bytes = [&header[..], &attribute[..]].concat();
        bytes[3] = length;
        assert!(Binding::read(&bytes).is_err(), "{length} {attribute:?}");
    }
    let empty: Bytes = header.to_vec().into();
    assert!(Binding::read(&empty).is_ok());
}
