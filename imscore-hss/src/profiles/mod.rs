//! What an S-CSCF remembers of the profiles that an HSS elsewhere gave it, so that it asks for each once.
//!
//! A [`ProfileCache`] is typed records on a [`StateStore`], under the private identity: one set for each implicit
//! registration set. It answers a Server-Assignment that changes nothing:
//!
//! | assignment | answered from the cache |
//! | --- | --- |
//! | a refresh, of whom this S-CSCF registered | for a while after the HSS was last told ([`ProfileTimes::refresh`]) |
//! | a call of an unregistered user whom it has taken | likewise |
//! | only the profile is wanted | likewise |
//! | all others | never |
//!
//! A new private identity is a new registration (TS 24.229 §5.4.1.2.2F), and so is one that another S-CSCF had. What the
//! HSS says unasked (TS 29.228 §6.1.3, §6.2.2) changes the record before anybody hears of it, and is completed from it: a
//! termination that names no public identity ends all that the private one has, and charging addresses go with the
//! profiles that they are for. A profile is pushed once, however many private identities have it: the HSS has said which.
//!
//! Time is the store's. A store that does not answer costs a question to the HSS, no more.

mod record;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use siphasher::sip::SipHasher13;

use self::record::{Profiles, Set, State};
use crate::state::fields::{Reader, Writer};
use crate::state::{Key, Record, StateError, StateStore, Swap, Table, Version, Write};
use crate::{
    AssignmentType, HssError, HssEvent, PrivateIdentity, PublicIdentity, PushProfile, Refusal, ServerAssignment,
    ServerAssignmentRequest, UserProfile,
};

/// Records by private identity.
const PROFILES: Table = Table::new("profile");
/// Which private identity a public one was last asked for with, for questions that name none.
const OWNERS: Table = Table::new("profile-owner");
/// How often a change starts again because another node was faster.
const ATTEMPTS: usize = 16;

/// How long what is remembered is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileTimes {
    /// A refresh that comes later than this after the HSS was last told is told to it again; 30 minutes.
    pub refresh: Duration,
    /// How long the HSS's announcements are matched with a profile after the HSS was last told; 24 hours, which no
    /// registration should outlast.
    pub keep: Duration,
}

impl Default for ProfileTimes {
    fn default() -> Self {
        Self { refresh: Duration::from_secs(30 * 60), keep: Duration::from_secs(24 * 60 * 60) }
    }
}

/// Profiles that an HSS gave out.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use imscore_hss::state::{Clock, MemoryState};
/// use imscore_hss::{AssignmentType, HssError, ProfileCache, ProfileTimes, ServerAssignmentRequest};
///
/// # futures_executor::block_on(async {
/// let mut times = ProfileTimes::default();
/// times.refresh = Duration::from_secs(600);
/// let cache = ProfileCache::new(Arc::new(MemoryState::new(Clock::new(0), 7)), times, 1);
/// let request = ServerAssignmentRequest::new(
///     "alice@ims.example".parse()?,
///     "sip:alice@ims.example".parse()?,
///     "sip:scscf.ims.example".parse()?,
///     AssignmentType::Registration,
/// );
/// // What is not known is asked; here nobody answers.
/// let answer = cache.server_assignment(&request, async { Err(HssError::Unreachable) }).await;
/// assert_eq!(answer.err(), Some(HssError::Unreachable));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct ProfileCache {
    store: Arc<dyn StateStore>,
    times: ProfileTimes,
    /// Makes versions that no other node makes.
    seed: u64,
    written: AtomicU64,
    /// Counts what the HSS said unasked: an answer from before it may be old.
    heard: AtomicU64,
}

impl ProfileCache {
    /// Profiles in `store`. `seed` comes from the generator of the node, and is another one in each.
    pub fn new(store: Arc<dyn StateStore>, times: ProfileTimes, seed: u64) -> ProfileCache {
        ProfileCache { store, times, seed, written: AtomicU64::new(0), heard: AtomicU64::new(0) }
    }

