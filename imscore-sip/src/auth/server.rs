//! The side that asks: challenges and verdicts for requests, with nonces that nobody has to keep.

use super::algorithm::{Algorithm, Ha1, Qop};
use super::nonce::{Nonce, Nonces, ReplayGuard};
use super::question::Question;
use super::verify::{Answer, Expected, Verified};
use super::{Asks, Denied, Remedy};
use crate::header::{Authorization, Credentials, HeaderError, ProxyAuthenticate, ProxyAuthorization, WwwAuthenticate};
use crate::message::{Request, Response, StatusCode};
use crate::now::Now;
use crate::parse::params::unescaped;

/// Authenticates requests of one realm.
///
/// ACK and CANCEL cannot be challenged and are not to be asked (RFC 3261 §22.1).
///
/// ```
/// # use std::time::{Duration, Instant};
/// use imscore_sip::auth::{Authenticator, Denied, Nonces, ReplayGuard, ha1};
/// use imscore_sip::{Message, Now};
///
/// let register = "REGISTER sip:ims.example SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\r\n";
/// let Message::Request(register) = Message::parse(register.into())? else { panic!("a request") };
/// let now = Now { monotonic: Instant::now(), wall: 1_700_000_000_000 };
///
/// let registrar = Authenticator::registrar("ims.example", Nonces::new([7; 16], Duration::from_secs(300)));
/// let mut guard = ReplayGuard::new(100_000);
/// let secret = |user: &str, algorithm| Some(ha1(user, "ims.example", "secret", algorithm));
/// let denied = registrar.verify(&register, &mut guard, secret, now).expect_err("it brings no answer");
/// assert_eq!(denied, Denied::Missing);
/// let response = registrar.refuse(&register, denied, 42, now);
/// assert!(response.headers.contains("WWW-Authenticate"));
/// # Ok::<(), imscore_sip::ParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Authenticator {
    realm: String,
    nonces: Nonces,
    asks: Asks,
    algorithms: Vec<Algorithm>,
    qop: Vec<Qop>,
}

/// Who a request says it is from, before that is proved.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use imscore_sip::auth::{Authenticator, Claim, Denied, Login, Nonces};
/// use imscore_sip::{Method, Now, Request};
///
/// let now = Now { monotonic: Instant::now(), wall: 1_700_000_000_000 };
/// let registrar = Authenticator::registrar("ims.example", Nonces::new([7; 16], Duration::from_secs(300)));
/// let mut register = Request::new(&Method::Register, "sip:ims.example");
/// let asked = registrar.refuse(&register, Denied::Missing, 42, now);
/// Login::new("alice", "secret").authorize(&mut register, &asked, "f2a4", 1)?;
/// // Whose secret is to be fetched:
/// let claim: Claim = registrar.claim(&register)?;
/// assert_eq!(claim.username, "alice");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The user name; in IMS the private identity.
    pub username: String,
    /// The algorithm that H(A1) is needed for.
    pub algorithm: Algorithm,
}

impl Authenticator {
    /// One that asks as a registrar or user agent server: 401, WWW-Authenticate, Authorization (RFC 3261 §22.2).
    ///
    /// It offers MD5 and `auth`, which every phone knows, and also takes answers without `qop`.
    pub fn registrar(realm: impl Into<String>, nonces: Nonces) -> Authenticator {
        let (algorithms, qop) = (vec![Algorithm::Md5], vec![Qop::Auth, Qop::Absent]);
        Authenticator { realm: realm.into(), nonces, asks: Asks::Server, algorithms, qop }
    }

    /// One that asks as a proxy: 407, Proxy-Authenticate, Proxy-Authorization (RFC 3261 §22.3).
    pub fn proxy(realm: impl Into<String>, nonces: Nonces) -> Authenticator {
        Authenticator { asks: Asks::Proxy, ..Authenticator::registrar(realm, nonces) }
    }

    /// Offers these algorithms, each in a challenge of its own, the best first (RFC 8760 §2.3). No other is taken.
    #[must_use]
    pub fn with_algorithms(self, algorithms: impl IntoIterator<Item = Algorithm>) -> Authenticator {
        Authenticator { algorithms: algorithms.into_iter().collect(), ..self }
    }

