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
const VERSION: u8 = 4;

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
    /// Since version 4: who shares it, the holder not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shared_by: Vec<MemberRecord>,
}

#[derive(Serialize, Deserialize)]
struct MemberRecord {
    private_identity: String,
    credentials: CredentialsRecord,
}

/// Since version 4, instead of all the rest.
#[derive(Serialize, Deserialize)]
struct ShareRecord {
    shares: String,
}

/// What a record says of a private identity.
#[derive(Debug, PartialEq)]
pub(super) enum Record {
    /// It holds this one.
    Holds(Box<Subscription>),
    /// It shares the one that this private identity holds.
    Shares(PrivateIdentity),
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
        md5: Option<Zeroizing<String>>,
        #[serde(default)]
        sha256: Option<Zeroizing<String>>,
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
    let whole = subscription.profile();
    let profiles = &whole.service_profiles;
    let profile = (!profiles.iter().all(is_plain)).then(|| whole.to_xml());
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
        shared_by: subscription.private_identities().skip(1).filter_map(|user| member(subscription, user)).collect(),
    };
    let version = match (&record.profile, &record.credentials) {
        _ if !record.shared_by.is_empty() => 4,
        (Some(_), _) => 3,
        (None, CredentialsRecord::Digest { .. }) => 1,
        (None, CredentialsRecord::Aka { .. }) => 2,
    };
    let mut bytes = vec![version];
    serde_json::to_writer(&mut bytes, &record)?;
    Ok(bytes)
}

fn member(subscription: &Subscription, user: &PrivateIdentity) -> Option<MemberRecord> {
    let credentials = credentials_record(subscription.credentials_of(user)?);
    Some(MemberRecord { private_identity: user.to_string(), credentials })
}

/// The record of who shares the subscription of `holder`; its credentials are there.
pub(super) fn encode_share(holder: &PrivateIdentity) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = vec![4];
    serde_json::to_writer(&mut bytes, &ShareRecord { shares: holder.to_string() })?;
    Ok(bytes)
}

/// `None` if it is damaged or of a version that we do not know.
pub(super) fn decode(private_identity: &PrivateIdentity, bytes: &[u8]) -> Option<Record> {
    let (version @ 1..=VERSION, json) = bytes.split_first()? else { return None };
    if let (4.., Ok(share)) = (*version, serde_json::from_slice::<ShareRecord>(json)) {
        return share.shares.parse().ok().map(Record::Shares);
    }
    decode_held(private_identity.clone(), json).map(Box::new).map(Record::Holds)
}

fn decode_held(private_identity: PrivateIdentity, json: &[u8]) -> Option<Subscription> {
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
    let subscription = match record.charging {
        None => subscription,
        Some(charging) => subscription.with_charging(ChargingAddresses::new(charging.collection, charging.event)),
    };
    record.shared_by.into_iter().try_fold(
        subscription,
        |subscription, MemberRecord { private_identity, credentials }| {
            subscription.shared_by(private_identity.parse().ok()?, self::credentials(credentials)?).ok()
        },
    )
}

