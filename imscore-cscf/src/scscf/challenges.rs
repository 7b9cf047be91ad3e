//! Challenges that were given, and the nonces that were answered, in the state store: any S-CSCF of a pool can judge the
//! answer to what another one asked.
//!
//! One record is all challenges of one private identity. It is bounded, so a flood of REGISTERs of one user costs nobody
//! else; and it comes into being only once the HSS has said that the user exists (D17).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use imscore_hss::state::fields::{Reader, Unreadable, Writer};
use imscore_hss::state::{Claim, Key, Record, StateStore, Swap, Table, Version, Write};
use imscore_hss::{PrivateIdentity, PublicIdentity, ServerName};
use imscore_sip::auth::{Algorithm, Answer, Denied, Expected, Ha1, Qop};
use imscore_sip::{ByteString, Method, Request};

use crate::ask::ask;
use crate::call::Call;
use crate::registration::StoreError;

const TABLE: Table = Table::new("challenge");

/// Nonces that one private identity has at most: phones that share it, and refreshes of each.
const MAX_NONCES: usize = 8;

/// How often a change starts again because another node was faster.
const ATTEMPTS: usize = 16;

/// For how long work that has fallen due is one node's.
const LEASE: Duration = Duration::from_secs(30);

/// The protection of an answer: `auth`, or none, as phones that only know RFC 2069 have it.
const QOP: &[Qop] = &[Qop::Auth, Qop::Absent];

/// Challenges in a [`StateStore`].
pub(super) struct ChallengeStore {
    store: Arc<dyn StateStore>,
    times: Times,
}

/// How long things last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// A challenge without an answer: reg-await-auth of TS 24.229 table 7.8.1.
    pub(super) await_auth: Duration,
    /// A nonce that was answered: further answers with higher counts are taken so long.
    pub(super) answered: Duration,
    /// After this long without an answer the store counts as unreachable.
    pub(super) timeout: Duration,
}

/// All challenges of one private identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenges {
    /// The S-CSCF that challenged.
    pub(super) server_name: ServerName,
    pub(super) private_identity: PrivateIdentity,
    realm: String,
    /// H(A1) by passwords, for each algorithm that was offered, as the HSS said last.
    secrets: Secrets,
    /// In order, the last at the end.
    nonces: Vec<Nonce>,
}

/// H(A1), in hexadecimal, by algorithm.
pub(super) type Secrets = Vec<(Algorithm, ByteString)>;

/// One challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Nonce {
    nonce: ByteString,
    /// Whom it was for: an answer is good for nobody else (I5).
    public_identity: PublicIdentity,
    /// H(A1) by the authentication vector that it came from: good for this challenge and no other. None where a password
    /// answers it.
    secrets: Secrets,
    /// The highest nonce count that was taken; 0 where there was no answer yet.
    taken: u32,
    remaining: Duration,
}

/// Tags of a record.
mod record {
    pub(super) const SERVER_NAME: u8 = 1;
    pub(super) const PRIVATE_IDENTITY: u8 = 2;
    pub(super) const REALM: u8 = 3;
    pub(super) const SECRET: u8 = 4;
    pub(super) const NONCE: u8 = 5;
}

/// Tags of a secret.
mod secret {
    pub(super) const ALGORITHM: u8 = 1;
    pub(super) const HA1: u8 = 2;
}

/// Tags of a nonce.
mod nonce {
    pub(super) const NONCE: u8 = 1;
    pub(super) const PUBLIC_IDENTITY: u8 = 2;
    pub(super) const TAKEN: u8 = 3;
    /// Milliseconds between its end and the record's, which the store counts.
    pub(super) const BEFORE_END: u8 = 4;
    pub(super) const SECRET: u8 = 5;
}

impl ChallengeStore {
    pub(super) fn new(store: Arc<dyn StateStore>, times: Times) -> ChallengeStore {
        ChallengeStore { store, times }
    }

    /// Judges an answer, and takes it: each count of a nonce is good for once, on whatever node (I3).
    ///
    /// The outer error is that the store cannot say.
    pub(super) async fn take(
        &self,
        call: &Call,
        private_identity: &PrivateIdentity,
        public_identity: &PublicIdentity,
        answer: &Answer<'_>,
        request: &Request,
    ) -> Result<Result<(), Denied>, StoreError> {
        let key = key(private_identity);
        let mut record = self.get(call, &key).await?;
        for _ in 0..ATTEMPTS {
            let Some(found) = &record else { return Ok(Err(Denied::ForeignNonce)) };
            let mut challenges = Challenges::decode(found)?;
            let judgement = challenges.judge(public_identity, answer, request, self.times.answered);
            if !matches!(judgement, Ok(()) | Err(Denied::WrongPassword)) {
                return Ok(judgement);
            }
            match self.write(call, &key, Some(found.version), &challenges).await? {
                Ok(()) => return Ok(judgement),
                Err(conflict) => record = conflict,
            }
        }
        Err(StoreError::Contended)
    }

