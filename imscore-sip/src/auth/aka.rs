//! Digest by AKA: the password comes of a challenge that a USIM or ISIM answers (RFC 3310, RFC 4169, TS 33.203 §6.1).
//!
//! ```text
//!   S-CSCF ── 401 nonce = base64(RAND ‖ AUTN), ck, ik ──▶ P-CSCF ── the same without ck and ik ──▶ phone
//!   S-CSCF ◀─────────────── REGISTER response, by RES; or auts, where the card is ahead ────────── phone
//! ```
//!
//! The response is that of any Digest, and [`Answer::verify`](super::Answer::verify) judges it with the H(A1) that
//! [`aka_ha1`] makes of a vector. [`AkaKeys`] travel between S-CSCF and P-CSCF only; no function here writes them into
//! what goes to a phone.

use std::fmt;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _};
use md5::Md5;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::algorithm::{Algorithm, Ha1, Hex, ha1};
use super::question::{Question, Unanswerable};
use super::session::Session;
use crate::header::{Authorization, Challenge, Credentials, WwwAuthenticate};
use crate::message::{Method, Request, Response};

/// Writes padding, and reads with and without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a USIM is asked: RAND and AUTN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AkaChallenge {
    /// The random challenge.
    pub rand: [u8; 16],
    /// Proof of the network.
    pub autn: [u8; 16],
}

/// CK and IK, of which phone and P-CSCF make their IPsec. `Debug` does not show them.
#[derive(Clone)]
pub struct AkaKeys {
    /// Confidentiality key.
    pub ck: [u8; 16],
    /// Integrity key.
    pub ik: [u8; 16],
}

/// What a USIM says to a challenge (TS 33.102 §6.3.3).
#[derive(Clone, Debug)]
pub enum AkaAnswer {
    /// The network is genuine and the challenge new.
    Response {
        /// RES.
        res: AkaResponse,
        /// CK and IK.
        keys: AkaKeys,
    },
    /// The network is genuine, the challenge is not new: AUTS.
    SynchronisationFailure([u8; 14]),
    /// The network does not know the key.
    MacFailure,
}

/// RES, as good as a password for once. `Debug` does not show it.
#[derive(Clone)]
pub struct AkaResponse(Zeroizing<Vec<u8>>);

/// Who answers with a USIM.
///
/// ```
/// use imscore_sip::auth::{AkaAnswer, AkaChallenge, AkaKeys, AkaLogin, AkaResponse, Algorithm, Question};
/// use imscore_sip::header::WwwAuthenticate;
/// use imscore_sip::{Method, Request, StatusCode};
///
/// // The network asks with the RAND and AUTN of a vector, and tells the P-CSCF the keys.
/// let nonce = AkaChallenge { rand: [1; 16], autn: [2; 16] }.to_nonce();
/// let asked = Question::new("ims.example", &nonce, Algorithm::AkaV1Md5).to_challenge();
/// let keys = AkaKeys { ck: [3; 16], ik: [4; 16] };
/// let (asked, for_pcscf) = AkaKeys::taken_from(&keys.put_into(&asked));
/// assert_eq!(for_pcscf.map(|keys| keys.ck), Some([3; 16]));
///
/// // The phone's card answers.
/// let mut register = Request::new(&Method::Register, "sip:ims.example");
/// let response = register.reply(StatusCode::UNAUTHORIZED).with(WwwAuthenticate(asked));
/// let card = |challenge: &AkaChallenge| {
///     assert_eq!(challenge.rand, [1; 16]);
///     AkaAnswer::Response { res: AkaResponse::new([5; 8]), keys }
/// };
/// let login = AkaLogin::new("alice@ims.example", "ims.example");
/// assert!(login.authorize(&mut register, &response, "f2a4", card)?.is_some());
/// assert!(register.headers.contains("Authorization"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct AkaLogin {
    username: String,
    realm: String,
}

impl AkaChallenge {
    /// The nonce of a challenge: RAND and AUTN in base64 (RFC 3310 §3.2).
    pub fn to_nonce(&self) -> String {
        BASE64.encode([self.rand, self.autn].concat())
    }

