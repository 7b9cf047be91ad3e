//! Roles, nodes and the whole core in virtual time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod aka;
mod announcements;
mod bgcf;
mod core;
mod faults;
mod node;
mod outbound;
mod rough;
mod sharing;
mod sockets;
mod threats;
