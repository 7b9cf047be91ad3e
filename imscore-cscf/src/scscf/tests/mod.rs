//! The S-CSCF by itself: phones that register, calls, and what ends without either.

mod aka;
mod background;
mod registration;
mod session;
mod sharing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use imscore_hss::state::{
    Claim, Key, MemoryState, Record, StateChanges, StateError, StateStore, Swap, Table, Version, Write,
};
use imscore_hss::testing::{FaultyHss, Question};
use imscore_hss::{
    AssignmentType, Credentials, DigestCredentials, Hss, PrivateIdentity, ProfileIdentity, PublicIdentity,
    ServiceProfile, Subscription,
};
use imscore_sip::auth::{self, Login};
use imscore_sip::header::{Authorization, WwwAuthenticate};
use imscore_sip::{Method, Request, Response};

use super::{Scscf, Settings};
use crate::registration::Registration;
use crate::trial::{Outcome, Trial, request};

/// A state store that can be switched off.
struct Store {
    inner: MemoryState,
    is_down: AtomicBool,
}

impl Store {
    fn check(&self) -> Result<(), StateError> {
        if self.is_down.load(Ordering::Relaxed) { Err(StateError::Unreachable) } else { Ok(()) }
    }
}

#[async_trait]
impl StateStore for Store {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StateError> {
        self.check()?;
        self.inner.get(key).await
    }

    async fn compare_and_swap(&self, key: &Key, expected: Option<Version>, write: Write) -> Result<Swap, StateError> {
        self.check()?;
        self.inner.compare_and_swap(key, expected, write).await
    }

    async fn remove(&self, key: &Key, expected: Version) -> Result<Swap, StateError> {
        self.check()?;
        self.inner.remove(key, expected).await
    }

    async fn claim_due(&self, table: Table, limit: usize, lease: Duration) -> Result<Vec<Claim>, StateError> {
        self.check()?;
        self.inner.claim_due(table, limit, lease).await
    }

    fn subscribe(&self, table: Table) -> StateChanges {
        self.inner.subscribe(table)
    }
}

struct Bench {
    trial: Trial,
    hss: Arc<FaultyHss<Hss>>,
    store: Arc<Store>,
    scscf: Scscf,
}

/// A subscriber whose first identity is barred.
fn subscription(name: &str, number: &str) -> Subscription {
    let private: PrivateIdentity = format!("{name}@ims.example").parse().unwrap();
    let digest = DigestCredentials::from_password(&private, "ims.example", "secret").unwrap();
    let identity = |text: String| text.parse::<PublicIdentity>().unwrap();
    let identities = vec![
        ProfileIdentity::barred(identity(format!("sip:{name}.imsi@ims.example"))),
        ProfileIdentity::new(identity(format!("sip:{name}@ims.example"))),
        ProfileIdentity::new(identity(format!("tel:{number}"))),
    ];
    Subscription::with_profiles(private, vec![ServiceProfile::new(identities)], Credentials::Digest(digest)).unwrap()
}

impl Bench {
    fn new() -> Bench {
        Bench::with(Settings::new("scscf.ims.example", "icscf.ims.example"))
    }

    fn with(settings: Settings) -> Bench {
        let trial = Trial::new();
        let users = [subscription("alice", "+12015550101"), subscription("bob", "+12015550102")];
        let hss = Arc::new(FaultyHss::new(Hss::with_subscribers(users, [0; 32]).unwrap()));
        let inner = MemoryState::new(trial.clock.clone(), 7);
        let store = Arc::new(Store { inner, is_down: AtomicBool::new(false) });
        let scscf = Scscf::new(settings, hss.clone(), store.clone()).unwrap();
        Bench { trial, hss, store, scscf }
    }

    /// Another S-CSCF on the same HSS and store.
    fn neighbour(&self, name: &str) -> Scscf {
        Scscf::new(Settings::new(name, "icscf.ims.example"), self.hss.clone(), self.store.clone()).unwrap()
    }

    #[track_caller]
    fn send(&mut self, route: &str, request: Request) -> Outcome {
        self.trial.request(&self.scscf, route, request)
    }

