//! How a subscription is written: one byte of version, then JSON, so that an operator can read it and a later version
//! can add to it. Apart from the types of the interface, which may change without the disk.

use serde::{Deserialize, Serialize};

use crate::{
    Capabilities, ChargingAddresses, Credentials, DigestAlgorithm, DigestCredentials, Ha1, PrivateIdentity,
    ProfileIdentity, Roaming, ServiceProfile, Subscription,
};

/// The version written. What a later one adds is to have a default; what cannot be read without it needs a new number.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct SubscriptionRecord {
    service_profiles: Vec<ProfileRecord>,
    credentials: CredentialsRecord,
    #[serde(default)]
    capabilities: CapabilitiesRecord,
    #[serde(default)]
    charging: Option<ChargingRecord>,
    /// `None` is anywhere.
    #[serde(default)]
    roaming: Option<Vec<String>>,
    #[serde(default)]
    unregistered_services: bool,
}

#[derive(Serialize, Deserialize)]
struct ProfileRecord {
    identities: Vec<IdentityRecord>,
}

#[derive(Serialize, Deserialize)]
struct IdentityRecord {
    identity: String,
    #[serde(default)]
    barred: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "scheme", rename_all = "kebab-case")]
enum CredentialsRecord {
    Digest {
        realm: String,
        #[serde(default)]
        md5: Option<String>,
        #[serde(default)]
        sha256: Option<String>,
    },
}

#[derive(Default, Serialize, Deserialize)]
struct CapabilitiesRecord {
    mandatory: Vec<u32>,
    optional: Vec<u32>,
    #[serde(default)]
    server_names: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct ChargingRecord {
    collection: Vec<String>,
    event: Vec<String>,
}

/// The record of a subscription; the private identity is its key and not in it.
pub(super) fn encode(subscription: &Subscription) -> Result<Vec<u8>, serde_json::Error> {
    let profile = |profile: &ServiceProfile| ProfileRecord {
        identities: profile
            .identities
            .iter()
            .map(|entry| IdentityRecord { identity: entry.identity.to_string(), barred: entry.barred })
            .collect(),
    };
    let Credentials::Digest(digest) = subscription.credentials();
    let ha1 = |algorithm| digest.ha1(algorithm).map(|ha1| ha1.as_hex().to_owned());
    let capabilities = subscription.capabilities();
    let record = SubscriptionRecord {
        service_profiles: subscription.profile().service_profiles.iter().map(profile).collect(),
        credentials: CredentialsRecord::Digest {
            realm: digest.realm.clone(),
            md5: ha1(DigestAlgorithm::Md5),
            sha256: ha1(DigestAlgorithm::Sha256),
        },
        capabilities: CapabilitiesRecord {
            mandatory: capabilities.mandatory.clone(),
            optional: capabilities.optional.clone(),
            server_names: capabilities.server_names.iter().map(ToString::to_string).collect(),
        },
        charging: subscription
            .charging()
            .map(|charging| ChargingRecord { collection: charging.collection.clone(), event: charging.event.clone() }),
        roaming: match subscription.roaming() {
            Roaming::Anywhere => None,
            Roaming::Only(networks) => Some(networks.iter().map(ToString::to_string).collect()),
        },
        unregistered_services: subscription.has_unregistered_services(),
    };
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, &record)?;
    Ok(bytes)
}

/// `None` if it is damaged or of a version that we do not know.
pub(super) fn decode(private_identity: PrivateIdentity, bytes: &[u8]) -> Option<Subscription> {
    let (&VERSION, json) = bytes.split_first()? else { return None };
    let record: SubscriptionRecord = serde_json::from_slice(json).ok()?;
    let profiles: Option<Vec<_>> = record.service_profiles.into_iter().map(service_profile).collect();
    let subscription =
        Subscription::with_profiles(private_identity, profiles?, credentials(record.credentials)?).ok()?;
    let mut capabilities = Capabilities::new(record.capabilities.mandatory, record.capabilities.optional);
    capabilities.server_names = parsed(record.capabilities.server_names)?;
    let roaming = match record.roaming {
        None => Roaming::Anywhere,
        Some(networks) => Roaming::Only(parsed(networks)?),
    };
    let subscription = subscription
        .with_capabilities(capabilities)
        .with_roaming(roaming)
        .with_unregistered_services(record.unregistered_services);
    Some(match record.charging {
        None => subscription,
        Some(charging) => subscription.with_charging(ChargingAddresses::new(charging.collection, charging.event)),
    })
}

