//! Server-Assignment (TS 29.229 §6.1.3, §6.1.4): the S-CSCF takes a user, or lets it go.

use super::{AssociatedIdentities, Command};
use crate::AssignmentType;
use crate::diameter::grammar::{grammar, group};
use crate::diameter::{Address, CommandCode, Level, Time, enumerated};

grammar! {
    /// Server-Assignment-Request.
    ///
    /// ```
    /// use imscore_hss::AssignmentType;
    /// use imscore_hss::cx::{
    ///     AllowedWafWwsfIdentities, AssociatedIdentities, ChargingInformation, FailedPcscf, PcscfSubscriptionInfo,
    ///     RestorationInfo, ScscfRestorationInfo, ServerAssignmentAnswer, ServerAssignmentRequest, SubscriptionInfo,
    /// };
    ///
    /// let mut request = ServerAssignmentRequest::new("sip:scscf.ims.example", AssignmentType::Registration, false);
    /// request.public_identities = vec!["sip:alice@ims.example"];
    /// // What another S-CSCF needs should this one fail (TS 23.380).
    /// let mut contact = RestorationInfo::new(b"<sip:pcscf.ims.example;lr>", b"<sip:alice@192.0.2.1>");
    /// let (from, to, at) = (b"<sip:a@h>;tag=1", b"<sip:b@h>;tag=2", b"<sip:a@192.0.2.1>");
    /// contact.subscription = Some(SubscriptionInfo::new(b"1", from, to, b"<sip:scscf.ims.example;lr>", at));
    /// contact.pcscf_subscription = Some(PcscfSubscriptionInfo::new(b"1", from, to, at));
    /// request.restoration = Some(ScscfRestorationInfo::new("alice@ims.example", vec![contact]));
    /// let mut pcscf = FailedPcscf::new();
    /// pcscf.name = Some("pcscf.ims.example");
    /// request.failed_pcscf = Some(pcscf);
    ///
    /// let mut answer = ServerAssignmentAnswer::new();
    /// let mut charging = ChargingInformation::new();
    /// charging.primary_collection = Some("aaa://ccf.ims.example");
    /// answer.charging = Some(charging);
    /// answer.associated = Some(AssociatedIdentities::new());
    /// answer.web = Some(AllowedWafWwsfIdentities::new());
    /// assert_eq!((request.user_name, answer.user_data), (None, None));
    /// ```
    pub struct ServerAssignmentRequest<'a> {
        /// The HSS that is meant.
        [ destination_host: &'a str = DESTINATION_HOST ]
        /// The private identity, where it is known.
        [ user_name: &'a str = USER_NAME ]
        /// The identities that it is about.
        * [ public_identities: &'a str = PUBLIC_IDENTITY ]
        /// The wildcard that the identity matched.
        [ wildcard: &'a str = WILDCARDED_PUBLIC_IDENTITY ]
        /// The S-CSCF that asks.
        { server_name: &'a str = SERVER_NAME }
        /// What happened.
        { assignment: AssignmentType = SERVER_ASSIGNMENT_TYPE }
        /// The S-CSCF has the profile.
        { user_data_available: bool = USER_DATA_ALREADY_AVAILABLE }
        /// What another S-CSCF would need to go on.
        [ restoration: ScscfRestorationInfo<'a> = SCSCF_RESTORATION_INFO ]
        /// Whether the phone has several registrations at once.
        [ multiple_registration: bool = MULTIPLE_REGISTRATION_INDICATION ]
        /// How urgent the call is.
        [ priority: SessionPriority = SESSION_PRIORITY ]
        /// See [`ServerAssignmentRequest::P_CSCF_RESTORATION`].
        [ flags: u32 = SAR_FLAGS ]
        /// The P-CSCF that was lost.
        [ failed_pcscf: FailedPcscf<'a> = FAILED_PCSCF ]
    }
}

impl ServerAssignmentRequest<'_> {
    /// Bit of SAR-Flags: the phone's P-CSCF is lost (TS 29.229 §6.3.63).
    pub const P_CSCF_RESTORATION: u32 = 1;
}

grammar! {
    /// Server-Assignment-Answer.
    pub struct ServerAssignmentAnswer<'a> {
        /// The private identity.
        [ user_name: &'a str = USER_NAME ]
        /// The profile: IMSSubscription as XML.
        [ user_data: &'a [u8] = USER_DATA ]
        /// Where charging data goes.
        [ charging: ChargingInformation<'a> = CHARGING_INFORMATION ]
        /// Private identities of the subscription.
        [ associated: AssociatedIdentities<'a> = ASSOCIATED_IDENTITIES ]
        /// Whether the user's own network routes loosely behind it.
        [ loose_route: bool = LOOSE_ROUTE_INDICATION ]
        /// What the S-CSCF before this one had stored.
        * [ restoration: ScscfRestorationInfo<'a> = SCSCF_RESTORATION_INFO ]
        /// Private identities that have the public one registered.
        [ registered: AssociatedIdentities<'a> = ASSOCIATED_REGISTERED_IDENTITIES ]
        /// The S-CSCF that has the user.
        [ server_name: &'a str = SERVER_NAME ]
        /// The wildcard that the identity matched.
        [ wildcard: &'a str = WILDCARDED_PUBLIC_IDENTITY ]
        /// Whether the user may say who it is.
        [ privileged_sender: bool = PRIVILEDGED_SENDER_INDICATION ]
        /// Web servers that the user may come from.
        [ web: AllowedWafWwsfIdentities<'a> = ALLOWED_WAF_WWSF_IDENTITIES ]
    }
}

/// Session-Priority, TS 29.229 §6.3.56: 0 is the highest.
pub type SessionPriority = Level<4>;

group! {
    /// Charging-Information, TS 29.229 §6.3.19. Names are URIs, though not every HSS writes them so.
    pub struct ChargingInformation<'a> {
        /// Online, first.
        [ primary_event: &'a str = PRIMARY_EVENT_CHARGING_FUNCTION_NAME ]
        /// Online, second.
        [ secondary_event: &'a str = SECONDARY_EVENT_CHARGING_FUNCTION_NAME ]
        /// Offline, first.
        [ primary_collection: &'a str = PRIMARY_CHARGING_COLLECTION_FUNCTION_NAME ]
        /// Offline, second.
        [ secondary_collection: &'a str = SECONDARY_CHARGING_COLLECTION_FUNCTION_NAME ]
    }

    /// SCSCF-Restoration-Info, TS 29.229 §6.3.46.
    pub struct ScscfRestorationInfo<'a> {
        /// The private identity.
        { user_name: &'a str = USER_NAME }
        /// One for each registered contact.
        * { contacts: RestorationInfo<'a> = RESTORATION_INFO }
        /// When the registration runs out.
        [ expires: Time = REGISTRATION_TIME_OUT ]
        /// How the user authenticated.
        [ scheme: &'a str = SIP_AUTHENTICATION_SCHEME ]
    }

    /// Restoration-Info, TS 29.229 §6.3.52.
    pub struct RestorationInfo<'a> {
        /// Path of the REGISTER.
        { path: &'a [u8] = PATH }
        /// Contact of the REGISTER.
        { contact: &'a [u8] = CONTACT }
        /// CSeq of the first REGISTER.
        [ cseq: u32 = INITIAL_CSEQ_SEQUENCE_NUMBER ]
        /// Call-ID of the REGISTER.
        [ call_id: &'a [u8] = CALL_ID_SIP_HEADER ]
        /// The phone's subscription to its registration.
        [ subscription: SubscriptionInfo<'a> = SUBSCRIPTION_INFO ]
        /// The P-CSCF's.
        [ pcscf_subscription: PcscfSubscriptionInfo<'a> = P_CSCF_SUBSCRIPTION_INFO ]
    }

    /// Subscription-Info, TS 29.229 §6.3.49.
    pub struct SubscriptionInfo<'a> {
        /// Call-ID of the SUBSCRIBE.
        { call_id: &'a [u8] = CALL_ID_SIP_HEADER }
        /// From of the SUBSCRIBE.
        { from: &'a [u8] = FROM_SIP_HEADER }
        /// To of the SUBSCRIBE.
        { to: &'a [u8] = TO_SIP_HEADER }
        /// Record-Route of the SUBSCRIBE.
        { record_route: &'a [u8] = RECORD_ROUTE }
        /// Contact of the SUBSCRIBE.
        { contact: &'a [u8] = CONTACT }
    }

    /// P-CSCF-Subscription-Info: as Subscription-Info, without routes.
    pub struct PcscfSubscriptionInfo<'a> {
        /// Call-ID of the SUBSCRIBE.
        { call_id: &'a [u8] = CALL_ID_SIP_HEADER }
        /// From of the SUBSCRIBE.
        { from: &'a [u8] = FROM_SIP_HEADER }
        /// To of the SUBSCRIBE.
        { to: &'a [u8] = TO_SIP_HEADER }
        /// Contact of the SUBSCRIBE.
        { contact: &'a [u8] = CONTACT }
    }

    /// Failed-PCSCF: the name of a lost P-CSCF, or its addresses.
    pub struct FailedPcscf<'a> {
        /// Its domain name.
        [ name: &'a str = PCSCF_FQDN ]
        /// Its addresses.
        * [ addresses: Address<'a> = PCSCF_IP_ADDRESS ]
    }

    /// Allowed-WAF-WWSF-Identities: web servers that a WebRTC user may come from.
    pub struct AllowedWafWwsfIdentities<'a> {
        /// Those that authorise.
        * [ authentication: &'a str = WEBRTC_AUTHENTICATION_FUNCTION_NAME ]
        /// Those that serve the page.
        * [ server: &'a str = WEBRTC_WEB_SERVER_FUNCTION_NAME ]
    }
}

enumerated! {
    AssignmentType {
        NoAssignment = 0, Registration = 1, ReRegistration = 2, UnregisteredUser = 3, TimeoutDeregistration = 4,
        UserDeregistration = 5, TimeoutDeregistrationStoreServerName = 6, UserDeregistrationStoreServerName = 7,
        AdministrativeDeregistration = 8, AuthenticationFailure = 9, AuthenticationTimeout = 10,
        DeregistrationTooMuchData = 11,
    }
}

impl<'a> Command<'a> for ServerAssignmentRequest<'a> {
    const CODE: CommandCode = CommandCode::SERVER_ASSIGNMENT;
}

impl<'a> Command<'a> for ServerAssignmentAnswer<'a> {
    const CODE: CommandCode = CommandCode::SERVER_ASSIGNMENT;
}
