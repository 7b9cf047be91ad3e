//! Provisioning, health and metrics, as a client of HTTP sees them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use imscore_cscf::Drain;
use imscore_examples::http::{Api, Limits, router, serve};
use imscore_examples::metrics::Metrics;
use imscore_hss::{Credentials, DigestAlgorithm, DigestCredentials, Hss};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

const LIMITS: Limits = Limits { connections: 1, request: Duration::from_secs(5), body: 1_000 };

fn api() -> Api {
    let hss = Hss::with_subscribers([]).unwrap();
    let metrics = Metrics::default().with(|page| page.counter("calls_total", "Calls.", &[], 3));
    Api { hss, realm: "ims.example".into(), metrics: Arc::new(metrics), drain: Drain::default() }
}

struct Answer {
    status: StatusCode,
    content_type: String,
    allow: Option<String>,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// Checks that this is a problem document of that status, and gives its detail.
    #[track_caller]
    fn problem(&self, status: StatusCode) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.content_type, "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status.as_u16());
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["title"], status.canonical_reason().unwrap());
        problem["detail"].as_str().unwrap().to_owned()
    }
}

async fn ask(api: &Api, method: &str, path: &str, body: impl ToString) -> Answer {
    let request = Request::builder().method(method).uri(path).body(Body::from(body.to_string())).unwrap();
    let response = router(api.clone(), LIMITS).oneshot(request).await.unwrap();
    let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, content_type, allow) = (response.status(), header(header::CONTENT_TYPE), header(header::ALLOW));
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answer { status, content_type: content_type.unwrap_or_default(), allow, body }
}

fn subscriber(public_identities: &[&str]) -> Value {
    json!({
        "public_identities": public_identities,
        "authentication": { "scheme": "digest", "password": "wonderland" },
    })
}

const ALICE: &str = "/v1/subscribers/alice%40ims.example";

#[tokio::test]
async fn a_subscriber_is_created_replaced_shown_and_deleted() {
    let api = api();
    assert_eq!(ask(&api, "PUT", ALICE, subscriber(&["sip:alice@ims.example"])).await.status, StatusCode::CREATED);
    let identities = ["sip:alice@ims.example", "tel:+12015550123"];
    assert_eq!(ask(&api, "PUT", ALICE, subscriber(&identities)).await.status, StatusCode::OK);

    let shown = ask(&api, "GET", ALICE, "").await;
    assert_eq!(shown.status, StatusCode::OK);
    assert_eq!(
        shown.json(),
        json!({
            "private_identity": "alice@ims.example",
            "public_identities": identities,
            "authentication": { "scheme": "digest", "realm": "ims.example", "algorithms": ["SHA-256", "MD5"] },
        })
    );

    let deleted = ask(&api, "DELETE", ALICE, "").await;
    assert_eq!((deleted.status, deleted.body.as_str()), (StatusCode::NO_CONTENT, ""));
    for method in ["GET", "DELETE"] {
        let detail = ask(&api, method, ALICE, "").await.problem(StatusCode::NOT_FOUND);
        assert!(detail.contains("alice@ims.example"), "{detail}");
    }
}

#[tokio::test]
async fn the_hss_has_what_was_provisioned_and_nobody_else_sees_the_secret() {
    let api = api();
    let put = ask(&api, "PUT", ALICE, subscriber(&["sip:alice@ims.example"])).await;
    let listed = ask(&api, "GET", "/v1/subscribers", "").await;
    let shown = ask(&api, "GET", ALICE, "").await;

    let alice = "alice@ims.example".parse().unwrap();
    let expected = DigestCredentials::from_password(&alice, "ims.example", "wonderland").unwrap();
    let kept = api.hss.get(&alice).await.unwrap().unwrap();
    assert_eq!(kept.credentials(), &Credentials::Digest(expected.clone()));
    for body in [put.body, listed.body, shown.body] {
        assert!(body.contains("alice@ims.example"), "{body}");
        let secrets = [DigestAlgorithm::Md5, DigestAlgorithm::Sha256].map(|it| expected.ha1(it).unwrap().as_hex());
        assert!(!secrets.iter().any(|secret| body.contains(secret)) && !body.contains("wonderland"), "{body}");
    }
}

