//! Digest challenges: what a server asks, written and read (RFC 7616 §3.3, RFC 3261 §22.4).

use super::Asks;
use super::algorithm::{Algorithm, Qop};
use super::verify::between_quotes;
use crate::header::{Challenge, HeaderError, ProxyAuthenticate, WwwAuthenticate};
use crate::message::Response;
use crate::parse::params::unescaped;

/// What a WWW-Authenticate or Proxy-Authenticate header asks by Digest. Texts are as they stand between their quotes,
/// escapes included.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Question<'a> {
    /// Whose password is asked for.
    pub realm: &'a str,
    /// What makes the answer good for once.
    pub nonce: &'a str,
    /// How the answer is to be computed.
    pub algorithm: Algorithm,
    /// What the answer may cover, the best first. Never empty: [`Qop::Absent`] where a challenge names none.
    pub qop: Vec<Qop>,
    /// What the answer must bring back.
    pub opaque: Option<&'a str>,
    /// The last answer was right, but to a nonce that is no longer good.
    pub stale: bool,
}

/// Why a challenge cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unanswerable {
    /// The response has no challenge.
    #[error("no challenge")]
    Missing,
    /// It is for a realm that we have no password for.
    #[error("realm is not ours")]
    Realm,
    /// Another scheme than Digest, or an algorithm that we do not know.
    #[error("unknown scheme or algorithm")]
    Algorithm,
    /// It wants a protection that we do not know.
    #[error("unknown quality of protection")]
    Qop,
    /// The USIM says that whoever asks does not know its key.
    #[error("the network does not know the key of the USIM")]
    Forged,
    /// The answer was rejected before, or there were too many.
    #[error("it was answered before")]
    Rejected,
    /// It is not what its grammar allows.
    #[error("malformed challenge")]
    Malformed,
}

