//! The subscriber base: what an HSS knows, by private and by public identity.

#[cfg(any(test, feature = "testing"))]
pub mod contract;
pub(crate) mod provision;

use std::{
    collections::BTreeMap,
    error::Error,
    ops::Bound,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use async_trait::async_trait;
use thiserror::Error;

pub use self::provision::Provision;
use self::provision::{Base as _, leave};
use crate::diameter::Origin;
use crate::{Assignment, PrivateIdentity, PublicIdentity, ServerName, Subscription, SubscriptionError};

/// Most entries that one [`SubscriberStore::list`] gives, whatever it is asked for.
pub const MAX_PAGE: usize = 1000;

/// Where subscriptions are kept. A public identity belongs to one subscription at most, and so does a private identity.
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
/// assert_eq!(store.put(subscription("alice")?.into()).await?, Put::Created);
/// assert!(store.find(&"sip:alice@ims.example".parse()?).await?.is_some());
/// let taken = store.put(subscription("mallory")?.into()).await;
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
    /// The subscription that a private identity holds or shares.
    async fn get(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError>;

    /// The subscription that a public identity belongs to.
    async fn find(&self, public_identity: &PublicIdentity) -> Result<Option<Arc<Subscription>>, StoreError>;

    /// Writes what is to be there of a private identity, in place of what was, as a whole or not at all. Whoever held a
    /// subscription that others share and no longer does leaves it to them. Once it returns, what was written outlives
    /// the process where the store is a durable one.
    async fn put(&self, provision: Provision) -> Result<Put, StoreError>;

    /// The same for many at a time, in their order: each is written as a whole or, for a reason of its own, not at all. All
    /// that were written are durable together.
    ///
    /// # Errors
    /// The back end failed, and none was written; one that has not its own way to do it may have written some.
    async fn put_all(&self, provisions: Vec<Provision>) -> Result<Vec<Result<Put, StoreError>>, StoreError> {
        let mut done = Vec::with_capacity(provisions.len());
        for provision in provisions {
            done.push(self.put(provision).await);
        }
        Ok(done)
    }

    /// Takes a private identity away, and what is kept with it; gives the subscription that it had a part in. That goes
    /// as well, unless others share it: then the one of them who shared it first holds it.
    async fn delete(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError>;

    /// Up to `limit` private identities (and up to [`MAX_PAGE`]) in their order, from behind `after` on, each with its
    /// subscription.
    async fn list(&self, limit: usize, after: Option<&PrivateIdentity>) -> Result<Vec<Listed>, StoreError>;

    /// The sequence number of AKA that is kept with a private identity, 0 at first: puts `next` in its place where it is
    /// `expected`. Gives the number that was there before; `None` where there is no such identity. A durable store
    /// has made `next` durable when it returns. Writing the identity anew leaves the number; taking it away removes it.
    async fn advance(
        &self,
        private_identity: &PrivateIdentity,
        expected: u64,
        next: u64,
    ) -> Result<Option<u64>, StoreError>;

    /// Keeps the S-CSCF that a private identity is assigned to, or forgets it. Of several writes about one the last to be *called*
    /// stays, in whatever order the futures are polled; once one is done it outlives the process where the store is a
    /// durable one.
    ///
    /// A store that does not say otherwise keeps nothing.
    fn assign(&self, _private_identity: &PrivateIdentity, _assignment: Option<&Assignment>) -> Written {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Every private identity that is assigned to an S-CSCF.
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

/// A private identity, and the subscription that it holds or shares.
pub type Listed = (PrivateIdentity, Arc<Subscription>);

/// What [`SubscriberStore::put`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// The private identity had none.
    Created,
    /// It had a part in this one, which has changed, or which it has left.
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
    /// Somebody is to share a subscription that is not there.
    #[error("there is no subscription of {private_identity} to share")]
    NobodyToShareWith {
        /// Whose subscription it should have been.
        private_identity: PrivateIdentity,
    },
    /// The subscription cannot be as it would have to.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
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

/// In trees, not tables: they need less memory for a million, and the private identities are listed in order.
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
            base.put(&subscription.into())?;
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
        self.read().subscription(private_identity)
    }

    async fn find(&self, public_identity: &PublicIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        Ok(self.read().public.get(public_identity).cloned())
    }

    async fn put(&self, provision: Provision) -> Result<Put, StoreError> {
        self.write().put(&provision)
    }

    async fn delete(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        let mut base = self.write();
        base.sequences.remove(private_identity);
        let subscription = base.subscription(private_identity)?;
        if let Some(subscription) = &subscription {
            leave(&mut *base, subscription, private_identity)?;
        }
        Ok(subscription)
    }

    async fn list(&self, limit: usize, after: Option<&PrivateIdentity>) -> Result<Vec<Listed>, StoreError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let base = self.read();
        let page = base.subscriptions.range::<PrivateIdentity, _>((start, Bound::Unbounded));
        let listed =
            |(user, subscription): (&PrivateIdentity, &Arc<Subscription>)| (user.clone(), subscription.clone());
        Ok(page.take(limit.min(MAX_PAGE)).map(listed).collect())
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
    fn put(&mut self, provision: &Provision) -> Result<Put, StoreError> {
        let earlier = self.subscription(provision.private_identity())?;
        provision::put(self, earlier, provision)
    }
}

impl provision::Base for Base {
    type Error = StoreError;

    fn subscription(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        Ok(self.subscriptions.get(private_identity).cloned())
    }

    fn owner(&self, public_identity: &PublicIdentity) -> Result<Option<PrivateIdentity>, StoreError> {
        Ok(self.public.get(public_identity).map(|subscription| subscription.private_identity().clone()))
    }

    fn replace(&mut self, earlier: Option<&Subscription>, later: Option<Arc<Subscription>>) -> Result<(), StoreError> {
        if let Some(earlier) = earlier {
            earlier.private_identities().for_each(|user| drop(self.subscriptions.remove(user)));
            earlier.public_identities().for_each(|identity| drop(self.public.remove(identity)));
        }
        if let Some(later) = later {
            for user in later.private_identities() {
                self.subscriptions.insert(user.clone(), later.clone());
            }
            for identity in later.public_identities() {
                self.public.insert(identity.clone(), later.clone());
            }
        }
        Ok(())
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