#[tokio::test]
async fn an_identity_of_somebody_else_is_a_conflict() {
    let api = api();
    ask(&api, "PUT", ALICE, subscriber(&["sip:alice@ims.example"])).await;
    let bob = ask(&api, "PUT", "/v1/subscribers/bob%40ims.example", subscriber(&["sip:alice@IMS.example:5060"])).await;
    let detail = bob.problem(StatusCode::CONFLICT);
    assert!(detail.contains("sip:alice@ims.example") && detail.contains("belongs to alice@ims.example"), "{detail}");
}

#[tokio::test]
async fn what_cannot_be_provisioned_says_why() {
    let api = api();
    let secret = json!({ "scheme": "digest", "password": "wonderland" });
    let alice = json!(["sip:alice@ims.example"]);
    for (body, cause) in [
        (subscriber(&[]), "public_identities: a subscription needs a public identity"),
        (subscriber(&["alice@ims.example"]), "\"alice@ims.example\": a public identity is"),
        (subscriber(&["sips:alice@ims.example"]), "\"sips:alice@ims.example\": a public identity is a sip: or a tel:"),
        (subscriber(&["sip:ims.example"]), "needs a user part"),
        (subscriber(&["tel:0123"]), "phone-context"),
        (subscriber(&["sip:a@b", "sip:a@B"]), "sip:a@b is named twice"),
        (subscriber(&["sip:a@b"; 65]), "at most 64"),
        (json!({ "public_identities": alice }), "missing field `authentication`"),
        (json!({ "authentication": secret }), "missing field `public_identities`"),
        (json!({ "public_identities": alice, "authentication": { "scheme": "aka" } }), "authentication"),
        (json!({ "public_identities": alice, "authentication": { "scheme": "digest" } }), "authentication: missing"),
        (json!({ "public_identities": alice, "authentication": secret, "barred": true }), "unknown field `barred`"),
        (json!({ "public_identities": alice, "authentication": { "scheme": "digest", "password": "" } }), "password"),
        (json!([]), "this is not a subscriber: public_identities and authentication"),
    ] {
        let detail = ask(&api, "PUT", ALICE, &body).await.problem(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(detail.contains(cause), "{body}: {detail}");
    }
    for body in ["", "{", "{} {}", "\u{0}", "nonsense"] {
        let problem = ask(&api, "PUT", ALICE, body).await;
        problem.problem(if body == "{} {}" { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST });
    }
    let trailing = format!("{} {{}}", subscriber(&["sip:alice@ims.example"]));
    ask(&api, "PUT", ALICE, trailing).await.problem(StatusCode::BAD_REQUEST);
    assert!(api.hss.list(1, None).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_error_does_not_repeat_what_may_be_a_password() {
    let api = api();
    for authentication in [json!("wonderland"), json!({ "scheme": "digest", "password": ["wonderland"] })] {
        let body = json!({ "public_identities": ["sip:alice@ims.example"], "authentication": authentication });
        let detail = ask(&api, "PUT", ALICE, body).await.problem(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(detail.starts_with("authentication") && !detail.contains("wonderland"), "{detail}");
    }
}

#[tokio::test]
async fn private_identities_have_a_user_and_a_realm() {
    let api = api();
    for name in ["alice", "%40ims.example", "alice%40", "a%3Ab%40ims.example", "a%40b%40c", "a%20b%40c", "a%0D%0Ab%40c"]
    {
        let path = format!("/v1/subscribers/{name}");
        let detail = ask(&api, "PUT", &path, subscriber(&["sip:a@b"])).await.problem(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(detail.starts_with("private identity"), "{detail}");
    }
    let long = format!("/v1/subscribers/{}%40ims.example", "a".repeat(253));
    ask(&api, "GET", &long, "").await.problem(StatusCode::UNPROCESSABLE_ENTITY);
    ask(&api, "GET", "/v1/subscribers/%FF%40ims.example", "").await.problem(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let api = api();
    for user in ["carol", "alice", "bob"] {
        let identity = format!("sip:{user}@ims.example");
        let path = format!("/v1/subscribers/{user}%40ims.example");
        assert_eq!(ask(&api, "PUT", &path, subscriber(&[&identity])).await.status, StatusCode::CREATED);
    }
    let names = |page: &Value| -> Vec<String> {
        let subscribers = page["subscribers"].as_array().unwrap();
        subscribers.iter().map(|it| it["private_identity"].as_str().unwrap().to_owned()).collect()
    };
    let first = ask(&api, "GET", "/v1/subscribers?limit=2", "").await.json();
    assert_eq!(names(&first), ["alice@ims.example", "bob@ims.example"]);
    assert_eq!(first["next"], "bob@ims.example");
    let last = ask(&api, "GET", "/v1/subscribers?limit=2&after=bob%40ims.example", "").await.json();
    assert_eq!(names(&last), ["carol@ims.example"]);
    assert_eq!(last["next"], Value::Null);
    assert_eq!(names(&ask(&api, "GET", "/v1/subscribers", "").await.json()).len(), 3);

    for query in ["limit=0", "limit=1001", "limit=all", "after=%20", "page=2"] {
        ask(&api, "GET", &format!("/v1/subscribers?{query}"), "").await.problem(StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn every_error_is_a_problem_document() {
    let api = api();
    ask(&api, "GET", "/v2/subscribers", "").await.problem(StatusCode::NOT_FOUND);
    ask(&api, "GET", "/v1/subscribers/a%40b/more", "").await.problem(StatusCode::NOT_FOUND);
    let refused = ask(&api, "POST", ALICE, "").await;
    refused.problem(StatusCode::METHOD_NOT_ALLOWED);
    let allowed = refused.allow.unwrap_or_default();
    assert!(["GET", "PUT", "DELETE"].iter().all(|method| allowed.contains(method)), "{allowed}");
    for length in [1_001, 100_000] {
        let detail = ask(&api, "PUT", ALICE, " ".repeat(length)).await.problem(StatusCode::PAYLOAD_TOO_LARGE);
        assert!(detail.contains("1000 bytes"), "{detail}");
    }
    // One byte less is read, and found to be no JSON.
    ask(&api, "PUT", ALICE, " ".repeat(1_000)).await.problem(StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up() {
    let body = Body::new(NeverEnding);
    let request = Request::builder().method("PUT").uri(ALICE).body(body).unwrap();
    let response = router(api(), LIMITS).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
}

/// One connection at a time, and it is taken by somebody who says nothing.
#[tokio::test]
async fn a_connection_without_a_request_is_closed_and_makes_room() {
    let limits = Limits { request: Duration::from_millis(50), ..LIMITS };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, router(api(), limits), limits, async { drop(stopped.await) }));

    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut waiting = TcpStream::connect(address).await.unwrap();
    waiting.write_all(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let mut nothing = Vec::new();
    silent.read_to_end(&mut nothing).await.unwrap();
    assert_eq!(nothing, b"");
    let mut answer = [0; 15];
    waiting.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");

    drop(stop);
    server.await.unwrap();
    let mut rest = Vec::new();
    waiting.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "it listens no longer");
}

struct NeverEnding;

impl axum::body::HttpBody for NeverEnding {
    type Data = axum::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn health_says_when_the_core_drains() {
    let api = api();
    let well = ask(&api, "GET", "/health", "").await;
    assert_eq!((well.status, well.json()), (StatusCode::OK, json!({ "status": "ok" })));
    api.drain.start();
    ask(&api, "GET", "/health", "").await.problem(StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn metrics_are_text_for_prometheus() {
    let answer = ask(&api(), "GET", "/metrics", "").await;
    assert_eq!(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(answer.body, "# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total 3\n");
}
