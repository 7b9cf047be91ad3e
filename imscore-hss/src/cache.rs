//! What a CSCF asks the HSS, and what the HSS says unasked: the Cx reference point (TS 29.228) as a trait.
//!
//! | question | asked by | Cx command | when |
//! | --- | --- | --- | --- |
//! | [`user_authorization`](HssCache::user_authorization) | I-CSCF | User-Authorization | REGISTER: may it, and to which S-CSCF |
//! | [`multimedia_auth`](HssCache::multimedia_auth) | S-CSCF | Multimedia-Auth | what to challenge with |
//! | [`server_assignment`](HssCache::server_assignment) | S-CSCF | Server-Assignment | the registration state changed; the profile, please |
//! | [`location_info`](HssCache::location_info) | I-CSCF | Location-Info | which S-CSCF serves the called user |
//!
//! [`Hss`](crate::Hss) answers them in process. The trait names no runtime: a node polls the futures itself, under tokio
//! or in virtual time. Each question may be asked again after a time-out; none does more when it is asked twice.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    HssError, HssEvents, PrivateIdentity, PublicIdentity, ServerName, VisitedNetwork,
    subscription::{Capabilities, ChargingAddresses, DigestCredentials, UserProfile},
    vector::AuthenticationVector,
};

/// The four questions of Cx and the HSS's own announcements.
#[async_trait]
pub trait HssCache: Send + Sync {
    /// May this user register here, and which S-CSCF takes it? (TS 29.228 §6.1.1)
    async fn user_authorization(&self, request: &UserAuthorizationRequest) -> Result<UserAuthorization, HssError>;

    /// What proves that the user is who it says? Names the S-CSCF that challenges (TS 29.228 §6.3).
    async fn multimedia_auth(&self, request: &MultimediaAuthRequest) -> Result<MultimediaAuth, HssError>;

    /// The S-CSCF serves the user from now on, or no longer; the answer carries the profile (TS 29.228 §6.1.2).
    async fn server_assignment(&self, request: &ServerAssignmentRequest) -> Result<ServerAssignment, HssError>;

    /// Which S-CSCF serves this user? (TS 29.228 §6.1.4)
    async fn location_info(&self, request: &LocationInfoRequest) -> Result<LocationInfo, HssError>;

    /// A new stream of what the HSS announces from now on; each stream gets every event.
    fn events(&self) -> HssEvents;
}

#[async_trait]
impl<T: HssCache + ?Sized> HssCache for Arc<T> {
    async fn user_authorization(&self, request: &UserAuthorizationRequest) -> Result<UserAuthorization, HssError> {
        (**self).user_authorization(request).await
    }

    async fn multimedia_auth(&self, request: &MultimediaAuthRequest) -> Result<MultimediaAuth, HssError> {
        (**self).multimedia_auth(request).await
    }

    async fn server_assignment(&self, request: &ServerAssignmentRequest) -> Result<ServerAssignment, HssError> {
        (**self).server_assignment(request).await
    }

    async fn location_info(&self, request: &LocationInfoRequest) -> Result<LocationInfo, HssError> {
        (**self).location_info(request).await
    }

    fn events(&self) -> HssEvents {
        (**self).events()
    }
}

/// Kind of registration that the I-CSCF asks about: User-Authorization-Type, TS 29.229 §6.3.24.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthorizationType {
    /// A first registration or a refresh.
    Registration,
    /// The REGISTER takes all bindings away.
    Deregistration,
    /// The S-CSCF that was named did not answer: the I-CSCF wants capabilities to choose another one.
    RegistrationAndCapabilities,
}

