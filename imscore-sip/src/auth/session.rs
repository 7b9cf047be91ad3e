//! A challenge and the secret that answers it, for as many requests as its nonce is good for (RFC 7616 §3.4).

use bytestring::ByteString;

use super::algorithm::{Algorithm, Ha1, Qop};
use super::client::Proof;
use super::question::{Question, Unanswerable};
use super::verify::between_quotes;
use crate::header::{AuthenticationInfo, Credentials};
use crate::message::{Method, Request};
use crate::parse::params::unescaped;

/// A challenge that can be answered, once and again: each answer counts the nonce on. `Debug` does not show the secret.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    username: ByteString,
    /// As they stand between their quotes.
    realm: ByteString,
    nonce: ByteString,
    opaque: Option<ByteString>,
    algorithm: Algorithm,
    qop: Vec<Qop>,
    secret: Ha1,
    /// AUTS in base64: the answer is none, but says that the card is ahead.
    auts: Option<ByteString>,
    count: u32,
}

impl Session {
    pub(super) fn new(username: &str, question: &Question<'_>, secret: Ha1) -> Session {
        Session {
            username: username.into(),
            realm: question.realm.into(),
            nonce: question.nonce.into(),
            opaque: question.opaque.map(ByteString::from),
            algorithm: question.algorithm,
            qop: question.qop.clone(),
            secret,
            auts: None,
            count: 0,
        }
    }

    /// The same with AUTS beside each answer (RFC 3310 §3.4).
    pub(super) fn with_auts(self, auts: String) -> Session {
        Session { auts: Some(auts.into()), ..self }
    }

    /// The realm of the challenge.
    pub(crate) fn realm(&self) -> String {
        unescaped(&self.realm).into_owned()
    }

    /// True where the answers say that the card is ahead of the network, which will challenge again (RFC 3310 §3.4).
    pub(crate) fn is_synchronisation(&self) -> bool {
        self.auts.is_some()
    }

    /// The answer that goes with a request. `cnonce` is random, 64 bits or more as a token.
    pub(crate) fn answer(&mut self, request: &Request, cnonce: &str) -> Result<Credentials, Unanswerable> {
        self.count += 1;
        self.credentials(&request.method(), &request.target(), &request.body(), cnonce)
    }

    pub(super) fn first_answer(
        mut self,
        method: &Method,
        uri: &str,
        body: &[u8],
        cnonce: &str,
    ) -> Result<Credentials, Unanswerable> {
        self.count = 1;
        self.credentials(method, uri, body, cnonce)
    }

    fn credentials(&self, method: &Method, uri: &str, body: &[u8], cnonce: &str) -> Result<Credentials, Unanswerable> {
        let mut question = Question::new(&self.realm, &self.nonce, self.algorithm);
        question.opaque = self.opaque.as_deref();
        question.qop.clone_from(&self.qop);
        let (username, nonce_count) = (&*self.username, self.count);
        let proof = Proof { username, question: &question, method, uri, body, cnonce, nonce_count };
        let answer = proof.credentials(&self.secret)?;
        Ok(match &self.auts {
            Some(auts) => answer.with_quoted("auts", auts),
            None => answer,
        })
    }

    /// True where these are the answer to its challenge, whatever the request.
    pub(crate) fn has_given(&self, answer: &Credentials) -> bool {
        let is = |name: &str, text: &str| answer.param(name).as_deref() == Some(&*unescaped(text));
        is("realm", &self.realm) && is("nonce", &self.nonce)
    }

    /// Goes on with the next nonce, where the server names one (RFC 7616 §3.5). False: with AKA that is another challenge,
    /// which only the card can answer.
    pub(crate) fn renew(&mut self, info: &AuthenticationInfo) -> bool {
        let Some(Ok(next)) = info.params().get("nextnonce").map(between_quotes) else { return true };
        if !next.is_empty() && !self.algorithm.is_aka() {
            self.nonce = next.into();
            self.count = 0;
        }
        !self.algorithm.is_aka()
    }
}
