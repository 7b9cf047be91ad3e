use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::transport::Side;

/// Reads exactly that.
pub(super) async fn expect(stream: &mut TcpStream, text: &str) {
    let mut buffer = vec![0; text.len()];
    within(stream.read_exact(&mut buffer)).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&buffer), text);
}

/// Everything up to the end.
pub(super) async fn rest(stream: &mut TcpStream) -> String {
    let mut buffer = Vec::new();
    // A reset ends it as well.
    let _ = within(stream.read_to_end(&mut buffer)).await;
    String::from_utf8(buffer).unwrap()
}

#[tokio::test]
async fn every_request_is_answered_on_its_connection() {
    let mut rig = Rig::new(&["tcp:127.0.0.1:0", "tcp:[::1]:0"], Settings::default()).await;
    let mut streams = Vec::new();
    for listener in 0..2 {
        let mut stream = TcpStream::connect(rig.addresses[listener]).await.unwrap();
        let calls = (0..100).map(|call| call.to_string());
        let requests: String = calls.clone().map(|call| options(&call, Transport::Tcp)).collect();
        let answers: String = calls.map(|call| answer(&call, Transport::Tcp)).collect();
        stream.write_all(requests.as_bytes()).await.unwrap();
        expect(&mut stream, &answers).await;
        for _ in 0..100 {
            let Seen::Request(flow) = rig.next().await else { panic!("a request") };
            assert_eq!(flow.remote, stream.local_addr().unwrap());
            assert_eq!((flow.listener, flow.connection.is_some()), (ListenerId(listener as u16), true));
        }
        streams.push(stream);
    }
    assert_eq!(rig.counters.accepted.total(), 2);
}

