//! What is answered without the HSS, and what is not, in the time of the store.

use std::sync::atomic::AtomicU32;

use futures_executor::block_on;

use super::record::MAX_SETS;
use super::*;
use crate::state::{Clock, MemoryState};
use crate::{
    ChargingAddresses, ProfileIdentity, RegistrationTermination, ServerName, ServiceProfile, TerminationReason,
    UserProfile,
};

const REFRESH: Duration = Duration::from_secs(30 * 60);
const KEEP: Duration = Duration::from_secs(24 * 60 * 60);

fn private(name: &str) -> PrivateIdentity {
    format!("{name}@ims.example").parse().unwrap()
}

fn public(name: &str) -> PublicIdentity {
    format!("sip:{name}@ims.example").parse().unwrap()
}

fn scscf(number: u32) -> ServerName {
    format!("sip:scscf{number}.ims.example").parse().unwrap()
}

fn profile(user: &str, identities: &[&str]) -> Arc<UserProfile> {
    let identities = identities.iter().map(|name| ProfileIdentity::new(public(name))).collect();
    Arc::new(UserProfile::new(private(user), vec![ServiceProfile::new(identities)]))
}

fn charging(name: &str) -> ChargingAddresses {
    ChargingAddresses::new([name.to_owned()], [])
}

fn request(user: &str, identity: &str, assignment: AssignmentType) -> ServerAssignmentRequest {
    ServerAssignmentRequest::new(private(user), public(identity), scscf(1), assignment)
}

fn given(profile: &Arc<UserProfile>) -> ServerAssignment {
    let mut answer = ServerAssignment::new(profile.private_identity.clone());
    answer.profile = Some(profile.clone());
    answer.charging = Some(charging("aaa://ccf"));
    answer
}

fn termination(user: &str, identities: &[&str]) -> HssEvent {
    let identities = identities.iter().map(|name| public(name)).collect();
    let reason = TerminationReason::Permanent;
    HssEvent::RegistrationTermination(RegistrationTermination::new(private(user), identities, scscf(1), reason))
}

struct Bench {
    clock: Clock,
    store: Arc<MemoryState>,
    cache: ProfileCache,
}

impl Bench {
    fn new() -> Bench {
        Bench::with_limit(1000)
    }

    fn with_limit(records: usize) -> Bench {
        let clock = Clock::new(1_700_000_000_000);
        let store = Arc::new(MemoryState::new(clock.clone(), 1).with_limit(records));
        let cache = ProfileCache::new(store.clone(), ProfileTimes::default(), 7);
        Bench { clock, store, cache }
    }

    fn pass(&self, time: Duration) {
        self.clock.advance_to(self.clock.now() + u64::try_from(time.as_millis()).unwrap());
    }

    /// Puts a question, which the HSS would answer so. Whether it was asked, and what came of it.
    fn put(
        &self,
        request: &ServerAssignmentRequest,
        answer: Result<ServerAssignment, HssError>,
    ) -> (bool, Result<ServerAssignment, HssError>) {
        let asked = AtomicU32::new(0);
        let ask = async {
            asked.fetch_add(1, Ordering::Relaxed);
            answer
        };
        let answer = block_on(self.cache.server_assignment(request, ask));
        (asked.into_inner() > 0, answer)
    }

    /// Whether the HSS is asked. It says what it said before.
    fn asks(&self, request: &ServerAssignmentRequest, profile: &Arc<UserProfile>) -> bool {
        let (asked, answer) = self.put(request, Ok(given(profile)));
        assert_eq!(answer, Ok(given(profile)), "{request:?}");
        asked
    }

    /// Alice is registered from now on, with two identities.
    fn registered() -> (Bench, Arc<UserProfile>) {
        let bench = Bench::new();
        let alice = profile("alice", &["alice", "al"]);
        assert!(bench.asks(&request("alice", "alice", AssignmentType::Registration), &alice));
        (bench, alice)
    }
}

/// A refresh is told to the HSS once in a while (TS 24.229 §5.4.1.2.2F).
#[test]
fn refreshes() {
    let (bench, alice) = Bench::registered();
    let refresh = request("alice", "alice", AssignmentType::ReRegistration);
    for _ in 0..2 {
        assert!(!bench.asks(&refresh, &alice));
        bench.pass(REFRESH - Duration::from_millis(1));
        assert!(!bench.asks(&refresh, &alice));
        assert!(!bench.asks(&request("alice", "al", AssignmentType::ReRegistration), &alice));
        bench.pass(Duration::from_millis(1));
        assert!(bench.asks(&refresh, &alice), "and the time begins anew");
    }
}