    /// Offers these protections. Answers without `qop` are taken only with [`Qop::Absent`] among them.
    #[must_use]
    pub fn with_qop(self, qop: impl IntoIterator<Item = Qop>) -> Authenticator {
        Authenticator { qop: qop.into_iter().collect(), ..self }
    }

    /// Whose answers it takes.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Who the request says it is from, for those that must wait for the secret before they call
    /// [`Authenticator::verify`].
    ///
    /// # Errors
    /// As `verify`, as far as that can be told without the secret.
    pub fn claim(&self, request: &Request) -> Result<Claim, Denied> {
        self.judge(request, |answer, algorithm, _| {
            Ok(Claim { username: unescaped(answer.username).into_owned(), algorithm })
        })
    }

    /// Whether the request proves who it is from. `secret` has H(A1) of a user by an algorithm, or `None` for nobody.
    ///
    /// # Errors
    /// Why it does not; [`Authenticator::refuse`] makes the response.
    pub fn verify(
        &self,
        request: &Request,
        guard: &mut ReplayGuard,
        secret: impl FnOnce(&str, Algorithm) -> Option<Ha1>,
        now: Now,
    ) -> Result<Verified, Denied> {
        self.judge(request, |answer, algorithm, nonce| {
            let ha1 = secret(&unescaped(answer.username), algorithm).ok_or(Denied::UnknownUser)?;
            let verified = answer.verify(&Expected {
                realm: answer.realm,
                nonce: answer.nonce,
                algorithm,
                qop: &self.qop,
                ha1: &ha1,
                method: &request.method(),
                uri: None,
                body: &request.body(),
            })?;
            // Only now: whoever does not know the password learns nothing of a nonce and takes no room.
            guard.take(&self.nonces, nonce, verified.nonce_count, now)?;
            Ok(verified)
        })
    }

    /// The response to a request that was denied: what [`Denied::remedy`] says. `random` goes into the nonce; the To
    /// tag is for the caller to set.
    pub fn refuse(&self, request: &Request, denied: Denied, random: u64, now: Now) -> Response {
        match denied.remedy() {
            Remedy::Challenge { stale } => self.challenge(request, stale, random, now),
            Remedy::Refuse(status) => request.reply(status),
        }
    }

    /// A 401 or 407 that asks for a password.
    pub fn challenge(&self, request: &Request, stale: bool, random: u64, now: Now) -> Response {
        let nonce = self.nonces.issue(&self.realm, None, random, now);
        let mut response = request.reply(match self.asks {
            Asks::Server => StatusCode::UNAUTHORIZED,
            Asks::Proxy => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        });
        for algorithm in &self.algorithms {
            let qop = self.qop.clone();
            let question = Question { qop, stale, ..Question::new(&self.realm, &nonce, *algorithm) };
            match self.asks {
                Asks::Server => response.headers.push(&WwwAuthenticate(question.to_challenge())),
                Asks::Proxy => response.headers.push(&ProxyAuthenticate(question.to_challenge())),
            }
        }
        response
    }

