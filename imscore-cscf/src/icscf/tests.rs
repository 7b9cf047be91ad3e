//! The I-CSCF by itself: what it asks the HSS, where it sends what comes, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use imscore_hss::testing::{Command, Fault, FaultyHss, Question};
use imscore_hss::{
    AssignmentType, AuthorizationType, Capabilities, Credentials, DigestCredentials, Hss, HssCache, HssError,
    HssEvents, LocationInfo, LocationInfoRequest, MultimediaAuth, MultimediaAuthRequest, PrivateIdentity,
    PublicIdentity, Refusal, ServerAssignment, ServerAssignmentRequest, ServerName, Subscription, UserAuthorization,
    UserAuthorizationRequest,
};
use imscore_sip::transport::{Flow, ListenerId, Side, Transport};
use imscore_sip::{Request, Response, StatusCode};

use super::{Icscf, ScscfServer, Settings};
use crate::call::Origin;
use crate::role::{Decision, Role, Verdict};
use crate::trial::{Outcome, Trial, request};

fn scscf(number: u8) -> ServerName {
    format!("sip:scscf{number}.ims.example").parse().unwrap()
}

fn alice() -> Subscription {
    let private: PrivateIdentity = "alice@ims.example".parse().unwrap();
    let digest = DigestCredentials::from_password(&private, "ims.example", "secret").unwrap();
    let public = ["sip:alice@ims.example", "tel:+12015550123"].map(|identity| identity.parse().unwrap());
    Subscription::new(private, public, Credentials::Digest(digest)).unwrap()
}

struct Bench {
    trial: Trial,
    hss: Arc<FaultyHss<Hss>>,
    icscf: Icscf,
}

impl Bench {
    fn with(subscription: Subscription, servers: Vec<ScscfServer>) -> Bench {
        let hss = Arc::new(FaultyHss::new(Hss::with_subscribers([subscription], [0; 32]).unwrap()));
        let icscf = Icscf::new(Settings::new("icscf.ims.example"), hss.clone(), servers);
        Bench { trial: Trial::new(), hss, icscf }
    }

    fn new() -> Bench {
        let servers = [1, 2, 3].map(|number| ScscfServer::new(scscf(number)).with_priority(number.into()));
        Bench::with(alice(), servers.into())
    }

    /// Alice is registered at this S-CSCF.
    fn registered_at(mut self, number: u8) -> Bench {
        let private: PrivateIdentity = "alice@ims.example".parse().unwrap();
        let public: PublicIdentity = "sip:alice@ims.example".parse().unwrap();
        let challenge = MultimediaAuthRequest::new(private.clone(), public.clone(), scscf(number));
        let kind = AssignmentType::Registration;
        let assignment = ServerAssignmentRequest::new(private, public, scscf(number), kind);
        let hss = self.hss.inner().clone();
        self.trial.run(async {
            hss.multimedia_auth(&challenge).await.unwrap();
            hss.server_assignment(&assignment).await.unwrap();
        });
        self
    }

    #[track_caller]
    fn send(&mut self, route: &str, request: Request) -> Outcome {
        self.trial.request(&self.icscf, route, request)
    }

    /// What the S-CSCF's answer leads to.
    #[track_caller]
    fn answered(&mut self, mut outcome: Outcome, status: u16) -> Outcome {
        let response = outcome.original.reply(StatusCode::new(status).unwrap());
        match self.icscf.on_response(&mut outcome.call, response) {
            Verdict::Resume(failure) => {
                outcome.decision = self.trial.run(self.icscf.on_resume(&mut outcome.call, failure));
                outcome
            }
            Verdict::Pass(response) => passed(outcome, response),
            other @ (Verdict::Drop | Verdict::Retry(..)) => panic!("{other:?}"),
        }
    }

    fn last_question(&self) -> Question {
        self.hss.asked().pop().expect("the HSS was asked")
    }
}

