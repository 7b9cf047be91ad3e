//! A subscriber as an operator writes it.

use std::sync::Arc;

use imscore_hss::diameter::DiameterUri;
use imscore_hss::vector::{AkaCredentials, AuthenticationFunctions, Milenage, Secret, Tuak, TuakSettings};
use imscore_hss::{
    Capabilities, ChargingAddresses, Credentials, DigestAlgorithm, DigestCredentials, Ha1, IdentityExtension,
    PrivateIdentity, ProfileIdentity, Provision, PublicIdentity, Roaming, Scheme, ServerName, ServiceProfile,
    Subscription, UserProfile, VisitedNetwork,
};
use serde::Deserialize;
use serde_json::error::Category;
use thiserror::Error;
use zeroize::Zeroizing;

use super::import::Column;

/// A subscriber as it is provisioned, in JSON.
///
/// | key | value |
/// | --- | --- |
/// | `private_identity` | `user@realm`; in the path of a PUT, and in each line of an import |
/// | `public_identities` | URIs in the order of the implicit registration set; or objects of `identity`, `barred` and `display_name` |
/// | `service_profiles` | instead of them: service profiles, identities and filter criteria in them |
/// | `user_data` | instead of both: the profile as the XML of TS 29.228 annex E |
/// | `subscription_of` | instead of all three: the private identity whose subscription it shares, with all that this has; only `authentication` goes with it |
/// | `authentication` | see below |
/// | `charging` | `collection` and `event`: Diameter URIs, two of each at most |
/// | `capabilities` | of the S-CSCF: `mandatory` and `optional` numbers, `server_names` |
/// | `roaming` | names of the networks that the user may register from; anywhere where there are none |
/// | `unregistered_services` | true where calls go to an S-CSCF while the user is not registered |
///
/// `authentication` has a `scheme`: `digest` with a `password`, or with `realm` and the hashes `md5` and `sha256`; or
/// `aka` with `k`, `amf` (`8000` where there is none), and for Milenage `opc` or `op`, for TUAK `topc` or `top`,
/// `response` (bytes of RES) and `iterations`. Keys are hexadecimal, and never shown again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a subscriber: public_identities and authentication")]
pub struct Provisioned {
    private_identity: Option<String>,
    public_identities: Option<Vec<Identity>>,
    service_profiles: Option<Vec<ServiceProfile>>,
    user_data: Option<String>,
    subscription_of: Option<String>,
    authentication: Authentication,
    charging: Option<Charging>,
    capabilities: Option<WantedCapabilities>,
    roaming: Option<Vec<String>>,
    unregistered_services: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a URI, or an object of identity, barred and display_name")]
enum Identity {
    Uri(String),
    Full(FullIdentity),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullIdentity {
    identity: String,
    #[serde(default)]
    barred: bool,
    display_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "scheme", rename_all = "lowercase", deny_unknown_fields)]
enum Authentication {
    Digest {
        password: Option<Zeroizing<String>>,
        realm: Option<String>,
        md5: Option<Zeroizing<String>>,
        sha256: Option<Zeroizing<String>>,
    },
    Aka {
        k: Zeroizing<String>,
        opc: Option<Zeroizing<String>>,
        op: Option<Zeroizing<String>>,
        topc: Option<Zeroizing<String>>,
        top: Option<Zeroizing<String>>,
        amf: Option<String>,
        response: Option<u8>,
        iterations: Option<u8>,
    },
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Charging {
    collection: Vec<String>,
    event: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WantedCapabilities {
    mandatory: Vec<u32>,
    optional: Vec<u32>,
    server_names: Vec<ServerName>,
}

/// Why a text is no subscriber. It never repeats a value, which could be a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejected {
    /// It is no JSON.
    #[error("the body is no JSON document: line {line}, column {column}")]
    NoJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// It is JSON, and no subscriber.
    #[error("{0}")]
    NoSubscriber(String),
}

impl Provisioned {
    /// Reads JSON.
    ///
    /// # Errors
    /// It is none, or says something else.
    pub fn read(json: &[u8]) -> Result<Provisioned, Rejected> {
        let mut json = serde_json::Deserializer::from_slice(json);
        let read: Provisioned = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let at = error.path().to_string();
            rejected(&at, &error.into_inner())
        })?;
        json.end().map_err(|error| rejected(".", &error))?;
        Ok(read)
    }

