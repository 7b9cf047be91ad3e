//! The questions of [`HssCache`](crate::HssCache) as commands, and the answers back: what an I-CSCF and an S-CSCF need.

use std::sync::Arc;

use super::announcement::MAX_ASSOCIATED;
use super::{
    Answer, Command, LocationInfoAnswer, MultimediaAuthAnswer, Outcome, Request, RequestHead, ServerAssignmentAnswer,
    ServerCapabilities, SipAuthDataItem, SipDigestAuthenticate, SupportedFeatures, UserAuthorizationAnswer, features,
    scheme,
};
use crate::diameter::base::OcSupportedFeatures;
use crate::diameter::{Message, Origin, ResultCode, Secret, TooLong};
use crate::vector::{self, AuthenticationVector};
use crate::{
    AuthScheme, AuthorizationType, Capabilities, ChargingAddresses, DigestAlgorithm, DigestCredentials, Ha1, HssError,
    LocationInfo, LocationInfoRequest, MultimediaAuth, MultimediaAuthRequest, PrivateIdentity, ServerAssignment,
    ServerAssignmentRequest, ServerName, UserAuthorization, UserAuthorizationRequest, UserProfile,
};

/// Who asks whom.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asker {
    /// Us.
    pub origin: Origin,
    /// The realm of the HSS.
    pub realm: String,
    /// The HSS itself, where it is to be no other.
    pub host: Option<String>,
}

impl Asker {
    /// Asks whatever HSS of the realm.
    pub fn new(origin: Origin, realm: impl Into<String>) -> Asker {
        Asker { origin, realm: realm.into(), host: None }
    }

    fn request<'a, C: Command<'a>>(&'a self, session: &'a str, command: C) -> Result<Message, HssError> {
        let mut head = RequestHead::cx(session, &self.origin.host, &self.origin.realm, &self.realm);
        head.overload = Some(OcSupportedFeatures { features: None });
        head.features = vec![SupportedFeatures::cx(features::ALIAS_INDICATION)];
        // Identities and names are short; a request that is too long is none of ours.
        let bytes = Request { head, command }.encode().map_err(|TooLong { .. }| HssError::Unreachable)?;
        Message::parse(bytes).map_err(|_| HssError::Unreachable)
    }

    /// User-Authorization-Request (TS 29.228 §6.1.1).
    ///
    /// # Errors
    /// It would be too long.
    pub fn user_authorization(&self, session: &str, request: &UserAuthorizationRequest) -> Result<Message, HssError> {
        let mut command = super::UserAuthorizationRequest::new(
            request.private_identity.as_str(),
            request.public_identity.as_str(),
            request.visited_network.as_str(),
        );
        command.destination_host = self.host.as_deref();
        command.kind = Some(request.kind);
        command.flags = request.emergency.then_some(super::UserAuthorizationRequest::EMERGENCY);
        self.request(session, command)
    }

    /// Multimedia-Auth-Request (TS 29.228 §6.3).
    ///
    /// # Errors
    /// It would be too long.
    pub fn multimedia_auth(&self, session: &str, request: &MultimediaAuthRequest) -> Result<Message, HssError> {
        let mut item = SipAuthDataItem::new();
        item.scheme = Some(match request.scheme {
            AuthScheme::Unknown => scheme::UNKNOWN,
            AuthScheme::Digest => scheme::DIGEST,
            AuthScheme::Aka => scheme::AKA,
            AuthScheme::NassBundled => scheme::NASS_BUNDLED,
            AuthScheme::EarlyIms => scheme::EARLY_IMS,
        });
        let lost = request.resynchronisation.map(|lost| [&lost.rand[..], &lost.auts].concat());
        item.authorization = lost.as_deref().map(Secret);
        let (private, public) = (request.private_identity.as_str(), request.public_identity.as_str());
        let mut command =
            super::MultimediaAuthRequest::new(private, public, item, request.count, request.server_name.as_str());
        command.destination_host = self.host.as_deref();
        self.request(session, command)
    }

    /// Server-Assignment-Request (TS 29.228 §6.1.2).
    ///
    /// # Errors
    /// It would be too long.
    pub fn server_assignment(&self, session: &str, request: &ServerAssignmentRequest) -> Result<Message, HssError> {
        let name = request.server_name.as_str();
        let mut command = super::ServerAssignmentRequest::new(name, request.assignment, request.user_data_available);
        command.destination_host = self.host.as_deref();
        command.user_name = request.private_identity.as_ref().map(PrivateIdentity::as_str);
        command.public_identities = request.public_identities.iter().map(|identity| identity.as_str()).collect();
        self.request(session, command)
    }