/// Whether identities and barring are all that there is to it.
fn is_plain(profile: &ServiceProfile) -> bool {
    profile.is_plain() && profile.identities.iter().all(|entry| entry.extension.is_none())
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
            let ha1 = |algorithm| digest.ha1(algorithm).map(Ha1::to_hex);
            let (md5, sha256) = (ha1(DigestAlgorithm::Md5), ha1(DigestAlgorithm::Sha256));
            CredentialsRecord::Digest { realm: digest.realm.to_string(), md5, sha256 }
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
            DigestCredentials::from_ha1(realm, ha1.ok()?).ok().map(Credentials::Digest)
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

    /// The subscription that a record of Alice says that she holds.
    fn decode(bytes: &[u8]) -> Option<Subscription> {
        match super::decode(&alice(), bytes)? {
            Record::Holds(subscription) => Some(*subscription),
            Record::Shares(_) => None,
        }
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
        assert_eq!(decode(&bytes), Some(full()));
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
            assert_eq!((bytes[0], decode(&bytes)), (2, Some(alice_of_aka)));
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
        assert_eq!((bytes[0], decode(&bytes)), (3, Some(subscription)));
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
            assert_eq!((bytes[0], decode(&bytes)), (3, Some(subscription)));
        }
        let text = br#"{"service_profiles":[],"profile":"<IMSSubscription><PrivateID>a</PrivateID><ServiceProfile>
            <PublicIdentity><Identity>sip:alice@ims.example</Identity></PublicIdentity></ServiceProfile></IMSSubscription>",
            "credentials":{"scheme":"digest","realm":"ims.example","md5":"00112233445566778899aabbccddeeff"}}"#;
        let text = text.iter().filter(|byte| **byte != b'\n').copied().collect::<Vec<_>>();
        let read = decode(&[&[3], &text[..]].concat()).unwrap();
        assert_eq!(read.public_identities().map(ToString::to_string).collect::<Vec<_>>(), ["sip:alice@ims.example"]);
    }

    /// What version 4 added: who shares a subscription, as it will be found on disks.
    #[test]
    fn version_four() {
        let user = |name: &str| name.parse::<PrivateIdentity>().unwrap();
        let digest = |name: &str| Credentials::Digest(DigestCredentials::from_password(&user(name), "r", "x").unwrap());
        let shared = full().shared_by(user("tablet"), digest("tablet")).unwrap();
        let bytes = encode(&shared).unwrap();
        assert_eq!((bytes[0], decode(&bytes)), (4, Some(shared.clone())));
        let shared = shared.shared_by(user("watch"), digest("watch")).unwrap();
        assert_eq!(decode(&encode(&shared).unwrap()), Some(shared));
        let share = encode_share(&alice()).unwrap();
        assert_eq!(super::decode(&user("tablet"), &share), Some(Record::Shares(alice())));
        assert_eq!(share, b"\x04{\"shares\":\"alice@ims.example\"}");
        assert_eq!(super::decode(&user("tablet"), b"\x03{\"shares\":\"alice@ims.example\"}"), None);
        let text = br#"{"service_profiles":[{"identities":[{"identity":"sip:alice@ims.example"}]}],
            "credentials":{"scheme":"digest","realm":"ims.example","md5":"00112233445566778899aabbccddeeff"},
            "shared_by":[{"private_identity":"tablet","credentials":
            {"scheme":"digest","realm":"ims.example","md5":"ffeeddccbbaa99887766554433221100"}}]}"#;
        let read = decode(&[&[4], &text[..]].concat()).unwrap();
        let names: Vec<_> = read.private_identities().map(ToString::to_string).collect();
        assert_eq!(names, ["alice@ims.example", "tablet"]);
        let Some(Credentials::Digest(digest)) = read.credentials_of(&user("tablet")) else { panic!("Digest") };
        assert_eq!(*digest.ha1(DigestAlgorithm::Md5).unwrap().to_hex(), "ffeeddccbbaa99887766554433221100");
    }

    /// The first record format, as it will be found on disks: it has to be read for good.
    #[test]
    fn version_one() {
        let text = br#"{"service_profiles":[{"identities":[{"identity":"sip:alice@ims.example"}]}],
            "credentials":{"scheme":"digest","realm":"ims.example","md5":"00112233445566778899aabbccddeeff"},
            "of a later version":1}"#;
        let read = decode(&[&[1], &text[..]].concat()).unwrap();
        assert_eq!(read.public_identities().map(ToString::to_string).collect::<Vec<_>>(), ["sip:alice@ims.example"]);
        let Credentials::Digest(digest) = read.credentials() else { panic!("Digest") };
        assert_eq!((&*digest.realm, digest.hashes().count()), ("ims.example", 1));
        assert_eq!(decode(&[&[VERSION + 1], &text[..]].concat()), None, "a version to come");
        assert_eq!(decode(&[&[0], &text[..]].concat()), None);
    }

    /// What version 2 added, as it will be found on disks.
    #[test]
    fn version_two() {
        let k = "000102030405060708090a0b0c0d0e0f";
        let with = |credentials: &str| {
            let profiles = r#"[{"identities":[{"identity":"sip:alice@ims.example"}]}]"#;
            let text = format!(r#"{{"service_profiles":{profiles},"credentials":{{"scheme":"aka",{credentials}}}}}"#);
            decode(&[&[2], text.as_bytes()].concat()).map(|read| read.credentials().clone())
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
        assert_eq!(decode(&[]), None);
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), None);
        }
    }
}
