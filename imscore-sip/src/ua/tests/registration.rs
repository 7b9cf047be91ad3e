use super::*;
use crate::ua::Binding;

fn register(stage: &mut Stage) -> crate::ua::RegistrationHandle {
    let binding = Binding::new("sip:ims.example".parse().unwrap());
    stage.alice(|alice, now| alice.register(binding, now))
}

/// RFC 3665 §2.1, §2.2, §2.4: a registration is made, kept and taken back.
#[test]
fn a_registration_lives_until_it_is_taken_back() {
    let mut stage = Stage::new(|config| config.with_login("alice", "secret", "ims.example"));
    let registration = register(&mut stage);
    stage.run(
        "alice -> proxy  REGISTER sip:ims.example  CSeq='1 REGISTER' Expires=3600 -Authorization
         |               Contact=<sip:alice@192.0.2.1:5060;transport=udp> To=<sip:alice@ims.example>
         proxy -> alice  401
         alice -> proxy  REGISTER sip:ims.example  CSeq='2 REGISTER' Authorization~=nc=00000001
         proxy -> alice  200  Service-Route=<sip:192.0.2.9;lr>
         +50m
         alice -> proxy  REGISTER sip:ims.example  CSeq='3 REGISTER' Authorization~=nc=00000002
         proxy -> alice  200  Service-Route=<sip:192.0.2.9;lr>",
    );
    stage.told(&["registered 3600", "registered 3600"]);
    stage.invite();
    stage.run("alice -> proxy  INVITE  Route=<sip:192.0.2.9;lr>\nproxy -> alice  486\nalice -> proxy  ACK");
    stage.alice(|alice, now| assert!(alice.unregister(registration, now)));
    stage.run("alice -> proxy  REGISTER  Expires=0 CSeq='4 REGISTER'\nproxy -> alice  200");
    stage.told(&["refused 486", "unregistered Some(200) false"]);
    stage.is_over();
}

/// RFC 3261 §10.2.8, §10.2.4.
#[test]
fn a_registrar_has_its_way_with_the_time() {
    let mut stage = Stage::new(|config| config);
    register(&mut stage);
    stage.run(
        "alice -> proxy  REGISTER
         proxy -> alice  423  Min-Expires=7200
         alice -> proxy  REGISTER  Expires=7200 CSeq='2 REGISTER'
         proxy -> alice  423  Min-Expires=7200",
    );
    stage.told(&["unregistered Some(423) false"]);
    stage.is_over();

    let mut stage = Stage::new(|config| config);
    register(&mut stage);
    stage.run(
        "alice -> proxy  REGISTER
         proxy -> alice  200  Contact=<sip:alice@192.0.2.1:5060;transport=udp>;expires=60
         +30s
         alice -> proxy  REGISTER
         proxy -> alice  403",
    );
    stage.told(&["registered 60", "unregistered Some(403) false"]);
    stage.is_over();
}

/// RFC 5626 §4.5: between half and all of 30 s, then of 60 s; a Retry-After goes before.
#[test]
fn a_registration_comes_back() {
    let mut stage = Stage::new(|config| config);
    register(&mut stage);
    stage.run("alice -> proxy  REGISTER\nproxy -> alice  503  Retry-After=7\n+7s\nalice -> proxy  REGISTER\nproxy -> alice  500");
    stage.told(&["unregistered Some(503) true", "unregistered Some(500) true"]);
    let host = stage.host();
    stage.run("+29s");
    let waited = stage.ladder.network().with(host, |alice, _| alice.engine().pending());
    assert_eq!(waited, (0, 1), "half of 60 s are not over");
}

/// RFC 5627 §4.2, §4.3, RFC 5626 §4.2: the instance goes along, and the GRUU that comes back is the Contact of calls.
#[test]
fn a_gruu_is_used() {
    let instance = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
    let mut stage = Stage::new(|config| Config { instance: Some(instance.into()), ..config });
    let mut binding = Binding::new("sip:ims.example".parse().unwrap());
    binding.reg_id = Some(1);
    stage.alice(|alice, now| alice.register(binding, now));
    let script = "alice -> proxy  REGISTER  Supported='path, gruu, outbound' Contact~=;ob>
         |               Contact~=;reg-id=1 Contact~='+sip.instance=\"<INSTANCE>\"'
         proxy -> alice  200
         |               Contact='<sip:alice@192.0.2.1:5060;transport=udp;ob>;expires=600;reg-id=1;+sip.instance=\"<INSTANCE>\";pub-gruu=\"sip:alice@ims.example;gr=INSTANCE\"'";
    stage.run(&script.replace("INSTANCE", instance));
    stage.told(&["registered 600"]);
    stage.invite();
    stage.run(&format!("alice -> proxy  INVITE  Contact=<sip:alice@ims.example;gr={instance}>"));
}