    /// Location-Info-Request (TS 29.228 §6.1.4).
    ///
    /// # Errors
    /// It would be too long.
    pub fn location_info(&self, session: &str, request: &LocationInfoRequest) -> Result<Message, HssError> {
        let mut command = super::LocationInfoRequest::new(request.public_identity.as_str());
        command.destination_host = self.host.as_deref();
        command.originating = request.originating.then_some(super::OriginatingRequest::Originating);
        command.kind = request.capabilities.then_some(AuthorizationType::RegistrationAndCapabilities);
        self.request(session, command)
    }
}

/// Reads an answer. An HSS that cannot be understood is one that is not there.
fn read<'a, C: Command<'a>>(message: &'a Message) -> Result<(Outcome, C), HssError> {
    let answer = Answer::<C>::read(message).map_err(|_| HssError::Unreachable)?;
    let outcome = answer.head.outcome().map_err(|_| HssError::Unreachable)?;
    Ok((outcome, answer.command))
}

/// Reads an answer that is of no use but for its success.
///
/// 5012 is no verdict on the user here: an HSS says so where it cannot do what it is asked, for want of its own data base
/// for instance (TS 29.228 §6.1.1.1, §6.1.4.1, §6.3.1). To a Server-Assignment alone it says that another S-CSCF has the user.
fn success<C>((outcome, command): (Outcome, C)) -> Result<C, HssError> {
    if outcome.is_success() {
        return Ok(command);
    }
    let is_in_trouble = outcome == Outcome::Base(ResultCode::UNABLE_TO_COMPLY);
    Err(if is_in_trouble { HssError::Unreachable } else { outcome.error(None) })
}

