//! What every [`SubscriberStore`] has to do, as a check that any back end can be put to.

use std::sync::Arc;

use crate::{
    Credentials, DigestCredentials, PrivateIdentity, PublicIdentity, Put, StoreError, SubscriberStore, Subscription,
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
    match store.put(greedy).await {
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

    pages(store).await;
    sequence(store).await;

    assert_eq!(delete(store, "alice").await, Some(moved));
    assert_eq!(delete(store, "alice").await, None);
    assert_eq!(find(store, "tel:+2").await, None);
    assert_eq!(delete(store, "bob").await, Some(richer));
    assert_eq!(store.list(10, None).await.expect("the store answers"), []);
}

/// Alice and Bob are there already.
async fn pages(store: &impl SubscriberStore) {
    for user in ["carol", "Zoe", "bob2"] {
        assert_eq!(put(store, &subscription(user, &[&format!("sip:{user}@ims.example")])).await, Put::Created);
    }
    let page = async |limit, after: Option<&str>| {
        let after = after.map(private);
        let page = store.list(limit, after.as_ref()).await.expect("the store answers");
        page.iter().map(|subscription| subscription.private_identity().to_string()).collect::<Vec<_>>()
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

/// Alice is there.
async fn sequence(store: &impl SubscriberStore) {
    let advance =
        async |expected, next| store.advance(&private("alice"), expected, next).await.expect("the store answers");
    assert_eq!(advance(1, 9).await, Some(0), "not what was expected");
    assert_eq!(advance(0, 32).await, Some(0));
    assert_eq!(advance(0, 64).await, Some(32), "somebody was before");
    assert_eq!(advance(32, 64).await, Some(32));
    let alice = get(store, "alice").await.expect("Alice");
    assert_eq!(put(store, &alice).await, Put::Replaced(alice.clone()));
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

fn subscription(user: &str, identities: &[&str]) -> Arc<Subscription> {
    let digest = DigestCredentials::from_password(&private(user), "ims.example", "secret").expect("credentials");
    let identities = identities.iter().map(|text| public(text));
    Arc::new(Subscription::new(private(user), identities, Credentials::Digest(digest)).expect("a subscription"))
}

async fn get(store: &impl SubscriberStore, user: &str) -> Option<Arc<Subscription>> {
    store.get(&private(user)).await.expect("the store answers")
}

async fn find(store: &impl SubscriberStore, identity: &str) -> Option<Arc<Subscription>> {
    store.find(&public(identity)).await.expect("the store answers")
}

async fn put(store: &impl SubscriberStore, subscription: &Arc<Subscription>) -> Put {
    store.put(subscription.clone()).await.expect("the store answers")
}

async fn delete(store: &impl SubscriberStore, user: &str) -> Option<Arc<Subscription>> {
    store.delete(&private(user)).await.expect("the store answers")
}
