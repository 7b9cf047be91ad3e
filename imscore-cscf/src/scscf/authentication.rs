//! Who a REGISTER is from: SIP Digest (TS 24.229 §5.4.1.2.1B, §5.4.1.2.2A, TS 33.203 annex N).
//!
//! Nothing but an answer proves it: what another node says of the way that the request came (`integrity-protected`) is not
//! read.

use imscore_hss::{AssignmentType, MultimediaAuth, MultimediaAuthRequest, ServerAssignmentRequest};
use imscore_sip::auth::{Answer, Denied, Question, Remedy};
use imscore_sip::header::WwwAuthenticate;
use imscore_sip::{Request, Response, StatusCode};

use super::challenges::NewChallenge;
use super::{Failure, Scscf};
use crate::call::Call;
use crate::registration::RegisterRequest;

/// What the credentials of a REGISTER are worth.
pub(super) enum Proof {
    /// It is from who it says.
    Given,
    /// It is to be asked for: again, without a word to the user, where `stale`.
    Wanted { stale: bool },
}

impl Scscf {
    /// Judges the credentials of a REGISTER.
    pub(super) async fn authenticate(
        &self,
        call: &Call,
        register: &RegisterRequest,
        request: &Request,
    ) -> Result<Proof, Failure> {
        let answer = match answer_of(register) {
            Ok(answer) => answer,
            Err(denied) => return remedy(denied),
        };
        let (private, public) = (&register.private_identity, &register.public_identity);
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
        mut stale: bool,
    ) -> Result<Response, Failure> {
        let (private, public) = (&register.private_identity, &register.public_identity);
        let query = MultimediaAuthRequest::new(private.clone(), public.clone(), self.server_name.clone());
        let MultimediaAuth::Digest(credentials) = self.ask(call, self.hss.multimedia_auth(&query)).await? else {
            return Err(StatusCode::FORBIDDEN.into());
        };
        let nonce = format!("{:016x}{:016x}", call.random(), call.random());
        let challenge = NewChallenge {
            server_name: &self.server_name,
            private_identity: private,
            public_identity: public,
            credentials: &credentials,
            offered: &self.settings.algorithms,
            nonce: &nonce,
        };
        if challenge.secrets().is_empty() {
            // The user's secret is for none of the algorithms that may be used.
            return Err(StatusCode::FORBIDDEN.into());
        }
        // Kept before it is sent, or the answer would be asked for again and again.
        self.challenges.give(call, &challenge).await?;
        if let Ok(answer) = answer_of(register) {
            stale |= challenge.is_right_but_for_its_nonce(&answer, request);
        }
        let mut response = request.reply(StatusCode::UNAUTHORIZED);
        for (algorithm, _) in challenge.secrets() {
            let mut question = Question::new(&credentials.realm, &nonce, algorithm);
            question.stale = stale;
            response.headers.push(&WwwAuthenticate(question.to_challenge()));
        }
        Ok(response)
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

fn remedy(denied: Denied) -> Result<Proof, Failure> {
    match denied.remedy() {
        Remedy::Challenge { stale } => Ok(Proof::Wanted { stale }),
        Remedy::Refuse(status) => Err(status.into()),
    }
}
