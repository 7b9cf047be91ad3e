//! The same promises under tokio, on loopback.

use std::time::Duration;

use async_trait::async_trait;
use imscore_cscf::{Call, Decision, Node, Refused, Role};
use imscore_sip::transport::Side;
use imscore_sip::{Request, StatusCode};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Waits, gives up waiting, or panics, as the user part of the Request-URI says.
struct Waiting;

#[async_trait]
impl Role for Waiting {
    async fn on_request(&self, call: &mut Call, request: Request) -> Result<Decision, Refused> {
        match request.target().as_ref() {
            "sip:wait@ims.example" => call.after(Duration::from_millis(30)).await,
            "sip:within@ims.example" => {
                let ask = call.within(Duration::from_millis(30), std::future::pending::<()>()).await;
                ask.map_err(|_| StatusCode::SERVER_TIMEOUT)?;
            }
            "sip:cancelled@ims.example" => call.cancelled().await,
            _ => panic!("a defect in a role"),
        }
        Ok(Decision::Reply(request.reply(StatusCode::OK)))
    }
}

struct Peer {
    socket: UdpSocket,
    own: String,
}

impl Peer {
    async fn send(&self, method: &str, user: &str, branch: &str) {
        let text = format!(
            "{method} sip:{user}@ims.example SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\n\
             From: <sip:a@ims.example>;tag=1\r\nTo: <sip:{user}@ims.example>\r\nCall-ID: {branch}\r\n\
             CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n",
            self.own
        );
        self.socket.send(text.as_bytes()).await.unwrap();
    }

    /// The status of the next response to that method.
    async fn status(&self, method: &str) -> String {
        loop {
            let mut bytes = [0; 2_000];
            let length = timeout(Duration::from_secs(10), self.socket.recv(&mut bytes)).await.unwrap().unwrap();
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if text.contains(&format!("CSeq: 1 {method}\r\n")) && !text.starts_with("SIP/2.0 100 ") {
                return text.split(' ').nth(1).unwrap_or_default().to_string();
            }
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_role_awaits_is_cancelled_times_out_and_panics() {
    for workers in [1, 2] {
        let node = Node::default().role("role.ims.example", Waiting).listen(
            "udp:127.0.0.1:0".parse().unwrap(),
            "role.ims.example",
            Side::Core,
        );
        let running = imscore_cscf::tokio::serve(node, workers).await.unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(running.listeners()[0].sent_by.to_string()).await.unwrap();
        let own = socket.local_addr().unwrap().to_string();
        let peer = Peer { socket, own };

        for (user, status) in [("wait", "200"), ("within", "504"), ("panic", "500"), ("wait", "200")] {
            peer.send("MESSAGE", user, &format!("{workers}{user}{status}")).await;
            assert_eq!(peer.status("MESSAGE").await, status, "{user}");
        }
        peer.send("INVITE", "cancelled", "c").await;
        peer.send("CANCEL", "cancelled", "c").await;
        assert_eq!(peer.status("CANCEL").await, "200");
        running.stop(Duration::from_secs(0)).await.unwrap();
    }
}
