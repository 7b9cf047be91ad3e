//! How a subscription is written: one byte of version, then JSON, so that an operator can read it and a later version
//! can add to it. Apart from the types of the interface, which may change without the disk.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::vector::{AkaCredentials, AuthenticationFunctions, Milenage, Secret, Tuak, TuakSettings};
use crate::{
    Capabilities, ChargingAddresses, Credentials, DigestAlgorithm, DigestCredentials, Ha1, PrivateIdentity,
    ProfileIdentity, Roaming, ServiceProfile, Subscription, UserProfile,
};

/// The latest version. What a later one adds is to have a default; what cannot be read without it needs a new number. A
/// record is written with the lowest number that it needs, so that a version of before reads what it can.
const VERSION: u8 = 3;

#[derive(Serialize, Deserialize)]
struct SubscriptionRecord {
    service_profiles: Vec<ProfileRecord>,
    /// Since version 3, instead of `service_profiles`: the profile as XML of TS 29.228 annex E, where it has services or
    /// identities with more than their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
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
    /// Since version 2. Keys in hexadecimal.
    Aka {
        k: Zeroizing<String>,
        /// OPc of Milenage, TOPc of TUAK.
        op_c: Zeroizing<String>,
        amf: String,
        /// Milenage where there is none.
        #[serde(default)]
        tuak: Option<TuakRecord>,
    },
}

