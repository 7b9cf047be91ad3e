//! What ends without a REGISTER.

use imscore_hss::testing::{Command, Fault};
use imscore_hss::{HssCache, HssError, LocationInfoRequest};

use super::*;

impl Bench {
    /// Whether the HSS has an S-CSCF for this user.
    fn is_assigned(&mut self, name: &str) -> bool {
        let request = LocationInfoRequest::new(format!("sip:{name}@ims.example").parse().unwrap());
        let hss = self.hss.inner().clone();
        self.trial.run(hss.location_info(&request)).is_ok()
    }

    fn bindings(&mut self, identity: &str) -> usize {
        self.found(identity).map_or(0, |registration| registration.bindings.len())
    }
}

const DAY: Duration = Duration::from_secs(86_400);

/// TS 24.229 §5.4.1.4.1.
#[test]
fn bindings_run_out() {
    let mut bench = Bench::new();
    bench.registered("alice", "Contact: <sip:a@192.0.2.1>;expires=60, <sip:b@192.0.2.2>");
    bench.pass(Duration::from_secs(62));
    assert_eq!((bench.bindings("sip:alice@ims.example"), bench.is_assigned("alice")), (1, true));
    bench.pass(Duration::from_secs(3_540));
    assert_eq!((bench.bindings("sip:alice@ims.example"), bench.is_assigned("alice")), (0, false));
    assert_eq!(bench.assignments(), [AssignmentType::Registration, AssignmentType::TimeoutDeregistration]);
    bench.trial.pass(2 * DAY);
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.assignments().len(), 2);
    assert_eq!(bench.store.inner.len(), 0, "nothing is left behind");
}

#[test]
fn an_hss_that_is_away_hears_of_it_later() {
    let mut bench = Bench::new();
    bench.registered("alice", CONTACT);
    for _ in 0..3 {
        bench.hss.fail_next(Command::ServerAssignment, Fault::Answer(HssError::Unreachable));
    }
    bench.pass(Duration::from_secs(3_602));
    assert!(bench.is_assigned("alice"));
    bench.pass(Duration::from_secs(100));
    assert!(!bench.is_assigned("alice"));
    assert_eq!(bench.assignments().len(), 5);
}

/// A registration is ended in the name of the S-CSCF that has it, whoever does the work.
#[test]
fn neighbours_clean_up_for_each_other() {
    let mut bench = Bench::new();
    bench.registered("alice", CONTACT);
    bench.scscf = bench.neighbour("scscf2.ims.example");
    bench.pass(Duration::from_secs(3_602));
    assert!(!bench.is_assigned("alice"));
}

#[test]
fn a_flood_of_ends_is_dealt_with() {
    let mut bench = Bench::new();
    for number in 0..150 {
        bench.put(subscription(&format!("user{number}"), &format!("+1202555{number:04}")));
        bench.registered(&format!("user{number}"), CONTACT);
    }
    bench.pass(Duration::from_secs(3_601));
    let ended = bench.assignments().iter().filter(|kind| **kind == AssignmentType::TimeoutDeregistration).count();
    assert_eq!(ended, 150);
}

/// TS 24.229 table 7.8.1, reg-await-auth.
#[test]
fn a_challenge_that_nobody_answers() {
    let mut bench = Bench::new();
    Phone::new("alice").register(&mut bench, CONTACT);
    bench.pass(Duration::from_secs(239));
    assert_eq!(bench.assignments(), []);
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.assignments(), [AssignmentType::AuthenticationTimeout]);
    assert_eq!(bench.store.inner.len(), 0);

    bench.registered("bob", CONTACT);
    Phone::new("bob").register(&mut bench, CONTACT);
    bench.pass(Duration::from_secs(300));
    assert_eq!(bench.assignments()[1..], [AssignmentType::Registration, AssignmentType::AuthenticationTimeout]);
    assert!(bench.is_assigned("bob"), "who is registered stays so");
}

/// R15, TS 24.229 §5.4.1.5: the HSS ends a registration.
#[test]
fn the_hss_takes_a_user_away() {
    let mut bench = Bench::new();
    let mut phone = bench.registered("alice", CONTACT);
    bench.registered("bob", CONTACT);
    let call = bench.trial.call("");
    let hss = bench.hss.inner().clone();
    let Bench { trial, scscf, .. } = &mut bench;
    trial.run_for(Duration::from_secs(5), async {
        let mut background = std::pin::pin!(scscf.run_background(&call));
        let alice = "alice@ims.example".parse().unwrap();
        let mut delete = std::pin::pin!(async {
            call.after(Duration::from_secs(1)).await;
            hss.delete(&alice).await.unwrap();
        });
        let mut is_deleted = false;
        std::future::poll_fn(|cx| {
            is_deleted = is_deleted || delete.as_mut().poll(cx).is_ready();
            background.as_mut().poll(cx)
        })
        .await;
    });
    assert_eq!((bench.bindings("sip:alice@ims.example"), bench.bindings("tel:+12015550101")), (0, 0));
    assert_eq!(bench.bindings("sip:bob@ims.example"), 1);
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.assignments(), [AssignmentType::Registration; 2], "the HSS knows");
    assert_eq!(phone.register(&mut bench, CONTACT).status().code(), 403);
}