/// User-Authorization-Request, TS 29.228 table 6.1.1.1.
///
/// ```
/// use imscore_hss::{
///     AuthorizationType, Capabilities, Hss, HssCache, HssError, Refusal, UserAuthorization,
///     UserAuthorizationRequest, VisitedNetwork,
/// };
///
/// # futures_executor::block_on(async {
/// let hss = Hss::with_subscribers([], [7; 32])?;
/// let visited: VisitedNetwork = "ims.example".parse()?;
/// let mut request =
///     UserAuthorizationRequest::new("alice@ims.example".parse()?, "sip:alice@ims.example".parse()?, visited);
/// request.kind = AuthorizationType::Registration;
/// match hss.user_authorization(&request).await {
///     Ok(UserAuthorization::Scscf(name)) => println!("on to {name}"),
///     Ok(UserAuthorization::Capabilities(Capabilities { mandatory, .. })) => {
///         println!("one that can do {mandatory:?}")
///     }
///     Ok(_) => {}
///     Err(HssError::Forbidden(Refusal::RoamingNotAllowed)) => println!("not from there"),
///     Err(error) => assert_eq!(error, HssError::Unknown),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserAuthorizationRequest {
    /// User name of the Authorization header, or what [`PublicIdentity::derived_private_identity`] makes of To.
    pub private_identity: PrivateIdentity,
    /// The identity to register: the URI of To.
    pub public_identity: PublicIdentity,
    /// P-Visited-Network-ID.
    pub visited_network: VisitedNetwork,
    /// What kind of registration it is.
    pub kind: AuthorizationType,
    /// An emergency registration: neither barring nor roaming refuses it.
    pub emergency: bool,
}

impl UserAuthorizationRequest {
    /// Asks for an ordinary registration; set the other fields as needed.
    pub fn new(
        private_identity: PrivateIdentity,
        public_identity: PublicIdentity,
        visited_network: VisitedNetwork,
    ) -> Self {
        Self {
            private_identity,
            public_identity,
            visited_network,
            kind: AuthorizationType::Registration,
            emergency: false,
        }
    }
}

/// User-Authorization-Answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserAuthorization {
    /// No S-CSCF yet (First-Registration), or capabilities were asked for: choose one that has these.
    Capabilities(Capabilities),
    /// This S-CSCF has the user already (Subsequent-Registration, or success for a deregistration).
    Scscf(ServerName),
}

/// Authentication scheme that the S-CSCF asks for: SIP-Authentication-Scheme, TS 29.228 §7.9.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthScheme {
    /// The S-CSCF cannot tell; the HSS says which one the subscription has.
    Unknown,
    /// SIP Digest.
    Digest,
    /// IMS AKA, whichever of its algorithms the S-CSCF then names to the phone (TS 29.229 §6.3.9).
    Aka,
    /// By the access line. No subscription has it here.
    NassBundled,
    /// By the address of the phone (GPRS-IMS-Bundled). No subscription has it here.
    EarlyIms,
}

