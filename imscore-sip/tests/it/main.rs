//! Tests of the crate from outside.

#![allow(clippy::unwrap_used)]

mod allocations;
mod edits;
mod messages;
mod torture;

mod values;
