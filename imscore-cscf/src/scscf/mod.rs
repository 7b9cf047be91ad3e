//! S-CSCF: registers users, and serves their requests and those for them (TS 24.229 §5.4).
//!
//! | procedure | file |
//! | --- | --- |
//! | registration, §5.4.1.2, §5.4.1.4 | `registration.rs` |
//! | challenge and answer, §5.4.1.2.1 to §5.4.1.2.3 | `authentication.rs`, `challenges.rs` |
//! | requests of the served user, §5.4.3.2 | `originating.rs` |
//! | requests for the served user, §5.4.3.3 | `terminating.rs` |
//! | what ends by itself or by the HSS, §5.4.1.5 | `background.rs` |
//!
//! All it knows of users is in a [`StateStore`], so each S-CSCF that shares the store serves each user.
//!
//! ```
//! # use std::sync::Arc;
//! use imscore_cscf::Node;
//! use imscore_cscf::scscf::{Scscf, Settings};
//! use imscore_hss::Hss;
//! use imscore_hss::state::{Clock, MemoryState};
//!
//! let hss = Arc::new(Hss::with_subscribers([], [0; 32])?);
//! let store = Arc::new(MemoryState::new(Clock::new(0), 7));
//! let settings = Settings::new("scscf.ims.example", "icscf.ims.example");
//! let node = Node::default().role("scscf.ims.example", Scscf::new(settings, hss, store)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authentication;
mod background;
mod challenges;
mod originating;
mod registration;
mod terminating;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use imscore_hss::state::{StateError, StateStore};
use imscore_hss::{HssCache, HssError, NameError, ServerName};
use imscore_sip::auth::Algorithm;
use imscore_sip::header::{HeaderError, RecordRoute};
use imscore_sip::transport::Side;
use imscore_sip::uri::SipUri;
use imscore_sip::{ByteString, Method, Request, Response, StatusCode};

use crate::ask::ask;
use crate::call::{Call, Origin};
use crate::registration::{ChangeError, RegisterError, Registrations, StoreError, Terms};
use crate::role::{Decision, Refused, Role, Verdict};
use crate::routing::is_originating;

use background::LostFlows;
use challenges::{ChallengeStore, Times};

/// Settings of an S-CSCF.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Its name in Service-Route and Record-Route, as the node knows it: `scscf.ims.example`.
    pub name: ByteString,
    /// The I-CSCF, which finds who is called.
    pub entry_point: ByteString,
    /// Domains whose users are ours.
    pub home_domains: Vec<ByteString>,
    /// Hosts of the core, each with a port or for any: no phone is there, so no Contact may say so.
    pub core: Vec<ByteString>,
    /// Seconds that a registration holds where the phone asks for nothing, and at most.
    pub expires: u32,
    /// Shorter registrations get 423, in seconds.
    pub min_expires: u32,
    /// Contacts of one registration set.
    pub max_bindings: usize,
    /// How long an answer to a challenge may take: reg-await-auth, TS 24.229 table 7.8.1.
    pub challenge_life: Duration,
    /// How long a nonce that was answered is good for refreshes.
    pub nonce_life: Duration,
    /// Algorithms that it challenges with, in this order. Phones of RFC 2617 know MD5 alone, and some give up when they see
    /// another one beside it.
    pub algorithms: Vec<Algorithm>,
    /// Algorithms that it challenges USIMs with, in this order (RFC 3310, RFC 4169). A phone that knows only the first
    /// version may give up when it sees the second beside it.
    pub aka_algorithms: Vec<Algorithm>,
    /// After this long without an answer HSS or store count as unreachable.
    pub timeout: Duration,
}

impl Settings {
    /// The defaults for an S-CSCF of this name: its domain is home.
    pub fn new(name: impl Into<ByteString>, entry_point: impl Into<ByteString>) -> Settings {
        let name = name.into();
        let home: ByteString = name.split_once('.').map_or(name.as_ref(), |(_, network)| network).into();
        Settings {
            name,
            entry_point: entry_point.into(),
            home_domains: vec![home],
            core: Vec::new(),
            expires: 3_600,
            min_expires: 60,
            max_bindings: 10,
            challenge_life: Duration::from_secs(240),
            nonce_life: Duration::from_secs(7_200),
            algorithms: vec![Algorithm::Md5],
            aka_algorithms: vec![Algorithm::AkaV1Md5],
            timeout: Duration::from_secs(4),
        }
    }
}

/// The S-CSCF role.
pub struct Scscf {
    settings: Settings,
    /// What the HSS knows it by.
    server_name: ServerName,
    /// Its own URI as a hop.
    own: SipUri,
    /// The I-CSCF as a hop.
    entry_point: SipUri,
    hss: Arc<dyn HssCache>,
    registrations: Registrations,
    challenges: ChallengeStore,
    lost_flows: LostFlows,
}

