//! The other side: requests of CSCFs answered by a [`HssCache`].

use bytes::Bytes;
use zeroize::Zeroizing;

use super::{
    Answer, AnswerHead, AssociatedIdentities, ChargingInformation, Command, LocationInfoAnswer, LocationInfoRequest,
    MultimediaAuthAnswer, MultimediaAuthRequest, Outcome, Request, RequestHead, ServerAssignmentAnswer,
    ServerAssignmentRequest, ServerCapabilities, SipAuthDataItem, SipDigestAuthenticate, UserAuthorizationAnswer,
    UserAuthorizationRequest, scheme,
};
use crate::diameter::dictionary::{self as avp, Definition};
use crate::diameter::{CommandCode, Fault, Header, Message, Origin, ResultCode, Secret, TooLong};
use crate::vector::AuthenticationVector;
use crate::{
    AuthScheme, AuthorizationType, Capabilities, ChargingAddresses, DigestAlgorithm, DigestCredentials, HssCache,
    HssError, LocationInfo, MultimediaAuth, Resynchronisation, ServerName, UserAuthorization,
};

/// Answers one request of Cx.
///
/// Whatever cannot be read, by its AVPs or by what stands in them, is refused with the AVP at fault; the HSS does not hear
/// of it.
pub async fn answer<H: HssCache + ?Sized>(hss: &H, request: &Message, origin: &Origin) -> Bytes {
    let answered = match request.header().command {
        CommandCode::USER_AUTHORIZATION => user_authorization(hss, request, origin).await,
        CommandCode::MULTIMEDIA_AUTH => multimedia_auth(hss, request, origin).await,
        CommandCode::SERVER_ASSIGNMENT => server_assignment(hss, request, origin).await,
        CommandCode::LOCATION_INFO => location_info(hss, request, origin).await,
        _ => Err(Fault::new(ResultCode::COMMAND_UNSUPPORTED, "not a request to an HSS")),
    };
    answered.unwrap_or_else(|fault| request.refuse(&fault, origin))
}

async fn user_authorization<H: HssCache + ?Sized>(hss: &H, of: &Message, origin: &Origin) -> Result<Bytes, Fault> {
    let request = Request::<UserAuthorizationRequest<'_>>::read(of)?;
    let asked = &request.command;
    let mut question = crate::UserAuthorizationRequest::new(
        parse(of, &avp::USER_NAME, asked.user_name)?,
        parse(of, &avp::PUBLIC_IDENTITY, asked.public_identity)?,
        parse(of, &avp::VISITED_NETWORK_IDENTIFIER, asked.visited_network)?,
    );
    question.kind = asked.kind.unwrap_or(AuthorizationType::Registration);
    question.emergency = asked.flags.is_some_and(|flags| flags & UserAuthorizationRequest::EMERGENCY != 0);
    let answer = hss.user_authorization(&question).await;
    let mut command = UserAuthorizationAnswer::new();
    let outcome = match &answer {
        Ok(UserAuthorization::Scscf(scscf)) => {
            command.server_name = Some(scscf.as_str());
            match question.kind {
                AuthorizationType::Deregistration => Outcome::SUCCESS,
                AuthorizationType::Registration | AuthorizationType::RegistrationAndCapabilities => {
                    Outcome::Cx(super::CxResult::SUBSEQUENT_REGISTRATION)
                }
            }
        }
        Ok(UserAuthorization::Capabilities(wanted)) => {
            command.capabilities = capabilities(wanted);
            match question.kind {
                AuthorizationType::RegistrationAndCapabilities => Outcome::SUCCESS,
                AuthorizationType::Registration | AuthorizationType::Deregistration => {
                    Outcome::Cx(super::CxResult::FIRST_REGISTRATION)
                }
            }
        }
        Err(error) => Outcome::from(error),
    };
    encode(of.header(), &request.head, outcome, origin, command)
}

