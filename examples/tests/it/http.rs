//! Provisioning, health and metrics, as a client of HTTP sees them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use imscore_cscf::Drain;
use imscore_examples::http::{Limits, Operations, Provisioning, Token, router, serve};
use imscore_examples::metrics::Metrics;
use imscore_hss::vector::{AkaCredentials, AuthenticationFunctions, Milenage, Secret, Tuak, TuakSettings};
use imscore_hss::{Credentials, DigestAlgorithm, DigestCredentials, Hss};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

const LIMITS: Limits = Limits { connections: 1, request: Duration::from_secs(5), body: 1_000 };

struct Api {
    hss: Hss,
    token: Option<Token>,
    drain: Drain,
}

impl Api {
    fn router(&self, limits: Limits) -> Router {
        let metrics = Metrics::default().with(|page| page.counter("calls_total", "Calls.", &[], 3));
        let operations = Operations { metrics: Arc::new(metrics), diameter: None, drain: self.drain.clone() };
        let (hss, token) = (self.hss.clone(), self.token.clone());
        router(operations, Some(Provisioning { hss, realm: "ims.example".into(), token }), limits)
    }
}

fn api() -> Api {
    Api { hss: Hss::with_subscribers([], [0; 32]).unwrap(), token: None, drain: Drain::default() }
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
    let response = api.router(LIMITS).oneshot(request).await.unwrap();
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
        let secrets = [DigestAlgorithm::Md5, DigestAlgorithm::Sha256].map(|it| expected.ha1(it).unwrap().to_hex());
        assert!(!secrets.iter().any(|secret| body.contains(secret.as_str())) && !body.contains("wonderland"), "{body}");
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

/// TS 23.228 §4.3.3.4: the phones of one subscriber, each with a private identity and a password of its own.
#[tokio::test]
async fn a_subscription_is_shared() {
    let api = api();
    let path = |user: &str| format!("/v1/subscribers/{user}%40ims.example");
    let share = |with: &str| {
        let authentication = json!({ "scheme": "digest", "password": "wonderland" });
        json!({ "subscription_of": format!("{with}@ims.example"), "authentication": authentication })
    };
    let detail = ask(&api, "PUT", &path("tablet"), share("alice")).await.problem(StatusCode::CONFLICT);
    assert!(detail.contains("no subscription of alice@ims.example"), "{detail}");
    ask(&api, "PUT", ALICE, subscriber(&["sip:alice@ims.example", "tel:+1"])).await;
    let put = ask(&api, "PUT", &path("tablet"), share("alice")).await;
    assert_eq!(put.status, StatusCode::CREATED, "{}", put.body);
    let of_digest = json!({ "scheme": "digest", "realm": "ims.example", "algorithms": ["SHA-256", "MD5"] });
    let tablet = json!({
        "private_identity": "tablet@ims.example", "subscription_of": "alice@ims.example", "authentication": of_digest,
    });
    assert_eq!((put.json(), ask(&api, "GET", &path("tablet"), "").await.json()), (tablet.clone(), tablet.clone()));
    assert_eq!(ask(&api, "PUT", &path("watch"), share("tablet")).await.status, StatusCode::CREATED);
    assert_eq!(ask(&api, "PUT", &path("watch"), share("tablet")).await.status, StatusCode::OK);
    let alice = json!({
        "private_identity": "alice@ims.example", "shared_by": ["tablet@ims.example", "watch@ims.example"],
        "public_identities": ["sip:alice@ims.example", "tel:+1"], "authentication": of_digest,
    });
    let listed = ask(&api, "GET", "/v1/subscribers?limit=2", "").await.json();
    assert_eq!(listed, json!({ "subscribers": [alice, tablet], "next": "tablet@ims.example" }));

    // Strangers are strangers, and whoever shares may not take.
    for user in ["bob", "tablet"] {
        let detail = ask(&api, "PUT", &path(user), subscriber(&["tel:+1"])).await.problem(StatusCode::CONFLICT);
        assert!(detail.contains("tel:+1 belongs to alice@ims.example"), "{detail}");
    }
    let own = ask(&api, "PUT", ALICE, share("alice")).await.problem(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(own.contains("subscription_of: it is the private identity itself"), "{own}");
    for more in ["charging", "capabilities", "public_identities", "roaming", "unregistered_services"] {
        let mut body = share("alice");
        body[more] = match more {
            "unregistered_services" => json!(false),
            "charging" | "capabilities" => json!({}),
            _ => json!([]),
        };
        let detail = ask(&api, "PUT", &path("tablet"), body).await.problem(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(detail.contains("only authentication goes with it"), "{more}: {detail}");
    }

    // One of several goes; the first one leaves the rest to the next.
    assert_eq!(ask(&api, "DELETE", &path("watch"), "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(ask(&api, "DELETE", ALICE, "").await.status, StatusCode::NO_CONTENT);
    let tablet = ask(&api, "GET", &path("tablet"), "").await.json();
    assert_eq!(tablet["public_identities"], json!(["sip:alice@ims.example", "tel:+1"]));
    assert_eq!((tablet.get("subscription_of"), tablet.get("shared_by")), (None, None));
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
        (json!({ "authentication": secret }), "public_identities: it takes them, or service_profiles, or user_data"),
        (json!({ "public_identities": alice, "authentication": { "scheme": "aka" } }), "authentication"),
        (
            json!({ "public_identities": alice, "authentication": { "scheme": "digest" } }),
            "digest takes a password, or",
        ),
        (json!({ "public_identities": alice, "authentication": secret, "barred": true }), "unknown field `barred`"),
        (json!({ "public_identities": alice, "authentication": { "scheme": "digest", "password": "" } }), "password"),
        (json!([]), "this is not a subscriber: public_identities and authentication"),
        (json!({ "public_identities": [7], "authentication": secret }), "public_identities[0]: "),
        (json!({ "service_profiles": [], "authentication": secret }), "a subscription needs a public identity"),
        (json!({ "user_data": "<x/>", "authentication": secret }), "user_data: not an IMSSubscription"),
        (json!({ "user_data": XML.replace("alice@", "bob@"), "authentication": secret }), "PrivateID is another one"),
        (json!({ "user_data": XML.replace("Priority", "Precedence"), "authentication": secret }), "are unknown or"),
        (json!({ "user_data": XML, "public_identities": alice, "authentication": secret }), "one of these"),
        (json!({ "public_identities": alice, "authentication": secret, "charging": { "event": ["ims"] } }), "charging"),
        (json!({ "public_identities": alice, "authentication": secret, "roaming": [""] }), "roaming: a name has"),
        (json!({ "public_identities": alice, "authentication": secret, "private_identity": "b@c" }), "not that of the"),
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

const XML: &str = "<IMSSubscription><PrivateID>alice@ims.example</PrivateID><ServiceProfile><PublicIdentity>\
    <Identity>sip:alice@ims.example</Identity></PublicIdentity><InitialFilterCriteria><Priority>7</Priority>\
    <ApplicationServer><ServerName>sip:as.ims.example</ServerName></ApplicationServer></InitialFilterCriteria>\
    </ServiceProfile></IMSSubscription>";

#[tokio::test]
async fn a_profile_comes_as_xml_or_as_json_and_is_shown_as_json() {
    let api = api();
    let secret = json!({ "scheme": "digest", "password": "wonderland" });
    let put = ask(&api, "PUT", ALICE, json!({ "user_data": XML, "authentication": secret })).await;
    assert_eq!(put.status, StatusCode::CREATED, "{}", put.body);
    let profiles = put.json()["service_profiles"].clone();
    assert_eq!(profiles[0]["filter_criteria"][0]["priority"], 7);
    assert_eq!(profiles[0]["filter_criteria"][0]["application_server"]["server_name"], "sip:as.ims.example");
    let kept = api.hss.get(&"alice@ims.example".parse().unwrap()).await.unwrap().unwrap();
    let again = ask(&api, "PUT", ALICE, json!({ "service_profiles": profiles, "authentication": secret })).await;
    assert_eq!((again.status, again.json()), (StatusCode::OK, put.json()));
    assert_eq!(api.hss.get(kept.private_identity()).await.unwrap(), Some(kept));
}

#[tokio::test]
async fn whatever_a_subscription_has_is_provisioned_and_shown() {
    let api = api();
    let body = json!({
        "private_identity": "alice@ims.example",
        "public_identities": [
            { "identity": "sip:temporary@ims.example", "barred": true },
            { "identity": "sip:alice@ims.example", "barred": false, "display_name": "Alice" },
            "tel:+12015550123",
        ],
        "charging": { "collection": ["aaa://ccf.ims.example"], "event": [] },
        "capabilities": { "mandatory": [1], "optional": [2], "server_names": ["sip:scscf.ims.example"] },
        "roaming": ["ims.example"],
        "unregistered_services": true,
        "authentication": { "scheme": "digest", "realm": "other.example", "md5": "0123456789abcdef".repeat(2) },
    });
    assert_eq!(ask(&api, "PUT", ALICE, &body).await.status, StatusCode::CREATED);
    let mut shown = body.clone();
    shown["authentication"] = json!({ "scheme": "digest", "realm": "other.example", "algorithms": ["MD5"] });
    assert_eq!(ask(&api, "GET", ALICE, "").await.json(), shown);
    let kept = api.hss.get(&"alice@ims.example".parse().unwrap()).await.unwrap().unwrap();
    assert!(kept.profile().service_profiles[0].identities[0].barred);
}

/// Each kind of key makes the credentials that it stands for, and no part of it comes back.
#[tokio::test]
async fn keys_of_aka_go_in_and_never_come_out() {
    let api = api();
    let (k, k_of_tuak, operator, long) = ([1; 16], [2; 32], [3; 16], [4; 32]);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let settings = TuakSettings { response: 16, iterations: 2 };
    let tuak = |make: fn(Secret, &[u8; 32], TuakSettings) -> Option<Tuak>, settings| {
        AuthenticationFunctions::from(make(Secret::from(&k_of_tuak), &long, settings).unwrap())
    };
    let (k, k_of_tuak) = (k, hex(&k_of_tuak));
    for (keys, functions, amf) in [
        (json!({ "k": hex(&k), "opc": hex(&operator), "amf": "b9b9" }), Milenage::new(&k, &operator).into(), [0xb9; 2]),
        (json!({ "k": hex(&k), "op": hex(&operator) }), Milenage::from_op(&k, &operator).into(), [0x80, 0]),
        (json!({ "k": k_of_tuak, "topc": hex(&long) }), tuak(Tuak::new, TuakSettings::default()), [0x80, 0]),
        (
            json!({ "k": k_of_tuak, "top": hex(&long), "response": 16, "iterations": 2 }),
            tuak(Tuak::from_top, settings),
            [0x80, 0],
        ),
    ] {
        let mut authentication = keys.clone();
        authentication["scheme"] = "aka".into();
        let body = json!({ "public_identities": ["sip:alice@ims.example"], "authentication": authentication });
        let put = ask(&api, "PUT", ALICE, &body).await;
        let kept = api.hss.get(&"alice@ims.example".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(kept.credentials(), &Credentials::Aka(AkaCredentials::new(functions, amf)), "{keys}");
        for shown in
            [put.body, ask(&api, "GET", ALICE, "").await.body, ask(&api, "GET", "/v1/subscribers", "").await.body]
        {
            assert!(shown.contains("\"scheme\":\"aka\""), "{shown}");
            let shown = shown.to_lowercase();
            let secrets = ["01010101", "02020202", "03030303", "04040404"];
            assert!(!secrets.iter().any(|secret| shown.contains(secret)), "{shown}");
        }
    }
    for (keys, cause) in [
        (json!({ "opc": hex(&operator) }), "missing field `k`"),
        (json!({ "k": hex(&k) }), "aka takes one of opc, op, topc and top"),
        (json!({ "k": hex(&k), "opc": hex(&operator), "op": hex(&operator) }), "aka takes one of"),
        (json!({ "k": "0102", "opc": hex(&operator) }), "authentication.k: of Milenage it has 32 digits"),
        (json!({ "k": hex(&k), "opc": "01" }), "authentication.opc: it has 32 digits"),
        (json!({ "k": hex(&k), "opc": "x".repeat(32) }), "authentication.opc: this is not up to 64 hexadecimal"),
        (json!({ "k": hex(&k), "opc": hex(&operator), "amf": "80" }), "authentication.amf: it has 4 digits"),
        (json!({ "k": hex(&k), "topc": hex(&operator) }), "authentication.topc: it has 64 digits"),
        (json!({ "k": hex(&k), "topc": hex(&long), "response": 5 }), "response is 4, 8 or 16"),
    ] {
        let mut authentication = keys;
        authentication["scheme"] = "aka".into();
        let body = json!({ "public_identities": ["sip:alice@ims.example"], "authentication": authentication });
        let detail = ask(&api, "PUT", ALICE, &body).await.problem(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(detail.contains(cause) && !detail.contains("0101"), "{body}: {detail}");
    }
}

#[tokio::test]
async fn many_come_in_one_request_longer_than_a_body_may_be() {
    let api = api();
    let mut lines: Vec<_> = (0..100)
        .map(|n| {
            let mut subscriber = subscriber(&[&format!("tel:+{n}")]);
            subscriber["private_identity"] = format!("user{n}@ims.example").into();
            subscriber.to_string()
        })
        .collect();
    lines[41] = "wonderland".into();
    let body = lines.join("\n");
    assert!(body.len() > LIMITS.body);
    let answer = ask(&api, "POST", "/v1/subscribers:import", body).await;
    assert_eq!((answer.status, answer.content_type.as_str()), (StatusCode::OK, "application/json"));
    let report = answer.json();
    assert_eq!(report["created"], 99);
    assert_eq!(report["errors"], json!([{ "line": 42, "detail": "the body is no JSON document: line 1, column 1" }]));
    assert_eq!(api.hss.list(1_000, None).await.unwrap().len(), 99);
    let head = ask(&api, "POST", "/v1/subscribers:import", "name\n").await;
    head.problem(StatusCode::UNPROCESSABLE_ENTITY);
    ask(&api, "GET", "/v1/subscribers:import", "").await.problem(StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn provisioning_takes_the_token_where_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let file = file.to_str().unwrap();
    for (text, fits) in [("fifteen-signs..", false), ("sixteen.signs...\n", true), ("sixteen signs...", false)] {
        std::fs::write(file, text).unwrap();
        assert_eq!(Token::read(file).is_ok(), fits, "{text}");
    }
    assert!(Token::read("/nonexistent").unwrap_err().to_string().contains("/nonexistent"));
    assert!(Token::read("").unwrap().is_none());
    std::fs::write(file, "sixteen.signs...").unwrap();
    let api = Api { token: Token::read(file).unwrap(), ..api() };
    assert_eq!(format!("{:?}", api.token), "Some(Token)");
    let status = async |path: &str, shown: Option<&str>| {
        let mut request = Request::builder().method("GET").uri(path);
        if let Some(shown) = shown {
            request = request.header(header::AUTHORIZATION, shown);
        }
        let response = api.router(LIMITS).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let asks = response.headers().get(header::WWW_AUTHENTICATE).is_some_and(|scheme| scheme == "Bearer");
        assert_eq!(asks, response.status() == StatusCode::UNAUTHORIZED);
        response.status()
    };
    for shown in [Some("Bearer sixteen.signs..."), Some("bearer  sixteen.signs...")] {
        assert_eq!(status("/v1/subscribers", shown).await, StatusCode::OK, "{shown:?}");
    }
    for shown in [
        None,
        Some("Bearer sixteen.signs.."),
        Some("Bearer sixteen.signs...."),
        Some("Bearer sixteen.signs..,"),
        Some("Bearer"),
        Some("Basic sixteen.signs..."),
        Some("sixteen.signs..."),
    ] {
        assert_eq!(status("/v1/subscribers", shown).await, StatusCode::UNAUTHORIZED, "{shown:?}");
        assert_eq!(status(ALICE, shown).await, StatusCode::UNAUTHORIZED, "{shown:?}");
    }
    assert_eq!(status("/health", None).await, StatusCode::OK);
    ask(&api, "GET", "/v1/subscribers", "").await.problem(StatusCode::UNAUTHORIZED);
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
    let response = api().router(LIMITS).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
}

/// One connection at a time, and it is taken by somebody who says nothing.
#[tokio::test]
async fn a_connection_without_a_request_is_closed_and_makes_room() {
    let limits = Limits { request: Duration::from_millis(50), ..LIMITS };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, api().router(limits), limits, async { drop(stopped.await) }));

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
