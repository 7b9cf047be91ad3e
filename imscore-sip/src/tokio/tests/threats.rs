//! What strangers do to connections, each on every transport that has them: threats D3, D4, D5, D6, M9, fault R10. A test has the
//! name of its row; those of WebSocket alone (M6) are in `ws.rs`, the limits one by one in `limits.rs`.
//!
//! After each, another peer is served as before.

use std::net::{IpAddr, Ipv4Addr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::keep_alive::streams;
use super::*;
use crate::tokio::wire::Wire;

const SHORT: Duration = Duration::from_millis(100);

/// Connections of a flood, each way; `.ci/long` opens ten times as many.
fn flood() -> usize {
    std::env::var("IMSCORE_CONNECTIONS").map_or(1_000, |count| count.parse().expect("a number"))
}

/// Lets this process have both ends of so many connections, while no other test asks for that.
async fn flood_alone(connections: usize) -> tokio::sync::MutexGuard<'static, ()> {
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(most as usize > 2 * connections + 500, "this system allows {most} descriptors a process");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    ALONE.lock().await
}

/// A peer that writes its bytes itself.
struct Peer {
    transport: Transport,
    wire: Wire,
}

impl Peer {
    /// A connection on which SIP can be spoken.
    async fn open(rig: &Rig, transport: Transport, settings: &Settings) -> Peer {
        let stream = TcpStream::connect(rig.addresses[0]).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Peer::greet(stream, rig.addresses[0], transport, settings).await
    }

