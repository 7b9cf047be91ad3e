//! User-Authorization (TS 29.229 §6.1.1, §6.1.2): the I-CSCF asks where a REGISTER goes.

use super::Command;
use crate::AuthorizationType;
use crate::diameter::grammar::{grammar, group};
use crate::diameter::{CommandCode, enumerated};

grammar! {
    /// User-Authorization-Request.
    ///
    /// ```
    /// use imscore_hss::AuthorizationType;
    /// use imscore_hss::cx::{ServerCapabilities, UserAuthorizationAnswer, UserAuthorizationRequest};
    ///
    /// let mut request = UserAuthorizationRequest::new("alice@ims.example", "sip:alice@ims.example", "ims.example");
    /// request.kind = Some(AuthorizationType::Deregistration);
    /// let mut capabilities = ServerCapabilities::new();
    /// capabilities.mandatory = vec![3];
    /// let mut answer = UserAuthorizationAnswer::new();
    /// answer.capabilities = Some(capabilities);
    /// assert_eq!((request.user_name, answer.server_name), ("alice@ims.example", None));
    /// ```
    pub struct UserAuthorizationRequest<'a> {
        /// The HSS that is meant.
        [ destination_host: &'a str = DESTINATION_HOST ]
        /// The private identity.
        { user_name: &'a str = USER_NAME }
        /// The identity to register.
        { public_identity: &'a str = PUBLIC_IDENTITY }
        /// Where the phone is.
        { visited_network: &'a str = VISITED_NETWORK_IDENTIFIER }
        /// What kind of registration it is; a first one or a refresh where it is absent.
        [ kind: AuthorizationType = USER_AUTHORIZATION_TYPE ]
        /// See [`UserAuthorizationRequest::EMERGENCY`].
        [ flags: u32 = UAR_FLAGS ]
    }
}

impl UserAuthorizationRequest<'_> {
    /// Bit of UAR-Flags: an emergency registration (TS 29.229 §6.3.44).
    pub const EMERGENCY: u32 = 1;
}

grammar! {
    /// User-Authorization-Answer.
    pub struct UserAuthorizationAnswer<'a> {
        /// The S-CSCF that has the user.
        [ server_name: &'a str = SERVER_NAME ]
        /// What an S-CSCF has to be able to do.
        [ capabilities: ServerCapabilities<'a> = SERVER_CAPABILITIES ]
    }
}

group! {
    /// Server-Capabilities, TS 29.229 §6.3.4.
    pub struct ServerCapabilities<'a> {
        /// It has all of these.
        * [ mandatory: u32 = MANDATORY_CAPABILITY ]
        /// It has as many of these as can be.
        * [ optional: u32 = OPTIONAL_CAPABILITY ]
        /// Preferred to all others.
        * [ server_names: &'a str = SERVER_NAME ]
    }
}

enumerated! {
    AuthorizationType { Registration = 0, Deregistration = 1, RegistrationAndCapabilities = 2 }
}

impl<'a> Command<'a> for UserAuthorizationRequest<'a> {
    const CODE: CommandCode = CommandCode::USER_AUTHORIZATION;
}

impl<'a> Command<'a> for UserAuthorizationAnswer<'a> {
    const CODE: CommandCode = CommandCode::USER_AUTHORIZATION;
}
