//! What is written of a private identity, and what that makes of the subscriptions that are there: the rules of all
//! subscriber bases, over the few things that each does in its own way.

use std::sync::Arc;

use super::{Put, StoreError};
use crate::{Credentials, PrivateIdentity, PublicIdentity, Subscription};

/// What is written of one private identity.
///
/// ```
/// use imscore_hss::{Credentials, DigestCredentials, Hss, PrivateIdentity, Provision, Subscription};
///
/// # futures_executor::block_on(async {
/// let credentials = |user: &PrivateIdentity, password: &str| {
///     DigestCredentials::from_password(user, "ims.example", password).map(Credentials::Digest)
/// };
/// let alice: PrivateIdentity = "alice@ims.example".parse()?;
/// let subscription =
///     Subscription::new(alice.clone(), ["sip:alice@ims.example".parse()?], credentials(&alice, "secret")?)?;
/// let hss = Hss::with_subscribers([subscription], [0; 32])?;
/// // Her tablet: a private identity of its own, the public identities of Alice.
/// let tablet: PrivateIdentity = "alice-tablet@ims.example".parse()?;
/// let share =
///     Provision::Shares { credentials: credentials(&tablet, "other")?, private_identity: tablet.clone(), with: alice };
/// hss.put(share).await?;
/// let subscription = hss.get(&tablet).await?.ok_or("it is there")?;
/// assert_eq!(subscription.private_identities().count(), 2);
/// assert_eq!(subscription.default_identity().map(|identity| identity.as_str()), Some("sip:alice@ims.example"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Provision {
    /// It holds this subscription. Who shares the one that it held before shares this one; who shares the one that is
    /// given here is not looked at.
    Holds(Arc<Subscription>),
    /// It shares the subscription of somebody else.
    Shares {
        /// Who shares.
        private_identity: PrivateIdentity,
        /// How it proves who it is.
        credentials: Credentials,
        /// Whose subscription it shares: its holder, or anybody who shares it as well.
        with: PrivateIdentity,
    },
}

impl Provision {
    /// Of whom it is.
    pub fn private_identity(&self) -> &PrivateIdentity {
        match self {
            Self::Holds(subscription) => subscription.private_identity(),
            Self::Shares { private_identity, .. } => private_identity,
        }
    }

    /// What `earlier`, which the private identity had a part in, is from now on: the same subscription, or one that it
    /// has left.
    pub(crate) fn stays_in(&self, earlier: &Subscription) -> bool {
        match self {
            Self::Holds(later) => later.private_identity() == earlier.private_identity(),
            Self::Shares { with, .. } => earlier.credentials_of(with).is_some(),
        }
    }
}

impl From<Subscription> for Provision {
    fn from(subscription: Subscription) -> Self {
        Self::Holds(Arc::new(subscription))
    }
}

impl From<Arc<Subscription>> for Provision {
    fn from(subscription: Arc<Subscription>) -> Self {
        Self::Holds(subscription)
    }
}

/// What a subscriber base does in its own way.
pub(crate) trait Base {
    /// Why it does not.
    type Error: From<StoreError>;

    /// The subscription that a private identity has a part in.
    fn subscription(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, Self::Error>;

    /// Who holds the subscription of a public identity.
    fn owner(&self, public_identity: &PublicIdentity) -> Result<Option<PrivateIdentity>, Self::Error>;

    /// Puts one in the place of another, under all names of both.
    fn replace(&mut self, earlier: Option<&Subscription>, later: Option<Arc<Subscription>>) -> Result<(), Self::Error>;
}

/// Writes what is to be there of a private identity, as a whole or not at all. `earlier` is the subscription that it has
/// a part in.
pub(crate) fn put<B: Base>(
    base: &mut B,
    earlier: Option<Arc<Subscription>>,
    provision: &Provision,
) -> Result<Put, B::Error> {
    let stays = earlier.clone().filter(|earlier| provision.stays_in(earlier));
    let (before, later) = match provision {
        Provision::Holds(given) => {
            let later = Subscription::shared_as(given, stays.as_deref());
            for identity in later.public_identities() {
                let owner = base.owner(identity)?.filter(|owner| owner != later.private_identity());
                if let Some(owner) = owner {
                    return Err(StoreError::Conflict { public_identity: identity.clone(), owner }.into());
                }
            }
            (stays.clone(), later)
        }
        Provision::Shares { private_identity, credentials, with } => {
            let missing = || StoreError::NobodyToShareWith { private_identity: with.clone() };
            // With itself it can share no more than it would lose by that.
            let shared = base.subscription(with)?.filter(|_| with != private_identity).ok_or_else(missing)?;
            let later = shared.shared_by(private_identity.clone(), credentials.clone());
            (Some(shared), Arc::new(later.map_err(StoreError::Subscription)?))
        }
    };
    if before.as_ref() == Some(&later) {
        return Ok(Put::Unchanged);
    }
    if let Some(left) = earlier.as_ref().filter(|_| stays.is_none()) {
        leave(base, left, provision.private_identity())?;
    }
    base.replace(before.as_deref(), Some(later))?;
    Ok(earlier.map_or(Put::Created, Put::Replaced))
}

/// Takes a private identity away, and its subscription where nobody shares it.
pub(crate) fn leave<B: Base>(
    base: &mut B,
    subscription: &Subscription,
    private_identity: &PrivateIdentity,
) -> Result<(), B::Error> {
    base.replace(Some(subscription), subscription.without(private_identity).map(Arc::new))
}
