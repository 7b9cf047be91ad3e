//! SIP for IMS network functions and for everything else that speaks SIP: zero-copy messages, typed headers on
//! demand, sans-IO transactions, an RFC 3261 §16 proxy core, user agents, Digest, and a test kit in virtual time.
//!
//! ```text
//!             ┌───────────── an Engine ──────────────────────────────────┐
//!  bytes ──▶ parse ──▶ message ──▶ transaction ──▶ proxy, or dialog + ua ──▶ your code
//!  bytes ◀── transport ◀──────────── transaction ◀── proxy, or dialog + ua ◀── your code
//!             └──────────────────────────────────────────────────────────┘
//!  the driver: sockets and clocks           imscore_sip::tokio, or yours
//! ```
//!
//! # The contract of an engine
//!
//! Nothing in the picture has a socket, a task, a clock or randomness of its own. An [`Engine`] is given *one input*: a message, a
//! lost flow, an answer, a moment that has come, or a call of one of its methods, always with the time ([`Now`]). Then
//! [`Engine::poll_output`] is called until it says [`Output::Wait`]; only then comes the next input. What it gives are values:
//! bytes to send, an event for its owner, a question for a name server, the next moment it waits for. The same engine runs
//! under sockets and, in tests, in virtual time, where one seed gives one trace.
//!
//! # Where to begin
//!
//! - to read and change messages: [`Message`], [`Headers`], [`header`], [`uri`], [`sdp`], [`mime`]
//! - to write a phone: [`ua::UserAgent`], as async calls `tokio::ua::Phone`
//! - to write an application server, as with axum: `service::Router` (feature `tower`)
//! - to write a proxy: [`proxy::Proxy`]; a CSCF is a role of the crate `imscore-cscf`
//! - to see what goes on: `trace` (feature `trace`)
//! - to test any of these: `testing` (feature `testing`)
//!
//! Without default features nothing here needs an operating system's sockets; `tokio` (default) has drivers, `tls`, `ws` and
//! `dns` add to it.
//!
//! # What it follows, and what shows it
//!
//! | specification | shown by |
//! | --- | --- |
//! | RFC 3261 §7, §25, RFC 4475, RFC 5118 | `tests/it/torture.rs`, `tests/it/edits.rs`, `tests/torture` |
//! | RFC 3261 §20 and the registry's other headers | `tests/it/values.rs` |
//! | RFC 3261 §8 to §15, RFC 3262, RFC 3311, RFC 3665 | `src/ua/tests`, `tests/it/agents.rs` |
//! | RFC 3261 §16, RFC 5393 | `src/proxy/tests.rs` |
//! | RFC 3261 §17, RFC 6026, RFC 4320 | the state machines in `src/transaction`, `src/transaction/tests` |
//! | RFC 3261 §18, RFC 3581, RFC 5626 §4.4, RFC 5922, RFC 7118 | `src/transaction/tests/oversize.rs`, `src/tokio/tests` |
//! | RFC 3263, RFC 2782 | `src/resolve/tests.rs` |
//! | RFC 2617, RFC 7616, RFC 3310, RFC 4169 | `src/auth` |
//! | RFC 4028, RFC 3891, RFC 6665, RFC 3515 | `src/dialog`, `src/ua/tests` |
//! | RFC 3966, RFC 4694, RFC 8141, RFC 5031, RFC 5627 | `src/uri` |
//! | RFC 2046 §5.1, RFC 5621 | `src/mime` |
//! | RFC 8866, RFC 3264, RFC 6337, RFC 3312 | `src/sdp` |
//!
//! # A first look
//!
//! ```
//! use imscore_sip::header::{MaxForwards, Via};
//! use imscore_sip::{Message, StatusCode};
//!
//! let text = "OPTIONS sip:bob@ims.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
//!             Max-Forwards: 70\r\nX-Unknown:  kept as it is\r\n\r\n";
//! let Message::Request(mut options) = Message::parse(text.into())? else { panic!("a request") };
//! assert_eq!(options.headers.first::<Via>()?.branch(), Some("z9hG4bK1"));
//! let hops: MaxForwards = options.headers.first()?;
//! options.headers.set(&MaxForwards(hops.0 - 1));
//! assert!(options.to_bytes().ends_with(b"Max-Forwards: 69\r\nX-Unknown:  kept as it is\r\n\r\n"));
//! let answer = options.reply(StatusCode::OK).with_to_tag("1");
//! assert!(answer.to_bytes().starts_with(b"SIP/2.0 200 OK\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
#[cfg(feature = "tower")]
pub mod service;
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

/// Its examples are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
