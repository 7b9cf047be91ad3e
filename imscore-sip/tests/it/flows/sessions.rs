//! RFC 3665 §3.

use std::time::Duration;

use imscore_sip::{Method, Request, StatusCode};

use super::{Lab, Manner, Server, sound};

const BOB: &str = "sip:bob@biloxi.example";
const AT_BOB: &str = "sip:bob@192.0.2.2:5060";

/// Alice behind proxy1, bob behind proxy2.
fn two_proxies(change: impl FnOnce(Server) -> Server) -> Lab {
    let lab = Lab::new();
    let now = lab.ladder.now();
    lab.agent("alice", "atlanta.example", "192.0.2.1", Some("192.0.2.8"))
        .agent("bob", "biloxi.example", "192.0.2.2", Some("192.0.2.9"))
        .server(
            "proxy1",
            "192.0.2.8",
            Server::new("atlanta.example").next("biloxi.example", "192.0.2.9").asking_to_call(),
        )
        .server("proxy2", "192.0.2.9", change(Server::new("biloxi.example").knowing("bob", AT_BOB, now)))
}

/// The INVITE of alice as far as bob's 180.
const RINGS: &str = "alice -> proxy1  INVITE sip:bob@biloxi.example  -Proxy-Authorization
    proxy1 -> alice  100
    proxy1 -> alice  407
    alice -> proxy1  ACK
    alice -> proxy1  INVITE sip:bob@biloxi.example  +Proxy-Authorization CSeq='2 INVITE'
    proxy1 -> alice  100
    proxy1 -> proxy2  INVITE sip:bob@biloxi.example  Via#=2 Record-Route#=1
    proxy2 -> proxy1  100
    proxy2 -> bob  INVITE sip:bob@192.0.2.2:5060  Via#=3 Record-Route#=2
    bob -> proxy2  180
    proxy2 -> proxy1  180
    proxy1 -> alice  180";

const ANSWERED: &str = "bob -> proxy2  200
    proxy2 -> proxy1  200
    proxy1 -> alice  200
    alice -> proxy1  ACK
    proxy1 -> proxy2  ACK
    proxy2 -> bob  ACK  -Route";

const BOB_HANGS_UP: &str = "bob -> proxy2  BYE
    proxy2 -> proxy1  BYE
    proxy1 -> alice  BYE
    alice -> proxy1  200
    proxy1 -> proxy2  200
    proxy2 -> bob  200";

#[test]
fn rfc_3665_3_1_successful_session_establishment() {
    let mut lab = Lab::new().agent("alice", "atlanta.example", "192.0.2.1", None).agent(
        "bob",
        "biloxi.example",
        "192.0.2.2",
        None,
    );
    lab.call("alice", AT_BOB);
    lab.run("alice -> bob  INVITE sip:bob@192.0.2.2:5060  +sdp\nbob -> alice  180");
    lab.answer("bob", "192.0.2.2");
    lab.run("bob -> alice  200  +sdp\nalice -> bob  ACK  -sdp");
    lab.hang_up("bob");
    lab.run("bob -> alice  BYE\nalice -> bob  200\n+2m");
    lab.told("alice", &["180", "200", "Bye"]);
    lab.told("bob", &["INVITE", "confirmed"]);
}

#[test]
fn rfc_3665_3_2_session_establishment_through_two_proxies() {
    let mut lab = two_proxies(|server| server);
    lab.call("alice", BOB);
    lab.run(RINGS);
    lab.answer("bob", "192.0.2.2");
    lab.run(ANSWERED);
    lab.hang_up("bob");
    lab.run(BOB_HANGS_UP);
    lab.told("alice", &["180", "200", "Bye"]);
}

