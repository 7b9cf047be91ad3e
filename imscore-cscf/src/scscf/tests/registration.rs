//! REGISTER: challenge, answer, bindings.

use imscore_hss::testing::{Command, Fault};
use imscore_hss::{ChargingAddresses, HssError, Refusal};
use imscore_sip::StatusCode;
use imscore_sip::auth::Algorithm;

use super::*;

#[track_caller]
fn is_challenge(response: &Response, stale: bool) {
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let challenge: WwwAuthenticate = response.headers.first().unwrap();
    assert_eq!(challenge.param("stale").is_some(), stale, "{challenge}");
}

/// TS 24.229 §5.4.1.2.1B.
#[test]
fn a_register_without_credentials_is_challenged() {
    let mut bench = Bench::new();
    let mut phone = Phone::new("alice");
    let first = phone.register(&mut bench, CONTACT);
    is_challenge(&first, false);
    let challenge: WwwAuthenticate = first.headers.first().unwrap();
    let param = |name| challenge.param(name).unwrap().into_owned();
    assert_eq!((param("realm"), param("algorithm"), param("qop")), ("ims.example".into(), "MD5".into(), "auth".into()));
    assert_eq!(param("nonce").len(), 32);
    let second = Phone::new("alice").register(&mut bench, CONTACT);
    assert_ne!(values(&first, "WWW-Authenticate"), values(&second, "WWW-Authenticate"));

    // What an IMS phone sends first (TS 24.229 §5.1.1.2.3).
    let empty = format!(
        "{CONTACT}\nAuthorization: Digest username=\"alice@ims.example\", realm=\"ims.example\", nonce=\"\", uri=\"sip:ims.example\", response=\"\""
    );
    is_challenge(&Phone::new("alice").register(&mut bench, &empty), false);
}

/// TS 24.229 §5.4.1.2.2F, RFC 3261 §10.3 step 8.
#[test]
fn a_right_answer_registers_the_phone() {
    let mut bench = Bench::new();
    let charging = ChargingAddresses::new(["aaa://ccf".to_string()], ["aaa://ecf".to_string()]);
    bench.put(subscription("alice", "+12015550101").with_charging(charging));
    let mut phone = Phone::new("alice");
    phone.register(&mut bench, CONTACT);
    let response =
        phone.register(&mut bench, "Contact: \"A\" <sip:a@192.0.2.1;ob>;q=0.5;expires=600;+x, <sip:b@192.0.2.1>");
    assert_eq!(response.status(), StatusCode::OK);
    let check = |name, expected: &[&str]| assert_eq!(values(&response, name), expected, "{name}");
    check("Contact", &["\"A\" <sip:a@192.0.2.1;ob>;q=0.5;+x;expires=600", "<sip:b@192.0.2.1>;expires=3600"]);
    check("Path", &["<sip:token@pcscf.ims.example;lr;ob>"]);
    check("Service-Route", &["<sip:scscf.ims.example;lr;orig>"]);
    check("P-Associated-URI", &["<sip:alice@ims.example>", "<tel:+12015550101>"]);
    check("P-Charging-Function-Addresses", &["ccf=\"aaa://ccf\";ecf=\"aaa://ecf\""]);
    check("Supported", &["path", "outbound"]);
    check("Require", &[]);
    assert_eq!(bench.assignments(), [AssignmentType::Registration]);
}

#[test]
fn a_wrong_password_is_refused() {
    let mut bench = Bench::new();
    let mut phone = Phone::new("alice").password("guess");
    phone.register(&mut bench, CONTACT);
    assert_eq!(phone.register(&mut bench, CONTACT).status(), StatusCode::FORBIDDEN);
    assert_eq!(bench.assignments(), [AssignmentType::AuthenticationFailure]);
    // One guess for each challenge.
    let mut right = Phone { login: Phone::new("alice").login, ..phone.clone() };
    is_challenge(&right.register(&mut bench, CONTACT), true);

    bench.hss.fail_always(Fault::Silence);
    let mut again = phone.clone();
    again.challenge = right.challenge.clone();
    again.nonce_count = 0;
    assert_eq!(again.register(&mut bench, CONTACT).status(), StatusCode::FORBIDDEN, "whether the HSS hears or not");
}