/// Fault R10.
#[tokio::test]
async fn a_message_may_come_byte_by_byte() {
    let rig = Rig::new(&["tcp:127.0.0.1:0"], Settings::default()).await;
    let mut stream = TcpStream::connect(rig.addresses[0]).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in options("1", Transport::Tcp).bytes() {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    expect(&mut stream, &answer("1", Transport::Tcp)).await;
}

/// RFC 5626 §4.4.1.
#[tokio::test]
async fn a_ping_is_answered() {
    let rig = Rig::new(&["tcp:127.0.0.1:0"], Settings::default()).await;
    let mut stream = TcpStream::connect(rig.addresses[0]).await.unwrap();
    stream.write_all(b"\r\n\r\n").await.unwrap();
    expect(&mut stream, "\r\n").await;
    stream.write_all(options("1", Transport::Tcp).as_bytes()).await.unwrap();
    expect(&mut stream, &answer("1", Transport::Tcp)).await;
}

/// Threat P10: what is malformed is answered, nothing behind it is read, and the connection ends.
#[tokio::test]
async fn p10_a_malformed_message_ends_its_connection() {
    let mut rig = Rig::new(&["tcp:127.0.0.1:0"], Settings::default()).await;
    let good = options("1", Transport::Tcp);
    for (broken, fault) in [
        (good.replace("Content-Length: 0", "Content-Length: x"), Fault::ContentLength),
        (good.replace("Call-ID:", "Call ID:"), Fault::HeaderName),
    ] {
        let mut stream = TcpStream::connect(rig.addresses[0]).await.unwrap();
        stream.write_all(format!("{good}{broken}{good}").as_bytes()).await.unwrap();
        expect(&mut stream, &answer("1", Transport::Tcp)).await;
        let last = rest(&mut stream).await;
        assert!(last.starts_with("SIP/2.0 400 ") && last.ends_with("\r\n\r\n"), "{last}");
        let Seen::Request(flow) = rig.next().await else { panic!("a request") };
        assert_eq!(rig.next().await, Seen::Malformed(fault, flow));
        assert_eq!(rig.next().await, Seen::Lost(flow));
    }
}

/// Threat M9; on every transport in `threats.rs`.
#[tokio::test]
async fn m09_a_browser_gets_nothing() {
    let mut rig = Rig::new(&["tcp:127.0.0.1:0"], Settings::default()).await;
    let mut stream = TcpStream::connect(rig.addresses[0]).await.unwrap();
    let body = options("1", Transport::Tcp);
    let post = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(post.as_bytes()).await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
    assert!(matches!(rig.next().await, Seen::Malformed(Fault::StartLine, _)));
    assert!(matches!(rig.next().await, Seen::Lost(_)));
}

#[tokio::test]
async fn a_connection_is_opened_once_and_used_both_ways() {
    let mut rig = Rig::new(&["tcp:127.0.0.1:0"], Settings::default()).await;
    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = flow(Transport::Tcp, peer.local_addr().unwrap());
    rig.send(there, options("1", Transport::Tcp), Some(1));
    rig.send(there, options("2", Transport::Tcp), Some(2));
    let (mut stream, from) = within(peer.accept()).await.unwrap();
    assert_eq!(from.ip(), rig.addresses[0].ip());
    expect(&mut stream, &(options("1", Transport::Tcp) + &options("2", Transport::Tcp))).await;

    stream.write_all(answer("1", Transport::Tcp).as_bytes()).await.unwrap();
    let Seen::Response(StatusCode::OK, used) = rig.next().await else { panic!("a response") };
    assert_eq!(Flow { connection: None, ..used }, there);
    rig.send(used, options("3", Transport::Tcp), None);
    rig.send(there, options("4", Transport::Tcp), None);
    expect(&mut stream, &(options("3", Transport::Tcp) + &options("4", Transport::Tcp))).await;

    drop(stream);
    assert_eq!(rig.next().await, Seen::Lost(used));
    assert_eq!((rig.counters.connected.total(), rig.counters.closed.total()), (1, 1));
}

#[tokio::test]
async fn a_connection_that_cannot_be_opened_fails_all_that_waits_for_it() {
    let mut rig = Rig::new(&["tcp:127.0.0.1:0"], Settings::default()).await;
    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = flow(Transport::Tcp, peer.local_addr().unwrap());
    drop(peer);
    rig.tell(move |engine| {
        for ticket in [Some(1), None, Some(3)] {
            engine.send(Transmit { flow: there, domain: None, bytes: "x".into(), ticket: ticket.map(Ticket) });
        }
    });
    assert_eq!(rig.next().await, Seen::Failed(Ticket(1)));
    assert_eq!(rig.next().await, Seen::Failed(Ticket(3)));
    let Seen::Lost(lost) = rig.next().await else { panic!("a lost flow") };
    assert_eq!(Flow { connection: None, ..lost }, there);
    assert_eq!((rig.counters.connect_failed.total(), rig.counters.closed.total()), (1, 0));
}

/// RFC 3261 §18.2.2 and RFC 5626 §5.3 differ in what to do; whoever left a ticket decides.
#[tokio::test]
async fn a_gone_connection_is_replaced_only_for_those_without_a_ticket() {
    let mut rig = Rig::new(&["tcp:127.0.0.1:0"], Settings::default()).await;
    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = flow(Transport::Tcp, peer.local_addr().unwrap());
    rig.send(there, options("1", Transport::Tcp), None);
    drop(within(peer.accept()).await.unwrap());
    let Seen::Lost(gone) = rig.next().await else { panic!("a lost flow") };

    rig.send(gone, options("2", Transport::Tcp), Some(2));
    assert_eq!(rig.next().await, Seen::Failed(Ticket(2)));
    rig.send(gone, options("3", Transport::Tcp), None);
    let (mut stream, _) = within(peer.accept()).await.unwrap();
    expect(&mut stream, &options("3", Transport::Tcp)).await;
}

/// RFC 5923: a connection that is offered is used the other way, where the settings trust the peer's host.
#[tokio::test]
async fn an_offered_connection_is_reused_where_its_host_is_trusted() {
    for (aliases, side, via, reused) in [
        (Aliases::Trusted, Side::Core, ";alias", true),
        (Aliases::Trusted, Side::Core, "", false),
        (Aliases::Trusted, Side::Access, ";alias", false),
        (Aliases::Proved, Side::Core, ";alias", false),
        (Aliases::None, Side::Core, ";alias", false),
    ] {
        let listen: ListenAddress = "tcp:127.0.0.1:0".parse().unwrap();
        let settings = Settings { aliases, ..Settings::default() };
        let mut rig = Rig::listening([listen.side(side)], settings).await;
        // Where the peer says that it listens, and does.
        let listening = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = listening.local_addr().unwrap();
        let mut stream = TcpStream::connect(rig.addresses[0]).await.unwrap();
        let offer = options("1", Transport::Tcp).replace("h;branch", &format!("{there}{via};branch"));
        stream.write_all(offer.as_bytes()).await.unwrap();
        let Seen::Request(flow) = rig.next().await else { panic!("a request") };
        expect(&mut stream, &format!("SIP/2.0 200 OK\r\n{}", offer.split_once("\r\n").unwrap().1)).await;
        let ours = options("2", Transport::Tcp);
        rig.send(Flow { remote: there, connection: None, ..flow }, ours.clone(), None);
        if reused {
            expect(&mut stream, &ours).await;
            assert_eq!(rig.counters.connected.total(), 0);
            drop(stream);
            assert_eq!(rig.next().await, Seen::Lost(flow));
            // The alias goes with its connection.
            rig.send(Flow { remote: there, connection: None, ..flow }, ours.clone(), None);
        }
        let (mut opened, _) = within(listening.accept()).await.unwrap();
        expect(&mut opened, &ours).await;
    }
}

/// The code around an engine sees the end of a connection too.
#[tokio::test]
async fn a_handle_tells_when_its_flow_ends() {
    let listen = "tcp:127.0.0.1:0".parse().unwrap();
    let mut endpoint = Endpoint::bind([listen], |_| Echo::default()).await.unwrap();
    let address: SocketAddr = endpoint.listeners()[0].sent_by.parse().unwrap();
    for closed_here in [false, true] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(options("1", Transport::Tcp).as_bytes()).await.unwrap();
        let Seen::Request(flow) = within(endpoint.next()).await else { panic!("a request") };
        let mut handle = endpoint.watch(&flow).expect("it is open");
        assert!(handle.is_open() && handle.flow() == flow);
        match closed_here {
            true => endpoint.engine_mut().outputs.push_back(Output::Close(flow)),
            false => drop(stream),
        }
        assert_eq!(within(endpoint.next()).await, Seen::Lost(flow));
        within(handle.ended()).await;
        assert!(!handle.is_open() && endpoint.watch(&flow).is_none());
    }
    assert!(endpoint.watch(&flow(Transport::Udp, address)).is_none());
}

