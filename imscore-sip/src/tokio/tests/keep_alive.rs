//! Keep-alives of ours as the driver carries them (RFC 5626 §4.4, RFC 7118 §6), and connections that an engine lets go.

use super::*;
use crate::transport::keep_alive::PING;
use crate::transport::stun::Binding;

/// What this build can listen for, with settings for all of it.
pub(super) fn streams() -> (Vec<Transport>, Settings) {
    let mut transports = vec![Transport::Tcp];
    #[cfg(feature = "ws")]
    transports.push(Transport::Ws);
    #[cfg(not(feature = "tls"))]
    let settings = Settings::default();
    #[cfg(feature = "tls")]
    let settings = {
        transports.push(Transport::Tls);
        super::tls::loopback()
    };
    #[cfg(all(feature = "tls", feature = "ws"))]
    transports.push(Transport::Wss);
    (transports, settings)
}

async fn rig(transport: Transport, settings: &Settings) -> Rig {
    Rig::new(&[&format!("{transport}:127.0.0.1:0")], settings.clone()).await
}

/// Asks and is answered, by a connection of the client's own choice: which.
async fn exchange(client: &mut Rig, there: Flow, call: &str) -> Flow {
    client.send(there, options(call, there.transport), None);
    let seen = client.next().await;
    let Seen::Response(StatusCode::OK, flow) = seen else { panic!("{seen:?}") };
    flow
}

#[tokio::test]
async fn a_ping_of_ours_has_its_pong_on_every_stream() {
    let (transports, settings) = streams();
    for transport in transports {
        let (mut client, server) = (rig(transport, &settings).await, rig(transport, &settings).await);
        let used = exchange(&mut client, flow(transport, server.addresses[0]), "1").await;
        for call in ["2", "3"] {
            client.send(used, PING, None);
            assert_eq!(client.next().await, Seen::Pong(used), "{transport}");
            assert_eq!(exchange(&mut client, used, call).await, used);
        }
        assert_eq!(server.counters.keep_alives.total(), 2, "{transport}");
    }
}

/// Both ask at once: what looks like half a ping may be a pong.
#[tokio::test]
async fn pings_that_cross_are_both_answered() {
    let mut client = rig(Transport::Tcp, &Settings::default()).await;
    let mut server = rig(Transport::Tcp, &Settings::default()).await;
    let used = exchange(&mut client, flow(Transport::Tcp, server.addresses[0]), "1").await;
    let Seen::Request(seen) = server.next().await else { panic!("a request") };
    for _ in 0..50 {
        client.send(used, PING, None);
        server.send(seen, PING, None);
        assert_eq!(client.next().await, Seen::Pong(used));
        assert_eq!(server.next().await, Seen::Pong(seen));
    }
}

#[tokio::test]
async fn a_stun_request_of_ours_tells_where_we_are_seen() {
    let mut client = rig(Transport::Udp, &Settings::default()).await;
    let server = rig(Transport::Udp, &Settings::default()).await;
    let there = flow(Transport::Udp, server.addresses[0]);
    client.send(there, Binding::request([7; 12]).to_bytes(), None);
    assert_eq!(client.next().await, Seen::Mapped(client.addresses[0], there));
}

#[tokio::test]
async fn a_flow_that_is_let_go_ends_and_the_next_message_takes_another() {
    let (transports, settings) = streams();
    for transport in transports {
        let mut client = rig(transport, &settings).await;
        let mut server = rig(transport, &settings).await;
        let there = flow(transport, server.addresses[0]);
        let used = exchange(&mut client, there, "1").await;
        client.tell(move |engine| engine.outputs.push_back(Output::Close(used)));
        assert_eq!(client.next().await, Seen::Lost(used), "{transport}");
        assert!(matches!((server.next().await, server.next().await), (Seen::Request(_), Seen::Lost(_))));
        let next = exchange(&mut client, there, "2").await;
        assert_ne!(next.connection, used.connection);
        assert_eq!(client.counters.connected.total(), 2, "{transport}");
    }
}
