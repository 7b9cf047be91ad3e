//! Typed headers, one file each: value, decode, encode. [`Name`] is the one table of names.
//!
//! A typed value is the text that it was read from plus the places of its parts, so decoding one takes no
//! allocation and a value can be kept as long as one likes.
//!
//! Every name of the IANA registry's SIP set that is in use has a type. What is asked of a message is read by type,
//! what is built by type is written by the header's grammar, whatever the pieces were:
//!
//! ```
//! use imscore_sip::header::{
//!     AcceptContact, CallId, PAccessNetworkInfo, Reason, Replaces, SecurityServer, SessionId, TypedHeader,
//!     UserToUser,
//! };
//! use imscore_sip::{Message, Method, Request};
//!
//! let mut invite = Request::new(&Method::Invite, "sip:bob@ims.example");
//! invite.headers.push(&Replaces::new(&CallId::new("a84b@pc33"), "to", "from"));
//! invite.headers.push(&UserToUser::hex(b"\x04\xff").with_param("purpose", "isdn-uui"));
//! invite.headers.push(&AcceptContact::default().with_param("audio", None).with_param("require", None));
//! invite.headers.push(&Reason::new("Q.850", 16).with_text("over \"and\" out\r\n"));
//! invite
//!     .headers
//!     .push_raw("Session-ID", b"ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000");
//! invite.headers.push_raw("P-Access-Network-Info", b"3GPP-NR-FDD;utran-cell-id-3gpp=2420100010b");
//!
//! let Message::Request(read) = Message::parse(invite.to_bytes())? else { unreachable!() };
//! assert_eq!(read.headers.first::<Replaces>()?.to_tag(), Some("to"));
//! assert_eq!(read.headers.first::<UserToUser>()?.bytes().as_deref(), Some(&[0x04, 0xff][..]));
//! assert!(read.headers.first::<AcceptContact>()?.is_required());
//! assert_eq!(read.headers.first::<Reason>()?.text().as_deref(), Some("over \"and\" out  "));
//! assert_eq!(read.headers.first::<SessionId>()?.remote, Some(0));
//! assert_eq!(read.headers.first::<PAccessNetworkInfo>()?.access(), "3GPP-NR-FDD");
//!
//! let offer = "ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;spi-c=1;spi-s=2;port-c=5062;port-s=5064";
//! let server = SecurityServer::decode(&offer.into())?;
//! assert_eq!(server.ipsec().map(|ipsec| (ipsec.spi_server, ipsec.port_server)), Some((2, 5064)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accept;
mod address;
mod answer_mode;
mod auth;
mod auth_info;
mod call_id;
mod caller_preferences;
mod consent;
mod contact;
mod content;
mod core_network;
mod cseq;
mod date;
mod dcs;
mod dialogs;
mod early_media;
mod entity_tag;
mod event;
mod every;
mod feature_caps;
mod history;
mod identity;
mod in_reply_to;
mod info;
mod info_package;
mod location;
mod mime_version;
mod name;
mod name_addr;
mod names;
mod network;
mod number;
mod parameterised;
mod policy;
mod priority;
mod profile;
mod quick;
mod reason;
mod refer;
mod reliable;
mod security;
mod service;
mod session_id;
mod session_timer;
mod text;
mod timestamp;
mod tokens;
mod user_to_user;
mod via;

use std::fmt::Display;

use bytestring::ByteString;

use crate::uri::UriError;

