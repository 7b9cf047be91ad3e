//! An HSS in process: answers the questions of Cx from a subscriber base, and remembers which S-CSCF has whom.
//!
//! ```text
//!                     MAR                          SAR Registration
//!   Not registered ──────────▶ (S-CSCF named,   ────────────────────▶ Registered
//!     ▲    ▲  │                 not registered)                        │     ▲
//!     │    │  │ SAR UnregisteredUser                                   │     │ SAR Registration
//!     │    │  ▼                                                        │     │
//!     │   Unregistered ◀───────────────────────────────────────────────┘ ────┘
//!     │                  SAR …StoreServerName, where services run in the unregistered state
//!     └── SAR of any other deregistration; RTR
//! ```
//!
//! Who is registered where is kept in the store before an answer says so, and is there after a restart; a mere challenge is
//! not kept. The public identities of a subscription are one implicit registration set, so there is one state for all of them:
//! that of its private identity which is the furthest. They are registered until the last phone is not.

mod assignment;
mod registrations;
mod sequence;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex},
    task::Waker,
};

use async_trait::async_trait;

pub use self::assignment::{Assignment, AssignmentState, ScscfNodes};
use self::registrations::Registrations;
use self::sequence::Sequences;
use crate::vector::{AkaCredentials, AuthenticationVector, MAX_VECTORS, SequenceNumber};
use crate::{
    AuthScheme, Credentials, HssCache, HssError, HssEvent, HssEventSource, HssEvents, Listed, LocationInfo,
    LocationInfoRequest, MemorySubscribers, MultimediaAuth, MultimediaAuthRequest, PrivateIdentity, Provision,
    PublicIdentity, Put, Refusal, ServerAssignment, ServerAssignmentRequest, StoreError, SubscriberStore, Subscription,
    TerminationReason, UserAuthorization, UserAuthorizationRequest, Written, lock,
};

/// How often a question starts again because somebody was provisioned in the midst of it.
const ATTEMPTS: usize = 16;

/// An HSS in process. Clones are the same HSS.
#[derive(Clone)]
pub struct Hss {
    shared: Arc<Shared>,
}

struct Shared {
    subscribers: Arc<dyn SubscriberStore>,
    seed: [u8; 32],
    sequences: Sequences,
    registrations: Mutex<Registrations>,
    scscfs: ScscfNodes,
    events: HssEventSource,
}

impl Hss {
    /// An HSS that knows what is in `subscribers`, registrations among it. `seed` is random, and another one in each
    /// process: it goes into the challenges of AKA, so that they differ where a base is restored from a copy; see
    /// [`AkaCredentials::challenge`](crate::vector::AkaCredentials::challenge).
    ///
    /// # Errors
    /// The base cannot be read.
    pub async fn open(subscribers: impl SubscriberStore + 'static, seed: [u8; 32]) -> Result<Self, StoreError> {
        let subscribers: Arc<dyn SubscriberStore> = Arc::new(subscribers);
        let registrations = Registrations::new(subscribers.assignments().await?);
        let scscfs = ScscfNodes::new(subscribers.scscfs().await?, subscribers.clone());
        Ok(Self::from_parts(subscribers, seed, registrations, scscfs))
    }

    /// An HSS with these subscribers in memory. `seed` is random, as it is for [`open`](Self::open): their sequence numbers
    /// begin anew with each process, and their challenges must not.
    pub fn with_subscribers(
        subscribers: impl IntoIterator<Item = Subscription>,
        seed: [u8; 32],
    ) -> Result<Self, StoreError> {
        let subscribers = Arc::new(MemorySubscribers::new(subscribers)?);
        Ok(Self::from_parts(subscribers, seed, Registrations::default(), ScscfNodes::default()))
    }

    fn from_parts(
        subscribers: Arc<dyn SubscriberStore>,
        seed: [u8; 32],
        registrations: Registrations,
        scscfs: ScscfNodes,
    ) -> Self {
        let (sequences, events) = (Sequences::default(), HssEventSource::default());
        let registrations = Mutex::new(registrations);
        Self { shared: Arc::new(Shared { subscribers, seed, sequences, registrations, scscfs, events }) }
    }

