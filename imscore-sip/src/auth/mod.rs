//! Digest: who may prove a password, and how (RFC 3261 §22, RFC 7616, RFC 8760; RFC 2617 for phones without `qop`).
//!
//! The parts stand by themselves. [`Answer::verify`] judges one answer against one challenge and is a pure function,
//! for an S-CSCF that keeps challenges in its store. [`Nonces`] makes challenges that need not be kept, and a
//! [`ReplayGuard`] sees to it that each answer is taken once. [`Authenticator`] is the three together, for a registrar or
//! a proxy; [`Login`] is the other side. Where a USIM takes the place of the password, [`AkaChallenge`] is what it is asked
//! and [`AkaLogin`] who answers; a user agent has a [`Usim`].

mod aka;
mod algorithm;
mod client;
mod logins;
mod nonce;
mod question;
mod server;
mod session;
mod verify;

use crate::message::StatusCode;

pub use aka::{AkaAnswer, AkaChallenge, AkaKeys, AkaLogin, AkaResponse, aka_ha1};
pub use algorithm::{Algorithm, Ha1, Qop, ha1};
pub use client::Login;
pub(crate) use logins::Logins;
pub use logins::Usim;
pub use nonce::{Nonce, NonceUse, Nonces, ReplayGuard};
pub use question::{Question, Unanswerable};
pub use server::{Authenticator, Claim};
pub(crate) use session::Session;
pub use verify::{Answer, Expected, Verified};

/// Who asks, and so by which headers: 401 and Authorization, or 407 and Proxy-Authorization (RFC 3261 §22.2, §22.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// A registrar or user agent server.
    Server,
    /// A proxy.
    Proxy,
}

/// Why a request is not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// There are no credentials for the realm.
    #[error("no credentials for the realm")]
    Missing,
    /// There are credentials, but no answer in them yet.
    #[error("credentials without an answer")]
    Unanswered,
    /// The credentials are not what their grammar allows.
    #[error("malformed credentials")]
    Malformed,
    /// The answer was computed by an algorithm that was not offered.
    #[error("algorithm was not offered")]
    UnsupportedAlgorithm,
    /// The answer has a protection that was not offered, or none where one is needed.
    #[error("quality of protection was not offered")]
    UnsupportedQop,
    /// The answer is to a challenge that is not ours.
    #[error("nonce is not ours")]
    ForeignNonce,
    /// The answer is right, and the nonce is too old.
    #[error("nonce is stale")]
    Stale,
    /// The answer is right, and was taken before.
    #[error("nonce count was used before")]
    Replayed,
    /// The digest-uri is not the one that was asked for.
    #[error("digest-uri is not the request's")]
    WrongUri,
    /// Nobody has this name.
    #[error("user is unknown")]
    UnknownUser,
    /// The answer is wrong.
    #[error("password is wrong")]
    WrongPassword,
}

/// What a request that was denied gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A new challenge. `stale`: the password was right, nobody need be asked for it again (RFC 7616 §3.3).
    Challenge {
        /// The directive of that name.
        stale: bool,
    },
    /// This status.
    Refuse(StatusCode),
}

impl Denied {
    /// What the request gets: a challenge where a right answer may follow, 400 for what cannot be read, and 403 for
    /// a wrong password, the same as for an unknown user, so that no one learns who exists.
    pub fn remedy(self) -> Remedy {
        match self {
            Denied::Missing
            | Denied::Unanswered
            | Denied::UnsupportedAlgorithm
            | Denied::UnsupportedQop
            | Denied::ForeignNonce => Remedy::Challenge { stale: false },
            Denied::Stale | Denied::Replayed => Remedy::Challenge { stale: true },
            Denied::Malformed | Denied::WrongUri => Remedy::Refuse(StatusCode::BAD_REQUEST),
            Denied::UnknownUser | Denied::WrongPassword => Remedy::Refuse(StatusCode::FORBIDDEN),
        }
    }
}
