//! What every [`SubscriberStore`] has to do, as a check that any back end can be put to.

use std::sync::Arc;

use crate::diameter::Origin;
use crate::{
    Assignment, AssignmentState, Credentials, DigestCredentials, PrivateIdentity, Provision, PublicIdentity, Put,
    ServerName, StoreError, SubscriberStore, Subscription, SubscriptionError,
};

/// Puts an empty store to the check, and leaves it empty.
///
/// # Panics
///
/// Where the store does not keep the contract: this is for tests.
pub async fn check(store: &impl SubscriberStore) {
    let alice = subscription("alice", &["sip:alice@ims.example", "tel:+1"]);
    let bob = subscription("bob", &["sip:bob@ims.example"]);
    assert_eq!(get(store, "alice").await, None);
    assert_eq!(find(store, "tel:+1").await, None);
    assert_eq!(put(store, &alice).await, Put::Created);
    assert_eq!(put(store, &bob).await, Put::Created);
    assert_eq!(get(store, "alice").await.as_ref(), Some(&alice));
    assert_eq!(find(store, "sip:alice@ims.example").await.as_ref(), Some(&alice));
    assert_eq!(find(store, "tel:+1").await.as_ref(), Some(&alice));

    let greedy = subscription("bob", &["sip:robert@ims.example", "tel:+1"]);
    match store.put(greedy.into()).await {
        Err(StoreError::Conflict { public_identity, owner }) => {
            assert_eq!((public_identity.as_str(), owner.as_str()), ("tel:+1", "alice"));
        }
        other => panic!("a public identity of somebody else was taken: {other:?}"),
    }
    assert_eq!(get(store, "bob").await.as_ref(), Some(&bob), "a refused write changes nothing");
    assert_eq!(find(store, "sip:robert@ims.example").await, None);

    let moved = subscription("alice", &["sip:alice@ims.example", "tel:+2"]);
    assert_eq!(put(store, &moved).await, Put::Replaced(alice.clone()));
    assert_eq!(find(store, "tel:+1").await, None, "given up");
    assert_eq!(find(store, "tel:+2").await.as_ref(), Some(&moved));
    let richer = subscription("bob", &["sip:bob@ims.example", "tel:+1"]);
    assert_eq!(put(store, &richer).await, Put::Replaced(bob), "free for others");

    together(store).await;
    pages(store).await;
    sharing(store).await;
    sequence(store).await;

    assert_eq!(delete(store, "alice").await, Some(moved));
    assert_eq!(delete(store, "alice").await, None);
    assert_eq!(find(store, "tel:+2").await, None);
    assert_eq!(delete(store, "bob").await, Some(richer));
    assert_eq!(store.list(10, None).await.expect("the store answers"), []);
}

/// Alice and Bob are there already: Bob has tel:+1.
async fn together(store: &impl SubscriberStore) {
    let carol = subscription("carol", &["tel:+3"]);
    let greedy = subscription("dave", &["tel:+5", "tel:+1"]);
    let late = subscription("erin", &["tel:+3"]);
    let frank = subscription("frank", &["tel:+4"]);
    let all = [frank.clone(), carol.clone(), greedy, late, carol.clone()].map(Provision::from).to_vec();
    let done = store.put_all(all).await.expect("the store answers");
    let owner = |result: &Result<Put, StoreError>| match result {
        Err(StoreError::Conflict { owner, .. }) => owner.to_string(),
        other => panic!("a public identity of somebody else was taken: {other:?}"),
    };
    assert!(matches!((&done[0], &done[1]), (Ok(Put::Created), Ok(Put::Created))), "{done:?}");
    assert_eq!([owner(&done[2]), owner(&done[3])], ["bob", "carol"]);
    assert_eq!(done[4].as_ref().ok(), Some(&Put::Unchanged));
    assert_eq!(find(store, "tel:+4").await, Some(frank));
    assert_eq!(find(store, "tel:+5").await, None, "the refused one has none of its identities");
    for absent in ["dave", "erin"] {
        assert_eq!(get(store, absent).await, None);
    }
    for user in ["carol", "frank"] {
        assert!(delete(store, user).await.is_some());
    }
}

