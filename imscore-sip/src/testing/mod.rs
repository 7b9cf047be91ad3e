//! Tests in virtual time: messages, phones, a network between engines, and ladders.
//!
//! - [`request`], [`response`] and [`sdp_offer`] write messages, right or wrong, as a [`Draft`].
//! - A [`Phone`] says what it is told and knows what belongs in an ACK, a PRACK or a BYE.
//! - A [`Network`] seats engines at addresses and carries what they send, over links that lose, double, delay,
//!   reorder and change, or over connections. Time is virtual, and one seed decides everything: the same seed gives the same
//!   [`Trace`].
//! - A [`Ladder`] is one text that is both what peers say and what engines must do, in order and on time.
//! - [`Seeds`] runs a test many times and names the seed that failed.
//!
//! Nothing in here waits, opens a socket or reads a clock, but for one reading as the zero of virtual time.
//!
//! A registrar under test, which here is a phone that answers by itself:
//!
//! ```
//! use imscore_sip::testing::{Ladder, Link, Network, Phone, Seeds, assert_repeatable};
//!
//! // Any engine will do: a proxy, a node, a user agent.
//! let registrar = |listeners| {
//!     Phone::new("registrar", listeners).behaving(|phone, _, _| {
//!         if let Ok(ok) = phone.response(200, Some("REGISTER")) {
//!             phone.reply(ok.header("Service-Route", "<sip:scscf.ims.example;lr>"));
//!         }
//!     })
//! };
//! Ladder::new().engine("registrar", ["udp:192.0.2.9:5060"], registrar).run(
//!     "alice = udp:192.0.2.1:5060
//!      alice -> registrar  REGISTER sip:ims.example  Expires=600
//!      registrar -> alice  200  Contact~=expires=600 +Service-Route
//!      +1h
//!      alice -> registrar  REGISTER sip:ims.example
//!      registrar -> alice  200  CSeq='2 REGISTER'",
//! );
//!
//! // The same over a link that loses a tenth of everything.
//! Seeds::up_to(20).run(|seed| {
//!     assert_repeatable(|| {
//!         let mut network = Network::new(seed);
//!         network.link_all(Link::rough(0.1));
//!         network.add("registrar", ["udp:192.0.2.9:5060"], registrar);
//!         let alice = network.add("alice", ["udp:192.0.2.1:5060"], |listeners| Phone::new("alice", listeners));
//!         network.with(alice, |phone, _| {
//!             let register = phone.request("REGISTER", "sip:ims.example");
//!             phone.send(register, "udp:192.0.2.9:5060");
//!         });
//!         network.settle();
//!         network.trace().hash()
//!     });
//! });
//! ```

mod bind;
mod clock;
mod corrupt;
mod draft;
mod ladder;
mod link;
mod log;
mod names;
mod network;
mod phone;
#[cfg(test)]
mod relay;
mod sdp;
mod seeds;
mod trace;

pub use bind::Bind;
pub use clock::Clock;
pub use draft::{Draft, HOME, request, response};
pub use ladder::{Failure, Fault, Ladder};
pub use link::Link;
pub use log::{Log, Said};
pub use names::NameServer;
pub use network::{Host, Network};
pub use phone::{Heard, News, NothingToSend, Phone};
pub use sdp::{sdp_answer, sdp_offer, sdp_offer_at};
pub use seeds::{Seeds, assert_repeatable};
pub use trace::{Endpoint, Sent, Trace};