    /// Hands the answer to a challenge of ours to `verdict`. There may be several for one realm (RFC 3261 §22.3).
    fn judge<T>(
        &self,
        request: &Request,
        verdict: impl FnOnce(&Answer<'_>, Algorithm, Nonce) -> Result<T, Denied>,
    ) -> Result<T, Denied> {
        let headers = &request.headers;
        match self.asks {
            Asks::Server => self.pick(headers.typed().map(|found| found.map(|found: Authorization| found.0)), verdict),
            Asks::Proxy => {
                self.pick(headers.typed().map(|found| found.map(|found: ProxyAuthorization| found.0)), verdict)
            }
        }
    }

    fn pick<T>(
        &self,
        found: impl Iterator<Item = Result<Credentials, HeaderError>>,
        verdict: impl FnOnce(&Answer<'_>, Algorithm, Nonce) -> Result<T, Denied>,
    ) -> Result<T, Denied> {
        let mut denied = Denied::Missing;
        for credentials in found {
            let why = match &credentials {
                Err(_) => Denied::Malformed,
                Ok(credentials) if !credentials.is_digest() => continue,
                Ok(credentials) if credentials.param("realm").is_some_and(|realm| realm != self.realm) => continue,
                Ok(credentials) => match Answer::read(credentials.params().iter()) {
                    Err(why) => why,
                    Ok(answer) => match self.nonces.read(answer.nonce, &self.realm, None) {
                        None => Denied::ForeignNonce,
                        Some(nonce) => {
                            let offered = answer.algorithm.filter(|found| self.algorithms.contains(found));
                            return verdict(&answer, offered.ok_or(Denied::UnsupportedAlgorithm)?, nonce);
                        }
                    },
                },
            };
            if denied == Denied::Missing {
                denied = why;
            }
        }
        Err(denied)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Login, ha1};
    use super::*;
    use crate::message::Message;
    use crate::testing::Clock;

    const REGISTER: &str = "REGISTER sip:ims.example SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
        From: <sip:alice@ims.example>;tag=1\r\nTo: <sip:alice@ims.example>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\r\n";

    fn request(text: &str) -> Request {
        let Ok(Message::Request(request)) = Message::parse(text.to_string().into()) else { panic!("a request") };
        request
    }

    fn at(wall: u64) -> Now {
        Now { wall, ..Clock::new().now() }
    }

    const NOW: u64 = 1_700_000_000_000;

    fn registrar() -> Authenticator {
        Authenticator::registrar("ims.example", Nonces::new([7; 16], Duration::from_secs(60)))
    }

    fn secret(user: &str, algorithm: Algorithm) -> Option<Ha1> {
        (user == "alice@ims.example").then(|| ha1(user, "ims.example", "secret", algorithm))
    }

    fn alice() -> Login {
        Login::new("alice@ims.example", "secret")
    }

    /// What `login` sends after a challenge of `asks`.
    fn answered(asks: &Authenticator, login: &Login, nonce_count: u32) -> Request {
        let mut register = request(REGISTER);
        let challenge = asks.challenge(&register, false, 42, at(NOW));
        login.authorize(&mut register, &challenge, "c1", nonce_count).unwrap();
        request(&format!("{register:?}"))
    }

    fn check(asks: &Authenticator, request: &Request, wall: u64, expected: Result<&str, Denied>) {
        let verified = asks.verify(request, &mut ReplayGuard::new(9), secret, at(wall));
        assert_eq!(verified.map(|verified| verified.username), expected.map(str::to_string), "{request:?}");
    }

    /// Nonce and response were computed apart.
    #[test]
    fn a_phone_registers_in_two_steps() {
        let nonce = "018bcfe5680000000000002a16dbd89741a7a752e6f2e71c";
        let challenge = registrar().challenge(&request(REGISTER), false, 42, at(NOW));
        let asked = format!(r#"Digest realm="ims.example", nonce="{nonce}", algorithm=MD5, qop="auth""#);
        assert_eq!(challenge.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(challenge.headers.raw("WWW-Authenticate"), Some(asked.as_bytes()));
        let answered = answered(&registrar(), &alice(), 1);
        let answer = format!(
            "Digest username=\"alice@ims.example\", realm=\"ims.example\", nonce=\"{nonce}\", uri=\"sip:ims.example\", \
             response=\"2798361e171dec25629de1f1193cd88a\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c1\""
        );
        assert_eq!(answered.headers.raw("Authorization"), Some(answer.as_bytes()));
        check(&registrar(), &answered, NOW, Ok("alice@ims.example"));
        let claim = Claim { username: "alice@ims.example".into(), algorithm: Algorithm::Md5 };
        assert_eq!(registrar().claim(&answered), Ok(claim));
    }

    /// Threat I3: one answer is taken once, and not after its time.
    #[test]
    fn an_answer_is_taken_once_and_in_time() {
        let registrar = registrar();
        let mut guard = ReplayGuard::new(9);
        let mut verify = |count, wall| {
            let answered = answered(&registrar, &alice(), count);
            registrar.verify(&answered, &mut guard, secret, at(wall)).map(|verified| verified.nonce_count)
        };
        assert_eq!(verify(1, NOW), Ok(Some(1)));
        assert_eq!(verify(1, NOW), Err(Denied::Replayed));
        assert_eq!(verify(2, NOW), Ok(Some(2)));
        assert_eq!(verify(3, NOW + 60_001), Err(Denied::Stale));
        for denied in [Denied::Stale, Denied::Replayed] {
            let again = registrar.refuse(&request(REGISTER), denied, 43, at(NOW + 60_001));
            let asked = String::from_utf8_lossy(again.headers.raw("WWW-Authenticate").unwrap()).into_owned();
            assert!(again.status() == StatusCode::UNAUTHORIZED && asked.ends_with("stale=true"), "{asked}");
        }
    }

    #[test]
    fn a_wrong_password_is_refused_and_takes_no_room() {
        let mut guard = ReplayGuard::new(9);
        for login in [Login::new("alice@ims.example", "wrong"), Login::new("bob@ims.example", "secret")] {
            let answered = answered(&registrar(), &login, 1);
            let denied = registrar().verify(&answered, &mut guard, secret, at(NOW)).unwrap_err();
            assert_eq!(registrar().refuse(&answered, denied, 1, at(NOW)).status(), StatusCode::FORBIDDEN);
        }
        assert!(guard.is_empty());
        check(&registrar(), &answered(&registrar(), &Login::new("bob", "x"), 1), NOW, Err(Denied::UnknownUser));
        check(
            &registrar(),
            &answered(&registrar(), &Login::new("alice@ims.example", "x"), 1),
            NOW,
            Err(Denied::WrongPassword),
        );
    }

    #[test]
    fn what_is_no_answer_is_asked_again() {
        let answer = format!("{:?}", answered(&registrar(), &alice(), 1));
        for (from, to, denied) in [
            ("Authorization", "X-Authorization", Denied::Missing),
            ("Authorization", "Proxy-Authorization", Denied::Missing),
            ("Digest username", "Other username", Denied::Missing),
            (r#"realm="ims.example""#, r#"realm="other.example""#, Denied::Missing),
            (r#"nonce="018b"#, r#"nonce="118b"#, Denied::ForeignNonce),
            (r#"nonce="018bcfe5680000000000002a16dbd89741a7a752e6f2e71c""#, r#"nonce="""#, Denied::Unanswered),
            ("algorithm=MD5", "algorithm=SHA-256", Denied::UnsupportedAlgorithm),
            ("algorithm=MD5", "algorithm=MD5-sess", Denied::UnsupportedAlgorithm),
            ("qop=auth", "qop=auth-int", Denied::UnsupportedQop),
        ] {
            assert!(answer.contains(from), "{from}");
            let changed = request(&answer.replacen(from, to, 1));
            check(&registrar(), &changed, NOW, Err(denied));
            let again = registrar().refuse(&changed, denied, 1, at(NOW));
            assert_eq!(again.status(), StatusCode::UNAUTHORIZED, "{denied}");
            assert!(!again.headers.raw("WWW-Authenticate").unwrap().ends_with(b"stale=true"), "{denied}");
        }
    }

    /// Threat P7.
    #[test]
    fn p07_what_cannot_be_read_is_a_bad_request() {
        let answer = format!("{:?}", answered(&registrar(), &alice(), 1));
        for (from, to) in [
            (r#"cnonce="c1""#, r#"cnonce="c1"#.to_string()),
            (r#"cnonce="c1""#, r#"cnonce="c1", realm="ims.example""#.to_string()),
            ("nc=00000001", "nc=1x".to_string()),
            (r#"uri="sip:ims.example", "#, String::new()),
            ("Digest", format!("Digest {}", "\"\\\"".repeat(2000))),
        ] {
            assert!(answer.contains(from), "{from}");
            let changed = request(&answer.replacen(from, &to, 1));
            check(&registrar(), &changed, NOW, Err(Denied::Malformed));
            let refused = registrar().refuse(&changed, Denied::Malformed, 1, at(NOW));
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
            assert!(!refused.headers.contains("WWW-Authenticate"));
        }
    }

    /// RFC 3261 §22.3: credentials for others, and older ones for us, may stand beside.
    #[test]
    fn our_credentials_are_found_among_others() {
        let mut register = answered(&registrar(), &alice(), 1);
        let ours = register.headers.raw("Authorization").unwrap().to_vec();
        register.headers.remove("Authorization");
        let old = String::from_utf8(ours.clone()).unwrap().replace("018b", "018a");
        for line in [&b"Bearer x"[..], br#"Digest realm="other", nonce="#, old.as_bytes(), &ours] {
            register.headers.push_raw("Authorization", line);
        }
        check(&registrar(), &register, NOW, Ok("alice@ims.example"));
    }

    /// RFC 8760 §2.3; threat I4: several algorithms are offered, and none but those is taken.
    #[test]
    fn the_best_algorithm_that_both_know_is_taken() {
        let both = registrar().with_algorithms([Algorithm::Sha256, Algorithm::Md5]);
        let challenge = both.challenge(&request(REGISTER), false, 42, at(NOW));
        let offered: Vec<WwwAuthenticate> = challenge.headers.all().unwrap();
        let offered: Vec<_> = offered.iter().map(|found| found.param("algorithm").unwrap().into_owned()).collect();
        assert_eq!(offered, ["SHA-256", "MD5"]);
        let strong = answered(&both, &alice(), 1);
        let response = b"response=\"546458c2adf29ce4772a5edbfdfaf51a343fe1c277525151d85f8644f7c8e5d1\"";
        assert!(strong.to_bytes().windows(response.len()).any(|part| part == response), "{strong:?}");
        check(&both, &strong, NOW, Ok("alice@ims.example"));
        check(&registrar(), &strong, NOW, Err(Denied::UnsupportedAlgorithm));
        let only = registrar().with_algorithms([Algorithm::Sha256]);
        check(&only, &answered(&registrar(), &alice(), 1), NOW, Err(Denied::UnsupportedAlgorithm));
        for algorithm in [Algorithm::Md5Sess, Algorithm::Sha256Sess] {
            let session = registrar().with_algorithms([algorithm]);
            check(&session, &answered(&session, &alice(), 1), NOW, Ok("alice@ims.example"));
        }
    }

    #[test]
    fn protections_are_held_to() {
        let plain = registrar().with_qop([Qop::Absent]);
        let unprotected = answered(&plain, &alice(), 1);
        assert!(!format!("{unprotected:?}").contains("qop"));
        check(&plain, &unprotected, NOW, Ok("alice@ims.example"));
        check(&registrar(), &unprotected, NOW, Ok("alice@ims.example"));
        check(&registrar().with_qop([Qop::Auth]), &unprotected, NOW, Err(Denied::UnsupportedQop));

        let whole = registrar().with_qop([Qop::AuthInt]);
        let mut register = request(REGISTER).with_body("text/plain", "one");
        let challenge = whole.challenge(&register, false, 42, at(NOW));
        alice().authorize(&mut register, &challenge, "c1", 1).unwrap();
        check(&whole, &register, NOW, Ok("alice@ims.example"));
        register.set_body("text/plain", "two");
        check(&whole, &register, NOW, Err(Denied::WrongPassword));
    }

    #[test]
    fn a_proxy_asks_by_its_own_headers() {
        let proxy = Authenticator::proxy("ims.example", Nonces::new([7; 16], Duration::from_secs(60)));
        let challenge = proxy.challenge(&request(REGISTER), false, 42, at(NOW));
        assert_eq!(challenge.status(), StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        assert!(challenge.headers.contains("Proxy-Authenticate") && !challenge.headers.contains("WWW-Authenticate"));
        let answered = answered(&proxy, &alice(), 1);
        assert!(answered.headers.contains("Proxy-Authorization") && !answered.headers.contains("Authorization"));
        check(&proxy, &answered, NOW, Ok("alice@ims.example"));
        check(&registrar(), &answered, NOW, Err(Denied::Missing));
    }
}