#[test]
fn rfc_3665_3_3_session_with_multiple_proxy_authentication() {
    let lab = Lab::new();
    let now = lab.ladder.now();
    let biloxi = Server::new("biloxi.example").knowing("bob", AT_BOB, now).asking_to_call();
    let mut lab = lab
        .agent_with("alice", "atlanta.example", "192.0.2.1", Some("192.0.2.8"), |config| {
            config.with_login("alice", "secret", "biloxi.example")
        })
        .agent("bob", "biloxi.example", "192.0.2.2", Some("192.0.2.9"))
        .server(
            "proxy1",
            "192.0.2.8",
            Server::new("atlanta.example").next("biloxi.example", "192.0.2.9").asking_to_call(),
        )
        .server("proxy2", "192.0.2.9", biloxi);
    lab.manner("bob", Manner::Answer);
    lab.call("alice", BOB);
    lab.run(
        "alice -> proxy1  INVITE sip:bob@biloxi.example  -Proxy-Authorization
         proxy1 -> alice  100
         proxy1 -> alice  407  Proxy-Authenticate~=atlanta.example
         alice -> proxy1  ACK
         alice -> proxy1  INVITE sip:bob@biloxi.example  CSeq='2 INVITE' Proxy-Authorization~=atlanta.example
         proxy1 -> alice  100
         proxy1 -> proxy2  INVITE sip:bob@biloxi.example  -Proxy-Authorization Record-Route#=1
         proxy2 -> proxy1  100
         proxy2 -> proxy1  407  Proxy-Authenticate~=biloxi.example
         proxy1 -> proxy2  ACK
         proxy1 -> alice  407  Proxy-Authenticate~=biloxi.example
         alice -> proxy1  ACK
         alice -> proxy1  INVITE sip:bob@biloxi.example  CSeq='3 INVITE' Proxy-Authorization~=atlanta.example
         |                Proxy-Authorization~=biloxi.example
         proxy1 -> alice  100
         proxy1 -> proxy2  INVITE sip:bob@biloxi.example  Proxy-Authorization~=biloxi.example
         |                 Proxy-Authorization!~=atlanta.example
         proxy2 -> proxy1  100
         proxy2 -> bob  INVITE sip:bob@192.0.2.2:5060  -Proxy-Authorization Record-Route#=2
         bob -> proxy2  200
         proxy2 -> proxy1  200
         proxy1 -> alice  200
         alice -> proxy1  ACK  CSeq='3 ACK' Proxy-Authorization~=atlanta.example Proxy-Authorization~=biloxi.example
         proxy1 -> proxy2  ACK
         proxy2 -> bob  ACK  -Route",
    );
    lab.told("alice", &["200"]);
    lab.told("bob", &["INVITE", "confirmed"]);
}

#[test]
fn rfc_3665_3_4_successful_session_with_proxy_failure() {
    let lab = Lab::new();
    let now = lab.ladder.now();
    let mut lab = lab
        .agent("alice", "biloxi.example", "192.0.2.1", Some("192.0.2.7"))
        .agent("bob", "biloxi.example", "192.0.2.2", None)
        .server("proxy2", "192.0.2.9", Server::new("biloxi.example").knowing("bob", AT_BOB, now));
    lab.manner("bob", Manner::Answer);
    lab.call("alice", BOB);
    lab.ladder.network().run_for(Duration::from_secs(32));
    lab.told("alice", &["Failed(Timeout)"]);
    // Alice's owner goes on to the next proxy.
    lab.with("alice", |alice, _| alice.set_proxy(super::flow("192.0.2.9")));
    lab.call("alice", BOB);
    lab.ladder.network().run_for(Duration::from_secs(1));
    lab.told("alice", &["200"]);
    lab.told("bob", &["INVITE", "confirmed"]);
}

/// The gateway is on the way of signalling and media alike: either side is told its address.
#[test]
fn rfc_3665_3_5_session_through_a_sip_alg() {
    let lab = Lab::new();
    let now = lab.ladder.now();
    let mut gateway = Server::new("alg.example").next("biloxi.example", "192.0.2.9");
    gateway.bridges = Some(["192.0.2.128", "192.0.2.129"]);
    let mut lab = lab
        .agent("alice", "atlanta.example", "192.0.2.1", None)
        .agent("bob", "biloxi.example", "192.0.2.2", Some("192.0.2.9"))
        .server("alg", "192.0.2.8", gateway)
        .server("proxy2", "192.0.2.9", Server::new("biloxi.example").knowing("bob", AT_BOB, now));
    // By a Route that alice was given beforehand.
    let call = lab.with("alice", |alice, now| {
        let mut invite = Request::new(&Method::Invite, BOB);
        invite.headers.push_raw("Route", b"<sip:192.0.2.8;lr>");
        invite.set_body("application/sdp", sound("192.0.2.1", 1).to_bytes());
        alice.invite_with(invite, now)
    });
    lab.run(
        "alice -> alg  INVITE sip:bob@biloxi.example  Route=<sip:192.0.2.8;lr> body~='c=IN IP4 192.0.2.1'
         alg -> alice  100
         alg -> proxy2  INVITE sip:bob@biloxi.example  -Route Record-Route#=1 body~='c=IN IP4 192.0.2.128'
         proxy2 -> alg  100
         proxy2 -> bob  INVITE sip:bob@192.0.2.2:5060  body~='c=IN IP4 192.0.2.128'
         bob -> proxy2  180
         proxy2 -> alg  180
         alg -> alice  180",
    );
    lab.answer("bob", "192.0.2.2");
    lab.run(
        "bob -> proxy2  200  body~='c=IN IP4 192.0.2.2'
         proxy2 -> alg  200  body~='c=IN IP4 192.0.2.2'
         alg -> alice  200  body~='c=IN IP4 192.0.2.129'
         alice -> alg  ACK
         alg -> proxy2  ACK
         proxy2 -> bob  ACK",
    );
    let agreed = |agent: &mut imscore_sip::ua::UserAgent, call| agent.agreed(call).unwrap().remote.to_string();
    assert!(lab.with("alice", |alice, _| agreed(alice, call)).contains("192.0.2.129"));
    let at_bob = lab.notes("bob").call.unwrap();
    assert!(lab.with("bob", |bob, _| agreed(bob, at_bob)).contains("192.0.2.128"));
    lab.with("alice", |alice, now| alice.hang_up(call, now));
    lab.run(
        "alice -> alg  BYE
         alg -> proxy2  BYE
         proxy2 -> bob  BYE
         bob -> proxy2  200
         proxy2 -> alg  200
         alg -> alice  200",
    );
    lab.told("alice", &["180", "200"]);
    lab.told("bob", &["INVITE", "confirmed", "Bye"]);
}

