//! What the HSS knows of a subscriber: identities, credentials, profile.
//!
//! ```text
//!   Subscription
//!     ├── private identity, its credentials          the holder
//!     ├── private identity, its credentials          shares it: another phone of the same subscriber
//!     └── public identities, in service profiles     one implicit registration set
//! ```
//!
//! The public identities of a [`Subscription`] form one implicit registration set: who registers one of them has registered
//! all (TS 23.228 §5.2.1a.0). The first that is not barred is the default identity. All its private identities share them
//! (TS 23.228 §4.3.3.4): the user has several phones, each registers by itself, and all ring. One of them holds the
//! subscription, which is to say that it is provisioned under that name; see [`Provision`](crate::Provision).

mod digest;
mod filter_criteria;
mod profile;
mod user_data;

use std::sync::Arc;

use thiserror::Error;

pub use digest::{DigestAlgorithm, DigestCredentials, DigestError, Ha1, Qop};
pub use filter_criteria::{
    ApplicationServer, Condition, DefaultHandling, InitialFilterCriteria, NormalForm, ProfilePart, RegistrationType,
    ServicePointTrigger, SessionCase, TriggerPoint,
};
pub use profile::{
    Capabilities, ChargingAddresses, ExtendedPriority, IdentityExtension, IdentityKind, ProfileIdentity,
    ServiceProfile, UserProfile, WildcardedIdentity,
};
pub use user_data::{MAX_USER_DATA, ReadProfile, UserDataError};

use crate::vector::AkaCredentials;
use crate::{PrivateIdentity, PublicIdentity, VisitedNetwork};

/// Most public identities that one subscription has.
pub const MAX_PUBLIC_IDENTITIES: usize = 64;
/// Most private identities that one subscription has.
pub const MAX_PRIVATE_IDENTITIES: usize = 16;

/// A subscriber as the HSS knows it.
///
/// ```
/// use imscore_hss::{Credentials, DigestCredentials, PrivateIdentity, Subscription};
/// let alice: PrivateIdentity = "alice@ims.example".parse()?;
/// let credentials = Credentials::Digest(DigestCredentials::from_password(&alice, "ims.example", "secret")?);
/// let subscription =
///     Subscription::new(alice, ["sip:alice@ims.example".parse()?, "tel:+12015550123".parse()?], credentials)?;
/// assert_eq!(subscription.default_identity().map(|id| id.as_str()), Some("sip:alice@ims.example"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    holder: Member,
    sharers: Box<[Member]>,
    profiles: Profiles,
    /// Not there where it would be as by default.
    rest: Option<Box<Rest>>,
}

/// A private identity of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    private_identity: PrivateIdentity,
    credentials: Credentials,
}

/// Nearly all subscribers have one service profile with nothing in it but identities, and there may be millions of them.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Profiles {
    Plain(Box<[ProfileIdentity]>),
    /// As the holder gets it.
    Full(Arc<UserProfile>),
}

/// What few subscribers have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rest {
    capabilities: Capabilities,
    charging: Option<ChargingAddresses>,
    roaming: Roaming,
    unregistered_services: bool,
}

static NOTHING: Rest = Rest {
    capabilities: Capabilities { mandatory: Vec::new(), optional: Vec::new(), server_names: Vec::new() },
    charging: None,
    roaming: Roaming::Anywhere,
    unregistered_services: false,
};

/// How a subscriber proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// SIP Digest (TS 33.203 annex N).
    Digest(DigestCredentials),
    /// IMS AKA: a USIM or ISIM (TS 33.203 §6.1).
    Aka(AkaCredentials),
}

/// Networks from which the subscriber may register.
///
/// ```
/// use imscore_hss::{Roaming, VisitedNetwork};
///
/// let home: VisitedNetwork = "ims.example".parse()?;
/// let roaming = Roaming::Only(vec![home.clone()]);
/// assert!(roaming.allows(&home) && !roaming.allows(&"far.example".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Roaming {
    /// Any.
    #[default]
    Anywhere,
    /// These, the home network among them where it is meant.
    Only(Vec<VisitedNetwork>),
}

impl Roaming {
    /// Whether the subscriber may register from `network`.
    pub fn allows(&self, network: &VisitedNetwork) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Only(networks) => networks.contains(network),
        }
    }
}

/// Why a subscription cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// Without a public identity nobody can register.
    #[error("a subscription needs a public identity")]
    NoPublicIdentity,
    /// More than [`MAX_PUBLIC_IDENTITIES`].
    #[error("a subscription has at most {MAX_PUBLIC_IDENTITIES} public identities")]
    TooManyPublicIdentities,
    /// More than [`MAX_PRIVATE_IDENTITIES`].
    #[error("a subscription has at most {MAX_PRIVATE_IDENTITIES} private identities")]
    TooManyPrivateIdentities,
    /// The same identity twice.
    #[error("{0} is named twice")]
    Duplicate(PublicIdentity),
}

