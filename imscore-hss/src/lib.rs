//! The HSS side of an IMS core: what a CSCF asks an HSS, an HSS that answers in process, and the store of state that
//! nodes share.
//!
//! ```text
//!  a CSCF ──▶ HssCache ──┬──▶ Hss ──▶ SubscriberStore                in process
//!             four       └──▶ cx ──▶ diameter ──▶ peer ──▶ bytes     an HSS elsewhere
//!  a CSCF ◀── questions, HssEvents ◀──┘
//!  a CSCF ──▶ StateStore: bytes, version, deadline                   what outlives a message
//! ```
//!
//! * [`HssCache`] is the Cx reference point as a trait: four questions, and a stream of events. CSCFs are written
//!   against it and do not know who answers.
//! * [`Hss`] answers from a [`SubscriberStore`]: [`MemorySubscribers`], or `tokio::RedbSubscribers` on disk (feature
//!   `redb`).
//! * [`diameter`], [`peer`] and [`cx`] speak Cx on the wire; `tokio::CxHss` asks an HSS elsewhere, `tokio::serve_cx`
//!   answers for one.
//! * [`ProfileCache`] remembers what an HSS elsewhere said of users.
//! * [`state::StateStore`] keeps registrations and whatever else must outlive a message.
//!
//! # The contract
//!
//! Nothing here reads a clock, opens a socket or needs a runtime, except what is in the folder `tokio` (feature `tokio`,
//! on by default). The traits are async and name no runtime. [`peer::Peers`], the Diameter node, is an engine: one input
//! with the time, then `poll_output` until it says `Wait`. A store's time is that of its own [`state::Clock`], which whoever
//! drives it moves. Randomness is a seed that is given.
//!
//! # What it follows, and what shows it
//!
//! | specification | shown by |
//! | --- | --- |
//! | TS 29.228 §6: the four questions of Cx, and what the HSS announces | `src/hss/tests.rs`, `src/cx/server.rs`, `src/tokio/cx/tests.rs` |
//! | TS 29.229 §6: the twelve commands of Cx | `src/cx/tests.rs` |
//! | TS 29.228 annexes B to E: user profiles, as XML and as values | `src/subscription/user_data/tests.rs` |
//! | TS 24.229 §5.4.1.2.2F: an HSS elsewhere is told again | `src/profiles/tests.rs` |
//! | TS 33.102 §6.3 and annex C, TS 35.206, TS 35.231: vectors, sequence numbers | `src/vector/tests.rs`, `src/hss/sequence.rs` |
//! | RFC 7616: HA1 of passwords | `src/subscription/digest.rs` |
//! | RFC 6733: messages, AVPs, faults | `src/diameter` |
//! | RFC 6733 §2.1, §5, §6: peers, election, failover, redirection | `src/peer/tests.rs`, `src/tokio/diameter/tests.rs` |
//! | RFC 6733 §5.2, RFC 6408: peers found by name | `src/peer/discovery/tests.rs`, `src/peer/tests/found.rs` |
//! | RFC 3539 §3.4: watchdogs | `src/peer/watchdog.rs` |
//! | RFC 7683: overload reports | `src/peer/overload.rs` |
//! | what every store does | `src/store/contract.rs`, `src/state` |
//!
//! # A first look
//!
//! ```
//! use imscore_hss::{
//!     AssignmentType, Credentials, DigestCredentials, Hss, HssCache, LocationInfo, LocationInfoRequest, PrivateIdentity,
//!     PublicIdentity, ServerAssignmentRequest, ServerName, Subscription,
//! };
//!
//! # futures_executor::block_on(async {
//! let private: PrivateIdentity = "alice@ims.example".parse()?;
//! let public: PublicIdentity = "sip:alice@ims.example".parse()?;
//! let secret = Credentials::Digest(DigestCredentials::from_password(&private, "ims.example", "secret")?);
//! # let random = [7; 32];
//! let hss = Hss::with_subscribers([Subscription::new(private.clone(), [public.clone()], secret)?], random)?;
//!
//! // An S-CSCF has authenticated Alice and takes her.
//! let scscf: ServerName = "sip:scscf.ims.example".parse()?;
//! let request = ServerAssignmentRequest::new(private, public.clone(), scscf.clone(), AssignmentType::Registration);
//! let profile = hss.server_assignment(&request).await?.profile.ok_or("no profile")?;
//! assert_eq!(profile.default_identity(), Some(&public));
//!
//! // From now on calls for her go there.
//! let location = hss.location_info(&LocationInfoRequest::new(public)).await?;
//! assert_eq!(location, LocationInfo::Scscf(scscf));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod cache;
pub mod cx;
pub mod diameter;
mod error;
mod events;
mod hss;
mod identity;
mod name;
pub mod peer;
mod profiles;
pub mod state;
mod store;
mod subscription;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "serde")]
mod text_forms;
#[cfg(feature = "tokio")]
pub mod tokio;
pub mod vector;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use cache::{
    AssignmentType, AuthScheme, AuthorizationType, HssCache, LocationInfo, LocationInfoRequest, MultimediaAuth,
    MultimediaAuthRequest, Resynchronisation, ServerAssignment, ServerAssignmentRequest, UserAuthorization,
    UserAuthorizationRequest,
};
pub use error::{HssError, Refusal};
pub use events::{HssEvent, HssEventSource, HssEvents, PushProfile, RegistrationTermination, TerminationReason};
pub use hss::{Assignment, AssignmentState, Hss, ScscfNodes};
pub use identity::{IdentityError, MAX_PRIVATE_IDENTITY, MAX_PUBLIC_IDENTITY, PrivateIdentity, PublicIdentity, Scheme};
pub use name::{MAX_NAME, NameError, ServerName, VisitedNetwork};
pub use profiles::{ProfileCache, ProfileTimes};
pub use store::{Listed, MAX_PAGE, MemorySubscribers, Provision, Put, StoreError, SubscriberStore, Written};
pub use subscription::{
    ApplicationServer, Capabilities, ChargingAddresses, Condition, Credentials, DefaultHandling, DigestAlgorithm,
    DigestCredentials, DigestError, ExtendedPriority, Ha1, IdentityExtension, IdentityKind, InitialFilterCriteria,
    MAX_PRIVATE_IDENTITIES, MAX_PUBLIC_IDENTITIES, MAX_USER_DATA, NormalForm, ProfileIdentity, ProfilePart, Qop,
    ReadProfile, RegistrationType, Roaming, ServicePointTrigger, ServiceProfile, SessionCase, Subscription,
    SubscriptionError, TriggerPoint, UserDataError, UserProfile, WildcardedIdentity,
};

/// Its examples are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// A panic while a lock was held left whole values behind: what is done under a lock here does not stop half way.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