    async fn greet(stream: TcpStream, remote: SocketAddr, transport: Transport, settings: &Settings) -> Peer {
        let _ = (remote, settings);
        let wire = match transport.is_secure() {
            #[cfg(feature = "tls")]
            true => within(crate::tokio::tls::connect(settings.tls.as_ref(), stream, remote, None)).await.unwrap(),
            _ => Wire::Plain(stream),
        };
        let mut peer = Peer { transport, wire };
        if peer.has_frames() {
            let upgrade = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                Sec-WebSocket-Protocol: sip\r\n\r\n";
            peer.write(upgrade.as_bytes()).await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(within(peer.wire.read_u8()).await.unwrap());
            }
            assert!(head.starts_with(b"HTTP/1.1 101 "));
        }
        peer
    }

    fn has_frames(&self) -> bool {
        matches!(self.transport, Transport::Ws | Transport::Wss)
    }

    /// A message as it goes on the wire: in a frame, masked with zeros, where there are frames.
    fn framed(&self, text: &str) -> Vec<u8> {
        let length = text.len();
        match length {
            _ if !self.has_frames() => text.as_bytes().to_vec(),
            0..126 => [&[0x81, 0x80 | length as u8, 0, 0, 0, 0], text.as_bytes()].concat(),
            126..65_536 => {
                let [high, low] = (length as u16).to_be_bytes();
                [&[0x81, 0x80 | 126, high, low, 0, 0, 0, 0], text.as_bytes()].concat()
            }
            _ => [&[0x81, 0x80 | 127][..], &(length as u64).to_be_bytes(), &[0; 4], text.as_bytes()].concat(),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.wire.write_all(bytes).await?;
        self.wire.flush().await
    }

    async fn say(&mut self, text: &str) -> std::io::Result<()> {
        let bytes = self.framed(text);
        self.write(&bytes).await
    }

    /// Reads what the server sent as the answer to this call.
    async fn is_answered(&mut self, call: &str) {
        let answer = answer(call, self.transport);
        if self.has_frames() {
            // The first byte and the length, of a frame from 126 to 65,535 bytes.
            within(self.wire.read_u32()).await.unwrap();
        }
        let mut read = vec![0; answer.len()];
        within(self.wire.read_exact(&mut read)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&read), answer, "{}", self.transport);
    }

    async fn asks(&mut self, call: &str) {
        self.say(&options(call, self.transport)).await.unwrap();
        self.is_answered(call).await;
    }

    /// Waits for the end of the connection.
    async fn is_closed(&mut self) {
        let mut rest = Vec::new();
        let _ = within(self.wire.read_to_end(&mut rest)).await;
    }

    /// The TCP connection below.
    fn stream(&self) -> &TcpStream {
        match &self.wire {
            Wire::Plain(stream) => stream,
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Ends it with a reset.
    fn reset(self) {
        self.stream().set_zero_linger().unwrap();
    }
}

/// Runs a test on each transport, with a rig that has these settings.
async fn on_each(change: impl Fn(&mut Settings), test: impl AsyncFn(&mut Rig, Transport, &Settings)) {
    let (transports, mut settings) = streams();
    change(&mut settings);
    for transport in transports {
        let mut rig = Rig::new(&[&format!("{transport}:127.0.0.1:0")], settings.clone()).await;
        let mut neighbour = Peer::open(&rig, transport, &settings).await;
        neighbour.asks("before").await;
        assert!(matches!(rig.next().await, Seen::Request(_)));
        test(&mut rig, transport, &settings).await;
        let mut neighbour = Peer::open(&rig, transport, &settings).await;
        neighbour.asks("after").await;
    }
}

/// What the engine is told next, requests apart.
async fn next_but_requests(rig: &mut Rig) -> Seen {
    loop {
        let seen = rig.next().await;
        if !matches!(seen, Seen::Request(_)) {
            return seen;
        }
    }
}

/// More bytes do not make a message younger, and a frame that does not end is no sign of life.
#[tokio::test]
async fn d03_slowloris() {
    let slow = |settings: &mut Settings| (settings.whole_message, settings.idle) = (SHORT, SHORT);
    on_each(slow, async |rig, transport, settings| {
        let mut peer = Peer::open(rig, transport, settings).await;
        peer.asks("1").await;
        let text = options("2", transport).replace("Content-Length: 0", "Content-Length: 60000") + &"x".repeat(60_000);
        let whole = peer.framed(&text);
        for byte in &whole[..whole.len() - 1] {
            if peer.write(&[*byte]).await.is_err() || rig.counters.timed_out.total() > 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
        peer.is_closed().await;
        assert!(rig.counters.timed_out.total() > 0, "{transport}");
    })
    .await;
}

#[tokio::test]
async fn d03_connect_and_send_nothing() {
    let hasty = |settings: &mut Settings| (settings.handshake, settings.first_byte) = (SHORT * 10, SHORT * 10);
    on_each(hasty, async |rig, transport, settings| {
        let before = rig.counters.timed_out.total();
        let mut mute = TcpStream::connect(rig.addresses[0]).await.unwrap();
        let mut rest = Vec::new();
        let _ = within(mute.read_to_end(&mut rest)).await;
        assert_eq!(rig.counters.timed_out.total(), before + 1, "{transport}: not even greeted");
        let mut greeted = Peer::open(rig, transport, settings).await;
        greeted.is_closed().await;
        assert_eq!(rig.counters.timed_out.total(), before + 2, "{transport}");
    })
    .await;
}

#[tokio::test]
async fn d03_half_close() {
    on_each(
        |_| {},
        async |rig, transport, settings| {
            for begun in [0, 20] {
                let mut peer = Peer::open(rig, transport, settings).await;
                peer.asks("1").await;
                let Seen::Request(flow) = rig.next().await else { panic!("a request") };
                let bytes = peer.framed(&options("2", transport));
                peer.write(&bytes[..begun]).await.unwrap();
                peer.wire.shutdown().await.unwrap();
                peer.is_closed().await;
                assert_eq!(rig.next().await, Seen::Lost(flow), "{transport}");
            }
        },
    )
    .await;
}

/// The peer asks and never reads: its time, or the room for what waits for it, is over.
#[tokio::test]
async fn d03_never_read() {
    for (stalled, unsent) in [(SHORT, 1 << 30), (Duration::from_secs(60), 100_000)] {
        let limits = |settings: &mut Settings| (settings.stalled, settings.unsent) = (stalled, unsent);
        on_each(limits, async |rig, transport, settings| {
            let mut peer = Peer::open(rig, transport, settings).await;
            peer.asks("1").await;
            let Seen::Request(flow) = rig.next().await else { panic!("a request") };
            // More than the kernels hold.
            for number in 0..40 {
                rig.send(flow, vec![b'x'; 500_000], Some(number));
            }
            let lost = loop {
                let seen = rig.next().await;
                if !matches!(seen, Seen::Failed(_)) {
                    break seen;
                }
            };
            assert_eq!(lost, Seen::Lost(flow), "{transport}");
            let ends = rig.counters.timed_out.total() + rig.counters.overfull.total();
            assert!(ends > 0, "{transport}");
        })
        .await;
    }
}

/// A connection from one of the addresses 127.1.0.1 to 127.1.255.254.
async fn from(source: usize, to: SocketAddr) -> std::io::Result<TcpStream> {
    let [high, low] = (source as u16 + 1).to_be_bytes();
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 1, high, low)), 0))?;
    socket.connect(to).await
}

