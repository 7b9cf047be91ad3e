//! Everything that one user agent can prove: passwords and cards, each for its realm (RFC 3261 §22.1, §22.3).

use std::fmt;
use std::sync::Arc;

use super::Asks;
use super::aka::{AkaAnswer, AkaChallenge, AkaLogin};
use super::client::Login;
use super::question::{Question, Unanswerable, asked_by, chosen};
use super::session::Session;
use crate::header::Credentials;
use crate::message::Response;

/// A USIM or ISIM: what answers the challenges of AKA (TS 33.102 §6.3.3). CK and IK stay with whoever owns it. It is asked
/// in the midst of other work and may not wait.
///
/// ```
/// use imscore_sip::auth::{AkaAnswer, AkaChallenge, AkaKeys, AkaResponse, Usim};
/// use imscore_sip::ua::Config;
///
/// struct Card;
/// impl Usim for Card {
///     fn authenticate(&self, challenge: &AkaChallenge) -> AkaAnswer {
///         // A real one runs its algorithm over RAND, and AUTN tells it that the network knows its key.
///         if challenge.autn != [7; 16] {
///             return AkaAnswer::MacFailure;
///         }
///         AkaAnswer::Response { res: AkaResponse::new([1; 8]), keys: AkaKeys { ck: [2; 16], ik: [3; 16] } }
///     }
/// }
///
/// fn with_card(config: Config) -> Config {
///     config.with_usim("alice@ims.example", "ims.example", Card)
/// }
/// ```
pub trait Usim: Send + Sync {
    /// Answers a challenge; each one is asked once.
    fn authenticate(&self, challenge: &AkaChallenge) -> AkaAnswer;
}

impl<F: Fn(&AkaChallenge) -> AkaAnswer + Send + Sync> Usim for F {
    fn authenticate(&self, challenge: &AkaChallenge) -> AkaAnswer {
        self(challenge)
    }
}

/// Passwords and cards, each for its realm. The first is that of the home network.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logins(Vec<Secret>);

#[derive(Clone)]
enum Secret {
    Password(Login),
    Card(AkaLogin, Arc<dyn Usim>),
}

impl Logins {
    /// Adds a password, in place of an earlier one for the same realm.
    pub(crate) fn add_password(&mut self, login: Login) {
        self.add(Secret::Password(login));
    }

    /// Adds a card, in place of an earlier one for the same realm.
    pub(crate) fn add_card(&mut self, login: AkaLogin, usim: Arc<dyn Usim>) {
        self.add(Secret::Card(login, usim));
    }

    fn add(&mut self, secret: Secret) {
        match self.0.iter_mut().find(|other| other.is_like(&secret)) {
            Some(other) => *other = secret,
            None => self.0.push(secret),
        }
    }

    /// True where that is the realm of the home network.
    pub(crate) fn is_home(&self, realm: &str) -> bool {
        self.0.first().is_some_and(|secret| secret.is_for(realm))
    }

    /// Who a REGISTER says it is from before there is a challenge, where a card is to be asked: otherwise the network could
    /// not know which (TS 24.229 §5.1.1.2.2).
    pub(crate) fn introduction(&self, uri: &str) -> Option<Credentials> {
        let card = self.0.iter().find_map(|secret| match secret {
            Secret::Card(login, _) => Some(login),
            Secret::Password(_) => None,
        })?;
        Some(card.introduction(uri))
    }

    /// What answers a 401 or 407: for each realm, as a server's and as a proxy's, the strongest challenge that there is a
    /// password or card for and that `may` be answered. No challenge is answered in place of a forged one.
    pub(crate) fn sessions(
        &self,
        response: &Response,
        may: impl Fn(Asks, &Question<'_>) -> bool,
    ) -> Result<Vec<(Asks, Session)>, Unanswerable> {
        let challenges = asked_by(response);
        let chosen = chosen(&challenges, |asks, question| {
            let known = self.0.iter().map(|secret| secret.can_answer(question)).reduce(Result::or);
            known.unwrap_or(Err(Unanswerable::Realm))?;
            if may(asks, question) { Ok(()) } else { Err(Unanswerable::Rejected) }
        })?;
        chosen.into_iter().map(|(asks, question)| Ok((asks, self.session(&question)?))).collect()
    }

    fn session(&self, question: &Question<'_>) -> Result<Session, Unanswerable> {
        match self.0.iter().find(|secret| secret.can_answer(question).is_ok()).ok_or(Unanswerable::Realm)? {
            Secret::Password(login) => login.session(question),
            Secret::Card(login, usim) => {
                login.session(question, |challenge| usim.authenticate(challenge)).map(|(session, _)| session)
            }
        }
    }
}

impl Secret {
    fn is_like(&self, other: &Secret) -> bool {
        match (self, other) {
            (Secret::Password(own), Secret::Password(other)) => own.realm() == other.realm(),
            (Secret::Card(own, _), Secret::Card(other, _)) => own.realm() == other.realm(),
            (Secret::Password(_), Secret::Card(..)) | (Secret::Card(..), Secret::Password(_)) => false,
        }
    }

    fn is_for(&self, realm: &str) -> bool {
        match self {
            Secret::Password(login) => login.realm().is_none_or(|own| own == realm),
            Secret::Card(login, _) => login.realm() == realm,
        }
    }

    fn can_answer(&self, question: &Question<'_>) -> Result<(), Unanswerable> {
        match self {
            Secret::Password(login) => login.can_answer(question),
            Secret::Card(login, _) => login.can_answer(question),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Password(login) => login.fmt(f),
            Secret::Card(login, _) => login.fmt(f),
        }
    }
}
