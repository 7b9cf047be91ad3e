//! Traces: what an engine was given and gave out, as values that are lines of JSON.
//!
//! An [`Observer`] writes [`Record`]s: each message with its way and time, each step of a transaction and of a dialog, lost
//! flows, bytes that were no message. [`Traced`] is an engine with its observer, as one engine; the driver has one of its own
//! (`tokio::Settings::trace`, `tokio::TraceFile`). Whoever does not trace pays nothing for it.
//!
//! What says who somebody is stands in a record as a hash, the same wherever it appears, and bodies are left out, unless
//! [`Observer::plain`] is asked for. A [`Ladder`] draws records, as text and as SVG.
//!
//! ```
//! use imscore_sip::proxy;
//! use imscore_sip::testing::{Network, Phone};
//! use imscore_sip::trace::{Ladder, Observer, Record, Traced};
//!
//! let mut network = Network::new(1);
//! let now = network.now();
//! let (lines, written) = std::sync::mpsc::channel();
//! network.add("uas", ["udp:192.0.2.9:5060"], |listeners| {
//!     let observer = Observer::new("uas", &listeners, move |record| drop(lines.send(record.to_json())));
//!     let phone = Phone::new("uas", listeners).behaving(|phone, _, _| {
//!         if let Ok(ok) = phone.response(200, Some("OPTIONS")) {
//!             phone.reply(ok);
//!         }
//!     });
//!     Traced::new(phone, observer, now)
//! });
//! let alice = network.add("alice", ["udp:192.0.2.1:5060"], |listeners| Phone::new("alice", listeners));
//! network.with(alice, |phone, _| {
//!     let options = phone.request("OPTIONS", "sip:uas@192.0.2.9");
//!     phone.send(options, "udp:192.0.2.9:5060");
//! });
//! network.settle();
//!
//! let records: Vec<Record> = written.try_iter().map(|line| Record::from_json(&line)).collect::<Result<_, _>>()?;
//! let ladder = Ladder::of(&records).to_string();
//! assert!(ladder.contains("OPTIONS"), "{ladder}");
//! assert!(ladder.contains("200 OK"), "{ladder}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod dialogs;
mod ladder;
mod observer;
mod record;
mod svg;
#[cfg(test)]
mod tests;
mod traced;

pub use dialogs::DialogStep;
pub use ladder::Ladder;
pub use observer::Observer;
pub use record::{Direction, Event, Message, Raw, Record, RecordError, Way};
pub use traced::Traced;