/// Threat D4.
#[tokio::test]
async fn d04_a_reset_before_the_answer_is_a_lost_flow() {
    let mut rig = Rig::new(&["tcp:127.0.0.1:0"], Settings::default()).await;
    for _ in 0..20 {
        let mut stream = TcpStream::connect(rig.addresses[0]).await.unwrap();
        stream.write_all(options("1", Transport::Tcp).as_bytes()).await.unwrap();
        stream.set_zero_linger().unwrap();
        drop(stream);
        let Seen::Request(flow) = rig.next().await else { panic!("a request") };
        assert_eq!(rig.next().await, Seen::Lost(flow));
    }
}

/// Nobody is told of what came and went without a word.
#[tokio::test]
async fn a_connection_without_a_message_is_no_flow() {
    let mut rig = Rig::new(&["tcp:127.0.0.1:0"], Settings::default()).await;
    for bytes in [&b""[..], b"\r\n\r\n", b"OPTIONS sip:a@b"] {
        let mut stream = TcpStream::connect(rig.addresses[0]).await.unwrap();
        stream.write_all(bytes).await.unwrap();
    }
    let mut stream = TcpStream::connect(rig.addresses[0]).await.unwrap();
    stream.write_all(options("1", Transport::Tcp).as_bytes()).await.unwrap();
    expect(&mut stream, &answer("1", Transport::Tcp)).await;
    assert!(matches!(rig.next().await, Seen::Request(_)));
    drop(stream);
    assert!(matches!(rig.next().await, Seen::Lost(_)));
}
