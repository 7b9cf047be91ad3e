//! Nodes against each other and against raw sockets, on loopback.

use ::tokio::io::{AsyncReadExt, AsyncWriteExt};
use ::tokio::net::TcpStream;

use super::*;
use crate::cx::{Answer, AnswerHead};
use crate::cx::{LocationInfoAnswer, LocationInfoRequest, Outcome, Request, RequestHead};
use crate::diameter::base::{CapabilitiesExchangeRequest, VendorSpecificApplicationId};
use crate::diameter::dictionary::{self as avp, TGPP};
use crate::diameter::{Address, ApplicationId, CommandCode, CommandFlags, Framer, Grammar, Header, Writer};
use crate::peer::PeerSettings;

pub(super) const REALM: &str = "ims.example";
pub(super) const SOON: Duration = Duration::from_secs(5);

pub(crate) fn settings(host: &str, peers: Vec<PeerSettings>) -> Settings {
    let mut settings = Settings::new(Origin::new(host, REALM), vec![(TGPP, ApplicationId::CX)], peers);
    settings.retry = Duration::from_millis(20);
    settings
}

pub(crate) fn loopback() -> Option<SocketAddr> {
    Some(([127, 0, 0, 1], 0).into())
}

/// A node that listens, and what it is asked.
pub(crate) async fn server(host: &str, peers: &[&str]) -> (Diameter, Requests) {
    let peers = peers.iter().map(|peer| PeerSettings::accept(*peer, REALM)).collect();
    Diameter::start(settings(host, peers), loopback()).await.unwrap()
}

/// A node that connects.
pub(crate) async fn client(host: &str, servers: &[(&str, &Diameter)]) -> (Diameter, Requests) {
    let peer = |(at, (name, node)): (usize, &(&str, &Diameter))| {
        let mut peer = PeerSettings::connect(*name, REALM, node.local_addr().unwrap().to_string());
        peer.priority = at as u16;
        peer
    };
    let peers = servers.iter().enumerate().map(peer).collect();
    let started = Diameter::start(settings(host, peers), None).await.unwrap();
    for (name, _) in servers {
        assert!(timeout_at(Instant::now() + SOON, started.0.until_up(name)).await.unwrap());
    }
    started
}

fn lir() -> Message {
    let head = RequestHead::cx("s;1;1", "scscf.ims.example", REALM, REALM);
    let command = LocationInfoRequest::new("sip:bob@ims.example");
    Message::parse(Request { head, command }.encode().unwrap()).unwrap()
}

/// Answers everything, as `host`.
pub(super) fn answer_all(node: &Diameter, mut requests: Requests, host: &'static str) {
    let node = node.clone();
    ::tokio::spawn(async move {
        while let Some(asked) = requests.next().await {
            let request = Request::<LocationInfoRequest<'_>>::read(&asked.request).unwrap();
            let head = AnswerHead::to(&request.head, Outcome::SUCCESS, host, REALM);
            let answer = Answer { head, command: LocationInfoAnswer::new() }.encode(asked.request.header()).unwrap();
            node.answer(asked.ticket, Message::parse(answer).unwrap()).await;
        }
    });
}

pub(super) async fn asked(node: &Diameter) -> Result<String, AskError> {
    node.ask(lir(), SOON).await.map(|answer| answer.text(&avp::ORIGIN_HOST).unwrap().to_owned())
}

#[::tokio::test]
async fn question_and_answer() {
    let (hss, requests) = server("hss.ims.example", &["scscf.ims.example"]).await;
    answer_all(&hss, requests, "hss.ims.example");
    let (scscf, _requests) = client("scscf.ims.example", &[("hss.ims.example", &hss)]).await;
    let many = (0..200).map(|_| {
        let scscf = scscf.clone();
        ::tokio::spawn(async move { asked(&scscf).await })
    });
    for answer in many.collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap(), Ok("hss.ims.example".to_owned()));
    }
    scscf.stop().await;
    assert_eq!(asked(&scscf).await, Err(AskError::Stopped));
    timeout_at(Instant::now() + SOON, hss.until_down("scscf.ims.example")).await.unwrap();
}

/// Whoever keeps the stopped node in hand does not keep its address.
#[::tokio::test]
async fn a_stopped_node_frees_its_address() {
    let (hss, _requests) = server("hss.ims.example", &["scscf.ims.example"]).await;
    let (scscf, _theirs) = client("scscf.ims.example", &[("hss.ims.example", &hss)]).await;
    hss.stop().await;
    let settings = settings("hss.ims.example", vec![PeerSettings::accept("scscf.ims.example", REALM)]);
    let (again, _requests) = Diameter::start(settings, hss.local_addr()).await.unwrap();
    assert_eq!(again.local_addr(), hss.local_addr());
    assert!(timeout_at(Instant::now() + SOON, scscf.until_up("hss.ims.example")).await.unwrap());
}

