//! What the programs of this package have in common: settings, flags, HTTP, metrics, subscribers.

use std::time::Duration;

pub mod cli;
pub mod core;
pub mod hss;
pub mod http;
pub mod metrics;
pub mod names;
pub mod program;
pub mod settings;
pub mod subscribers;

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}

fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(number.into())
}
