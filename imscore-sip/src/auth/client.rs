//! The side that is asked: answers to challenges (RFC 3261 §22.2, §22.3).

use std::fmt;

use super::Asks;
use super::algorithm::{Ha1, Parts, Qop, ha1};
use super::question::{Question, Unanswerable, asked_by, chosen};
use super::session::Session;
use crate::header::{Authorization, Credentials, ProxyAuthorization, TypedHeader};
use crate::message::{Method, Request, Response};
use crate::parse::params::unescaped;

/// A user name and its password. `Debug` does not show the password.
///
/// ```
/// use imscore_sip::auth::{Algorithm, Login, Question, Unanswerable};
/// use imscore_sip::header::ProxyAuthenticate;
/// use imscore_sip::{Method, Request, StatusCode};
///
/// let login = Login::new("alice", "secret").with_realm("ims.example");
/// let mut invite = Request::new(&Method::Invite, "sip:bob@ims.example");
/// let ask = |realm| Question::new(realm, "84a4cc", Algorithm::Sha256).to_challenge();
/// let asked = |realm| invite.reply(StatusCode::PROXY_AUTHENTICATION_REQUIRED).with(ProxyAuthenticate(ask(realm)));
/// let (ours, strangers) = (asked("ims.example"), asked("far.example"));
/// assert_eq!(login.authorize(&mut invite, &strangers, "f2a4", 1), Err(Unanswerable::Realm));
/// assert_eq!(login.authorize(&mut invite, &ours, "f2a4", 1), Ok(()));
/// assert!(invite.headers.contains("Proxy-Authorization"));
/// ```
#[derive(Clone)]
pub struct Login {
    username: String,
    password: Vec<u8>,
    realm: Option<String>,
}

impl Login {
    /// A login that answers any realm.
    pub fn new(username: impl Into<String>, password: impl Into<Vec<u8>>) -> Login {
        Login { username: username.into(), password: password.into(), realm: None }
    }

    /// Answers challenges of this realm only. Who dials out to strangers should name it: whoever is answered gets
    /// a hash to guess the password from.
    #[must_use]
    pub fn with_realm(self, realm: impl Into<String>) -> Login {
        Login { realm: Some(realm.into()), ..self }
    }

    /// Puts answers to the challenges of a 401 or 407 into a request that is to be sent again, in place of earlier ones
    /// for the same realms. Of several challenges for one realm the strongest is answered, and of equals the topmost (RFC 8760
    /// §2.4; the strongest, lest somebody on the way puts a weaker one on top, §3).
    ///
    /// `cnonce` is random, 64 bits or more as a token; `nonce_count` is 1 for a nonce that was not answered before. A
    /// new CSeq, and to give up after the second challenge in a row (RFC 3261 §22.1), is for the caller.
    ///
    /// # Errors
    /// Why none of the challenges can be answered. The request is as it was then.
    pub fn authorize(
        &self,
        request: &mut Request,
        response: &Response,
        cnonce: &str,
        nonce_count: u32,
    ) -> Result<(), Unanswerable> {
        let challenges = asked_by(response);
        let chosen = chosen(&challenges, |_, question| self.can_answer(question))?;
        let (method, uri, body) = (request.method(), request.target(), request.body());
        let (mut user, mut hops) = (Vec::new(), Vec::new());
        for (asks, question) in &chosen {
            let answer = self.answer(question, &method, &uri, &body, cnonce, nonce_count)?;
            match asks {
                Asks::Server => user.push(Authorization(answer)),
                Asks::Proxy => hops.push(ProxyAuthorization(answer)),
            }
        }
        replace(request, &user);
        replace(request, &hops);
        Ok(())
    }

    /// The answer to one question.
    ///
    /// # Errors
    /// [`Unanswerable::Realm`] for another realm than the login's, [`Unanswerable::Qop`] where nothing is offered.
    pub fn answer(
        &self,
        question: &Question<'_>,
        method: &Method,
        uri: &str,
        body: &[u8],
        cnonce: &str,
        nonce_count: u32,
    ) -> Result<Credentials, Unanswerable> {
        let secret = self.secret(question)?;
        Proof { username: &self.username, question, method, uri, body, cnonce, nonce_count }.credentials(&secret)
    }

    /// The answers to one question, for as many requests as its nonce is good for.
    pub(super) fn session(&self, question: &Question<'_>) -> Result<Session, Unanswerable> {
        Ok(Session::new(&self.username, question, self.secret(question)?))
    }

    pub(super) fn realm(&self) -> Option<&str> {
        self.realm.as_deref()
    }

    pub(super) fn can_answer(&self, question: &Question<'_>) -> Result<(), Unanswerable> {
        if self.realm.as_ref().is_some_and(|realm| !question.is_for(realm)) {
            return Err(Unanswerable::Realm);
        }
        if question.algorithm.is_aka() { Err(Unanswerable::Algorithm) } else { Ok(()) }
    }