    /// Keeps a challenge. The secrets take the place of earlier ones: a password that was changed is changed for every
    /// nonce.
    pub(super) async fn give(&self, call: &Call, challenge: &NewChallenge<'_>) -> Result<(), StoreError> {
        let key = key(challenge.private_identity);
        let mut record = self.get(call, &key).await?;
        for _ in 0..ATTEMPTS {
            let earlier = record.as_ref().map(Challenges::decode).transpose()?;
            let challenges = challenge.after(earlier, self.times.await_auth);
            match self.write(call, &key, record.as_ref().map(|record| record.version), &challenges).await? {
                Ok(()) => return Ok(()),
                Err(conflict) => record = conflict,
            }
        }
        Err(StoreError::Contended)
    }

    /// Takes a challenge back that a USIM did not answer. False where there is none such that waits for an answer: each is
    /// taken back once, on whatever node.
    pub(super) async fn withdraw(
        &self,
        call: &Call,
        private_identity: &PrivateIdentity,
        public_identity: &PublicIdentity,
        nonce: &str,
    ) -> Result<bool, StoreError> {
        let key = key(private_identity);
        let mut record = self.get(call, &key).await?;
        for _ in 0..ATTEMPTS {
            let Some(found) = &record else { return Ok(false) };
            let mut challenges = Challenges::decode(found)?;
            let waits = |entry: &Nonce| entry.taken == 0 && !entry.secrets.is_empty();
            let Some(at) = challenges.find(public_identity, nonce).filter(|at| waits(&challenges.nonces[*at])) else {
                return Ok(false);
            };
            challenges.nonces.remove(at);
            match self.write(call, &key, Some(found.version), &challenges).await? {
                Ok(()) => return Ok(true),
                Err(conflict) => record = conflict,
            }
        }
        Err(StoreError::Contended)
    }

    /// Forgets all challenges of a private identity, answered or not: its credentials may have changed.
    pub(super) async fn forget(&self, call: &Call, private_identity: &PrivateIdentity) -> Result<(), StoreError> {
        let key = key(private_identity);
        let mut record = self.get(call, &key).await?;
        for _ in 0..ATTEMPTS {
            let Some(found) = &record else { return Ok(()) };
            match ask(call, self.times.timeout, self.store.remove(&key, found.version)).await? {
                Swap::Done => return Ok(()),
                Swap::Conflict(conflict) => record = conflict,
            }
        }
        Err(StoreError::Contended)
    }

    /// Private identities with a challenge that nobody answered in time; each is given to one caller, who has to
    /// [`ChallengeStore::settle`] it.
    pub(super) async fn claim_due(&self, call: &Call, limit: usize) -> Result<Vec<(Challenges, Version)>, StoreError> {
        let claims = ask(call, self.times.timeout, self.store.claim_due(TABLE, limit, LEASE)).await?;
        let open = |claim: Claim| Some((Challenges::decode(&claim.record).ok()?, claim.record.version));
        Ok(claims.into_iter().filter_map(open).collect())
    }

    /// Writes what was claimed without what has run out. Where somebody was faster, theirs stands.
    pub(super) async fn settle(
        &self,
        call: &Call,
        challenges: &Challenges,
        version: Version,
    ) -> Result<(), StoreError> {
        let key = key(&challenges.private_identity);
        if challenges.nonces.is_empty() {
            let _ = ask(call, self.times.timeout, self.store.remove(&key, version)).await?;
        } else {
            let _ = self.write(call, &key, Some(version), challenges).await?;
        }
        Ok(())
    }

    async fn get(&self, call: &Call, key: &Key) -> Result<Option<Record>, StoreError> {
        Ok(ask(call, self.times.timeout, self.store.get(key)).await?)
    }

    async fn write(
        &self,
        call: &Call,
        key: &Key,
        expected: Option<Version>,
        challenges: &Challenges,
    ) -> Result<Result<(), Option<Record>>, StoreError> {
        let lasts = challenges.lasts().max(Duration::from_millis(1));
        let mut write = Write::new(Version::new(call.random()), challenges.encode(lasts)).expires_in(lasts);
        if let Some(time) = challenges.times_out_in() {
            write = write.due_in(time);
        }
        Ok(match ask(call, self.times.timeout, self.store.compare_and_swap(key, expected, write)).await? {
            Swap::Done => Ok(()),
            Swap::Conflict(record) => Err(record),
        })
    }
}

