//! Registration-Termination (TS 29.229 §6.1.9, §6.1.10): the HSS ends registrations.

use super::Command;
use crate::diameter::grammar::{grammar, group};
use crate::diameter::{CommandCode, enumerated};
use crate::{PrivateIdentity, TerminationReason};

grammar! {
    /// Registration-Termination-Request.
    ///
    /// ```
    /// use imscore_hss::TerminationReason;
    /// use imscore_hss::cx::{
    ///     DeregistrationReason, IdentityWithEmergencyRegistration, RegistrationTerminationAnswer,
    ///     RegistrationTerminationRequest,
    /// };
    ///
    /// let reason = DeregistrationReason::new(TerminationReason::Permanent);
    /// let request = RegistrationTerminationRequest::new("scscf.ims.example", "alice@ims.example", reason);
    /// let mut answer = RegistrationTerminationAnswer::new();
    /// answer.emergency = vec![IdentityWithEmergencyRegistration::new("alice@ims.example", "sip:alice@ims.example")];
    /// assert_eq!(request.user_name, answer.emergency[0].user_name);
    /// ```
    pub struct RegistrationTerminationRequest<'a> {
        /// The S-CSCF that is meant.
        { destination_host: &'a str = DESTINATION_HOST }
        /// The private identity.
        { user_name: &'a str = USER_NAME }
        /// Further private identities that it is about.
        [ associated: AssociatedIdentities<'a> = ASSOCIATED_IDENTITIES ]
        /// The identities to deregister; all of the private ones where none is named.
        * [ public_identities: &'a str = PUBLIC_IDENTITY ]
        /// Why.
        { reason: DeregistrationReason<'a> = DEREGISTRATION_REASON }
        /// See [`RegistrationTerminationRequest::REFERENCE_LOCATION`].
        [ flags: u32 = RTR_FLAGS ]
    }
}

impl RegistrationTerminationRequest<'_> {
    /// Bit of RTR-Flags: the line of the user has changed.
    pub const REFERENCE_LOCATION: u32 = 1;
}

grammar! {
    /// Registration-Termination-Answer.
    pub struct RegistrationTerminationAnswer<'a> {
        /// Private identities that were deregistered with the named one.
        [ associated: AssociatedIdentities<'a> = ASSOCIATED_IDENTITIES ]
        /// Who stays, for an emergency call.
        * [ emergency: IdentityWithEmergencyRegistration<'a> = IDENTITY_WITH_EMERGENCY_REGISTRATION ]
    }
}

group! {
    /// Deregistration-Reason, TS 29.229 §6.3.16.
    pub struct DeregistrationReason<'a> {
        /// What follows from it.
        { code: TerminationReason = REASON_CODE }
        /// What to tell the user.
        [ info: &'a str = REASON_INFO ]
    }

    /// Associated-Identities, TS 29.229 §6.3.33, and Associated-Registered-Identities, §6.3.50.
    pub struct AssociatedIdentities<'a> {
        /// Private identities.
        * [ user_names: &'a str = USER_NAME ]
    }

    /// Identity-with-Emergency-Registration, TS 29.229 §6.3.57.
    pub struct IdentityWithEmergencyRegistration<'a> {
        /// The private identity.
        { user_name: &'a str = USER_NAME }
        /// The public identity.
        { public_identity: &'a str = PUBLIC_IDENTITY }
    }
}

enumerated! {
    TerminationReason { Permanent = 0, NewServerAssigned = 1, ServerChange = 2, RemoveScscf = 3 }
}

impl<'a> AssociatedIdentities<'a> {
    /// Of these; `None` where there are none.
    pub(super) fn of(identities: &'a [PrivateIdentity]) -> Option<Self> {
        let user_names: Vec<_> = identities.iter().map(PrivateIdentity::as_str).collect();
        (!user_names.is_empty()).then_some(Self { user_names })
    }
}

impl<'a> Command<'a> for RegistrationTerminationRequest<'a> {
    const CODE: CommandCode = CommandCode::REGISTRATION_TERMINATION;
}

impl<'a> Command<'a> for RegistrationTerminationAnswer<'a> {
    const CODE: CommandCode = CommandCode::REGISTRATION_TERMINATION;
}