    /// Of the fields of a line of CSV.
    pub(super) fn from_columns(fields: impl Iterator<Item = (Column, String)>) -> Result<Provisioned, Rejected> {
        let (mut private_identity, mut display_name, mut identities, mut subscription_of) = (None, None, None, None);
        let [mut realm, mut amf] = [const { None }; 2];
        let [mut password, mut md5, mut sha256, mut k, mut opc, mut op, mut topc, mut top] = [const { None }; 8];
        for (column, text) in fields.filter(|(_, text)| !text.is_empty()) {
            match column {
                Column::PrivateIdentity => private_identity = Some(text),
                Column::PublicIdentities => identities = Some(text),
                Column::SubscriptionOf => subscription_of = Some(text),
                Column::DisplayName => display_name = Some(text),
                Column::Password => password = Some(text.into()),
                Column::Realm => realm = Some(text),
                Column::Md5 => md5 = Some(text.into()),
                Column::Sha256 => sha256 = Some(text.into()),
                Column::K => k = Some(text.into()),
                Column::Opc => opc = Some(text.into()),
                Column::Op => op = Some(text.into()),
                Column::Topc => topc = Some(text.into()),
                Column::Top => top = Some(text.into()),
                Column::Amf => amf = Some(text),
            }
        }
        let identity = |uri: &str| {
            Identity::Full(FullIdentity { identity: uri.to_owned(), barred: false, display_name: display_name.take() })
        };
        let authentication = match k {
            Some(k) if password.is_none() && md5.is_none() && sha256.is_none() => {
                Authentication::Aka { k, opc, op, topc, top, amf, response: None, iterations: None }
            }
            Some(_) => return Err(wrong("authentication", "a password or hash, and keys of AKA")),
            None => Authentication::Digest { password, realm, md5, sha256 },
        };
        // A line without either has none, and is told so.
        let identities = identities.or_else(|| subscription_of.is_none().then(String::new));
        Ok(Provisioned {
            private_identity,
            public_identities: identities.map(|all| all.split_ascii_whitespace().map(identity).collect()),
            service_profiles: None,
            user_data: None,
            subscription_of,
            authentication,
            charging: None,
            capabilities: None,
            roaming: None,
            unregistered_services: None,
        })
    }

    /// What is to be written: of `private_identity`, where it is known already. Passwords are hashed for `realm`.
    ///
    /// # Errors
    /// What cannot be.
    pub fn provision(self, private_identity: Option<PrivateIdentity>, realm: &Arc<str>) -> Result<Provision, Rejected> {
        let own = self.private_identity.as_deref().map(self::private_identity).transpose()?;
        let private_identity = match (private_identity, own) {
            (Some(known), Some(own)) if known != own => return Err(wrong("private_identity", "not that of the path")),
            (Some(known), _) => known,
            (None, own) => own.ok_or_else(|| wrong("private_identity", "there is none"))?,
        };
        if let Some(holder) = self.subscription_of {
            let own = self.public_identities.is_some() || self.service_profiles.is_some() || self.user_data.is_some();
            let more = self.charging.is_some() || self.capabilities.is_some() || self.roaming.is_some();
            if own || more || self.unregistered_services.is_some() {
                return Err(wrong("subscription_of", "only authentication goes with it; all else is the holder's"));
            }
            let with = self::private_identity(&holder)?;
            if with == private_identity {
                return Err(wrong("subscription_of", "it is the private identity itself"));
            }
            let credentials = self.authentication.credentials(&private_identity, realm)?;
            return Ok(Provision::Shares { private_identity, credentials, with });
        }
        let profiles = match (self.public_identities, self.service_profiles, self.user_data) {
            (Some(identities), None, None) => {
                let identities = identities.into_iter().map(Identity::entry).collect::<Result<_, _>>()?;
                vec![ServiceProfile::new(identities)]
            }
            (None, Some(profiles), None) => profiles,
            (None, None, Some(xml)) => from_xml(&xml, &private_identity)?,
            _ => {
                return Err(wrong(
                    "public_identities",
                    "it takes them, or service_profiles, or user_data, or subscription_of, one of these",
                ));
            }
        };
        for entry in profiles.iter().flat_map(|profile| &profile.identities) {
            may_be_provisioned(&entry.identity)?;
        }
        let credentials = self.authentication.credentials(&private_identity, realm)?;
        let mut subscription = Subscription::with_profiles(private_identity, profiles, credentials)
            .map_err(|error| wrong("public_identities", error))?
            .with_unregistered_services(self.unregistered_services.unwrap_or_default());
        if let Some(Charging { collection, event }) = self.charging {
            subscription = subscription.with_charging(charging(collection, event)?);
        }
        if let Some(WantedCapabilities { mandatory, optional, server_names }) = self.capabilities {
            let mut capabilities = Capabilities::new(mandatory, optional);
            capabilities.server_names = server_names;
            subscription = subscription.with_capabilities(capabilities);
        }
        if let Some(networks) = self.roaming {
            let networks: Result<Vec<VisitedNetwork>, _> = networks.iter().map(|name| name.parse()).collect();
            subscription = subscription.with_roaming(Roaming::Only(networks.map_err(|error| wrong("roaming", error))?));
        }
        Ok(subscription.into())
    }
}

