//! A whole core, started and stopped in this process on ports of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use imscore_examples::core::Core;
use imscore_examples::settings::Settings;
use imscore_sip::trace::{Ladder, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) fn settings(data: &str) -> Settings {
    let any = |listens: &mut Vec<imscore_examples::settings::Listen>| {
        listens.iter_mut().for_each(|listen| listen.0.socket.set_port(0));
    };
    let mut settings = Settings { data: data.to_owned(), workers: 1, ..Settings::default() };
    any(&mut settings.pcscf.access);
    any(&mut settings.pcscf.core);
    any(&mut settings.icscf.core);
    any(&mut settings.scscf.core);
    settings.http.listen.set_port(0);
    settings
}

pub(crate) async fn http(address: SocketAddr, request: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("{request} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((request + body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

const ALICE: &str = "/v1/subscribers/alice%40ims.example";
const OTHERWISE: &str = r#"{ "public_identities": ["sip:alice@ims.example"],
    "authentication": { "scheme": "digest", "password": "otherwise" } }"#;

#[tokio::test]
async fn a_core_serves_http_and_stops_at_once_when_idle() {
    let core = Core::start(&settings("")).await.unwrap();
    assert!(http(core.http_address(), "GET /health", "").await.starts_with("HTTP/1.1 200 "));
    let metrics = http(core.http_address(), "GET /metrics", "").await;
    for name in ["imscore_requests_total{worker=\"0\"} 0", "imscore_transport_datagrams_in_total", "imscore_dialogs 0"]
    {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
    let passwords: Vec<_> = core.demo().iter().map(|demo| demo.password.is_some()).collect();
    assert_eq!(passwords, [true, true]);
    let started = Instant::now();
    core.stop(Duration::from_secs(30)).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_trace_has_what_phones_say_and_get() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.jsonl");
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut settings = Settings { trace: file.to_str().unwrap().to_owned(), ..settings("") };
    settings.pcscf.access = vec![imscore_examples::settings::Listen(format!("udp:{port}").parse().unwrap())];
    let core = Core::start(&settings).await.unwrap();
    let phone = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let register = "REGISTER sip:ims.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK1\r\n\
        From: <sip:alice@ims.example>;tag=1\r\nTo: <sip:alice@ims.example>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\
        Contact: <sip:alice@127.0.0.1>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    phone.send_to(register.as_bytes(), port).await.unwrap();
    let mut answer = [0; 2_000];
    let length = tokio::time::timeout(Duration::from_secs(10), phone.recv(&mut answer)).await.unwrap().unwrap();
    assert!(answer[..length].starts_with(b"SIP/2.0 401 "), "{}", String::from_utf8_lossy(&answer[..length]));
    core.stop(Duration::ZERO).await.unwrap();

    let text = std::fs::read_to_string(file).unwrap();
    let records = text.lines().map(Record::from_json).collect::<Result<Vec<_>, _>>().unwrap();
    let ladder = Ladder::of(&records).to_string();
    assert!(ladder.contains("- REGISTER -") && ladder.contains(" 401 Unauthorized -"), "{ladder}");
    assert!(text.contains("sip:alice@ims.example"), "on loopback identities are shown");
}

#[tokio::test]
async fn what_was_provisioned_is_kept_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("made/on/the/way");
    let settings = settings(data.to_str().unwrap());

    let core = Core::start(&settings).await.unwrap();
    assert!(http(core.http_address(), &format!("PUT {ALICE}"), OTHERWISE).await.starts_with("HTTP/1.1 200 "));
    let Err(error) = Core::start(&settings).await else { panic!("two cores share a folder") };
    assert!(error.to_string().contains("another core or HSS uses it"), "{error:#}");
    core.stop(Duration::ZERO).await.unwrap();

    let core = Core::start(&settings).await.unwrap();
    let passwords: Vec<_> = core.demo().iter().map(|demo| demo.password.is_some()).collect();
    assert_eq!(passwords, [false, true], "she has another one now, and it stays");
    let shown = http(core.http_address(), &format!("GET {ALICE}"), "").await;
    assert!(shown.starts_with("HTTP/1.1 200 ") && !shown.contains("tel:"), "{shown}");
    core.stop(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn without_a_folder_nothing_is_kept() {
    let settings = settings("");
    let core = Core::start(&settings).await.unwrap();
    http(core.http_address(), &format!("PUT {ALICE}"), OTHERWISE).await;
    core.stop(Duration::ZERO).await.unwrap();
    let core = Core::start(&settings).await.unwrap();
    assert!(core.demo()[0].password.is_some());
}

#[tokio::test]
async fn demo_subscribers_stay_away_from_strangers() {
    let mut open = settings("");
    open.pcscf.access.iter_mut().for_each(|listen| listen.0.socket.set_ip([0, 0, 0, 0].into()));
    open.pcscf.advertised = "pcscf.ims.example".into();
    let core = Core::start(&open).await.unwrap();
    assert_eq!(core.demo(), []);
    let mut without = settings("");
    without.demo_subscribers = false;
    assert_eq!(Core::start(&without).await.unwrap().demo(), []);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let data = file.join("below").to_str().unwrap().to_owned();
    let Err(error) = Core::start(&settings(&data)).await else { panic!("it has started") };
    assert!(error.to_string().contains(&data) && error.to_string().contains("--data"), "{error:#}");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let core = Core::start(&settings("")).await.unwrap();
    let mut second = settings("");
    second.http.listen = core.http_address();
    let Err(error) = Core::start(&second).await else { panic!("it has started") };
    assert!(error.to_string().contains(&core.http_address().to_string()), "{error:#}");
}