#[test]
fn rfc_3665_3_6_session_via_redirect_and_proxy_with_sdp_in_ack() {
    let lab = Lab::new();
    let now = lab.ladder.now();
    let mut redirect = Server::new("biloxi.example").knowing("bob", "sip:bob@chicago.example", now);
    redirect.redirects = true;
    let mut lab = lab
        .agent("alice", "atlanta.example", "192.0.2.1", Some("192.0.2.8"))
        .agent("bob", "chicago.example", "192.0.2.2", None)
        .server("redirect", "192.0.2.8", redirect)
        .server("proxy", "192.0.2.9", Server::new("chicago.example").knowing("bob", AT_BOB, now));
    let target = BOB.parse().unwrap();
    lab.with("alice", |alice, now| alice.invite(&target, None, now));
    lab.run(
        "alice -> redirect  INVITE sip:bob@biloxi.example  -sdp
         redirect -> alice  100
         redirect -> alice  302  Contact=<sip:bob@chicago.example>
         alice -> redirect  ACK",
    );
    lab.told("alice", &["refused 302"]);
    lab.with("alice", |alice, _| alice.set_proxy(super::flow("192.0.2.9")));
    let target = "sip:bob@chicago.example".parse().unwrap();
    let call = lab.with("alice", |alice, now| alice.invite(&target, None, now));
    lab.run(
        "alice -> proxy  INVITE sip:bob@chicago.example  -sdp
         proxy -> alice  100
         proxy -> bob  INVITE sip:bob@192.0.2.2:5060
         bob -> proxy  180
         proxy -> alice  180",
    );
    lab.answer("bob", "192.0.2.2");
    lab.run("bob -> proxy  200  +sdp\nproxy -> alice  200  +sdp");
    lab.with("alice", |alice, now| alice.answer(call, &sound("192.0.2.1", 1), now)).unwrap();
    lab.run("alice -> proxy  ACK  +sdp\nproxy -> bob  ACK  +sdp");
    lab.with("alice", |alice, now| alice.hang_up(call, now));
    lab.run("alice -> proxy  BYE\nproxy -> bob  BYE\nbob -> proxy  200\nproxy -> alice  200");
}

#[test]
fn rfc_3665_3_7_session_with_re_invite() {
    let mut lab = Lab::new().agent("alice", "atlanta.example", "192.0.2.1", None).agent(
        "bob",
        "biloxi.example",
        "192.0.2.2",
        None,
    );
    lab.call("alice", AT_BOB);
    lab.run("alice -> bob  INVITE sip:bob@192.0.2.2:5060\nbob -> alice  180");
    lab.answer("bob", "192.0.2.2");
    lab.run("bob -> alice  200\nalice -> bob  ACK");
    let call = lab.notes("bob").call.unwrap();
    let moved = {
        let agreed = lab.with("bob", |bob, _| bob.agreed(call).unwrap().local.to_string());
        let words: Vec<&str> = agreed.lines().find(|line| line.starts_with("o=")).unwrap().split(' ').collect();
        let version =
            format!("{} {} {} {}", words[0], words[1], words[2].parse::<u64>().unwrap() + 1, words[3..].join(" "));
        let text = agreed.replace(&words.join(" "), &version).replace("c=IN IP4 192.0.2.2", "c=IN IP4 192.0.2.3");
        imscore_sip::sdp::SessionDescription::parse(text.into()).unwrap()
    };
    lab.with("bob", |bob, now| bob.offer(call, &moved, now)).unwrap();
    lab.run("bob -> alice  INVITE  +sdp body~=192.0.2.3");
    lab.answer("alice", "192.0.2.1");
    lab.run("alice -> bob  200  +sdp\nbob -> alice  ACK");
    lab.hang_up("bob");
    lab.run("bob -> alice  BYE\nalice -> bob  200");
    lab.told("bob", &["INVITE", "confirmed", "agreed"]);
}

