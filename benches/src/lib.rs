//! Parser benchmarks and the load rig of imscore: how to run and read them is in `README.md` beside this crate.

pub mod callgrind;
pub mod cx;
pub mod growth;
pub mod messages;
pub mod parsers;
pub mod stats;