/// What is none of a refresh of what the HSS knows is told to it.
#[test]
fn changes_of_state() {
    let (bench, alice) = Bench::registered();
    assert!(bench.asks(&request("alice", "alice", AssignmentType::Registration), &alice));
    let mut elsewhere = request("alice", "alice", AssignmentType::ReRegistration);
    elsewhere.server_name = scscf(2);
    assert!(bench.asks(&elsewhere, &alice), "another S-CSCF");
    assert!(!bench.asks(&elsewhere, &alice));
    assert!(bench.asks(&request("alice", "alice", AssignmentType::ReRegistration), &alice), "and back");
    let tablet = request("tablet", "alice", AssignmentType::ReRegistration);
    let of_tablet = profile("tablet", &["alice", "al"]);
    assert!(bench.asks(&tablet, &of_tablet), "a new private identity");
    assert!(!bench.asks(&tablet, &of_tablet));
    let other = profile("alice", &["work"]);
    assert!(bench.asks(&request("alice", "work", AssignmentType::ReRegistration), &other), "another set");
    assert!(!bench.asks(&request("alice", "alice", AssignmentType::ReRegistration), &alice), "beside the first");
    for assignment in [AssignmentType::AuthenticationFailure, AssignmentType::AuthenticationTimeout] {
        let (asked, _) = bench.put(&request("alice", "alice", assignment), Ok(ServerAssignment::new(private("alice"))));
        assert!(asked);
        assert!(!bench.asks(&request("alice", "alice", AssignmentType::ReRegistration), &alice), "it is still there");
    }
}

#[test]
fn only_the_profile() {
    let bench = Bench::new();
    let alice = profile("alice", &["alice"]);
    let wanted = request("alice", "alice", AssignmentType::NoAssignment);
    assert!(bench.asks(&wanted, &alice));
    assert!(!bench.asks(&wanted, &alice));
    assert!(bench.asks(&request("alice", "alice", AssignmentType::ReRegistration), &alice), "it was not registered");
    assert!(!bench.asks(&wanted, &alice));
    let mut available = request("alice", "alice", AssignmentType::ReRegistration);
    available.user_data_available = true;
    let (asked, answer) = bench.put(&available, Err(HssError::Unreachable));
    assert_eq!((asked, answer.unwrap().profile), (false, None));
    // An HSS that leaves the profile out has not taken it away.
    bench.pass(REFRESH);
    let (asked, _) = bench.put(&available, Ok(ServerAssignment { profile: None, ..given(&alice) }));
    assert!(asked);
    assert!(!bench.asks(&wanted, &alice));
}

/// Calls of somebody who is not registered (TS 29.228 §6.1.2).
#[test]
fn unregistered_users() {
    let bench = Bench::new();
    let alice = profile("alice", &["alice"]);
    let call = ServerAssignmentRequest::unregistered(public("alice"), scscf(1));
    assert!(bench.asks(&call, &alice));
    assert!(!bench.asks(&call, &alice));
    assert!(bench.asks(&request("alice", "alice", AssignmentType::ReRegistration), &alice));
    let (asked, answer) = bench.put(&call, Err(HssError::AssignmentType));
    assert_eq!((asked, answer), (true, Err(HssError::AssignmentType)), "she is registered by now");
}

/// Whoever gives up on the answer has deregistered all the same.
#[test]
fn deregistrations() {
    for identities in [vec![public("al")], vec![]] {
        let (bench, alice) = Bench::registered();
        let mut end = request("alice", "alice", AssignmentType::UserDeregistration);
        end.public_identities = identities;
        let mut given_up = Box::pin(bench.cache.server_assignment(&end, std::future::pending()));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(given_up.as_mut().poll(&mut context).is_pending());
        drop(given_up);
        assert!(bench.store.is_empty());
        assert!(bench.asks(&request("alice", "alice", AssignmentType::ReRegistration), &alice));
    }
}

/// An HSS that knows better is believed; one in trouble has said nothing.
#[test]
fn errors() {
    let refused = [HssError::Unknown, HssError::NotRegistered, HssError::NotAssigned, HssError::AssignmentType];
    let another = HssError::AlreadyRegistered { assigned: scscf(2) };
    let trouble = [HssError::Unreachable, HssError::Busy { retry_after: None }];
    let refused = refused.into_iter().chain([another]).map(|error| (error, false));
    for (error, stays) in refused.chain(trouble.map(|error| (error, true))) {
        let (bench, alice) = Bench::registered();
        let (_, answer) = bench.put(&request("alice", "alice", AssignmentType::Registration), Err(error.clone()));
        assert_eq!(answer, Err(error.clone()));
        let refresh = request("alice", "alice", AssignmentType::ReRegistration);
        assert_eq!(bench.asks(&refresh, &alice), !stays, "{error}");
    }
}

