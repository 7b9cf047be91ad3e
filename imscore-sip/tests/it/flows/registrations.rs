//! RFC 3665 §2.

use std::time::Duration;

use imscore_sip::ua::{Binding, Config, RegistrationHandle};
use imscore_sip::{Method, Request};

use super::{Lab, Server};

fn lab() -> Lab {
    lab_with(|config| config)
}

fn lab_with(change: impl FnOnce(Config) -> Config) -> Lab {
    Lab::new().agent_with("bob", "biloxi.example", "192.0.2.2", Some("192.0.2.9"), change).server(
        "registrar",
        "192.0.2.9",
        Server::new("biloxi.example").asking_to_register(),
    )
}

fn register(lab: &mut Lab) -> RegistrationHandle {
    let binding = Binding::new("sip:biloxi.example".parse().unwrap());
    lab.with("bob", |bob, now| bob.register(binding, now))
}

const REGISTERED: &str = "bob -> registrar  REGISTER sip:biloxi.example  -Authorization
    registrar -> bob  401
    bob -> registrar  REGISTER sip:biloxi.example  +Authorization CSeq='2 REGISTER'
    registrar -> bob  200  Contact~=;expires=3600";

#[test]
fn rfc_3665_2_1_successful_new_registration() {
    let mut lab = lab();
    register(&mut lab);
    lab.run(REGISTERED);
    lab.told("bob", &["registered 3600"]);
}

#[test]
fn rfc_3665_2_2_update_of_contact_list() {
    let mut lab = lab();
    register(&mut lab);
    lab.run(REGISTERED);
    let update = Request::new(&Method::Register, "sip:biloxi.example");
    lab.with("bob", |bob, now| {
        let mut update = update;
        update.headers.push_raw("To", b"<sip:bob@biloxi.example>");
        update.headers.push_raw("Contact", b"<mailto:bob@biloxi.example>");
        bob.request(update, now)
    });
    lab.run(
        "bob -> registrar  REGISTER sip:biloxi.example  +Authorization
         registrar -> bob  200  Contact#=2 Contact~=mailto:bob@biloxi.example",
    );
    lab.told("bob", &["registered 3600", "200"]);
}

#[test]
fn rfc_3665_2_3_request_for_current_contact_list() {
    let mut lab = lab();
    register(&mut lab);
    lab.run(REGISTERED);
    let mut question = Request::new(&Method::Register, "sip:biloxi.example");
    question.headers.push_raw("To", b"<sip:bob@biloxi.example>");
    lab.with("bob", |bob, now| bob.request(question, now));
    lab.run(
        "bob -> registrar  REGISTER sip:biloxi.example  -Contact +Authorization
         registrar -> bob  200  Contact~=sip:bob@192.0.2.2",
    );
}

#[test]
fn rfc_3665_2_4_cancellation_of_registration() {
    let mut lab = lab();
    let registration = register(&mut lab);
    lab.run(REGISTERED);
    lab.with("bob", |bob, now| bob.unregister(registration, now));
    lab.run(
        "bob -> registrar  REGISTER sip:biloxi.example  Expires=0 +Authorization
         registrar -> bob  200  -Contact",
    );
    lab.told("bob", &["registered 3600", "unregistered Some(200) false"]);
    lab.ladder.network().run_for(Duration::from_secs(7_200));
    lab.told("bob", &[]);
}

#[test]
fn rfc_3665_2_5_unsuccessful_registration() {
    let mut lab = lab_with(|config| config.with_login("bob", "wrong", "biloxi.example"));
    register(&mut lab);
    lab.run(
        "bob -> registrar  REGISTER sip:biloxi.example  -Authorization
         registrar -> bob  401
         bob -> registrar  REGISTER sip:biloxi.example  +Authorization
         registrar -> bob  403",
    );
    lab.told("bob", &["unregistered Some(403) false"]);
}