    /// Writes what is to be there of a private identity. Where an S-CSCF has the user and what it knows changes, it hears
    /// of it: by the new profile, or, if the default identity is another one or the private identity has left the
    /// subscription, by the end of the registration.
    pub async fn put(&self, provision: impl Into<Provision>) -> Result<Put, StoreError> {
        let provision = provision.into();
        let put = self.shared.subscribers.put(provision.clone()).await?;
        self.heed(&provision, &put).await?;
        Ok(put)
    }

    /// The same for many, each for itself; those that are there already as they should be are not written again.
    ///
    /// # Errors
    /// The subscriber base failed.
    pub async fn put_all(&self, provisions: Vec<Provision>) -> Result<Vec<Result<Put, StoreError>>, StoreError> {
        let done = self.shared.subscribers.put_all(provisions.clone()).await?;
        for (put, provision) in done.iter().zip(&provisions) {
            if let Ok(put) = put {
                self.heed(provision, put).await?;
            }
        }
        Ok(done)
    }

    /// What was provisioned changes registrations.
    async fn heed(&self, provision: &Provision, put: &Put) -> Result<(), StoreError> {
        let Put::Replaced(earlier) = put else { return Ok(()) };
        let change = |registrations: &mut Registrations| match provision {
            Provision::Holds(later) if provision.stays_in(earlier) => registrations.replaced(earlier, later),
            Provision::Shares { .. } if provision.stays_in(earlier) => None,
            Provision::Holds(_) | Provision::Shares { .. } => {
                registrations.end(earlier, Some(provision.private_identity()), TerminationReason::Permanent)
            }
        };
        self.announce(earlier, change).await
    }

    /// The subscription that a private identity holds or shares.
    pub async fn get(&self, private_identity: &PrivateIdentity) -> Result<Option<Arc<Subscription>>, StoreError> {
        self.shared.subscribers.get(private_identity).await
    }

    /// Takes a private identity away and ends its registration; its subscription goes with it, unless others share that.
    /// False if there was none.
    pub async fn delete(&self, private_identity: &PrivateIdentity) -> Result<bool, StoreError> {
        let earlier = self.shared.subscribers.delete(private_identity).await?;
        self.shared.sequences.forget(private_identity);
        if let Some(earlier) = &earlier {
            let reason = TerminationReason::Permanent;
            self.announce(earlier, |registrations| registrations.end(earlier, Some(private_identity), reason)).await?;
        }
        Ok(earlier.is_some())
    }

    /// Up to `limit` private identities in their order, from behind `after` on, each with its subscription.
    pub async fn list(&self, limit: usize, after: Option<&PrivateIdentity>) -> Result<Vec<Listed>, StoreError> {
        self.shared.subscribers.list(limit, after).await
    }

    /// Which S-CSCF has the user of a public identity; a mere challenge does not count.
    ///
    /// # Errors
    /// There is no such user, or the subscriber base failed.
    pub async fn assignment(&self, public_identity: &PublicIdentity) -> Result<Option<Assignment>, HssError> {
        let who = Who::Public(public_identity);
        self.decide(who, |subscription, registrations| Ok(registrations.kept_of(subscription))).await
    }

    /// Ends the registration of a user by decision of the operator, and tells its S-CSCF why (TS 29.228 §6.1.3). False if
    /// no S-CSCF has it.
    ///
    /// # Errors
    /// There is no such user, or the subscriber base failed.
    pub async fn deregister(
        &self,
        public_identity: &PublicIdentity,
        reason: TerminationReason,
    ) -> Result<bool, HssError> {
        let wakers = self.decide(Who::Public(public_identity), |subscription, registrations| {
            let event = registrations.end(subscription, None, reason);
            Ok(event.map(|event| self.shared.events.enqueue(&event)))
        });
        let wakers = wakers.await?;
        let told = wakers.is_some();
        wakers.into_iter().flatten().for_each(Waker::wake);
        Ok(told)
    }

    /// Where each S-CSCF is found, for who carries announcements to them.
    pub fn scscf_nodes(&self) -> ScscfNodes {
        self.shared.scscfs.clone()
    }