/// I2, I4, I5: nothing but an answer to this very challenge, as it was asked, proves anything.
#[test]
fn what_proves_nothing() {
    let mut bench = Bench::new();
    let authorization = |value: &str| format!("{CONTACT}\nAuthorization: {value}");
    for value in [
        "Digest username=\"alice@ims.example\", realm=\"ims.example\", nonce=\"\", uri=\"sip:ims.example\", response=\"\", integrity-protected=yes",
        "Digest username=\"alice@ims.example\", realm=\"ims.example\", nonce=\"n\", uri=\"sip:ims.example\", response=\"00\", integrity-protected=tls-yes",
        "Basic YWxpY2VAaW1zLmV4YW1wbGU6c2VjcmV0",
    ] {
        is_challenge(&Phone::new("alice").register(&mut bench, &authorization(value)), false);
    }
    assert_eq!(bench.assignments(), []);

    let mut phone = Phone::new("alice");
    phone.register(&mut bench, CONTACT);
    let mut other = phone.clone();
    let stronger = other.challenge.take().unwrap().without("algorithm").with("algorithm", "SHA-256");
    other.challenge = Some(stronger.into());
    is_challenge(&other.register(&mut bench, CONTACT), false);

    // Mallory answers for herself, in Alice's name.
    bench.put(subscription("mallory", "+12015550103"));
    let mut mallory = Phone::new("mallory");
    mallory.register(&mut bench, CONTACT);
    mallory.name = "alice".to_string();
    let stolen = mallory.request(CONTACT);
    assert_eq!(bench.send("", stolen).status(), 403);
    let Some(Question::MultimediaAuth(asked)) = bench.hss.asked().pop() else { panic!("no Multimedia-Auth") };
    assert_eq!(asked.private_identity.as_str(), "mallory@ims.example");
    assert_eq!(asked.public_identity.as_str(), "sip:alice@ims.example");
    assert_eq!(bench.assignments(), []);
}

/// I3.
#[test]
fn an_answer_is_good_once() {
    let mut bench = Bench::new();
    let mut phone = bench.registered("alice", CONTACT);
    let mut replay = phone.clone();
    replay.nonce_count -= 1;
    let captured = replay.request(CONTACT);
    let neighbour = bench.neighbour("scscf.ims.example");
    is_challenge(&bench.trial.request(&neighbour, "", captured).response(), true);

    // A refresh counts on, and needs no vector.
    let vectors = bench.asked(is_multimedia_auth);
    assert_eq!(phone.register(&mut bench, CONTACT).status(), StatusCode::OK);
    phone.nonce_count += 5;
    assert_eq!(phone.register(&mut bench, CONTACT).status(), StatusCode::OK);
    assert_eq!(bench.asked(is_multimedia_auth), vectors);
    phone.nonce_count -= 3;
    is_challenge(&phone.register(&mut bench, CONTACT), true);
    assert_eq!(bench.assignments()[1..], [AssignmentType::ReRegistration; 2]);
}

/// RFC 2069: a phone without `qop` has one answer for each nonce.
#[test]
fn a_phone_without_protection_answers_once() {
    let mut bench = Bench::new();
    let mut phone = Phone::new("alice");
    phone.register(&mut bench, CONTACT);
    let counting = phone.challenge.clone();
    phone.challenge = counting.as_ref().map(|challenge| challenge.without("qop").into());
    let (mut again, mut counted) = (phone.clone(), phone.clone());
    assert_eq!(phone.register(&mut bench, CONTACT).status(), StatusCode::OK);
    is_challenge(&again.register(&mut bench, CONTACT), true);
    (counted.challenge, counted.nonce_count) = (counting, 1);
    is_challenge(&counted.register(&mut bench, CONTACT), true);

    let mut phone = bench.registered("bob", CONTACT);
    let plain = phone.challenge.take().unwrap().without("qop");
    phone.challenge = Some(plain.into());
    is_challenge(&phone.register(&mut bench, CONTACT), true);
}

