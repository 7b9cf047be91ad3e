//! Names where an agent sends to: RFC 3263 §4 from the outside.

use std::time::Duration;

use super::*;
use crate::engine::{Engine, Output};
use crate::message::{Message, Method, Request, StatusCode};
use crate::testing::{Clock, NameServer};
use crate::transport::Side;
use crate::ua::{Binding, OutboundProxy};

const ZONE: &str = "
    ims.example            NAPTR 10 1 s SIP+D2U _sip._udp.ims.example
    _sip._udp.ims.example  SRV   1 0 5060 one.ims.example
    _sip._udp.ims.example  SRV   2 0 5060 two.ims.example
    one.ims.example        A     192.0.2.21
    two.ims.example        A     192.0.2.22
    far.example            A     192.0.2.22
    both.example           A     192.0.2.22
    both.example           A     192.0.2.21";

/// Alice with two servers behind ims.example.
fn stage(server: NameServer, proxy: Option<&str>) -> Stage {
    let proxy: Option<OutboundProxy> = proxy.map(|proxy| proxy.parse().unwrap());
    let mut stage = Stage::new(|config| Config { proxy, ..config });
    stage.ladder = stage.ladder.peer("one", "udp:192.0.2.21:5060").peer("two", "udp:192.0.2.22:5060");
    stage.ladder.network().add_name_server(server);
    stage
}

fn named(proxy: Option<&str>) -> Stage {
    stage(NameServer::new(ZONE), proxy)
}

fn options(stage: &mut Stage, target: &str) {
    let options = Request::new(&Method::Options, target);
    stage.alice(|alice, now| alice.request(options, now));
}

/// RFC 3263 §4.1, §4.2: a Request-URI that is a domain, by NAPTR, SRV and A; the whole call goes by names, the Contact of its
/// other side among them.
#[test]
fn a_call_to_a_domain() {
    let mut stage = named(None);
    let call = stage.invite();
    stage.run(
        "alice -> one  INVITE sip:bob@ims.example  Contact=<sip:alice@192.0.2.1:5060;transport=udp>
         one -> alice  180
         one -> alice  200  Contact=<sip:bob@far.example:5060>
         alice -> two  ACK sip:bob@far.example:5060",
    );
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run("alice -> two  BYE sip:bob@far.example:5060\ntwo -> alice  200");
    stage.told(&["progress 180", "answered 200"]);
    stage.is_over();
}

/// RFC 3263 §4.3: after a 503 the next target, in a transaction of its own, and the first is set aside for 30 s.
#[test]
fn after_a_503_the_next_target() {
    let mut stage = named(None);
    stage.invite();
    stage.run(
        "alice -> one  INVITE sip:bob@ims.example  CSeq~=1
         one -> alice  503
         alice -> one  ACK
         alice -> two  INVITE sip:bob@ims.example  CSeq~=1  Via#=1
         one -> alice  503 INVITE again
         alice -> one  ACK again
         two -> alice  486
         alice -> two  ACK",
    );
    stage.told(&["refused 486"]);
    stage.run("+29s");
    options(&mut stage, "sip:ims.example");
    stage.run("alice -> two  OPTIONS sip:ims.example\ntwo -> alice  200\n+1s");
    options(&mut stage, "sip:ims.example");
    stage.run("alice -> one  OPTIONS sip:ims.example\none -> alice  500");
    stage.told(&["response 200", "response 500"]);
    stage.is_over();
}

/// What the last target says is what the owner is told.
#[test]
fn after_the_last_target_there_is_none() {
    let mut stage = named(None);
    options(&mut stage, "sip:ims.example");
    stage.run(
        "alice -> one  OPTIONS sip:ims.example
         one -> alice  503
         alice -> two  OPTIONS sip:ims.example
         two -> alice  503",
    );
    stage.told(&["response 503"]);
    stage.is_over();
}

/// RFC 3263 §4.3: after a transport error at once, after silence when Timer F has fired.
#[test]
fn after_a_transport_error_and_after_silence_the_next_target() {
    let zone = "
        a.example      A  192.0.2.66
        a.example      A  192.0.2.22
        b.example      A  192.0.2.21
        b.example      A  192.0.2.22";
    let mut stage = stage(NameServer::new(zone), None);
    stage.ladder.network().report_unreachable(true);
    options(&mut stage, "sip:a.example:5060");
    stage.run(
        "alice -> 192.0.2.66:5060  OPTIONS sip:a.example:5060
         alice -> two              OPTIONS sip:a.example:5060
         two -> alice              200",
    );
    stage.told(&["response 200"]);
    options(&mut stage, "sip:b.example:5060");
    let silence = silence("OPTIONS");
    stage.run(&format!(
        "alice -> one  OPTIONS sip:b.example:5060\n{silence}
         alice -> two  OPTIONS sip:b.example:5060
         two -> alice  200"
    ));
    stage.told(&["response 200"]);
    stage.is_over();
}

