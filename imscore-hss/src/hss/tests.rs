use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use futures_executor::block_on;

mod sharing;

use super::*;
use crate::vector::{Milenage, Usim, UsimAnswer};
use crate::{
    AssignmentType, AuthorizationType, Capabilities, ChargingAddresses, DigestCredentials, ProfileIdentity,
    PushProfile, RegistrationTermination, Resynchronisation, Roaming, ServerName, ServiceProfile, TerminationReason,
};

const ALICE: &str = "sip:alice@ims.example";
const NUMBER: &str = "tel:+12015550123";
const BOB: &str = "sip:bob@ims.example";

fn public(text: &str) -> PublicIdentity {
    text.parse().unwrap()
}

fn private(text: &str) -> PrivateIdentity {
    text.parse().unwrap()
}

fn server(n: u8) -> ServerName {
    format!("sip:scscf{n}.ims.example").parse().unwrap()
}

fn credentials(user: &str) -> Credentials {
    Credentials::Digest(DigestCredentials::from_password(&private(user), "ims.example", "secret").unwrap())
}

fn subscription(user: &str, identities: &[&str]) -> Subscription {
    Subscription::new(private(user), identities.iter().map(|text| public(text)), credentials(user)).unwrap()
}

fn alice() -> Subscription {
    subscription("alice", &[ALICE, NUMBER]).with_capabilities(Capabilities::new([1], [2]))
}

fn hss() -> Hss {
    Hss::with_subscribers([alice(), subscription("bob", &[BOB])], [0; 32]).unwrap()
}

fn uar(user: &str, identity: &str, kind: AuthorizationType) -> UserAuthorizationRequest {
    let mut request = UserAuthorizationRequest::new(private(user), public(identity), "ims.example".parse().unwrap());
    request.kind = kind;
    request
}

fn authorize(hss: &Hss, kind: AuthorizationType) -> Result<UserAuthorization, HssError> {
    block_on(hss.user_authorization(&uar("alice", ALICE, kind)))
}

fn challenge(hss: &Hss, n: u8) {
    let request = MultimediaAuthRequest::new(private("alice"), public(ALICE), server(n));
    assert_eq!(block_on(hss.multimedia_auth(&request)), Ok(MultimediaAuth::Digest(digest())));
}

fn digest() -> DigestCredentials {
    let Credentials::Digest(digest) = credentials("alice") else { panic!("Digest") };
    digest
}

fn assign(hss: &Hss, n: u8, kind: AssignmentType) -> Result<ServerAssignment, HssError> {
    let request = ServerAssignmentRequest::new(private("alice"), public(ALICE), server(n), kind);
    block_on(hss.server_assignment(&request))
}

fn locate(hss: &Hss, identity: &str) -> Result<LocationInfo, HssError> {
    block_on(hss.location_info(&LocationInfoRequest::new(public(identity))))
}

/// What has come; does not wait.
fn come(events: &mut HssEvents) -> Vec<HssEvent> {
    let mut context = Context::from_waker(Waker::noop());
    std::iter::from_fn(|| match pin!(events.next()).poll(&mut context) {
        Poll::Ready(event) => event,
        Poll::Pending => None,
    })
    .collect()
}

fn termination(n: u8, identities: &[&str], reason: TerminationReason) -> HssEvent {
    let identities = identities.iter().map(|text| public(text)).collect();
    HssEvent::RegistrationTermination(RegistrationTermination::new(private("alice"), identities, server(n), reason))
}