async fn location_info<H: HssCache + ?Sized>(hss: &H, of: &Message, origin: &Origin) -> Result<Bytes, Fault> {
    let request = Request::<LocationInfoRequest<'_>>::read(of)?;
    let asked = &request.command;
    let identity = parse(of, &avp::PUBLIC_IDENTITY, asked.public_identity)?;
    let mut question = crate::LocationInfoRequest::new(identity);
    question.originating = asked.originating.is_some();
    question.capabilities = asked.kind == Some(AuthorizationType::RegistrationAndCapabilities);
    let answer = hss.location_info(&question).await;
    let mut command = LocationInfoAnswer::new();
    let outcome = match &answer {
        Ok(LocationInfo::Scscf(scscf)) => {
            command.server_name = Some(scscf.as_str());
            Outcome::SUCCESS
        }
        Ok(LocationInfo::Capabilities(wanted)) => {
            command.capabilities = capabilities(wanted);
            match question.capabilities {
                true => Outcome::SUCCESS,
                false => Outcome::Cx(super::CxResult::UNREGISTERED_SERVICE),
            }
        }
        Err(error) => Outcome::from(error),
    };
    encode(of.header(), &request.head, outcome, origin, command)
}

async fn multimedia_auth<H: HssCache + ?Sized>(hss: &H, of: &Message, origin: &Origin) -> Result<Bytes, Fault> {
    let request = Request::<MultimediaAuthRequest<'_>>::read(of)?;
    let asked = &request.command;
    let mut question = crate::MultimediaAuthRequest::new(
        parse(of, &avp::USER_NAME, asked.user_name)?,
        parse(of, &avp::PUBLIC_IDENTITY, asked.public_identity)?,
        parse(of, &avp::SERVER_NAME, asked.server_name)?,
    );
    question.count = asked.count;
    let scheme = match asked.item.scheme {
        None => Ok(AuthScheme::Unknown),
        Some(named) => scheme_of(named).ok_or(HssError::SchemeNotSupported),
    };
    let answer = match (scheme, asked.item.authorization.map(resynchronisation)) {
        (Err(error), _) => Err(error),
        (Ok(_), Some(None)) => Err(HssError::Resynchronisation),
        (Ok(scheme), lost) => {
            question.scheme = scheme;
            question.resynchronisation = lost.flatten();
            hss.multimedia_auth(&question).await
        }
    };
    let challenges: Vec<[u8; 32]>;
    let ha1;
    let mut command = MultimediaAuthAnswer::new();
    let outcome = match &answer {
        Ok(MultimediaAuth::Digest(credentials)) => {
            let mut item = SipAuthDataItem::new();
            (item.number, item.scheme) = (Some(1), Some(scheme::DIGEST));
            ha1 = hashes(credentials);
            item.digest = digest(&credentials.realm, &ha1);
            command.user_name = Some(asked.user_name);
            command.public_identity = Some(asked.public_identity);
            command.count = Some(1);
            command.items = vec![item];
            Outcome::SUCCESS
        }
        Ok(MultimediaAuth::Aka(vectors)) => {
            challenges = vectors.iter().map(challenge).collect();
            command.user_name = Some(asked.user_name);
            command.public_identity = Some(asked.public_identity);
            command.items = (1..).zip(vectors).zip(&challenges).map(aka_item).collect();
            command.count = u32::try_from(vectors.len()).ok();
            Outcome::SUCCESS
        }
        Err(error) => Outcome::from(error),
    };
    encode(of.header(), &request.head, outcome, origin, command)
}

/// The scheme of that name (TS 29.229 §6.3.9), in whatever case: some write `unknown`.
fn scheme_of(name: &str) -> Option<AuthScheme> {
    let schemes = [
        (scheme::UNKNOWN, AuthScheme::Unknown),
        (scheme::DIGEST, AuthScheme::Digest),
        (scheme::AKA, AuthScheme::Aka),
        (scheme::NASS_BUNDLED, AuthScheme::NassBundled),
        (scheme::EARLY_IMS, AuthScheme::EarlyIms),
    ];
    schemes.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, scheme)| scheme)
}

/// RAND and AUTS (TS 29.228 table 6.3.2).
fn resynchronisation(authorization: Secret<'_>) -> Option<Resynchronisation> {
    let (rand, auts) = authorization.0.split_first_chunk()?;
    Some(Resynchronisation { rand: *rand, auts: auts.try_into().ok()? })
}

/// RAND and AUTN.
fn challenge(of: &AuthenticationVector) -> [u8; 32] {
    let mut challenge = [0; 32];
    challenge[..16].copy_from_slice(&of.rand);
    challenge[16..].copy_from_slice(&of.autn);
    challenge
}