impl Subscription {
    /// A subscription with one service profile and no identity barred. The order of the identities is that of the
    /// implicit registration set.
    pub fn new(
        private_identity: PrivateIdentity,
        public_identities: impl IntoIterator<Item = PublicIdentity>,
        credentials: Credentials,
    ) -> Result<Self, SubscriptionError> {
        let identities = public_identities.into_iter().map(ProfileIdentity::new).collect();
        Self::with_profiles(private_identity, vec![ServiceProfile::new(identities)], credentials)
    }

    /// A subscription whose identities have service profiles of their own.
    pub fn with_profiles(
        private_identity: PrivateIdentity,
        service_profiles: Vec<ServiceProfile>,
        credentials: Credentials,
    ) -> Result<Self, SubscriptionError> {
        let mut identities: Vec<_> = service_profiles.iter().flat_map(|profile| &profile.identities).collect();
        if identities.is_empty() {
            return Err(SubscriptionError::NoPublicIdentity);
        }
        if identities.len() > MAX_PUBLIC_IDENTITIES {
            return Err(SubscriptionError::TooManyPublicIdentities);
        }
        identities.sort_unstable_by_key(|entry| &entry.identity);
        if let Some(pair) = identities.windows(2).find(|pair| pair[0].identity == pair[1].identity) {
            return Err(SubscriptionError::Duplicate(pair[0].identity.clone()));
        }
        let profiles = Profiles::new(&private_identity, service_profiles);
        Ok(Self { holder: Member { private_identity, credentials }, sharers: Box::default(), profiles, rest: None })
    }

    /// What an S-CSCF has to be able to do to serve this user.
    #[must_use]
    pub fn with_capabilities(self, capabilities: Capabilities) -> Self {
        self.with(|rest| rest.capabilities = capabilities)
    }

    /// Where charging data goes.
    #[must_use]
    pub fn with_charging(self, charging: ChargingAddresses) -> Self {
        self.with(|rest| rest.charging = Some(charging))
    }

    /// From where the user may register.
    #[must_use]
    pub fn with_roaming(self, roaming: Roaming) -> Self {
        self.with(|rest| rest.roaming = roaming)
    }

    /// Whether calls for the user go to an S-CSCF even while it is not registered (voice mail, diversion).
    #[must_use]
    pub fn with_unregistered_services(self, has: bool) -> Self {
        self.with(|rest| rest.unregistered_services = has)
    }

    fn with(mut self, change: impl FnOnce(&mut Rest)) -> Self {
        let mut rest = self.rest.take().unwrap_or_default();
        change(&mut rest);
        self.rest = (*rest != NOTHING).then_some(rest);
        self
    }

    /// Whose subscription it is: the private identity that it is provisioned under.
    pub fn private_identity(&self) -> &PrivateIdentity {
        &self.holder.private_identity
    }

    /// All private identities that have it, the holder first.
    pub fn private_identities(&self) -> impl Iterator<Item = &PrivateIdentity> {
        self.members().map(|member| &member.private_identity)
    }

    /// The implicit registration set, in order.
    pub fn identities(&self) -> impl Iterator<Item = &ProfileIdentity> {
        let (plain, full) = match &self.profiles {
            Profiles::Plain(identities) => (&identities[..], None),
            Profiles::Full(profile) => (&[][..], Some(profile.identities())),
        };
        plain.iter().chain(full.into_iter().flatten())
    }

    /// The implicit registration set, in order, by name.
    pub fn public_identities(&self) -> impl Iterator<Item = &PublicIdentity> {
        self.identities().map(|entry| &entry.identity)
    }

    /// The default public identity: the first that is not barred.
    pub fn default_identity(&self) -> Option<&PublicIdentity> {
        self.identities().find(|entry| !entry.barred).map(|entry| &entry.identity)
    }

    /// What the S-CSCF gets of the holder.
    pub fn profile(&self) -> Arc<UserProfile> {
        self.profile_of(self.private_identity())
    }

    /// What the S-CSCF gets of one of the private identities.
    pub fn profile_of(&self, private_identity: &PrivateIdentity) -> Arc<UserProfile> {
        let service_profiles = match &self.profiles {
            Profiles::Plain(identities) => vec![ServiceProfile::new(identities.to_vec())],
            Profiles::Full(profile) if profile.private_identity == *private_identity => return profile.clone(),
            Profiles::Full(profile) => profile.service_profiles.clone(),
        };
        Arc::new(UserProfile::new(private_identity.clone(), service_profiles))
    }

    /// How the holder proves who it is.
    pub fn credentials(&self) -> &Credentials {
        &self.holder.credentials
    }

