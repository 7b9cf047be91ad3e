//! Challenges: AKA (RFC 3310, RFC 4169), the strongest of several (RFC 8760), several realms (RFC 3261 §22.3).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Stage, bob};
use crate::auth::{AkaAnswer, AkaChallenge, AkaKeys, AkaResponse};
use crate::message::{Method, Request};
use crate::ua::{Binding, Config};

/// RAND and AUTN in base64: the first, the second, and one of somebody who does not know the key.
const FIRST: &str = "AQEBAQEBAQEBAQEBAQEBAaGhoaGhoaGhoaGhoaGhoaE=";
const SECOND: &str = "AgICAgICAgICAgICAgICAqKioqKioqKioqKioqKioqI=";
const FORGED: &str = "CQkJCQkJCQkJCQkJCQkJCampqampqampqampqampqak=";

/// A phone with a card that answers the second challenge, and the first unless it is ahead of it; how often it was asked.
fn with_card(is_ahead: bool, change: impl FnOnce(Config) -> Config) -> (Stage, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let usim = move |challenge: &AkaChallenge| {
        count.fetch_add(1, Ordering::Relaxed);
        assert_eq!(challenge.autn, challenge.rand.map(|byte| byte + 0xa0));
        match challenge.rand[0] {
            9 => AkaAnswer::MacFailure,
            1 if is_ahead => AkaAnswer::SynchronisationFailure([0x5a; 14]),
            _ => AkaAnswer::Response {
                res: AkaResponse::new([0xff, 0, b':', 1, 2, 3, 4, 5]),
                keys: AkaKeys { ck: [0xc1; 16], ik: [0x1c; 16] },
            },
        }
    };
    (Stage::new(|config| change(config.with_usim("alice@ims.example", "ims.example", usim))), asked)
}

fn register(stage: &mut Stage) {
    stage.alice(|alice, now| alice.register(Binding::new("sip:ims.example".parse().unwrap()), now));
}

fn message(stage: &mut Stage) {
    let message = Request::new(&Method::Message, bob().as_str()).with_body("text/plain", "hi");
    stage.alice(|alice, now| alice.request(message, now));
}