fn service_profile(record: ProfileRecord) -> Option<ServiceProfile> {
    let identity = |record: IdentityRecord| {
        let mut entry = ProfileIdentity::new(record.identity.parse().ok()?);
        entry.barred = record.barred;
        Some(entry)
    };
    record.identities.into_iter().map(identity).collect::<Option<_>>().map(ServiceProfile::new)
}

fn credentials(record: CredentialsRecord) -> Option<Credentials> {
    let CredentialsRecord::Digest { realm, md5, sha256 } = record;
    let ha1: Result<Vec<_>, _> = [(DigestAlgorithm::Md5, md5), (DigestAlgorithm::Sha256, sha256)]
        .into_iter()
        .filter_map(|(algorithm, hex)| hex.map(|hex| Ha1::new(algorithm, &hex)))
        .collect();
    DigestCredentials::from_ha1(&realm, ha1.ok()?).ok().map(Credentials::Digest)
}

fn parsed<T: std::str::FromStr>(texts: Vec<String>) -> Option<Vec<T>> {
    texts.iter().map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> PrivateIdentity {
        "alice@ims.example".parse().unwrap()
    }

    fn full() -> Subscription {
        let digest = DigestCredentials::from_password(&alice(), "ims.example", "secret").unwrap();
        let profiles = vec![
            ServiceProfile::new(vec![ProfileIdentity::barred("sip:temporary@ims.example".parse().unwrap())]),
            ServiceProfile::new(vec![ProfileIdentity::new("tel:+1".parse().unwrap())]),
        ];
        let mut capabilities = Capabilities::new([1, 2], [3]);
        capabilities.server_names.push("sip:scscf.ims.example".parse().unwrap());
        Subscription::with_profiles(alice(), profiles, Credentials::Digest(digest))
            .unwrap()
            .with_capabilities(capabilities)
            .with_charging(ChargingAddresses::new(["aaa://a".to_owned()], ["aaa://b".to_owned()]))
            .with_roaming(Roaming::Only(vec!["ims.example".parse().unwrap()]))
            .with_unregistered_services(true)
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = encode(&full()).unwrap();
        assert_eq!(decode(alice(), &bytes), Some(full()));
        assert!(!bytes.windows(6).any(|window| window == b"secret"));
    }

    /// The first record format, as it will be found on disks: it has to be read for good.
    #[test]
    fn version_one() {
        let text = br#"{"service_profiles":[{"identities":[{"identity":"sip:alice@ims.example"}]}],
            "credentials":{"scheme":"digest","realm":"ims.example","md5":"00112233445566778899aabbccddeeff"},
            "of a later version":1}"#;
        let read = decode(alice(), &[&[1], &text[..]].concat()).unwrap();
        assert_eq!(read.public_identities().map(ToString::to_string).collect::<Vec<_>>(), ["sip:alice@ims.example"]);
        let Credentials::Digest(digest) = read.credentials();
        assert_eq!((digest.realm.as_str(), digest.ha1.len()), ("ims.example", 1));
        assert_eq!(decode(alice(), &[&[2], &text[..]].concat()), None, "a version to come");
    }

    #[test]
    fn damage_is_no_subscription() {
        let bytes = encode(&full()).unwrap();
        assert_eq!(decode(alice(), &[]), None);
        for end in 0..bytes.len() {
            assert_eq!(decode(alice(), &bytes[..end]), None);
        }
    }
}