/// The answer to [`Asker::user_authorization`].
///
/// # Errors
/// What the HSS says, or that it cannot be understood.
pub fn user_authorization(message: &Message) -> Result<UserAuthorization, HssError> {
    let command = success(read::<UserAuthorizationAnswer<'_>>(message)?)?;
    Ok(match server_name(command.server_name) {
        Some(scscf) => UserAuthorization::Scscf(scscf),
        None => UserAuthorization::Capabilities(command.capabilities.map(capabilities).unwrap_or_default()),
    })
}

/// The answer to [`Asker::location_info`].
///
/// # Errors
/// What the HSS says, or that it cannot be understood.
pub fn location_info(message: &Message) -> Result<LocationInfo, HssError> {
    let command = success(read::<LocationInfoAnswer<'_>>(message)?)?;
    Ok(match server_name(command.server_name) {
        Some(scscf) => LocationInfo::Scscf(scscf),
        None => LocationInfo::Capabilities(command.capabilities.map(capabilities).unwrap_or_default()),
    })
}

/// The answer to [`Asker::multimedia_auth`].
///
/// # Errors
/// What the HSS says, or that it cannot be understood.
pub fn multimedia_auth(message: &Message, request: &MultimediaAuthRequest) -> Result<MultimediaAuth, HssError> {
    let answer = read::<MultimediaAuthAnswer<'_>>(message)?;
    if answer.0 == Outcome::Base(ResultCode::UNABLE_TO_COMPLY) && request.resynchronisation.is_some() {
        return Err(HssError::Resynchronisation);
    }
    let command = success(answer)?;
    if command.items.iter().any(|item| item.scheme == Some(scheme::AKA)) {
        let vectors = command.items.iter().map(vector).collect::<Option<_>>();
        return vectors.map(MultimediaAuth::Aka).ok_or(HssError::SchemeNotSupported);
    }
    let digest = command.items.into_iter().find_map(|item| item.digest).ok_or(HssError::SchemeNotSupported)?;
    credentials(&digest).map(MultimediaAuth::Digest).ok_or(HssError::SchemeNotSupported)
}

/// TS 29.228 table 6.3.6: RAND and AUTN, XRES, CK and IK.
fn vector(item: &SipAuthDataItem<'_>) -> Option<AuthenticationVector> {
    let (rand, autn) = item.authenticate?.split_first_chunk()?;
    Some(AuthenticationVector {
        rand: *rand,
        autn: autn.try_into().ok()?,
        xres: vector::Secret::new(item.authorization?.0)?,
        ck: vector::Secret::new(item.confidentiality_key?.0)?,
        ik: vector::Secret::new(item.integrity_key?.0)?,
    })
}

/// The answer to [`Asker::server_assignment`].
///
/// # Errors
/// What the HSS says, or that it cannot be understood.
pub fn server_assignment(message: &Message, request: &ServerAssignmentRequest) -> Result<ServerAssignment, HssError> {
    let (outcome, command) = read::<ServerAssignmentAnswer<'_>>(message)?;
    if !outcome.is_success() {
        return Err(outcome.error(server_name(command.server_name)));
    }
    let profile = match command.user_data {
        Some(data) => Some(Arc::new(UserProfile::from_xml(data).map_err(|_| HssError::Unreachable)?.profile)),
        None => None,
    };
    let named = command.user_name.and_then(|name| name.parse().ok()).or_else(|| request.private_identity.clone());
    let of_profile = || profile.as_ref().map(|profile| profile.private_identity.clone());
    let mut answer = ServerAssignment::new(named.or_else(of_profile).ok_or(HssError::Unreachable)?);
    answer.profile = profile;
    answer.charging = command.charging.as_ref().map(charging);
    let associated = command.associated.iter().flat_map(|associated| &associated.user_names);
    answer.associated = associated.take(MAX_ASSOCIATED).filter_map(|name| name.parse().ok()).collect();
    answer.server_name_stored = outcome != Outcome::Cx(super::CxResult::SUCCESS_SERVER_NAME_NOT_STORED);
    Ok(answer)
}

fn server_name(name: Option<&str>) -> Option<ServerName> {
    name?.parse().ok()
}

fn capabilities(of: ServerCapabilities<'_>) -> Capabilities {
    let mut capabilities = Capabilities::new(of.mandatory, of.optional);
    capabilities.server_names = of.server_names.iter().filter_map(|name| name.parse().ok()).collect();
    capabilities
}

/// Charging-Information as [`ChargingAddresses`].
pub(super) fn charging(of: &super::ChargingInformation<'_>) -> ChargingAddresses {
    let both = |first: Option<&str>, second: Option<&str>| -> Vec<String> {
        first.into_iter().chain(second).map(str::to_owned).collect()
    };
    let collection = both(of.primary_collection, of.secondary_collection);
    ChargingAddresses::new(collection, both(of.primary_event, of.secondary_event))
}

/// Hashes by algorithms that we do not know are left out.
fn credentials(of: &SipDigestAuthenticate<'_>) -> Option<DigestCredentials> {
    let algorithm = |name: Option<&str>| match name {
        None => Some(DigestAlgorithm::Md5),
        Some(name) => [DigestAlgorithm::Md5, DigestAlgorithm::Sha256]
            .into_iter()
            .find(|algorithm| name.eq_ignore_ascii_case(algorithm.as_str())),
    };
    let ha1 = |name, hash: Secret<'_>| Ha1::new(algorithm(name)?, str::from_utf8(hash.0).ok()?).ok();
    let second = of.alternate_ha1.and_then(|hash| ha1(of.alternate_algorithm, hash));
    DigestCredentials::from_ha1(of.realm, ha1(of.algorithm, of.ha1).into_iter().chain(second)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diameter::Fault;
    use crate::{AssignmentType, PublicIdentity, Resynchronisation};

    /// TS 29.228 §6.1.1.1, §6.1.2.1, §6.1.4.1, §6.3.1: what 5012 means depends on the question.
    #[test]
    fn unable_to_comply() {
        let private: PrivateIdentity = "alice@ims.example".parse().unwrap();
        let public: PublicIdentity = "sip:alice@ims.example".parse().unwrap();
        let scscf: ServerName = "sip:scscf.ims.example".parse().unwrap();
        let asker = Asker::new(Origin::new("scscf.ims.example", "ims.example"), "ims.example");
        let authorize = UserAuthorizationRequest::new(private.clone(), public.clone(), "ims.example".parse().unwrap());
        let locate = LocationInfoRequest::new(public.clone());
        let mut challenge = MultimediaAuthRequest::new(private.clone(), public.clone(), scscf.clone());
        let assign = ServerAssignmentRequest::new(private, public, scscf, AssignmentType::Registration);

        let refuse = |asked: Result<Message, HssError>| {
            let fault = Fault::new(ResultCode::UNABLE_TO_COMPLY, "no");
            Message::parse(asked.unwrap().refuse(&fault, &Origin::new("hss.ims.example", "ims.example"))).unwrap()
        };
        let answer = refuse(asker.user_authorization("s", &authorize));
        assert_eq!(user_authorization(&answer), Err(HssError::Unreachable));
        let answer = refuse(asker.location_info("s", &locate));
        assert_eq!(location_info(&answer), Err(HssError::Unreachable));
        let answer = refuse(asker.server_assignment("s", &assign));
        assert_eq!(server_assignment(&answer, &assign), Err(HssError::NotAssigned));
        let answer = refuse(asker.multimedia_auth("s", &challenge));
        assert_eq!(multimedia_auth(&answer, &challenge), Err(HssError::Unreachable));
        challenge.resynchronisation = Some(Resynchronisation { rand: [1; 16], auts: [2; 14] });
        assert_eq!(multimedia_auth(&answer, &challenge), Err(HssError::Resynchronisation));
    }
}