/// A proxy that is a name: the next after a 503 takes the registration, and what follows goes where that holds, with the Contact
/// that was registered. A BYE in a dialog without a Route goes to its target.
#[test]
fn a_proxy_that_is_a_name() {
    let mut stage = named(Some("ims.example"));
    let binding = Binding::new("sip:registrar.example".parse().unwrap());
    stage.alice(|alice, now| alice.register(binding, now));
    stage.run(
        "alice -> one  REGISTER sip:registrar.example  Contact=<sip:alice@192.0.2.1:5060;transport=udp>
         one -> alice  503
         alice -> two  REGISTER sip:registrar.example  Contact=<sip:alice@192.0.2.1:5060;transport=udp>
         two -> alice  200  Expires=600
         +40s",
    );
    stage.told(&["registered 3600"]);
    let call = stage.invite();
    stage.run(
        "alice -> two  INVITE sip:bob@ims.example
         two -> alice  200  Record-Route=<sip:ims.example;lr>  Contact=<sip:bob@unknown.example>
         alice -> two  ACK sip:bob@unknown.example",
    );
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run("alice -> two  BYE sip:bob@unknown.example\ntwo -> alice  200");
}

/// Threat D12: one name has no answer at all, another takes 4 s; a third request waits for neither.
#[test]
fn a_slow_name_holds_up_nobody_else() {
    let server = NameServer::new(ZONE).slow("_sip._udp.ims.example", Duration::from_secs(4));
    let mut stage = stage(server, None);
    stage.invite();
    options(&mut stage, "sip:far.example:5060");
    stage.run(
        "alice -> two  OPTIONS sip:far.example:5060
         two -> alice  200
         +4s
         alice -> one  INVITE sip:bob@ims.example",
    );
}

/// A call that was hung up before its name was found is never sent.
#[test]
fn a_call_that_nobody_wants_any_more() {
    let mut stage = stage(NameServer::new(ZONE).after(Duration::from_secs(1)), None);
    let call = stage.invite();
    stage.run("+1s");
    stage.alice(|alice, now| assert!(alice.hang_up(call, now)));
    stage.run("+30s");
    stage.told(&[]);
    stage.is_over();

    // Nor does it go to another target.
    let mut stage = named(None);
    let call = stage.invite();
    stage.run("alice -> one  INVITE\none -> alice  100");
    stage.alice(|alice, now| assert!(alice.hang_up(call, now)));
    stage.run("alice -> one  CANCEL\none -> alice  200 CANCEL\none -> alice  503 INVITE\nalice -> one  ACK");
    stage.told(&[]);
    stage.is_over();
}

/// A name that leads nowhere, or to where nothing of ours goes.
#[test]
fn a_name_that_leads_nowhere() {
    let server = NameServer::new(ZONE).failing("failing.example");
    let mut stage = stage(server, None);
    for target in ["sip:nowhere.example", "sip:failing.example:5060", "sip:far.example:5060;transport=tcp"] {
        options(&mut stage, target);
        stage.run("+1ms");
        stage.told(&["Transport"]);
    }
    stage.is_over();
}

/// RFC 3261 §12.2.1.1: a strict router with a name stands in the Request-URI of what goes to it.
#[test]
fn a_strict_router_with_a_name() {
    let mut stage = named(None);
    let call = stage.invite();
    stage.run(
        "alice -> one  INVITE
         one -> alice  200  Record-Route=<sip:far.example:5060>  Contact=<sip:bob@hidden.example>
         alice -> two  ACK sip:far.example:5060  Route=<sip:bob@hidden.example>",
    );
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run("alice -> two  BYE sip:far.example:5060  Route=<sip:bob@hidden.example>\ntwo -> alice  200");
    stage.is_over();
}