fn passed(outcome: Outcome, response: Response) -> Outcome {
    Outcome { decision: Ok(Decision::Reply(response)), ..outcome }
}

fn register(lines: &str) -> Request {
    request(&format!(
        "REGISTER sip:ims.example SIP/2.0
        Via: SIP/2.0/UDP pcscf.ims.example;branch=z9hG4bK1
        From: <sip:alice@ims.example>;tag=1
        To: <sip:alice@ims.example>
        Call-ID: 1
        CSeq: 1 REGISTER
        {lines}"
    ))
}

fn message(target: &str, lines: &str) -> Request {
    request(&format!(
        "MESSAGE {target} SIP/2.0
        Via: SIP/2.0/UDP scscf.ims.example;branch=z9hG4bK1
        From: <sip:bob@ims.example>;tag=1
        To: <{target}>
        Call-ID: 1
        CSeq: 1 MESSAGE
        {lines}"
    ))
}

const CONTACT: &str = "Contact: <sip:a@192.0.2.1>";

/// TS 24.229 §5.3.1.2.
#[test]
fn a_register_goes_to_the_s_cscf_by_its_request_uri() {
    let mut bench = Bench::new();
    let outcome = bench.send("", register("Contact: <sip:a@192.0.2.1>\nRoute: <sip:evil.example;lr>"));
    assert_eq!(outcome.ways(), ["sip:scscf1.ims.example"]);
    assert!(!outcome.forwarded().0.headers.contains("Route"), "a REGISTER has no way of its own");
    assert!(!outcome.forwarded().0.headers.contains("Record-Route"));

    let mut bench = Bench::new().registered_at(2);
    assert_eq!(bench.send("", register(CONTACT)).ways(), ["sip:scscf2.ims.example"]);
}

#[test]
fn what_the_hss_is_asked_about_a_register() {
    let asked = |lines: &str| {
        let mut bench = Bench::new().registered_at(1);
        bench.send("", register(lines));
        let Question::UserAuthorization(query) = bench.last_question() else { panic!("no User-Authorization") };
        (query.private_identity.to_string(), query.visited_network.to_string(), (query.kind, query.emergency))
    };
    let (registration, deregistration) = (AuthorizationType::Registration, AuthorizationType::Deregistration);
    for (lines, private, network, kind) in [
        (CONTACT, "alice@ims.example", "ims.example", (registration, false)),
        (
            "Authorization: Digest username=\"al\", realm=\"r\", nonce=\"\", uri=\"sip:x\", response=\"\"\nP-Visited-Network-ID: \"Far Net\"",
            "al",
            "far net",
            (registration, false),
        ),
        ("Contact: <sip:a@192.0.2.1>;expires=0", "alice@ims.example", "ims.example", (deregistration, false)),
        ("Contact: *\nExpires: 0", "alice@ims.example", "ims.example", (deregistration, false)),
        ("Contact: <sip:a@192.0.2.1;sos>", "alice@ims.example", "ims.example", (registration, true)),
    ] {
        assert_eq!(asked(lines), (private.to_string(), network.to_string(), kind), "{lines}");
    }
}

/// TS 24.229 §5.3.1.3.
#[test]
fn what_a_register_gets_that_the_hss_does_not_place() {
    for (fault, status) in [
        (Fault::Answer(HssError::Unknown), 403),
        (Fault::Answer(HssError::Forbidden(Refusal::RoamingNotAllowed)), 403),
        (Fault::Answer(HssError::NotRegistered), 403),
        (Fault::Answer(HssError::Unreachable), 480),
        (Fault::Answer(HssError::Busy { retry_after: None }), 480),
        (Fault::Silence, 480),
    ] {
        let mut bench = Bench::new();
        bench.hss.fail_next(Command::UserAuthorization, fault.clone());
        assert_eq!(bench.send("", register(CONTACT)).status(), status, "{fault:?}");
    }
    let mut bench = Bench::new();
    let busy = HssError::Busy { retry_after: Some(Duration::from_secs(7)) };
    bench.hss.fail_next(Command::UserAuthorization, Fault::Answer(busy));
    let response = bench.send("", register(CONTACT)).response();
    assert_eq!(response.headers.raw("Retry-After"), Some(&b"7"[..]));
}