/// TS 29.228 table 6.3.6.
fn aka_item<'a>(((number, vector), challenge): ((u32, &'a AuthenticationVector), &'a [u8; 32])) -> SipAuthDataItem<'a> {
    let mut item = SipAuthDataItem::new();
    (item.number, item.scheme) = (Some(number), Some(scheme::AKA));
    item.authenticate = Some(challenge);
    item.authorization = Some(Secret(vector.xres.expose()));
    item.confidentiality_key = Some(Secret(vector.ck.expose()));
    item.integrity_key = Some(Secret(vector.ik.expose()));
    item
}

async fn server_assignment<H: HssCache + ?Sized>(hss: &H, of: &Message, origin: &Origin) -> Result<Bytes, Fault> {
    let request = Request::<ServerAssignmentRequest<'_>>::read(of)?;
    let asked = &request.command;
    let server_name: ServerName = parse(of, &avp::SERVER_NAME, asked.server_name)?;
    let public = |identity: &&str| parse(of, &avp::PUBLIC_IDENTITY, identity);
    let question = crate::ServerAssignmentRequest {
        private_identity: asked.user_name.map(|name| parse(of, &avp::USER_NAME, name)).transpose()?,
        public_identities: asked.public_identities.iter().map(public).collect::<Result<_, _>>()?,
        server_name,
        assignment: asked.assignment,
        user_data_available: asked.user_data_available,
    };
    let answer = hss.server_assignment(&question).await;
    let mut command = ServerAssignmentAnswer::new();
    let user_data;
    let outcome = match &answer {
        Ok(assignment) => {
            command.user_name = Some(assignment.private_identity.as_str());
            if let Some(profile) = &assignment.profile {
                user_data = profile.to_xml();
                command.user_data = Some(user_data.as_bytes());
            }
            command.charging = assignment.charging.as_ref().map(charging_information);
            command.associated = AssociatedIdentities::of(&assignment.associated);
            match assignment.server_name_stored {
                true => Outcome::SUCCESS,
                false => Outcome::Cx(super::CxResult::SUCCESS_SERVER_NAME_NOT_STORED),
            }
        }
        Err(error) => {
            if let HssError::AlreadyRegistered { assigned } = error {
                command.server_name = Some(assigned.as_str());
            }
            Outcome::from(error)
        }
    };
    encode(of.header(), &request.head, outcome, origin, command)
}

/// What an AVP stands for. Text that is no identity or name is an invalid value of the AVP that it stands in.
pub(super) fn parse<T: std::str::FromStr>(of: &Message, definition: &Definition, text: &str) -> Result<T, Fault> {
    let at_fault = || {
        let found = of.avps().map_while(Result::ok).find(|avp| avp.is(definition) && avp.data() == text.as_bytes());
        found.map_or_else(|| Fault::missing(definition), |avp| Fault::value(&avp))
    };
    text.parse().map_err(|_| at_fault())
}

pub(super) fn encode<'a, C: Command<'a>>(
    to: &Header,
    asked: &RequestHead<'a>,
    outcome: Outcome,
    origin: &'a Origin,
    command: C,
) -> Result<Bytes, Fault> {
    let mut head = AnswerHead::to(asked, outcome, &origin.host, &origin.realm);
    // What we support, where the other side says that it has features at all (TS 29.229 §7.2).
    head.features.clone_from(&asked.features);
    head.features.retain(|list| (list.vendor, list.list) == (avp::TGPP, 1));
    head.features.iter_mut().for_each(|list| list.features &= super::features::ALIAS_INDICATION);
    let answer = Answer { head, command };
    answer.encode(to).map_err(|TooLong { .. }| Fault::new(ResultCode::UNABLE_TO_COMPLY, "the answer is too long"))
}

/// None where every S-CSCF will do: a group without members is taken for no AVP at all by some peers, and the whole answer
/// with it.
fn capabilities(of: &Capabilities) -> Option<ServerCapabilities<'_>> {
    let is_empty = of.mandatory.is_empty() && of.optional.is_empty() && of.server_names.is_empty();
    (!is_empty).then(|| ServerCapabilities {
        mandatory: of.mandatory.clone(),
        optional: of.optional.clone(),
        server_names: of.server_names.iter().map(ServerName::as_str).collect(),
    })
}

