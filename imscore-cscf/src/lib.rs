//! IMS call session control: P-CSCF, I-CSCF and S-CSCF as roles behind one proxy core, and a trait to write other roles.
//!
//! ```text
//!            ┌──────────────────── a Worker, built from a Node ──────────────────────┐
//!  bytes ──▶ transaction ──▶ proxy core ──▶ Role ──▶ proxy core ──▶ Role ──▶ … ──▶ bytes
//!            │  (RFC 3261 §16)  request │    ▲ Decision                               │
//!            │                   ask ◀──┘    └── answer     HssCache · StateStore     │
//!            └──────────────────────────────────────────────────────────────────────────┘
//!  the driver: sockets and clocks           imscore_cscf::tokio, or yours
//! ```
//!
//! # The contract
//!
//! A [`Worker`] is an [`imscore_sip::Engine`] and keeps that contract: one input with the time, then `poll_output` until it
//! says `Wait`. A [`Role`] is async code that names no runtime: the worker polls its futures, and each has a waker of its
//! own. Whoever drives a worker by hand gives it the waker of its thread or task. The same [`Node`] runs under sockets
//! and in virtual time, where one seed gives one trace.
//!
//! # Where to begin
//!
//! - to run a core: [`Node`] with [`pcscf`], [`icscf`] and [`scscf`], under `tokio::serve` (feature `tokio`)
//! - to write a network function: [`Role`], which says what becomes of a request ([`Decision`]) and of a response
//!   ([`Verdict`]) with a [`Call`] in its hands
//! - to test either: `imscore_sip::testing`, with the node's [`Worker`] as the engine
//!
//! # What it follows, and what shows it
//!
//! | specification | shown by |
//! | --- | --- |
//! | TS 24.229 §5.2.2, §5.2.6, §5.2.8: P-CSCF | `tests/it/core.rs`, `tests/it/faults.rs` |
//! | TS 24.229 §5.3.1, §5.3.2, TS 29.228 §6.1.1: I-CSCF | `src/icscf/tests.rs` |
//! | TS 24.229 §5.4.1, §5.4.3, TS 29.228 §6.1.2: S-CSCF | `src/scscf/tests`, `tests/it/core.rs` |
//! | RFC 3261 §10.3, RFC 5626 §6: bindings of a registrar | `src/registration/bindings.rs`, `src/registration/request.rs` |
//! | RFC 3261 §22, RFC 7616: the challenge and its answer | `src/scscf/tests/registration.rs` |
//! | RFC 3325, RFC 7315: trust domain, P-headers | `src/identity/mod.rs`, `tests/it/core.rs` |
//! | RFC 3327, RFC 3608, RFC 5626 §5: Path, Service-Route, flow tokens | `src/pcscf/token.rs`, `tests/it/core.rs` |
//! | RFC 5626 §9.2 to §9.4: two edge proxies, of which one fails | `tests/it/outbound.rs` |
//! | TS 29.228 annexes B, C, F: filter criteria | `src/services/criteria.rs`, `src/pattern.rs` |
//! | TS 24.229 §5.6: BGCF | `tests/it/bgcf.rs`, `src/bgcf/routes.rs` |
//! | RFC 6116, RFC 3402: ENUM | `src/numbers/lookup.rs`, `src/numbers/naptr.rs` |
//! | RFC 3261 §16 with roles in between | `tests/it/node.rs` |
//! | what strangers and phones may not do | `tests/it/threats.rs` |
//! | links that lose, double and reorder | `tests/it/rough.rs` |

mod ask;
pub mod bgcf;
mod call;
pub mod icscf;
mod identity;
mod node;
pub mod numbers;
mod pattern;
pub mod pcscf;
mod registration;
mod role;
mod routing;
pub mod scscf;
pub mod services;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(test)]
mod trial;

pub use call::{Call, Elapsed, Origin, SendError};
pub use node::{Counters, Drain, Listen, Node, Settings, Worker};
pub use role::{Decision, Event, Refused, Role, Target, Targets, Verdict};

/// Its examples are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
