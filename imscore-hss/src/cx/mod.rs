//! Cx (TS 29.228, TS 29.229): the twelve commands between CSCFs and HSS, typed, both sides of each.
//!
//! A command borrows from the message that it was read from, and from whatever it is written of. [`Request`] and
//! [`Answer`] put around it what all commands have.
//!
//! ```
//! use imscore_hss::cx::{LocationInfoRequest, Request, RequestHead};
//! use imscore_hss::diameter::Message;
//!
//! let head = RequestHead::cx("icscf;1;1", "icscf.ims.example", "ims.example", "ims.example");
//! let request = Request { head, command: LocationInfoRequest::new("sip:bob@ims.example") };
//! let message = Message::parse(request.encode()?)?;
//!
//! let read = Request::<LocationInfoRequest>::read(&message)?;
//! assert_eq!(read.command.public_identity, "sip:bob@ims.example");
//! assert_eq!(read, request);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What an answer says is its [`Outcome`]. [`question`] and [`server`] translate between the commands and
//! [`HssCache`](crate::HssCache): the one for who asks, the other for who answers. [`announcement`] does so for what an HSS
//! says unasked.

pub mod announcement;
mod head;
mod location_info;
mod multimedia_auth;
mod push_profile;
pub mod question;
mod registration_termination;
mod result;
pub mod server;
mod server_assignment;
#[cfg(test)]
pub(crate) mod tests;
mod user_authorization;

pub use head::{Answer, AnswerHead, Command, Request, RequestHead, SupportedFeatures, features};
pub use location_info::{LocationInfoAnswer, LocationInfoRequest, OriginatingRequest};
pub use multimedia_auth::{
    MultimediaAuthAnswer, MultimediaAuthRequest, SipAuthDataItem, SipDigestAuthenticate, scheme,
};
pub use push_profile::{PushProfileAnswer, PushProfileRequest};
pub use registration_termination::{
    AssociatedIdentities, DeregistrationReason, IdentityWithEmergencyRegistration, RegistrationTerminationAnswer,
    RegistrationTerminationRequest,
};
pub use result::{CxResult, Outcome};
pub use server_assignment::{
    AllowedWafWwsfIdentities, ChargingInformation, FailedPcscf, PcscfSubscriptionInfo, RestorationInfo,
    ScscfRestorationInfo, ServerAssignmentAnswer, ServerAssignmentRequest, SessionPriority, SubscriptionInfo,
};
pub use user_authorization::{ServerCapabilities, UserAuthorizationAnswer, UserAuthorizationRequest};
