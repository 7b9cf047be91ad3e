//! The user profile as Cx carries it (TS 29.228 annex B): service profiles, each with its public identities and services.

use super::InitialFilterCriteria;
use crate::{PrivateIdentity, PublicIdentity, ServerName};

/// What the HSS tells the S-CSCF about a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UserProfile {
    /// Whose subscription it is.
    pub private_identity: PrivateIdentity,
    /// In the order of the HSS; together their identities are one implicit registration set.
    pub service_profiles: Vec<ServiceProfile>,
}

/// Identities that have the same services (TS 29.228 §B.2).
///
/// ```
/// use imscore_hss::{
///     ExtendedPriority, IdentityExtension, IdentityKind, ProfileIdentity, ReadProfile, ServiceProfile,
///     UserDataError, UserProfile, WildcardedIdentity,
/// };
///
/// let mut extension = IdentityExtension::default();
/// extension.kind = IdentityKind::User;
/// extension.display_name = Some("Alice".into());
/// extension.extended_priorities = vec![ExtendedPriority { namespace: "wps".into(), level: "3".into() }];
/// let identity = ProfileIdentity::new("sip:alice@ims.example".parse()?).with_extension(extension);
/// let mut service = ServiceProfile::new(vec![identity, ProfileIdentity::barred("tel:+12015550123".parse()?)]);
/// service.wildcards = vec![WildcardedIdentity::new("sip:room-!.*!@ims.example")];
///
/// let profile = UserProfile::new("alice@ims.example".parse()?, vec![service]);
/// assert_eq!(profile.associated_identities().count(), 1);
/// let read: ReadProfile = UserProfile::from_xml(profile.to_xml().as_bytes())?;
/// assert_eq!((read.profile, read.ignored), (profile, 0));
/// let nobody = UserProfile::from_xml(b"<IMSSubscription></IMSSubscription>");
/// assert_eq!(nobody.err(), Some(UserDataError::NoPrivateIdentity));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct ServiceProfile {
    /// In the order of the HSS.
    pub identities: Vec<ProfileIdentity>,
    /// Wildcards that have these services as well: nobody registers them, and no call is from them or to them as such.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub wildcards: Vec<WildcardedIdentity>,
    /// When an application server is asked, in the order of the HSS; [`InitialFilterCriteria::priority`] says which
    /// comes first.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub filter_criteria: Vec<InitialFilterCriteria>,
    /// SharedIFCSetID: sets of filter criteria that the S-CSCF knows by number.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub shared_filter_criteria: Vec<u32>,
    /// SubscribedMediaProfileId: what media the user may have, as the S-CSCF knows it by number.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub media_profile: Option<u32>,
    /// Communication services that the user has (ListOfServiceIds).
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub service_ids: Vec<String>,
}

/// A public identity within a service profile (TS 29.228 §B.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct ProfileIdentity {
    /// The identity.
    pub identity: PublicIdentity,
    /// BarringIndication: it may be registered, and neither call nor be called.
    #[cfg_attr(feature = "serde", serde(default))]
    pub barred: bool,
    /// What few identities have, apart, so that those without it are small; `None` where nothing of it is set.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub extension: Option<Box<IdentityExtension>>,
}

/// What a public identity may have besides (the extensions of PublicIdentity, TS 29.228 §B.2.1 and annex E).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct IdentityExtension {
    /// IdentityType: what kind of identity it is.
    pub kind: IdentityKind,
    /// Who others see.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub display_name: Option<String>,
    /// AliasIdentityGroupID: identities of one group are one user, whichever is called.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub alias_group: Option<String>,
    /// WildcardedIMPU or, for services, WildcardedPSI: the wildcard that the identity matched, as the HSS stores it,
    /// with its regular expression between exclamation marks (TS 23.003 §13.4A, §13.5).
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub wildcard: Option<String>,
    /// ServicePriorityLevel: priority of its calls, 0 the highest, 4 the lowest.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub service_priority: Option<u8>,
    /// ExtendedPriority: priorities in name spaces of RFC 4412.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub extended_priorities: Vec<ExtendedPriority>,
    /// ServiceLevelTraceInfo: what is to be traced.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub trace: Option<String>,
    /// MaxNumOfAllowedSimultRegistrations: contacts that it may have at once.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub max_registrations: Option<u32>,
}

/// What kind of identity one is: IdentityType, TS 29.228 annex E, without the wildcards, which are
/// [`WildcardedIdentity`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum IdentityKind {
    /// DISTINCT_PUBLIC_USER_IDENTITY: a user's own.
    #[default]
    User,
    /// DISTINCT_PSI: that of a service.
    Service,
    /// NON_DISTINCT_PUBLIC_USER_IDENTITY: a user's, one of those that a wildcard stands for.
    NonDistinctUser,
}

/// A wildcard: identities by the same pattern have the same services (TS 23.003 §13.4A, §13.5).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct WildcardedIdentity {
    /// The URI, with its regular expression between exclamation marks.
    pub pattern: String,
    /// WILDCARDED_PSI, a service's; else WILDCARDED_PUBLIC_USER_IDENTITY.
    #[cfg_attr(feature = "serde", serde(default))]
    pub is_service: bool,
    /// BarringIndication.
    #[cfg_attr(feature = "serde", serde(default))]
    pub barred: bool,
}

