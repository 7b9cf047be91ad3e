//! TLS on loopback, with certificates made here.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::tcp::rest;
use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for these names, `sip:` and IP addresses among them, and its key.
fn certificate(authority: &Authority, names: &[&str]) -> (String, String) {
    let mut params = CertificateParams::default();
    let names = names.iter().map(|name| match (name.parse(), name.contains(':')) {
        (Ok(address), _) => SanType::IpAddress(address),
        (Err(_), true) => SanType::URI((*name).try_into().unwrap()),
        (Err(_), false) => SanType::DnsName((*name).try_into().unwrap()),
    });
    params.subject_alt_names = names.collect();
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

fn config(authority: &Authority, names: &[&[&str]]) -> TlsConfig {
    let config = TlsConfig::new().trust(authority.pem().as_bytes()).unwrap();
    names.iter().fold(config, |config, names| {
        let (chain, key) = certificate(authority, names);
        config.identity(chain.as_bytes(), key.as_bytes()).unwrap()
    })
}

/// A certificate, and nobody to trust.
fn blind(authority: &Authority) -> TlsConfig {
    let (chain, key) = certificate(authority, &["d.example"]);
    TlsConfig::new().identity(chain.as_bytes(), key.as_bytes()).unwrap()
}

fn with(tls: &Tls) -> Settings {
    Settings { tls: Some(tls.clone()), ..Settings::default() }
}

/// Settings of a host with these names, and of one that trusts it.
#[cfg(feature = "dns")]
pub(super) fn named(names: &[&str]) -> (Settings, Settings) {
    let authority = authority();
    let settings = |names| with(&Tls::new(config(&authority, &[names])).unwrap());
    (settings(names), settings(&["client.example"]))
}

/// Settings of a host that is 127.0.0.1, for itself and for others with the same settings.
pub(super) fn loopback() -> Settings {
    with(&Tls::new(config(&authority(), &[&["127.0.0.1"]])).unwrap())
}

async fn server(tls: &Tls) -> Rig {
    Rig::new(&["tls:127.0.0.1:0"], with(tls)).await
}

/// Whether a request from one reaches the other and is answered.
async fn reaches(client: &mut Rig, server: &Rig) -> bool {
    client.send(flow(Transport::Tls, server.addresses[0]), options("1", Transport::Tls), Some(1));
    match client.next().await {
        Seen::Response(StatusCode::OK, flow) => {
            assert_eq!((flow.transport, flow.remote), (Transport::Tls, server.addresses[0]));
            true
        }
        Seen::Failed(Ticket(1)) => {
            assert!(matches!(client.next().await, Seen::Lost(_)));
            false
        }
        other @ (Seen::Request(_) | Seen::Response(..) | Seen::Malformed(..) | Seen::Lost(_)) => panic!("{other:?}"),
        other @ (Seen::Failed(_) | Seen::Answered(_) | Seen::Timeout) => panic!("{other:?}"),
        other @ (Seen::Pong(_) | Seen::Mapped(..)) => panic!("{other:?}"),
    }
}

/// RFC 5922 §7; threat I19: who is reached is whom the certificate names.
#[tokio::test]
async fn a_server_must_be_the_domain_that_is_expected() {
    let authority = authority();
    for (names, expected, reached) in [
        (&["ims.example"][..], Some("ims.example"), true),
        (&["IMS.example", "other.example"], Some("ims.EXAMPLE"), true),
        (&["other.example"], Some("ims.example"), false),
        // No wildcard counts.
        (&["*.example"], Some("ims.example"), false),
        // A sip URI says which domains are meant; DNS names beside it do not.
        (&["sip:ims.example", "host.example"], Some("ims.example"), true),
        (&["sip:ims.example", "host.example"], Some("host.example"), false),
        (&["sip:alice@ims.example"], Some("ims.example"), false),
        (&["sips:ims.example"], Some("ims.example"), false),
        (&["127.0.0.1"], None, true),
        (&["127.0.0.2"], None, false),
        (&["ims.example"], None, false),
    ] {
        let server = server(&Tls::new(config(&authority, &[names])).unwrap()).await;
        let trusting = Tls::new(config(&authority, &[&["client.example"]])).unwrap();
        if let Some(expected) = expected {
            trusting.expect(server.addresses[0], expected);
        }
        let mut client = self::server(&trusting).await;
        assert_eq!(reaches(&mut client, &server).await, reached, "{names:?} {expected:?}");
    }
}

#[tokio::test]
async fn a_stranger_s_signature_is_worth_nothing() {
    let (ours, theirs) = (authority(), authority());
    let server = server(&Tls::new(config(&theirs, &[&["127.0.0.1"]])).unwrap()).await;
    let mut client = self::server(&Tls::new(config(&ours, &[&["127.0.0.1"]])).unwrap()).await;
    assert!(!reaches(&mut client, &server).await);
}

#[tokio::test]
async fn clients_show_certificates_where_they_must() {
    let (ours, theirs) = (authority(), authority());
    for (asked, own, signed_by, reached) in [
        (ClientCertificates::Required, true, &ours, true),
        (ClientCertificates::Required, true, &theirs, false),
        (ClientCertificates::Required, false, &ours, false),
        (ClientCertificates::Optional, false, &ours, true),
        (ClientCertificates::None, true, &theirs, true),
    ] {
        let tls = config(&ours, &[&["127.0.0.1"]]).clients(asked);
        let server = server(&Tls::new(tls).unwrap()).await;
        let mut tls = TlsConfig::new().trust(ours.pem().as_bytes()).unwrap();
        if own {
            let (chain, key) = certificate(signed_by, &["client.example"]);
            tls = tls.identity(chain.as_bytes(), key.as_bytes()).unwrap();
        }
        // A client that shows nothing cannot listen for TLS; its own flows need a listener to leave from.
        let mut client =
            Endpoint::bind_with(with(&Tls::new(tls).unwrap()), ["tls:127.0.0.1:0".parse().unwrap()], |_| {
                Echo::default()
            })
            .await;
        assert_eq!(client.is_ok(), own);
        let Ok(client) = &mut client else { continue };
        let there = flow(Transport::Tls, server.addresses[0]);
        let bytes = options("1", Transport::Tls).into();
        client.engine_mut().send(Transmit { flow: there, domain: None, bytes, ticket: Some(Ticket(1)) });
        // With TLS 1.3 a client is told that its certificate will not do when it has sent already.
        let seen = within(client.next()).await;
        assert_eq!(matches!(seen, Seen::Response(StatusCode::OK, _)), reached, "{seen:?}");
    }
}

#[tokio::test]
async fn each_name_has_its_certificate_and_a_reload_needs_no_restart() {
    let authority = authority();
    let tls = Tls::new(config(&authority, &[&["a.example"], &["b.example"]])).unwrap();
    let server = server(&tls).await;
    let asking = Tls::new(config(&authority, &[&["client.example"]])).unwrap();
    let mut client = self::server(&asking).await;
    for (name, reached) in [("b.example", true), ("a.example", true), ("c.example", false)] {
        asking.expect(server.addresses[0], name);
        assert_eq!(reaches(&mut client, &server).await, reached, "{name}");
    }
    // One connection for each domain, though the address is one.
    assert_eq!(client.counters.connected.total(), 2);

    tls.reload(config(&authority, &[&["c.example"]])).unwrap();
    assert!(reaches(&mut client, &server).await);
    // What cannot be used changes nothing.
    assert!(tls.reload(blind(&authority).clients(ClientCertificates::Required)).is_err());
    asking.expect(server.addresses[0], "d.example");
    assert!(!reaches(&mut client, &server).await);
}

/// RFC 5922 §7.3: whom a name was looked up for is whom the certificate must name, whatever is expected at the address; each domain
/// there has a connection of its own, and keeps it.
#[tokio::test]
async fn a_connection_is_for_the_domain_that_was_looked_up() {
    let authority = authority();
    let tls = Tls::new(config(&authority, &[&["a.example"], &["b.example"]])).unwrap();
    let server = server(&tls).await;
    let asking = Tls::new(config(&authority, &[&["client.example"]])).unwrap();
    asking.expect(server.addresses[0], "a.example");
    let mut client = self::server(&asking).await;
    let there = flow(Transport::Tls, server.addresses[0]);
    for (domain, reached, connections) in [
        (Some("b.example"), true, 1),
        (Some("a.example"), true, 2),
        (Some("b.example"), true, 2),
        (None, true, 2),
        (Some("c.example"), false, 2),
        (Some("b.example"), true, 2),
        (Some("a.example"), true, 2),
    ] {
        let bytes = options("1", Transport::Tls).into();
        let transmit = Transmit { flow: there, domain: domain.map(Into::into), bytes, ticket: Some(Ticket(1)) };
        client.tell(move |engine| engine.send(transmit));
        let seen = client.next().await;
        assert_eq!(matches!(seen, Seen::Response(StatusCode::OK, _)), reached, "{domain:?} {seen:?}");
        if !reached {
            assert_eq!(seen, Seen::Failed(Ticket(1)));
            assert!(matches!(client.next().await, Seen::Lost(_)));
        }
        assert_eq!(client.counters.connected.total(), connections, "{domain:?}");
    }
}

/// RFC 5923: a connection that is offered is used for requests to whom its certificate names, and for nobody else.
#[tokio::test]
async fn an_offered_connection_is_reused_for_whom_its_certificate_names() {
    let authority = authority();
    for (names, wanted, reused) in [
        (&["client.example"][..], Some("client.example"), true),
        (&["client.example"], Some("other.example"), false),
        (&["client.example"], None, false),
        (&["127.0.0.1"], None, true),
    ] {
        let tls = config(&authority, &[&["127.0.0.1"]]).clients(ClientCertificates::Required);
        let tls = Tls::new(tls).unwrap();
        let mut server = server(&tls).await;
        let mut client = self::server(&Tls::new(config(&authority, &[names])).unwrap()).await;
        let there = client.addresses[0];
        if let Some(wanted) = wanted {
            tls.expect(there, wanted);
        }
        let offer = options("1", Transport::Tls).replace("h;branch", &format!("{there};alias;branch"));
        client.send(flow(Transport::Tls, server.addresses[0]), offer, None);
        assert!(matches!(server.next().await, Seen::Request(_)));
        assert!(matches!(client.next().await, Seen::Response(StatusCode::OK, _)));
        server.send(flow(Transport::Tls, there), options("2", Transport::Tls), Some(2));
        let seen = server.next().await;
        let is_answered = matches!(seen, Seen::Response(StatusCode::OK, _));
        assert!(is_answered || seen == Seen::Failed(Ticket(2)), "{seen:?}");
        let opened = server.counters.connected.total();
        assert_eq!(is_answered && opened == 0, reused, "{names:?} {wanted:?}");
    }
}

#[test]
fn what_is_no_certificate_is_refused() {
    let authority = authority();
    let (chain, key) = certificate(&authority, &["a.example"]);
    let (_, other) = certificate(&authority, &["a.example"]);
    let new = |chain: &str, key: &str| TlsConfig::new().identity(chain.as_bytes(), key.as_bytes()).map(drop);
    assert_eq!(new(&chain, &key), Ok(()));
    assert_eq!(new("", &key), Err(TlsError::Pem("certificate")));
    assert_eq!(new(&chain, &chain), Err(TlsError::Pem("private key")));
    assert!(matches!(new(&chain, &other), Err(TlsError::Certificate(_))));
    assert_eq!(Tls::new(blind(&authority).clients(ClientCertificates::Required)), Err(TlsError::NoRoots));
}

/// Threats D3, M9: who does not get through the handshake in time, or speaks something else, is closed.
#[tokio::test]
async fn d03_a_handshake_that_does_not_end_is_closed() {
    let tls = Tls::new(config(&authority(), &[&["127.0.0.1"]])).unwrap();
    let short = Settings { handshake: Duration::from_millis(50), ..with(&tls) };
    let rig = Rig::new(&["tls:127.0.0.1:0"], short).await;
    for start in [&b""[..], &[0x16, 3, 1, 2, 0, 1]] {
        let mut slow = TcpStream::connect(rig.addresses[0]).await.unwrap();
        slow.write_all(start).await.unwrap();
        assert_eq!(rest(&mut slow).await, "");
    }
    assert_eq!(rig.counters.timed_out.total(), 2);
    let rig = server(&tls).await;
    let mut other = TcpStream::connect(rig.addresses[0]).await.unwrap();
    other.write_all(options("1", Transport::Tcp).as_bytes()).await.unwrap();
    let mut alert = Vec::new();
    let _ = within(tokio::io::AsyncReadExt::read_to_end(&mut other, &mut alert)).await;
    assert_eq!(alert.first(), Some(&21), "an alert, if anything");
    assert_eq!(rig.counters.handshakes_failed.total(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let tls = Tls::new(config(&authority(), &[&["127.0.0.1"]])).unwrap();
    let short = Duration::from_millis(50);
    let mut rig = Rig::new(&["tls:127.0.0.1:0"], Settings { handshake: short, connect: short, ..with(&tls) }).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    rig.send(flow(Transport::Tls, silent.local_addr().unwrap()), options("1", Transport::Tls), Some(1));
    assert_eq!(rig.next().await, Seen::Failed(Ticket(1)));
    assert_eq!(rig.counters.connect_failed.total(), 1);
}

/// More than one record, and more than the kernel holds.
#[tokio::test]
async fn what_is_long_arrives_whole() {
    let tls = Tls::new(config(&authority(), &[&["127.0.0.1"]])).unwrap();
    let settings = Settings { unsent: 1 << 23, ..with(&tls) };
    let (mut client, mut server) = (Rig::new(&["tls:127.0.0.1:0"], settings).await, server(&tls).await);
    let body = "x".repeat(60_000);
    let text = options("1", Transport::Tls)
        .replace("Content-Length: 0\r\n\r\n", &format!("Content-Length: 60000\r\n\r\n{body}"));
    for _ in 0..50 {
        client.send(flow(Transport::Tls, server.addresses[0]), text.clone(), None);
    }
    for _ in 0..50 {
        assert!(matches!(server.next().await, Seen::Request(_)));
        assert!(matches!(client.next().await, Seen::Response(StatusCode::OK, _)));
    }
    assert_eq!(client.counters.connected.total(), 1);
}

#[cfg(feature = "ws")]
#[tokio::test]
async fn secure_websockets_are_websockets_over_tls() {
    let tls = Tls::new(config(&authority(), &[&["127.0.0.1"]])).unwrap();
    let mut client = Rig::new(&["wss:127.0.0.1:0"], with(&tls)).await;
    let server = Rig::new(&["wss:127.0.0.1:0"], with(&tls)).await;
    for call in ["1", "2"] {
        client.send(flow(Transport::Wss, server.addresses[0]), options(call, Transport::Wss), Some(1));
        assert!(matches!(client.next().await, Seen::Response(StatusCode::OK, _)));
    }
    assert_eq!((client.counters.connected.total(), server.counters.accepted.total()), (1, 1));
}
