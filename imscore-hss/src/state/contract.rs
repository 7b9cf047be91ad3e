//! What every [`StateStore`] has to do, as a check that any back end can be put to.

use std::time::Duration;

use super::{Claim, Key, Record, StateChange, StateStore, Swap, Table, Version, Write};

/// The unit of time of the check: long enough for a back end that has to be waited for.
const STEP: Duration = Duration::from_millis(200);

const RECORDS: Table = Table::new("contract-records");
const WORK: Table = Table::new("contract-work");
const OTHER: Table = Table::new("contract-other");

/// Puts a store to the check; its tables whose names begin with `contract-` must be empty. `pass` lets time go by for
/// the store: it moves the clock of one in process, it waits for one elsewhere.
///
/// # Panics
///
/// Where the store does not keep the contract: this is for tests.
pub async fn check(store: &impl StateStore, pass: impl AsyncFn(Duration)) {
    versions(store).await;
    expiry(store, &pass).await;
    due(store, &pass).await;
    expired_and_due(store, &pass).await;
    limits_and_tables(store, &pass).await;
    changes(store).await;
}

async fn versions(store: &impl StateStore) {
    let key = Key::new(RECORDS, b"versions\0\xff\r\n");
    assert_eq!(get(store, &key).await, None);
    assert_eq!(swap(store, &key, Some(1), Write::new(v(2), "x")).await, Swap::Conflict(None), "nothing to replace");
    assert_eq!(remove(store, &key, 1).await, Swap::Done, "nothing to remove");

    let first = Write::new(v(1), "one");
    assert_eq!(swap(store, &key, None, first.clone()).await, Swap::Done);
    let one = get(store, &key).await.expect("was written");
    assert_eq!((one.version, &one.value[..], one.expires_in), (v(1), &b"one"[..], None));
    assert_eq!(swap(store, &key, None, first.clone()).await, Swap::Done, "the same write again");
    assert_eq!(swap(store, &key, None, Write::new(v(2), "two")).await, Swap::Conflict(Some(one.clone())));
    assert_eq!(swap(store, &key, Some(3), Write::new(v(2), "two")).await, Swap::Conflict(Some(one)));

    assert_eq!(swap(store, &key, Some(1), Write::new(v(2), "")).await, Swap::Done);
    let two = get(store, &key).await.expect("was written");
    assert!(two.value.is_empty());
    assert_eq!(swap(store, &key, Some(1), Write::new(v(2), "")).await, Swap::Done, "the same write again");
    assert_eq!(swap(store, &key, None, first).await, Swap::Conflict(Some(two.clone())), "too late to repeat");

    assert_eq!(remove(store, &key, 1).await, Swap::Conflict(Some(two)));
    assert_eq!(remove(store, &key, 2).await, Swap::Done);
    assert_eq!(remove(store, &key, 2).await, Swap::Done, "the same removal again");
    assert_eq!(get(store, &key).await, None);
}

async fn expiry(store: &impl StateStore, pass: &impl AsyncFn(Duration)) {
    let key = Key::new(RECORDS, "expiry");
    let write = |version| Write::new(v(version), "x").expires_in(STEP * 2);
    assert_eq!(swap(store, &key, None, write(1)).await, Swap::Done);
    pass(STEP).await;
    let left = get(store, &key).await.and_then(|record| record.expires_in).expect("has a deadline");
    assert!(left > Duration::ZERO && left <= STEP, "{left:?}");
    assert_eq!(swap(store, &key, Some(1), write(2)).await, Swap::Done, "a later deadline");
    pass(STEP).await;
    assert!(get(store, &key).await.is_some(), "the earlier deadline counts no longer");
    pass(STEP).await;
    assert_eq!(get(store, &key).await, None, "expired at its deadline");
    assert_eq!(swap(store, &key, Some(2), write(3)).await, Swap::Conflict(None), "forgotten");
    assert_eq!(swap(store, &key, None, Write::new(v(3), "y")).await, Swap::Done);
    pass(STEP * 3).await;
    assert_eq!(get(store, &key).await.map(|record| record.version), Some(v(3)), "no deadline of an earlier write");
    assert_eq!(remove(store, &key, 3).await, Swap::Done);
}

