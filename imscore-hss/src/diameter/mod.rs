//! The Diameter base protocol (RFC 6733), as bytes: headers, AVPs, faults.
//!
//! * [`Framer`] cuts a stream into messages.
//! * [`Message`] is the bytes of one. Its AVPs are borrowed and walked without allocation; whatever is unknown among them
//!   stays where it is, so a message that is passed on goes out byte for byte.
//! * [`dictionary`] is the one table of AVPs; [`Value`] reads and writes their data.
//! * [`Writer`] makes a message, in the order of its calls.
//! * [`base`] has the commands between two peers; [`Grammar`] is what every command and group can do.
//! * [`Fault`] is what is wrong with a request, with the result code and the Failed-AVP that the answer carries.
//!
//! What the typed commands of an application are is not known here; those of Cx are in [`cx`](crate::cx).
//!
//! | limit | value | over it |
//! | --- | --- | --- |
//! | bytes of a message | [`MAX_MESSAGE`] | the connection is closed |
//! | AVPs of a message or group | [`MAX_AVPS`] | 5012 |
//! | groups within groups | [`MAX_DEPTH`] | 5012 |
//!
//! Deviations from RFC 6733: reserved bits of headers and AVPs are ignored, as §3 and §4.1 ask, and never answered with
//! 5013; an M flag that is not as the definition has it is taken as it comes, since nodes of different releases disagree
//! on it, and is never answered with 3009 or 5016.

pub mod base;
pub mod dictionary;

mod avp;
mod fault;
mod frame;
pub(crate) mod grammar;
mod header;
mod message;
mod result_code;
mod uri;
mod value;
mod write;

pub use avp::{Avp, Avps, MAX_AVPS, MAX_DEPTH};
pub use fault::Fault;
pub use frame::{FrameError, Framer, MAX_MESSAGE};
pub use grammar::Grammar;
pub(crate) use header::numbers;
pub use header::{ApplicationId, CommandCode, CommandFlags, HEADER, Header};
pub use message::{LengthError, Message, Origin};
pub use result_code::ResultCode;
pub use uri::{DiameterUri, Transport, UriError};
pub(crate) use value::enumerated;
pub use value::{Address, Group, Level, Secret, Time, Value};
pub use write::{TooLong, Writer};
