//! What a peer may not do (threats D3, D5; fault R9): each on its own connection, seen by its end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::tcp::{expect, rest};
use super::*;

const SHORT: Duration = Duration::from_millis(50);

/// A connection that a request has been answered on.
async fn open(rig: &Rig) -> TcpStream {
    let mut stream = TcpStream::connect(rig.addresses[0]).await.unwrap();
    stream.write_all(options("1", Transport::Tcp).as_bytes()).await.unwrap();
    expect(&mut stream, &answer("1", Transport::Tcp)).await;
    stream
}

#[tokio::test]
async fn d03_a_connection_that_says_nothing_is_closed() {
    let rig = Rig::new(&["tcp:127.0.0.1:0"], Settings { first_byte: SHORT, ..Settings::default() }).await;
    let mut talker = open(&rig).await;
    let mut silent = TcpStream::connect(rig.addresses[0]).await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rig.counters.timed_out.total(), 1);
    talker.write_all(options("2", Transport::Tcp).as_bytes()).await.unwrap();
    expect(&mut talker, &answer("2", Transport::Tcp)).await;
}

#[tokio::test]
async fn d03_a_message_that_does_not_end_is_closed() {
    let settings = Settings { whole_message: SHORT, ..Settings::default() };
    let mut rig = Rig::new(&["tcp:127.0.0.1:0"], settings).await;
    for part in ["O", "OPTIONS sip:a@b SIP/2.0\r\nTo: ", &options("1", Transport::Tcp).replace(": 0\r", ": 60000\r")] {
        let mut slow = open(&rig).await;
        slow.write_all(part.as_bytes()).await.unwrap();
        // More bytes do not make it younger.
        let (mut read, mut write) = slow.split();
        let drip = async {
            while write.write_all(b"x").await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            end = within(read.read_u8()) => assert!(end.is_err()),
            () = drip => {}
        }
        assert!(matches!(rig.next().await, Seen::Request(_)));
        let next = rig.next().await;
        assert!(matches!(next, Seen::Lost(_) | Seen::Malformed(..)), "{next:?}");
        if matches!(next, Seen::Malformed(..)) {
            assert!(matches!(rig.next().await, Seen::Lost(_)));
        }
    }
}

/// Where one message ends and the next has begun in the same segment, each has its own time.
#[tokio::test]
async fn a_stream_that_never_pauses_between_messages_stays_open() {
    // Long enough for a machine that is busy with other things.
    let whole_message = Duration::from_millis(800);
    let settings = Settings { whole_message, ..Settings::default() };
    let rig = Rig::new(&["tcp:127.0.0.1:0"], settings).await;
    let mut stream = TcpStream::connect(rig.addresses[0]).await.unwrap();
    let begun = Instant::now();
    let text = options("1", Transport::Tcp);
    let (start, end) = text.split_at(100);
    stream.write_all(start.as_bytes()).await.unwrap();
    while begun.elapsed() < 2 * whole_message {
        stream.write_all(format!("{end}{start}").as_bytes()).await.unwrap();
        expect(&mut stream, &answer("1", Transport::Tcp)).await;
    }
}

/// RFC 3261 §18: an idle connection is kept for long, that of a known peer for longer.
#[tokio::test]
async fn an_idle_connection_is_closed_unless_its_peer_is_known() {
    let settings = Settings { idle: SHORT, ..Settings::default() };
    let mut rig = Rig::new(&["tcp:127.0.0.1:0"], settings).await;
    let mut known = open(&rig).await;
    assert!(matches!(rig.next().await, Seen::Request(_)));
    rig.tell(|engine| engine.knows = true);
    let begun = Instant::now();
    rig.tell(move |engine| engine.deadline = Some(begun + 4 * SHORT));
    assert_eq!(rig.next().await, Seen::Timeout);
    known.write_all(options("2", Transport::Tcp).as_bytes()).await.unwrap();
    expect(&mut known, &answer("2", Transport::Tcp)).await;

    rig.tell(|engine| engine.knows = false);
    let mut unknown = open(&rig).await;
    assert_eq!(rest(&mut unknown).await, "");
}