/// Multimedia-Auth-Request, TS 29.228 table 6.3.1.
///
/// ```
/// use imscore_hss::vector::{AkaCredentials, AuthenticationVector, Milenage, Usim, UsimAnswer};
/// use imscore_hss::{
///     AuthScheme, Credentials, Hss, HssCache, MultimediaAuth, MultimediaAuthRequest, PrivateIdentity,
///     PublicIdentity, Resynchronisation, Subscription,
/// };
///
/// # futures_executor::block_on(async {
/// let (private, public): (PrivateIdentity, PublicIdentity) =
///     ("alice@ims.example".parse()?, "sip:alice@ims.example".parse()?);
/// let card = AkaCredentials::new(Milenage::new(&[1; 16], &[2; 16]), [0x80, 0]);
/// let alice = Subscription::new(private.clone(), [public.clone()], Credentials::Aka(card.clone()))?;
/// let hss = Hss::with_subscribers([alice], [7; 32])?;
///
/// let mut request = MultimediaAuthRequest::new(private, public, "sip:scscf.ims.example".parse()?);
/// request.scheme = AuthScheme::Aka;
/// let MultimediaAuth::Aka(vectors) = hss.multimedia_auth(&request).await? else { panic!("she has a card") };
/// let vector: &AuthenticationVector = &vectors[0];
///
/// // A card that is ahead says so, and the next vector is one that it takes.
/// let mut usim = Usim::new(card).with_seq(1_000);
/// let UsimAnswer::SynchronisationFailure(auts) = usim.authenticate(&vector.rand, &vector.autn) else {
///     panic!("ahead")
/// };
/// request.resynchronisation = Some(Resynchronisation { rand: vector.rand, auts });
/// let MultimediaAuth::Aka(vectors) = hss.multimedia_auth(&request).await? else { panic!("she has a card") };
/// let answer = usim.authenticate(&vectors[0].rand, &vectors[0].autn);
/// assert!(matches!(answer, UsimAnswer::Response { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MultimediaAuthRequest {
    /// Who authenticates.
    pub private_identity: PrivateIdentity,
    /// The identity to register.
    pub public_identity: PublicIdentity,
    /// Name of the S-CSCF that challenges; the HSS remembers it, in place of an earlier one (TS 29.228 §8.1).
    pub server_name: ServerName,
    /// Scheme that the REGISTER points to.
    pub scheme: AuthScheme,
    /// How many vectors are wanted: SIP-Number-Auth-Items. At least one is given, and up to
    /// [`MAX_VECTORS`](crate::vector::MAX_VECTORS).
    pub count: u32,
    /// What a USIM answered that has lost step.
    pub resynchronisation: Option<Resynchronisation>,
}

/// RAND of a challenge, and AUTS that a USIM answered to it (TS 29.228 table 6.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resynchronisation {
    /// The challenge.
    pub rand: [u8; 16],
    /// Where the USIM is.
    pub auts: [u8; 14],
}

impl MultimediaAuthRequest {
    /// Asks for whatever scheme the subscription has.
    pub fn new(private_identity: PrivateIdentity, public_identity: PublicIdentity, server_name: ServerName) -> Self {
        let scheme = AuthScheme::Unknown;
        Self { private_identity, public_identity, server_name, scheme, count: 1, resynchronisation: None }
    }
}

/// Multimedia-Auth-Answer: the authentication item.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MultimediaAuth {
    /// SIP Digest: realm, quality of protection, one HA1 for each algorithm.
    Digest(DigestCredentials),
    /// IMS AKA: vectors in the order of use, at least one.
    Aka(Vec<AuthenticationVector>),
}

/// What happened to the registration: Server-Assignment-Type, TS 29.229 §6.3.15, without its values 12 to 14, which are
/// not of Cx.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AssignmentType {
    /// Nothing: the S-CSCF only wants the profile (again).
    NoAssignment = 0,
    /// First registration.
    Registration = 1,
    /// Refresh of a registration.
    ReRegistration = 2,
    /// A call for a user that is not registered.
    UnregisteredUser = 3,
    /// The registration ran out.
    TimeoutDeregistration = 4,
    /// The user deregistered.
    UserDeregistration = 5,
    /// The registration ran out; the S-CSCF would keep the profile for services of the unregistered user.
    TimeoutDeregistrationStoreServerName = 6,
    /// The user deregistered; the S-CSCF would keep the profile.
    UserDeregistrationStoreServerName = 7,
    /// The operator deregistered the user at the S-CSCF.
    AdministrativeDeregistration = 8,
    /// Wrong response to the challenge.
    AuthenticationFailure = 9,
    /// No response to the challenge.
    AuthenticationTimeout = 10,
    /// The profile is larger than the S-CSCF takes.
    DeregistrationTooMuchData = 11,
}

impl AssignmentType {
    /// Whether it ends a registration: only then may one request name several identities (TS 29.228 §6.1.2.1 step 3).
    pub fn is_deregistration(self) -> bool {
        match self {
            Self::TimeoutDeregistration
            | Self::UserDeregistration
            | Self::TimeoutDeregistrationStoreServerName
            | Self::UserDeregistrationStoreServerName
            | Self::AdministrativeDeregistration
            | Self::DeregistrationTooMuchData => true,
            Self::NoAssignment
            | Self::Registration
            | Self::ReRegistration
            | Self::UnregisteredUser
            | Self::AuthenticationFailure
            | Self::AuthenticationTimeout => false,
        }
    }
}