/// A challenge that is about to be sent.
pub(super) struct NewChallenge<'a> {
    pub(super) server_name: &'a ServerName,
    pub(super) private_identity: &'a PrivateIdentity,
    pub(super) public_identity: &'a PublicIdentity,
    pub(super) realm: &'a str,
    pub(super) nonce: &'a str,
    pub(super) secrets: NewSecrets,
}

/// What the answer to a challenge must prove.
pub(super) enum NewSecrets {
    /// A password, which is as good for the other challenges.
    Password(Secrets),
    /// The RES of one authentication vector.
    Vector(Secrets),
}

impl NewChallenge<'_> {
    fn after(&self, earlier: Option<Challenges>, await_auth: Duration) -> Challenges {
        let (mut nonces, earlier) = earlier.map(|earlier| (earlier.nonces, earlier.secrets)).unwrap_or_default();
        if nonces.len() == MAX_NONCES {
            // Those without an answer go first: a phone that is registered is not thrown out by strangers.
            nonces.remove(nonces.iter().position(|nonce| nonce.taken == 0).unwrap_or_default());
        }
        let (secrets, own) = match &self.secrets {
            NewSecrets::Password(secrets) => (secrets.clone(), Secrets::new()),
            NewSecrets::Vector(own) => (earlier, own.clone()),
        };
        nonces.push(Nonce {
            nonce: self.nonce.into(),
            public_identity: self.public_identity.clone(),
            secrets: own,
            taken: 0,
            remaining: await_auth,
        });
        Challenges {
            server_name: self.server_name.clone(),
            private_identity: self.private_identity.clone(),
            realm: self.realm.to_owned(),
            secrets,
            nonces,
        }
    }
}

impl Challenges {
    /// Whether an answer is right, and good for the first time. A wrong one takes the nonce with it.
    fn judge(
        &mut self,
        public_identity: &PublicIdentity,
        answer: &Answer<'_>,
        request: &Request,
        answered: Duration,
    ) -> Result<(), Denied> {
        let at = self.find(public_identity, answer.nonce).ok_or(Denied::ForeignNonce)?;
        let is_for_once = !self.nonces[at].secrets.is_empty();
        let secrets = if is_for_once { &self.nonces[at].secrets } else { &self.secrets };
        if let Err(denied) = verify(&self.realm, secrets, answer, request) {
            if denied == Denied::WrongPassword {
                self.nonces.remove(at);
            }
            return Err(denied);
        }
        let nonce = &mut self.nonces[at];
        let count = match answer.nonce_count {
            // Without a count it is the only answer to its nonce (RFC 7616 §5.5).
            None if nonce.taken == 0 => u32::MAX,
            // One vector, one answer: RES is no password.
            Some(_) if is_for_once && nonce.taken == 0 => u32::MAX,
            Some(count) if count > nonce.taken => count,
            None | Some(_) => return Err(Denied::Replayed),
        };
        if nonce.taken == 0 {
            nonce.remaining = answered;
        }
        nonce.taken = count;
        Ok(())
    }

    /// The place of a challenge that was given to this identity and has not run out.
    fn find(&self, public_identity: &PublicIdentity, nonce: &str) -> Option<usize> {
        let is_live = |entry: &Nonce| !entry.remaining.is_zero();
        let is_it = |entry: &Nonce| entry.nonce == nonce && entry.public_identity == *public_identity;
        self.nonces.iter().position(|entry| is_live(entry) && is_it(entry))
    }

    fn lasts(&self) -> Duration {
        self.nonces.iter().map(|nonce| nonce.remaining).max().unwrap_or_default()
    }

    /// When the first challenge without an answer runs out.
    fn times_out_in(&self) -> Option<Duration> {
        self.nonces.iter().filter(|nonce| nonce.taken == 0).map(|nonce| nonce.remaining).min()
    }

    /// Takes out what has run out. Whom a challenge was for that nobody answered, if there is one.
    pub(super) fn expire(&mut self) -> Option<PublicIdentity> {
        let over: Vec<Nonce> = self.nonces.extract_if(.., |nonce| nonce.remaining.is_zero()).collect();
        over.into_iter().find(|nonce| nonce.taken == 0).map(|nonce| nonce.public_identity)
    }