pub use crate::parse::Params;
pub use accept::{Accept, AcceptEncoding, AcceptLanguage};
pub use address::{
    Diversion, From, HistoryInfo, PAssertedIdentity, PAssociatedUri, PCalledPartyId, PPreferredIdentity, PServedUser,
    Path, RecordRoute, ReferTo, ReferredBy, ReplyTo, Route, ServiceRoute, SessionCase, To,
};
pub use answer_mode::{AnswerMode, PAnswerState, PrivAnswerMode};
pub use auth::{
    Authorization, Challenge, Credentials, ParamList, ProxyAuthenticate, ProxyAuthorization, WwwAuthenticate,
};
pub use auth_info::{AuthenticationInfo, ProxyAuthenticationInfo};
pub use call_id::CallId;
pub use caller_preferences::{AcceptContact, RejectContact, RequestDisposition};
pub use consent::{PRefusedUriList, PermissionMissing, TriggerConsent};
pub use contact::Contact;
pub use content::{ContentDisposition, ContentEncoding, ContentId, ContentLanguage, ContentType};
pub use core_network::{
    CellularNetworkInfo, DcInfo, PriorityShare, PriorityVerstat, RelayedCharge, ResourceShare, ResponseSource,
    RestorationInfo, ServiceInteractInfo,
};
pub use cseq::CSeq;
pub(crate) use cseq::read as read_cseq;
pub use date::{Date, RetryAfter};
pub use dcs::{PDcsBillingInfo, PDcsLaes, PDcsOsps, PDcsRedirect, PDcsTracePartyId};
pub use dialogs::{Join, Replaces, TargetDialog};
pub use early_media::{PEarlyMedia, PMediaAuthorization};
pub use entity_tag::{SipETag, SipIfMatch, SuppressIfMatch};
pub use event::{AllowEvents, Event, SubscriptionState};
pub use feature_caps::FeatureCaps;
pub use history::Retarget;
pub use identity::{AttestationInfo, Identity, OriginationId};
pub use in_reply_to::InReplyTo;
pub use info::{AlertInfo, CallInfo, ErrorInfo};
pub use info_package::{InfoPackage, RecvInfo};
pub use location::{AlertMsgError, Geolocation, GeolocationError, GeolocationRouting};
pub use mime_version::MimeVersion;
pub use name::{AsName, Name};
pub use name_addr::NameAddr;
pub(crate) use names::{Names, Seen};
pub use network::{PAccessNetworkInfo, PChargingFunctionAddresses, PChargingVector, PVisitedNetworkId};
pub(crate) use number::max_forwards as read_max_forwards;
pub use number::{ContentLength, Expires, FlowTimer, MaxBreadth, MaxForwards, MinExpires, RSeq};
pub use policy::{PolicyContact, PolicyId};
pub use priority::{AcceptResourcePriority, Priority, ResourcePriority};
pub use profile::{AdditionalIdentity, PChargeInfo, PPrivateNetworkIndication, PProfileKey, PUserDatabase};
pub(crate) use quick::tag_of;
pub use reason::{Reason, Warning};
pub use refer::{ReferEventsAt, ReferSub};
pub use reliable::RAck;
pub use security::{Ipsec, SecurityClient, SecurityServer, SecurityVerify};
pub use service::{PAssertedService, PPreferredService};
pub use session_id::SessionId;
pub use session_timer::{MinSe, Refresher, SessionExpires};
pub use text::{Organization, Privacy, Server, Subject, UserAgent};
pub use timestamp::Timestamp;
pub use tokens::{Allow, ProxyRequire, Require, Supported, Unsupported};
pub use user_to_user::UserToUser;
pub use via::Via;

/// A header whose values can be decoded and written.
pub trait TypedHeader: Sized + Display {
    /// Which header it is.
    const NAME: Name;

    /// True where a line may hold several values between commas (RFC 3261 §7.3.1).
    const LIST: bool = false;

    /// Reads one value, white space trimmed and folds taken out, and keeps its text.
    ///
    /// # Errors
    /// [`Cause::Malformed`] for text that the header's grammar does not allow.
    fn read(value: ByteString) -> Result<Self, Cause>;

    /// As [`TypedHeader::read`], of a text that others keep too. The error says which header it was.
    ///
    /// # Errors
    /// As [`TypedHeader::read`].
    fn decode(value: &ByteString) -> Result<Self, HeaderError> {
        Self::read(value.clone()).map_err(|cause| HeaderError { name: Self::NAME, cause })
    }
}

/// A header that is looked at in every message, whether anybody asks for its value or not.
pub(crate) trait Checked: TypedHeader {
    /// What [`TypedHeader::decode`] refuses, without making a value. Folds are taken out of `value`.
    fn check(value: &[u8]) -> Result<(), Cause>;
}

/// Why a header is not to be had as a typed value.
///
/// ```
/// use imscore_sip::header::{Cause, HeaderError, MaxForwards, Name};
/// use imscore_sip::{Method, Request};
///
/// let mut request = Request::new(&Method::Options, "sip:ims.example");
/// let missing = HeaderError { name: Name::MAX_FORWARDS, cause: Cause::Missing };
/// assert_eq!(request.headers.first::<MaxForwards>(), Err(missing));
/// request.headers.push_raw("Max-Forwards", b"many");
/// assert!(request.headers.first::<MaxForwards>().is_err_and(|error| error.cause == Cause::Malformed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} header {cause}")]
pub struct HeaderError {
    /// The header that was asked for.
    pub name: Name,
    /// What is wrong with it.
    pub cause: Cause,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The message has no such header.
    #[error("is missing")]
    Missing,
    /// Its value does not follow its grammar.
    #[error("is malformed")]
    Malformed,
    /// A number in it is above what its clause allows.
    #[error("holds a number that is too large")]
    TooLarge,
    /// It, or a parameter of it, stands more than once and may not.
    #[error("stands more than once")]
    Repeated,
    /// It has more parameters, or longer parts, than this library reads.
    #[error("exceeds a limit")]
    Limit,
}

impl std::convert::From<UriError> for Cause {
    fn from(error: UriError) -> Cause {
        if error == UriError::TooLong { Cause::Limit } else { Cause::Malformed }
    }
}
