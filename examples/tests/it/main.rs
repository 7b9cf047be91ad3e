//! The programs' own parts, without a socket.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod core;
mod diameter_names;
mod hss;
mod hss_process;
mod hss_sizes;
mod http;
mod phones;