#[test]
fn what_the_hss_says_to_others_is_theirs() {
    let mut bench = Bench::new();
    let mut phone = bench.registered("alice", CONTACT);
    let call = bench.trial.call("");
    let (private, public) = ("alice@ims.example".parse().unwrap(), "sip:alice@ims.example".parse().unwrap());
    let neighbour = "sip:scscf2.ims.example".parse().unwrap();
    let reason = imscore_hss::TerminationReason::NewServerAssigned;
    let termination = imscore_hss::RegistrationTermination::new(private, vec![public], neighbour, reason);
    let event = imscore_hss::HssEvent::RegistrationTermination(termination.clone());
    bench.trial.run(bench.scscf.obey(&call, event));
    assert_eq!(phone.register(&mut bench, CONTACT).status().code(), 200);
    // Its own name, and a record that another S-CSCF has taken over since.
    bench.scscf = bench.neighbour("scscf2.ims.example");
    bench.trial.run(bench.scscf.deregister(&call, termination));
    assert_eq!(bench.bindings("sip:alice@ims.example"), 1);
}

/// R15, TS 29.228 §6.2.2.1: a new profile, and a new password with it.
#[test]
fn the_hss_changes_a_profile() {
    let mut bench = Bench::new();
    let mut phone = bench.registered("alice", CONTACT);
    let call = bench.trial.call("");
    let mut events = bench.hss.events();
    let charging = imscore_hss::ChargingAddresses::new(["aaa://ccf".to_string()], []);
    bench.put(subscription("alice", "+12015550199").with_charging(charging.clone()));
    let event = bench.trial.run(events.next()).unwrap();
    bench.trial.run(bench.scscf.obey(&call, event));
    assert_eq!(bench.found("tel:+12015550199").unwrap().charging, Some(charging));
    assert_eq!(bench.bindings("tel:+12015550101"), 0);
    assert_eq!(phone.register(&mut bench, CONTACT).status().code(), 401, "the secret may be another one");
}

/// An HSS in which the user registers again at the moment that it hears of the end.
struct Overtaken {
    inner: Arc<FaultyHss<Hss>>,
    store: Arc<Store>,
    record: std::sync::Mutex<Option<Record>>,
}

#[async_trait]
impl HssCache for Overtaken {
    async fn user_authorization(
        &self,
        request: &imscore_hss::UserAuthorizationRequest,
    ) -> Result<imscore_hss::UserAuthorization, HssError> {
        self.inner.user_authorization(request).await
    }

    async fn multimedia_auth(
        &self,
        request: &imscore_hss::MultimediaAuthRequest,
    ) -> Result<imscore_hss::MultimediaAuth, HssError> {
        self.inner.multimedia_auth(request).await
    }

    async fn server_assignment(
        &self,
        request: &imscore_hss::ServerAssignmentRequest,
    ) -> Result<imscore_hss::ServerAssignment, HssError> {
        let record = self.record.lock().unwrap().take_if(|_| request.assignment.is_deregistration());
        if let Some(record) = record {
            let write = Write::new(Version::new(1), record.value).expires_in(Duration::from_secs(60));
            let swap = self.store.compare_and_swap(&alice(), None, write).await;
            assert_eq!(swap, Ok(Swap::Done));
        }
        self.inner.server_assignment(request).await
    }

    async fn location_info(&self, request: &LocationInfoRequest) -> Result<imscore_hss::LocationInfo, HssError> {
        self.inner.location_info(request).await
    }

    fn events(&self) -> imscore_hss::HssEvents {
        self.inner.events()
    }
}

fn alice() -> Key {
    Key::new(Table::new("registration"), "sip:alice@ims.example")
}

#[test]
fn a_user_who_comes_back_at_the_end_is_assigned_again() {
    let mut bench = Bench::new();
    bench.registered("alice", CONTACT);
    let store = bench.store.clone();
    let record = bench.trial.run(store.get(&alice())).unwrap();
    let hss = Overtaken { inner: bench.hss.clone(), store: store.clone(), record: std::sync::Mutex::new(record) };
    let settings = Settings::new("scscf.ims.example", "icscf.ims.example");
    bench.scscf = Scscf::new(settings, Arc::new(hss), store).unwrap();
    bench.pass(Duration::from_secs(3_602));
    assert_eq!(bench.bindings("sip:alice@ims.example"), 1);
    assert!(bench.is_assigned("alice"));
    let told = bench.assignments();
    assert_eq!(told[1..], [AssignmentType::TimeoutDeregistration, AssignmentType::Registration]);
}
