//! Phones with private identities of their own and one public identity: what the HSS is told of each.

use imscore_hss::testing::{Command, Fault};
use imscore_hss::{HssCache, HssError, Provision, TerminationReason};

use super::*;

impl Bench {
    /// A bench where Alice has a tablet.
    fn with_a_tablet() -> Bench {
        let mut bench = Bench::new();
        let private_identity: PrivateIdentity = "tablet@ims.example".parse().unwrap();
        let credentials = DigestCredentials::from_password(&private_identity, "ims.example", "secret").unwrap();
        let (credentials, with) = (Credentials::Digest(credentials), "alice@ims.example".parse().unwrap());
        let hss = bench.hss.inner().clone();
        bench.trial.run(hss.put(Provision::Shares { private_identity, credentials, with })).unwrap();
        bench
    }

    /// The tablet of Alice registers.
    fn tablet(&mut self, lines: &str) -> Phone {
        let login = Login::new("tablet@ims.example", "secret");
        let mut tablet = Phone { login, call_id: "tablet".to_string(), ..Phone::new("alice") };
        assert_eq!(tablet.register(self, &format!("{lines}\n{WHO}")).status().code(), 401);
        assert_eq!(tablet.register(self, lines).status().code(), 200);
        tablet
    }

    /// What the HSS was told, and of whom.
    fn told(&self) -> Vec<(String, AssignmentType)> {
        let assignment = |question| match question {
            Question::ServerAssignment(request) => Some((
                request.private_identity?.as_str().trim_end_matches("@ims.example").to_string(),
                request.assignment,
            )),
            Question::UserAuthorization(_) | Question::MultimediaAuth(_) | Question::LocationInfo(_) => None,
        };
        self.hss.asked().into_iter().filter_map(assignment).collect()
    }

    #[track_caller]
    fn check(&self, expected: &[(&str, AssignmentType)]) {
        let expected: Vec<_> = expected.iter().map(|(user, kind)| ((*user).to_string(), *kind)).collect();
        assert_eq!(self.told(), expected);
    }

    fn users(&mut self) -> Vec<String> {
        let found = self.found("tel:+12015550101");
        found.iter().flat_map(|it| &it.bindings).map(|binding| binding.private_identity.to_string()).collect()
    }
}

const WHO: &str = "Authorization: Digest username=\"tablet@ims.example\", realm=\"ims.example\", nonce=\"\", uri=\"sip:ims.example\", response=\"\"";
const TABLET: &str = "Contact: <sip:t@192.0.2.9>";
const FIRST: [(&str, AssignmentType); 2] =
    [("alice", AssignmentType::Registration), ("tablet", AssignmentType::Registration)];

/// TS 24.229 §5.4.1.2.2F: who is new to the set is a registration, who is not a refresh; nobody takes a binding from another.
#[test]
fn each_is_a_registration_of_its_own() {
    let mut bench = Bench::with_a_tablet();
    let mut phone = bench.registered("alice", CONTACT);
    // The same Contact as the phone: another binding all the same (I18).
    bench.tablet(CONTACT);
    assert_eq!(bench.users(), ["alice@ims.example", "tablet@ims.example"]);
    assert_eq!(phone.register(&mut bench, CONTACT).status().code(), 200);
    bench.check(&[FIRST[0], FIRST[1], ("alice", AssignmentType::ReRegistration)]);
}

/// TS 29.228 §6.1.2.1: each deregistration is said of who deregisters, the last one like the others.
#[test]
fn each_leaves_by_itself() {
    let mut bench = Bench::with_a_tablet();
    let mut phone = bench.registered("alice", CONTACT);
    let mut tablet = bench.tablet(TABLET);
    let response = phone.register(&mut bench, "Contact: *\nExpires: 0");
    assert_eq!(values(&response, "Contact").len(), 1, "the tablet's");
    assert_eq!(bench.users(), ["tablet@ims.example"]);
    bench.check(&[FIRST[0], FIRST[1], ("alice", AssignmentType::UserDeregistration)]);
    tablet.register(&mut bench, "Contact: *\nExpires: 0");
    assert_eq!(bench.users(), [""; 0]);
    assert_eq!(bench.told()[3..], [("tablet".to_string(), AssignmentType::UserDeregistration)]);
    bench.pass(Duration::from_secs(90_000));
    assert_eq!((bench.told().len(), bench.store.inner.len()), (4, 0), "nothing is left behind");
}

