//! Calls and the like, both halves.

use imscore_sip::StatusCode;

use super::*;
use crate::role::{Role, Verdict};

const ORIGINATING: &str = "sip:scscf.ims.example;lr;orig";
const TERMINATING: &str = "sip:scscf.ims.example;lr";

fn invite(target: &str, lines: &str) -> Request {
    request(&format!(
        "INVITE {target} SIP/2.0
        Via: SIP/2.0/UDP pcscf.ims.example;branch=z9hG4bK1
        Record-Route: <sip:token@pcscf.ims.example;lr>
        From: <sip:alice@ims.example>;tag=1
        To: <{target}>
        Call-ID: 1
        CSeq: 1 INVITE
        {lines}"
    ))
}

const ALICE: &str = "P-Asserted-Identity: <sip:alice@ims.example>";

fn headers(outcome: &Outcome, name: &str) -> Vec<String> {
    let (request, _) = outcome.forwarded();
    request.headers.raw_all(name).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

/// TS 24.229 §5.4.3.2.
#[test]
fn a_caller_reaches_the_i_cscf_or_another_network() {
    let mut bench = Bench::new();
    bench.registered("alice", CONTACT);
    for (target, way) in [
        ("sip:bob@ims.example", "sip:bob@ims.example by sip:icscf.ims.example;lr"),
        ("sip:bob@IMS.example:5060", "sip:bob@IMS.example:5060 by sip:icscf.ims.example;lr"),
        ("tel:+12015550102", "tel:+12015550102 by sip:icscf.ims.example;lr"),
        ("sip:bob@far.example", "sip:bob@far.example"),
    ] {
        let route = "Route: <sip:somewhere.example;lr>\nP-Served-User: <sip:alice@ims.example>\nP-Charging-Vector: icid-value=1";
        let outcome = bench.send(ORIGINATING, invite(target, &format!("{ALICE}\n{route}")));
        assert_eq!(outcome.ways(), [way], "{target}");
        assert_eq!(
            headers(&outcome, "Record-Route"),
            ["<sip:scscf.ims.example;lr>", "<sip:token@pcscf.ims.example;lr>"]
        );
        assert_eq!(headers(&outcome, "P-Asserted-Identity"), ["<sip:alice@ims.example>", "<tel:+12015550101>"]);
        assert_eq!(headers(&outcome, "P-Charging-Vector"), ["icid-value=1"]);
        for gone in ["Route", "P-Served-User"] {
            assert!(headers(&outcome, gone).is_empty(), "{gone}");
        }
    }
    assert_eq!(bench.send(ORIGINATING, invite("urn:service:sos", ALICE)).status(), 416);
}

/// I17: what is the network's own stays in it.
#[test]
fn another_network_learns_little() {
    let mut bench = Bench::new();
    bench.registered("alice", CONTACT);
    let lines = format!("{ALICE}\nP-Access-Network-Info: 3GPP-E-UTRAN-FDD\nPrivacy: id");
    let far = bench.send(ORIGINATING, invite("sip:bob@far.example", &lines));
    assert_eq!((headers(&far, "P-Access-Network-Info").len(), headers(&far, "P-Asserted-Identity").len()), (0, 0));
    let home = bench.send(ORIGINATING, invite("sip:bob@ims.example", &lines));
    assert_eq!((headers(&home, "P-Access-Network-Info").len(), headers(&home, "P-Asserted-Identity").len()), (1, 2));
}

/// I10: nobody calls without a registration, by whatever method.
#[test]
fn who_may_not_call() {
    let mut bench = Bench::new();
    assert_eq!(bench.send(ORIGINATING, invite("sip:bob@ims.example", ALICE)).status(), 403, "not registered");
    bench.registered("alice", CONTACT);
    for (identity, status) in [
        ("", 403),
        ("P-Asserted-Identity: <sip:bob@ims.example>", 403),
        ("P-Asserted-Identity: <sip:nobody@ims.example>", 403),
        ("P-Asserted-Identity: <sip:alice.imsi@ims.example>", 403),
        ("P-Asserted-Identity: <urn:service:sos>", 403),
        ("P-Asserted-Identity: <sip:bob@ims.example>\nP-Served-User: <sip:alice@ims.example>", 0),
        ("P-Asserted-Identity: <tel:+1-201-555-0101>", 0),
    ] {
        let outcome = bench.send(ORIGINATING, invite("sip:bob@ims.example", identity));
        let refused = outcome.decision.as_ref().map_or_else(|refused| refused.status.code(), |_| 0);
        assert_eq!(refused, status, "{identity}");
    }
    for method in ["MESSAGE", "OPTIONS", "SUBSCRIBE", "NOTIFY", "REFER", "INFO", "PUBLISH"] {
        let mut text =
            invite("sip:alice@ims.example", "P-Asserted-Identity: <sip:bob@ims.example>").to_bytes().to_vec();
        text.splice(..6, method.bytes());
        let bob = request(&String::from_utf8(text).unwrap());
        assert_eq!(bench.send(ORIGINATING, bob).status(), 403, "{method}");
    }
    bench.store.is_down.store(true, Ordering::Relaxed);
    assert_eq!(bench.send(ORIGINATING, invite("sip:bob@ims.example", ALICE)).status(), 504);
}

/// TS 24.229 §5.4.3.3.
#[test]
fn a_call_goes_to_each_phone_of_the_called_user() {
    let mut bench = Bench::new();
    bench.registered("bob", "Contact: <sip:b@192.0.2.2:5070;ob>;q=0.5, <sip:b@192.0.2.3>");
    let ways = [
        "sip:b@192.0.2.2:5070;ob by sip:token@pcscf.ims.example;lr;ob",
        "sip:b@192.0.2.3 by sip:token@pcscf.ims.example;lr;ob",
    ];
    for target in ["sip:bob@ims.example", "sip:%62ob@IMS.example;x=y", "tel:+1-201-555-0102"] {
        let lines = format!("{ALICE}\nRoute: <sip:elsewhere.example;lr>\nP-Called-Party-ID: <sip:forged@ims.example>");
        let outcome = bench.send(TERMINATING, invite(target, &lines));
        assert_eq!(outcome.ways(), ways, "{target}");
        assert_eq!(headers(&outcome, "P-Called-Party-ID"), [format!("<{target}>")]);
        assert_eq!(headers(&outcome, "Record-Route")[0], "<sip:scscf.ims.example;lr>");
        assert_eq!(headers(&outcome, "P-Asserted-Identity").len(), 1);
        assert!(headers(&outcome, "Route").is_empty());
    }
}

#[test]
fn who_cannot_be_called() {
    let mut bench = Bench::new();
    assert_eq!(bench.send(TERMINATING, invite("sip:bob@ims.example", "")).status(), 480, "not registered");
    bench.registered("bob", CONTACT);
    for (target, status) in [
        ("sip:bob.imsi@ims.example", 404),
        ("sip:bob@ims.example;gr=urn:uuid:1", 480),
        ("sip:nobody@ims.example", 480),
        ("sip:ims.example", 404),
        ("urn:service:sos", 404),
    ] {
        assert_eq!(bench.send(TERMINATING, invite(target, "")).status(), status, "{target}");
    }
    bench.store.is_down.store(true, Ordering::Relaxed);
    assert_eq!(bench.send(TERMINATING, invite("sip:bob@ims.example", "")).status(), 504);
}

#[test]
fn only_dialogs_are_recorded() {
    let mut bench = Bench::new();
    bench.registered("bob", CONTACT);
    for (method, recorded) in
        [("SUBSCRIBE", true), ("REFER", true), ("NOTIFY", true), ("MESSAGE", false), ("OPTIONS", false)]
    {
        let mut text = invite("sip:bob@ims.example", "").to_bytes().to_vec();
        text.splice(..6, method.bytes());
        let outcome = bench.send(TERMINATING, request(&String::from_utf8(text).unwrap()));
        assert_eq!(headers(&outcome, "Record-Route").len() == 2, recorded, "{method}");
    }
}

/// What becomes of an answer of one branch.
fn answered(bench: &Bench, outcome: &mut Outcome, branch: usize, status: u16) -> Verdict {
    outcome.call.branch = branch;
    let response = outcome.original.reply(StatusCode::new(status).unwrap());
    bench.scscf.on_response(&mut outcome.call, response)
}

#[track_caller]
fn passed(verdict: Verdict) -> u16 {
    match verdict {
        Verdict::Pass(response) => response.status().code(),
        other @ (Verdict::Drop | Verdict::Retry(..) | Verdict::Resume(_)) => panic!("{other:?}"),
    }
}

/// RFC 5626 §5.3, §11.5: a flow that is gone is taken out, and nobody else is told.
#[test]
fn a_lost_flow_is_taken_out() {
    let mut bench = Bench::new();
    let mut phone = bench.registered("bob", "Contact: <sip:b@192.0.2.2>, <sip:b@192.0.2.3>");
    let mut outcome = bench.send(TERMINATING, invite("sip:bob@ims.example", ""));
    assert_eq!(passed(answered(&bench, &mut outcome, 0, 180)), 180);
    assert_eq!(passed(answered(&bench, &mut outcome, 1, 430)), 480);
    bench.pass(Duration::from_secs(2));
    assert_eq!(values(&phone.register(&mut bench, ""), "Contact"), ["<sip:b@192.0.2.2>;expires=3598"]);
    assert_eq!(bench.assignments(), [AssignmentType::Registration]);

    let mut outcome = bench.send(TERMINATING, invite("sip:bob@ims.example", ""));
    assert_eq!(passed(answered(&bench, &mut outcome, 0, 430)), 480);
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.assignments(), [AssignmentType::Registration, AssignmentType::TimeoutDeregistration]);
    assert_eq!(bench.send(TERMINATING, invite("sip:bob@ims.example", "")).status(), 480);
}

