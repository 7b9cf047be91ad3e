//! Sequence numbers for vectors, each given out once.
//!
//! A block of numbers is reserved in the store first, and what is given out comes of the block: a store that is durable
//! is asked once in [`BLOCK`] vectors, and after a crash the rest of the block is left out, never given again. Two
//! that reserve at a time have a block each; two HSSs on one base do as well.
//!
//! TS 33.102 §6.3.5 lets an HSS take the SQN of a USIM that is behind, and so go back. This one only goes forward: what was
//! given out may still be on its way to the phone.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::vector::SequenceNumber;
use crate::{HssError, PrivateIdentity, SubscriberStore};

/// How many numbers one reservation takes.
const BLOCK: u64 = 32;
/// How often a reservation starts again because somebody else made one.
const ATTEMPTS: usize = 64;

/// What is left of each user's block, by SEQ.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    left: Mutex<BTreeMap<PrivateIdentity, Range<u64>>>,
}

impl Sequences {
    /// `count` numbers that follow each other, all above `beyond`: what a USIM said that it has seen, or 0.
    pub(super) async fn take(
        &self,
        store: &dyn SubscriberStore,
        user: &PrivateIdentity,
        count: u64,
        beyond: u64,
    ) -> Result<Range<u64>, HssError> {
        // What this process has given out stays below, even where the user was taken away and is there again.
        let floor = match self.take_left(user, count, beyond) {
            Ok(taken) => return Ok(taken),
            Err(last) => last,
        };
        let (mut stored, floor) = (floor, floor.max(beyond));
        for _ in 0..ATTEMPTS {
            let start = stored.max(floor) + 1;
            let end = start + BLOCK.max(count);
            // SEQ is used up: no vector of this key will be taken any more.
            SequenceNumber::new(end).ok_or(HssError::Unreachable)?;
            // The number that is stored is the last one of the block.
            match store.advance(user, stored, end - 1).await?.ok_or(HssError::Unknown)? {
                found if found == stored => {
                    self.keep(user, start + count..end);
                    return Ok(start..start + count);
                }
                found => stored = found,
            }
        }
        Err(HssError::Busy { retry_after: None })
    }