    /// Reads a nonce; what stands behind AUTN in it is the server's own. `None` where it is shorter.
    pub fn from_nonce(nonce: &str) -> Option<AkaChallenge> {
        let bytes = BASE64.decode(nonce).ok()?;
        let (rand, rest) = bytes.split_first_chunk()?;
        Some(AkaChallenge { rand: *rand, autn: *rest.first_chunk()? })
    }
}

impl AkaKeys {
    /// The challenge with both keys, for the P-CSCF (TS 24.229 §7.2A.1).
    #[must_use]
    pub fn put_into(&self, challenge: &Challenge) -> Challenge {
        let challenge = AkaKeys::taken_from(challenge).0;
        challenge.with_quoted("ik", Hex::of(&self.ik).as_str()).with_quoted("ck", Hex::of(&self.ck).as_str())
    }

    /// The challenge without keys, as a phone may have it, and the keys where both are there.
    pub fn taken_from(challenge: &Challenge) -> (Challenge, Option<AkaKeys>) {
        let key = |name| challenge.param(name).and_then(|value| key(&value));
        let keys = key("ck").zip(key("ik")).map(|(ck, ik)| AkaKeys { ck, ik });
        (challenge.without("ck").without("ik"), keys)
    }
}

impl AkaResponse {
    /// RES as the card gave it.
    pub fn new(res: impl Into<Vec<u8>>) -> AkaResponse {
        AkaResponse(res.into().into())
    }
}

/// H(A1) for one challenge, of RES, CK and IK: the password is RES itself (RFC 3310 §3.3), and for the second version
/// the base64 of HMAC(RES‖IK‖CK, `http-digest-akav2-password`) by the hash of the algorithm (RFC 4169 §3). `None` for an
/// algorithm that is not AKA's.
pub fn aka_ha1(username: &str, realm: &str, algorithm: Algorithm, res: &[u8], keys: &AkaKeys) -> Option<Ha1> {
    let key = || Zeroizing::new([res, &keys.ik, &keys.ck].concat());
    let password = match algorithm {
        Algorithm::AkaV1Md5 => Zeroizing::new(res.to_vec()),
        Algorithm::AkaV2Md5 => version_two(Hmac::<Md5>::new_from_slice(&key()).ok()?),
        Algorithm::AkaV2Sha256 => version_two(Hmac::<Sha256>::new_from_slice(&key()).ok()?),
        Algorithm::Md5 | Algorithm::Md5Sess | Algorithm::Sha256 | Algorithm::Sha256Sess => return None,
    };
    Some(ha1(username, realm, &*password, algorithm))
}

fn version_two(mut mac: impl hmac::Mac) -> Zeroizing<Vec<u8>> {
    mac.update(b"http-digest-akav2-password");
    Zeroizing::new(BASE64.encode(mac.finalize().into_bytes()).into_bytes())
}

impl AkaLogin {
    /// A login with a private identity, for one realm: the home network's domain.
    pub fn new(username: impl Into<String>, realm: impl Into<String>) -> AkaLogin {
        AkaLogin { username: username.into(), realm: realm.into() }
    }

    /// Puts the answer to a 401 into a REGISTER that is to be sent again, in place of an earlier one. `usim` is asked once, for
    /// the first challenge of AKA for the realm. Gives the keys; `None` where the card was ahead of the network, which gets
    /// AUTS and will challenge again.
    ///
    /// # Errors
    /// Why there is no answer; [`Unanswerable::Forged`] where the card says that the network does not know its key.
    pub fn authorize(
        &self,
        request: &mut Request,
        response: &Response,
        cnonce: &str,
        usim: impl FnOnce(&AkaChallenge) -> AkaAnswer,
    ) -> Result<Option<AkaKeys>, Unanswerable> {
        let mut why = Unanswerable::Missing;
        for challenge in response.headers.typed::<WwwAuthenticate>() {
            let challenge = challenge.map_err(|_| Unanswerable::Malformed)?.0;
            match Question::read(&challenge) {
                Ok(question) if !question.algorithm.is_aka() => why = Unanswerable::Algorithm,
                Ok(question) if !question.is_for(&self.realm) => why = Unanswerable::Realm,
                Ok(question) => {
                    let (method, uri, body) = (request.method(), request.target(), request.body());
                    let (credentials, keys) = self.answer(&question, &method, &uri, &body, cnonce, usim)?;
                    request.headers.retain(|old: &Authorization| old.param("realm").as_deref() != Some(&*self.realm));
                    request.headers.push(&Authorization(credentials));
                    return Ok(keys);
                }
                Err(found) => why = found,
            }
        }
        Err(why)
    }

