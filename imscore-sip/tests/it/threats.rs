//! Attacks that broken servers have known, one test for each row of the table in THREATS.md: what a proxy and a user
//! agent do with one datagram after the other, in virtual time.

mod denial;
mod descriptions;
mod parsing;
mod rig;
mod sessions;