/// Puts a store that keeps assignments to the check, and leaves it empty.
///
/// # Panics
///
/// Where the store does not keep the contract: this is for tests.
pub async fn check_assignments(store: &impl SubscriberStore) {
    let scscf = |n: u8| format!("sip:scscf{n}.ims.example").parse::<ServerName>().expect("a name");
    let mut assignment = Assignment::new(scscf(1), AssignmentState::Registered);
    let (alice, bob) = (private("alice"), private("bob"));
    let kept = async || store.assignments().await.expect("the store answers");
    assert_eq!(kept().await, []);
    store.assign(&bob, Some(&assignment)).await.expect("the store answers");
    assignment.before = Some(scscf(2));
    assignment.state = AssignmentState::Unregistered;
    let early = store.assign(&alice, None);
    let late = store.assign(&alice, Some(&assignment));
    late.await.expect("the store answers");
    early.await.expect("the store answers");
    let mut found = kept().await;
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let of_bob = Assignment::new(scscf(1), AssignmentState::Registered);
    assert_eq!(found, [(alice.clone(), assignment.clone()), (bob.clone(), of_bob)], "the call counts, not the poll");
    // What is never waited for is written with what comes after it.
    drop(store.assign(&alice, None));
    store.assign(&bob, None).await.expect("the store answers");
    assert_eq!(kept().await, []);

    assert_eq!(put(store, &subscription("alice", &["tel:+1"])).await, Put::Created);
    store.assign(&alice, Some(&assignment)).await.expect("the store answers");
    assert!(delete(store, "alice").await.is_some());
    assert_eq!(kept().await, [], "it goes with the subscription");

    assert_eq!(store.scscfs().await.expect("the store answers"), []);
    for host in ["a.ims.example", "b.ims.example"] {
        store.keep_scscf(&scscf(1), &Origin::new(host, "ims.example")).await.expect("the store answers");
    }
    let node = Origin::new("b.ims.example", "ims.example");
    assert_eq!(store.scscfs().await.expect("the store answers"), [(scscf(1), node)]);
}

