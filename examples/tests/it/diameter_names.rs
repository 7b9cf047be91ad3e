//! An HSS that is found by name: a name server, two HSS, and who asks them, over sockets.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_net::proto::op::{Message, Metadata};
use hickory_net::proto::rr::rdata::{A, CNAME, NAPTR, SRV};
use hickory_net::proto::rr::{Name, RData, Record, RecordType};
use imscore_examples::core::Core;
use imscore_examples::hss::Running;
use imscore_examples::names::DiameterNames;
use imscore_hss::diameter::{ApplicationId, Origin, dictionary::TGPP};
use imscore_hss::peer;
use imscore_hss::peer::discovery::{NotFound, Search};
use imscore_hss::tokio::{Carriers, CxHss, CxSettings, Diameter};
use imscore_hss::{HssCache, HssError, LocationInfoRequest};
use imscore_sip::tokio::NameServers;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::core::{http, settings as of_core};
use crate::hss::{SOON, settings};

/// What a name server knows; none: it is silent.
type Zone = Arc<Mutex<Option<Vec<(&'static str, RData)>>>>;

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

/// A name server on loopback; its records hold for a second.
async fn name_server(zone: Zone) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1_500];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let asked = Message::from_vec(&buffer[..length]).unwrap();
            let query = &asked.queries[0];
            let mut reply = Message::response(asked.metadata.id, asked.metadata.op_code);
            reply.metadata = Metadata::response_from_request(&asked.metadata);
            reply.add_query(query.clone());
            let Some(records) = zone.lock().unwrap().clone() else { continue };
            for (owner, data) in records {
                let fits = data.record_type() == query.query_type() || data.record_type() == RecordType::CNAME;
                if name(owner) == *query.name() && fits {
                    reply.add_answer(Record::from_rdata(name(owner), 1, data));
                }
            }
            socket.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
        }
    });
    address
}

fn srv(priority: u16, port: u16, host: &str) -> RData {
    RData::SRV(SRV::new(priority, 1, port, name(host)))
}

/// HSS `one` before HSS `two`, by NAPTR and SRV.
fn zone(one: &Running, two: &Running) -> Zone {
    let port = |hss: &Running| hss.diameter_address().unwrap().port();
    let service = b"aaa+ap16777216:diameter.tcp".to_vec().into_boxed_slice();
    let to = name("_diameter._tcp.ims.example");
    let naptr = NAPTR::new(10, 1, b"s".to_vec().into_boxed_slice(), service, Box::new([]), to);
    let loopback = RData::A(A::new(127, 0, 0, 1));
    Arc::new(Mutex::new(Some(vec![
        ("ims.example", RData::NAPTR(naptr)),
        ("_diameter._tcp.ims.example", srv(10, port(one), "one.ims.example")),
        ("_diameter._tcp.ims.example", srv(20, port(two), "two.ims.example")),
        ("one.ims.example", loopback.clone()),
        ("two.ims.example", loopback),
    ])))
}

async fn hss(host: &str) -> Running {
    let mut settings = settings("");
    settings.diameter.host = host.to_owned();
    Running::start(&settings).await.unwrap()
}

/// The side of an S-CSCF that looks for its HSS.
async fn scscf(zone: Zone) -> (CxHss, Diameter) {
    let origin = Origin::new("scscf.ims.example", "ims.example");
    let node = peer::Settings::new(origin, vec![(TGPP, ApplicationId::CX)], Vec::new());
    let search = Search::new("ims.example", ApplicationId::CX);
    let names = DiameterNames(NameServers::new([name_server(zone).await]));
    let (node, requests) = Diameter::find(node, Carriers::default(), search, Arc::new(names)).await.unwrap();
    let name = "sip:scscf.ims.example".parse().unwrap();
    (CxHss::new(node.clone(), requests, CxSettings::new("ims.example", name)), node)
}

async fn up(node: &Diameter, host: &str) {
    assert!(timeout(SOON, node.until_up(host)).await.unwrap(), "{host}");
}