/// TS 29.228 §6.1.1.1 step 5 and §6.3.1: the second REGISTER goes to the S-CSCF that challenged the first.
#[test]
fn registration_from_first_to_last() {
    let hss = hss();
    let capabilities = Capabilities::new([1], [2]);
    assert_eq!(
        authorize(&hss, AuthorizationType::Registration),
        Ok(UserAuthorization::Capabilities(capabilities.clone()))
    );
    challenge(&hss, 1);
    assert_eq!(authorize(&hss, AuthorizationType::Registration), Ok(UserAuthorization::Scscf(server(1))));
    assert_eq!(locate(&hss, ALICE), Err(HssError::NotRegistered));

    let answer = assign(&hss, 1, AssignmentType::Registration).unwrap();
    assert_eq!(answer.profile, Some(alice().profile()));
    assert_eq!(locate(&hss, NUMBER), Ok(LocationInfo::Scscf(server(1))));
    assert_eq!(authorize(&hss, AuthorizationType::Deregistration), Ok(UserAuthorization::Scscf(server(1))));
    assert_eq!(
        authorize(&hss, AuthorizationType::RegistrationAndCapabilities),
        Ok(UserAuthorization::Capabilities(capabilities))
    );

    let answer = assign(&hss, 1, AssignmentType::UserDeregistration).unwrap();
    assert_eq!(answer.profile, None);
    assert_eq!(locate(&hss, ALICE), Err(HssError::NotRegistered));
    assert_eq!(authorize(&hss, AuthorizationType::Deregistration), Err(HssError::NotRegistered));
}

/// TS 29.228 §6.1.1.1 steps 1 and 2, and the same in §6.3.1 and §6.1.2.1.
#[test]
fn who_asks_for_whom() {
    let hss = hss();
    let mismatch = HssError::Forbidden(Refusal::IdentitiesDontMatch);
    for (user, identity, expected) in [
        ("alice", "sip:nobody@ims.example", HssError::Unknown),
        ("nobody", ALICE, HssError::Unknown),
        ("alice", BOB, mismatch.clone()),
    ] {
        let request = uar(user, identity, AuthorizationType::Registration);
        assert_eq!(block_on(hss.user_authorization(&request)), Err(expected.clone()));
        let request = MultimediaAuthRequest::new(private(user), public(identity), server(1));
        assert_eq!(block_on(hss.multimedia_auth(&request)), Err(expected.clone()));
        let kind = AssignmentType::Registration;
        let request = ServerAssignmentRequest::new(private(user), public(identity), server(1), kind);
        assert_eq!(block_on(hss.server_assignment(&request)), Err(expected));
    }
    assert_eq!(locate(&hss, "sip:nobody@ims.example"), Err(HssError::Unknown));

    // TS 29.228 §6.1.2.1 step 3.
    let kind = AssignmentType::Registration;
    let mut several = ServerAssignmentRequest::new(private("alice"), public(ALICE), server(1), kind);
    several.public_identities.push(public(NUMBER));
    assert_eq!(block_on(hss.server_assignment(&several)), Err(HssError::TooManyIdentities));
    several.public_identities.clear();
    assert_eq!(block_on(hss.server_assignment(&several)), Err(HssError::MissingIdentity));

    assert!(assign(&hss, 1, AssignmentType::Registration).is_ok());
    several.assignment = AssignmentType::UserDeregistration;
    several.public_identities = vec![public(ALICE), public(BOB)];
    assert_eq!(block_on(hss.server_assignment(&several)), Err(mismatch));
    several.public_identities.clear();
    assert!(block_on(hss.server_assignment(&several)).is_ok());
    assert_eq!(locate(&hss, ALICE), Err(HssError::NotRegistered));
}