    /// Answers from what is remembered, or asks and remembers.
    ///
    /// # Errors
    /// Those of `ask`.
    pub async fn server_assignment(
        &self,
        request: &ServerAssignmentRequest,
        ask: impl Future<Output = Result<ServerAssignment, HssError>> + Send,
    ) -> Result<ServerAssignment, HssError> {
        if let Some(answer) = self.remembered(request).await {
            return Ok(answer);
        }
        if request.assignment.is_deregistration() {
            // Before the HSS hears of it: whoever gives up on its answer must not find the user registered here.
            self.forget(request).await;
        }
        let heard = self.heard.load(Ordering::Acquire);
        let answer = ask.await;
        match &answer {
            Ok(assignment) => self.learn(request, assignment, heard).await,
            Err(error) if is_verdict(error) => self.forget(request).await,
            Err(_) => {}
        }
        answer
    }

    /// Applies what the HSS says unasked, and says who it is for where the HSS does not.
    pub async fn heard(&self, event: HssEvent) -> Vec<HssEvent> {
        self.heard.fetch_add(1, Ordering::AcqRel);
        match event {
            HssEvent::RegistrationTermination(mut termination) => {
                let named = termination.public_identities.clone();
                let is_it = |set: &Set| named.is_empty() || named.iter().any(|identity| set.has(identity));
                let mut all = Vec::new();
                for user in termination.private_identities() {
                    let mut ended = Vec::new();
                    let change =
                        |profiles: &mut Profiles| ended = profiles.sets.extract_if(.., |set| is_it(set)).collect();
                    let _ = self.change(user, change).await;
                    all.append(&mut ended);
                }
                for entry in all.iter().flat_map(|set| set.profile.identities()).filter(|_| named.is_empty()) {
                    if !termination.public_identities.contains(&entry.identity) {
                        termination.public_identities.push(entry.identity.clone());
                    }
                }
                vec![HssEvent::RegistrationTermination(termination)]
            }
            HssEvent::PushProfile(push) => {
                let mut concerned = Vec::new();
                let mut others = Vec::new();
                let change = |profiles: &mut Profiles| (concerned, others) = take(&push, profiles);
                let _ = self.change(&push.private_identity, change).await;
                for user in others.iter().filter(|user| **user != push.private_identity) {
                    let _ = self.change(user, |profiles| drop(take(&push.with_private_identity(user), profiles))).await;
                }
                if push.profile.is_some() || push.charging.is_none() || concerned.is_empty() {
                    return vec![HssEvent::PushProfile(push)];
                }
                let with = |profile| PushProfile { profile: Some(profile), ..push.clone() };
                concerned.into_iter().map(with).map(HssEvent::PushProfile).collect()
            }
        }
    }

    /// The answer to a question that changes nothing.
    async fn remembered(&self, request: &ServerAssignmentRequest) -> Option<ServerAssignment> {
        let wanted: &[State] = match request.assignment {
            AssignmentType::ReRegistration => &[State::Registered],
            AssignmentType::UnregisteredUser => &[State::Unregistered],
            AssignmentType::NoAssignment => &[State::Registered, State::Unregistered, State::Unknown],
            AssignmentType::Registration
            | AssignmentType::TimeoutDeregistration
            | AssignmentType::UserDeregistration
            | AssignmentType::TimeoutDeregistrationStoreServerName
            | AssignmentType::UserDeregistrationStoreServerName
            | AssignmentType::AdministrativeDeregistration
            | AssignmentType::AuthenticationFailure
            | AssignmentType::AuthenticationTimeout
            | AssignmentType::DeregistrationTooMuchData => return None,
        };
        let [public] = &request.public_identities[..] else { return None };
        let private = match &request.private_identity {
            Some(private) => private.clone(),
            None => self.owner(public).await?,
        };
        let (profiles, _) = self.read(&private).await.ok()?;
        let set = profiles.sets.into_iter().find(|set| set.has(public))?;
        let is_good =
            set.server_name == request.server_name && wanted.contains(&set.state) && set.age < self.times.refresh;
        is_good.then(|| {
            let mut answer = ServerAssignment::new(private);
            answer.profile = (!request.user_data_available).then_some(set.profile);
            answer.charging = set.charging;
            answer.associated = set.associated;
            answer
        })
    }

