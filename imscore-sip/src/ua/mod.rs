//! User agents: what a phone or a server at the end of a call does on top of transactions and dialogs.
//!
//! [`UserAgent`] is one engine for both sides: it registers, calls, is called, and speaks within calls; it subscribes, and notifies. Its owner decides
//! what has more than one right answer; the rest it does by itself. [`Locations`] is what a registrar keeps
//! (RFC 3261 §10.3).
//!
//! ```
//! use std::time::Instant;
//! use imscore_sip::transport::{Listener, Side, Transport};
//! use imscore_sip::ua::{Config, UserAgent};
//! use imscore_sip::{Engine, Now, Output, transaction};
//!
//! let now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
//! let listener = Listener { transport: Transport::Udp, sent_by: "192.0.2.1:5060".into(), side: Side::Core };
//! let mut config = Config::new(transaction::Config::new([7; 32], vec![listener]));
//! config.identity = "sip:alice@ims.example".parse()?;
//! config.proxy = Some("udp:192.0.2.9:5060".parse()?);
//! let mut alice = UserAgent::new(config, now);
//!
//! let call = alice.invite(&"sip:bob@ims.example".parse()?, None, now);
//! let Output::Transmit(invite) = alice.poll_output() else { panic!("an INVITE") };
//! assert!(invite.bytes.starts_with(b"INVITE sip:bob@ims.example SIP/2.0\r\n"));
//! alice.hang_up(call, now);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agent;
mod asked;
mod body;
mod call;
mod called;
mod calling;
mod challenges;
mod config;
mod event;
mod flows;
mod locations;
mod names;
mod notifier;
mod referral;
mod registration;
mod session;
mod subscriber;
#[cfg(test)]
mod tests;
mod usage;

pub use agent::UserAgent;
pub use call::CallHandle;
pub use config::Config;
pub use event::{Ended, Event, NotSent, RequestHandle, Unsubscribed};
pub use locations::{Locations, Terms};
pub use names::OutboundProxy;
pub use notifier::WatcherHandle;
pub use referral::Reports;
pub use registration::{Binding, RegistrationHandle};
pub use subscriber::SubscriptionHandle;