/// TS 29.228 §6.1.1.1 steps 3 and 4.
#[test]
fn barring_and_roaming() {
    let identities = |barred: [bool; 2]| {
        let entry = |(text, barred): (&str, bool)| match barred {
            true => ProfileIdentity::barred(public(text)),
            false => ProfileIdentity::new(public(text)),
        };
        let profile = ServiceProfile::new([ALICE, NUMBER].into_iter().zip(barred).map(entry).collect());
        Subscription::with_profiles(private("alice"), vec![profile], credentials("alice")).unwrap()
    };
    let check = |subscription: Subscription, emergency: bool, refused: Option<Refusal>| {
        let hss = Hss::with_subscribers([subscription], [0; 32]).unwrap();
        let mut request = uar("alice", ALICE, AuthorizationType::Registration);
        request.emergency = emergency;
        let answer = block_on(hss.user_authorization(&request));
        assert_eq!(answer.err(), refused.map(HssError::Forbidden));
    };
    check(identities([true, false]), false, None);
    check(identities([true, true]), false, Some(Refusal::Barred));
    check(identities([true, true]), true, None);
    let home = alice().with_roaming(Roaming::Only(vec!["IMS.example".parse().unwrap()]));
    let abroad = alice().with_roaming(Roaming::Only(vec!["abroad.example".parse().unwrap()]));
    check(home, false, None);
    check(abroad.clone(), true, None);
    check(abroad.clone(), false, Some(Refusal::RoamingNotAllowed));

    let hss = Hss::with_subscribers([abroad], [0; 32]).unwrap();
    assert_eq!(
        authorize(&hss, AuthorizationType::RegistrationAndCapabilities),
        Err(HssError::Forbidden(Refusal::RoamingNotAllowed))
    );
    assert!(assign(&hss, 1, AssignmentType::Registration).is_ok());
    assert!(authorize(&hss, AuthorizationType::Deregistration).is_ok());
}

/// TS 29.228 §8.1: Multimedia-Auth moves a user to another S-CSCF, Server-Assignment does not.
#[test]
fn another_scscf() {
    let hss = hss();
    let mut events = hss.events();
    challenge(&hss, 1);
    assert!(assign(&hss, 1, AssignmentType::Registration).is_ok());
    let taken = HssError::AlreadyRegistered { assigned: server(1) };
    for kind in [AssignmentType::Registration, AssignmentType::ReRegistration, AssignmentType::UnregisteredUser] {
        assert_eq!(assign(&hss, 2, kind), Err(taken.clone()), "{kind:?}");
    }
    assert_eq!(assign(&hss, 2, AssignmentType::UserDeregistration), Err(HssError::NotAssigned));
    assert_eq!(assign(&hss, 2, AssignmentType::NoAssignment), Err(HssError::NotAssigned));

    // A challenge that is not met leaves the user where it was, in either way of not meeting it.
    for kind in [AssignmentType::AuthenticationFailure, AssignmentType::AuthenticationTimeout] {
        challenge(&hss, 2);
        assert_eq!(locate(&hss, ALICE), Ok(LocationInfo::Scscf(server(2))));
        assert!(assign(&hss, 1, kind).is_ok(), "of an S-CSCF that has not challenged: no effect");
        assert_eq!(locate(&hss, ALICE), Ok(LocationInfo::Scscf(server(2))));
        assert!(assign(&hss, 2, kind).is_ok());
        assert_eq!(locate(&hss, ALICE), Ok(LocationInfo::Scscf(server(1))));
    }
    assert_eq!(come(&mut events), []);

    challenge(&hss, 3);
    challenge(&hss, 2);
    assert!(assign(&hss, 2, AssignmentType::Registration).is_ok());
    assert_eq!(locate(&hss, ALICE), Ok(LocationInfo::Scscf(server(2))));
    assert_eq!(come(&mut events), [termination(1, &[ALICE, NUMBER], TerminationReason::NewServerAssigned)]);
}

#[test]
fn challenge_not_met_by_a_new_user() {
    let hss = hss();
    challenge(&hss, 1);
    assert!(assign(&hss, 1, AssignmentType::AuthenticationFailure).is_ok());
    assert!(assign(&hss, 1, AssignmentType::AuthenticationFailure).is_ok(), "asked twice");
    assert!(matches!(authorize(&hss, AuthorizationType::Registration), Ok(UserAuthorization::Capabilities(_))));

    let mut events = hss.events();
    challenge(&hss, 1);
    challenge(&hss, 2);
    assert!(assign(&hss, 2, AssignmentType::Registration).is_ok());
    assert_eq!(come(&mut events), [], "S-CSCF 1 has nothing to end");
}