#[derive(Serialize, Deserialize)]
struct TuakRecord {
    response: u8,
    iterations: u8,
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
    let profiles = &subscription.profile().service_profiles;
    let profile = (!profiles.iter().all(is_plain)).then(|| subscription.profile().to_xml());
    let capabilities = subscription.capabilities();
    let record = SubscriptionRecord {
        service_profiles: if profile.is_some() { Vec::new() } else { profiles.iter().map(profile_record).collect() },
        profile,
        credentials: credentials_record(subscription.credentials()),
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
    let version = match (&record.profile, &record.credentials) {
        (Some(_), _) => 3,
        (None, CredentialsRecord::Digest { .. }) => 1,
        (None, CredentialsRecord::Aka { .. }) => 2,
    };
    let mut bytes = vec![version];
    serde_json::to_writer(&mut bytes, &record)?;
    Ok(bytes)
}

/// `None` if it is damaged or of a version that we do not know.
pub(super) fn decode(private_identity: PrivateIdentity, bytes: &[u8]) -> Option<Subscription> {
    let (1..=VERSION, json) = bytes.split_first()? else { return None };
    let record: SubscriptionRecord = serde_json::from_slice(json).ok()?;
    let profiles = match record.profile {
        Some(xml) => UserProfile::from_xml(xml.as_bytes()).ok()?.profile.service_profiles,
        None => record.service_profiles.into_iter().map(service_profile).collect::<Option<_>>()?,
    };
    let subscription =
        Subscription::with_profiles(private_identity, profiles, credentials(record.credentials)?).ok()?;
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

/// Whether identities and barring are all that there is to it.
fn is_plain(profile: &ServiceProfile) -> bool {
    let ServiceProfile { identities, wildcards, filter_criteria, shared_filter_criteria, media_profile, service_ids } =
        profile;
    let no_services = wildcards.is_empty()
        && filter_criteria.is_empty()
        && shared_filter_criteria.is_empty()
        && media_profile.is_none()
        && service_ids.is_empty();
    no_services && identities.iter().all(|entry| entry.extension.is_none())
}

fn profile_record(profile: &ServiceProfile) -> ProfileRecord {
    let identity =
        |entry: &ProfileIdentity| IdentityRecord { identity: entry.identity.to_string(), barred: entry.barred };
    ProfileRecord { identities: profile.identities.iter().map(identity).collect() }
}

fn service_profile(record: ProfileRecord) -> Option<ServiceProfile> {
    let identity = |record: IdentityRecord| {
        let mut entry = ProfileIdentity::new(record.identity.parse().ok()?);
        entry.barred = record.barred;
        Some(entry)
    };
    record.identities.into_iter().map(identity).collect::<Option<_>>().map(ServiceProfile::new)
}

fn credentials_record(credentials: &Credentials) -> CredentialsRecord {
    match credentials {
        Credentials::Digest(digest) => {
            let ha1 = |algorithm| digest.ha1(algorithm).map(|ha1| ha1.as_hex().to_owned());
            let (md5, sha256) = (ha1(DigestAlgorithm::Md5), ha1(DigestAlgorithm::Sha256));
            CredentialsRecord::Digest { realm: digest.realm.clone(), md5, sha256 }
        }
        Credentials::Aka(aka) => {
            let (op_c, tuak) = match &aka.functions {
                AuthenticationFunctions::Milenage(milenage) => (milenage.op_c(), None),
                AuthenticationFunctions::Tuak(tuak) => {
                    let TuakSettings { response, iterations } = tuak.settings();
                    (tuak.top_c(), Some(TuakRecord { response, iterations }))
                }
            };
            let amf = format!("{:04x}", u16::from_be_bytes(aka.amf));
            CredentialsRecord::Aka { k: aka.functions.k().to_hex(), op_c: op_c.to_hex(), amf, tuak }
        }
    }
}

fn credentials(record: CredentialsRecord) -> Option<Credentials> {
    match record {
        CredentialsRecord::Digest { realm, md5, sha256 } => {
            let ha1: Result<Vec<_>, _> = [(DigestAlgorithm::Md5, md5), (DigestAlgorithm::Sha256, sha256)]
                .into_iter()
                .filter_map(|(algorithm, hex)| hex.map(|hex| Ha1::new(algorithm, &hex)))
                .collect();
            DigestCredentials::from_ha1(&realm, ha1.ok()?).ok().map(Credentials::Digest)
        }
        CredentialsRecord::Aka { k, op_c, amf, tuak } => {
            let (k, op_c) = (Secret::from_hex(&k)?, Secret::from_hex(&op_c)?);
            let functions = match tuak {
                None => Milenage::new(k.expose_array()?, op_c.expose_array()?).into(),
                Some(TuakRecord { response, iterations }) => {
                    let settings = TuakSettings { response, iterations };
                    AuthenticationFunctions::from(Tuak::new(k, op_c.expose_array()?, settings)?)
                }
            };
            let amf = *Secret::from_hex(&amf)?.expose_array()?;
            Some(Credentials::Aka(AkaCredentials::new(functions, amf)))
        }
    }
}

fn parsed<T: std::str::FromStr>(texts: Vec<String>) -> Option<Vec<T>> {
    texts.iter().map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApplicationServer, IdentityExtension, InitialFilterCriteria, WildcardedIdentity};

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
        assert_eq!(bytes[0], 1, "a version of before reads it");
        let settings = TuakSettings { response: 4, iterations: 3 };
        for functions in [
            Milenage::new(&[1; 16], &[2; 16]).into(),
            AuthenticationFunctions::from(Tuak::new(Secret::from(&[1; 32]), &[2; 32], settings).unwrap()),
        ] {
            let credentials = Credentials::Aka(AkaCredentials::new(functions, [0x80, 1]));
            let identity = "sip:alice@ims.example".parse().unwrap();
            let alice_of_aka = Subscription::new(alice(), [identity], credentials).unwrap();
            let bytes = encode(&alice_of_aka).unwrap();
            assert_eq!((bytes[0], decode(alice(), &bytes)), (2, Some(alice_of_aka)));
        }
    }