#[test]
fn a_challenge_grows_old() {
    let mut bench = Bench::new();
    let (mut right, mut wrong) = (Phone::new("alice"), Phone::new("alice").password("guess"));
    right.register(&mut bench, CONTACT);
    wrong.register(&mut bench, CONTACT);
    let mut late = right.clone();
    bench.trial.pass(Duration::from_secs(239));
    assert_eq!(right.register(&mut bench, CONTACT).status(), StatusCode::OK);
    bench.trial.pass(Duration::from_secs(1));
    // The user need not be asked for a password that was right.
    late.challenge = wrong.challenge.clone();
    is_challenge(&late.register(&mut bench, CONTACT), true);
    is_challenge(&wrong.register(&mut bench, CONTACT), false);

    bench.trial.pass(Duration::from_secs(7_198));
    assert_eq!(right.register(&mut bench, CONTACT).status(), StatusCode::OK);
    bench.trial.pass(Duration::from_secs(1));
    is_challenge(&right.register(&mut bench, CONTACT), true);
}

/// Any S-CSCF of a pool judges the answer to another one's challenge.
#[test]
fn challenges_are_everybodys() {
    let mut bench = Bench::new();
    let mut phone = Phone::new("alice");
    phone.register(&mut bench, CONTACT);
    let answer = phone.request(CONTACT);
    let same_name = bench.neighbour("scscf.ims.example");
    assert_eq!(bench.trial.request(&same_name, "", answer).status(), 200);
}

/// TS 29.228 §8.1: a challenge, and nothing else, takes a user from another S-CSCF.
#[test]
fn a_user_of_another_s_cscf_is_challenged_again() {
    let mut bench = Bench::new();
    let mut phone = bench.registered("alice", CONTACT);
    let neighbour = bench.neighbour("scscf2.ims.example");
    bench.scscf = neighbour;
    is_challenge(&phone.register(&mut bench, CONTACT), true);
    let response = phone.register(&mut bench, CONTACT);
    assert_eq!(values(&response, "Service-Route"), ["<sip:scscf2.ims.example;lr;orig>"]);
    assert_eq!(bench.found("sip:alice@ims.example").unwrap().server_name.as_str(), "sip:scscf2.ims.example");
}