/// TS 29.228 §6.1.2.1 step 4, type by type, for a user that is registered at S-CSCF 1.
#[test]
fn every_assignment_type() {
    use AssignmentType::*;
    // Type; error; profile in the answer; name stored; where the user is afterwards.
    let table = [
        (NoAssignment, None, true, true, true),
        (Registration, None, true, true, true),
        (ReRegistration, None, true, true, true),
        (UnregisteredUser, Some(HssError::AssignmentType), false, true, true),
        (TimeoutDeregistration, None, false, true, false),
        (UserDeregistration, None, false, true, false),
        (TimeoutDeregistrationStoreServerName, None, false, false, false),
        (UserDeregistrationStoreServerName, None, false, false, false),
        (AdministrativeDeregistration, None, false, true, false),
        (AuthenticationFailure, None, false, true, true),
        (AuthenticationTimeout, None, false, true, true),
        (DeregistrationTooMuchData, None, false, true, false),
    ];
    for (kind, error, profile, stored, registered) in table {
        let hss = hss();
        assert!(assign(&hss, 1, Registration).is_ok());
        match (assign(&hss, 1, kind), error) {
            (Ok(answer), None) => {
                assert_eq!((answer.profile.is_some(), answer.server_name_stored), (profile, stored), "{kind:?}");
            }
            (answer, error) => assert_eq!(answer.err(), error, "{kind:?}"),
        }
        assert_eq!(locate(&hss, ALICE).is_ok(), registered, "{kind:?}");
        if kind.is_deregistration() {
            assert_eq!(assign(&hss, 1, kind), Err(HssError::NotRegistered), "{kind:?} twice");
        }
    }
}

/// TS 29.228 §6.1.4.1: services in the unregistered state.
#[test]
fn unregistered_services() {
    let hss = Hss::with_subscribers([alice().with_unregistered_services(true)], [0; 32]).unwrap();
    let capabilities = LocationInfo::Capabilities(Capabilities::new([1], [2]));
    assert_eq!(locate(&hss, ALICE), Ok(capabilities.clone()));
    let call = ServerAssignmentRequest::unregistered(public(NUMBER), server(1));
    let answer = block_on(hss.server_assignment(&call)).unwrap();
    assert_eq!(answer.private_identity, private("alice"));
    assert!(answer.profile.is_some());
    assert_eq!(locate(&hss, ALICE), Ok(LocationInfo::Scscf(server(1))));

    assert!(assign(&hss, 1, AssignmentType::Registration).is_ok());
    assert!(assign(&hss, 1, AssignmentType::UserDeregistrationStoreServerName).unwrap().server_name_stored);
    assert_eq!(locate(&hss, ALICE), Ok(LocationInfo::Scscf(server(1))));
    let mut request = LocationInfoRequest::new(public(ALICE));
    request.capabilities = true;
    assert_eq!(block_on(hss.location_info(&request)), Ok(capabilities));
    assert!(assign(&hss, 1, AssignmentType::TimeoutDeregistration).is_ok());
    challenge(&hss, 2);
    assert_eq!(locate(&hss, ALICE), Ok(LocationInfo::Scscf(server(2))));
}

#[test]
fn profile_on_demand() {
    let charging = ChargingAddresses::new(["aaa://ccf.ims.example".to_owned()], []);
    let hss = Hss::with_subscribers([alice().with_charging(charging.clone())], [0; 32]).unwrap();
    let kind = AssignmentType::Registration;
    let mut request = ServerAssignmentRequest::new(private("alice"), public(ALICE), server(1), kind);
    request.user_data_available = true;
    let answer = block_on(hss.server_assignment(&request)).unwrap();
    assert_eq!((answer.profile, answer.charging), (None, Some(charging)));
}

