//! Tests of the crate from outside.

#![allow(clippy::unwrap_used)]

mod agents;
mod allocations;
mod edits;
mod flows;
mod messages;
#[cfg(feature = "tokio")]
mod phones;
mod threats;
mod torture;
mod trace;
mod values;