/// TS 29.228 §6.1.3: no public identity named is all of the private one.
#[test]
fn terminations() {
    let (bench, alice) = Bench::registered();
    let work = profile("alice", &["work"]);
    let refresh = |name| request("alice", name, AssignmentType::ReRegistration);
    assert!(bench.asks(&request("alice", "work", AssignmentType::Registration), &work));
    let named = termination("alice", &["al"]);
    assert_eq!(block_on(bench.cache.heard(named.clone())), [named]);
    assert!(!bench.asks(&refresh("work"), &work));
    assert!(bench.asks(&refresh("alice"), &alice));
    // Long after the last refresh that was told.
    bench.pass(KEEP - Duration::from_millis(1));
    let all = termination("alice", &["work", "alice", "al"]);
    assert_eq!(block_on(bench.cache.heard(termination("alice", &[]))), [all]);
    assert!(bench.store.is_empty());
    let nobody = termination("alice", &[]);
    assert_eq!(block_on(bench.cache.heard(nobody.clone())), [nobody]);
}

#[test]
fn nothing_is_kept_for_ever() {
    let (bench, _) = Bench::registered();
    bench.pass(KEEP);
    let all = termination("alice", &[]);
    assert_eq!(block_on(bench.cache.heard(all.clone())), [all]);
}

/// TS 29.228 §6.2.2.1.
#[test]
fn pushes() {
    let (bench, _) = Bench::registered();
    let refresh = request("alice", "alice", AssignmentType::ReRegistration);
    bench.pass(REFRESH - Duration::from_millis(1));
    let later = profile("alice", &["alice", "new"]);
    let push = HssEvent::PushProfile(PushProfile::new(scscf(1), later.clone()));
    assert_eq!(block_on(bench.cache.heard(push.clone())), [push]);
    assert!(!bench.asks(&refresh, &later), "its charging addresses are those of before");
    // Charging addresses alone: for each set.
    let mut only = PushProfile::empty(scscf(1), private("alice"));
    only.charging = Some(charging("aaa://other"));
    let mut completed = only.clone();
    completed.profile = Some(later.clone());
    let heard = block_on(bench.cache.heard(HssEvent::PushProfile(only.clone())));
    assert_eq!(heard, [HssEvent::PushProfile(completed)]);
    let (asked, answer) = bench.put(&refresh, Err(HssError::Unreachable));
    assert_eq!((asked, answer.unwrap().charging), (false, only.charging.clone()));
    // A push is not a refresh.
    bench.pass(Duration::from_millis(1));
    assert!(bench.asks(&refresh, &later));
    only.private_identity = private("bob");
    let strange = HssEvent::PushProfile(only);
    assert_eq!(block_on(bench.cache.heard(strange.clone())), [strange]);
    let password = HssEvent::PushProfile(PushProfile::empty(scscf(1), private("alice")));
    assert_eq!(block_on(bench.cache.heard(password.clone())), [password]);
    assert!(!bench.asks(&refresh, &later));
}

/// What was asked before the HSS said something unasked may be older than that.
#[test]
fn overtaken_answers() {
    for event in
        [termination("alice", &[]), HssEvent::PushProfile(PushProfile::new(scscf(1), profile("alice", &["new"])))]
    {
        let (bench, alice) = Bench::registered();
        let registration = request("alice", "alice", AssignmentType::Registration);
        let ask = async {
            bench.cache.heard(event).await;
            Ok(given(&alice))
        };
        assert!(block_on(bench.cache.server_assignment(&registration, ask)).is_ok());
        assert!(bench.asks(&request("alice", "alice", AssignmentType::ReRegistration), &alice));
    }
}

/// Another node of the pool answers as well, and knows when the HSS was told.
#[test]
fn nodes_share_what_they_know() {
    let (bench, alice) = Bench::registered();
    bench.pass(REFRESH / 2);
    let neighbour = Bench {
        clock: bench.clock.clone(),
        store: bench.store.clone(),
        cache: ProfileCache::new(bench.store.clone(), ProfileTimes::default(), 8),
    };
    let refresh = request("alice", "alice", AssignmentType::ReRegistration);
    assert!(!neighbour.asks(&refresh, &alice));
    bench.pass(REFRESH / 2);
    assert!(neighbour.asks(&refresh, &alice));
    assert!(!bench.asks(&refresh, &alice));
}

/// A store in trouble costs a question, no more.
#[test]
fn without_a_store() {
    let bench = Bench::with_limit(0);
    let alice = profile("alice", &["alice"]);
    for assignment in [AssignmentType::Registration, AssignmentType::ReRegistration] {
        assert!(bench.asks(&request("alice", "alice", assignment), &alice));
    }
    let all = termination("alice", &[]);
    assert_eq!(block_on(bench.cache.heard(all.clone())), [all]);
}