#[tokio::test]
async fn d03_a_peer_that_does_not_read_is_closed() {
    let settings = Settings { unsent: 100_000, ..Settings::default() };
    let mut rig = Rig::new(&["tcp:127.0.0.1:0"], settings).await;
    let (mut good, bad) = (open(&rig).await, open(&rig).await);
    let Seen::Request(_) = rig.next().await else { panic!("a request") };
    let Seen::Request(flow) = rig.next().await else { panic!("a request") };
    assert_eq!(flow.remote, bad.local_addr().unwrap());
    let mut sent = 0;
    let lost = loop {
        // What the kernel holds for it is bounded too.
        assert!(sent < 100_000_000, "it grows");
        sent += 50_000;
        rig.send(flow, vec![b'x'; 50_000], None);
        rig.tell(|engine| engine.tell(Seen::Timeout));
        let next = rig.next().await;
        if next != Seen::Timeout {
            break next;
        }
    };
    assert_eq!(lost, Seen::Lost(flow));
    assert_eq!(rig.counters.overfull.total(), 1);
    good.write_all(options("2", Transport::Tcp).as_bytes()).await.unwrap();
    expect(&mut good, &answer("2", Transport::Tcp)).await;
}

#[tokio::test]
async fn d03_a_peer_that_stops_reading_is_closed_in_time() {
    let settings = Settings { stalled: SHORT, unsent: 1 << 30, ..Settings::default() };
    let mut rig = Rig::new(&["tcp:127.0.0.1:0"], settings).await;
    let _bad = open(&rig).await;
    let Seen::Request(flow) = rig.next().await else { panic!("a request") };
    rig.send(flow, vec![b'x'; 20_000_000], None);
    assert_eq!(rig.next().await, Seen::Lost(flow));
    assert_eq!(rig.counters.timed_out.total(), 1);
}

#[tokio::test]
async fn d03_one_host_has_so_many_connections_and_no_more() {
    let settings = Settings { connections_per_address: 2, idle: SHORT, ..Settings::default() };
    let rig = Rig::new(&["tcp:127.0.0.1:0"], settings).await;
    rig.tell(|engine| engine.knows = true);
    let _two = (open(&rig).await, open(&rig).await);
    let mut third = TcpStream::connect(rig.addresses[0]).await.unwrap();
    assert_eq!(rest(&mut third).await, "");
    assert_eq!(rig.counters.refused.total(), 1);

    // As soon as the engine is asked, and knows them, there is room for others.
    let mut refused = 1;
    loop {
        let mut stream = TcpStream::connect(rig.addresses[0]).await.unwrap();
        let asked = stream.write_all(options("1", Transport::Tcp).as_bytes()).await;
        if asked.is_ok() && within(stream.read_u8()).await.is_ok() {
            break;
        }
        refused += 1;
    }
    assert_eq!(rig.counters.refused.total(), refused);
}

#[tokio::test]
async fn d03_there_are_so_many_connections_in_all() {
    let settings = Settings { connections: 2, ..Settings::default() };
    let mut rig = Rig::new(&["tcp:127.0.0.1:0"], settings).await;
    let two = (open(&rig).await, open(&rig).await);
    let mut third = TcpStream::connect(rig.addresses[0]).await.unwrap();
    assert_eq!(rest(&mut third).await, "");
    assert!(matches!((rig.next().await, rig.next().await), (Seen::Request(_), Seen::Request(_))));
    rig.send(flow(Transport::Tcp, rig.addresses[0]), "x", Some(1));
    assert_eq!(rig.next().await, Seen::Failed(Ticket(1)));
    drop(two);
    assert!(matches!((rig.next().await, rig.next().await), (Seen::Lost(_), Seen::Lost(_))));
    open(&rig).await;
}