    /// How one of the private identities proves who it is; `None` where it has no part in this.
    pub fn credentials_of(&self, private_identity: &PrivateIdentity) -> Option<&Credentials> {
        self.members().find(|member| member.private_identity == *private_identity).map(|member| &member.credentials)
    }

    /// What an S-CSCF has to be able to do to serve this user.
    pub fn capabilities(&self) -> &Capabilities {
        &self.rest().capabilities
    }

    /// Where charging data goes.
    pub fn charging(&self) -> Option<&ChargingAddresses> {
        self.rest().charging.as_ref()
    }

    /// From where the user may register.
    pub fn roaming(&self) -> &Roaming {
        &self.rest().roaming
    }

    /// Whether calls for the user go to an S-CSCF even while it is not registered.
    pub fn has_unregistered_services(&self) -> bool {
        self.rest().unregistered_services
    }

    /// The same, shared by one more private identity, or by one that shares it with other credentials.
    ///
    /// # Errors
    /// There would be more than [`MAX_PRIVATE_IDENTITIES`].
    pub(crate) fn shared_by(
        &self,
        private_identity: PrivateIdentity,
        credentials: Credentials,
    ) -> Result<Self, SubscriptionError> {
        let mut shared = self.clone();
        if shared.holder.private_identity == private_identity {
            shared.holder.credentials = credentials;
            return Ok(shared);
        }
        let mut sharers = shared.sharers.into_vec();
        match sharers.iter().position(|member| member.private_identity == private_identity) {
            Some(at) => sharers[at].credentials = credentials,
            None if sharers.len() + 1 < MAX_PRIVATE_IDENTITIES => {
                sharers.push(Member { private_identity, credentials })
            }
            None => return Err(SubscriptionError::TooManyPrivateIdentities),
        }
        shared.sharers = sharers.into();
        Ok(shared)
    }

    /// The same, shared by whoever shares `other`, or by nobody.
    pub(crate) fn shared_as(this: &Arc<Self>, other: Option<&Self>) -> Arc<Self> {
        let sharers = other.map_or(&[][..], |other| &other.sharers);
        if this.sharers[..] == *sharers {
            return this.clone();
        }
        Arc::new(Self { sharers: sharers.into(), ..Self::clone(this) })
    }

    /// The same without one of the private identities. Where it was the holder, who came next holds it; where it was the
    /// only one, nothing is left.
    pub(crate) fn without(&self, private_identity: &PrivateIdentity) -> Option<Self> {
        let mut members = self.members().filter(|member| member.private_identity != *private_identity).cloned();
        let holder = members.next()?;
        let profiles = match &self.profiles {
            Profiles::Plain(identities) => Profiles::Plain(identities.clone()),
            Profiles::Full(_) => Profiles::Full(self.profile_of(&holder.private_identity)),
        };
        Some(Self { holder, sharers: members.collect(), profiles, rest: self.rest.clone() })
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(&self.holder).chain(&self.sharers)
    }

    fn rest(&self) -> &Rest {
        self.rest.as_deref().unwrap_or(&NOTHING)
    }
}

impl Profiles {
    fn new(holder: &PrivateIdentity, mut service_profiles: Vec<ServiceProfile>) -> Self {
        match &mut service_profiles[..] {
            [profile] if profile.is_plain() => Self::Plain(std::mem::take(&mut profile.identities).into()),
            _ => Self::Full(Arc::new(UserProfile::new(holder.clone(), service_profiles))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(public: &[&str]) -> Result<Subscription, SubscriptionError> {
        let alice: PrivateIdentity = "alice".parse().unwrap();
        let credentials = Credentials::Digest(DigestCredentials::from_password(&alice, "ims.example", "x").unwrap());
        Subscription::new(alice, public.iter().map(|text| text.parse().unwrap()), credentials)
    }

    #[test]
    fn refuses_what_cannot_be() {
        assert_eq!(subscription(&[]).unwrap_err(), SubscriptionError::NoPublicIdentity);
        let twice = subscription(&["sip:alice@ims.example", "tel:+1", "sip:alice@IMS.example:5060"]);
        assert_eq!(twice.unwrap_err(), SubscriptionError::Duplicate("sip:alice@ims.example".parse().unwrap()));
        let many: Vec<_> = (0..65).map(|n| format!("tel:+{n}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(subscription(&many[..64]).is_ok());
        assert_eq!(subscription(&many).unwrap_err(), SubscriptionError::TooManyPublicIdentities);
    }

    #[test]
    fn roaming_compares_names_without_case() {
        let roaming = Roaming::Only(vec!["Home.Example".parse().unwrap()]);
        assert!(roaming.allows(&"home.example".parse().unwrap()));
        assert!(!roaming.allows(&"visited.example".parse().unwrap()));
        assert!(Roaming::Anywhere.allows(&"visited.example".parse().unwrap()));
    }
}