impl<'a> Question<'a> {
    /// A question with `auth` for protection.
    pub fn new(realm: &'a str, nonce: &'a str, algorithm: Algorithm) -> Question<'a> {
        Question { realm, nonce, algorithm, qop: vec![Qop::Auth], opaque: None, stale: false }
    }

    /// The header's value.
    pub fn to_challenge(&self) -> Challenge {
        Challenge::build("Digest", |params| {
            params.push_quoted("realm", &unescaped(self.realm));
            params.push_quoted("nonce", &unescaped(self.nonce));
            params.push("algorithm", self.algorithm.as_str());
            let names: Vec<&str> = self.qop.iter().filter(|qop| **qop != Qop::Absent).map(|qop| qop.as_str()).collect();
            if !names.is_empty() {
                params.push_quoted("qop", &names.join(","));
            }
            if let Some(opaque) = self.opaque {
                params.push_quoted("opaque", &unescaped(opaque));
            }
            if self.stale {
                params.push("stale", "true");
            }
        })
    }

    /// Reads a challenge.
    ///
    /// # Errors
    /// What makes it none that we could answer.
    pub fn read(challenge: &'a Challenge) -> Result<Question<'a>, Unanswerable> {
        if !challenge.is_digest() {
            return Err(Unanswerable::Algorithm);
        }
        let params = challenge.params();
        let text = |name: &str| {
            params.get(name).map(|value| between_quotes(value).map_err(|_| Unanswerable::Malformed)).transpose()
        };
        let (realm, nonce) = (text("realm")?, text("nonce")?);
        let (Some(realm), Some(nonce)) = (realm, nonce.filter(|nonce| !nonce.is_empty())) else {
            return Err(Unanswerable::Malformed);
        };
        let algorithm = text("algorithm")?.map_or(Some(Algorithm::Md5), Algorithm::find);
        let qop = match text("qop")? {
            None => vec![Qop::Absent],
            Some(names) => names.split(',').filter_map(|name| Qop::find(name.trim_ascii())).collect(),
        };
        if qop.is_empty() {
            return Err(Unanswerable::Qop);
        }
        Ok(Question {
            realm,
            nonce,
            algorithm: algorithm.ok_or(Unanswerable::Algorithm)?,
            qop,
            opaque: text("opaque")?,
            stale: text("stale")?.is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// True where its realm, escapes resolved, is that one.
    pub(crate) fn is_for(&self, realm: &str) -> bool {
        unescaped(self.realm) == realm
    }

    fn has_realm_of(&self, other: &Question<'_>) -> bool {
        unescaped(self.realm) == unescaped(other.realm)
    }
}

/// The challenges of a response, those of servers first.
pub(super) fn asked_by(response: &Response) -> Vec<(Asks, Result<Challenge, HeaderError>)> {
    let www = response.headers.typed().map(|found| (Asks::Server, found.map(|found: WwwAuthenticate| found.0)));
    let proxy = response.headers.typed().map(|found| (Asks::Proxy, found.map(|found: ProxyAuthenticate| found.0)));
    www.chain(proxy).collect()
}

/// The challenges to answer: of those that `can` be, the strongest for each realm, and of equals the topmost. A server that
/// has the best on top is done justice; who else has moved a weaker one up is not (RFC 8760 §2.4, §3).
pub(super) fn chosen<'c>(
    challenges: &'c [(Asks, Result<Challenge, HeaderError>)],
    can: impl Fn(Asks, &Question<'_>) -> Result<(), Unanswerable>,
) -> Result<Vec<(Asks, Question<'c>)>, Unanswerable> {
    let mut chosen: Vec<(Asks, Question<'c>)> = Vec::new();
    let mut why = Unanswerable::Missing;
    for (asks, challenge) in challenges {
        let question = challenge.as_ref().map_err(|_| Unanswerable::Malformed).and_then(|challenge| {
            let question = Question::read(challenge)?;
            can(*asks, &question)?;
            Ok(question)
        });
        match question {
            Ok(question) => {
                let same = |(by, other): &&mut (Asks, Question<'_>)| *by == *asks && other.has_realm_of(&question);
                match chosen.iter_mut().find(same) {
                    Some((_, other)) if other.algorithm.strength() >= question.algorithm.strength() => {}
                    Some((_, other)) => *other = question,
                    None => chosen.push((*asks, question)),
                }
            }
            Err(found) if why == Unanswerable::Missing => why = found,
            Err(_) => {}
        }
    }
    if chosen.is_empty() { Err(why) } else { Ok(chosen) }
}

#[cfg(test)]
mod tests {
    use bytestring::ByteString;

    use super::*;
    use crate::header::{TypedHeader, WwwAuthenticate};

    fn challenge(text: &str) -> Challenge {
        WwwAuthenticate::decode(&ByteString::from(text)).unwrap().0
    }

    #[test]
    fn a_question_is_written_and_read() {
        let mut question = Question::new("ims.example", "n1", Algorithm::Sha256);
        let text = r#"Digest realm="ims.example", nonce="n1", algorithm=SHA-256, qop="auth""#;
        assert_eq!(question.to_challenge().to_string(), text);
        assert_eq!(Question::read(&question.to_challenge()), Ok(question.clone()));
        question.qop = vec![Qop::AuthInt, Qop::Auth];
        question.opaque = Some(r#"o\""#);
        question.stale = true;
        let text = r#"Digest realm="ims.example", nonce="n1", algorithm=SHA-256, qop="auth-int,auth", opaque="o\"", stale=true"#;
        assert_eq!(question.to_challenge().to_string(), text);
        assert_eq!(Question::read(&question.to_challenge()), Ok(question.clone()));
        question.qop = vec![Qop::Absent];
        assert!(!question.to_challenge().to_string().contains("qop"));
        assert_eq!(Question::read(&question.to_challenge()), Ok(question));
    }

    #[test]
    fn a_question_is_read_or_not_to_be_answered() {
        for (text, expected) in [
            (r#"Digest realm="r", nonce="n""#, Ok((Algorithm::Md5, vec![Qop::Absent], false))),
            (
                r#"digest nonce="n",REALM="r",algorithm="md5",stale="TRUE",qop="auth-conf, auth""#,
                Ok((Algorithm::Md5, vec![Qop::Auth], true)),
            ),
            (
                r#"Digest realm="r", nonce="n", stale=FALSE, algorithm=SHA-256-sess, qop=auth-int"#,
                Ok((Algorithm::Sha256Sess, vec![Qop::AuthInt], false)),
            ),
            (r#"Basic realm="r", nonce="n""#, Err(Unanswerable::Algorithm)),
            (r#"Digest realm="r", nonce="n", algorithm=AKAv3-MD5"#, Err(Unanswerable::Algorithm)),
            (
                r#"Digest realm="r", nonce="n", algorithm=akav2-sha-256, qop="auth""#,
                Ok((Algorithm::AkaV2Sha256, vec![Qop::Auth], false)),
            ),
            (r#"Digest realm="r", nonce="n", qop="auth-conf""#, Err(Unanswerable::Qop)),
            (r#"Digest realm="r", nonce="n", qop="""#, Err(Unanswerable::Qop)),
            (r#"Digest realm="r", nonce="""#, Err(Unanswerable::Malformed)),
            (r#"Digest realm="r""#, Err(Unanswerable::Malformed)),
            (r#"Digest nonce="n""#, Err(Unanswerable::Malformed)),
        ] {
            let challenge = challenge(text);
            let found = Question::read(&challenge).map(|found| (found.algorithm, found.qop, found.stale));
            assert_eq!(found, expected, "{text}");
        }
    }
}