    /// Time goes by, and the background work is done meanwhile.
    fn pass(&mut self, time: Duration) {
        let call = self.trial.call("");
        let scscf = &self.scscf;
        self.trial.run_for(time, scscf.run_background(&call));
    }

    /// Registers a phone of these lines by challenge and answer.
    #[track_caller]
    fn registered(&mut self, name: &str, lines: &str) -> Phone {
        let mut phone = Phone::new(name);
        assert_eq!(phone.register(self, lines).status().code(), 401);
        let response = phone.register(self, lines);
        assert_eq!(response.status().code(), 200, "{response:?}");
        phone
    }

    /// The registration that an identity is part of.
    fn found(&mut self, identity: &str) -> Option<Registration> {
        let call = self.trial.call("");
        self.trial.run(self.scscf.registrations.find(&call, &identity.parse().unwrap())).unwrap()
    }

    /// What the HSS was told of assignments so far.
    fn assignments(&self) -> Vec<AssignmentType> {
        let assignment = |question| match question {
            Question::ServerAssignment(request) => Some(request.assignment),
            Question::UserAuthorization(_) | Question::MultimediaAuth(_) | Question::LocationInfo(_) => None,
        };
        self.hss.asked().into_iter().filter_map(assignment).collect()
    }

    fn asked(&self, wanted: fn(&Question) -> bool) -> usize {
        self.hss.asked().iter().filter(|question| wanted(question)).count()
    }

    fn put(&mut self, subscription: Subscription) {
        let hss = self.hss.inner().clone();
        self.trial.run(hss.put(subscription)).unwrap();
    }
}

fn is_multimedia_auth(question: &Question) -> bool {
    matches!(question, Question::MultimediaAuth(_))
}

/// What a phone knows.
#[derive(Clone)]
struct Phone {
    name: String,
    login: Login,
    call_id: String,
    cseq: u32,
    challenge: Option<WwwAuthenticate>,
    nonce_count: u32,
}

impl Phone {
    fn new(name: &str) -> Phone {
        Phone {
            name: name.to_string(),
            login: Login::new(format!("{name}@ims.example"), "secret"),
            call_id: format!("call-of-{name}"),
            cseq: 0,
            challenge: None,
            nonce_count: 0,
        }
    }

    fn password(mut self, password: &str) -> Phone {
        self.login = Login::new(format!("{}@ims.example", self.name), password);
        self
    }

    /// A REGISTER, with an answer where there is a challenge.
    fn request(&mut self, lines: &str) -> Request {
        self.cseq += 1;
        let Phone { name, call_id, cseq, .. } = self;
        let mut register = request(&format!(
            "REGISTER sip:scscf.ims.example SIP/2.0
            Via: SIP/2.0/UDP icscf.ims.example;branch=z9hG4bK{cseq}
            Path: <sip:token@pcscf.ims.example;lr;ob>
            From: <sip:{name}@ims.example>;tag=1
            To: <sip:{name}@ims.example>
            Call-ID: {call_id}
            CSeq: {cseq} REGISTER
            {lines}"
        ));
        if let Some(challenge) = &self.challenge {
            self.nonce_count += 1;
            let question = auth::Question::read(challenge).unwrap();
            let uri = "sip:ims.example";
            let answer = self.login.answer(&question, &Method::Register, uri, b"", "cnonce", self.nonce_count);
            register.headers.push(&Authorization::from(answer.unwrap()));
        }
        register
    }

    #[track_caller]
    fn register(&mut self, bench: &mut Bench, lines: &str) -> Response {
        let request = self.request(lines);
        let response = bench.send("", request).response();
        if let Some(challenge) = response.headers.get::<WwwAuthenticate>().unwrap() {
            self.challenge = Some(challenge);
            self.nonce_count = 0;
        }
        response
    }
}

fn values(response: &Response, name: &str) -> Vec<String> {
    response.headers.raw_all(name).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

const CONTACT: &str = "Contact: <sip:a@192.0.2.1>";