    fn encode(&self, lasts: Duration) -> Bytes {
        let mut out = Writer::record();
        out.text(record::SERVER_NAME, self.server_name.as_str());
        out.text(record::PRIVATE_IDENTITY, self.private_identity.as_str());
        out.text(record::REALM, &self.realm);
        for entry in &self.secrets {
            out.group(record::SECRET, |out| write_secret(entry, out));
        }
        for entry in &self.nonces {
            out.group(record::NONCE, |out| {
                out.text(nonce::NONCE, &entry.nonce);
                out.text(nonce::PUBLIC_IDENTITY, entry.public_identity.as_str());
                out.number(nonce::TAKEN, entry.taken.into());
                out.number(nonce::BEFORE_END, lasts.saturating_sub(entry.remaining).as_millis() as u64);
                for own in &entry.secrets {
                    out.group(nonce::SECRET, |out| write_secret(own, out));
                }
            });
        }
        out.finish()
    }

    fn decode(found: &Record) -> Result<Challenges, Unreadable> {
        let expires_in = found.expires_in.unwrap_or_default();
        let (mut server_name, mut private_identity, mut realm) = (None, None, None);
        let (mut secrets, mut nonces) = (Vec::new(), Vec::new());
        let mut fields = Reader::record(&found.value)?;
        while let Some(field) = fields.next_field()? {
            match field.tag {
                record::SERVER_NAME => server_name = Some(field.parse()?),
                record::PRIVATE_IDENTITY => private_identity = Some(field.parse()?),
                record::REALM => realm = Some(field.text()?.to_string()),
                record::SECRET => secrets.push(read_secret(field.group())?),
                record::NONCE => nonces.push(Nonce::read(field.group(), expires_in)?),
                _ => {}
            }
        }
        Ok(Challenges {
            server_name: server_name.ok_or(Unreadable)?,
            private_identity: private_identity.ok_or(Unreadable)?,
            realm: realm.ok_or(Unreadable)?,
            secrets,
            nonces,
        })
    }
}

impl Nonce {
    fn read(mut fields: Reader, expires_in: Duration) -> Result<Nonce, Unreadable> {
        let (mut text, mut public_identity, mut taken, mut before_end) = (None, None, 0, 0);
        let mut secrets = Secrets::new();
        while let Some(field) = fields.next_field()? {
            match field.tag {
                nonce::NONCE => text = Some(field.text()?),
                nonce::PUBLIC_IDENTITY => public_identity = Some(field.parse()?),
                nonce::TAKEN => taken = u32::try_from(field.number()?).map_err(|_| Unreadable)?,
                nonce::BEFORE_END => before_end = field.number()?,
                nonce::SECRET => secrets.push(read_secret(field.group())?),
                _ => {}
            }
        }
        Ok(Nonce {
            nonce: text.ok_or(Unreadable)?,
            public_identity: public_identity.ok_or(Unreadable)?,
            secrets,
            taken,
            remaining: expires_in.saturating_sub(Duration::from_millis(before_end)),
        })
    }
}

fn write_secret((algorithm, ha1): &(Algorithm, ByteString), out: &mut Writer) {
    out.text(secret::ALGORITHM, algorithm.as_str());
    out.text(secret::HA1, ha1);
}

fn read_secret(mut fields: Reader) -> Result<(Algorithm, ByteString), Unreadable> {
    let (mut algorithm, mut ha1) = (None, None);
    while let Some(field) = fields.next_field()? {
        match field.tag {
            secret::ALGORITHM => algorithm = Algorithm::find(&field.text()?),
            secret::HA1 => ha1 = Some(field.text()?),
            _ => {}
        }
    }
    Ok((algorithm.ok_or(Unreadable)?, ha1.ok_or(Unreadable)?))
}

/// Holds an answer against its secret, whatever its nonce is.
pub(super) fn verify(
    realm: &str,
    secrets: &[(Algorithm, ByteString)],
    answer: &Answer<'_>,
    request: &Request,
) -> Result<(), Denied> {
    let algorithm = answer.algorithm.ok_or(Denied::UnsupportedAlgorithm)?;
    // I4: what was not offered is not taken.
    let (_, ha1) = secrets.iter().find(|(offered, _)| *offered == algorithm).ok_or(Denied::UnsupportedAlgorithm)?;
    let ha1 = Ha1::from_hex(ha1).ok_or(Denied::UnsupportedAlgorithm)?;
    let expected = Expected {
        realm,
        nonce: answer.nonce,
        algorithm,
        qop: QOP,
        ha1: &ha1,
        method: &Method::Register,
        // The Request-URI has changed on the way (TS 24.229 §5.3.1.2).
        uri: None,
        body: &request.body(),
    };
    answer.verify(&expected).map(drop)
}

fn key(private_identity: &PrivateIdentity) -> Key {
    Key::new(TABLE, private_identity.as_str())
}