    /// What version 3 added: services, as XML that any later version reads.
    #[test]
    fn version_three() {
        let mut services = full().profile().service_profiles.clone();
        services[0].filter_criteria.push(InitialFilterCriteria::new(1, ApplicationServer::new("sip:as.ims.example")));
        services[1].identities[0].extension =
            Some(Box::new(IdentityExtension { display_name: Some("Alice \"A\"".into()), ..Default::default() }));
        let alice_with =
            |services| Subscription::with_profiles(alice(), services, full().credentials().clone()).unwrap();
        let subscription = alice_with(services.clone());
        let bytes = encode(&subscription).unwrap();
        assert_eq!((bytes[0], decode(alice(), &bytes)), (3, Some(subscription)));
        // Each of what version 1 cannot say is reason enough.
        let plain = full().profile().service_profiles.clone();
        let changes: [fn(&mut ServiceProfile); 6] = [
            |profile| profile.wildcards.push(WildcardedIdentity::new("sip:!.*!@ims.example")),
            |profile| profile.shared_filter_criteria.push(1),
            |profile| profile.media_profile = Some(1),
            |profile| profile.service_ids.push("a".into()),
            |profile| profile.filter_criteria.push(InitialFilterCriteria::new(0, ApplicationServer::new("sip:as"))),
            |profile| {
                profile.identities[0].extension =
                    Some(Box::new(IdentityExtension { alias_group: Some("1".into()), ..Default::default() }))
            },
        ];
        for change in changes {
            let mut services = plain.clone();
            change(&mut services[1]);
            let subscription = alice_with(services);
            let bytes = encode(&subscription).unwrap();
            assert_eq!((bytes[0], decode(alice(), &bytes)), (3, Some(subscription)));
        }
        let text = br#"{"service_profiles":[],"profile":"<IMSSubscription><PrivateID>a</PrivateID><ServiceProfile>
            <PublicIdentity><Identity>sip:alice@ims.example</Identity></PublicIdentity></ServiceProfile></IMSSubscription>",
            "credentials":{"scheme":"digest","realm":"ims.example","md5":"00112233445566778899aabbccddeeff"}}"#;
        let text = text.iter().filter(|byte| **byte != b'\n').copied().collect::<Vec<_>>();
        let read = decode(alice(), &[&[3], &text[..]].concat()).unwrap();
        assert_eq!(read.public_identities().map(ToString::to_string).collect::<Vec<_>>(), ["sip:alice@ims.example"]);
    }

    /// The first record format, as it will be found on disks: it has to be read for good.
    #[test]
    fn version_one() {
        let text = br#"{"service_profiles":[{"identities":[{"identity":"sip:alice@ims.example"}]}],
            "credentials":{"scheme":"digest","realm":"ims.example","md5":"00112233445566778899aabbccddeeff"},
            "of a later version":1}"#;
        let read = decode(alice(), &[&[1], &text[..]].concat()).unwrap();
        assert_eq!(read.public_identities().map(ToString::to_string).collect::<Vec<_>>(), ["sip:alice@ims.example"]);
        let Credentials::Digest(digest) = read.credentials() else { panic!("Digest") };
        assert_eq!((digest.realm.as_str(), digest.ha1.len()), ("ims.example", 1));
        assert_eq!(decode(alice(), &[&[4], &text[..]].concat()), None, "a version to come");
        assert_eq!(decode(alice(), &[&[0], &text[..]].concat()), None);
    }

    /// What version 2 added, as it will be found on disks.
    #[test]
    fn version_two() {
        let k = "000102030405060708090a0b0c0d0e0f";
        let with = |credentials: &str| {
            let profiles = r#"[{"identities":[{"identity":"sip:alice@ims.example"}]}]"#;
            let text = format!(r#"{{"service_profiles":{profiles},"credentials":{{"scheme":"aka",{credentials}}}}}"#);
            decode(alice(), &[&[2], text.as_bytes()].concat()).map(|read| read.credentials().clone())
        };
        let functions = Milenage::new(&std::array::from_fn(|at| at as u8), &[0xcc; 16]);
        let milenage = AkaCredentials::new(functions, [0x80, 0]);
        let op_c = "cc".repeat(16);
        let found = with(&format!(r#""k":"{k}","op_c":"{op_c}","amf":"8000""#));
        assert_eq!(found, Some(Credentials::Aka(milenage)));
        let settings = TuakSettings { response: 16, iterations: 2 };
        let functions = Tuak::new(Secret::from_hex(k).unwrap(), &[0xcc; 32], settings).unwrap();
        let top_c = "cc".repeat(32);
        let chosen = r#""tuak":{"response":16,"iterations":2}"#;
        let found = with(&format!(r#""k":"{k}","op_c":"{top_c}","amf":"0000",{chosen}"#));
        assert_eq!(found, Some(Credentials::Aka(AkaCredentials::new(functions, [0, 0]))));
        for wrong in [
            format!(r#""k":"{k}","op_c":"{top_c}","amf":"8000""#),
            format!(r#""k":"{k}","op_c":"{op_c}","amf":"0000",{chosen}"#),
            format!(r#""k":"{k}00","op_c":"{op_c}","amf":"8000""#),
            format!(r#""k":"{k}","op_c":"{op_c}","amf":"80""#),
            format!(r#""k":"{k}","op_c":"{op_c}""#),
        ] {
            assert_eq!(with(&wrong), None, "{wrong}");
        }
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
