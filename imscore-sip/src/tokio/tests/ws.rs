//! WebSocket on loopback (RFC 7118); threat M6.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::tcp::rest;
use super::*;

const KEY: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// What the server says to an upgrade with these headers.
async fn upgrade(rig: &Rig, headers: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(rig.addresses[0]).await.unwrap();
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: h\r\n{headers}\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match within(stream.read_u8()).await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    (stream, String::from_utf8(head).unwrap())
}

async fn open(rig: &Rig) -> TcpStream {
    let (stream, head) = upgrade(rig, &format!("{KEY}Sec-WebSocket-Protocol: sip\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    stream
}

/// A frame as a client sends it, with a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..65_536 => frame.extend([&[0x80 | 126][..], &(length as u16).to_be_bytes()].concat()),
        length => frame.extend([&[0x80 | 127][..], &(length as u64).to_be_bytes()].concat()),
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// The next frame of a server: its first byte and its payload.
async fn next(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut start = [0; 2];
    within(stream.read_exact(&mut start)).await.unwrap();
    let length = match start[1] {
        126 => usize::from(within(stream.read_u16()).await.unwrap()),
        127 => within(stream.read_u64()).await.unwrap() as usize,
        length => usize::from(length),
    };
    let mut payload = vec![0; length];
    within(stream.read_exact(&mut payload)).await.unwrap();
    (start[0], payload)
}

/// The code of the close that follows, and then the end.
async fn closed(stream: &mut TcpStream) -> u16 {
    loop {
        let (first, payload) = next(stream).await;
        if first == 0x88 {
            assert_eq!(rest(stream).await, "");
            return u16::from_be_bytes([payload[0], payload[1]]);
        }
    }
}

#[tokio::test]
async fn each_frame_is_a_message_both_ways() {
    let mut rig = Rig::new(&["ws:127.0.0.1:0"], Settings::default()).await;
    let mut stream = open(&rig).await;
    for (call, first) in [("1", 0x81), ("2", 0x82)] {
        stream.write_all(&frame(first, options(call, Transport::Ws).as_bytes())).await.unwrap();
        assert_eq!(next(&mut stream).await, (0x81, answer(call, Transport::Ws).into_bytes()));
        let Seen::Request(flow) = rig.next().await else { panic!("a request") };
        assert_eq!((flow.transport, flow.connection.is_some()), (Transport::Ws, true));
    }
    // RFC 7118 §5: what is no text goes as binary, and two fragments are one message.
    let text = options("3", Transport::Ws);
    let (start, end) = text.split_at(50);
    stream.write_all(&[frame(0x01, start.as_bytes()), frame(0x80, end.as_bytes())].concat()).await.unwrap();
    assert_eq!(next(&mut stream).await.1, answer("3", Transport::Ws).into_bytes());
    let Seen::Request(flow) = rig.next().await else { panic!("a request") };
    rig.send(flow, vec![0xff; 3], None);
    assert_eq!(next(&mut stream).await, (0x82, vec![0xff; 3]));
    drop(stream);
    assert_eq!(rig.next().await, Seen::Lost(flow));
}

/// RFC 7118 §4.2, §4.1; threat M6: no subprotocol, no origin that may, no upgrade; smuggled bytes before it.
#[tokio::test]
async fn m06_who_may_not_connect_is_refused() {
    let mut settings = Settings::default();
    settings.ws.origins = Origins::Listed(vec!["https://phone.ims.example".into()]);
    let mut rig = Rig::new(&["ws:127.0.0.1:0"], settings).await;
    let sip = "Sec-WebSocket-Protocol: chat, sip\r\n";
    let good = "Origin: https://phone.ims.example\r\n";
    for (headers, status) in [
        (format!("{KEY}{sip}{good}"), "HTTP/1.1 101"),
        (format!("{KEY}{sip}Origin: https://evil.example\r\n"), "HTTP/1.1 403"),
        (format!("{KEY}{sip}Origin: https://phone.ims.example.evil.example\r\n"), "HTTP/1.1 403"),
        (format!("{KEY}{sip}"), "HTTP/1.1 403"),
        (format!("{KEY}{good}"), "HTTP/1.1 400"),
        (format!("{KEY}{good}Sec-WebSocket-Protocol: sips\r\n"), "HTTP/1.1 400"),
        (good.to_string() + sip, ""),
        (format!("{KEY}{sip}{good}\r\nGET / HTTP/1.1\r\n"), ""),
    ] {
        let (mut stream, head) = upgrade(&rig, &headers).await;
        assert!(head.starts_with(status) && head.is_empty() == status.is_empty(), "{headers}: {head}");
        if status.ends_with("101") {
            assert!(head.to_ascii_lowercase().contains("sec-websocket-protocol: sip\r\n"), "{head}");
            continue;
        }
        // What comes behind is never read as SIP.
        let _ = stream.write_all(options("1", Transport::Tcp).as_bytes()).await;
        rest(&mut stream).await;
    }
    assert_eq!(rig.counters.handshakes_failed.total(), 7);
    assert!(rig.seen.try_recv().is_err());
}

/// Threat M6, a cross-site page: the host that a page comes from is the one that it connects to, unless the settings say more.
#[tokio::test]
async fn m06_a_page_of_another_host_is_refused() {
    for (origins, origin, allowed) in [
        (Origins::SameHost, None, true),
        (Origins::SameHost, Some("http://h"), true),
        (Origins::SameHost, Some("https://H:8443"), true),
        (Origins::SameHost, Some("https://evil.example"), false),
        (Origins::SameHost, Some("https://h.evil.example"), false),
        (Origins::SameHost, Some("https://evil.example/://h"), false),
        (Origins::SameHost, Some("h"), false),
        (Origins::SameHost, Some("null"), false),
        (Origins::SameHost, Some("http://h\r\nOrigin: http://h"), false),
        (Origins::Listed(vec!["https://a".into(), "https://b".into()]), Some("https://b"), true),
        (Origins::Listed(vec!["https://a".into(), "https://b".into()]), Some("https://h"), false),
        (Origins::Listed(vec!["https://a".into()]), None, false),
        (Origins::Any, Some("https://evil.example"), true),
        (Origins::Any, None, true),
    ] {
        let mut settings = Settings::default();
        settings.ws.origins = origins;
        let rig = Rig::new(&["ws:127.0.0.1:0"], settings).await;
        let line = origin.map_or_else(String::new, |origin| format!("Origin: {origin}\r\n"));
        let (_, head) = upgrade(&rig, &format!("{KEY}Sec-WebSocket-Protocol: sip\r\n{line}")).await;
        let status = if allowed { "HTTP/1.1 101" } else { "HTTP/1.1 403" };
        assert!(head.starts_with(status), "{origin:?}: {head}");
    }
}

/// Threat M6: 1002 for what breaks the protocol, 1009 for what is too long, 1008 for a flood of pings.
#[tokio::test]
async fn m06_a_violation_is_named_and_ends_the_connection() {
    let rig = Rig::new(&["ws:127.0.0.1:0"], Settings::default()).await;
    let pings = frame(0x89, b"").repeat(10_000);
    let unmasked = [&[0x81, 2][..], b"hi"].concat();
    for (bytes, code) in [
        (unmasked, 1_002),
        (frame(0x09, b""), 1_002),
        (frame(0x89, &[0; 126]), 1_002),
        (frame(0xc1, b"x"), 1_002),
        (frame(0x83, b"x"), 1_002),
        (frame(0x80, b"x"), 1_002),
        (frame(0x82, &[b'x'; 65_537]), 1_009),
        ([frame(0x02, &[b'x'; 65_536]), frame(0x80, b"x")].concat(), 1_009),
        (frame(0x81, &[0xff]), 1_007),
        (pings, 1_008),
    ] {
        let mut stream = open(&rig).await;
        let _ = stream.write_all(&bytes).await;
        assert_eq!(closed(&mut stream).await, code, "{:?}", &bytes[..2]);
    }
    let mut good = open(&rig).await;
    good.write_all(&frame(0x81, options("1", Transport::Ws).as_bytes())).await.unwrap();
    assert_eq!(next(&mut good).await.1, answer("1", Transport::Ws).into_bytes());
}

#[tokio::test]
async fn a_message_of_64_kib_is_not_too_long() {
    let mut rig = Rig::new(&["ws:127.0.0.1:0"], Settings::default()).await;
    let mut stream = open(&rig).await;
    let mut text = options("1", Transport::Ws);
    text.push_str(&"x".repeat(65_536 - text.len()));
    stream.write_all(&frame(0x81, text.as_bytes())).await.unwrap();
    assert!(matches!(rig.next().await, Seen::Request(_)));
}

/// A frame that is no SIP ends the connection; empty ones keep it alive, and two empty lines are answered (RFC 7118 §6).
#[tokio::test]
async fn what_is_no_message_ends_the_connection() {
    let mut rig = Rig::new(&["ws:127.0.0.1:0"], Settings::default()).await;
    let mut stream = open(&rig).await;
    for keep_alive in [frame(0x81, b"\r\n\r\n"), frame(0x82, b""), frame(0x8a, b"x")] {
        stream.write_all(&keep_alive).await.unwrap();
    }
    assert_eq!(next(&mut stream).await, (0x81, b"\r\n".to_vec()));
    stream.write_all(&frame(0x89, b"there?")).await.unwrap();
    assert_eq!(next(&mut stream).await, (0x8a, b"there?".to_vec()));
    stream.write_all(&frame(0x81, b"hello\r\n\r\n")).await.unwrap();
    assert!(matches!(rig.next().await, Seen::Malformed(..)));
    assert!(matches!(rig.next().await, Seen::Lost(_)));
    assert_eq!(closed(&mut stream).await, 1_000);
}

/// Threat D3 on this transport: nothing at all, half an upgrade, nothing behind it, half a frame.
#[tokio::test]
async fn d03_a_slow_client_is_closed() {
    let short = Duration::from_millis(50);
    let settings = Settings { handshake: short, first_byte: short, idle: short, ..Settings::default() };
    let rig = Rig::new(&["ws:127.0.0.1:0"], settings).await;
    for start in [&b""[..], b"GET / HTTP/1.1\r\nHost: "] {
        let mut stream = TcpStream::connect(rig.addresses[0]).await.unwrap();
        stream.write_all(start).await.unwrap();
        rest(&mut stream).await;
    }
    for start in [&b""[..], &frame(0x81, &[b'x'; 1_000])[..500]] {
        let mut stream = open(&rig).await;
        stream.write_all(start).await.unwrap();
        rest(&mut stream).await;
    }
    assert_eq!(rig.counters.timed_out.total(), 4);
}

#[tokio::test]
async fn we_connect_and_are_told_of_the_end() {
    let mut server = Rig::new(&["ws:127.0.0.1:0"], Settings::default()).await;
    let mut client = Rig::new(&["ws:127.0.0.1:0"], Settings::default()).await;
    let there = flow(Transport::Ws, server.addresses[0]);
    for call in ["1", "2"] {
        client.send(there, options(call, Transport::Ws), Some(1));
        assert!(matches!(server.next().await, Seen::Request(_)));
        assert!(matches!(client.next().await, Seen::Response(StatusCode::OK, _)));
    }
    assert_eq!(client.counters.connected.total(), 1);
    // Plain HTTP, and SIP over TCP, agree to no subprotocol.
    let tcp = Rig::new(&["tcp:127.0.0.1:0"], Settings::default()).await;
    client.send(flow(Transport::Ws, tcp.addresses[0]), options("3", Transport::Ws), Some(3));
    assert_eq!(client.next().await, Seen::Failed(Ticket(3)));
}