/// D17: nobody is kept whom the HSS does not know, and a flood of one user's REGISTERs stays one record.
#[test]
fn challenges_are_bounded() {
    let mut bench = Bench::new();
    for name in ["carol", "dave"] {
        assert_eq!(Phone::new(name).register(&mut bench, CONTACT).status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(bench.store.inner.len(), 0);
    let mut phone = bench.registered("alice", CONTACT);
    let records = bench.store.inner.len();
    for _ in 0..100 {
        is_challenge(&Phone::new("alice").register(&mut bench, CONTACT), false);
    }
    assert_eq!(bench.store.inner.len(), records);
    let challenges = Key::new(Table::new("challenge"), "alice@ims.example");
    let store = bench.store.clone();
    let size = bench.trial.run(store.get(&challenges)).unwrap().unwrap().value.len();
    assert!(size < 1_000, "{size} bytes");
    assert_eq!(phone.register(&mut bench, CONTACT).status(), StatusCode::OK, "who was registered still is");
}

#[test]
fn several_algorithms() {
    let mut settings = Settings::new("scscf.ims.example", "icscf.ims.example");
    settings.algorithms = vec![Algorithm::Sha256, Algorithm::Md5];
    let mut bench = Bench::with(settings.clone());
    let response = Phone::new("alice").register(&mut bench, CONTACT);
    let offered: Vec<WwwAuthenticate> = response.headers.all().unwrap();
    let algorithms: Vec<_> = offered.iter().map(|challenge| challenge.param("algorithm").unwrap()).collect();
    assert_eq!(algorithms, ["SHA-256", "MD5"]);
    // One nonce for all, and one answer to it.
    for (challenge, status) in offered.into_iter().rev().zip([200, 401]) {
        let mut phone = Phone { challenge: Some(challenge), ..Phone::new("alice") };
        assert_eq!(phone.register(&mut bench, CONTACT).status().code(), status);
    }
    settings.algorithms = vec![Algorithm::Sha256Sess];
    let mut bench = Bench::with(settings);
    assert_eq!(Phone::new("alice").register(&mut bench, CONTACT).status(), StatusCode::FORBIDDEN);
}

/// No 403 for a network that is down, and no 401 without end.
#[test]
fn what_fails_behind_it() {
    for (fault, status) in [
        (Fault::Answer(HssError::Unknown), 403),
        (Fault::Answer(HssError::Forbidden(Refusal::IdentitiesDontMatch)), 403),
        (Fault::Answer(HssError::SchemeNotSupported), 403),
        (Fault::Answer(HssError::Busy { retry_after: Some(Duration::from_secs(9)) }), 500),
        (Fault::Answer(HssError::Unreachable), 504),
        (Fault::Silence, 504),
    ] {
        let mut bench = Bench::new();
        let mut phone = Phone::new("alice");
        bench.hss.fail_next(Command::MultimediaAuth, fault.clone());
        let response = phone.register(&mut bench, CONTACT);
        assert_eq!(response.status().code(), status, "{fault:?}");
        assert_eq!(response.headers.raw("Retry-After").is_some(), status == 500, "{fault:?}");

        phone.register(&mut bench, CONTACT);
        bench.hss.fail_next(Command::ServerAssignment, fault.clone());
        assert_eq!(phone.register(&mut bench, CONTACT).status().code(), status, "{fault:?}");
    }
    for step in 0..2 {
        let mut bench = Bench::new();
        let mut phone = Phone::new("alice");
        if step > 0 {
            phone.register(&mut bench, CONTACT);
        }
        bench.store.is_down.store(true, Ordering::Relaxed);
        assert_eq!(phone.register(&mut bench, CONTACT).status(), StatusCode::SERVER_TIMEOUT);
    }
}

#[test]
fn what_is_refused_before_anybody_is_asked() {
    for (lines, status) in [
        ("Contact: *", 400),
        ("Contact: <sip:a@192.0.2.1>;expires=59", 423),
        ("Contact: <tel:+1>", 400),
        ("Contact: <sip:bob@ims.example>", 403),
        ("Contact: <sip:x@SCSCF.ims.example:5054>", 403),
        ("Contact: <sip:icscf.ims.example>", 403),
        ("Contact: <sip:x@192.0.2.100>", 403),
        ("Contact: <sip:x@192.0.2.101:5054>", 403),
        ("Contact: <sip:x@192.0.2.101>", 401),
        ("Contact: <sip:bob@ims.example>;expires=0", 401),
    ] {
        let mut settings = Settings::new("scscf.ims.example", "icscf.ims.example");
        settings.core = vec!["192.0.2.100".into(), "192.0.2.101:5054".into()];
        let mut bench = Bench::with(settings);
        let response = Phone::new("alice").register(&mut bench, lines);
        assert_eq!(response.status().code(), status, "{lines}");
        assert_eq!(bench.hss.asked().is_empty(), status != 401, "{lines}");
    }
    let mut bench = Bench::new();
    let response = Phone::new("alice").register(&mut bench, "Contact: <sip:a@192.0.2.1>;expires=1");
    assert_eq!(values(&response, "Min-Expires"), ["60"]);
}

/// I6.
#[test]
fn too_many_phones() {
    let mut bench = Bench::new();
    let contacts: Vec<String> = (0..10).map(|n| format!("<sip:a@192.0.2.{n}>")).collect();
    let mut phone = bench.registered("alice", &format!("Contact: {}", contacts.join(",")));
    assert_eq!(phone.register(&mut bench, "Contact: <sip:a@192.0.2.10>").status(), StatusCode::FORBIDDEN);
    let response = phone.register(&mut bench, "");
    assert_eq!(values(&response, "Contact").len(), 10);
}

#[test]
fn a_refresh_finds_a_new_profile() {
    let mut bench = Bench::new();
    let mut phone = bench.registered("alice", CONTACT);
    bench.put(subscription("alice", "+12015550199"));
    let response = phone.register(&mut bench, CONTACT);
    assert_eq!(values(&response, "P-Associated-URI"), ["<sip:alice@ims.example>", "<tel:+12015550199>"]);
    assert!(bench.found("tel:+12015550199").is_some() && bench.found("tel:+12015550101").is_none());
}

#[test]
fn a_late_register_is_refused() {
    let mut bench = Bench::new();
    let mut phone = bench.registered("alice", CONTACT);
    phone.cseq -= 1;
    assert_eq!(phone.register(&mut bench, CONTACT).status(), StatusCode::SERVER_INTERNAL_ERROR);
}

#[test]
fn a_phone_asks_for_its_bindings() {
    let mut bench = Bench::new();
    let mut stranger = Phone::new("bob");
    stranger.register(&mut bench, "");
    let response = stranger.register(&mut bench, "");
    assert_eq!(response.status(), StatusCode::OK);
    assert!(values(&response, "Contact").is_empty() && values(&response, "Service-Route").is_empty());
    let mut phone = bench.registered("alice", CONTACT);
    bench.trial.pass(Duration::from_secs(600));
    let told = bench.assignments().len();
    assert_eq!(values(&phone.register(&mut bench, ""), "Contact"), ["<sip:a@192.0.2.1>;expires=3000"]);
    assert_eq!(bench.assignments().len(), told, "nothing has changed");
}

/// TS 24.229 §5.4.1.4.1.
#[test]
fn a_phone_goes() {
    for lines in ["Contact: <sip:a@192.0.2.1>;expires=0", "Contact: *\nExpires: 0"] {
        let mut bench = Bench::new();
        let mut phone = bench.registered("alice", CONTACT);
        let response = phone.register(&mut bench, lines);
        assert_eq!(response.status(), StatusCode::OK);
        assert!(values(&response, "Contact").is_empty());
        assert_eq!(bench.assignments(), [AssignmentType::Registration, AssignmentType::UserDeregistration]);
        assert!(values(&phone.register(&mut bench, ""), "Contact").is_empty());
        assert_eq!(phone.register(&mut bench, lines).status(), StatusCode::OK, "again");
        assert_eq!(bench.assignments().len(), 2);
    }
    let mut bench = Bench::new();
    let mut phone = bench.registered("alice", "Contact: <sip:a@192.0.2.1>, <sip:b@192.0.2.2>");
    let response = phone.register(&mut bench, "Contact: <sip:a@192.0.2.1>;expires=0");
    assert_eq!(values(&response, "Contact"), ["<sip:b@192.0.2.2>;expires=3600"]);
    assert_eq!(bench.assignments(), [AssignmentType::Registration]);
}

/// An HSS that does not hear of it now hears of it later.
#[test]
fn a_phone_goes_while_the_hss_is_away() {
    let mut bench = Bench::new();
    let mut phone = bench.registered("alice", CONTACT);
    bench.hss.fail_next(Command::ServerAssignment, Fault::Answer(HssError::Unreachable));
    assert_eq!(phone.register(&mut bench, "Contact: *\nExpires: 0").status(), StatusCode::OK);
    bench.pass(Duration::from_secs(29));
    assert_eq!(bench.assignments().len(), 2);
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.assignments()[1..], [AssignmentType::UserDeregistration, AssignmentType::TimeoutDeregistration]);
    bench.pass(Duration::from_secs(3_600));
    assert_eq!(bench.assignments().len(), 3);
}

/// RFC 5626 §6.
#[test]
fn a_flow_is_a_flow_where_phone_and_edge_say_so() {
    let contact = "Contact: <sip:a@192.0.2.1>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"";
    let requires = |lines: &str, path: &str| {
        let mut bench = Bench::new();
        let mut phone = Phone::new("alice");
        phone.register(&mut bench, lines);
        let mut request = phone.request(lines);
        request.headers.remove("Path");
        request.headers.push_raw("Path", path.as_bytes());
        let response = bench.send("", request).response();
        assert_eq!(response.status(), StatusCode::OK);
        values(&response, "Require") == ["outbound"]
    };
    let (edge, plain) = ("<sip:t@pcscf.ims.example;lr;ob>", "<sip:t@pcscf.ims.example;lr>");
    let outbound = format!("{contact}\nSupported: path, outbound");
    assert!(requires(&outbound, edge));
    assert!(requires(&outbound, &format!("{plain}, {edge}")));
    assert!(!requires(&outbound, &format!("{edge}, {plain}")), "the first hop is the last in Path");
    assert!(!requires(&outbound, plain));
    assert!(!requires(contact, edge));
    assert!(!requires("Contact: <sip:a@192.0.2.1>\nSupported: outbound", edge));
}
