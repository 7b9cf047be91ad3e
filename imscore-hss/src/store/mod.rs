//! The subscriber base: what an HSS knows, by private and by public identity.

#[cfg(any(test, feature = "testing"))]
pub mod contract;

use std::{
    collections::BTreeMap,
    error::Error,
    ops::Bound,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use async_trait::async_trait;
use thiserror::Error;

use crate::diameter::Origin;
use crate::{Assignment, PrivateIdentity, PublicIdentity, ServerName, Subscription};

/// Most subscriptions that one [`SubscriberStore::list`] gives, whatever it is asked for.
pub const MAX_PAGE: usize = 1000;

/// Where subscriptions are kept. A public identity belongs to one private identity at most.
///
/// ```
/// use std::sync::Arc;
///
/// use imscore_hss::{
///     Credentials, DigestCredentials, MemorySubscribers, Put, StoreError, SubscriberStore, Subscription,
///     SubscriptionError,
/// };
///
/// # futures_executor::block_on(async {
/// let subscription = |name: &str| -> Result<Arc<Subscription>, Box<dyn std::error::Error>> {
///     let private = format!("{name}@ims.example").parse()?;
///     let secret = DigestCredentials::from_password(&private, "ims.example", "secret")?;
///     Ok(Arc::new(Subscription::new(private, ["sip:alice@ims.example".parse()?], Credentials::Digest(secret))?))
/// };
/// let store = MemorySubscribers::default();
/// assert_eq!(store.put(subscription("alice")?).await?, Put::Created);
/// assert!(store.find(&"sip:alice@ims.example".parse()?).await?.is_some());
/// let taken = store.put(subscription("mallory")?).await;
/// assert!(matches!(taken, Err(StoreError::Conflict { owner, .. }) if owner.as_str() == "alice@ims.example"));
///
/// let alice = "alice@ims.example".parse()?;
/// let secret = DigestCredentials::from_password(&alice, "ims.example", "secret")?;
/// let nameless = Subscription::new(alice, [], Credentials::Digest(secret));
/// assert_eq!(nameless.err(), Some(SubscriptionError::NoPublicIdentity));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[async_trait]
pub trait SubscriberStore: Send + Sync {
    /// The subscription of a private identity.
    async fn get(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError>;

    /// The subscription that a public identity belongs to.
    async fn find(&self, public_identity: &PublicIdentity) -> Result<Option<Arc<Subscription>>, StoreError>;

    /// Creates the subscription or replaces the one of the same private identity, as a whole or not at all. Once it
    /// returns, the subscription outlives the process where the store is a durable one.
    async fn put(&self, subscription: Arc<Subscription>) -> Result<Put, StoreError>;

    /// The same for many at a time, in their order: each is written as a whole or, for a reason of its own, not at all. All
    /// that were written are durable together.
    ///
    /// # Errors
    /// The back end failed, and none was written; one that has not its own way to do it may have written some.
    async fn put_all(&self, subscriptions: Vec<Arc<Subscription>>) -> Result<Vec<Result<Put, StoreError>>, StoreError> {
        let mut done = Vec::with_capacity(subscriptions.len());
        for subscription in subscriptions {
            done.push(self.put(subscription).await);
        }
        Ok(done)
    }

    /// Takes a subscription away, and what is kept with it; gives what was there.
    async fn delete(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError>;

    /// Up to `limit` subscriptions (and up to [`MAX_PAGE`]) in the order of their private identities, from behind
    /// `after` on.
    async fn list(&self, limit: usize, after: Option<&PrivateIdentity>) -> Result<Vec<Arc<Subscription>>, StoreError>;

    /// The sequence number of AKA that is kept with a subscription, 0 at first: puts `next` in its place where it is
    /// `expected`. Gives the number that was there before; `None` where there is no such subscription. A durable store
    /// has made `next` durable when it returns. Writing a subscription anew leaves the number; taking it away removes it.
    async fn advance(
        &self,
        private_identity: &PrivateIdentity,
        expected: u64,
        next: u64,
    ) -> Result<Option<u64>, StoreError>;

    /// Keeps the S-CSCF that a user is assigned to, or forgets it. Of several writes about one user the last to be *called*
    /// stays, in whatever order the futures are polled; once one is done it outlives the process where the store is a
    /// durable one.
    ///
    /// A store that does not say otherwise keeps nothing.
    fn assign(&self, _private_identity: &PrivateIdentity, _assignment: Option<&Assignment>) -> Written {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Every user that is assigned to an S-CSCF.
    async fn assignments(&self) -> Result<Vec<(PrivateIdentity, Assignment)>, StoreError> {
        Ok(Vec::new())
    }

    /// Keeps the Diameter node of an S-CSCF. A store that does not say otherwise keeps nothing.
    async fn keep_scscf(&self, _scscf: &ServerName, _node: &Origin) -> Result<(), StoreError> {
        Ok(())
    }

    /// Every S-CSCF that is kept, with its Diameter node.
    async fn scscfs(&self) -> Result<Vec<(ServerName, Origin)>, StoreError> {
        Ok(Vec::new())
    }
}

/// A write that is under way.
pub type Written = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// What [`SubscriberStore::put`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// There was none.
    Created,
    /// There was this one, and it is another.
    Replaced(Arc<Subscription>),
    /// It was there already, as it is.
    Unchanged,
}

/// Why the subscriber base did not do it.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A public identity of the subscription belongs to somebody else.
    #[error("{public_identity} belongs to {owner}")]
    Conflict {
        /// The identity that is taken.
        public_identity: PublicIdentity,
        /// Who has it.
        owner: PrivateIdentity,
    },
    /// The record is there and cannot be understood: damaged, or written by a later version.
    #[error("the record of {private_identity} cannot be read")]
    Unreadable {
        /// Whose record it is.
        private_identity: PrivateIdentity,
    },
    /// The back end failed.
    #[error("the subscriber base failed")]
    Failed(#[source] Arc<dyn Error + Send + Sync>),
}

/// A [`SubscriberStore`] in memory: gone with the process.
#[derive(Debug, Default)]
pub struct MemorySubscribers {
    base: RwLock<Base>,
}

#[derive(Debug, Default)]
struct Base {
    subscriptions: BTreeMap<PrivateIdentity, Arc<Subscription>>,
    public: BTreeMap<PublicIdentity, Arc<Subscription>>,
    /// Only of those who have been challenged by AKA.
    sequences: BTreeMap<PrivateIdentity, u64>,
}

impl MemorySubscribers {
    /// A base of these subscriptions.
    pub fn new(subscriptions: impl IntoIterator<Item = Subscription>) -> Result<Self, StoreError> {
        let mut base = Base::default();
        for subscription in subscriptions {
            base.put(Arc::new(subscription))?;
        }
        Ok(Self { base: RwLock::new(base) })
    }

    /// What is done under the lock does not stop half way, so a poisoned lock guards whole values.
    fn read(&self) -> RwLockReadGuard<'_, Base> {
        self.base.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Base> {
        self.base.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SubscriberStore for MemorySubscribers {
    async fn get(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        Ok(self.read().subscriptions.get(private_identity).cloned())
    }

    async fn find(&self, public_identity: &PublicIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        Ok(self.read().public.get(public_identity).cloned())
    }

    async fn put(&self, subscription: Arc<Subscription>) -> Result<Put, StoreError> {
        self.write().put(subscription)
    }

    async fn delete(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        let mut base = self.write();
        base.sequences.remove(private_identity);
        Ok(base.delete(private_identity))
    }

    async fn list(&self, limit: usize, after: Option<&PrivateIdentity>) -> Result<Vec<Arc<Subscription>>, StoreError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let base = self.read();
        let page = base.subscriptions.range::<PrivateIdentity, _>((start, Bound::Unbounded));
        Ok(page.take(limit.min(MAX_PAGE)).map(|(_, subscription)| subscription.clone()).collect())
    }

    async fn advance(
        &self,
        private_identity: &PrivateIdentity,
        expected: u64,
        next: u64,
    ) -> Result<Option<u64>, StoreError> {
        let mut base = self.write();
        if !base.subscriptions.contains_key(private_identity) {
            return Ok(None);
        }
        let found = base.sequences.get(private_identity).copied().unwrap_or_default();
        if found == expected {
            base.sequences.insert(private_identity.clone(), next);
        }
        Ok(Some(found))
    }
}

impl Base {
    fn put(&mut self, subscription: Arc<Subscription>) -> Result<Put, StoreError> {
        let private_identity = subscription.private_identity();
        if self.subscriptions.get(private_identity).is_some_and(|earlier| *earlier == subscription) {
            return Ok(Put::Unchanged);
        }
        for identity in subscription.public_identities() {
            let owner = self.public.get(identity).map(|other| other.private_identity());
            if let Some(owner) = owner.filter(|owner| *owner != private_identity) {
                return Err(StoreError::Conflict { public_identity: identity.clone(), owner: owner.clone() });
            }
        }
        let earlier = self.delete(private_identity);
        for identity in subscription.public_identities() {
            self.public.insert(identity.clone(), subscription.clone());
        }
        self.subscriptions.insert(private_identity.clone(), subscription);
        Ok(earlier.map_or(Put::Created, Put::Replaced))
    }

    fn delete(&mut self, private_identity: &PrivateIdentity) -> Option<Arc<Subscription>> {
        let subscription = self.subscriptions.remove(private_identity)?;
        for identity in subscription.public_identities() {
            self.public.remove(identity);
        }
        Some(subscription)
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;

    #[test]
    fn memory_keeps_the_contract() {
        block_on(contract::check(&MemorySubscribers::default()));
    }
}
