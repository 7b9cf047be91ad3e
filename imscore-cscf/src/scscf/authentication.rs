//! Who a REGISTER is from: SIP Digest (TS 24.229 §5.4.1.2.1B, §5.4.1.2.2A, TS 33.203 annex N), or AKA (§5.4.1.2.1,
//! §5.4.1.2.2, §5.4.1.2.3; TS 33.203 §6.1), as the HSS says.
//!
//! Nothing but an answer proves it: what another node says of the way that the request came (`integrity-protected`) is not
//! read.

use imscore_hss::vector::AuthenticationVector;
use imscore_hss::{
    AssignmentType, AuthScheme, DigestCredentials, HssError, MultimediaAuth, MultimediaAuthRequest, Resynchronisation,
    ServerAssignmentRequest,
};
use imscore_sip::auth::{AkaChallenge, AkaKeys, Algorithm, Answer, Denied, Question, Remedy, aka_ha1};
use imscore_sip::header::{Authorization, Challenge, WwwAuthenticate};
use imscore_sip::{Request, Response, StatusCode};

use super::challenges::{NewChallenge, NewSecrets, Secrets, verify};
use super::{Failure, Scscf};
use crate::call::Call;
use crate::registration::RegisterRequest;

/// What the credentials of a REGISTER are worth.
pub(super) enum Proof {
    /// It is from who it says.
    Given,
    /// It is to be asked for.
    Wanted(Wanted),
}

/// Why it is asked for.
#[derive(Clone, Copy, Default)]
pub(super) struct Wanted {
    /// Again, without a word to the user.
    pub(super) stale: bool,
    /// The USIM has lost step with the HSS.
    pub(super) resynchronisation: Option<Resynchronisation>,
}

impl Scscf {
    /// Judges the credentials of a REGISTER.
    pub(super) async fn authenticate(
        &self,
        call: &Call,
        register: &RegisterRequest,
        request: &Request,
    ) -> Result<Proof, Failure> {
        let (private, public) = (&register.private_identity, &register.public_identity);
        let answer = match answer_of(register) {
            Ok(answer) => answer,
            Err(denied) => {
                // An IMS phone that takes the network for a false one answers with nothing (TS 24.229 §5.1.1.5.3); the
                // challenge was read by somebody and is good for nobody else.
                if let Some(nonce) = register.credentials.as_ref().and_then(refused_nonce) {
                    self.challenges.withdraw(call, private, public, &nonce).await?;
                }
                return remedy(denied);
            }
        };
        if let Some(auts) = answer.auts {
            // Only what was asked here and now can be out of step (RFC 3310 §3.4).
            let rand = AkaChallenge::from_nonce(answer.nonce).map(|challenge| challenge.rand);
            let is_ours = self.challenges.withdraw(call, private, public, answer.nonce).await?;
            let resynchronisation = rand.filter(|_| is_ours).map(|rand| Resynchronisation { rand, auts });
            return Ok(Proof::Wanted(Wanted { resynchronisation, stale: false }));
        }
        match self.challenges.take(call, private, public, &answer, request).await? {
            Ok(()) => Ok(Proof::Given),
            Err(denied) => {
                if denied == Denied::WrongPassword {
                    self.report_failure(call, register).await;
                }
                remedy(denied)
            }
        }
    }

    /// Asks for proof: a 401 with a nonce that is good for this identity.
    pub(super) async fn challenge(
        &self,
        call: &Call,
        register: &RegisterRequest,
        request: &Request,
        wanted: Wanted,
    ) -> Result<Response, Failure> {
        let (private, public) = (&register.private_identity, &register.public_identity);
        let mut query = MultimediaAuthRequest::new(private.clone(), public.clone(), self.server_name.clone());
        if wanted.resynchronisation.is_some() {
            (query.scheme, query.resynchronisation) = (AuthScheme::Aka, wanted.resynchronisation);
        }
        let questions = match self.ask(call, self.hss.multimedia_auth(&query)).await? {
            MultimediaAuth::Digest(credentials) => {
                self.ask_password(call, register, request, &credentials, wanted.stale).await?
            }
            MultimediaAuth::Aka(vectors) => {
                let vector = vectors.first().ok_or(Failure::Hss(HssError::SchemeNotSupported))?;
                self.ask_usim(call, register, vector).await?
            }
            _ => return Err(StatusCode::FORBIDDEN.into()),
        };
        let mut response = request.reply(StatusCode::UNAUTHORIZED);
        questions.into_iter().for_each(|question| response.headers.push(&WwwAuthenticate(question)));
        Ok(response)
    }