impl Scscf {
    /// An S-CSCF on this HSS, with its state in this store.
    ///
    /// # Errors
    /// A name, its own or the I-CSCF's, that makes no SIP URI.
    pub fn new(settings: Settings, hss: Arc<dyn HssCache>, store: Arc<dyn StateStore>) -> Result<Scscf, NameError> {
        let times =
            Times { await_auth: settings.challenge_life, answered: settings.nonce_life, timeout: settings.timeout };
        Ok(Scscf {
            server_name: format!("sip:{}", settings.name).parse()?,
            own: hop(&settings.name)?,
            entry_point: hop(&settings.entry_point)?,
            hss,
            registrations: Registrations::new(store.clone(), settings.timeout),
            challenges: ChallengeStore::new(store, times),
            lost_flows: LostFlows::default(),
            settings,
        })
    }

    async fn ask<T>(
        &self,
        call: &Call,
        question: impl Future<Output = Result<T, HssError>> + Send,
    ) -> Result<T, HssError> {
        ask(call, self.settings.timeout, question).await
    }

    fn terms(&self) -> Terms {
        Terms {
            longest: Duration::from_secs(self.settings.expires.into()),
            shortest: Duration::from_secs(self.settings.min_expires.into()),
            bindings: self.settings.max_bindings,
        }
    }

    /// Stays on the way of a dialog (TS 24.229 §5.4.3.2, §5.4.3.3).
    fn record_route(&self, request: &mut Request) {
        let sets_up = [Method::Invite, Method::Subscribe, Method::Refer, Method::Notify];
        if sets_up.iter().any(|method| request.is(method)) {
            request.headers.push_front(&RecordRoute::new(self.own.clone()));
        }
    }
}

#[async_trait]
impl Role for Scscf {
    async fn on_request(&self, call: &mut Call, request: Request) -> Result<Decision, Refused> {
        // It serves the trust domain only (I19).
        if matches!(call.origin(), Origin::Peer { side: Side::Access, .. }) {
            return Err(StatusCode::FORBIDDEN.into());
        }
        let served = if request.is(&Method::Register) {
            self.register(call, request).await
        } else if call.route().is_some_and(is_originating) {
            self.originate(call, request).await
        } else {
            self.terminate(call, request).await
        };
        served.map_err(Refused::from)
    }

    fn on_response(&self, call: &mut Call, response: Response) -> Verdict {
        self.forked_answered(call, response)
    }

    async fn run(&self, call: &mut Call) {
        self.run_background(call).await;
    }
}

fn hop(name: &str) -> Result<SipUri, NameError> {
    let uri = SipUri::new(name).map_err(|_| NameError::Scheme)?;
    Ok(uri.with_param("lr", None))
}

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Failure {
    /// The request is refused as it is.
    #[error("{0}")]
    Status(StatusCode),
    #[error(transparent)]
    Register(#[from] RegisterError),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(transparent)]
    Hss(#[from] HssError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<StatusCode> for Failure {
    fn from(status: StatusCode) -> Failure {
        Failure::Status(status)
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Refused {
        let status = match failure {
            Failure::Status(status) => status,
            Failure::Register(error) => return error.into(),
            Failure::Header(_) => StatusCode::BAD_REQUEST,
            Failure::Change(ChangeError::TooBrief { shortest }) => {
                return Refused::new(StatusCode::INTERVAL_TOO_BRIEF)
                    .with("Min-Expires", shortest.as_secs().to_string());
            }
            Failure::Change(ChangeError::TooMany) => StatusCode::FORBIDDEN,
            Failure::Change(ChangeError::OutOfOrder) => StatusCode::SERVER_INTERNAL_ERROR,
            Failure::Hss(HssError::Unreachable) => StatusCode::SERVER_TIMEOUT,
            // Not 503: to the I-CSCF that is an S-CSCF that cannot be reached, and another one would ask the same HSS.
            Failure::Hss(HssError::Busy { retry_after }) => {
                let refused = Refused::new(StatusCode::SERVER_INTERNAL_ERROR);
                let seconds = retry_after.map_or(1, |time| time.as_secs().max(1));
                return refused.with("Retry-After", seconds.to_string());
            }
            Failure::Hss(
                HssError::Unknown
                | HssError::Forbidden(_)
                | HssError::SchemeNotSupported
                // AUTS that no USIM of the subscription made.
                | HssError::Resynchronisation,
            ) => StatusCode::FORBIDDEN,
            Failure::Hss(
                HssError::NotRegistered
                | HssError::AlreadyRegistered { .. }
                | HssError::AssignmentType
                | HssError::NotAssigned
                | HssError::TooManyIdentities
                | HssError::MissingIdentity
                | _,
            ) => StatusCode::SERVER_INTERNAL_ERROR,
            Failure::Store(StoreError::State(StateError::Unreachable)) => StatusCode::SERVER_TIMEOUT,
            Failure::Store(
                StoreError::State(StateError::Full | StateError::Busy | _)
                | StoreError::Unreadable(_)
                | StoreError::Contended,
            ) => StatusCode::SERVER_INTERNAL_ERROR,
        };
        status.into()
    }
}
