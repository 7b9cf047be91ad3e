//! An HSS by its settings, in this process, on ports of its own: asked over Diameter, provisioned over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use imscore_examples::core::Core;
use imscore_examples::hss::Running;
use imscore_examples::settings::{HssSettings, Settings};
use imscore_hss::diameter::{ApplicationId, Origin, dictionary::TGPP};
use imscore_hss::peer::{self, PeerSettings};
use imscore_hss::tokio::{CxHss, CxSettings, Diameter};
use imscore_hss::vector::{AkaCredentials, Milenage, Usim, UsimAnswer};
use imscore_hss::{
    AssignmentType, AuthScheme, HssCache, HssEvent, MultimediaAuth, MultimediaAuthRequest, Resynchronisation,
    ServerAssignmentRequest, ServerName, TerminationReason,
};
use serde_json::json;
use tokio::time::timeout;

use crate::core::{http, settings as of_core};

pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) fn settings(data: &str) -> HssSettings {
    let mut settings = HssSettings { data: data.to_owned(), ..HssSettings::default() };
    settings.diameter.listen.set_port(0);
    settings.http.listen.set_port(0);
    settings
}

/// The side of an S-CSCF, once the HSS can be asked.
pub(crate) async fn scscf(hss: SocketAddr) -> (CxHss, Diameter) {
    let peer = PeerSettings::connect("hss.ims.example", "ims.example", hss.to_string());
    let origin = Origin::new("scscf.ims.example", "ims.example");
    let mut node = peer::Settings::new(origin, vec![(TGPP, ApplicationId::CX)], vec![peer]);
    node.retry = Duration::from_millis(50);
    node.retry_most = node.retry;
    let (node, requests) = Diameter::start(node, None).await.unwrap();
    let name = "sip:scscf.ims.example".parse().unwrap();
    let cx = CxHss::new(node.clone(), requests, CxSettings::new("ims.example", name));
    assert!(timeout(SOON, node.until_up("hss.ims.example")).await.unwrap());
    (cx, node)
}