#[test]
fn a_silent_hss_is_not_waited_for() {
    let mut bench = Bench::new();
    bench.hss.fail_next(Command::UserAuthorization, Fault::Silence);
    bench.send("", register(CONTACT));
    assert_eq!(bench.trial.passed(), Duration::from_secs(4));
}

#[test]
fn a_register_that_cannot_be_read_is_refused() {
    for (lines, status) in [("Contact: *", 400), ("Authorization: Digest username=\"a", 400)] {
        assert_eq!(Bench::new().send("", register(lines)).status(), status, "{lines}");
    }
}

/// I5: the HSS is asked with both identities.
#[test]
fn somebody_elses_identity_cannot_be_registered() {
    let mut bench = Bench::new();
    let private: PrivateIdentity = "mallory@ims.example".parse().unwrap();
    let digest = DigestCredentials::from_password(&private, "ims.example", "secret").unwrap();
    let public: PublicIdentity = "sip:mallory@ims.example".parse().unwrap();
    let mallory = Subscription::new(private, [public], Credentials::Digest(digest)).unwrap();
    let hss = bench.hss.inner().clone();
    bench.trial.run(hss.put(mallory)).unwrap();
    let stolen = register("Authorization: Digest username=\"mallory@ims.example\", realm=\"r\", nonce=\"\"");
    assert_eq!(bench.send("", stolen).status(), 403);
}

/// TS 24.229 §5.3.1.3: never the same S-CSCF twice, and 504 when all have been tried.
#[test]
fn another_s_cscf_is_tried_where_one_does_not_answer() {
    for status in [302, 408, 480, 503] {
        let mut bench = Bench::new();
        let outcome = bench.send("", register(CONTACT));
        let outcome = bench.answered(outcome, status);
        assert_eq!(outcome.ways(), ["sip:scscf2.ims.example"], "{status}");
        let Question::UserAuthorization(query) = bench.last_question() else { panic!("no User-Authorization") };
        assert_eq!(query.kind, AuthorizationType::RegistrationAndCapabilities);
        let outcome = bench.answered(outcome, status);
        assert_eq!(outcome.ways(), ["sip:scscf3.ims.example"], "{status}");
        assert_eq!(bench.answered(outcome, status).status(), 504, "{status}");
    }
}

#[test]
fn a_user_is_taken_from_an_s_cscf_that_is_gone() {
    let mut bench = Bench::new().registered_at(3);
    let outcome = bench.send("", register(CONTACT));
    assert_eq!(outcome.ways(), ["sip:scscf3.ims.example"]);
    assert_eq!(bench.answered(outcome, 408).ways(), ["sip:scscf1.ims.example"]);
}

#[test]
fn other_answers_pass() {
    for status in [200, 401, 403, 404, 423, 500, 504] {
        let mut bench = Bench::new();
        let outcome = bench.send("", register(CONTACT));
        assert_eq!(bench.answered(outcome, status).status(), status);
        assert_eq!(bench.hss.asked().len(), 1);
    }
}

#[test]
fn a_refusal_on_the_way_to_another_s_cscf_stands() {
    let mut bench = Bench::new();
    let outcome = bench.send("", register(CONTACT));
    bench.hss.fail_next(Command::UserAuthorization, Fault::Answer(HssError::Unknown));
    assert_eq!(bench.answered(outcome, 480).status(), 403);
}

#[test]
fn nobody_in_the_pool() {
    let mut empty = Bench::with(alice(), Vec::new());
    assert_eq!(empty.send("", register(CONTACT)).status(), 504);
    let demanding = alice().with_capabilities(Capabilities::new([1], []));
    let mut unable = Bench::with(demanding, vec![ScscfServer::new(scscf(1))]);
    assert_eq!(unable.send("", register(CONTACT)).status(), 600);
}

