//! Transactions: requests and responses that belong together, repeated until they arrive and passed on once
//! (RFC 3261 §17, RFC 6026, RFC 4320).
//!
//! [`Transactions`] holds the table, the timers and the outputs. The four state machines are pure functions from state
//! and event to state and actions, one file each, below the figure of the RFC. Above is whoever owns the layer: a
//! proxy core or a user agent. It gets [`Event`]s and gives requests and responses; below are flows, which a driver
//! turns into sockets.
//!
//! A transaction of the owner ends with [`Event::ServerEnded`] or [`Event::ClientEnded`], always the last event with
//! that id.
//!
//! ```
//! use std::time::Instant;
//! use imscore_sip::transaction::{Config, Event, Transactions};
//! use imscore_sip::transport::{Flow, Listener, ListenerId, Side, Transport};
//! use imscore_sip::{Engine, Message, Now, Output, StatusCode};
//!
//! let now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
//! let listener = Listener { transport: Transport::Udp, sent_by: "192.0.2.2:5060".into(), side: Side::Core };
//! let mut layer = Transactions::new(Config::new([7; 32], vec![listener]), now);
//!
//! let options = "OPTIONS sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\r\n";
//! let flow = Flow {
//!     transport: Transport::Udp,
//!     listener: ListenerId(0),
//!     remote: "192.0.2.1:5060".parse()?,
//!     connection: None,
//! };
//! layer.handle_message(Message::parse(options.into())?, flow, now);
//! while let Output::Event(event) = layer.poll_output() {
//!     if let Event::Request { id, request, .. } = event {
//!         layer.respond(id, request.reply(StatusCode::OK).with_to_tag("1"), now);
//!         break;
//!     }
//! }
//! let Output::Transmit(sent) = layer.poll_output() else { panic!("a response") };
//! assert!(sent.bytes.starts_with(b"SIP/2.0 200 OK\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arena;
mod branch;
mod chains;
mod client_invite;
mod client_non_invite;
mod clients;
mod config;
mod event;
mod follow_up;
mod journal;
mod layer;
mod leg;
mod matching;
mod outlet;
mod refusals;
mod server_invite;
mod server_non_invite;
mod servers;
#[cfg(test)]
mod tests;

pub use branch::loop_key;
pub use config::{Config, Counters};
pub use event::{Cause, ClientId, Event, ServerId};
pub use journal::{End, Standing, Transition, Transitions};
pub use layer::Transactions;
pub use leg::Timers;