    async fn ask_password(
        &self,
        call: &Call,
        register: &RegisterRequest,
        request: &Request,
        credentials: &DigestCredentials,
        mut stale: bool,
    ) -> Result<Vec<Challenge>, Failure> {
        let secrets = secrets_of(credentials, &self.settings.algorithms);
        if secrets.is_empty() {
            // The user's secret is for none of the algorithms that may be used.
            return Err(StatusCode::FORBIDDEN.into());
        }
        if let Ok(answer) = answer_of(register) {
            // Right but for its nonce: nobody need be asked for a password (RFC 7616 §3.3, `stale`).
            stale |= verify(&credentials.realm, &secrets, &answer, request).is_ok();
        }
        let nonce = format!("{:016x}{:016x}", call.random(), call.random());
        let questions = secrets.iter().map(|(algorithm, _)| {
            let mut question = Question::new(&credentials.realm, &nonce, *algorithm);
            question.stale = stale;
            question.to_challenge()
        });
        let questions = questions.collect();
        self.keep(call, register, &credentials.realm, &nonce, NewSecrets::Password(secrets)).await?;
        Ok(questions)
    }

    /// The challenge of a vector, with the keys that are for the P-CSCF (TS 24.229 §5.4.1.2.1).
    async fn ask_usim(
        &self,
        call: &Call,
        register: &RegisterRequest,
        vector: &AuthenticationVector,
    ) -> Result<Vec<Challenge>, Failure> {
        let keys = keys_of(vector).ok_or(Failure::Hss(HssError::SchemeNotSupported))?;
        let realm = self.settings.home_domains.first().cloned().unwrap_or_default();
        let private = register.private_identity.as_str();
        let secret = |algorithm: &Algorithm| {
            let ha1 = aka_ha1(private, &realm, *algorithm, vector.xres.expose(), &keys)?;
            Some((*algorithm, ha1.as_hex().into()))
        };
        let secrets: Secrets = self.settings.aka_algorithms.iter().filter_map(secret).collect();
        let nonce = AkaChallenge { rand: vector.rand, autn: vector.autn }.to_nonce();
        let question = |algorithm| keys.put_into(&Question::new(&realm, &nonce, algorithm).to_challenge());
        let questions = secrets.iter().map(|(algorithm, _)| question(*algorithm)).collect();
        self.keep(call, register, &realm, &nonce, NewSecrets::Vector(secrets)).await?;
        Ok(questions)
    }

    /// A challenge is kept before it is sent, or the answer would be asked for again and again.
    async fn keep(
        &self,
        call: &Call,
        register: &RegisterRequest,
        realm: &str,
        nonce: &str,
        secrets: NewSecrets,
    ) -> Result<(), Failure> {
        let challenge = NewChallenge {
            server_name: &self.server_name,
            private_identity: &register.private_identity,
            public_identity: &register.public_identity,
            realm,
            nonce,
            secrets,
        };
        Ok(self.challenges.give(call, &challenge).await?)
    }

    /// Tells the HSS that the answer was wrong (TS 24.229 §5.4.1.2.3B). Whether it hears makes no difference to the phone.
    async fn report_failure(&self, call: &Call, register: &RegisterRequest) {
        let request = ServerAssignmentRequest::new(
            register.private_identity.clone(),
            register.public_identity.clone(),
            self.server_name.clone(),
            AssignmentType::AuthenticationFailure,
        );
        let _ = self.ask(call, self.hss.server_assignment(&request)).await;
    }
}

fn answer_of(register: &RegisterRequest) -> Result<Answer<'_>, Denied> {
    let credentials = register.credentials.as_ref().ok_or(Denied::Missing)?;
    Answer::read(credentials.params().iter())
}

/// The nonce that credentials name without an answer to it.
fn refused_nonce(credentials: &Authorization) -> Option<String> {
    let has_answer = credentials.param("response").is_some_and(|response| !response.is_empty());
    let nonce = credentials.param("nonce").filter(|nonce| !nonce.is_empty() && !has_answer)?;
    Some(nonce.into_owned())
}

/// The algorithms that are offered and that the user has a secret for, with it.
fn secrets_of(credentials: &DigestCredentials, offered: &[Algorithm]) -> Secrets {
    let secret = |offered: &Algorithm| {
        let ha1 = credentials.hashes().find(|ha1| ha1.algorithm().as_str() == offered.as_str())?;
        Some((*offered, ha1.to_hex().as_str().into()))
    };
    offered.iter().filter_map(secret).collect()
}

fn keys_of(vector: &AuthenticationVector) -> Option<AkaKeys> {
    Some(AkaKeys { ck: vector.ck.expose().try_into().ok()?, ik: vector.ik.expose().try_into().ok()? })
}

fn remedy(denied: Denied) -> Result<Proof, Failure> {
    match denied.remedy() {
        Remedy::Challenge { stale } => Ok(Proof::Wanted(Wanted { stale, resynchronisation: None })),
        Remedy::Refuse(status) => Err(status.into()),
    }
}