    fn secret(&self, question: &Question<'_>) -> Result<Ha1, Unanswerable> {
        self.can_answer(question)?;
        Ok(ha1(&self.username, question.realm, &self.password, question.algorithm))
    }
}

/// All of an answer but the secret.
pub(super) struct Proof<'a> {
    pub(super) username: &'a str,
    pub(super) question: &'a Question<'a>,
    pub(super) method: &'a Method,
    pub(super) uri: &'a str,
    pub(super) body: &'a [u8],
    pub(super) cnonce: &'a str,
    pub(super) nonce_count: u32,
}

impl Proof<'_> {
    /// The answer that proves a secret.
    pub(super) fn credentials(&self, secret: &Ha1) -> Result<Credentials, Unanswerable> {
        let Proof { question, cnonce, .. } = *self;
        // `auth-int` breaks where something on the way changes the body, so it comes after `auth`.
        let qop = [Qop::Auth, Qop::AuthInt, Qop::Absent].into_iter().find(|qop| question.qop.contains(qop));
        let qop = qop.ok_or(Unanswerable::Qop)?;
        let nonce_count = format!("{:08x}", self.nonce_count);
        let algorithm = question.algorithm;
        let response = secret.response(&Parts {
            algorithm,
            qop,
            method: self.method,
            uri: self.uri,
            nonce: question.nonce,
            nonce_count: &nonce_count,
            cnonce,
            body: self.body,
        });
        Ok(Credentials::build("Digest", |params| {
            params.push_quoted("username", self.username);
            params.push_quoted("realm", &unescaped(question.realm));
            params.push_quoted("nonce", &unescaped(question.nonce));
            params.push_quoted("uri", self.uri);
            params.push_quoted("response", response.as_str());
            params.push("algorithm", algorithm.as_str());
            if let Some(opaque) = question.opaque {
                params.push_quoted("opaque", &unescaped(opaque));
            }
            if qop != Qop::Absent {
                params.push("qop", qop.as_str());
                params.push("nc", &nonce_count);
            }
            if qop != Qop::Absent || algorithm.is_session() {
                params.push_quoted("cnonce", cnonce);
            }
        }))
    }
}

