//! What the HSS knows of a subscriber: identities, credentials, profile.
//!
//! One [`Subscription`] has one private identity, and its public identities form one implicit registration set: who
//! registers one of them has registered all (TS 23.228 §5.2.1a.0). The first that is not barred is the default identity.

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

/// A subscriber as the HSS knows it.
///
/// ```
/// use imscore_hss::{Credentials, DigestCredentials, PrivateIdentity, Subscription};
/// let alice: PrivateIdentity = "alice@ims.example".parse()?;
/// let credentials = Credentials::Digest(DigestCredentials::from_password(&alice, "ims.example", "secret")?);
/// let subscription =
///     Subscription::new(alice, ["sip:alice@ims.example".parse()?, "tel:+12015550123".parse()?], credentials)?;
/// assert_eq!(subscription.profile().default_identity().map(|id| id.as_str()), Some("sip:alice@ims.example"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    profile: Arc<UserProfile>,
    credentials: Credentials,
    capabilities: Capabilities,
    charging: Option<ChargingAddresses>,
    roaming: Roaming,
    unregistered_services: bool,
}

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
        let profile = UserProfile::new(private_identity, service_profiles);
        let mut identities: Vec<_> = profile.identities().map(|entry| &entry.identity).collect();
        if identities.is_empty() {
            return Err(SubscriptionError::NoPublicIdentity);
        }
        if identities.len() > MAX_PUBLIC_IDENTITIES {
            return Err(SubscriptionError::TooManyPublicIdentities);
        }
        identities.sort_unstable();
        if let Some(pair) = identities.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(SubscriptionError::Duplicate(pair[0].clone()));
        }
        Ok(Self {
            profile: Arc::new(profile),
            credentials,
            capabilities: Capabilities::default(),
            charging: None,
            roaming: Roaming::default(),
            unregistered_services: false,
        })
    }

    /// What an S-CSCF has to be able to do to serve this user.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Where charging data goes.
    #[must_use]
    pub fn with_charging(mut self, charging: ChargingAddresses) -> Self {
        self.charging = Some(charging);
        self
    }

    /// From where the user may register.
    #[must_use]
    pub fn with_roaming(mut self, roaming: Roaming) -> Self {
        self.roaming = roaming;
        self
    }

    /// Whether calls for the user go to an S-CSCF even while it is not registered (voice mail, diversion).
    #[must_use]
    pub fn with_unregistered_services(mut self, has: bool) -> Self {
        self.unregistered_services = has;
        self
    }

    /// Who authenticates.
    pub fn private_identity(&self) -> &PrivateIdentity {
        &self.profile.private_identity
    }

    /// The implicit registration set, in order.
    pub fn public_identities(&self) -> impl Iterator<Item = &PublicIdentity> {
        self.profile.identities().map(|entry| &entry.identity)
    }

    /// What the S-CSCF gets.
    pub fn profile(&self) -> &Arc<UserProfile> {
        &self.profile
    }

    /// How the user proves who it is.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// What an S-CSCF has to be able to do to serve this user.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Where charging data goes.
    pub fn charging(&self) -> Option<&ChargingAddresses> {
        self.charging.as_ref()
    }

    /// From where the user may register.
    pub fn roaming(&self) -> &Roaming {
        &self.roaming
    }

    /// Whether calls for the user go to an S-CSCF even while it is not registered.
    pub fn has_unregistered_services(&self) -> bool {
        self.unregistered_services
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