/// ExtendedPriority: a priority in a name space of RFC 4412.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct ExtendedPriority {
    /// The name space: `ets`.
    pub namespace: String,
    /// The priority within it.
    pub level: String,
}

impl UserProfile {
    /// A profile from its parts.
    pub fn new(private_identity: PrivateIdentity, service_profiles: Vec<ServiceProfile>) -> Self {
        Self { private_identity, service_profiles }
    }

    /// The implicit registration set, in order.
    pub fn identities(&self) -> impl Iterator<Item = &ProfileIdentity> {
        self.service_profiles.iter().flat_map(|profile| &profile.identities)
    }

    /// What P-Associated-URI lists: the set without its barred members (TS 24.229 §5.4.1.2.2F).
    pub fn associated_identities(&self) -> impl Iterator<Item = &PublicIdentity> {
        self.identities().filter(|entry| !entry.barred).map(|entry| &entry.identity)
    }

    /// The default public identity: the first of the set that is not barred.
    pub fn default_identity(&self) -> Option<&PublicIdentity> {
        self.associated_identities().next()
    }

    /// The entry of one identity.
    pub fn identity(&self, identity: &PublicIdentity) -> Option<&ProfileIdentity> {
        self.identities().find(|entry| entry.identity == *identity)
    }

    /// The service profile that one identity has.
    pub fn service_profile(&self, identity: &PublicIdentity) -> Option<&ServiceProfile> {
        self.service_profiles.iter().find(|profile| profile.identities.iter().any(|entry| entry.identity == *identity))
    }
}

impl ServiceProfile {
    /// A service profile of these identities, without services.
    pub fn new(identities: Vec<ProfileIdentity>) -> Self {
        Self { identities, ..Self::default() }
    }

    /// Whether identities are all that there is in it.
    pub(crate) fn is_plain(&self) -> bool {
        let Self { identities: _, wildcards, filter_criteria, shared_filter_criteria, media_profile, service_ids } =
            self;
        wildcards.is_empty()
            && filter_criteria.is_empty()
            && shared_filter_criteria.is_empty()
            && media_profile.is_none()
            && service_ids.is_empty()
    }
}

impl ProfileIdentity {
    /// An identity that is not barred.
    pub fn new(identity: PublicIdentity) -> Self {
        Self { identity, barred: false, extension: None }
    }

    /// An identity that is only there to register the others.
    pub fn barred(identity: PublicIdentity) -> Self {
        Self { identity, barred: true, extension: None }
    }

    /// What it has besides.
    #[must_use]
    pub fn with_extension(mut self, extension: IdentityExtension) -> Self {
        self.extension = (extension != IdentityExtension::default()).then(|| Box::new(extension));
        self
    }
}

impl WildcardedIdentity {
    /// A wildcard of public user identities.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), is_service: false, barred: false }
    }
}

/// Server-Capabilities, TS 29.229 §6.3.4: what the S-CSCF to be chosen has to have. Empty: any will do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// It has all of these.
    pub mandatory: Vec<u32>,
    /// It has as many of these as can be.
    pub optional: Vec<u32>,
    /// Preferred to all others.
    pub server_names: Vec<ServerName>,
}

impl Capabilities {
    /// From mandatory and optional capabilities, as the operator numbers them.
    pub fn new(mandatory: impl Into<Vec<u32>>, optional: impl Into<Vec<u32>>) -> Self {
        Self { mandatory: mandatory.into(), optional: optional.into(), server_names: Vec::new() }
    }
}

/// Charging-Information, TS 29.229 §6.3.19: Diameter URIs of the charging functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChargingAddresses {
    /// Charging collection functions (offline), primary first.
    pub collection: Vec<String>,
    /// Event charging functions (online), primary first.
    pub event: Vec<String>,
}

impl ChargingAddresses {
    /// From the addresses of collection and event charging functions, primary first.
    pub fn new(collection: impl Into<Vec<String>>, event: impl Into<Vec<String>>) -> Self {
        Self { collection: collection.into(), event: event.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_identity_is_the_first_that_is_not_barred() {
        let [temporary, sip, tel]: [PublicIdentity; 3] =
            ["sip:001010000000001@ims.example", "sip:alice@ims.example", "tel:+12015550123"]
                .map(|text| text.parse().unwrap());
        let profile = UserProfile::new(
            "alice".parse().unwrap(),
            vec![
                ServiceProfile::new(vec![ProfileIdentity::barred(temporary.clone())]),
                ServiceProfile::new(vec![ProfileIdentity::new(sip.clone()), ProfileIdentity::new(tel.clone())]),
            ],
        );
        assert_eq!(profile.default_identity(), Some(&sip));
        assert_eq!(profile.associated_identities().collect::<Vec<_>>(), [&sip, &tel]);
        assert_eq!(profile.identities().count(), 3);
        assert!(profile.identity(&temporary).is_some_and(|entry| entry.barred));
        assert_eq!(profile.service_profile(&tel), profile.service_profiles.get(1));
    }
}