#[test]
fn a_phone_that_came_back_is_not_taken_out() {
    let mut bench = Bench::new();
    let contact = "Contact: <sip:b@192.0.2.2>";
    let mut phone = bench.registered("bob", contact);
    let mut outcome = bench.send(TERMINATING, invite("sip:bob@ims.example", ""));
    assert_eq!(passed(answered(&bench, &mut outcome, 0, 430)), 480);
    phone.register(&mut bench, contact);
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.send(TERMINATING, invite("sip:bob@ims.example", "")).ways().len(), 1);
}

/// RFC 5626 §5.3: one flow of a phone at a time.
#[test]
fn flows_of_one_phone_are_tried_one_after_another() {
    let contact = |at: u8, flow: u8| {
        format!("Contact: <sip:b@192.0.2.{at}>;reg-id={flow};+sip.instance=\"<urn:uuid:1>\"\nSupported: outbound")
    };
    let by = |at: u8| format!("sip:b@192.0.2.{at} by sip:token@pcscf.ims.example;lr;ob");
    let mut bench = Bench::new();
    let mut phone = bench.registered("bob", &contact(1, 1));
    phone.register(&mut bench, &contact(2, 2));
    phone.register(&mut bench, &contact(3, 3));
    phone.register(&mut bench, "Contact: <sip:other@192.0.2.9>;+sip.instance=\"<urn:uuid:2>\"");
    let mut outcome = bench.send(TERMINATING, invite("sip:bob@ims.example", ""));
    assert_eq!(outcome.ways(), [by(3), by(9).replace("b@", "other@")]);
    for (branch, next) in [(0, 2), (2, 1)] {
        let Verdict::Retry(request, targets) = answered(&bench, &mut outcome, branch, 430) else { panic!("no retry") };
        outcome.decision = Ok(crate::role::Decision::Forward(request, targets));
        assert_eq!(outcome.ways(), [by(next)]);
    }
    assert_eq!(passed(answered(&bench, &mut outcome, 1, 430)), 480, "another phone, without another flow");
    assert_eq!(passed(answered(&bench, &mut outcome, 3, 430)), 480);
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.send(TERMINATING, invite("sip:bob@ims.example", "")).status(), 480);
}

/// I19.
#[test]
fn phones_are_not_served_directly() {
    use imscore_sip::transport::{Flow, ListenerId, Side, Transport};

    let mut bench = Bench::new();
    bench.registered("bob", CONTACT);
    let remote = "192.0.2.9:5060".parse().unwrap();
    let flow = Flow { transport: Transport::Udp, listener: ListenerId(0), remote, connection: None };
    let origin = crate::call::Origin::Peer { flow, side: Side::Access };
    for request in [invite("sip:bob@ims.example", ""), Phone::new("alice").request(CONTACT)] {
        let mut call = bench.trial.call_from(origin.clone(), "");
        let decision = bench.trial.run(bench.scscf.on_request(&mut call, request));
        assert_eq!(decision.map(drop).map_err(|refused| refused.status.code()), Err(403));
    }
}