#[test]
fn rfc_3665_3_8_unsuccessful_no_answer() {
    let mut lab = two_proxies(|server| server);
    let call = lab.call("alice", BOB);
    lab.run(RINGS);
    lab.with("alice", |alice, now| alice.hang_up(call, now));
    lab.run(
        "alice -> proxy1  CANCEL
         proxy1 -> alice  200
         proxy1 -> proxy2  CANCEL
         proxy2 -> proxy1  200
         proxy2 -> bob  CANCEL
         bob -> proxy2  200
         bob -> proxy2  487
         proxy2 -> bob  ACK
         proxy2 -> proxy1  487
         proxy1 -> proxy2  ACK
         proxy1 -> alice  487
         alice -> proxy1  ACK",
    );
    lab.told("bob", &["INVITE", "cancelled"]);
}

/// An INVITE of alice that ends with that status, without a 180.
fn refused(status: u16) {
    let mut lab = two_proxies(|server| server);
    lab.manner("bob", Manner::Refuse(StatusCode::new(status).unwrap()));
    lab.call("alice", BOB);
    let begins = &RINGS[..RINGS.find("    bob -> proxy2  180").unwrap()];
    lab.run(&format!(
        "{begins}
         bob -> proxy2  {status}
         proxy2 -> bob  ACK
         proxy2 -> proxy1  {status}
         proxy1 -> proxy2  ACK
         proxy1 -> alice  {status}
         alice -> proxy1  ACK"
    ));
    lab.told("alice", &[format!("refused {status}").as_str()]);
}

#[test]
fn rfc_3665_3_9_unsuccessful_busy() {
    refused(486);
}

#[test]
fn rfc_3665_3_11_unsuccessful_temporarily_unavailable() {
    refused(480);
}

#[test]
fn rfc_3665_3_10_unsuccessful_no_response_from_user_agent() {
    let lab = Lab::new();
    let now = lab.ladder.now();
    let mut lab = lab.agent("alice", "biloxi.example", "192.0.2.1", Some("192.0.2.9")).server(
        "proxy",
        "192.0.2.9",
        Server::new("biloxi.example").knowing("bob", AT_BOB, now),
    );
    lab.call("alice", BOB);
    lab.run(
        "alice -> proxy  INVITE sip:bob@biloxi.example
         proxy -> alice  100
         proxy -> 192.0.2.2:5060  INVITE sip:bob@192.0.2.2:5060
         +500ms
         proxy -> 192.0.2.2:5060  INVITE  again
         +1s
         proxy -> 192.0.2.2:5060  INVITE  again
         +2s
         proxy -> 192.0.2.2:5060  INVITE  again
         +4s
         proxy -> 192.0.2.2:5060  INVITE  again
         +8s
         proxy -> 192.0.2.2:5060  INVITE  again
         +16s
         proxy -> 192.0.2.2:5060  INVITE  again
         +500ms
         proxy -> alice  408
         alice -> proxy  ACK",
    );
    lab.told("alice", &["refused 408"]);
}

/// Beside the calls: a text reaches bob by the same proxies (RFC 3428 §4).
#[test]
fn rfc_3428_a_message_through_two_proxies() {
    let mut lab = two_proxies(|server| server);
    lab.manner("bob", Manner::Answer);
    lab.with("alice", |alice, now| {
        alice.request(Request::new(&Method::Message, BOB).with_body("text/plain", "hello"), now)
    });
    lab.run(
        "alice -> proxy1  MESSAGE sip:bob@biloxi.example
         proxy1 -> proxy2  MESSAGE sip:bob@biloxi.example
         proxy2 -> bob  MESSAGE sip:bob@192.0.2.2:5060  body~=hello
         bob -> proxy2  200
         proxy2 -> proxy1  200
         proxy1 -> alice  200",
    );
}