    /// The answer to one question, and the keys as [`AkaLogin::authorize`] gives them.
    ///
    /// # Errors
    /// As `authorize`.
    pub fn answer(
        &self,
        question: &Question<'_>,
        method: &Method,
        uri: &str,
        body: &[u8],
        cnonce: &str,
        usim: impl FnOnce(&AkaChallenge) -> AkaAnswer,
    ) -> Result<(Credentials, Option<AkaKeys>), Unanswerable> {
        let (session, keys) = self.session(question, usim)?;
        Ok((session.first_answer(method, uri, body, cnonce)?, keys))
    }

    /// The answers to one question, for as many requests as its nonce is good for, and the keys as
    /// [`AkaLogin::authorize`] gives them. The card is asked now and never again for it.
    pub(super) fn session(
        &self,
        question: &Question<'_>,
        usim: impl FnOnce(&AkaChallenge) -> AkaAnswer,
    ) -> Result<(Session, Option<AkaKeys>), Unanswerable> {
        self.can_answer(question)?;
        let challenge = AkaChallenge::from_nonce(question.nonce).ok_or(Unanswerable::Malformed)?;
        match usim(&challenge) {
            AkaAnswer::Response { res, keys } => {
                let secret = aka_ha1(&self.username, question.realm, question.algorithm, &res.0, &keys);
                let secret = secret.ok_or(Unanswerable::Algorithm)?;
                Ok((Session::new(&self.username, question, secret), Some(keys)))
            }
            // RFC 3310 §3.4: by an empty password, with AUTS beside it.
            AkaAnswer::SynchronisationFailure(auts) => {
                let nothing = ha1(&self.username, question.realm, "", question.algorithm);
                Ok((Session::new(&self.username, question, nothing).with_auts(BASE64.encode(auts)), None))
            }
            AkaAnswer::MacFailure => Err(Unanswerable::Forged),
        }
    }

    /// Whose card it is, without an answer, for a REGISTER before there is a challenge (TS 24.229 §5.1.1.2.2).
    pub(super) fn introduction(&self, uri: &str) -> Credentials {
        Credentials::build("Digest", |params| {
            params.push_quoted("username", &self.username);
            params.push_quoted("realm", &self.realm);
            params.push_quoted("nonce", "");
            params.push_quoted("uri", uri);
            params.push_quoted("response", "");
        })
    }

    pub(super) fn realm(&self) -> &str {
        &self.realm
    }

    pub(super) fn can_answer(&self, question: &Question<'_>) -> Result<(), Unanswerable> {
        if !question.is_for(&self.realm) {
            return Err(Unanswerable::Realm);
        }
        if question.algorithm.is_aka() { Ok(()) } else { Err(Unanswerable::Algorithm) }
    }
}

/// AUTS of an answer.
pub(super) fn auts(text: &str) -> Option<[u8; 14]> {
    BASE64.decode(text).ok()?.try_into().ok()
}

/// 16 bytes in hexadecimal.
fn key(digits: &str) -> Option<[u8; 16]> {
    let value = u128::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 32 && !digits.starts_with('+'))?;
    Some(value.to_be_bytes())
}

impl Drop for AkaKeys {
    fn drop(&mut self) {
        self.ck.zeroize();
        self.ik.zeroize();
    }
}

impl fmt::Debug for AkaKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AkaKeys")
    }
}