/// TS 24.229 §5.4.1.4: one runs out, then the other; an HSS that is away hears of both later.
#[test]
fn each_runs_out_by_itself() {
    for is_away in [false, true] {
        let mut bench = Bench::with_a_tablet();
        bench.registered("alice", &format!("{CONTACT};expires=600"));
        bench.tablet(TABLET);
        if is_away {
            for _ in 0..2 {
                bench.hss.fail_next(Command::ServerAssignment, Fault::Answer(HssError::Unreachable));
            }
        }
        bench.pass(Duration::from_secs(602));
        assert_eq!(bench.users(), ["tablet@ims.example"]);
        bench.pass(Duration::from_secs(90));
        let expired: Vec<_> = bench.told().split_off(2);
        assert_eq!(
            expired,
            vec![("alice".to_string(), AssignmentType::TimeoutDeregistration); if is_away { 3 } else { 1 }]
        );
        bench.pass(Duration::from_secs(3_600));
        assert_eq!(bench.told().last(), Some(&("tablet".to_string(), AssignmentType::TimeoutDeregistration)));
        assert_eq!(bench.told().len(), expired.len() + 3);
        bench.pass(Duration::from_secs(90_000));
        assert_eq!(bench.store.inner.len(), 0);
    }
}

/// Both run out at the same time, and the HSS hears of one only: of the other it is told later.
#[test]
fn of_two_who_run_out_each_is_told() {
    let mut bench = Bench::with_a_tablet();
    bench.registered("alice", CONTACT);
    bench.tablet(TABLET);
    bench.hss.fail_next(Command::ServerAssignment, Fault::Answer(HssError::Unreachable));
    bench.pass(Duration::from_secs(3_700));
    let mut told = bench.told().split_off(2);
    told.sort_by(|one, other| one.0.cmp(&other.0));
    let timeout = |user: &str| (user.to_string(), AssignmentType::TimeoutDeregistration);
    assert_eq!(told, [timeout("alice"), timeout("alice"), timeout("tablet")]);
    bench.pass(Duration::from_secs(90_000));
    assert_eq!(bench.store.inner.len(), 0);
}

/// TS 29.228 §6.1.3: whom the HSS names is gone, and nobody else; the HSS need not be told what it has said.
#[test]
fn the_hss_names_whom_it_ends() {
    let mut bench = Bench::with_a_tablet();
    bench.registered("alice", CONTACT);
    bench.tablet(TABLET);
    let hss = bench.hss.inner().clone();
    let mut events = bench.hss.events();
    let call = bench.trial.call("");
    bench.trial.run(hss.delete(&"alice@ims.example".parse().unwrap())).unwrap();
    let event = bench.trial.run(events.next()).unwrap();
    bench.trial.run(bench.scscf.obey(&call, event));
    assert_eq!(bench.users(), ["tablet@ims.example"]);

    let mut bench = Bench::with_a_tablet();
    bench.registered("alice", CONTACT);
    bench.tablet(TABLET);
    let hss = bench.hss.inner().clone();
    let mut events = bench.hss.events();
    let call = bench.trial.call("");
    let identity = "tel:+12015550101".parse().unwrap();
    bench.trial.run(hss.deregister(&identity, TerminationReason::Permanent)).unwrap();
    let event = bench.trial.run(events.next()).unwrap();
    bench.trial.run(bench.scscf.obey(&call, event));
    assert_eq!(bench.users(), [""; 0]);
    bench.pass(Duration::from_secs(90_000));
    bench.check(&FIRST);
    assert_eq!(bench.store.inner.len(), 0, "nothing is left behind");
}