/// Server-Assignment-Request, TS 29.228 table 6.1.2.1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerAssignmentRequest {
    /// Who authenticated. A call for an unregistered user knows only the public identity.
    pub private_identity: Option<PrivateIdentity>,
    /// The identity that was registered or called; several, or none and a private identity, only to deregister.
    pub public_identities: Vec<PublicIdentity>,
    /// Name of the S-CSCF that asks.
    pub server_name: ServerName,
    /// What happened.
    pub assignment: AssignmentType,
    /// The S-CSCF has the profile: the answer need not carry it.
    pub user_data_available: bool,
}

impl ServerAssignmentRequest {
    /// For one public identity of a user that authenticated.
    pub fn new(
        private_identity: PrivateIdentity,
        public_identity: PublicIdentity,
        server_name: ServerName,
        assignment: AssignmentType,
    ) -> Self {
        Self {
            private_identity: Some(private_identity),
            public_identities: vec![public_identity],
            server_name,
            assignment,
            user_data_available: false,
        }
    }

    /// For a call to or from a user that is not registered: only its public identity is known.
    pub fn unregistered(public_identity: PublicIdentity, server_name: ServerName) -> Self {
        Self {
            private_identity: None,
            public_identities: vec![public_identity],
            server_name,
            assignment: AssignmentType::UnregisteredUser,
            user_data_available: false,
        }
    }
}

/// Server-Assignment-Answer.
///
/// ```
/// use imscore_hss::{ChargingAddresses, ServerAssignment};
///
/// let mut answer = ServerAssignment::new("alice@ims.example".parse()?);
/// answer.charging = Some(ChargingAddresses::new(["aaa://ccf.ims.example".to_string()], []));
/// assert!(answer.profile.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerAssignment {
    /// Whose subscription it is.
    pub private_identity: PrivateIdentity,
    /// All private identities of the subscription, where it has several (Associated-Identities, TS 29.228 table 6.1.2.2).
    pub associated: Vec<PrivateIdentity>,
    /// The profile, unless the user was deregistered, failed to authenticate, or the S-CSCF has it.
    pub profile: Option<Arc<UserProfile>>,
    /// Where charging data goes, if the HSS says so.
    pub charging: Option<ChargingAddresses>,
    /// False where the S-CSCF asked the HSS to keep its name and it did not
    /// (DIAMETER_SUCCESS_SERVER_NAME_NOT_STORED, TS 29.229 §6.2.1.4).
    pub server_name_stored: bool,
}

impl ServerAssignment {
    /// An answer without profile.
    pub fn new(private_identity: PrivateIdentity) -> Self {
        Self { private_identity, associated: Vec::new(), profile: None, charging: None, server_name_stored: true }
    }
}

/// Location-Info-Request, TS 29.228 table 6.1.4.1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocationInfoRequest {
    /// The called user; the calling one where `originating`.
    pub public_identity: PublicIdentity,
    /// The request comes from an application server on behalf of the user.
    pub originating: bool,
    /// The S-CSCF that was named did not answer: the I-CSCF wants capabilities to choose another one.
    pub capabilities: bool,
}

impl LocationInfoRequest {
    /// Asks who serves the called user.
    pub fn new(public_identity: PublicIdentity) -> Self {
        Self { public_identity, originating: false, capabilities: false }
    }
}

/// Location-Info-Answer. A user without a place and without services in the unregistered state is
/// [`HssError::NotRegistered`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocationInfo {
    /// This S-CSCF has the user.
    Scscf(ServerName),
    /// None has, but the user has services that run in the unregistered state (DIAMETER_UNREGISTERED_SERVICE), or
    /// capabilities were asked for: choose one that has these.
    Capabilities(Capabilities),
}