/// TS 29.228 §6.1.3 and §6.2.2.
#[test]
fn provisioning_is_heard_of() {
    let hss = hss();
    let mut events = hss.events();
    // Nobody has the user: nobody needs to know.
    let other = subscription("alice", &[ALICE]).with_capabilities(Capabilities::new([1], [2]));
    assert_eq!(block_on(hss.put(other.clone())).unwrap(), Put::Replaced(Arc::new(alice())));
    assert_eq!(block_on(hss.put(other.clone())).unwrap(), Put::Unchanged);
    challenge(&hss, 1);
    assert_eq!(block_on(hss.put(alice())).unwrap(), Put::Replaced(Arc::new(other)));
    assert_eq!(come(&mut events), []);

    assert!(assign(&hss, 1, AssignmentType::Registration).is_ok());
    // What an S-CSCF does not see is none of its business.
    assert!(block_on(hss.put(subscription("alice", &[ALICE, NUMBER]))).is_ok());
    assert_eq!(come(&mut events), []);
    let later = subscription("alice", &[ALICE, "sip:al@ims.example"]);
    assert!(block_on(hss.put(later.clone())).is_ok());
    let push = HssEvent::PushProfile(PushProfile::new(server(1), later.profile()));
    assert_eq!(come(&mut events), [push]);

    // Another default identity cannot be pushed.
    assert!(block_on(hss.put(subscription("alice", &[NUMBER, ALICE]))).is_ok());
    let gone = termination(1, &[ALICE, "sip:al@ims.example"], TerminationReason::Permanent);
    assert_eq!(come(&mut events), [gone]);
    assert_eq!(locate(&hss, ALICE), Err(HssError::NotRegistered));

    assert!(assign(&hss, 2, AssignmentType::Registration).is_ok());
    assert!(block_on(hss.delete(&private("alice"))).unwrap());
    assert_eq!(come(&mut events), [termination(2, &[NUMBER, ALICE], TerminationReason::Permanent)]);
    assert_eq!(locate(&hss, ALICE), Err(HssError::Unknown));
    assert!(!block_on(hss.delete(&private("alice"))).unwrap());
    assert!(block_on(hss.get(&private("alice"))).unwrap().is_none());
    assert_eq!(block_on(hss.list(10, None)).unwrap().len(), 1);
}

/// TS 29.228 §6.1.3, by decision of the operator; and a life after this one, on what the store has kept.
#[test]
fn an_operator_ends_a_registration() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let open = || block_on(Hss::open(Keeping(kept.clone()), [0; 32])).unwrap();
    let hss = open();
    assert_eq!(block_on(hss.deregister(&public(ALICE), TerminationReason::ServerChange)), Ok(false));
    assert_eq!(block_on(hss.deregister(&public(BOB), TerminationReason::ServerChange)), Err(HssError::Unknown));
    challenge(&hss, 1);
    assert_eq!(lock(&kept).len(), 0, "a challenge is not kept");
    assert!(assign(&hss, 1, AssignmentType::Registration).is_ok());
    assert!(assign(&hss, 1, AssignmentType::ReRegistration).is_ok());
    assert_eq!(lock(&kept).len(), 1, "nothing has changed");

    let hss = open();
    assert_eq!(locate(&hss, NUMBER), Ok(LocationInfo::Scscf(server(1))));
    let assignment = Assignment::new(server(1), AssignmentState::Registered);
    assert_eq!(block_on(hss.assignment(&public(NUMBER))), Ok(Some(assignment.clone())));
    challenge(&hss, 2);
    let taken = Assignment { server_name: server(2), before: Some(server(1)), ..assignment };
    assert_eq!(lock(&kept).last(), Some(&Some(taken)), "whom to tell once the other one has it");

    let hss = open();
    let mut events = hss.events();
    assert!(assign(&hss, 2, AssignmentType::Registration).is_ok());
    assert_eq!(come(&mut events), [termination(1, &[ALICE, NUMBER], TerminationReason::NewServerAssigned)]);
    assert_eq!(block_on(hss.deregister(&public(NUMBER), TerminationReason::RemoveScscf)), Ok(true));
    assert_eq!(come(&mut events), [termination(2, &[ALICE, NUMBER], TerminationReason::RemoveScscf)]);
    assert_eq!(lock(&kept).last(), Some(&None));
    assert_eq!(block_on(hss.assignment(&public(ALICE))), Ok(None));
}

