//! Several private identities with one set of public identities: Alice's phone, her tablet, her watch.

use super::*;

fn share(user: &str) -> Provision {
    Provision::Shares { private_identity: private(user), credentials: credentials(user), with: private("alice") }
}

/// Alice, with a tablet and a watch.
fn family() -> Hss {
    let hss = hss();
    for user in ["tablet", "watch"] {
        assert_eq!(block_on(hss.put(share(user))).unwrap(), Put::Created);
    }
    hss
}

fn take(hss: &Hss, user: &str, n: u8) -> Result<MultimediaAuth, HssError> {
    block_on(hss.multimedia_auth(&MultimediaAuthRequest::new(private(user), public(ALICE), server(n))))
}

fn tell(hss: &Hss, user: &str, n: u8, kind: AssignmentType) -> Result<ServerAssignment, HssError> {
    block_on(hss.server_assignment(&ServerAssignmentRequest::new(private(user), public(NUMBER), server(n), kind)))
}

fn ask(hss: &Hss, user: &str) -> Result<UserAuthorization, HssError> {
    block_on(hss.user_authorization(&uar(user, ALICE, AuthorizationType::Registration)))
}

/// Who is named in each event that has come.
fn named(events: &mut HssEvents) -> Vec<String> {
    let names = |event: HssEvent| event.private_identities().map(PrivateIdentity::as_str).collect::<Vec<_>>().join(" ");
    come(events).into_iter().map(names).collect()
}

/// TS 29.228 §6.1.1.1, §6.3.1, §6.1.2.1: the two identities are checked as a pair, and each phone proves who it is by itself.
#[test]
fn each_by_its_own_name() {
    let hss = family();
    assert_eq!(
        take(&hss, "tablet", 1),
        Ok(MultimediaAuth::Digest(match credentials("tablet") {
            Credentials::Digest(digest) => digest,
            Credentials::Aka(_) => panic!("Digest"),
        }))
    );
    let mismatch = HssError::Forbidden(Refusal::IdentitiesDontMatch);
    assert_eq!(ask(&hss, "bob"), Err(mismatch.clone()));
    assert_eq!(take(&hss, "bob", 1), Err(mismatch.clone()));
    assert_eq!(tell(&hss, "bob", 1, AssignmentType::Registration), Err(mismatch));
    assert_eq!(ask(&hss, "nobody"), Err(HssError::Unknown));

    let answer = tell(&hss, "tablet", 1, AssignmentType::Registration).unwrap();
    assert_eq!(answer.private_identity, private("tablet"));
    assert_eq!(answer.associated, ["alice", "tablet", "watch"].map(private));
    let profile = answer.profile.unwrap();
    assert_eq!(
        (&profile.private_identity, &profile.service_profiles),
        (&private("tablet"), &alice().profile().service_profiles)
    );
    let bob = ServerAssignmentRequest::new(private("bob"), public(BOB), server(1), AssignmentType::Registration);
    assert_eq!(block_on(hss.server_assignment(&bob)).unwrap().associated, [], "who has one has no others");
}

/// TS 29.228 §6.1.1.1 step 5, §6.1.2.1: one S-CSCF for all, and a public identity is registered until the last phone is not.
#[test]
fn registered_until_the_last_is_not() {
    let hss = family();
    take(&hss, "tablet", 1).unwrap();
    assert_eq!(ask(&hss, "alice"), Ok(UserAuthorization::Scscf(server(1))), "where the tablet is being challenged");
    assert!(tell(&hss, "tablet", 1, AssignmentType::Registration).is_ok());
    assert_eq!(tell(&hss, "alice", 1, AssignmentType::UserDeregistration).err(), Some(HssError::NotRegistered));
    take(&hss, "alice", 1).unwrap();
    assert_eq!(
        tell(&hss, "alice", 2, AssignmentType::Registration).err(),
        Some(HssError::AlreadyRegistered { assigned: server(1) })
    );
    assert!(tell(&hss, "alice", 1, AssignmentType::Registration).is_ok());
    // A challenge that is not met takes nothing from the others.
    take(&hss, "watch", 1).unwrap();
    assert!(tell(&hss, "watch", 1, AssignmentType::AuthenticationFailure).is_ok());

    for (user, kind) in
        [("alice", AssignmentType::TimeoutDeregistration), ("tablet", AssignmentType::UserDeregistration)]
    {
        assert_eq!(locate(&hss, ALICE), Ok(LocationInfo::Scscf(server(1))));
        assert!(tell(&hss, user, 1, kind).is_ok());
        assert_eq!(tell(&hss, user, 1, kind).err(), Some(HssError::NotRegistered), "{user} twice");
    }
    assert_eq!(locate(&hss, ALICE), Err(HssError::NotRegistered));
    assert!(matches!(ask(&hss, "watch"), Ok(UserAuthorization::Capabilities(_))));
}

/// TS 29.228 §6.1.2.1: the name of the S-CSCF is kept for whoever is still registered, or for services of nobody.
#[test]
fn services_of_nobody_begin_with_the_last() {
    let hss = Hss::with_subscribers([alice().with_unregistered_services(true)], [0; 32]).unwrap();
    block_on(hss.put(share("tablet"))).unwrap();
    for user in ["alice", "tablet"] {
        assert!(tell(&hss, user, 1, AssignmentType::Registration).is_ok());
    }
    let store = AssignmentType::TimeoutDeregistrationStoreServerName;
    let state = || block_on(hss.assignment(&public(ALICE))).unwrap().map(|assignment| assignment.state);
    for (user, expected) in [("alice", AssignmentState::Registered), ("tablet", AssignmentState::Unregistered)] {
        assert!(tell(&hss, user, 1, store).unwrap().server_name_stored);
        assert_eq!(state(), Some(expected));
    }
    // Whoever registers ends that, and whoever the S-CSCF names ends the whole of it.
    assert!(tell(&hss, "alice", 1, AssignmentType::Registration).is_ok());
    assert!(tell(&hss, "alice", 1, AssignmentType::UserDeregistration).is_ok());
    assert_eq!(state(), None);
    let call = ServerAssignmentRequest::unregistered(public(NUMBER), server(1));
    assert_eq!(block_on(hss.server_assignment(&call)).unwrap().private_identity, private("alice"));
    assert_eq!(tell(&hss, "tablet", 1, AssignmentType::UnregisteredUser).map(|answer| answer.associated.len()), Ok(2));
    assert!(tell(&hss, "tablet", 1, AssignmentType::TimeoutDeregistration).is_ok());
    assert_eq!(state(), None);
}