/// From each address as many get in as it may have, the others of it are refused, and nobody else notices; the first bytes
/// do not come, and all are gone.
#[tokio::test]
async fn d03_a_flood_of_connections() {
    let count = flood();
    let _alone = flood_alone(count).await;
    let patient = |settings: &mut Settings| {
        settings.connections_per_address = 40;
        settings.connections = 100_000;
        (settings.handshake, settings.first_byte) = (Duration::from_secs(60), Duration::from_secs(60));
    };
    on_each(patient, async |rig, transport, settings| {
        let mut good = Peer::open(rig, transport, settings).await;
        good.asks("first").await;
        let before = rig.counters.accepted.total();
        let mut strangers = Vec::with_capacity(count);
        for number in 0..count {
            strangers.push(within(from(number / 50, rig.addresses[0])).await.unwrap());
            if number % 100 == 0 {
                good.asks(&number.to_string()).await;
            }
        }
        // The last ones are accepted by now, for this one came behind them.
        let mut last = Peer::open(rig, transport, settings).await;
        last.asks("last").await;
        assert_eq!(rig.counters.accepted.total() - before - 1, count as u64 / 50 * 40, "{transport}");
        assert_eq!(rig.counters.refused.total(), count as u64 / 50 * 10, "{transport}");
        drop(strangers);
        while rig.counters.closed.total() < count as u64 / 50 * 40 {
            good.asks("still here").await;
        }
    })
    .await;
}

/// The other way: we are made to open many, to a peer that accepts and says nothing.
#[tokio::test]
async fn d03_a_flood_of_connections_of_ours() {
    let count = flood();
    let _alone = flood_alone(count).await;
    let many = |settings: &mut Settings| settings.connections = count + 10;
    let (_, mut settings) = streams();
    many(&mut settings);
    let mut rig = Rig::new(&["tcp:127.0.0.1:0"], settings.clone()).await;
    let peer = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = peer.local_addr().unwrap().port();
    let (accepts, mut accepted) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move { while accepts.send(peer.accept().await.unwrap().0).is_ok() {} });
    let open = |rig: &Rig, number: usize| {
        let [high, low] = (number as u16 + 1).to_be_bytes();
        let remote = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 2, high, low)), port);
        rig.send(flow(Transport::Tcp, remote), options("1", Transport::Tcp), Some(number as u64));
    };
    // No more at a time than a kernel holds for a peer that is slow to accept.
    let (mut held, most) = (Vec::new(), count + 10);
    while held.len() < most {
        let lot = (most - held.len()).min(500);
        (held.len()..held.len() + lot).for_each(|number| open(&rig, number));
        for _ in 0..lot {
            held.push(within(accepted.recv()).await.expect("a connection"));
        }
    }
    for number in most..most + 10 {
        open(&rig, number);
        assert_eq!(rig.next().await, Seen::Failed(Ticket(number as u64)), "there is no room");
    }
    let mut refused = TcpStream::connect(rig.addresses[0]).await.unwrap();
    assert_eq!(super::tcp::rest(&mut refused).await, "", "there is no room");
    drop(held);
    for _ in 0..count + 10 {
        assert!(matches!(rig.next().await, Seen::Lost(_)));
    }
    let mut neighbour = Peer::open(&rig, Transport::Tcp, &settings).await;
    neighbour.asks("after").await;
}