    async fn learn(&self, request: &ServerAssignmentRequest, answer: &ServerAssignment, heard: u64) {
        let state = match request.assignment {
            AssignmentType::Registration | AssignmentType::ReRegistration => Some(State::Registered),
            AssignmentType::UnregisteredUser => Some(State::Unregistered),
            // Nothing has changed, whatever it was.
            AssignmentType::NoAssignment => None,
            AssignmentType::TimeoutDeregistration
            | AssignmentType::UserDeregistration
            | AssignmentType::TimeoutDeregistrationStoreServerName
            | AssignmentType::UserDeregistrationStoreServerName
            | AssignmentType::AdministrativeDeregistration
            | AssignmentType::AuthenticationFailure
            | AssignmentType::AuthenticationTimeout
            | AssignmentType::DeregistrationTooMuchData => return,
        };
        let [public] = &request.public_identities[..] else { return };
        let change = |profiles: &mut Profiles| {
            let before = profiles.sets.extract_if(.., |set| set.has(public)).last();
            let known = before.as_ref().map_or(State::Unknown, |set| set.state);
            // An HSS that was told that the profile is here leaves it out.
            let profile = answer.profile.clone().or(before.map(|set| set.profile));
            if let Some(profile) = profile.filter(|_| self.heard.load(Ordering::Acquire) == heard) {
                profiles.add(Set {
                    profile,
                    charging: answer.charging.clone(),
                    associated: answer.associated.clone(),
                    server_name: request.server_name.clone(),
                    state: state.unwrap_or(known),
                    age: Duration::ZERO,
                    unknown: Default::default(),
                });
            }
        };
        let learnt = self.change(&answer.private_identity, change).await;
        // Those who were there before did not hear who came after them.
        for user in answer.associated.iter().filter(|user| **user != answer.private_identity) {
            let note = |profiles: &mut Profiles| {
                let its = profiles.sets.iter_mut().filter(|set| set.has(public));
                its.for_each(|set| set.associated.clone_from(&answer.associated));
            };
            let _ = self.change(user, note).await;
        }
        if request.private_identity.is_none() && learnt.is_ok() {
            let _ = self.own(public, &answer.private_identity).await;
        }
        if self.heard.load(Ordering::Acquire) != heard {
            self.forget_of(&answer.private_identity, &request.public_identities).await;
        }
    }

    /// What is remembered of whom the request names is no longer true.
    async fn forget(&self, request: &ServerAssignmentRequest) {
        let owner = match (&request.private_identity, request.public_identities.first()) {
            (Some(private), _) => Some(private.clone()),
            (None, Some(public)) => self.owner(public).await,
            (None, None) => None,
        };
        if let Some(private) = owner {
            self.forget_of(&private, &request.public_identities).await;
        }
    }

    async fn forget_of(&self, private: &PrivateIdentity, public: &[PublicIdentity]) {
        let is_it = |set: &Set| public.is_empty() || public.iter().any(|identity| set.has(identity));
        let _ = self.change(private, |profiles| profiles.sets.retain(|set| !is_it(set))).await;
    }

    async fn read(&self, private: &PrivateIdentity) -> Result<(Profiles, Option<Version>), StateError> {
        let record = self.store.get(&Key::new(PROFILES, private.as_str())).await?;
        Ok(self.decode(record))
    }

    /// A record that cannot be read is one to be written anew.
    fn decode(&self, record: Option<Record>) -> (Profiles, Option<Version>) {
        let version = record.as_ref().map(|record| record.version);
        let profiles =
            record.and_then(|record| Profiles::decode(&record.value, record.expires_in.unwrap_or_default()).ok());
        let mut profiles = profiles.unwrap_or_default();
        profiles.sets.retain(|set| set.age < self.times.keep);
        (profiles, version)
    }