/// RFC 3310 §3.3, RFC 4169 §3, TS 24.229 §5.1.1.2.2: a card registers and calls, by answers that were computed apart. It is
/// asked once for each challenge.
#[test]
fn a_card_registers_and_calls() {
    for (algorithm, to_register, to_call) in [
        ("AKAv1-MD5", "6a8166273fcaf4f1897a4f42f3d7ce49", "1bd6310ec602448a94fcbe106e9cab2d"),
        ("AKAv2-MD5", "2795eff0ab01d42d6f34d3a9d6d7354b", "8e8b72d5d8418dea27e9671e6a6ff350"),
        (
            "AKAv2-SHA-256",
            "7fd3a6ba86baaff72e62f5d14ee406cca20f861a5025dc727da2585f4b29432f",
            "975da3df04ca7a3387ca8354b2b1656d8c0a40c306019b51d2fd5c02469dbd23",
        ),
    ] {
        let (mut stage, asked) = with_card(false, |config| config);
        register(&mut stage);
        stage.run(&format!(
            "alice -> proxy  REGISTER sip:ims.example  Authorization~='username=\"alice@ims.example\"'
             |               Authorization~='nonce=\"\"' Authorization~='response=\"\"'
             proxy -> alice  401  WWW-Authenticate='Digest realm=\"ims.example\", nonce=\"{FIRST}\", algorithm={algorithm}'
             alice -> proxy  REGISTER  CSeq='2 REGISTER' Authorization!~='nonce=\"\"' Authorization~='response=\"{to_register}\"'
             |               Authorization~='username=\"alice@ims.example\"' Authorization!~=auts
             proxy -> alice  200"
        ));
        stage.invite();
        stage.run(&format!(
            "alice -> proxy  INVITE sip:bob@ims.example  -Proxy-Authorization
             proxy -> alice  407  Proxy-Authenticate='Digest realm=\"ims.example\", nonce=\"{SECOND}\", algorithm={algorithm}'
             alice -> proxy  ACK
             alice -> proxy  INVITE  Proxy-Authorization~='response=\"{to_call}\"'
             proxy -> alice  486
             alice -> proxy  ACK
             +50m
             alice -> proxy  REGISTER  Authorization~='response=\"{to_register}\"'
             proxy -> alice  200"
        ));
        stage.told(&["registered 3600", "refused 486", "registered 3600"]);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}

/// RFC 3310 §3.4: a card that is ahead says so with AUTS and an answer by an empty password, and answers the next challenge; one
/// that is ahead of that too is a failure.
#[test]
fn a_card_that_is_ahead_is_caught_up_with() {
    for (next, status, told) in [(SECOND, "200", "registered 3600"), (FIRST, "401", "unregistered Some(401) false")] {
        let (mut stage, _) = with_card(true, |config| config);
        let challenge =
            |nonce| format!("WWW-Authenticate='Digest realm=\"ims.example\", nonce=\"{nonce}\", algorithm=AKAv1-MD5'");
        let second = if next == SECOND {
            "Authorization!~=auts Authorization~='response=\"072b40ae644584e387a1c383418b5d7c\"'"
        } else {
            "Authorization~=auts="
        };
        let last = if status == "200" { String::new() } else { challenge(FIRST) };
        register(&mut stage);
        stage.run(&format!(
            "alice -> proxy  REGISTER  Authorization~='nonce=\"\"'
             proxy -> alice  401  {}
             alice -> proxy  REGISTER  CSeq='2 REGISTER' Authorization~='auts=\"WlpaWlpaWlpaWlpaWlo=\"'
             |               Authorization~='response=\"57d2e0087d695b622b054c35e347aa6d\"'
             proxy -> alice  401  {}
             alice -> proxy  REGISTER  CSeq='3 REGISTER' {second}
             proxy -> alice  {status}  {last}",
            challenge(FIRST),
            challenge(next)
        ));
        stage.told(&[told]);
    }
}

/// RFC 3310 §2, TS 33.102 §6.3.3: whoever does not know the key gets no answer, and no password in its place.
#[test]
fn a_forged_challenge_is_not_answered() {
    let (mut stage, asked) = with_card(false, |config| config.with_login("alice", "secret", "ims.example"));
    register(&mut stage);
    stage.run(&format!(
        "alice -> proxy  REGISTER
         proxy -> alice  401  WWW-Authenticate='Digest realm=\"ims.example\", nonce=\"n1\"'
         |               WWW-Authenticate+='Digest realm=\"ims.example\", nonce=\"{FORGED}\", algorithm=AKAv1-MD5'"
    ));
    stage.told(&["unregistered Some(401) false"]);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    stage.is_over();
}

/// RFC 7616 §3.7, RFC 8760 §2.4: of several challenges the strongest that is known, wherever it stands.
#[test]
fn the_strongest_challenge_is_answered() {
    let mut stage = Stage::new(|config| config.with_login("alice", "secret", "ims.example"));
    register(&mut stage);
    stage.run(
        "alice -> proxy  REGISTER  -Authorization
         proxy -> alice  401  WWW-Authenticate='Digest realm=\"ims.example\", nonce=\"n1\", algorithm=MD5'
         |               WWW-Authenticate+='Digest realm=\"ims.example\", nonce=\"n1\", algorithm=SHA-512-256'
         |               WWW-Authenticate+='Digest realm=\"ims.example\", nonce=\"n1\", algorithm=SHA-256'
         alice -> proxy  REGISTER  Authorization!~=MD5 Authorization~=algorithm=SHA-256
         |               Authorization~='response=\"5c3d9ddd85f6fedf270a244d16c30ad4115e32d0541564eb6113b6ad4e7e43c3\"'
         proxy -> alice  200",
    );
    stage.told(&["registered 3600"]);
}

const MD5: &str = "Digest realm=\"ims.example\", qop=\"auth\"";

/// RFC 3261 §22.1, RFC 7616 §3.3: what was rejected is not said again, unless only the nonce was stale.
#[test]
fn a_password_that_was_rejected_is_not_said_again() {
    for (stale, goes_again) in [("false", false), ("true", true)] {
        let mut stage = Stage::new(|config| config.with_login("alice", "secret", "ims.example"));
        let again = "alice -> proxy  MESSAGE  Authorization~='nonce=\"n2\"' Authorization~=nc=00000001 CSeq='3 MESSAGE'
             proxy -> alice  200";
        let again = if goes_again { again } else { "" };
        message(&mut stage);
        stage.run(&format!(
            "alice -> proxy  MESSAGE
             proxy -> alice  401  WWW-Authenticate='{MD5}, nonce=\"n1\"'
             alice -> proxy  MESSAGE  Authorization~='nonce=\"n1\"' CSeq='2 MESSAGE'
             proxy -> alice  401  WWW-Authenticate='{MD5}, nonce=\"n2\", stale={stale}'
             {again}"
        ));
        stage.told(&[if goes_again { "response 200" } else { "response 401" }]);
        stage.is_over();
    }
}

/// RFC 7616 §3.5: the nonce that a server names for the next time is used then.
#[test]
fn the_next_nonce_is_used() {
    let mut stage = Stage::new(|config| config.with_login("alice", "secret", "ims.example"));
    message(&mut stage);
    stage.run(&format!(
        "alice -> proxy  MESSAGE
         proxy -> alice  401  WWW-Authenticate='{MD5}, nonce=\"n1\"'
         alice -> proxy  MESSAGE  Authorization~='nonce=\"n1\"'
         proxy -> alice  200  Authentication-Info='nextnonce=\"n2\"'"
    ));
    for count in ["nc=00000001", "nc=00000002"] {
        message(&mut stage);
        stage.run(&format!(
            "alice -> proxy  MESSAGE  Authorization~='nonce=\"n2\"' Authorization~={count}\nproxy -> alice  200"
        ));
    }
    stage.told(&["response 200", "response 200", "response 200"]);
}

/// RFC 3261 §22.3: a request carries answers for several realms, the ACK too; in another call only that of the home network
/// goes ahead.
#[test]
fn proxies_of_several_realms() {
    let logins = |config: Config| {
        config.with_login("alice", "secret", "ims.example").with_login("alice-at-b", "word", "b.example")
    };
    let mut stage = Stage::new(logins);
    stage.invite();
    stage.run(
        "alice -> proxy  INVITE  -Proxy-Authorization
         proxy -> alice  407  Proxy-Authenticate='Digest realm=\"ims.example\", nonce=\"n1\", qop=\"auth\"'
         alice -> proxy  ACK
         alice -> proxy  INVITE  CSeq='2 INVITE' Proxy-Authorization~=nc=00000001
         proxy -> alice  407  Proxy-Authenticate='Digest realm=\"b.example\", nonce=\"n2\", qop=\"auth\"'
         alice -> proxy  ACK  CSeq='2 ACK'
         alice -> proxy  INVITE  CSeq='3 INVITE' Proxy-Authorization~='realm=\"ims.example\"'
         |               Proxy-Authorization~=nc=00000002 Proxy-Authorization~='username=\"alice-at-b\"'
         proxy -> alice  200  Contact=<sip:bob@192.0.2.9>
         alice -> proxy  ACK  CSeq='3 ACK' Proxy-Authorization~=ims.example Proxy-Authorization~=b.example
         proxy -> alice  BYE
         alice -> proxy  200",
    );
    stage.invite();
    stage.run(
        "alice -> proxy  INVITE  Proxy-Authorization~='realm=\"ims.example\"' Proxy-Authorization!~=b.example
         |               Proxy-Authorization~=nc=00000003
         proxy -> alice  486
         alice -> proxy  ACK",
    );
    stage.told(&["answered 200", "Bye", "refused 486"]);
    stage.is_over();
}

/// However many ask, there is one answer to keep for each realm of ours.
#[test]
fn what_is_kept_has_a_limit() {
    let mut stage = Stage::new(|config| config.with_login("alice", "secret", "ims.example"));
    for number in 0..20 {
        message(&mut stage);
        stage.run(&format!(
            "alice -> proxy  MESSAGE
             proxy -> alice  401  WWW-Authenticate='{MD5}, nonce=\"n{number}\"'
             alice -> proxy  MESSAGE  Authorization~=n{number}
             proxy -> alice  200"
        ));
    }
    assert_eq!(stage.alice(|alice, _| alice.spaces.len()), 1);
}
