use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};

use super::tcp::expect;
use super::*;
use crate::header::Name;

/// An [`Echo`] that owns the requests whose Call-ID ends with its number, and says in its answers who it is.
struct Numbered {
    echo: Echo,
    number: usize,
    workers: usize,
    lost: Arc<[AtomicUsize]>,
}

impl Engine for Numbered {
    type Event = Seen;

    fn handle_message(&mut self, message: Message, flow: Flow, _now: Now) {
        let Message::Request(request) = message else { panic!("a request") };
        assert!(request.headers.raw(Name::CALL_ID) != Some(b"panic"), "as asked");
        let mut reply = request.reply(StatusCode::OK);
        reply.headers.push_raw("X-Worker", self.number.to_string().as_bytes());
        self.echo.send(Transmit { flow, domain: None, bytes: reply.to_bytes(), ticket: None });
    }

    fn handle_malformed(&mut self, bytes: &[u8], error: ParseError, flow: Flow, now: Now) {
        self.echo.handle_malformed(bytes, error, flow, now);
    }

    fn handle_flow_lost(&mut self, _flow: Flow, _now: Now) {
        self.lost[self.number].fetch_add(1, Ordering::Relaxed);
    }

    fn handle_send_failed(&mut self, ticket: Ticket, now: Now) {
        self.echo.handle_send_failed(ticket, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.echo.handle_timeout(now);
    }

    fn poll_output(&mut self) -> Output<Seen> {
        self.echo.poll_output()
    }

    fn owner(&self, message: &Message) -> Option<usize> {
        let call_id = message.headers().raw(Name::CALL_ID)?;
        Some(usize::from(call_id.last()?.checked_sub(b'0')?) % self.workers)
    }
}

async fn start(workers: usize, listen: &[&str]) -> (Workers, Vec<SocketAddr>, Arc<[AtomicUsize]>) {
    let listen = listen.iter().map(|text| text.parse().unwrap());
    let lost: Arc<[AtomicUsize]> = (0..workers).map(|_| AtomicUsize::new(0)).collect();
    let losses = lost.clone();
    let make =
        move |number, _: Vec<Listener>| Numbered { echo: Echo::default(), number, workers, lost: losses.clone() };
    let workers = serve(workers, Settings::default(), listen, make).await.unwrap();
    let addresses = workers.listeners().iter().map(|listener| listener.sent_by.parse().unwrap()).collect();
    (workers, addresses, lost)
}

fn numbered(call_id: &str, transport: Transport, worker: usize) -> String {
    answer(call_id, transport).replace("Length: 0\r\n", &format!("Length: 0\r\nX-Worker: {worker}\r\n"))
}

fn sum(workers: &Workers, counter: impl Fn(&Counters) -> u64) -> u64 {
    workers.counters().iter().map(|counters| counter(counters)).sum()
}

#[tokio::test]
async fn a_datagram_reaches_the_worker_that_owns_it() {
    let (workers, addresses, _) = start(2, &["udp:127.0.0.1:0"]).await;
    // The kernel spreads peers over workers by their ports: with forty of them each has some.
    for call in 0..40 {
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let call_id = call.to_string();
        peer.send_to(options(&call_id, Transport::Udp).as_bytes(), addresses[0]).await.unwrap();
        let mut buffer = [0; 1_000];
        let (length, _) = within(peer.recv_from(&mut buffer)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&buffer[..length]), numbered(&call_id, Transport::Udp, call % 2));
    }
    let came: Vec<u64> = workers.counters().iter().map(|counters| counters.datagrams_in.total()).collect();
    assert!(came.iter().all(|came| *came > 0), "{came:?}");
    let handed = sum(&workers, |counters| counters.handed_over.total());
    assert!(0 < handed && handed < 40, "{handed}");
    within(workers.stop(Duration::ZERO)).await.unwrap();
}

#[tokio::test]
async fn an_answer_leaves_by_the_connection_of_whichever_worker_holds_it() {
    let (workers, addresses, lost) = start(2, &["tcp:127.0.0.1:0"]).await;
    let mut streams = Vec::new();
    for call in 0..40 {
        let mut stream = TcpStream::connect(addresses[0]).await.unwrap();
        for call in [call, call + 1] {
            let call_id = call.to_string();
            stream.write_all(options(&call_id, Transport::Tcp).as_bytes()).await.unwrap();
            expect(&mut stream, &numbered(&call_id, Transport::Tcp, call % 2)).await;
        }
        streams.push(stream);
    }
    let held: Vec<u64> = workers.counters().iter().map(|counters| counters.accepted.total()).collect();
    assert!(held.iter().all(|held| *held > 0), "{held:?}");
    assert_eq!(sum(&workers, |counters| counters.handed_over.total()), 40);

    // Both engines have seen every connection, so both are told of its end.
    drop(streams);
    within(async {
        while lost.iter().any(|lost| lost.load(Ordering::Relaxed) < 40) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    within(workers.stop(Duration::ZERO)).await.unwrap();
}

#[tokio::test]
async fn a_worker_that_panics_is_noticed() {
    let (mut workers, addresses, _) = start(2, &["udp:127.0.0.1:0"]).await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.send_to(options("panic", Transport::Udp).as_bytes(), addresses[0]).await.unwrap();
    within(workers.ended()).await;
    assert_eq!(within(workers.stop(Duration::ZERO)).await, Err(WorkerPanicked));
}

/// Stops an endpoint whose engine waits for `wait`, and says how long that took.
async fn stop(wait: Duration, grace: Duration) -> Duration {
    let listen: ListenAddress = "udp:127.0.0.1:0".parse().unwrap();
    let begun = Instant::now();
    let engine = Echo { deadline: Some(begun + wait), ..Echo::default() };
    let endpoint = Endpoint::bind([listen], |_| engine).await.unwrap();
    let shutdown = Shutdown::new();
    let running = tokio::spawn(endpoint.run(shutdown.clone()));
    shutdown.start(grace);
    shutdown.start(Duration::ZERO);
    within(running).await.unwrap();
    begun.elapsed()
}

#[tokio::test]
async fn stopping_waits_for_the_engine_and_not_for_ever() {
    let (short, long) = (Duration::from_millis(50), Duration::from_secs(3_600));
    let stopped = stop(short, long).await;
    assert!(stopped >= short, "{stopped:?}");
    let stopped = stop(long, short).await;
    assert!(stopped >= short, "{stopped:?}");
}

#[tokio::test]
async fn nothing_is_accepted_while_stopping_but_what_is_open_goes_on() {
    let listen: ListenAddress = "tcp:127.0.0.1:0".parse().unwrap();
    let engine = Echo { deadline: Some(Instant::now() + Duration::from_secs(3_600)), ..Echo::default() };
    let endpoint = Endpoint::bind([listen], |_| engine).await.unwrap();
    let address: SocketAddr = endpoint.listeners()[0].sent_by.parse().unwrap();
    let shutdown = Shutdown::new();
    let running = tokio::spawn(endpoint.run(shutdown.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(options("1", Transport::Tcp).as_bytes()).await.unwrap();
    expect(&mut stream, &answer("1", Transport::Tcp)).await;

    shutdown.start(Duration::from_millis(500));
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(options("2", Transport::Tcp).as_bytes()).await.unwrap();
    expect(&mut stream, &answer("2", Transport::Tcp)).await;
    within(running).await.unwrap();
    assert_eq!(super::tcp::rest(&mut stream).await, "");
}