    /// Reads, changes and writes; `change` may run several times.
    async fn change(
        &self,
        private: &PrivateIdentity,
        mut change: impl FnMut(&mut Profiles) + Send,
    ) -> Result<(), StateError> {
        let key = Key::new(PROFILES, private.as_str());
        let (mut profiles, mut version) = self.read(private).await?;
        for _ in 0..ATTEMPTS {
            let before = profiles.clone();
            change(&mut profiles);
            if profiles == before {
                return Ok(());
            }
            let swap = match (profiles.youngest(), version) {
                (None, None) => return Ok(()),
                (None, Some(version)) => self.store.remove(&key, version).await?,
                (Some(age), version) => {
                    let lasts = self.times.keep.saturating_sub(age);
                    let write = Write::new(self.version(), profiles.encode(lasts)).expires_in(lasts);
                    self.store.compare_and_swap(&key, version, write).await?
                }
            };
            match swap {
                Swap::Done => return Ok(()),
                Swap::Conflict(record) => (profiles, version) = self.decode(record),
            }
        }
        Err(StateError::Busy)
    }

    async fn owner(&self, public: &PublicIdentity) -> Option<PrivateIdentity> {
        let record = self.store.get(&Key::new(OWNERS, public.as_str())).await.ok()??;
        let mut fields = Reader::record(&record.value).ok()?;
        fields.next_field().ok()??.parse().ok()
    }

    async fn own(&self, public: &PublicIdentity, private: &PrivateIdentity) -> Result<(), StateError> {
        let key = Key::new(OWNERS, public.as_str());
        let mut out = Writer::record();
        out.text(1, private.as_str());
        let value = out.finish();
        let mut expected = self.store.get(&key).await?.map(|record| record.version);
        for _ in 0..ATTEMPTS {
            let write = Write::new(self.version(), value.clone()).expires_in(self.times.keep);
            match self.store.compare_and_swap(&key, expected, write).await? {
                Swap::Done => return Ok(()),
                Swap::Conflict(record) => expected = record.map(|record| record.version),
            }
        }
        Err(StateError::Busy)
    }

    fn version(&self) -> Version {
        let mut hasher = SipHasher13::new_with_keys(self.seed, !self.seed.rotate_left(32));
        hasher.write_u64(self.written.fetch_add(1, Ordering::Relaxed));
        Version::new(hasher.finish())
    }
}

/// Takes over what a push says, and names the profiles that it concerns, and all who have them.
fn take(push: &PushProfile, profiles: &mut Profiles) -> (Vec<Arc<UserProfile>>, Vec<PrivateIdentity>) {
    let (mut concerned, mut having) = (Vec::new(), Vec::new());
    for set in &mut profiles.sets {
        if let Some(pushed) = &push.profile {
            if !pushed.identities().any(|entry| set.has(&entry.identity)) {
                continue;
            }
            set.profile = pushed.clone();
        }
        if push.charging.is_some() {
            set.charging.clone_from(&push.charging);
        }
        concerned.push(set.profile.clone());
        having.extend_from_slice(&set.associated);
    }
    (concerned, having)
}

/// Whether an HSS that says this knows better than what is remembered.
fn is_verdict(error: &HssError) -> bool {
    match error {
        HssError::Unknown
        | HssError::Forbidden(Refusal::IdentitiesDontMatch | Refusal::RoamingNotAllowed | Refusal::Barred)
        | HssError::NotRegistered
        | HssError::AlreadyRegistered { .. }
        | HssError::AssignmentType
        | HssError::NotAssigned => true,
        HssError::SchemeNotSupported
        | HssError::Resynchronisation
        | HssError::TooManyIdentities
        | HssError::MissingIdentity
        | HssError::Busy { .. }
        | HssError::Unreachable => false,
    }
}

impl fmt::Debug for ProfileCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileCache").field("times", &self.times).finish_non_exhaustive()
    }
}