#[tokio::test]
async fn d04_a_reset_before_the_answer() {
    on_each(
        |_| {},
        async |rig, transport, settings| {
            for _ in 0..30 {
                let mut peer = Peer::open(rig, transport, settings).await;
                peer.say(&options("1", transport).replace("OPTIONS", "INVITE")).await.unwrap();
                peer.reset();
                // Of some the reset comes before the request is read.
            }
            let mut last = Peer::open(rig, transport, settings).await;
            last.asks("last").await;
            drop(last);
            let (mut requests, mut lost) = (0, 0);
            loop {
                let seen = rig.next().await;
                assert!(matches!(seen, Seen::Request(_) | Seen::Lost(_)), "{seen:?}");
                if matches!(seen, Seen::Lost(_)) {
                    lost += 1
                } else {
                    requests += 1
                }
                if requests == lost && rig.counters.closed.total() == rig.counters.accepted.total() - 1 {
                    break;
                }
            }
            assert!((1..=31).contains(&lost), "{transport}");
        },
    )
    .await;
}

/// Nothing is kept for a body that is promised, and nothing behind the promise is read.
#[tokio::test]
async fn d05_content_length() {
    on_each(
        |_| {},
        async |rig, transport, settings| {
            for length in ["2147483648", "65536", "18446744073709551616", "99999999999999999999999999", "-1", "0x10"] {
                let mut peer = Peer::open(rig, transport, settings).await;
                let text = options("1", transport).replace("Content-Length: 0", &format!("Content-Length: {length}"));
                let _ = peer.say(&(text + &options("2", transport))).await;
                peer.is_closed().await;
                assert!(matches!(next_but_requests(rig).await, Seen::Malformed(..)), "{transport} {length}");
                assert!(matches!(rig.next().await, Seen::Lost(_)), "{transport} {length}");
            }
        },
    )
    .await;
    let mut rig = Rig::new(&["udp:127.0.0.1:0"], Settings::default()).await;
    let phone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for length in ["2147483648", "99999999999999999999999999", "-1"] {
        let text = options("1", Transport::Udp).replace("Content-Length: 0", &format!("Content-Length: {length}"));
        phone.send_to(text.as_bytes(), rig.addresses[0]).unwrap();
        assert!(matches!(rig.next().await, Seen::Malformed(..)), "{length}");
    }
    phone.send_to(options("2", Transport::Udp).as_bytes(), rig.addresses[0]).unwrap();
    assert!(matches!(rig.next().await, Seen::Request(_)));
}

/// More lines, a longer line or more folds than a message may have.
#[tokio::test]
async fn d06_many_of_everything() {
    let bend =
        |transport, more: &str| options("1", transport).replace("Content-Length", &format!("{more}Content-Length"));
    let many = [
        "X: y\r\n".repeat(10_000),
        "X: y\r\n".repeat(257),
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n".repeat(257),
        format!("{}: y\r\n", "X".repeat(257)),
        format!("{}: y\r\n", "X".repeat(64_000)),
        format!("X: {}\r\n", "y".repeat(8_192)),
        format!("X: y\r\n{}", " z\r\n".repeat(65)),
    ];
    on_each(
        |_| {},
        async |rig, transport, settings| {
            for more in &many {
                let mut peer = Peer::open(rig, transport, settings).await;
                let _ = peer.say(&bend(transport, more)).await;
                peer.is_closed().await;
                assert!(matches!(next_but_requests(rig).await, Seen::Malformed(..)), "{transport} {:.20}", more);
                assert!(matches!(rig.next().await, Seen::Lost(_)));
            }
        },
    )
    .await;
    let mut rig = Rig::new(&["udp:127.0.0.1:0"], Settings::default()).await;
    let phone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for more in &many {
        phone.send_to(bend(Transport::Udp, more).as_bytes(), rig.addresses[0]).unwrap();
        assert!(matches!(rig.next().await, Seen::Malformed(..)), "{more:.20}");
    }
    phone.send_to(options("2", Transport::Udp).as_bytes(), rig.addresses[0]).unwrap();
    assert!(matches!(rig.next().await, Seen::Request(_)));
}