#[test]
fn an_s_cscf_that_is_the_i_cscf_itself_is_a_loop() {
    let own: ServerName = "sip:ICSCF.ims.example:5052".parse().unwrap();
    let mut bench = Bench::with(alice(), vec![own.into()]);
    assert_eq!(bench.send("", register(CONTACT)).status(), 482);
    let broken: ServerName = "sip:".parse().unwrap();
    let mut bench = Bench::with(alice(), vec![broken.into()]);
    assert_eq!(bench.send("", register(CONTACT)).status(), 480);
}

/// TS 24.229 §5.3.1.2, §5.3.2.1; I19.
#[test]
fn phones_are_not_served() {
    let mut bench = Bench::new().registered_at(1);
    let remote = "192.0.2.9:5060".parse().unwrap();
    let flow = Flow { transport: Transport::Udp, listener: ListenerId(0), remote, connection: None };
    for request in [register(CONTACT), message("sip:alice@ims.example", "")] {
        for (side, served) in [(Side::Access, false), (Side::Core, true)] {
            let mut call = bench.trial.call_from(Origin::Peer { flow, side }, "");
            let decision = bench.trial.run(bench.icscf.on_request(&mut call, request.clone()));
            assert_eq!(decision.map_err(|refused| refused.status.code()).is_ok(), served);
        }
    }
}

/// TS 24.229 §5.3.2.1.
#[test]
fn a_request_goes_to_the_s_cscf_of_the_called_user_by_route() {
    let mut bench = Bench::new().registered_at(2);
    let by = |target: &str| format!("{target} by sip:scscf2.ims.example;lr");
    for (target, expected) in [
        ("sip:alice@ims.example", "sip:alice@ims.example"),
        ("sip:alice@ims.example:5060;transport=tcp", "sip:alice@ims.example:5060;transport=tcp"),
        ("tel:+1-201-555-0123", "tel:+1-201-555-0123"),
        ("sip:+1-201-555-0123@ims.example;user=phone", "tel:+1-201-555-0123"),
    ] {
        let outcome = bench.send("sip:icscf.ims.example;lr", message(target, ""));
        assert_eq!(outcome.ways(), [by(expected)], "{target}");
        assert!(!outcome.forwarded().0.headers.contains("Record-Route"));
    }
}

#[test]
fn what_a_request_gets_that_the_hss_does_not_place() {
    let target = "sip:alice@ims.example";
    for (fault, status) in [
        (Fault::Answer(HssError::Unknown), 404),
        (Fault::Answer(HssError::NotRegistered), 480),
        (Fault::Answer(HssError::Forbidden(Refusal::Barred)), 404),
        (Fault::Answer(HssError::Busy { retry_after: None }), 480),
        (Fault::Answer(HssError::Unreachable), 504),
        (Fault::Silence, 504),
    ] {
        let mut bench = Bench::new().registered_at(1);
        bench.hss.fail_next(Command::LocationInfo, fault.clone());
        assert_eq!(bench.send("", message(target, "")).status(), status, "{fault:?}");
    }
    let mut bench = Bench::new();
    assert_eq!(bench.send("", message(target, "")).status(), 480, "not registered");
    for nobody in ["sip:nobody@ims.example", "sip:ims.example", "tel:+4912345", "urn:service:sos"] {
        assert_eq!(bench.send("", message(nobody, "")).status(), 404, "{nobody}");
    }
}

#[test]
fn services_of_an_unregistered_user_need_an_s_cscf() {
    let mut bench = Bench::with(alice().with_unregistered_services(true), vec![scscf(1).into()]);
    let outcome = bench.send("", message("sip:alice@ims.example", ""));
    assert_eq!(outcome.ways(), ["sip:alice@ims.example by sip:scscf1.ims.example;lr"]);
}