async fn due(store: &impl StateStore, pass: &impl AsyncFn(Duration)) {
    let key = Key::new(WORK, "due");
    let write = |version| Write::new(v(version), "x").due_in(STEP);
    assert_eq!(swap(store, &key, None, write(1)).await, Swap::Done);
    assert_eq!(claim(store, WORK, 10).await, [], "not yet due");
    pass(STEP).await;
    let claimed = [Claim::new(key.clone(), Record::new(v(1), "x".into()))];
    assert_eq!(claim(store, WORK, 10).await, claimed);
    assert_eq!(claim(store, WORK, 10).await, [], "given to one only");
    assert!(get(store, &key).await.is_some(), "due is not expired");
    pass(STEP * 2).await;
    assert_eq!(claim(store, WORK, 10).await, claimed, "the lease has ended");

    assert_eq!(swap(store, &key, Some(1), write(2)).await, Swap::Done, "done with it: a new deadline, no lease");
    pass(STEP).await;
    assert_eq!(claim(store, WORK, 10).await, [Claim::new(key.clone(), Record::new(v(2), "x".into()))]);
    assert_eq!(remove(store, &key, 2).await, Swap::Done);
    pass(STEP * 2).await;
    assert_eq!(claim(store, WORK, 10).await, [], "removed");
}

async fn expired_and_due(store: &impl StateStore, pass: &impl AsyncFn(Duration)) {
    let key = Key::new(WORK, "expired");
    let write = |version| Write::new(v(version), "x").expires_in(STEP).due_in(STEP);
    assert_eq!(swap(store, &key, None, write(1)).await, Swap::Done);
    pass(STEP).await;
    assert_eq!(get(store, &key).await, None);
    let [claim_of_it] = claim(store, WORK, 10).await.try_into().expect("one is due");
    assert_eq!((claim_of_it.record.version, claim_of_it.record.expires_in), (v(1), Some(Duration::ZERO)));
    assert_eq!(swap(store, &key, Some(1), write(2)).await, Swap::Done, "its claimer may write it");
    pass(STEP).await;
    assert_eq!(swap(store, &key, None, write(3)).await, Swap::Done, "who reads nothing may write over it");
    assert_eq!(claim(store, WORK, 10).await, [], "the work went with the record");
    pass(STEP).await;
    assert_eq!(claim(store, WORK, 10).await.len(), 1);
    assert_eq!(remove(store, &key, 2).await, Swap::Conflict(None), "another version, and expired");
    assert_eq!(remove(store, &key, 3).await, Swap::Done);
}

async fn limits_and_tables(store: &impl StateStore, pass: &impl AsyncFn(Duration)) {
    let keys: Vec<_> = (0..5_u8).map(|n| Key::new(WORK, [n])).collect();
    let other = Key::new(OTHER, [0]);
    for key in keys.iter().chain([&other]) {
        assert_eq!(swap(store, key, None, Write::new(v(1), key.table().name()).due_in(STEP)).await, Swap::Done);
    }
    pass(STEP).await;
    let mut claimed = Vec::new();
    for expected in [2, 2, 1, 0] {
        let claims = claim(store, WORK, 2).await;
        assert_eq!(claims.len(), expected);
        claimed.extend(claims.into_iter().map(|claim| claim.key));
    }
    claimed.sort();
    assert_eq!(claimed, keys);
    assert_eq!(claim(store, OTHER, 0).await, []);
    let [claim_of_other] = claim(store, OTHER, 2).await.try_into().expect("one is due");
    assert_eq!(claim_of_other.record.value, OTHER.name().as_bytes());
    for key in keys.iter().chain([&other]) {
        assert_eq!(remove(store, key, 1).await, Swap::Done);
    }
}

async fn changes(store: &impl StateStore) {
    let (key, other) = (Key::new(RECORDS, "changes"), Key::new(OTHER, "changes"));
    let mut changes = store.subscribe(RECORDS);
    assert_eq!(swap(store, &other, None, Write::new(v(1), "x")).await, Swap::Done);
    assert_eq!(swap(store, &key, None, Write::new(v(1), "x")).await, Swap::Done);
    assert_eq!(changes.next().await, Some(StateChange::Written(key.clone(), v(1))));
    assert_eq!(remove(store, &key, 1).await, Swap::Done);
    assert_eq!(changes.next().await, Some(StateChange::Removed(key)));
    assert_eq!(remove(store, &other, 1).await, Swap::Done);
}

fn v(number: u64) -> Version {
    Version::new(number)
}

async fn get(store: &impl StateStore, key: &Key) -> Option<Record> {
    store.get(key).await.expect("the store answers")
}

async fn swap(store: &impl StateStore, key: &Key, expected: Option<u64>, write: Write) -> Swap {
    store.compare_and_swap(key, expected.map(v), write).await.expect("the store answers")
}

async fn remove(store: &impl StateStore, key: &Key, expected: u64) -> Swap {
    store.remove(key, v(expected)).await.expect("the store answers")
}

async fn claim(store: &impl StateStore, table: Table, limit: usize) -> Vec<Claim> {
    store.claim_due(table, limit, STEP * 2).await.expect("the store answers")
}