#[tokio::test]
async fn a_usim_that_was_provisioned_over_http_is_challenged_over_diameter() {
    let settings = settings("");
    let hss = Running::start(&settings).await.unwrap();
    let greeting = hss.greeting(&settings);
    for said in ["Diameter 127.0.0.1:", "HTTP     http://127.0.0.1:", "cscf.ims.example", "alice-secret"] {
        assert!(greeting.contains(said), "{greeting}");
    }
    assert_eq!(greeting.lines().count(), 9, "{greeting}");
    let body = json!({
        "public_identities": ["sip:carol@ims.example"],
        "authentication": { "scheme": "aka", "k": "01".repeat(16), "opc": "02".repeat(16) },
    });
    let put = "PUT /v1/subscribers/carol%40ims.example";
    let answer = http(hss.http_address(), put, &body.to_string()).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");

    let (cx, _node) = scscf(hss.diameter_address().unwrap()).await;
    let name = "sip:scscf.ims.example".parse().unwrap();
    let request = MultimediaAuthRequest::new(
        "carol@ims.example".parse().unwrap(),
        "sip:carol@ims.example".parse().unwrap(),
        name,
    );
    let MultimediaAuth::Aka(vectors) = cx.multimedia_auth(&request).await.unwrap() else { panic!("vectors") };
    let mut usim = Usim::new(AkaCredentials::new(Milenage::new(&[1; 16], &[2; 16]), [0x80, 0]));
    let UsimAnswer::Response { res, .. } = usim.authenticate(&vectors[0].rand, &vectors[0].autn) else {
        panic!("a genuine challenge")
    };
    assert_eq!(res, vectors[0].xres);
    // A card that is ahead says where it is, and the next vector is one that it takes (TS 33.102 §6.3.5).
    let mut usim = usim.with_seq(9_000);
    let UsimAnswer::SynchronisationFailure(auts) = usim.authenticate(&vectors[0].rand, &vectors[0].autn) else {
        panic!("a card that is ahead")
    };
    let mut again = request.clone();
    again.scheme = AuthScheme::Aka;
    again.resynchronisation = Some(Resynchronisation { rand: vectors[0].rand, auts });
    let MultimediaAuth::Aka(vectors) = cx.multimedia_auth(&again).await.unwrap() else { panic!("vectors") };
    assert!(matches!(usim.authenticate(&vectors[0].rand, &vectors[0].autn), UsimAnswer::Response { .. }));
    let metrics = http(hss.http_address(), "GET /metrics", "").await;
    for line in ["imscore_diameter_peer_up{peer=\"scscf.ims.example\"} 1", "imscore_diameter_connections 1"] {
        assert!(metrics.contains(line), "{metrics}");
    }
    timeout(SOON, hss.stop(Duration::from_secs(5))).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_core_asks_an_hss_elsewhere() {
    let hss = Running::start(&settings("")).await.unwrap();
    let mut elsewhere: Settings = of_core("");
    elsewhere.hss.mode = "diameter".into();
    elsewhere.hss.address = hss.diameter_address().unwrap();
    let core = Core::start(&elsewhere).await.unwrap();
    assert_eq!(core.demo(), []);
    let up =
        async || http(core.http_address(), "GET /metrics", "").await.contains("_peer_up{peer=\"hss.ims.example\"} 1");
    timeout(SOON, async {
        while !up().await {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let subscribers = http(core.http_address(), "GET /v1/subscribers", "").await;
    assert!(subscribers.starts_with("HTTP/1.1 404 "), "{subscribers}");
    timeout(SOON, core.stop(Duration::from_secs(5))).await.unwrap().unwrap();
}

/// The S-CSCF is told at its Diameter node, which only the store still knows: nothing was asked since the restart.
#[tokio::test]
async fn an_operators_decision_reaches_the_scscf_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path().to_str().unwrap());
    let hss = Running::start(&settings).await.unwrap();
    settings.diameter.listen = hss.diameter_address().unwrap();
    let (cx, node) = scscf(settings.diameter.listen).await;
    let (alice, identity) = ("alice@ims.example".parse().unwrap(), "sip:alice@ims.example");
    let name: ServerName = "sip:scscf.ims.example".parse().unwrap();
    let kind = AssignmentType::Registration;
    let request = ServerAssignmentRequest::new(alice, identity.parse().unwrap(), name.clone(), kind);
    cx.server_assignment(&request).await.unwrap();
    timeout(SOON, hss.stop(Duration::from_secs(5))).await.unwrap().unwrap();

    let mut events = cx.events();
    let hss = Running::start(&settings).await.unwrap();
    assert!(timeout(SOON, node.until_up("hss.ims.example")).await.unwrap());
    let ask = async |request: String, body: &str| http(hss.http_address(), &request, body).await;
    let registration = format!("/v1/registrations/{identity}");
    let shown = ask(format!("GET {registration}"), "").await;
    assert!(shown.contains("\"server_name\":\"sip:scscf.ims.example\",\"state\":\"registered\""), "{shown}");

    // The same profile with another password is nothing to the S-CSCF; a display name is.
    for name in [json!(identity), json!({ "identity": identity, "display_name": "Alice" })] {
        let body = json!({
            "public_identities": [name, "tel:+12015550101"],
            "authentication": { "scheme": "digest", "password": "otherwise" },
        });
        let put = ask("PUT /v1/subscribers/alice%40ims.example".into(), &body.to_string()).await;
        assert!(put.starts_with("HTTP/1.1 200 "), "{put}");
    }
    let Some(HssEvent::PushProfile(push)) = timeout(SOON, events.next()).await.unwrap() else { panic!("a push") };
    let entry = push.profile.as_ref().unwrap().identities().next().unwrap();
    assert_eq!(entry.extension.as_ref().unwrap().display_name.as_deref(), Some("Alice"));

    let ended = ask(format!("DELETE {registration}?reason=server-change"), "").await;
    assert!(ended.starts_with("HTTP/1.1 204 "), "{ended}");
    let Some(HssEvent::RegistrationTermination(end)) = timeout(SOON, events.next()).await.unwrap() else {
        panic!("a termination")
    };
    assert_eq!((end.private_identity.as_str(), end.reason), ("alice@ims.example", TerminationReason::ServerChange));
    // Nobody hears of the next one.
    let lost = async || ask("GET /metrics".into(), "").await.contains("\nimscore_hss_announcements_lost_total 1\n");
    assert!(!lost().await, "all were heard");
    cx.server_assignment(&request).await.unwrap();
    node.stop().await;
    ask(format!("DELETE {registration}"), "").await;
    timeout(SOON, async {
        while !lost().await {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    for (request, status) in [
        (format!("GET {registration}"), 404),
        (format!("DELETE {registration}"), 404),
        ("GET /v1/registrations/sip:nobody@ims.example".to_owned(), 404),
        ("GET /v1/registrations/nobody".to_owned(), 422),
        (format!("DELETE {registration}?reason=spite"), 400),
        (format!("PUT {registration}"), 405),
    ] {
        let answer = ask(request, "").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
    hss.stop(Duration::from_secs(5)).await.unwrap();
}
