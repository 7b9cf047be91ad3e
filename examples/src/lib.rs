//! What the programs of this package have in common: settings, flags, HTTP, metrics.

pub mod cli;
pub mod core;
pub mod http;
pub mod metrics;
pub mod settings;