/// In a dialog what cannot be found goes the way that the dialog came.
#[test]
fn a_dialog_whose_target_cannot_be_found() {
    let mut stage = named(None);
    stage.run("one -> alice  INVITE sip:alice@192.0.2.1  Contact=<sip:bob@hidden.example>");
    let (call, answer) = (stage.call(), offer(1));
    stage.alice(|alice, now| alice.answer(call, &answer, now).unwrap());
    stage.run("alice -> one  200\none -> alice  ACK");
    stage.alice(|alice, now| alice.hang_up(call, now));
    stage.run("alice -> one  BYE sip:bob@hidden.example\none -> alice  200");
}

/// RFC 8767: while name servers are silent, what they said before serves; 1.8 s are enough to find that out.
#[test]
fn old_answers_serve_while_name_servers_are_down() {
    let mut stage = named(None);
    options(&mut stage, "sip:far.example:5060");
    stage.run("alice -> two  OPTIONS\ntwo -> alice  200\n+61s");
    stage.ladder.network().name_server().set_down(true);
    options(&mut stage, "sip:far.example:5060");
    stage.run("+1800ms\nalice -> two  OPTIONS\ntwo -> alice  200");
}

/// What is repeated to a target that is silent, up to Timer F.
fn silence(method: &str) -> String {
    let waits = [500, 1_000, 2_000, 4_000, 4_000, 4_000, 4_000, 4_000, 4_000, 4_000];
    let again = waits.iter().map(|wait| format!("+{wait}ms\nalice -> one  {method} again\n"));
    again.chain(["+500ms\n".to_owned()]).collect()
}

/// A subscription whose first target is silent has its time from the second on (RFC 6665 §4.1.2.4), and so has its refresh.
#[test]
fn a_subscription_by_name() {
    let mut stage = named(None);
    let event = crate::header::Event::new("reg");
    stage.alice(|alice, now| alice.subscribe(&bob(), &event, Duration::from_secs(600), now));
    let silence = silence("SUBSCRIBE");
    stage.run(&format!(
        "alice -> one  SUBSCRIBE sip:bob@ims.example  Contact=<sip:alice@192.0.2.1:5060;transport=udp>
         {silence}
         alice -> two  SUBSCRIBE sip:bob@ims.example  Contact=<sip:alice@192.0.2.1:5060;transport=udp>
         two -> alice  200  Expires=600
         +5s
         two -> alice  NOTIFY  Subscription-State=active;expires=600  Event=reg  Contact=<sip:both.example:5060>
         alice -> two  200
         +299s"
    ));
    stage.told(&["notified active;expires=600"]);
    let silence = silence.replace("alice -> one", "alice -> two");
    stage.run(&format!(
        "+1s
         alice -> two  SUBSCRIBE sip:both.example:5060
         {silence}
         alice -> one  SUBSCRIBE sip:both.example:5060
         one -> alice  200  Expires=600
         +3s"
    ));
    stage.told(&[]);
}

/// The Contact says the transport that a request goes by, whichever target it comes to.
#[test]
fn a_contact_goes_with_its_target() {
    let zone = "
        ims.example  NAPTR 10 1 a SIP+D2U one.ims.example
        ims.example  NAPTR 20 1 a SIP+D2T two.ims.example
        one.ims.example  A  192.0.2.21
        two.ims.example  A  192.0.2.22";
    let ladder = Ladder::new();
    let now = ladder.now();
    let alice = |own| UserAgent::new(Config::new(transaction::Config::new([3; 32], own)), now);
    let mut ladder = ladder
        .engine("alice", ["udp:192.0.2.1:5060", "tcp:192.0.2.1:5060"], alice)
        .peer("one", "udp:192.0.2.21:5060")
        .peer("two", "tcp:192.0.2.22:5060");
    ladder.network().add_name_server(NameServer::new(zone));
    let host: Host<UserAgent> = ladder.network().find("alice").unwrap();
    ladder.network().with(host, |alice, now| alice.invite(&bob(), None, now));
    ladder.run(
        "alice/udp -> one  INVITE  Contact=<sip:callee@192.0.2.1:5060;transport=udp>
         one -> alice      503
         alice -> one      ACK
         alice/tcp -> two  INVITE  Contact=<sip:callee@192.0.2.1:5060;transport=tcp>",
    );
}

