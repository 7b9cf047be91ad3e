use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;
use crate::header::Via;
use crate::message::Request;
use crate::transaction::{self, Transactions};

fn request(bytes: &[u8]) -> Request {
    let Ok(Message::Request(request)) = Message::parse(bytes.to_vec().into()) else { panic!("a request") };
    request
}

/// RFC 3261 §18.1.1: over TCP where the peer has it, as one datagram where it has not.
#[tokio::test]
async fn a_long_request_goes_over_tcp_and_falls_back_to_udp() {
    let listen = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"].map(|text| text.parse().unwrap());
    let make = |own| Transactions::new(transaction::Config::new([7; 32], own), now());
    let mut endpoint = Endpoint::bind(listen, make).await.unwrap();
    let text = options("1", Transport::Udp).replace("Content-Length", &format!("X: {:1300}\r\nContent-Length", 0));
    let text = text.replace("Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n", "");
    let mut buffer = vec![0; 4_000];
    for has_tcp in [true, false] {
        let datagrams = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let remote = datagrams.local_addr().unwrap();
        let streams = TcpListener::bind(remote).await.unwrap();
        let streams = has_tcp.then_some(streams);
        let long = request(text.as_bytes());
        endpoint.engine_mut().request(long, flow(Transport::Udp, remote), None, now());
        let peer = async {
            if let Some(streams) = &streams {
                let (mut stream, _) = streams.accept().await.unwrap();
                let length = stream.read(&mut buffer).await.unwrap();
                let reply = request(&buffer[..length]).reply(StatusCode::OK).to_bytes();
                stream.write_all(&reply).await.unwrap();
                return (length, Some(stream));
            }
            let (length, from) = datagrams.recv_from(&mut buffer).await.unwrap();
            let reply = request(&buffer[..length]).reply(StatusCode::OK).to_bytes();
            datagrams.send_to(&reply, from).await.unwrap();
            (length, None)
        };
        let (event, (length, _open)) = within(async { tokio::join!(endpoint.next(), peer) }).await;
        assert!(matches!(event, transaction::Event::Response { .. }), "{event:?}");
        let via: Via = request(&buffer[..length]).headers.first().unwrap();
        assert_eq!(via.transport(), if has_tcp { "TCP" } else { "UDP" });
        if has_tcp {
            assert!(matches!(within(endpoint.next()).await, transaction::Event::ClientEnded { .. }));
        }
        // Nothing more came, over UDP at least.
        assert!(datagrams.try_recv(&mut buffer).is_err());
    }
}