/// A browser that is made to post SIP to this port gets no SIP handled: the first line ends the connection.
#[tokio::test]
async fn m09_http_to_the_sip_port() {
    on_each(
        |_| {},
        async |rig, transport, settings| {
            let body = options("1", transport);
            let post = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let mut browser = TcpStream::connect(rig.addresses[0]).await.unwrap();
            browser.write_all(post.as_bytes()).await.unwrap();
            let mut rest = Vec::new();
            let _ = within(browser.read_to_end(&mut rest)).await;
            assert!(!rest.starts_with(b"SIP/2.0"), "{transport}");
            let mut spoken = Peer::open(rig, transport, settings).await;
            let _ = spoken.say(&post).await;
            spoken.is_closed().await;
            let told = if transport == Transport::Tcp { 2 } else { 1 };
            for _ in 0..told {
                assert!(matches!(rig.next().await, Seen::Malformed(..)), "{transport}");
                assert!(matches!(rig.next().await, Seen::Lost(_)), "{transport}");
            }
            assert!(rig.seen.try_recv().is_err(), "{transport}");
        },
    )
    .await;
}

#[tokio::test]
async fn r10_segments_of_one_byte() {
    on_each(
        |_| {},
        async |rig, transport, settings| {
            let mut peer = Peer::open(rig, transport, settings).await;
            for byte in peer.framed(&options("1", transport)) {
                peer.write(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            peer.is_answered("1").await;
        },
    )
    .await;
}

#[tokio::test]
async fn r10_a_hundred_messages_in_one_segment() {
    on_each(
        |_| {},
        async |rig, transport, settings| {
            let mut peer = Peer::open(rig, transport, settings).await;
            let calls: Vec<String> = (0..100).map(|call| call.to_string()).collect();
            let bytes: Vec<u8> = calls.iter().flat_map(|call| peer.framed(&options(call, transport))).collect();
            peer.write(&bytes).await.unwrap();
            for call in &calls {
                peer.is_answered(call).await;
            }
        },
    )
    .await;
}

#[tokio::test]
async fn r10_a_reset_in_the_middle_of_a_message() {
    on_each(
        |_| {},
        async |rig, transport, settings| {
            let text = options("2", transport);
            for cut in [1, 20, text.len() / 2, text.len() - 1] {
                let mut peer = Peer::open(rig, transport, settings).await;
                peer.asks("1").await;
                let Seen::Request(flow) = rig.next().await else { panic!("a request") };
                let bytes = peer.framed(&text);
                peer.write(&bytes[..cut]).await.unwrap();
                peer.reset();
                assert_eq!(rig.next().await, Seen::Lost(flow), "{transport} {cut}");
            }
        },
    )
    .await;
}

/// A phone that comes and goes leaves nothing behind.
#[tokio::test]
async fn r10_a_storm_of_reconnects() {
    on_each(
        |_| {},
        async |rig, transport, settings| {
            for _ in 0..200 {
                let mut peer = Peer::open(rig, transport, settings).await;
                peer.asks("1").await;
                let Seen::Request(flow) = rig.next().await else { panic!("a request") };
                drop(peer);
                assert_eq!(rig.next().await, Seen::Lost(flow), "{transport}");
            }
            assert_eq!(rig.counters.refused.total(), 0, "{transport}: places are given back");
            assert_eq!(rig.counters.accepted.total() - rig.counters.closed.total(), 1, "{transport}");
        },
    )
    .await;
}