/// RFC 3261 §22.2, RFC 3263 §4: a challenge is answered where it came from; when that fails then, the next target gets the answer.
#[test]
fn a_challenge_is_answered_at_the_target_that_asked() {
    let proxy: OutboundProxy = "sip:ims.example".parse().unwrap();
    let mut stage = Stage::new(|config| config.with_login("alice", "secret", "ims.example").with_proxy(proxy));
    stage.ladder = stage.ladder.peer("one", "udp:192.0.2.21:5060").peer("two", "udp:192.0.2.22:5060");
    stage.ladder.network().add_name_server(NameServer::new(ZONE));
    let binding = Binding::new("sip:ims.example".parse().unwrap());
    stage.alice(|alice, now| alice.register(binding, now));
    stage.run(
        "alice -> one  REGISTER  CSeq~=1
         one -> alice  503
         alice -> two  REGISTER  CSeq~=1
         two -> alice  401  WWW-Authenticate='Digest realm=\"ims.example\", nonce=\"n\", qop=\"auth\"'
         alice -> two  REGISTER  CSeq~=2  Authorization~=nc=00000001
         two -> alice  200",
    );
    stage.told(&["registered 3600"]);
    stage.run("+31s");
    let options = Request::new(&Method::Options, "sip:ims.example");
    stage.alice(|alice, now| {
        alice.set_proxy("sip:both.example:5060".parse::<OutboundProxy>().unwrap());
        alice.request(options, now)
    });
    stage.run(
        "alice -> two  OPTIONS  Authorization~=nc=00000002
         two -> alice  401  WWW-Authenticate='Digest realm=\"ims.example\", nonce=\"o\", qop=\"auth\"'
         alice -> two  OPTIONS  Authorization~=nonce=\"o\"
         two -> alice  503
         alice -> one  OPTIONS  Authorization~=nonce=\"o\"
         one -> alice  200",
    );
    stage.told(&["response 200"]);
}

/// RFC 5922 §7.3: over TLS the domain that was looked up goes along with the INVITE, its CANCEL and its ACK.
#[test]
fn over_tls_the_domain_goes_along() {
    let now = Clock::new().now();
    let listener = Listener { transport: Transport::Tls, sent_by: "192.0.2.1:5061".into(), side: Side::Core };
    let mut config = Config::new(transaction::Config::new([3; 32], vec![listener]));
    config.hosts.push(("ims.example".into(), "tls:192.0.2.21:5061".parse().unwrap()));
    let mut alice = UserAgent::new(config, now);
    let sent = |alice: &mut UserAgent| loop {
        match alice.poll_output() {
            Output::Transmit(transmit) => {
                assert_eq!(transmit.domain.as_deref(), Some("ims.example"));
                let Ok(Message::Request(request)) = Message::parse(transmit.bytes) else { panic!("a request") };
                return (request, transmit.flow);
            }
            Output::Event(_) => {}
            other @ (Output::Close(_) | Output::Ask(_) | Output::Wait(_)) => panic!("{other:?}"),
        }
    };
    let call = alice.invite(&"sips:bob@IMS.example".parse().unwrap(), None, now);
    let (invite, flow) = sent(&mut alice);
    assert_eq!(flow.remote, "192.0.2.21:5061".parse().unwrap());
    alice.handle_message(Message::Response(invite.reply(StatusCode::RINGING).with_to_tag("b")), flow, now);
    alice.hang_up(call, now);
    assert!(sent(&mut alice).0.is(&Method::Cancel));
    let late = invite
        .reply(StatusCode::OK)
        .with_to_tag("b")
        .with(crate::header::Contact::new("sips:bob@ims.example".parse::<crate::uri::SipUri>().unwrap()));
    alice.handle_message(Message::Response(late), flow, now);
    assert!(sent(&mut alice).0.is(&Method::Ack));
    assert!(sent(&mut alice).0.is(&Method::Bye));
}

#[test]
fn a_proxy_is_written_in_several_ways() {
    for (text, uri) in [
        ("ims.example", "sip:ims.example"),
        ("ims.example:5070", "sip:ims.example:5070"),
        ("sip:ims.example;transport=tcp", "sip:ims.example;transport=tcp"),
        ("SIPS:ims.example", "SIPS:ims.example"),
        ("udp:192.0.2.9:5060", "sip:192.0.2.9:5060;transport=udp"),
        ("TLS:ims.example", "sip:ims.example;transport=tls"),
        ("[2001:db8::1]:5060", "sip:[2001:db8::1]:5060"),
    ] {
        assert_eq!(text.parse::<OutboundProxy>().unwrap().to_string(), uri);
    }
    assert!("tel:+1".parse::<OutboundProxy>().is_err() && "".parse::<OutboundProxy>().is_err());
}