/// Alice and Bob are there already.
async fn pages(store: &impl SubscriberStore) {
    for user in ["carol", "Zoe", "bob2"] {
        assert_eq!(put(store, &subscription(user, &[&format!("sip:{user}@ims.example")])).await, Put::Created);
    }
    let page = async |limit, after: Option<&str>| {
        let after = after.map(private);
        let page = store.list(limit, after.as_ref()).await.expect("the store answers");
        page.iter().map(|(user, _)| user.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(page(2, None).await, ["Zoe", "alice"]);
    assert_eq!(page(2, Some("alice")).await, ["bob", "bob2"]);
    assert_eq!(page(2, Some("bob1")).await, ["bob2", "carol"], "after a name that is not there");
    assert_eq!(page(2, Some("bob2")).await, ["carol"]);
    assert_eq!(page(0, None).await, [""; 0]);
    assert_eq!(page(usize::MAX, None).await.len(), 5);
    for user in ["carol", "Zoe", "bob2"] {
        assert!(delete(store, user).await.is_some());
    }
}

/// Alice and Bob are there already: Bob has tel:+1.
async fn sharing(store: &impl SubscriberStore) {
    let alice = get(store, "alice").await.expect("Alice");
    let bob = get(store, "bob").await.expect("Bob");
    let who = |subscription: &Option<Arc<Subscription>>| {
        let users = subscription.iter().flat_map(|it| it.private_identities().map(ToString::to_string));
        users.collect::<Vec<_>>().join(" ")
    };
    assert!(matches!(share(store, "tablet", "x", "nobody").await, Err(StoreError::NobodyToShareWith { .. })));
    assert!(matches!(share(store, "alice", "x", "alice").await, Err(StoreError::NobodyToShareWith { .. })));
    assert_eq!(share(store, "tablet", "x", "alice").await.ok(), Some(Put::Created));
    assert_eq!(share(store, "tablet", "x", "alice").await.ok(), Some(Put::Unchanged));
    assert_eq!(share(store, "watch", "x", "tablet").await.ok(), Some(Put::Created), "with whoever shares it");
    for found in [get(store, "alice").await, get(store, "watch").await, find(store, "sip:alice@ims.example").await] {
        assert_eq!(who(&found), "alice tablet watch");
        let credentials = found.as_ref().and_then(|it| it.credentials_of(&private("tablet")));
        assert_eq!(credentials, Some(&digest("tablet", "x")));
        assert_eq!(found.as_ref().map(|it| it.credentials()), Some(alice.credentials()));
    }
    let listed = store.list(9, None).await.expect("the store answers");
    let listed: Vec<_> =
        listed.iter().map(|(user, found)| (user.as_str(), found.private_identity().as_str())).collect();
    assert_eq!(listed, [("alice", "alice"), ("bob", "bob"), ("tablet", "alice"), ("watch", "alice")]);
    assert_eq!(store.advance(&private("tablet"), 0, 7).await.expect("the store answers"), Some(0), "its own numbers");
    assert_eq!(store.advance(&private("alice"), 0, 0).await.expect("the store answers"), Some(0));

    let Ok(Put::Replaced(before)) = share(store, "tablet", "y", "alice").await else { panic!("another password") };
    assert_eq!(before.credentials_of(&private("tablet")), Some(&digest("tablet", "x")));
    // The holder is written anew: who shares goes on to.
    let moved = subscription("alice", &["tel:+7"]);
    assert!(matches!(put(store, &moved).await, Put::Replaced(_)));
    let found = find(store, "tel:+7").await;
    assert_eq!(who(&found), "alice tablet watch");
    assert_eq!(found.and_then(|it| it.credentials_of(&private("tablet")).cloned()), Some(digest("tablet", "y")));
    assert_eq!(find(store, "sip:alice@ims.example").await, None);
    assert_eq!(put(store, &moved).await, Put::Unchanged);
    // A share is no way to what is somebody else's.
    let greedy = store.put(subscription("tablet", &["tel:+7"]).into()).await;
    assert!(matches!(greedy, Err(StoreError::Conflict { owner, .. }) if owner == private("alice")));
    assert_eq!(who(&get(store, "tablet").await), "alice tablet watch");

    // From one to the other, and to a subscription of its own.
    assert!(
        matches!(share(store, "watch", "x", "bob").await, Ok(Put::Replaced(left)) if left.private_identity() == &private("alice"))
    );
    assert_eq!(
        (who(&find(store, "tel:+7").await), who(&find(store, "tel:+1").await)),
        ("alice tablet".into(), "bob watch".into())
    );
    assert!(matches!(put(store, &subscription("watch", &["tel:+8"])).await, Put::Replaced(_)));
    assert_eq!((who(&find(store, "tel:+8").await), who(&get(store, "bob").await)), ("watch".into(), "bob".into()));
    assert!(matches!(share(store, "watch", "x", "alice").await, Ok(Put::Replaced(_))));
    assert_eq!(find(store, "tel:+8").await, None, "nobody's any more");

    // The holder goes, and leaves it to who came next.
    assert_eq!(who(&delete(store, "alice").await), "alice tablet watch");
    assert_eq!(get(store, "alice").await, None);
    assert_eq!(who(&find(store, "tel:+7").await), "tablet watch");
    assert_eq!(who(&get(store, "watch").await), "tablet watch");
    assert!(matches!(share(store, "alice", "x", "watch").await, Ok(Put::Created)));
    assert_eq!(who(&delete(store, "tablet").await), "tablet watch alice");
    assert_eq!(who(&delete(store, "watch").await), "watch alice");
    assert_eq!(who(&delete(store, "alice").await), "alice");
    assert_eq!(find(store, "tel:+7").await, None);
    assert_eq!(store.advance(&private("tablet"), 7, 8).await.expect("the store answers"), None);

    for n in 1..crate::MAX_PRIVATE_IDENTITIES {
        assert_eq!(share(store, &format!("bob{n}"), "x", "bob").await.ok(), Some(Put::Created));
    }
    let more = share(store, "one-more", "x", "bob").await;
    assert!(matches!(more, Err(StoreError::Subscription(SubscriptionError::TooManyPrivateIdentities))));
    assert_eq!(get(store, "one-more").await, None);
    for n in 1..crate::MAX_PRIVATE_IDENTITIES {
        assert!(delete(store, &format!("bob{n}")).await.is_some());
    }
    assert_eq!(get(store, "bob").await, Some(bob));
    assert_eq!(put(store, &alice).await, Put::Created);
}

/// Alice is there.
async fn sequence(store: &impl SubscriberStore) {
    let advance =
        async |expected, next| store.advance(&private("alice"), expected, next).await.expect("the store answers");
    assert_eq!(advance(1, 9).await, Some(0), "not what was expected");
    assert_eq!(advance(0, 32).await, Some(0));
    assert_eq!(advance(0, 64).await, Some(32), "somebody was before");
    assert_eq!(advance(32, 64).await, Some(32));
    let alice = get(store, "alice").await.expect("Alice");
    assert_eq!(put(store, &alice).await, Put::Unchanged);
    let changed = subscription("alice", &["sip:alice@ims.example", "tel:+5"]);
    assert_eq!(put(store, &changed).await, Put::Replaced(alice.clone()));
    assert_eq!(put(store, &alice).await, Put::Replaced(changed));
    assert_eq!(advance(64, 1 << 43).await, Some(64), "a subscription written anew keeps the number");
    assert_eq!(delete(store, "alice").await, Some(alice.clone()));
    assert_eq!(advance(1 << 43, 1 << 44).await, None, "nobody's");
    assert_eq!(advance(0, 1).await, None, "nobody's");
    assert_eq!(put(store, &alice).await, Put::Created);
    assert_eq!(advance(0, 0).await, Some(0));
}

fn private(text: &str) -> PrivateIdentity {
    text.parse().expect("a private identity")
}

fn public(text: &str) -> PublicIdentity {
    text.parse().expect("a public identity")
}

fn digest(user: &str, password: &str) -> Credentials {
    let digest = DigestCredentials::from_password(&private(user), "ims.example", password);
    Credentials::Digest(digest.expect("credentials"))
}

fn subscription(user: &str, identities: &[&str]) -> Arc<Subscription> {
    let identities = identities.iter().map(|text| public(text));
    Arc::new(Subscription::new(private(user), identities, digest(user, "secret")).expect("a subscription"))
}

async fn share(store: &impl SubscriberStore, user: &str, password: &str, with: &str) -> Result<Put, StoreError> {
    let (private_identity, with, credentials) = (private(user), private(with), digest(user, password));
    store.put(Provision::Shares { private_identity, credentials, with }).await
}

async fn get(store: &impl SubscriberStore, user: &str) -> Option<Arc<Subscription>> {
    store.get(&private(user)).await.expect("the store answers")
}

async fn find(store: &impl SubscriberStore, identity: &str) -> Option<Arc<Subscription>> {
    store.find(&public(identity)).await.expect("the store answers")
}

async fn put(store: &impl SubscriberStore, subscription: &Arc<Subscription>) -> Put {
    store.put(subscription.clone().into()).await.expect("the store answers")
}

async fn delete(store: &impl SubscriberStore, user: &str) -> Option<Arc<Subscription>> {
    store.delete(&private(user)).await.expect("the store answers")
}