#[test]
fn records() {
    let (bench, alice) = Bench::registered();
    let key = Key::new(PROFILES, "alice@ims.example");
    let record = || block_on(bench.store.get(&key)).unwrap().unwrap();
    let written = record();
    let read = Profiles::decode(&written.value, KEEP).unwrap();
    assert_eq!(read.encode(KEEP), written.value);
    assert_eq!((read.sets[0].age, read.sets[0].state), (Duration::ZERO, State::Registered));
    // A field of a later release is kept, and one that cannot be read is written anew.
    let mut later = written.value.to_vec();
    later.extend([99, 1, b'x']);
    let replace = |value: Vec<u8>, number| {
        let write = Write::new(Version::new(number), value).expires_in(KEEP);
        let swap = block_on(bench.store.compare_and_swap(&key, Some(record().version), write));
        assert_eq!(swap, Ok(Swap::Done));
    };
    replace(later, 1);
    let refresh = request("alice", "alice", AssignmentType::ReRegistration);
    assert!(!bench.asks(&refresh, &alice));
    bench.pass(Duration::from_millis(1));
    assert!(bench.asks(&request("alice", "alice", AssignmentType::Registration), &alice));
    assert!(record().value.ends_with(&[99, 1, b'x']));
    for damaged in [vec![], vec![2], written.value[..written.value.len() - 1].to_vec(), vec![1, 1, 0]] {
        replace(damaged, 2);
        assert!(bench.asks(&refresh, &alice));
        assert!(!bench.asks(&refresh, &alice));
    }
}

#[test]
fn most_sets() {
    let bench = Bench::new();
    let name = |n: usize| format!("line{n}");
    for n in 0..=MAX_SETS {
        let line = profile("alice", &[&name(n)]);
        assert!(bench.asks(&request("alice", &name(n), AssignmentType::Registration), &line));
        bench.pass(Duration::from_millis(1));
        let first = profile("alice", &[&name(0)]);
        if n + 1 >= MAX_SETS {
            let (asked, _) =
                bench.put(&request("alice", &name(0), AssignmentType::ReRegistration), Err(HssError::Unreachable));
            assert_eq!(asked, n == MAX_SETS, "the oldest gives way");
        } else {
            assert!(!bench.asks(&request("alice", &name(0), AssignmentType::ReRegistration), &first));
        }
    }
}

/// TS 29.228 §6.2.2.1: one push is for all who have the profile, who came before and after; §6.1.3: an end is for those it
/// names.
#[test]
fn several_who_have_one_profile() {
    let bench = Bench::new();
    let users = ["alice", "tablet", "watch"];
    let has = |user: &str, identities: &[&str], name: &str, known: usize| {
        let mut answer = given(&profile(user, identities));
        answer.charging = Some(charging(name));
        answer.associated = users[..known].iter().map(|user| private(user)).collect();
        answer
    };
    // Each hears of those who were there when it registered.
    for (at, user) in users.into_iter().enumerate() {
        let answer = has(user, &["alice"], "aaa://ccf", at + 1);
        let (asked, given) = bench.put(&request(user, "alice", AssignmentType::Registration), Ok(answer.clone()));
        assert_eq!((asked, given), (true, Ok(answer)));
    }
    let mut push = PushProfile::new(scscf(1), profile("tablet", &["alice", "al"]));
    push.charging = Some(charging("aaa://other"));
    let event = HssEvent::PushProfile(push);
    assert_eq!(block_on(bench.cache.heard(event.clone())), [event]);
    for user in users {
        let refresh = bench.put(&request(user, "al", AssignmentType::ReRegistration), Err(HssError::Unreachable));
        assert_eq!(refresh, (false, Ok(has(user, &["alice", "al"], "aaa://other", 3))));
    }

    let HssEvent::RegistrationTermination(mut end) = termination("watch", &[]) else { unreachable!() };
    end.associated = vec![private("alice")];
    let heard = block_on(bench.cache.heard(HssEvent::RegistrationTermination(end.clone())));
    end.public_identities = vec![public("alice"), public("al")];
    assert_eq!(heard, [HssEvent::RegistrationTermination(end)]);
    for (user, asked) in users.into_iter().zip([true, false, true]) {
        let answer = Ok(has(user, &["alice", "al"], "aaa://other", 3));
        let again = bench.put(&request(user, "alice", AssignmentType::ReRegistration), answer.clone());
        assert_eq!(again, (asked, answer), "{user}");
    }
}
