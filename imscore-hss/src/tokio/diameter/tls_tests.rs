//! Nodes against each other over TLS, with certificates of a root of their own (RFC 6733 §13.1).

use ::tokio::io::{AsyncReadExt, AsyncWriteExt};
use ::tokio::net::TcpStream;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::tests::{REALM, SOON, answer_all, asked, loopback, settings};
use super::*;
use crate::peer::{Cause, Obstacle, PeerSettings};

const HSS: &str = "hss.ims.example";
const SCSCF: &str = "scscf.ims.example";

struct Root(CertifiedIssuer<'static, KeyPair>);

impl Root {
    fn new() -> Root {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Root(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for `name` of this root, and its key.
    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// For who has a certificate of this root for `name`, and trusts `trusted`.
    fn tls(&self, name: &str, trusted: &Root) -> DiameterTls {
        let (chain, key) = self.certify(name);
        DiameterTls::new(chain.as_bytes(), key.as_bytes(), trusted.0.pem().as_bytes()).unwrap()
    }
}

fn over_tls(mut peer: PeerSettings) -> Vec<PeerSettings> {
    peer.transport = Transport::Tls;
    vec![peer]
}

async fn hss(tls: DiameterTls) -> (Diameter, Requests) {
    let peers = over_tls(PeerSettings::accept(SCSCF, REALM));
    let carriers = Carriers::default().tls(tls).listen(Transport::Tls, loopback().unwrap());
    let carriers = carriers.listen(Transport::Tcp, loopback().unwrap());
    Diameter::start_on(settings(HSS, peers), carriers).await.unwrap()
}

async fn scscf(hss: &Diameter, tls: DiameterTls) -> Diameter {
    let peers = over_tls(PeerSettings::connect(HSS, REALM, hss.local_addr().unwrap().to_string()));
    Diameter::start_on(settings(SCSCF, peers), Carriers::default().tls(tls)).await.unwrap().0
}

/// Waits until an attempt to connect has ended, and says with what.
async fn obstacle(node: &Diameter) -> String {
    let ended = async {
        loop {
            match node.status().await.unwrap().peers.remove(0).obstacle {
                Some(Obstacle::NotConnected(Cause::Connecting)) => ::tokio::task::yield_now().await,
                Some(obstacle) => return obstacle.to_string(),
                None => panic!("the peer is up"),
            }
        }
    };
    timeout_at(Instant::now() + SOON, ended).await.expect("an attempt ends")
}

#[::tokio::test]
async fn question_and_answer() {
    let root = Root::new();
    let (hss, requests) = hss(root.tls(HSS, &root)).await;
    answer_all(&hss, requests, HSS);
    let scscf = scscf(&hss, root.tls(SCSCF, &root)).await;
    assert!(timeout_at(Instant::now() + SOON, scscf.until_up(HSS)).await.unwrap());
    assert_eq!(asked(&scscf).await, Ok(HSS.to_owned()));
    scscf.stop().await;
    assert!(timeout_at(Instant::now() + SOON, hss.until_down(SCSCF)).await.is_ok());
}

/// An HSS with another's certificate, or one that nobody trusts, is not spoken to.
#[::tokio::test]
async fn the_hss_is_somebody_else() {
    let (root, other) = (Root::new(), Root::new());
    let (impostor, _requests) = hss(root.tls("other.ims.example", &root)).await;
    let why = obstacle(&scscf(&impostor, root.tls(SCSCF, &root)).await).await;
    assert!(why.contains("not valid for name"), "{why}");
    let (stranger, _requests) = hss(other.tls(HSS, &root)).await;
    let why = obstacle(&scscf(&stranger, root.tls(SCSCF, &root)).await).await;
    assert!(why.contains("certificate"), "{why}");
}

/// Who connects with the certificate of somebody else gets 3010; with one that is not trusted, no handshake.
#[::tokio::test]
async fn the_scscf_is_somebody_else() {
    let (root, other) = (Root::new(), Root::new());
    let (hss, _requests) = hss(root.tls(HSS, &root)).await;
    let why = obstacle(&scscf(&hss, root.tls("other.ims.example", &root)).await).await;
    assert!(why.ends_with("UNKNOWN_PEER"), "{why}");
    obstacle(&scscf(&hss, other.tls(SCSCF, &root)).await).await;
    assert!(hss.status().await.unwrap().malformed > 0, "a handshake that fails is counted");
}

/// A peer that is to come over TLS and does not gets 5017 (RFC 6733 §7.1.5).
#[::tokio::test]
async fn a_peer_comes_without_tls() {
    let root = Root::new();
    let (hss, _requests) = hss(root.tls(HSS, &root)).await;
    let (_, plain) = hss.listens()[1];
    let peers = vec![PeerSettings::connect(HSS, REALM, plain.to_string())];
    let (scscf, _requests) = Diameter::start(settings(SCSCF, peers), None).await.unwrap();
    let why = obstacle(&scscf).await;
    assert!(why.ends_with("NO_COMMON_SECURITY"), "{why}");
}

/// A handshake that is begun and not ended is given up with the stranger that it is of, and frees its place.
#[::tokio::test]
async fn a_handshake_that_never_ends() {
    let root = Root::new();
    let mut settings = settings(HSS, over_tls(PeerSettings::accept(SCSCF, REALM)));
    (settings.max_strangers, settings.exchange) = (1, Duration::from_millis(200));
    let carriers = Carriers::default().tls(root.tls(HSS, &root)).listen(Transport::Tls, loopback().unwrap());
    let (hss, _requests) = Diameter::start_on(settings, carriers).await.unwrap();
    let mut stalled = TcpStream::connect(hss.local_addr().unwrap()).await.unwrap();
    stalled.write_all(&[0x16, 3, 1]).await.unwrap();
    let end = timeout_at(Instant::now() + SOON, stalled.read(&mut [0; 1])).await.unwrap();
    assert!(!matches!(end, Ok(1..)), "{end:?}");
    let scscf = scscf(&hss, root.tls(SCSCF, &root)).await;
    assert!(timeout_at(Instant::now() + SOON, scscf.until_up(HSS)).await.unwrap());
}

#[::tokio::test]
async fn other_certificates_from_now_on() {
    let (root, other) = (Root::new(), Root::new());
    let of_hss = root.tls(HSS, &root);
    let (hss, requests) = hss(of_hss.clone()).await;
    answer_all(&hss, requests, HSS);
    let (chain, key) = other.certify(HSS);
    assert_eq!(of_hss.reload(b"nothing", key.as_bytes(), b""), Err(TlsError::Pem("certificate")));
    of_hss.reload(chain.as_bytes(), key.as_bytes(), other.0.pem().as_bytes()).unwrap();
    let scscf = scscf(&hss, other.tls(SCSCF, &other)).await;
    assert!(timeout_at(Instant::now() + SOON, scscf.until_up(HSS)).await.unwrap());
    assert_eq!(asked(&scscf).await, Ok(HSS.to_owned()));
}

#[::tokio::test]
async fn tls_without_certificates() {
    let carriers = Carriers::default().listen(Transport::Tls, loopback().unwrap());
    let error = Diameter::start_on(settings(HSS, Vec::new()), carriers).await.unwrap_err();
    assert!(error.to_string().contains("Carriers::tls"), "{error}");
}