/// Puts answers in place of those for the same realms.
pub(super) fn replace<H: TypedHeader + std::ops::Deref<Target = Credentials>>(request: &mut Request, answers: &[H]) {
    request.headers.retain(|old: &H| answers.iter().all(|new| new.param("realm") != old.param("realm")));
    for answer in answers {
        request.headers.push(answer);
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).field("realm", &self.realm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Algorithm;
    use super::*;
    use crate::header::{ProxyAuthenticate, WwwAuthenticate};
    use crate::message::{Message, StatusCode};

    fn invite() -> Request {
        let text = "INVITE sip:bob@ims.example SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\r\n";
        let Ok(Message::Request(request)) = Message::parse(text.into()) else { panic!("a request") };
        request
    }

    /// What `login` answers to a response with these header lines.
    fn check(login: &Login, challenges: &[&str], expected: Result<&[&str], Unanswerable>) {
        let mut request = invite();
        let mut response = request.reply(StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        for line in challenges {
            let (name, value) = line.split_once(": ").unwrap();
            response.headers.push_raw(name, value.as_bytes());
        }
        let outcome = login.authorize(&mut request, &response, "c1", 1);
        assert_eq!(outcome.err(), expected.err(), "{challenges:?}");
        let answers: Vec<String> = request
            .headers
            .iter()
            .filter(|(name, _)| name.ends_with(b"Authorization"))
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value);
                let part = |name: &str| {
                    let from = value.find(&format!("{name}=")).map_or(value.len(), |at| at + name.len() + 1);
                    value[from..].split(',').next().unwrap_or_default().trim_matches('"').to_string()
                };
                format!("{} {} {}", String::from_utf8_lossy(name), part("realm"), part("algorithm"))
            })
            .collect();
        assert_eq!(answers, expected.unwrap_or_default(), "{challenges:?}");
    }

    #[test]
    fn each_realm_is_answered_once_by_the_strongest_challenge_that_can_be() {
        let login = Login::new("alice", "secret");
        check(
            &login,
            &[
                r#"Proxy-Authenticate: Digest realm="a", nonce="1", algorithm=SHA-512-256, qop="auth""#,
                r#"Proxy-Authenticate: Digest realm="a", nonce="3", algorithm=MD5, qop="auth""#,
                r#"Proxy-Authenticate: Digest realm="a", nonce="2", algorithm=SHA-256, qop="auth""#,
                r#"Proxy-Authenticate: Digest realm="a", nonce="2", algorithm=SHA-256-sess, qop="auth""#,
                r#"Proxy-Authenticate: Digest realm="b", nonce="4", qop="auth""#,
                r#"WWW-Authenticate: Digest realm="c", nonce="5", qop="auth""#,
            ],
            Ok(&["Authorization c MD5", "Proxy-Authorization a SHA-256", "Proxy-Authorization b MD5"]),
        );
    }

    /// Threat I11: a challenge of a stranger's realm gets no answer.
    #[test]
    fn i11_other_realms_are_not_answered() {
        let login = Login::new("alice", "secret").with_realm("ims.example");
        check(&login, &[r#"WWW-Authenticate: Digest realm="evil", nonce="1""#], Err(Unanswerable::Realm));
        check(
            &login,
            &[
                r#"WWW-Authenticate: Digest realm="evil", nonce="1""#,
                r#"WWW-Authenticate: Digest realm="ims.example", nonce="2""#,
            ],
            Ok(&["Authorization ims.example MD5"]),
        );
    }

    #[test]
    fn what_cannot_be_answered_says_why() {
        let login = Login::new("alice", "secret");
        check(&login, &[], Err(Unanswerable::Missing));
        check(&login, &[r#"Proxy-Authenticate: Digest realm="a"#], Err(Unanswerable::Malformed));
        check(&login, &[r#"WWW-Authenticate: Digest realm="a""#], Err(Unanswerable::Malformed));
        let akav1 = r#"WWW-Authenticate: Digest realm="a", nonce="1", algorithm=AKAv1-MD5"#;
        check(&login, &[akav1], Err(Unanswerable::Algorithm));
        check(&login, &[r#"WWW-Authenticate: Digest realm="a", nonce="1", qop="x""#], Err(Unanswerable::Qop));
    }

    #[test]
    fn a_second_answer_takes_the_place_of_the_first() {
        let login = Login::new("alice", "secret");
        let mut request = invite();
        request.headers.push_raw("Proxy-Authorization", br#"Digest realm="a""#);
        for (nonce, realm) in [("1", "a"), ("2", "b"), ("3", "a")] {
            let mut response = request.reply(StatusCode::UNAUTHORIZED);
            let question = Question::new(realm, nonce, Algorithm::Md5);
            response.headers.push(&WwwAuthenticate(question.to_challenge()));
            login.authorize(&mut request, &response, "c1", 1).unwrap();
        }
        let nonces: Vec<Authorization> = request.headers.all().unwrap();
        let nonces: Vec<_> = nonces.iter().map(|found| found.param("nonce").unwrap().into_owned()).collect();
        assert_eq!(nonces, ["2", "3"]);
        assert_eq!(request.headers.raw("Proxy-Authorization"), Some(&br#"Digest realm="a""#[..]));

        let mut response = request.reply(StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        for realm in ["a", "b"] {
            response.headers.push(&ProxyAuthenticate(Question::new(realm, "4", Algorithm::Md5).to_challenge()));
        }
        login.authorize(&mut request, &response, "c1", 1).unwrap();
        assert_eq!(request.headers.all::<ProxyAuthorization>().map(|found| found.len()), Ok(2));
    }

    #[test]
    fn what_the_challenge_says_comes_back() {
        let login = Login::new(r#"al"ice"#, "secret");
        let mut question = Question::new(r#"r\"s"#, r"n\\", Algorithm::Md5Sess);
        question.opaque = Some("o p");
        question.qop = vec![Qop::AuthInt, Qop::Absent];
        let answer = login.answer(&question, &Method::Invite, "sip:b", b"", "c1", 0xab).unwrap();
        for (name, expected) in [
            ("username", r#""al\"ice""#),
            ("realm", r#""r\"s""#),
            ("nonce", r#""n\\""#),
            ("opaque", r#""o p""#),
            ("qop", "auth-int"),
            ("nc", "000000ab"),
            ("cnonce", r#""c1""#),
            ("algorithm", "MD5-sess"),
        ] {
            assert_eq!(answer.params().get(name), Some(expected), "{name}");
        }
        question.qop = vec![Qop::AuthInt, Qop::Auth];
        let both = login.answer(&question, &Method::Invite, "sip:b", b"", "c1", 1).unwrap();
        assert_eq!(both.params().get("qop"), Some("auth"));
        question.qop = vec![Qop::Absent];
        let plain = login.answer(&question, &Method::Invite, "sip:b", b"", "c1", 1).unwrap();
        assert_eq!((plain.params().get("nc"), plain.params().get("cnonce")), (None, Some(r#""c1""#)));
        question.qop = vec![];
        let none = login.answer(&question, &Method::Invite, "sip:b", b"", "c1", 1);
        assert_eq!(none.err(), Some(Unanswerable::Qop));
        assert!(!format!("{login:?}").contains("secret"));
    }
}
