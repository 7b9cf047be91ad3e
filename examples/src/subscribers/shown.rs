//! A subscriber as it is shown: no secret in it.

use imscore_hss::vector::AuthenticationFunctions;
use imscore_hss::{
    Credentials, IdentityExtension, PrivateIdentity, ProfileIdentity, Roaming, ServerName, ServiceProfile, Subscription,
};
use serde::Serialize;

/// A subscriber as it is shown: what was provisioned without its secrets, and without what was left out.
#[derive(Debug, Serialize)]
pub struct Shown {
    private_identity: String,
    /// Who holds the subscription, where it is somebody else; that one shows the rest of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_of: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shared_by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_identities: Option<Vec<Identity>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_profiles: Option<Vec<ServiceProfile>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<Authentication>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charging: Option<Charging>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<Capabilities>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roaming: Option<Vec<String>>,
    #[serde(skip_serializing_if = "is_false")]
    unregistered_services: bool,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Identity {
    Uri(String),
    Full {
        identity: String,
        barred: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
    },
}

#[derive(Debug, Serialize)]
#[serde(tag = "scheme", rename_all = "lowercase")]
enum Authentication {
    Digest { realm: String, algorithms: Vec<&'static str> },
    Aka { functions: &'static str, amf: String },
    Other,
}

#[derive(Debug, Serialize)]
struct Charging {
    collection: Vec<String>,
    event: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Capabilities {
    mandatory: Vec<u32>,
    optional: Vec<u32>,
    server_names: Vec<ServerName>,
}

impl Shown {
    /// What may be seen of a private identity that holds or shares a subscription.
    pub fn of(private_identity: &PrivateIdentity, subscription: &Subscription) -> Shown {
        let authentication = subscription.credentials_of(private_identity).map(Authentication::of);
        let shown = Shown {
            private_identity: private_identity.to_string(),
            subscription_of: None,
            shared_by: Vec::new(),
            public_identities: None,
            service_profiles: None,
            authentication,
            charging: None,
            capabilities: None,
            roaming: None,
            unregistered_services: false,
        };
        let holder = subscription.private_identity();
        if holder != private_identity {
            return Shown { subscription_of: Some(holder.to_string()), ..shown };
        }
        let profile = subscription.profile();
        let profiles = &profile.service_profiles;
        let plain = match &profiles[..] {
            [profile] if *profile == ServiceProfile::new(profile.identities.clone()) => {
                profile.identities.iter().map(Identity::of).collect()
            }
            _ => None,
        };
        let capabilities = subscription.capabilities();
        Shown {
            shared_by: subscription.private_identities().skip(1).map(ToString::to_string).collect(),
            service_profiles: plain.is_none().then(|| profiles.clone()),
            public_identities: plain,
            charging: subscription
                .charging()
                .map(|it| Charging { collection: it.collection.clone(), event: it.event.clone() }),
            capabilities: (*capabilities != imscore_hss::Capabilities::default()).then(|| Capabilities {
                mandatory: capabilities.mandatory.clone(),
                optional: capabilities.optional.clone(),
                server_names: capabilities.server_names.clone(),
            }),
            roaming: match subscription.roaming() {
                Roaming::Only(networks) => Some(networks.iter().map(ToString::to_string).collect()),
                Roaming::Anywhere | _ => None,
            },
            unregistered_services: subscription.has_unregistered_services(),
            ..shown
        }
    }
}

impl Identity {
    /// None where it has more than fits.
    fn of(entry: &ProfileIdentity) -> Option<Identity> {
        let identity = entry.identity.to_string();
        match entry.extension.as_deref() {
            None if !entry.barred => Some(Identity::Uri(identity)),
            None => Some(Identity::Full { identity, barred: true, display_name: None }),
            Some(extension) => {
                let mut named = IdentityExtension::default();
                named.display_name.clone_from(&extension.display_name);
                let full = Identity::Full { identity, barred: entry.barred, display_name: named.display_name.clone() };
                (named == *extension).then_some(full)
            }
        }
    }
}

impl Authentication {
    fn of(credentials: &Credentials) -> Authentication {
        match credentials {
            Credentials::Digest(digest) => Authentication::Digest {
                realm: digest.realm.to_string(),
                algorithms: digest.hashes().map(|ha1| ha1.algorithm().as_str()).collect(),
            },
            Credentials::Aka(aka) => Authentication::Aka {
                functions: match &aka.functions {
                    AuthenticationFunctions::Milenage(_) => "milenage",
                    AuthenticationFunctions::Tuak(_) => "tuak",
                    _ => "other",
                },
                amf: format!("{:04x}", u16::from_be_bytes(aka.amf)),
            },
            _ => Authentication::Other,
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}