/// Two HSS, the first of them killed: what is asked goes to the other, and back once it is there again.
#[::tokio::test]
async fn the_first_of_two_is_killed() {
    let (one, requests) = server("hss1.ims.example", &["scscf.ims.example"]).await;
    answer_all(&one, requests, "hss1.ims.example");
    let (two, requests) = server("hss2.ims.example", &["scscf.ims.example"]).await;
    answer_all(&two, requests, "hss2.ims.example");
    let (scscf, _requests) =
        client("scscf.ims.example", &[("hss1.ims.example", &one), ("hss2.ims.example", &two)]).await;
    assert_eq!(asked(&scscf).await, Ok("hss1.ims.example".to_owned()));
    one.stop().await;
    assert_eq!(asked(&scscf).await, Ok("hss2.ims.example".to_owned()));
    two.stop().await;
    timeout_at(Instant::now() + SOON, scscf.until_down("hss2.ims.example")).await.unwrap();
    let AskError::NotSent(SendError::NoPeer(no_peer)) = asked(&scscf).await.unwrap_err() else { panic!() };
    assert_eq!(no_peer.peers.len(), 2, "{no_peer}");
}

/// Who connects and says this, byte by byte, until the node closes; and how much it said.
async fn raw(node: &Diameter, bytes: &[u8]) -> Vec<Message> {
    let mut stream = TcpStream::connect(node.local_addr().unwrap()).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut framer = Framer::default();
    let mut heard = Vec::new();
    let read = async {
        while stream.read_buf(&mut framer.spare()).await.is_ok_and(|read| read > 0) {
            while let Ok(Some(bytes)) = framer.next_frame() {
                heard.push(Message::parse(bytes).unwrap());
            }
        }
    };
    timeout_at(Instant::now() + SOON, read).await.expect("the node closes");
    heard
}

fn cer(host: &str, more: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut cer = CapabilitiesExchangeRequest::new(host, REALM, vec![Address::Ip([127, 0, 0, 1].into())], 0, "x");
    cer.vendor_applications = vec![VendorSpecificApplicationId::auth(TGPP, ApplicationId::CX)];
    let flags = CommandFlags::default();
    let mut out = Writer::new(Header::request(CommandCode::CAPABILITIES_EXCHANGE, ApplicationId::COMMON, flags));
    cer.write_avps(&mut out);
    more(&mut out);
    out.finish().unwrap().to_vec()
}

fn results(messages: &[Message]) -> Vec<u32> {
    messages.iter().map(|message| message.find(&avp::RESULT_CODE).unwrap().read(&avp::RESULT_CODE).unwrap()).collect()
}

/// Threats X1, X2, X4, X5, X7: whatever a stranger sends ends its own connection and nothing else.
#[::tokio::test]
async fn x01_x02_x04_x05_x07_garbage() {
    let (hss, requests) = server("hss.ims.example", &["scscf.ims.example", "guest.ims.example"]).await;
    answer_all(&hss, requests, "hss.ims.example");
    let (scscf, _requests) = client("scscf.ims.example", &[("hss.ims.example", &hss)]).await;
    let malformed =
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[1, 0, 0, 19], &[1, 0xff, 0xff, 0xff], &[1, 0, 0, 21], &[2, 0, 0, 20]];
    for bytes in malformed {
        assert_eq!(raw(&hss, bytes).await, []);
    }
    assert_eq!(hss.status().await.unwrap().malformed, 5);
    assert_eq!(results(&raw(&hss, &cer("stranger.example", |_| ())).await), [3010]);
    let many = cer("guest.ims.example", |out| (0..63).for_each(|_| out.avp(&avp::ORIGIN_HOST, &"guest.ims.example")));
    assert_eq!(results(&raw(&hss, &many).await), [5009]);
    // Behind a good CER: groups in groups, a length beyond the end, and a message that is none.
    let mut bytes = cer("guest.ims.example", |_| ());
    let mut ask = |avps: &[u8]| {
        let mut out = Writer::new(Header::request(CommandCode::LOCATION_INFO, ApplicationId::CX, CommandFlags(0x40)));
        out.avp(&avp::SESSION_ID, &"a\0b");
        out.avp(&avp::ORIGIN_HOST, &"guest.ims.example");
        out.bytes(avps);
        bytes.extend_from_slice(&out.finish().unwrap());
    };
    ask(&[0, 0, 0, 1, 0x40, 0xff, 0xff, 0xff]);
    ask(&[0, 0, 0, 1, 0x40, 0, 0, 0]);
    bytes.extend_from_slice(&[1, 0, 0, 0]);
    assert_eq!(results(&raw(&hss, &bytes).await), [2001, 5014, 5014]);
    // Nobody else has noticed.
    assert_eq!(asked(&scscf).await, Ok("hss.ims.example".to_owned()));
}