impl fmt::Debug for AkaResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AkaResponse")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Answer, Denied, Expected, Login, Qop};
    use crate::message::{Message, StatusCode};

    const AKA: [Algorithm; 3] = [Algorithm::AkaV1Md5, Algorithm::AkaV2Md5, Algorithm::AkaV2Sha256];
    const CHALLENGE: AkaChallenge = AkaChallenge { rand: [0x52; 16], autn: [0xa7; 16] };

    fn keys() -> AkaKeys {
        AkaKeys { ck: [0xc1; 16], ik: [0x1c; 16] }
    }

    fn card(_: &AkaChallenge) -> AkaAnswer {
        AkaAnswer::Response { res: AkaResponse::new([0xff, 0, b':', 1, 2, 3, 4, 5]), keys: keys() }
    }

    fn register() -> Request {
        let text = "REGISTER sip:ims.example SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\r\n";
        let Ok(Message::Request(request)) = Message::parse(text.into()) else { panic!("a request") };
        request
    }

    /// A REGISTER that answers a challenge, and what came of it.
    fn answered(
        algorithm: Algorithm,
        usim: impl FnOnce(&AkaChallenge) -> AkaAnswer,
    ) -> (Request, Result<Option<AkaKeys>, Unanswerable>) {
        let nonce = CHALLENGE.to_nonce();
        let mut request = register();
        let mut response = request.reply(StatusCode::UNAUTHORIZED);
        response.headers.push(&WwwAuthenticate(Question::new("ims.example", &nonce, algorithm).to_challenge()));
        let outcome = AkaLogin::new("alice@ims.example", "ims.example").authorize(&mut request, &response, "c1", usim);
        (request, outcome)
    }

    fn judge(request: &Request, algorithm: Algorithm, res: &[u8]) -> Result<Option<[u8; 14]>, Denied> {
        let credentials: Authorization = request.headers.first().unwrap();
        let answer = Answer::read(credentials.params().iter())?;
        if answer.auts.is_some() {
            return Ok(answer.auts);
        }
        let nonce = CHALLENGE.to_nonce();
        let ha1 = aka_ha1("alice@ims.example", "ims.example", algorithm, res, &keys()).unwrap();
        let method = Method::Register;
        let (realm, qop) = ("ims.example", &[Qop::Auth][..]);
        let (nonce, ha1, method) = (&*nonce, &ha1, &method);
        answer.verify(&Expected { realm, nonce, algorithm, qop, ha1, method, uri: None, body: b"" }).map(|_| None)
    }

    /// RFC 3310 §3.3 and RFC 4169 §3, TS 33.203 §6.1: the right RES proves the card, by each algorithm and no other.
    #[test]
    fn a_card_proves_itself() {
        for algorithm in AKA {
            let (request, keys) = answered(algorithm, |challenge| {
                assert_eq!(*challenge, CHALLENGE);
                card(challenge)
            });
            assert_eq!(keys.unwrap().map(|keys| (keys.ck, keys.ik)), Some(([0xc1; 16], [0x1c; 16])));
            let right = [0xff, 0, b':', 1, 2, 3, 4, 5];
            assert_eq!(judge(&request, algorithm, &right), Ok(None), "{algorithm:?}");
            assert_eq!(judge(&request, algorithm, &right[..7]), Err(Denied::WrongPassword));
            for other in AKA.into_iter().filter(|other| *other != algorithm) {
                assert_eq!(judge(&request, other, &right), Err(Denied::UnsupportedAlgorithm), "threat I4");
            }
        }
        assert!(aka_ha1("a", "r", Algorithm::Md5, b"x", &keys()).is_none());
    }

    /// The responses of one run, computed apart.
    #[test]
    fn responses() {
        for (algorithm, expected) in [
            (Algorithm::AkaV1Md5, "9cf685c5499bad501b3a2a4d38e11fc9"),
            (Algorithm::AkaV2Md5, "7178db60ad16aee53baabd7783e0c4e1"),
            (Algorithm::AkaV2Sha256, "b3638cb8c9882d41f951d3e21ccbca7c2aaf36967f2e7c9b486926e2be8467a3"),
        ] {
            let credentials: Authorization = answered(algorithm, card).0.headers.first().unwrap();
            assert_eq!(credentials.param("response").as_deref(), Some(expected), "{algorithm:?}");
        }
    }

    /// RFC 3310 §3.4.
    #[test]
    fn a_card_that_is_ahead_says_so() {
        for algorithm in AKA {
            let (request, keys) = answered(algorithm, |_| AkaAnswer::SynchronisationFailure([0x5a; 14]));
            assert!(keys.unwrap().is_none());
            assert_eq!(judge(&request, algorithm, b""), Ok(Some([0x5a; 14])));
        }
        let (request, outcome) = answered(Algorithm::AkaV1Md5, |_| AkaAnswer::MacFailure);
        assert_eq!(outcome.err(), Some(Unanswerable::Forged));
        assert!(!request.headers.contains("Authorization"));
    }

    #[test]
    fn what_is_not_for_the_card_is_not_asked_of_it() {
        let never = |_: &AkaChallenge| panic!("the card is not to be asked");
        assert_eq!(answered(Algorithm::Md5, never).1.err(), Some(Unanswerable::Algorithm));
        let login = AkaLogin::new("alice", "ims.example");
        let ask = |realm: &str, nonce: &str| {
            let question = Question::new(realm, nonce, Algorithm::AkaV1Md5);
            login.answer(&question, &Method::Register, "sip:ims.example", b"", "c", never).err()
        };
        assert_eq!(ask("evil", &CHALLENGE.to_nonce()), Some(Unanswerable::Realm));
        for short in ["", "AAAA", &CHALLENGE.to_nonce()[..40], "#"] {
            assert_eq!(ask("ims.example", short), Some(Unanswerable::Malformed), "{short}");
        }
        // Nor is a password given for what a card is to answer.
        let nonce = CHALLENGE.to_nonce();
        let question = Question::new("ims.example", &nonce, Algorithm::AkaV1Md5);
        let answer = Login::new("alice", "x").answer(&question, &Method::Register, "sip:a", b"", "c", 1);
        assert_eq!(answer.err(), Some(Unanswerable::Algorithm));
    }

    #[test]
    fn a_nonce_is_read_with_what_the_server_adds() {
        let with_more = BASE64.encode([&CHALLENGE.rand[..], &CHALLENGE.autn, b"server"].concat());
        assert_eq!(AkaChallenge::from_nonce(&with_more), Some(CHALLENGE));
        assert_eq!(AkaChallenge::from_nonce(CHALLENGE.to_nonce().trim_end_matches('=')), Some(CHALLENGE));
    }

    /// Threat I13: keys go to the P-CSCF and no further.
    #[test]
    fn keys_are_put_in_and_taken_out() {
        let nonce = CHALLENGE.to_nonce();
        let open = Question::new("ims.example", &nonce, Algorithm::AkaV1Md5).to_challenge();
        let inside = keys().put_into(&open);
        assert_eq!(inside.param("ck").as_deref(), Some("c1".repeat(16).as_str()));
        assert_eq!(inside.param("ik").as_deref(), Some("1c".repeat(16).as_str()));
        let (outside, taken) = AkaKeys::taken_from(&inside);
        assert_eq!(
            (outside.as_str(), taken.map(|keys| (keys.ck, keys.ik))),
            (open.as_str(), Some(([0xc1; 16], [0x1c; 16])))
        );
        let twice = keys().put_into(&inside.with_quoted("CK", "00"));
        assert_eq!(twice.params().iter().filter(|(name, _)| name.eq_ignore_ascii_case("ck")).count(), 1);
        for wrong in ["", "c1", &"g1".repeat(16), &format!("+{}", "1".repeat(31))] {
            let (outside, taken) =
                AkaKeys::taken_from(&open.with_quoted("ck", wrong).with_quoted("ik", &"1c".repeat(16)));
            assert_eq!((outside.as_str(), taken.is_none()), (open.as_str(), true), "{wrong}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?} {:?}", keys(), card(&CHALLENGE));
        assert_eq!(shown, "AkaKeys Response { res: AkaResponse, keys: AkaKeys }");
    }
}