impl Identity {
    fn entry(self) -> Result<ProfileIdentity, Rejected> {
        let full = match self {
            Identity::Uri(identity) => FullIdentity { identity, barred: false, display_name: None },
            Identity::Full(full) => full,
        };
        let mut entry = ProfileIdentity::new(public_identity(&full.identity)?);
        entry.barred = full.barred;
        let mut extension = IdentityExtension::default();
        extension.display_name = full.display_name;
        Ok(entry.with_extension(extension))
    }
}

impl Authentication {
    fn credentials(self, user: &PrivateIdentity, realm: &Arc<str>) -> Result<Credentials, Rejected> {
        // One text for all who have the same.
        let realm_of = |own: Option<String>| match own {
            Some(own) if *own != **realm => own.into(),
            Some(_) | None => realm.clone(),
        };
        match self {
            Authentication::Digest { password: Some(password), realm: own, md5: None, sha256: None } => {
                DigestCredentials::from_password(user, realm_of(own), &password)
            }
            Authentication::Digest { password: None, realm: own, md5, sha256 } if md5.is_some() || sha256.is_some() => {
                let ha1 = [(DigestAlgorithm::Md5, md5), (DigestAlgorithm::Sha256, sha256)]
                    .into_iter()
                    .filter_map(|(algorithm, hex)| hex.map(|hex| Ha1::new(algorithm, &hex)))
                    .collect::<Result<Vec<_>, _>>();
                ha1.and_then(|ha1| DigestCredentials::from_ha1(realm_of(own), ha1))
            }
            Authentication::Digest { .. } => {
                return Err(wrong("authentication", "digest takes a password, or hashes: md5, sha256 or both"));
            }
            Authentication::Aka { k, opc, op, topc, top, amf, response, iterations } => {
                let k = key("k", &k)?;
                let functions = match (opc, op, topc, top) {
                    (Some(opc), None, None, None) => milenage(&k, "opc", &opc, Milenage::new)?,
                    (None, Some(op), None, None) => milenage(&k, "op", &op, Milenage::from_op)?,
                    (None, None, Some(topc), None) => tuak(k, "topc", &topc, Tuak::new, response, iterations)?,
                    (None, None, None, Some(top)) => tuak(k, "top", &top, Tuak::from_top, response, iterations)?,
                    _ => return Err(wrong("authentication", "aka takes one of opc, op, topc and top")),
                };
                let amf = key("amf", amf.as_deref().unwrap_or("8000"))?;
                let amf = *amf.expose_array().ok_or_else(|| wrong("authentication.amf", "it has 4 digits"))?;
                return Ok(Credentials::Aka(AkaCredentials::new(functions, amf)));
            }
        }
        .map(Credentials::Digest)
        .map_err(|error| wrong("authentication", error))
    }
}

fn key(name: &str, hex: &str) -> Result<Secret, Rejected> {
    let at = format!("authentication.{name}");
    Secret::from_hex(hex).ok_or_else(|| wrong(&at, "this is not up to 64 hexadecimal digits, two a byte"))
}

fn milenage(
    k: &Secret,
    name: &str,
    hex: &str,
    make: fn(&[u8; 16], &[u8; 16]) -> Milenage,
) -> Result<AuthenticationFunctions, Rejected> {
    match (k.expose_array(), key(name, hex)?.expose_array()) {
        (Some(k), Some(operator)) => Ok(make(k, operator).into()),
        (None, _) => Err(wrong("authentication.k", "of Milenage it has 32 digits")),
        (_, None) => Err(wrong(&format!("authentication.{name}"), "it has 32 digits")),
    }
}

