use tokio::net::UdpSocket;

use super::*;

async fn peer(host: &str) -> UdpSocket {
    UdpSocket::bind((host, 0)).await.unwrap()
}

async fn receive(socket: &UdpSocket) -> String {
    let mut buffer = [0; 2_000];
    let (length, _) = within(socket.recv_from(&mut buffer)).await.unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[tokio::test]
async fn every_request_is_answered_over_ipv4_and_ipv6() {
    let mut rig = Rig::new(&["udp:127.0.0.1:0", "udp:[::1]:0"], Settings::default()).await;
    for (listener, host) in [(0, "127.0.0.1"), (1, "::1")] {
        let peer = peer(host).await;
        let remote = peer.local_addr().unwrap();
        for call in 0..100 {
            let text = options(&call.to_string(), Transport::Udp);
            peer.send_to(text.as_bytes(), rig.addresses[listener]).await.unwrap();
        }
        for call in 0..100 {
            assert_eq!(receive(&peer).await, answer(&call.to_string(), Transport::Udp));
            let flow = Flow { listener: ListenerId(listener as u16), ..flow(Transport::Udp, remote) };
            assert_eq!(rig.next().await, Seen::Request(flow));
        }
    }
    assert_eq!(rig.counters.datagrams_in.total(), 200);
    assert_eq!(rig.counters.datagrams_out.total(), 200);
}

#[tokio::test]
async fn a_keep_alive_is_counted_and_nothing_else() {
    let mut rig = Rig::new(&["udp:127.0.0.1:0"], Settings::default()).await;
    let peer = peer("127.0.0.1").await;
    for datagram in [&b"\r\n\r\n"[..], b"", b"\0", b"\x00\x11\x00\x00\x21\x12\xa4\x42xxxxxxxxxxxx"] {
        peer.send_to(datagram, rig.addresses[0]).await.unwrap();
    }
    peer.send_to(options("1", Transport::Udp).as_bytes(), rig.addresses[0]).await.unwrap();
    assert_eq!(receive(&peer).await, answer("1", Transport::Udp));
    assert!(matches!(rig.next().await, Seen::Request(_)));
    assert_eq!((rig.counters.keep_alives.total(), rig.counters.malformed.total()), (4, 0));
}

#[tokio::test]
async fn a_malformed_request_reaches_the_engine_as_it_came() {
    let mut rig = Rig::new(&["udp:127.0.0.1:0"], Settings::default()).await;
    let peer = peer("127.0.0.1").await;
    let text = options("1", Transport::Udp).replace("Content-Length: 0", "Content-Length: 9");
    peer.send_to(text.as_bytes(), rig.addresses[0]).await.unwrap();
    assert!(receive(&peer).await.starts_with("SIP/2.0 400 "));
    let flow = flow(Transport::Udp, peer.local_addr().unwrap());
    assert_eq!(rig.next().await, Seen::Malformed(Fault::ContentLength, flow));
}

/// RFC 3261 §18.4; fault R1. The other peers' datagrams come through all the same.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_dead_neighbour_is_a_lost_flow() {
    for (listen, host) in [("udp:127.0.0.1:0", "127.0.0.1"), ("udp:[::1]:0", "::1")] {
        let mut rig = Rig::new(&[listen], Settings::default()).await;
        let (dead, alive) = (peer(host).await, peer(host).await);
        let gone = flow(Transport::Udp, dead.local_addr().unwrap());
        drop(dead);
        for call in 0..3 {
            let here = flow(Transport::Udp, alive.local_addr().unwrap());
            rig.send(gone, options("gone", Transport::Udp), Some(7));
            rig.send(here, options(&call.to_string(), Transport::Udp), Some(8));
            assert_eq!(receive(&alive).await, options(&call.to_string(), Transport::Udp));
            assert_eq!(rig.next().await, Seen::Lost(gone));
        }
        assert_eq!(rig.counters.unsendable.total(), 0);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn icmp_is_believed_only_where_it_is_to_be() {
    let settings = Settings { icmp_errors: false, ..Settings::default() };
    let mut rig = Rig::new(&["udp:127.0.0.1:0"], settings).await;
    let (dead, alive) = (peer("127.0.0.1").await, peer("127.0.0.1").await);
    let gone = flow(Transport::Udp, dead.local_addr().unwrap());
    drop(dead);
    rig.send(gone, options("gone", Transport::Udp), None);
    alive.send_to(options("1", Transport::Udp).as_bytes(), rig.addresses[0]).await.unwrap();
    assert!(matches!(rig.next().await, Seen::Request(_)));
}

#[tokio::test]
async fn what_cannot_be_sent_is_told_by_its_ticket() {
    let mut rig = Rig::new(&["udp:127.0.0.1:0"], Settings::default()).await;
    let peer = flow(Transport::Udp, "127.0.0.1:9".parse().unwrap());
    for (ticket, flow, size) in [
        (1, peer, 65_508),
        (2, Flow { listener: ListenerId(1), ..peer }, 1),
        (3, Flow { transport: Transport::Tcp, ..peer }, 1),
        (4, Flow { transport: Transport::Tls, ..peer }, 1),
        (5, Flow { remote: "[::1]:9".parse().unwrap(), ..peer }, 1),
        (6, Flow { remote: "255.255.255.255:9".parse().unwrap(), ..peer }, 1),
    ] {
        rig.send(flow, vec![b'x'; size], Some(ticket));
        assert_eq!(rig.next().await, Seen::Failed(Ticket(ticket)));
    }
    rig.send(peer, vec![b'x'; 65_508], None);
    rig.send(peer, vec![b'x'; 65_508], Some(8));
    assert_eq!(rig.next().await, Seen::Failed(Ticket(8)));
    assert_eq!(rig.counters.unsendable.total(), 8);
}

#[tokio::test]
async fn the_engine_is_woken_at_its_deadline_and_by_its_waker() {
    let mut rig = Rig::new(&["udp:127.0.0.1:0"], Settings::default()).await;
    let asked = Instant::now();
    for milliseconds in [40, 5, 0] {
        rig.tell(move |engine| engine.deadline = Some(asked + Duration::from_millis(milliseconds)));
    }
    assert_eq!(rig.next().await, Seen::Timeout);
    rig.tell(move |engine| engine.deadline = Some(asked + Duration::from_millis(60)));
    assert_eq!(rig.next().await, Seen::Timeout);
    assert!(asked.elapsed() >= Duration::from_millis(60));

    let (give, given) = tokio::sync::oneshot::channel();
    rig.tell(move |engine| drop(give.send(engine.waker.clone().unwrap())));
    let waker = within(given).await.unwrap();
    std::thread::spawn(move || waker.wake()).join().unwrap();
    assert_eq!(rig.next().await, Seen::Timeout);
}

/// A source that never runs dry takes no more than its turn.
#[tokio::test]
async fn a_flood_on_one_socket_leaves_the_others_their_turn() {
    let listen = ["udp:127.0.0.1:0", "udp:127.0.0.1:0"].map(|text| text.parse().unwrap());
    let mut endpoint = Endpoint::bind(listen, |_| Echo::default()).await.unwrap();
    let addresses: Vec<SocketAddr> =
        endpoint.listeners().iter().map(|listener| listener.sent_by.parse().unwrap()).collect();
    let (flood, peer) = (peer("127.0.0.1").await, peer("127.0.0.1").await);
    for call in 0..150 {
        flood.send_to(options(&call.to_string(), Transport::Udp).as_bytes(), addresses[0]).await.unwrap();
    }
    peer.send_to(options("1", Transport::Udp).as_bytes(), addresses[1]).await.unwrap();
    // Something for every turn to come.
    let again = async {
        loop {
            for call in 0..10 {
                flood.send_to(options(&call.to_string(), Transport::Udp).as_bytes(), addresses[0]).await.unwrap();
            }
            tokio::task::yield_now().await;
        }
    };
    let other = Flow { listener: ListenerId(1), ..flow(Transport::Udp, peer.local_addr().unwrap()) };
    let wait = async {
        let mut before = 0;
        while endpoint.next().await != Seen::Request(other) {
            before += 1;
        }
        before
    };
    let before = tokio::select! { biased; before = within(wait) => before, () = again => 0 };
    assert!(before < 500, "{before} of the flood came first");
}

/// RFC 5626 §4.4.2: the phone learns where its datagrams come from; threat M7: what is broken gets nothing.
#[tokio::test]
async fn a_stun_binding_is_answered() {
    use crate::transport::stun::{Binding, Class};
    let rig = Rig::new(&["udp:127.0.0.1:0"], Settings::default()).await;
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let request = Binding::request([9; 12]).to_bytes();
    let mut broken = request.clone();
    broken[3] = 4;
    let indication = [&[0, 0x11], &request[2..]].concat();
    for datagram in [&broken, &indication, &request] {
        phone.send_to(datagram, rig.addresses[0]).await.unwrap();
    }
    let mut buffer = [0; 100];
    let length = within(phone.recv(&mut buffer)).await.unwrap();
    let answer = Binding::read(&buffer[..length]).unwrap();
    assert_eq!((answer.class, answer.transaction), (Class::Success, [9; 12]));
    assert_eq!(answer.mapped, Some(phone.local_addr().unwrap()));
    assert_eq!((rig.counters.datagrams_in.total(), rig.counters.datagrams_out.total()), (3, 1));
}