    /// Changes registrations after a subscription has changed; events go out in the order of the changes.
    async fn announce(
        &self,
        subscription: &Subscription,
        change: impl FnOnce(&mut Registrations) -> Option<HssEvent>,
    ) -> Result<(), StoreError> {
        let (wakers, written) = {
            let mut registrations = lock(&self.shared.registrations);
            registrations.generation += 1;
            let (event, written) = self.change(subscription, &mut registrations, change);
            (event.map(|event| self.shared.events.enqueue(&event)), written)
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
        all(written).await
    }

    /// Changes registrations under their lock; what is to outlive the process is on its way to the store afterwards, in the
    /// order of the changes.
    fn change<T>(
        &self,
        subscription: &Subscription,
        registrations: &mut Registrations,
        change: impl FnOnce(&mut Registrations) -> T,
    ) -> (T, Vec<Written>) {
        let kept = |registrations: &Registrations| -> Vec<_> {
            subscription.private_identities().map(|user| registrations.kept(user)).collect()
        };
        let before = kept(registrations);
        let done = change(registrations);
        let changed = before.into_iter().zip(kept(registrations)).zip(subscription.private_identities());
        let write = |((before, after), user): ((_, Option<Assignment>), &PrivateIdentity)| {
            (before != after).then(|| self.shared.subscribers.assign(user, after.as_ref()))
        };
        (done, changed.filter_map(write).collect())
    }

    /// Finds the subscription, then decides under the lock, with the certainty that it is still the one. Where the store
    /// fails afterwards the answer is that failure, and who asked asks again.
    async fn decide<T: Send>(
        &self,
        who: Who<'_>,
        decide: impl Fn(&Subscription, &mut Registrations) -> Result<T, HssError> + Send + Sync,
    ) -> Result<T, HssError> {
        for _ in 0..ATTEMPTS {
            let generation = lock(&self.shared.registrations).generation;
            let subscription = self.find(who).await?;
            let (decided, written) = {
                let mut registrations = lock(&self.shared.registrations);
                if registrations.generation != generation {
                    continue;
                }
                self.change(&subscription, &mut registrations, |registrations| decide(&subscription, registrations))
            };
            all(written).await?;
            return decided;
        }
        Err(HssError::Busy { retry_after: None })
    }

    /// Vectors, from behind what the USIM says that it has seen. An AUTS that was not made with the user's key moves
    /// nothing (TS 33.102 §6.3.5).
    async fn vectors(
        &self,
        request: &MultimediaAuthRequest,
        credentials: &AkaCredentials,
    ) -> Result<Vec<AuthenticationVector>, HssError> {
        let seen = match &request.resynchronisation {
            None => 0,
            Some(lost) => match credentials.resynchronise(&lost.rand, &lost.auts) {
                Some(sqn) => sqn.seq(),
                None => return Err(HssError::Resynchronisation),
            },
        };
        let count = u64::from(request.count).clamp(1, MAX_VECTORS as u64);
        let Shared { subscribers, sequences, seed, .. } = &*self.shared;
        let taken = sequences.take(&**subscribers, &request.private_identity, count, seen).await?;
        let vector = |seq| SequenceNumber::new(seq).map(|sqn| credentials.challenge(sqn, seed));
        taken.map(vector).collect::<Option<_>>().ok_or(HssError::Unreachable)
    }

    async fn find(&self, who: Who<'_>) -> Result<Arc<Subscription>, HssError> {
        let subscribers = &self.shared.subscribers;
        let (private, public) = match who {
            Who::Private(private) => return subscribers.get(private).await?.ok_or(HssError::Unknown),
            Who::Public(public) => return subscribers.find(public).await?.ok_or(HssError::Unknown),
            Who::Both(private, public) => (private, public),
        };
        let subscription = subscribers.find(public).await?.ok_or(HssError::Unknown)?;
        if subscription.credentials_of(private).is_some() {
            return Ok(subscription);
        }
        // TS 29.228 §6.1.1.1 steps 1 and 2: unknown comes before not matching.
        match subscribers.get(private).await? {
            Some(_) => Err(HssError::Forbidden(Refusal::IdentitiesDontMatch)),
            None => Err(HssError::Unknown),
        }
    }
}

/// Writes are under way whether one waits or not.
async fn all(written: Vec<Written>) -> Result<(), StoreError> {
    for written in written {
        written.await?;
    }
    Ok(())
}

/// How a question names the user.
#[derive(Clone, Copy)]
enum Who<'a> {
    Private(&'a PrivateIdentity),
    Public(&'a PublicIdentity),
    Both(&'a PrivateIdentity, &'a PublicIdentity),
}

#[async_trait]
impl HssCache for Hss {
    async fn user_authorization(&self, request: &UserAuthorizationRequest) -> Result<UserAuthorization, HssError> {
        let who = Who::Both(&request.private_identity, &request.public_identity);
        self.decide(who, |subscription, registrations| registrations.authorize(request, subscription)).await
    }

    async fn multimedia_auth(&self, request: &MultimediaAuthRequest) -> Result<MultimediaAuth, HssError> {
        let who = Who::Both(&request.private_identity, &request.public_identity);
        for _ in 0..ATTEMPTS {
            let found = self.find(who).await?;
            let credentials = found.credentials_of(&request.private_identity).ok_or(HssError::Unknown)?;
            let answer = match (request.scheme, credentials) {
                (AuthScheme::Unknown | AuthScheme::Digest, Credentials::Digest(digest)) => {
                    MultimediaAuth::Digest(digest.clone())
                }
                (AuthScheme::Unknown | AuthScheme::Aka, Credentials::Aka(aka)) => {
                    MultimediaAuth::Aka(self.vectors(request, aka).await?)
                }
                (AuthScheme::Digest, Credentials::Aka(_))
                | (AuthScheme::Aka, Credentials::Digest(_))
                | (AuthScheme::NassBundled | AuthScheme::EarlyIms, _) => return Err(HssError::SchemeNotSupported),
            };
            let same = self.decide(who, |subscription, registrations| {
                // Provisioned anew in the meantime, the user cannot answer what was made before.
                let same = subscription.credentials_of(&request.private_identity) == Some(credentials);
                if same {
                    registrations.challenge(subscription, &request.private_identity, &request.server_name);
                }
                Ok(same)
            });
            if same.await? {
                return Ok(answer);
            }
        }
        Err(HssError::Busy { retry_after: None })
    }

    async fn server_assignment(&self, request: &ServerAssignmentRequest) -> Result<ServerAssignment, HssError> {
        if request.public_identities.len() > 1 && !request.assignment.is_deregistration() {
            return Err(HssError::TooManyIdentities);
        }
        let who = match (&request.private_identity, request.public_identities.first()) {
            (Some(private), Some(public)) => Who::Both(private, public),
            (None, Some(public)) => Who::Public(public),
            (Some(private), None) if request.assignment.is_deregistration() => Who::Private(private),
            (_, None) => return Err(HssError::MissingIdentity),
        };
        self.decide(who, |subscription, registrations| {
            let own = |identity| subscription.public_identities().any(|own| own == identity);
            if !request.public_identities.iter().all(own) {
                return Err(HssError::Forbidden(Refusal::IdentitiesDontMatch));
            }
            let (answer, event) = registrations.assign(request, subscription)?;
            Ok((answer, event.map(|event| self.shared.events.enqueue(&event))))
        })
        .await
        .map(|(answer, wakers)| {
            wakers.into_iter().flatten().for_each(Waker::wake);
            answer
        })
    }

    async fn location_info(&self, request: &LocationInfoRequest) -> Result<LocationInfo, HssError> {
        self.decide(Who::Public(&request.public_identity), |subscription, registrations| {
            registrations.locate(request, subscription)
        })
        .await
    }

    fn events(&self) -> HssEvents {
        self.shared.events.subscribe()
    }
}

/// The subscriber base is the HSS's own: to who asks, its failures are the HSS's.
impl From<StoreError> for HssError {
    fn from(_: StoreError) -> Self {
        Self::Unreachable
    }
}

impl fmt::Debug for Hss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let assigned = lock(&self.shared.registrations).assigned.len();
        f.debug_struct("Hss").field("assigned", &assigned).finish_non_exhaustive()
    }
}