/// RFC 6733 §2.1, where the system has SCTP; where not, it is said what is missing.
#[cfg(feature = "sctp")]
#[::tokio::test]
async fn over_sctp() {
    let peers = vec![PeerSettings::accept("scscf.ims.example", REALM)];
    let listen = Carriers::default().listen(Transport::Sctp, loopback().unwrap());
    let hss = Diameter::start_on(settings("hss.ims.example", peers), listen).await;
    let (hss, requests) = match hss {
        Ok(hss) => hss,
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            assert!(error.to_string().contains("modprobe sctp"), "{error}");
            return nobody_over_sctp().await;
        }
    };
    answer_all(&hss, requests, "hss.ims.example");
    let mut peer = PeerSettings::connect("hss.ims.example", REALM, hss.local_addr().unwrap().to_string());
    peer.transport = Transport::Sctp;
    let (scscf, _requests) = Diameter::start(settings("scscf.ims.example", vec![peer]), None).await.unwrap();
    assert!(timeout_at(Instant::now() + SOON, scscf.until_up("hss.ims.example")).await.unwrap());
    assert_eq!(asked(&scscf).await, Ok("hss.ims.example".to_owned()));
}

/// A peer that cannot be reached for want of SCTP says so to who asks.
#[cfg(feature = "sctp")]
async fn nobody_over_sctp() {
    let mut peer = PeerSettings::connect("hss.ims.example", REALM, "127.0.0.1:3868");
    peer.transport = Transport::Sctp;
    let (scscf, _requests) = Diameter::start(settings("scscf.ims.example", vec![peer]), None).await.unwrap();
    let told = async {
        loop {
            let status = scscf.status().await.unwrap();
            let obstacle = status.peers[0].obstacle.clone().map(|obstacle| obstacle.to_string()).unwrap_or_default();
            if obstacle.contains("modprobe sctp") {
                return;
            }
            ::tokio::task::yield_now().await;
        }
    };
    timeout_at(Instant::now() + SOON, told).await.expect("the status says what is missing");
}

/// Connections that say nothing are as many as are allowed, and end by themselves.
#[::tokio::test]
async fn strangers_that_say_nothing() {
    let mut settings = settings("hss.ims.example", vec![PeerSettings::accept("scscf.ims.example", REALM)]);
    (settings.max_strangers, settings.exchange) = (2, Duration::from_millis(200));
    let (hss, _requests) = Diameter::start(settings, loopback()).await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(TcpStream::connect(hss.local_addr().unwrap()).await.unwrap());
    }
    for mut stream in streams {
        let end = timeout_at(Instant::now() + SOON, stream.read(&mut [0; 1])).await.unwrap();
        assert!(!matches!(end, Ok(1..)), "{end:?}");
    }
    let (_scscf, _requests) = client("scscf.ims.example", &[("hss.ims.example", &hss)]).await;
}

/// What comes while as much waits as is allowed is answered at once: try elsewhere, or later.
#[::tokio::test]
async fn requests_beyond_what_is_worked_on() {
    let (hss, requests) = server("hss.ims.example", &["scscf.ims.example"]).await;
    let (scscf, _requests) = client("scscf.ims.example", &[("hss.ims.example", &hss)]).await;
    // Nobody takes the requests: those over the limit are answered at once.
    let mut waiting = Vec::new();
    for _ in 0..REQUESTS + 1 {
        let scscf = scscf.clone();
        waiting.push(::tokio::spawn(async move { scscf.ask(lir(), Duration::from_secs(60)).await }));
    }
    let busy = async {
        loop {
            for task in &mut waiting {
                if task.is_finished() {
                    return task.await.unwrap().unwrap();
                }
            }
            ::tokio::task::yield_now().await;
        }
    };
    let answer = timeout_at(Instant::now() + SOON * 4, busy).await.unwrap();
    assert_eq!(results(&[answer]), [3004]);
    drop(requests);
}