#[test]
fn a_call_goes_to_another_s_cscf_where_one_cannot_be_reached() {
    let mut bench = Bench::new().registered_at(1);
    let outcome = bench.send("", message("sip:alice@ims.example", ""));
    let outcome = bench.answered(outcome, 503);
    assert_eq!(outcome.ways(), ["sip:alice@ims.example by sip:scscf2.ims.example;lr"]);
    let Question::LocationInfo(query) = bench.last_question() else { panic!("no Location-Info") };
    assert!(query.capabilities);
    let outcome = bench.answered(outcome, 503);
    let outcome = bench.answered(outcome, 503);
    assert_eq!(outcome.status(), 504);
    for status in [302, 404, 408, 480, 486, 600] {
        let outcome = bench.send("", message("sip:alice@ims.example", ""));
        assert_eq!(bench.answered(outcome, status).status(), status, "the called user's answer");
    }
}

/// TS 24.229 §5.3.2.1A.
#[test]
fn an_application_server_calls_for_a_user() {
    let mut bench = Bench::new().registered_at(1);
    let route = "sip:icscf.ims.example;lr;orig";
    for lines in [
        "P-Asserted-Identity: <tel:+12015550123>",
        "P-Asserted-Identity: <sip:bob@ims.example>\nP-Served-User: <sip:alice@ims.example>;sescase=orig",
    ] {
        let outcome = bench.send(route, message("sip:bob@far.example", lines));
        assert_eq!(outcome.ways(), ["sip:bob@far.example by sip:scscf1.ims.example;lr;orig"], "{lines}");
        let Question::LocationInfo(query) = bench.last_question() else { panic!("no Location-Info") };
        assert!(query.originating);
    }
    assert_eq!(bench.send(route, message("sip:bob@far.example", "")).status(), 403);
    let unknown = message("sip:bob@far.example", "P-Asserted-Identity: <sip:nobody@ims.example>");
    assert_eq!(bench.send(route, unknown).status(), 404);
}

#[test]
fn a_way_that_is_given_is_taken() {
    let mut bench = Bench::new();
    let request = message("sip:alice@ims.example", "Route: <sip:as.ims.example;lr>");
    let outcome = bench.send("sip:icscf.ims.example;lr", request);
    assert_eq!(outcome.ways(), ["sip:alice@ims.example"]);
    assert!(bench.hss.asked().is_empty());
}

/// An HSS that names one S-CSCF whatever it is asked.
struct Stubborn;

#[async_trait]
impl HssCache for Stubborn {
    async fn user_authorization(&self, _: &UserAuthorizationRequest) -> Result<UserAuthorization, HssError> {
        Ok(UserAuthorization::Scscf(scscf(1)))
    }

    async fn multimedia_auth(&self, _: &MultimediaAuthRequest) -> Result<MultimediaAuth, HssError> {
        Err(HssError::Unreachable)
    }

    async fn server_assignment(&self, _: &ServerAssignmentRequest) -> Result<ServerAssignment, HssError> {
        Err(HssError::Unreachable)
    }

    async fn location_info(&self, _: &LocationInfoRequest) -> Result<LocationInfo, HssError> {
        Ok(LocationInfo::Scscf(scscf(1)))
    }

    fn events(&self) -> HssEvents {
        HssEvents::none()
    }
}

#[test]
fn an_hss_that_insists_is_not_followed_in_circles() {
    for request in [register(CONTACT), message("sip:alice@ims.example", "")] {
        let mut bench = Bench::new();
        let servers = [1, 2].map(|number| ScscfServer::new(scscf(number)));
        bench.icscf = Icscf::new(Settings::new("icscf.ims.example"), Arc::new(Stubborn), servers);
        let outcome = bench.send("", request);
        let outcome = bench.answered(outcome, 503);
        assert!(outcome.ways()[0].contains("scscf2"));
        assert_eq!(bench.answered(outcome, 503).status(), 504);
    }
}
