//! The user profile as Cx carries it (TS 29.228 annex B): service profiles, each with its public identities.

use crate::{PrivateIdentity, PublicIdentity, ServerName};

/// What the HSS tells the S-CSCF about a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserProfile {
    /// Whose subscription it is.
    pub private_identity: PrivateIdentity,
    /// In the order of the HSS; together their identities are one implicit registration set.
    pub service_profiles: Vec<ServiceProfile>,
}

/// Identities that have the same services (TS 29.228 §B.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceProfile {
    /// In the order of the HSS.
    pub identities: Vec<ProfileIdentity>,
}

/// A public identity within a service profile (TS 29.228 §B.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileIdentity {
    /// The identity.
    pub identity: PublicIdentity,
    /// BarringIndication: it may be registered, and neither call nor be called.
    pub barred: bool,
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
    /// A service profile of these identities.
    pub fn new(identities: Vec<ProfileIdentity>) -> Self {
        Self { identities }
    }
}

impl ProfileIdentity {
    /// An identity that is not barred.
    pub fn new(identity: PublicIdentity) -> Self {
        Self { identity, barred: false }
    }

    /// An identity that is only there to register the others.
    pub fn barred(identity: PublicIdentity) -> Self {
        Self { identity, barred: true }
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
