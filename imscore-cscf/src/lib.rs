//! IMS call session control: roles behind one proxy core.

mod ask;
mod call;
pub mod icscf;
mod identity;
mod node;
pub mod pcscf;
mod registration;
mod role;
mod routing;
pub mod scscf;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(test)]
mod trial;

pub use call::{Call, Elapsed, Origin, SendError};
pub use node::{Counters, Drain, Listen, Node, Settings, Worker};
pub use role::{Decision, Event, Refused, Role, Target, Targets, Verdict};