    /// Takes from the block, or says what the last number of it was.
    fn take_left(&self, user: &PrivateIdentity, count: u64, beyond: u64) -> Result<Range<u64>, u64> {
        let mut blocks = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left) = blocks.get_mut(user) else { return Err(0) };
        left.start = left.start.max(beyond.saturating_add(1));
        let end = left.start.saturating_add(count);
        if end > left.end {
            return Err(left.end - 1);
        }
        Ok(std::mem::replace(&mut left.start, end)..end)
    }

    /// Of two blocks the later one is kept; the numbers of the other are left out.
    fn keep(&self, user: &PrivateIdentity, block: Range<u64>) {
        let mut blocks = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match blocks.get_mut(user) {
            Some(left) if left.end >= block.end => {}
            Some(left) => *left = block,
            None => drop(blocks.insert(user.clone(), block)),
        }
    }

    /// The user is gone, and with it what the store has.
    pub(super) fn forget(&self, user: &PrivateIdentity) {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).remove(user);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use async_trait::async_trait;
    use futures_executor::block_on;

    use super::*;
    use crate::{
        Credentials, DigestCredentials, Listed, MemorySubscribers, Provision, PublicIdentity, Put, StoreError,
        Subscription,
    };

    fn alice() -> PrivateIdentity {
        "alice".parse().unwrap()
    }

    fn store() -> MemorySubscribers {
        let digest = DigestCredentials::from_password(&alice(), "ims.example", "x").unwrap();
        let public = ["sip:alice@ims.example".parse().unwrap()];
        MemorySubscribers::new([Subscription::new(alice(), public, Credentials::Digest(digest)).unwrap()]).unwrap()
    }

    fn take(sequences: &Sequences, store: &MemorySubscribers, count: u64, beyond: u64) -> Result<Range<u64>, HssError> {
        block_on(sequences.take(store, &alice(), count, beyond))
    }

    #[test]
    fn numbers_follow_and_skip_what_a_usim_has_seen() {
        let (store, sequences) = (store(), Sequences::default());
        assert_eq!(take(&sequences, &store, 1, 0), Ok(1..2));
        assert_eq!(take(&sequences, &store, 5, 0), Ok(2..7));
        assert_eq!(block_on(store.advance(&alice(), 0, 0)).unwrap(), Some(32), "reserved");
        assert_eq!(take(&sequences, &store, 1, 9), Ok(10..11));
        assert_eq!(take(&sequences, &store, 1, 3), Ok(11..12), "a USIM that is behind");
        assert_eq!(take(&sequences, &store, 1, 1000), Ok(1001..1002));
        assert_eq!(take(&sequences, &store, 40, 0), Ok(1033..1073), "more than a block");
        assert_eq!(take(&sequences, &store, 1, 0), Ok(1073..1074));
        let bob = "bob".parse().unwrap();
        assert_eq!(block_on(sequences.take(&store, &bob, 1, 0)), Err(HssError::Unknown));
    }

    #[test]
    fn the_last_numbers_are_the_last() {
        let (store, sequences) = (store(), Sequences::default());
        let last = SequenceNumber::MAX_SEQ;
        assert_eq!(take(&sequences, &store, 1, last), Err(HssError::Unreachable));
        assert_eq!(take(&sequences, &store, 1, last - 40), Ok(last - 39..last - 38));
        assert_eq!(take(&sequences, &store, 31, 0), Ok(last - 38..last - 7));
        assert_eq!(take(&sequences, &store, 1, 0), Err(HssError::Unreachable));
        assert_eq!(take(&sequences, &store, 1, u64::MAX >> 21), Err(HssError::Unreachable));
    }

    /// Threat R8, and the crash between reservation and use: whoever comes after it has none of the block.
    #[test]
    fn a_restart_leaves_the_rest_of_a_block_out() {
        let store = store();
        let mut earlier = 0;
        for _ in 0..10 {
            let sequences = Sequences::default();
            let taken = take(&sequences, &store, 2, 0).unwrap();
            assert!(taken.start > earlier, "{taken:?}");
            earlier = taken.end - 1;
            let reserved = block_on(store.advance(&alice(), 0, 0)).unwrap().unwrap();
            assert!(reserved >= earlier, "durable before it is given out");
        }
    }

    #[test]
    fn a_user_that_is_there_again_gets_no_number_of_before() {
        let (store, sequences) = (store(), Sequences::default());
        assert_eq!(take(&sequences, &store, 5, 0), Ok(1..6));
        let alice = block_on(store.delete(&alice())).unwrap().unwrap();
        block_on(store.put(alice.into())).unwrap();
        assert_eq!(take(&sequences, &store, 5, 0), Ok(6..11));
        assert_eq!(take(&sequences, &store, 30, 0), Ok(33..63));
    }

    /// A store whose answers are under way for a while.
    struct Slow(MemorySubscribers);

    #[async_trait]
    impl SubscriberStore for Slow {
        async fn get(&self, user: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
            self.0.get(user).await
        }

        async fn find(&self, identity: &PublicIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
            self.0.find(identity).await
        }

        async fn put(&self, provision: Provision) -> Result<Put, StoreError> {
            self.0.put(provision).await
        }

        async fn delete(&self, user: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
            self.0.delete(user).await
        }

        async fn list(&self, limit: usize, after: Option<&PrivateIdentity>) -> Result<Vec<Listed>, StoreError> {
            self.0.list(limit, after).await
        }

        async fn advance(&self, user: &PrivateIdentity, expected: u64, next: u64) -> Result<Option<u64>, StoreError> {
            let found = self.0.advance(user, expected, next).await;
            let mut answered = false;
            std::future::poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut answered, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            found
        }
    }

    /// Two HSSs on one base, four questions at a time each, in every phase of each other.
    #[test]
    fn no_number_is_given_twice() {
        let (store, alice) = (Slow(store()), alice());
        let nodes = [Sequences::default(), Sequences::default()];
        let mut taken = Vec::new();
        let mut asked = 0;
        let mut context = Context::from_waker(Waker::noop());
        let mut under_way = Vec::new();
        for turn in 0..2000_u64 {
            if under_way.len() < 8 {
                let count = 1 + turn % 5;
                asked += count;
                under_way.push(Box::pin(nodes[(turn % 2) as usize].take(&store, &alice, count, 0)));
            }
            let at = (turn * 7 % 11) as usize % under_way.len();
            if let Poll::Ready(range) = under_way[at].as_mut().poll(&mut context) {
                drop(under_way.swap_remove(at));
                taken.extend(range.unwrap());
            }
        }
        for question in under_way {
            taken.extend(block_on(question).unwrap_or_default());
        }
        let count = taken.len();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), count);
        assert!(count as u64 > asked / 2, "{count} of {asked}");
    }
}
