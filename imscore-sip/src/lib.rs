//! SIP for IMS network functions and for everything else that speaks SIP: zero-copy messages, typed headers on
//! demand, sans-IO transactions, an RFC 3261 §16 proxy core, Digest, and a test kit in virtual time.

pub mod auth;
pub mod dialog;
mod engine;
pub mod hash;
pub mod header;
pub mod message;
pub mod mime;
mod now;
mod owned;
pub mod parse;
pub mod pii;
pub mod proxy;
pub mod resolve;
pub mod sdp;
pub mod table;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(all(feature = "tokio", unix))]
pub mod tokio;
#[cfg(feature = "trace")]
pub mod trace;
pub mod transaction;
pub mod transport;
pub mod ua;
pub mod uri;
pub mod wheel;

pub use bytestring::ByteString;

pub use engine::{Engine, Output, Ticket, Transmit};
pub use message::{Headers, Message, Method, Request, Response, StatusCode};
pub use now::Now;
pub use owned::Owned;
pub use parse::{Limits, ParseError};
pub use pii::Pii;
pub use uri::Uri;