/// A base of Alice that keeps every assignment, one after the other.
struct Keeping(Arc<Mutex<Vec<Option<Assignment>>>>);

#[async_trait]
impl SubscriberStore for Keeping {
    async fn get(&self, user: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        Ok((*user == private("alice")).then(|| Arc::new(alice())))
    }

    async fn find(&self, identity: &PublicIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        Ok(alice().profile().identity(identity).map(|_| Arc::new(alice())))
    }

    async fn put(&self, _: Provision) -> Result<Put, StoreError> {
        Ok(Put::Unchanged)
    }

    async fn delete(&self, _: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        Ok(None)
    }

    async fn list(&self, _: usize, _: Option<&PrivateIdentity>) -> Result<Vec<Listed>, StoreError> {
        Ok(vec![(private("alice"), Arc::new(alice()))])
    }

    async fn advance(&self, _: &PrivateIdentity, _: u64, _: u64) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    fn assign(&self, _: &PrivateIdentity, assignment: Option<&Assignment>) -> Written {
        lock(&self.0).push(assignment.cloned());
        Box::pin(std::future::ready(Ok(())))
    }

    async fn assignments(&self) -> Result<Vec<(PrivateIdentity, Assignment)>, StoreError> {
        Ok(lock(&self.0).last().cloned().flatten().map(|kept| (private("alice"), kept)).into_iter().collect())
    }
}

/// A base in which somebody deletes a user just after it was looked up.
struct Meddling {
    base: Arc<MemorySubscribers>,
    meddle: Arc<Mutex<Option<Hss>>>,
}

#[async_trait]
impl SubscriberStore for Meddling {
    async fn get(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        self.base.get(private_identity).await
    }

    async fn find(&self, public_identity: &PublicIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        let found = self.base.find(public_identity).await;
        let hss = lock(&self.meddle).take();
        if let Some(hss) = hss {
            hss.delete(&private("alice")).await?;
        }
        found
    }

    async fn put(&self, provision: Provision) -> Result<Put, StoreError> {
        self.base.put(provision).await
    }

    async fn delete(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        self.base.delete(private_identity).await
    }

    async fn list(&self, limit: usize, after: Option<&PrivateIdentity>) -> Result<Vec<Listed>, StoreError> {
        self.base.list(limit, after).await
    }

    async fn advance(
        &self,
        private_identity: &PrivateIdentity,
        expected: u64,
        next: u64,
    ) -> Result<Option<u64>, StoreError> {
        self.base.advance(private_identity, expected, next).await
    }
}

#[test]
fn deleted_while_it_registers() {
    let meddle = Arc::new(Mutex::new(None));
    let base = Arc::new(MemorySubscribers::new([alice()]).unwrap());
    let meddling = Meddling { base: base.clone(), meddle: meddle.clone() };
    let hss = block_on(Hss::open(meddling, [0; 32])).unwrap();
    *lock(&meddle) = Some(hss.clone());
    assert_eq!(assign(&hss, 1, AssignmentType::Registration), Err(HssError::Unknown));
    // Nothing of it is left for a later subscriber of the same name.
    assert!(block_on(base.put(alice().into())).is_ok());
    assert_eq!(locate(&hss, ALICE), Err(HssError::NotRegistered));
}

fn usim() -> AkaCredentials {
    AkaCredentials::new(Milenage::new(&[0x4b; 16], &[0x0c; 16]), [0x80, 0])
}

fn with_usim() -> Hss {
    let alice = Subscription::new(private("alice"), [public(ALICE)], Credentials::Aka(usim())).unwrap();
    Hss::with_subscribers([alice, subscription("bob", &[BOB])], [0; 32]).unwrap()
}