/// RFC 6733 §5.2: both are found, the first is asked, and the second once the first is gone.
#[tokio::test]
async fn an_hss_is_found_and_the_next_when_it_is_gone() {
    let (one, two) = (hss("one").await, hss("two").await);
    let zone = zone(&one, &two);
    let (cx, node) = scscf(zone.clone()).await;
    up(&node, "one.ims.example").await;
    up(&node, "two.ims.example").await;
    let requests = async |hss: &Running| {
        let page = http(hss.http_address(), "GET /v1/registrations/sip:alice@ims.example", "").await;
        page.starts_with("HTTP/1.1 200 ")
    };
    let alice: imscore_hss::PublicIdentity = "sip:alice@ims.example".parse().unwrap();
    let take =
        imscore_hss::ServerAssignmentRequest::unregistered(alice.clone(), "sip:scscf.ims.example".parse().unwrap());
    cx.server_assignment(&take).await.unwrap();
    assert_eq!((requests(&one).await, requests(&two).await), (true, false), "the one that goes before");
    timeout(SOON, one.stop(Duration::from_secs(5))).await.unwrap().unwrap();
    timeout(SOON, node.until_down("one.ims.example")).await.unwrap();
    // The second knows nothing of the assignment; that it answers is what counts.
    let located = timeout(SOON, cx.location_info(&LocationInfoRequest::new(alice))).await.unwrap();
    assert_eq!(located, Err(HssError::NotRegistered));
    // Nobody is left, and no name server says anything: what is said of each peer is why.
    timeout(SOON, two.stop(Duration::from_secs(5))).await.unwrap().unwrap();
    timeout(SOON, node.until_down("two.ims.example")).await.unwrap();
    assert_eq!(node.status().await.unwrap().peers.len(), 2);
    node.stop().await;
}

/// What is in the way is said by name: no record, a silent name server, names in a circle.
#[tokio::test]
async fn nobody_is_found() {
    let circle = |to: &str| RData::CNAME(CNAME(name(to)));
    let realm = || "ims.example".to_owned();
    for (records, expected) in [
        (Some(vec![]), NotFound::NoRecord(realm())),
        (None, NotFound::Silent(realm())),
        (
            Some(vec![("ims.example", circle("b.example")), ("b.example", circle("ims.example"))]),
            NotFound::Silent(realm()),
        ),
        (
            Some(vec![("_diameter._tcp.ims.example", srv(1, 3868, "hss.evil.example"))]),
            NotFound::Outside("hss.evil.example".into()),
        ),
    ] {
        let (cx, node) = scscf(Arc::new(Mutex::new(records))).await;
        let said = async {
            loop {
                match node.status().await.unwrap().not_found {
                    Some(NotFound::Asking(_)) => tokio::task::yield_now().await,
                    other => return other,
                }
            }
        };
        assert_eq!(timeout(SOON, said).await.unwrap(), Some(expected.clone()));
        let alice = LocationInfoRequest::new("sip:alice@ims.example".parse().unwrap());
        assert_eq!(cx.location_info(&alice).await, Err(HssError::Unreachable));
        node.stop().await;
    }
}

/// The setting `hss.realm` of the core.
#[tokio::test]
async fn a_core_finds_its_hss() {
    let (one, two) = (hss("one").await, hss("two").await);
    let mut found = of_core("");
    found.hss.mode = "diameter".into();
    found.hss.realm = "ims.example".into();
    found.names.servers = vec![name_server(zone(&one, &two)).await];
    let core = Core::start(&found).await.unwrap();
    let up = async {
        let line = |host: &str| format!("imscore_diameter_peer_up{{peer=\"{host}.ims.example\"}} 1");
        let (one, two) = (line("one"), line("two"));
        loop {
            let page = http(core.http_address(), "GET /metrics", "").await;
            if page.contains(&one) && page.contains(&two) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, up).await.unwrap();
    timeout(SOON, core.stop(Duration::from_secs(5))).await.unwrap().unwrap();
}
