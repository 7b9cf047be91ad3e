//! Dialogs (RFC 3261 §12): two ends that know each other by Call-ID and tags, and what goes on between them. All in here is
//! data and functions: nothing is sent, and timers are moments that the owner keeps.
//!
//! - [`Dialog`] is identity, route set, target and CSeq of both sides; a forked INVITE makes one for each To tag.
//! - [`Repetition`] says when what waits for an ACK or a PRACK is sent again; [`Reliable`] and [`Received`] are the two
//!   sides of reliable provisional responses (RFC 3262).
//! - [`SessionTimer`] and [`Terms`] agree on refreshes (RFC 4028); [`glare`] says when to try again after a 491.
//! - [`Subscriber`] and [`Notifier`] are the two sides of a subscription (RFC 6665), whatever its package;
//!   [`Refer`] is what one asks for, and what its NOTIFYs say (RFC 3515).
//! - [`replaces`] and [`replaced`] find and judge what an INVITE with Replaces names (RFC 3891).
//!
//! ```
//! use imscore_sip::dialog::{Dialog, DialogId};
//! use imscore_sip::{Message, Method, StatusCode};
//!
//! let invite = "INVITE sip:bob@ims.example SIP/2.0\r\nFrom: <sip:alice@ims.example>;tag=a\r\nCSeq: 7 INVITE\r\n\
//!               To: <sip:bob@ims.example>\r\nCall-ID: 1\r\nContact: <sip:alice@192.0.2.1>\r\n\
//!               Record-Route: <sip:192.0.2.9;lr>\r\n\r\n";
//! let Message::Request(invite) = Message::parse(invite.into())? else { panic!("a request") };
//!
//! let mut bob = Dialog::of_request(&invite, "b")?;
//! let bye = bob.request(&Method::Bye);
//! assert_eq!(bye.target(), "sip:alice@192.0.2.1");
//! assert_eq!(bye.headers.raw("Route"), Some(&b"<sip:192.0.2.9;lr>"[..]));
//! assert_eq!(DialogId::of_request(&bye).map(|seen_by_alice| seen_by_alice.local_tag), Some("a".into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod glare;
mod id;
mod refer;
mod reliable;
mod repetition;
mod replaces;
mod session_timer;
mod state;
mod subscription;

pub use id::DialogId;
pub use refer::Refer;
pub use reliable::{Received, Reliable};
pub use repetition::Repetition;
pub use replaces::{replaced, replaces};
pub use session_timer::{Refreshes, SessionTimer, Terms, TooSmall};
pub use state::{Dialog, OutOfOrder};
pub(crate) use subscription::before_end;
pub use subscription::{Again, Notifier, Refused, Subscriber, Subscription};