pub(super) fn charging_information(of: &ChargingAddresses) -> ChargingInformation<'_> {
    ChargingInformation {
        primary_event: of.event.first().map(String::as_str),
        secondary_event: of.event.get(1).map(String::as_str),
        primary_collection: of.collection.first().map(String::as_str),
        secondary_collection: of.collection.get(1).map(String::as_str),
    }
}

/// The hashes in hexadecimal, with their algorithms. MD5 comes first: whoever knows one algorithm only knows that.
fn hashes(of: &DigestCredentials) -> Vec<(DigestAlgorithm, Zeroizing<String>)> {
    let mut hashes: Vec<_> = of.hashes().map(|ha1| (ha1.algorithm(), ha1.to_hex())).collect();
    hashes.reverse();
    hashes
}

/// The first hash, and a second one where there is one.
fn digest<'a>(realm: &'a str, hashes: &'a [(DigestAlgorithm, Zeroizing<String>)]) -> Option<SipDigestAuthenticate<'a>> {
    let ((algorithm, first), rest) = hashes.split_first()?;
    let mut digest = SipDigestAuthenticate::new(realm, "auth", Secret(first.as_bytes()));
    digest.algorithm = Some(algorithm.as_str());
    if let Some((algorithm, second)) = rest.first() {
        digest.alternate_algorithm = Some(algorithm.as_str());
        digest.alternate_ha1 = Some(Secret(second.as_bytes()));
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use futures_executor::block_on;

    use super::super::question::{self, Asker};
    use super::*;
    use crate::vector::{AkaCredentials, Milenage, Usim, UsimAnswer};
    use crate::{
        ApplicationServer, AssignmentType, Credentials, DigestCredentials, Hss, HssEvents, InitialFilterCriteria,
        LocationInfoRequest as Locate, MultimediaAuthRequest as Challenge, PrivateIdentity, ProfileIdentity, Provision,
        PublicIdentity, Refusal, Roaming, ServerAssignment, ServerAssignmentRequest as Assign, ServiceProfile,
        Subscription, UserAuthorizationRequest as Authorize,
    };

    const SESSION: &str = "scscf.ims.example;1;1";

    /// An HSS behind the wire, without the wire.
    struct Wired(Hss);

    impl Wired {
        fn asker(&self) -> Asker {
            Asker::new(Origin::new("scscf.ims.example", "ims.example"), "ims.example")
        }

        async fn ask(&self, request: Result<Message, HssError>) -> Result<Message, HssError> {
            let origin = Origin::new("hss.ims.example", "ims.example");
            Ok(Message::parse(answer(&self.0, &request?, &origin).await).unwrap())
        }
    }

    #[async_trait]
    impl HssCache for Wired {
        async fn user_authorization(&self, request: &Authorize) -> Result<UserAuthorization, HssError> {
            question::user_authorization(&self.ask(self.asker().user_authorization(SESSION, request)).await?)
        }

        async fn multimedia_auth(&self, request: &Challenge) -> Result<MultimediaAuth, HssError> {
            question::multimedia_auth(&self.ask(self.asker().multimedia_auth(SESSION, request)).await?, request)
        }

        async fn server_assignment(&self, request: &Assign) -> Result<ServerAssignment, HssError> {
            let answer = self.ask(self.asker().server_assignment(SESSION, request)).await?;
            question::server_assignment(&answer, request)
        }

        async fn location_info(&self, request: &Locate) -> Result<LocationInfo, HssError> {
            question::location_info(&self.ask(self.asker().location_info(SESSION, request)).await?)
        }

        fn events(&self) -> HssEvents {
            self.0.events()
        }
    }

    /// An HSS that answers nothing else.
    struct Failing(HssError);

    #[async_trait]
    impl HssCache for Failing {
        async fn user_authorization(&self, _: &Authorize) -> Result<UserAuthorization, HssError> {
            Err(self.0.clone())
        }

        async fn multimedia_auth(&self, _: &Challenge) -> Result<MultimediaAuth, HssError> {
            Err(self.0.clone())
        }

        async fn server_assignment(&self, _: &Assign) -> Result<ServerAssignment, HssError> {
            Err(self.0.clone())
        }

        async fn location_info(&self, _: &Locate) -> Result<LocationInfo, HssError> {
            Err(self.0.clone())
        }

        fn events(&self) -> HssEvents {
            HssEvents::none()
        }
    }

    fn hss() -> Hss {
        let user = |name: &str| {
            let private: PrivateIdentity = format!("{name}@ims.example").parse().unwrap();
            let digest = DigestCredentials::from_password(&private, "ims.example", "secret").unwrap();
            let public = format!("sip:{name}@ims.example").parse().unwrap();
            Subscription::new(private, [public], Credentials::Digest(digest)).unwrap()
        };
        let mut wanted = Capabilities::new([1, 2], [3]);
        wanted.server_names = vec!["sip:scscf1.ims.example".parse().unwrap()];
        let charging = ChargingAddresses::new(["aaa://ccf1".into(), "aaa://ccf2".into()], ["aaa://ecf1".into()]);
        let alice = with_services(&user("alice"))
            .with_capabilities(wanted)
            .with_charging(charging)
            .with_unregistered_services(true);
        let roaming = Roaming::Only(vec!["home.example".parse().unwrap()]);
        let aka = AkaCredentials::new(Milenage::new(&[1; 16], &[2; 16]), [0x80, 0]);
        let public = "sip:carol@ims.example".parse().unwrap();
        let carol = Subscription::new("carol@ims.example".parse().unwrap(), [public], Credentials::Aka(aka)).unwrap();
        Hss::with_subscribers([alice, user("bob").with_roaming(roaming), carol], [0; 32]).unwrap()
    }

    /// The same user, with a barred identity before it and an application server.
    fn with_services(user: &Subscription) -> Subscription {
        let temporary = ProfileIdentity::barred("sip:001@ims.example".parse().unwrap());
        let mut profiles = user.profile().service_profiles.clone();
        let server = ApplicationServer::new("sip:as.ims.example");
        profiles[0].filter_criteria.push(InitialFilterCriteria::new(1, server));
        profiles.insert(0, ServiceProfile::new(vec![temporary]));
        Subscription::with_profiles(user.private_identity().clone(), profiles, user.credentials().clone()).unwrap()
    }

    /// Whatever an HSS says in process it says over the wire: the same questions, put to both, have the same answers.
    #[test]
    fn the_wire_changes_nothing() {
        let (direct, wired) = (hss(), Wired(hss()));
        let private = |name: &str| format!("{name}@ims.example").parse::<PrivateIdentity>().unwrap();
        let public = |name: &str| format!("sip:{name}@ims.example").parse::<PublicIdentity>().unwrap();
        let scscf: ServerName = "sip:scscf1.ims.example".parse().unwrap();
        let other: ServerName = "sip:scscf2.ims.example".parse().unwrap();
        let authorize = |who: &str, of: &str, network: &str, kind, emergency| {
            let mut request = Authorize::new(private(who), public(of), network.parse().unwrap());
            (request.kind, request.emergency) = (kind, emergency);
            let both = (block_on(direct.user_authorization(&request)), block_on(wired.user_authorization(&request)));
            assert_eq!(both.1, both.0, "{request:?}");
        };
        let locate = |who: &str, originating, capabilities| {
            let mut request = Locate::new(public(who));
            (request.originating, request.capabilities) = (originating, capabilities);
            let both = (block_on(direct.location_info(&request)), block_on(wired.location_info(&request)));
            assert_eq!(both.1, both.0, "{request:?}");
        };
        let assign = |who: &str, name: &ServerName, kind, available| {
            let mut request = Assign::new(private(who), public(who), name.clone(), kind);
            request.user_data_available = available;
            let both = (block_on(direct.server_assignment(&request)), block_on(wired.server_assignment(&request)));
            assert_eq!(both.1, both.0, "{request:?}");
        };
        let challenge = |who: &str, of: &str, name: &ServerName, scheme| {
            let mut request = Challenge::new(private(who), public(of), name.clone());
            request.scheme = scheme;
            let both = (block_on(direct.multimedia_auth(&request)), block_on(wired.multimedia_auth(&request)));
            assert_eq!(both.1, both.0, "{request:?}");
        };
        use AuthorizationType::{Deregistration, Registration, RegistrationAndCapabilities};

        let visitor = Authorize::new(private("bob"), public("bob"), "visited.example".parse().unwrap());
        let refused = block_on(wired.user_authorization(&visitor));
        assert_eq!(refused, Err(HssError::Forbidden(Refusal::RoamingNotAllowed)));
        for kind in [Registration, Deregistration, RegistrationAndCapabilities] {
            authorize("alice", "alice", "home.example", kind, false);
            authorize("bob", "bob", "visited.example", kind, true);
            authorize("alice", "bob", "home.example", kind, false);
            authorize("nobody", "nobody", "home.example", kind, false);
        }
        (0..4).for_each(|n| locate("alice", n & 1 > 0, n & 2 > 0));
        locate("bob", false, false);
        challenge("alice", "alice", &scscf, AuthScheme::Digest);
        challenge("alice", "bob", &scscf, AuthScheme::Unknown);
        for scheme in [AuthScheme::Aka, AuthScheme::NassBundled, AuthScheme::EarlyIms] {
            challenge("alice", "alice", &scscf, scheme);
            challenge("carol", "carol", &scscf, scheme);
        }
        let mut request = Challenge::new(private("carol"), public("carol"), scscf.clone());
        request.count = 3;
        let batch = block_on(wired.multimedia_auth(&request));
        assert_eq!(batch, block_on(direct.multimedia_auth(&request)));
        let Ok(MultimediaAuth::Aka(batch)) = batch else { panic!("vectors") };
        let credentials = AkaCredentials::new(Milenage::new(&[1; 16], &[2; 16]), [0x80, 0]);
        let mut usim = Usim::new(credentials).with_seq(100);
        let UsimAnswer::SynchronisationFailure(auts) = usim.authenticate(&batch[0].rand, &batch[0].autn) else {
            panic!("the USIM is ahead");
        };
        request.resynchronisation = Some(Resynchronisation { rand: batch[0].rand, auts });
        let batch = block_on(wired.multimedia_auth(&request));
        assert_eq!(batch, block_on(direct.multimedia_auth(&request)));
        let Ok(MultimediaAuth::Aka(batch)) = batch else { panic!("vectors") };
        let answer = usim.authenticate(&batch[2].rand, &batch[2].autn);
        assert!(matches!(answer, UsimAnswer::Response { res, .. } if res == batch[2].xres));
        for kind in [
            AssignmentType::Registration,
            AssignmentType::ReRegistration,
            AssignmentType::NoAssignment,
            AssignmentType::UserDeregistrationStoreServerName,
            AssignmentType::UnregisteredUser,
            AssignmentType::AuthenticationFailure,
            AssignmentType::TimeoutDeregistration,
        ] {
            assign("alice", &scscf, kind, kind == AssignmentType::ReRegistration);
            assign("alice", &other, kind, false);
            for ask in [Registration, Deregistration] {
                authorize("alice", "alice", "home.example", ask, false);
            }
            locate("alice", false, false);
        }
        assign("bob", &scscf, AssignmentType::Registration, false);
        assign("bob", &scscf, AssignmentType::UserDeregistrationStoreServerName, false);
        let unregistered = Assign::unregistered(public("bob"), scscf.clone());
        assert_eq!(block_on(wired.server_assignment(&unregistered)), block_on(direct.server_assignment(&unregistered)));
        let several = Assign { public_identities: vec![public("alice"), public("bob")], ..unregistered };
        assert_eq!(block_on(wired.server_assignment(&several)), Err(HssError::TooManyIdentities));
    }

    /// TS 29.228 table 6.1.2.2: who else has the subscription is said over the wire too.
    #[test]
    fn associated_identities() {
        let wired = Wired(hss());
        let digest = |user: &PrivateIdentity| DigestCredentials::from_password(user, "ims.example", "x").unwrap();
        let tablet: PrivateIdentity = "tablet@ims.example".parse().unwrap();
        let bob: PrivateIdentity = "bob@ims.example".parse().unwrap();
        let share = Provision::Shares {
            private_identity: tablet.clone(),
            credentials: Credentials::Digest(digest(&tablet)),
            with: bob.clone(),
        };
        block_on(wired.0.put(share)).unwrap();
        let scscf: ServerName = "sip:scscf1.ims.example".parse().unwrap();
        let public = "sip:bob@ims.example".parse().unwrap();
        let request = Assign::new(tablet.clone(), public, scscf, AssignmentType::Registration);
        let answer = block_on(wired.server_assignment(&request)).unwrap();
        assert_eq!(answer.associated, [bob, tablet.clone()]);
        assert_eq!((&answer.private_identity, &answer.profile.unwrap().private_identity), (&tablet, &tablet));
    }

    /// An HSS in trouble is told from a user that may not (TS 29.228 §6.1.1).
    #[test]
    fn busy_and_unreachable() {
        for error in [HssError::Busy { retry_after: None }, HssError::Unreachable, HssError::SchemeNotSupported] {
            let hss = Failing(error.clone());
            let asker = Asker::new(Origin::new("scscf", "ims.example"), "ims.example");
            let request = Locate::new("sip:alice@ims.example".parse().unwrap());
            let request = asker.location_info(SESSION, &request).unwrap();
            let answered = block_on(answer(&hss, &request, &Origin::new("hss", "ims.example")));
            assert_eq!(question::location_info(&Message::parse(answered).unwrap()), Err(error));
        }
    }

    /// Threat X3, and what else is no identity: refused with the AVP at fault, and the HSS is not asked.
    #[test]
    fn x03_identities_that_cannot_be() {
        let check = |user: &str, public: &str, network: &str, at_fault: &Definition| {
            let head = RequestHead::cx(SESSION, "icscf", "ims.example", "ims.example");
            let command = UserAuthorizationRequest::new(user, public, network);
            let request = Message::parse(Request { head, command }.encode().unwrap()).unwrap();
            let origin = Origin::new("hss", "ims.example");
            let answered = Message::parse(block_on(answer(&hss(), &request, &origin))).unwrap();
            let result: u32 = answered.find(&avp::RESULT_CODE).unwrap().read(&avp::RESULT_CODE).unwrap();
            let failed = answered.find(&avp::FAILED_AVP).unwrap().avps().next().unwrap().unwrap();
            assert_eq!(
                (ResultCode(result), failed.is(at_fault)),
                (ResultCode::INVALID_AVP_VALUE, true),
                "{answered:?}"
            );
        };
        check("", "sip:a@ims.example", "n", &avp::USER_NAME);
        check("a b", "sip:a@ims.example", "n", &avp::USER_NAME);
        check("a", "", "n", &avp::PUBLIC_IDENTITY);
        check("a", "sip:", "n", &avp::PUBLIC_IDENTITY);
        check("a", "http://a", "n", &avp::PUBLIC_IDENTITY);
        check("a", "sip:a@ims.example", "", &avp::VISITED_NETWORK_IDENTIFIER);
        check("a", "sip:a@ims.example", "n\r\n", &avp::VISITED_NETWORK_IDENTIFIER);
    }
    /// What other stacks need: no group without members, and schemes in whatever case (TS 29.228 tables 6.1.1.2, 6.3.2).
    #[test]
    fn what_others_stumble_over() {
        let asker = Asker::new(Origin::new("icscf", "ims.example"), "ims.example");
        let private: PrivateIdentity = "alice@ims.example".parse().unwrap();
        let public: PublicIdentity = "sip:alice@ims.example".parse().unwrap();
        let digest = DigestCredentials::from_password(&private, "ims.example", "secret").unwrap();
        let alice = Subscription::new(private.clone(), [public.clone()], Credentials::Digest(digest)).unwrap();
        let hss = Hss::with_subscribers([alice], [0; 32]).unwrap();
        let request = Authorize::new(private, public, "ims.example".parse().unwrap());
        let request = asker.user_authorization(SESSION, &request).unwrap();
        let answered = Message::parse(block_on(answer(&hss, &request, &Origin::new("hss", "ims.example")))).unwrap();
        assert!(answered.find(&avp::SERVER_CAPABILITIES).is_none(), "{answered:?}");
        let any = UserAuthorization::Capabilities(Capabilities::default());
        assert_eq!(question::user_authorization(&answered), Ok(any));
        for (name, expected) in [
            ("unknown", Some(AuthScheme::Unknown)),
            ("DIGEST-AKAV1-MD5", Some(AuthScheme::Aka)),
            ("SIP Digest", Some(AuthScheme::Digest)),
            ("Digest", None),
        ] {
            assert_eq!(scheme_of(name), expected, "{name}");
        }
    }
}