fn tuak(
    k: Secret,
    name: &str,
    hex: &str,
    make: fn(Secret, &[u8; 32], TuakSettings) -> Option<Tuak>,
    response: Option<u8>,
    iterations: Option<u8>,
) -> Result<AuthenticationFunctions, Rejected> {
    let defaults = TuakSettings::default();
    let settings = TuakSettings {
        response: response.unwrap_or(defaults.response),
        iterations: iterations.unwrap_or(defaults.iterations),
    };
    let operator = key(name, hex)?;
    let operator =
        operator.expose_array().ok_or_else(|| wrong(&format!("authentication.{name}"), "it has 64 digits"))?;
    let made = make(k, operator, settings);
    let cause = "of TUAK k has 32 or 64 digits, response is 4, 8 or 16, iterations at least 1";
    made.map(Into::into).ok_or_else(|| wrong("authentication", cause))
}

/// Whatever an S-CSCF would not understand is refused here, where somebody can mend it.
fn from_xml(xml: &str, private_identity: &PrivateIdentity) -> Result<Vec<ServiceProfile>, Rejected> {
    let read = UserProfile::from_xml(xml.as_bytes()).map_err(|error| wrong("user_data", error))?;
    if read.ignored > 0 {
        return Err(wrong("user_data", format!("{} of its elements are unknown or cannot be", read.ignored)));
    }
    if read.profile.private_identity != *private_identity {
        return Err(wrong("user_data", "PrivateID is another one"));
    }
    Ok(read.profile.service_profiles)
}

/// Cx carries two of each (TS 29.229 §6.3.19).
fn charging(collection: Vec<String>, event: Vec<String>) -> Result<ChargingAddresses, Rejected> {
    let is_uri = |text: &String| text.parse::<DiameterUri>().is_ok();
    if collection.len() > 2 || event.len() > 2 || !collection.iter().chain(&event).all(is_uri) {
        return Err(wrong("charging", "two Diameter URIs of each at most, like aaa://ccf.ims.example"));
    }
    Ok(ChargingAddresses::new(collection, event))
}

/// TS 23.003 §13.3: a private identity has the form of a network access identifier, `user@realm`.
///
/// # Errors
/// It has another form.
pub fn private_identity(text: &str) -> Result<PrivateIdentity, Rejected> {
    let has_form = text.rsplit_once('@').is_some_and(|(user, realm)| {
        !user.is_empty() && !user.contains(['@', ':']) && realm.contains(|c: char| c.is_ascii_alphanumeric())
    });
    if !has_form {
        return Err(wrong("private identity", format!("{text:?} is not like user@realm")));
    }
    text.parse().map_err(|error| wrong("private identity", error))
}

fn public_identity(text: &str) -> Result<PublicIdentity, Rejected> {
    let identity = text.parse().map_err(|error| wrong(&format!("{text:?}"), error))?;
    may_be_provisioned(&identity)?;
    Ok(identity)
}

/// TS 23.003 §13.4: a public identity is a SIP URI or a tel URI.
fn may_be_provisioned(identity: &PublicIdentity) -> Result<(), Rejected> {
    match identity.scheme() {
        Scheme::Sip | Scheme::Tel => Ok(()),
        Scheme::Sips => Err(wrong(&format!("{:?}", identity.as_str()), "a public identity is a sip: or a tel: URI")),
    }
}

fn wrong(at: &str, cause: impl std::fmt::Display) -> Rejected {
    Rejected::NoSubscriber(format!("{at}: {cause}"))
}

/// An error of JSON. It never repeats a value, which could be the password in the wrong place.
fn rejected(at: &str, error: &serde_json::Error) -> Rejected {
    match error.classify() {
        Category::Data => {
            let text = error.to_string();
            let cause = text.split(" at line ").next().unwrap_or_default();
            let cause = match cause.split_once(", expected ") {
                Some((found, expected)) if found.starts_with("invalid ") => format!("this is not {expected}"),
                _ => cause.to_owned(),
            };
            Rejected::NoSubscriber(if at == "." { cause } else { format!("{at}: {cause}") })
        }
        Category::Io | Category::Syntax | Category::Eof => {
            Rejected::NoJson { line: error.line(), column: error.column() }
        }
    }
}