/// TS 29.228 §6.1.2.1: without a private identity a deregistration is that of all.
#[test]
fn all_at_once() {
    let hss = family();
    for user in ["alice", "tablet"] {
        assert!(tell(&hss, user, 1, AssignmentType::Registration).is_ok());
    }
    let mut request = ServerAssignmentRequest::new(
        private("alice"),
        public(ALICE),
        server(1),
        AssignmentType::AdministrativeDeregistration,
    );
    request.private_identity = None;
    assert!(block_on(hss.server_assignment(&request)).is_ok());
    assert_eq!(locate(&hss, ALICE), Err(HssError::NotRegistered));
}

/// TS 29.228 §8.1, §6.1.3: a challenge of one moves all; the S-CSCF that had them hears of each.
#[test]
fn another_scscf_takes_them_all() {
    let hss = family();
    let mut events = hss.events();
    for user in ["alice", "tablet"] {
        assert!(tell(&hss, user, 1, AssignmentType::Registration).is_ok());
    }
    take(&hss, "watch", 2).unwrap();
    assert!(tell(&hss, "watch", 2, AssignmentType::AuthenticationTimeout).is_ok());
    assert_eq!((locate(&hss, ALICE), named(&mut events)), (Ok(LocationInfo::Scscf(server(1))), vec![]));
    take(&hss, "watch", 2).unwrap();
    assert!(tell(&hss, "watch", 2, AssignmentType::Registration).is_ok());
    assert_eq!(named(&mut events), ["alice tablet"]);
    for user in ["alice", "tablet", "watch"] {
        assert_eq!(tell(&hss, user, 1, AssignmentType::UserDeregistration).err(), Some(HssError::NotAssigned));
        assert!(tell(&hss, user, 2, AssignmentType::ReRegistration).is_ok());
    }
    assert_eq!(named(&mut events), [""; 0]);
}

/// TS 29.228 §6.1.3, §6.2.2.1: a push is said once, the end is said of whom it concerns.
#[test]
fn what_the_hss_says_of_them() {
    let hss = family();
    let mut events = hss.events();
    for user in ["tablet", "watch"] {
        assert!(tell(&hss, user, 1, AssignmentType::Registration).is_ok());
    }
    let more = subscription("alice", &[ALICE, "sip:al@ims.example"]);
    assert!(block_on(hss.put(more.clone())).is_ok());
    let push = HssEvent::PushProfile(PushProfile::new(server(1), more.profile_of(&private("tablet"))));
    assert_eq!(come(&mut events), [push]);
    assert_eq!(block_on(hss.put(share("watch"))).unwrap(), Put::Unchanged);

    // Another password is none of the S-CSCF's business; another subscription is.
    let other = Provision::Shares {
        private_identity: private("watch"),
        credentials: credentials("else"),
        with: private("tablet"),
    };
    assert!(matches!(block_on(hss.put(other)), Ok(Put::Replaced(_))));
    assert_eq!(named(&mut events), [""; 0]);
    let to_bob = Provision::Shares {
        private_identity: private("watch"),
        credentials: credentials("watch"),
        with: private("bob"),
    };
    assert!(matches!(block_on(hss.put(to_bob)), Ok(Put::Replaced(_))));
    assert_eq!(named(&mut events), ["watch"]);
    assert_eq!(locate(&hss, ALICE), Ok(LocationInfo::Scscf(server(1))));
    assert_eq!(locate(&hss, BOB), Err(HssError::NotRegistered));

    // The holder goes: who is registered stays so.
    assert!(block_on(hss.delete(&private("alice"))).unwrap());
    assert_eq!((named(&mut events), locate(&hss, ALICE)), (vec![], Ok(LocationInfo::Scscf(server(1)))));
    assert!(tell(&hss, "tablet", 1, AssignmentType::ReRegistration).is_err(), "NUMBER is gone since");
    assert_eq!(block_on(hss.deregister(&public(ALICE), TerminationReason::ServerChange)), Ok(true));
    assert_eq!(named(&mut events), ["tablet"]);

    assert!(block_on(hss.delete(&private("tablet"))).unwrap());
    assert_eq!((named(&mut events), locate(&hss, ALICE)), (vec![], Err(HssError::Unknown)));
}

/// An operator's word is about all of them, and so is another default identity.
#[test]
fn the_end_of_all() {
    for way in 0..2 {
        let hss = family();
        let mut events = hss.events();
        for user in ["watch", "alice"] {
            assert!(tell(&hss, user, 1, AssignmentType::Registration).is_ok());
        }
        match way {
            0 => assert_eq!(block_on(hss.deregister(&public(NUMBER), TerminationReason::Permanent)), Ok(true)),
            _ => assert!(block_on(hss.put(subscription("alice", &[NUMBER, ALICE]))).is_ok()),
        }
        assert_eq!(
            (named(&mut events), locate(&hss, ALICE)),
            (vec!["alice watch".to_owned()], Err(HssError::NotRegistered))
        );
    }
}
