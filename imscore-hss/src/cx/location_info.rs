//! Location-Info (TS 29.229 §6.1.5, §6.1.6): the I-CSCF asks who serves a called user.

use super::{Command, ServerCapabilities, SessionPriority};
use crate::AuthorizationType;
use crate::diameter::grammar::grammar;
use crate::diameter::{CommandCode, enumerated};

grammar! {
    /// Location-Info-Request.
    pub struct LocationInfoRequest<'a> {
        /// The HSS that is meant.
        [ destination_host: &'a str = DESTINATION_HOST ]
        /// An application server asks on behalf of the user.
        [ originating: OriginatingRequest = ORIGINATING_REQUEST ]
        /// The user, or a service.
        { public_identity: &'a str = PUBLIC_IDENTITY }
        /// [`AuthorizationType::RegistrationAndCapabilities`] to choose another S-CSCF than the one that is gone.
        [ kind: AuthorizationType = USER_AUTHORIZATION_TYPE ]
        /// How urgent the call is.
        [ priority: SessionPriority = SESSION_PRIORITY ]
    }
}

grammar! {
    /// Location-Info-Answer.
    pub struct LocationInfoAnswer<'a> {
        /// The S-CSCF that has the user, or the application server of a service.
        [ server_name: &'a str = SERVER_NAME ]
        /// What an S-CSCF has to be able to do.
        [ capabilities: ServerCapabilities<'a> = SERVER_CAPABILITIES ]
        /// The wildcard that the identity matched.
        [ wildcard: &'a str = WILDCARDED_PUBLIC_IDENTITY ]
        /// See [`LocationInfoAnswer::DIRECT_ROUTING`].
        [ flags: u32 = LIA_FLAGS ]
    }
}

impl LocationInfoAnswer<'_> {
    /// Bit of LIA-Flags: the server name is that of an application server (TS 29.229 §6.3.59).
    pub const DIRECT_ROUTING: u32 = 1;
}

/// Originating-Request, TS 29.229 §6.3.34: its presence is all that it says.
///
/// ```
/// use imscore_hss::cx::{LocationInfoAnswer, LocationInfoRequest, OriginatingRequest};
///
/// let mut request = LocationInfoRequest::new("sip:bob@ims.example");
/// request.originating = Some(OriginatingRequest::Originating);
/// let mut answer = LocationInfoAnswer::new();
/// answer.server_name = Some("sip:scscf.ims.example");
/// assert!(answer.capabilities.is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OriginatingRequest {
    /// The request is on behalf of the user.
    Originating,
}

enumerated! {
    OriginatingRequest { Originating = 0 }
}

impl<'a> Command<'a> for LocationInfoRequest<'a> {
    const CODE: CommandCode = CommandCode::LOCATION_INFO;
}

impl<'a> Command<'a> for LocationInfoAnswer<'a> {
    const CODE: CommandCode = CommandCode::LOCATION_INFO;
}