fn vectors(
    hss: &Hss,
    count: u32,
    resynchronisation: Option<Resynchronisation>,
) -> Result<Vec<AuthenticationVector>, HssError> {
    let mut request = MultimediaAuthRequest::new(private("alice"), public(ALICE), server(1));
    (request.count, request.resynchronisation) = (count, resynchronisation);
    block_on(hss.multimedia_auth(&request)).map(|answer| match answer {
        MultimediaAuth::Aka(vectors) => vectors,
        MultimediaAuth::Digest(_) => panic!("the user has a USIM"),
    })
}

/// TS 33.102 §6.3.2: each batch goes on where the last one ended.
#[test]
fn vectors_in_batches() {
    let hss = with_usim();
    let mut usim = Usim::new(usim());
    for (asked, given) in [(1, 1), (5, 5), (0, 1), (u32::MAX, 5)] {
        let batch = vectors(&hss, asked, None).unwrap();
        assert_eq!(batch.len(), given);
        for vector in batch {
            let answer = usim.authenticate(&vector.rand, &vector.autn);
            assert!(matches!(answer, UsimAnswer::Response { res, .. } if res == vector.xres));
        }
    }
    assert_eq!(authorize(&hss, AuthorizationType::Registration), Ok(UserAuthorization::Scscf(server(1))));
}

/// TS 33.102 §6.3.5, TS 29.228 §6.3.1.
#[test]
fn a_usim_that_is_ahead_is_followed() {
    let hss = with_usim();
    let mut card = Usim::new(usim()).with_seq(1_000_000);
    let vector = vectors(&hss, 1, None).unwrap().remove(0);
    let UsimAnswer::SynchronisationFailure(auts) = card.authenticate(&vector.rand, &vector.autn) else {
        panic!("the USIM is ahead");
    };
    let mut forged = auts;
    forged[13] ^= 1;
    let lost = |auts| Some(Resynchronisation { rand: vector.rand, auts });
    assert_eq!(vectors(&hss, 1, lost(forged)), Err(HssError::Resynchronisation));
    let still = vectors(&hss, 1, None).unwrap().remove(0);
    let still = card.authenticate(&still.rand, &still.autn);
    assert!(matches!(still, UsimAnswer::SynchronisationFailure(_)), "a forged AUTS moves nothing");
    for turn in 0..2 {
        // The second time it is a replay, and does not turn the numbers back.
        let next = vectors(&hss, 1, lost(auts)).unwrap().remove(0);
        let answer = card.authenticate(&next.rand, &next.autn);
        assert!(matches!(answer, UsimAnswer::Response { res, .. } if res == next.xres), "{turn}");
    }
}

/// TS 29.228 §6.3.1: a scheme that the subscription does not have.
#[test]
fn schemes_are_those_of_the_subscription() {
    let hss = with_usim();
    let check = |user: &str, identity: &str, scheme, supported: bool| {
        let mut request = MultimediaAuthRequest::new(private(user), public(identity), server(1));
        request.scheme = scheme;
        let answer = block_on(hss.multimedia_auth(&request));
        assert_eq!(answer.err(), (!supported).then_some(HssError::SchemeNotSupported), "{user} {scheme:?}");
    };
    check("alice", ALICE, AuthScheme::Digest, false);
    check("alice", ALICE, AuthScheme::NassBundled, false);
    check("alice", ALICE, AuthScheme::EarlyIms, false);
    assert_eq!(authorize(&hss, AuthorizationType::Deregistration), Err(HssError::NotRegistered));
    check("alice", ALICE, AuthScheme::Aka, true);
    check("alice", ALICE, AuthScheme::Unknown, true);
    check("bob", BOB, AuthScheme::Aka, false);
    check("bob", BOB, AuthScheme::NassBundled, false);
    check("bob", BOB, AuthScheme::Digest, true);
    check("bob", BOB, AuthScheme::Unknown, true);
}
