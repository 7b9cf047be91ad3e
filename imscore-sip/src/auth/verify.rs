//! The judgement of one answer: pure, without clock, state or randomness.

use super::Denied;
use super::aka::auts;
use super::algorithm::{Algorithm, Ha1, Parts, Qop};
use crate::message::Method;
use crate::parse::params::unescaped;

/// Longest value of a directive that is read, in bytes.
const MAX_VALUE: usize = 2048;

/// An Authorization or Proxy-Authorization header as an answer to a Digest challenge (RFC 3261 §22.4,
/// RFC 7616 §3.4). Texts are as they stand between their quotes, escapes included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer<'a> {
    /// Who answers; in IMS the private identity.
    pub username: &'a str,
    /// The realm of the challenge.
    pub realm: &'a str,
    /// The nonce of the challenge.
    pub nonce: &'a str,
    /// The digest-uri. A proxy may have changed the Request-URI since (RFC 3261 §22.4).
    pub uri: &'a str,
    /// How it was computed: `MD5` where it does not say. `None`: by an algorithm that we do not know.
    pub algorithm: Option<Algorithm>,
    /// What it covers. `None`: a protection that we do not know.
    pub qop: Option<Qop>,
    /// The number of answers given to this nonce, this one included; absent without `qop`.
    pub nonce_count: Option<u32>,
    /// AUTS: it is no answer but says that the USIM is ahead of the HSS, which is to be told with the RAND of the nonce
    /// (RFC 3310 §3.4). Only with an algorithm of AKA.
    pub auts: Option<[u8; 14]>,
    response: &'a str,
    nonce_count_text: &'a str,
    cnonce: &'a str,
}

/// What an answer must be an answer to, and the secret that it must prove.
///
/// ```
/// use imscore_sip::Method;
/// use imscore_sip::auth::{
///     Algorithm, Answer, Denied, Expected, Ha1, Login, Qop, Question, Remedy, Verified, ha1,
/// };
///
/// let challenge = Question::new("ims.example", "84a4cc", Algorithm::Md5).to_challenge();
/// let question = Question::read(&challenge)?;
/// let phone = Login::new("alice", "secret");
/// let credentials = phone.answer(&question, &Method::Register, "sip:ims.example", b"", "f2a4", 1)?;
///
/// let secret: Ha1 = ha1("alice", "ims.example", "secret", Algorithm::Md5);
/// let expected = Expected {
///     realm: "ims.example",
///     nonce: "84a4cc",
///     algorithm: Algorithm::Md5,
///     qop: &[Qop::Auth],
///     method: &Method::Register,
///     uri: Some("sip:ims.example"),
///     body: b"",
///     ha1: &secret,
/// };
/// let verified: Verified = Answer::read(credentials.params().iter())?.verify(&expected)?;
/// assert_eq!((verified.username.as_str(), verified.nonce_count), ("alice", Some(1)));
/// assert_eq!(Denied::WrongPassword.remedy(), Remedy::Refuse(imscore_sip::StatusCode::FORBIDDEN));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The realm of the challenge.
    pub realm: &'a str,
    /// The nonce of the challenge; that it is a good one is for the caller to know.
    pub nonce: &'a str,
    /// The algorithm of the challenge. No other is taken.
    pub algorithm: Algorithm,
    /// What the challenge offered; with [`Qop::Absent`] among them, an answer need not have any.
    pub qop: &'a [Qop],
    /// H(A1) by that algorithm.
    pub ha1: &'a Ha1,
    /// The method of the request.
    pub method: &'a Method,
    /// The digest-uri that is taken; `None` takes any.
    pub uri: Option<&'a str>,
    /// The body of the request, for `auth-int`.
    pub body: &'a [u8],
}

/// An answer that proved the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Who answered, escapes resolved.
    pub username: String,
    /// By which algorithm.
    pub algorithm: Algorithm,
    /// What the answer covers.
    pub qop: Qop,
    /// The nonce count to be taken once, where there is one.
    pub nonce_count: Option<u32>,
}

impl<'a> Answer<'a> {
    /// Reads the parameters of credentials, each as a name and the text behind its `=`.
    ///
    /// # Errors
    /// [`Denied::Unanswered`] where nonce or response are empty, as in the first REGISTER of an IMS phone
    /// (TS 24.229 §5.1.1.2.2, §5.1.1.2.3), else [`Denied::Malformed`]: something that must be there is missing, twice there, or
    /// not what its clause allows.
    pub fn read(parameters: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Result<Answer<'a>, Denied> {
        const NAMES: [&str; 10] =
            ["username", "realm", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce", "auts"];
        let mut values = [None; NAMES.len()];
        for (name, value) in parameters {
            if let Some(index) = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name)) {
                let value = between_quotes(value.unwrap_or_default())?;
                if values[index].replace(value).is_some() || value.len() > MAX_VALUE {
                    return Err(Denied::Malformed);
                }
            }
        }
        let [username, realm, nonce, uri, response, algorithm, qop, nc, cnonce, lost] = values;
        let (username, realm, uri) = (required(username)?, required(realm)?, required(uri)?);
        let (nonce, response) = (nonce.unwrap_or_default(), response.unwrap_or_default());
        let algorithm = algorithm.map_or(Some(Algorithm::Md5), Algorithm::find);
        let lost = lost.filter(|_| algorithm.is_some_and(Algorithm::is_aka));
        let auts = lost.map(|lost| auts(lost).ok_or(Denied::Malformed)).transpose()?;
        if nonce.is_empty() || response.is_empty() && auts.is_none() {
            return Err(Denied::Unanswered);
        }
        let is_hex = |text: &str| text.bytes().all(|digit| digit.is_ascii_hexdigit());
        if response.len() > 64 || !is_hex(response) {
            return Err(Denied::Malformed);
        }
        let nonce_count = match (qop, nc) {
            (None, _) => None,
            (Some(_), Some(nc)) if nc.len() <= 8 => {
                Some(u32::from_str_radix(nc, 16).ok().filter(|_| is_hex(nc)).ok_or(Denied::Malformed)?)
            }
            (Some(_), _) => return Err(Denied::Malformed),
        };
        Ok(Answer {
            username,
            realm,
            nonce,
            uri,
            algorithm,
            qop: qop.map_or(Some(Qop::Absent), Qop::find),
            nonce_count,
            auts,
            response,
            nonce_count_text: nc.unwrap_or_default(),
            cnonce: cnonce.unwrap_or_default(),
        })
    }

    /// Holds the answer against what it must be. Only the response itself takes a secret, and it is compared in a time
    /// that says nothing about it.
    ///
    /// # Errors
    /// Why it is none. [`Denied::WrongPassword`] comes last: whoever gets it has answered this very challenge.
    pub fn verify(&self, expected: &Expected<'_>) -> Result<Verified, Denied> {
        if self.realm != expected.realm || self.nonce != expected.nonce {
            return Err(Denied::ForeignNonce);
        }
        // Threat I4: what was not offered is not taken, weaker or not.
        if self.algorithm != Some(expected.algorithm) || !expected.ha1.suits(expected.algorithm) {
            return Err(Denied::UnsupportedAlgorithm);
        }
        let qop = self.qop.filter(|qop| expected.qop.contains(qop)).ok_or(Denied::UnsupportedQop)?;
        if self.cnonce.is_empty() && (qop != Qop::Absent || expected.algorithm.is_session()) {
            return Err(Denied::Malformed);
        }
        if expected.uri.is_some_and(|uri| uri != self.uri) {
            return Err(Denied::WrongUri);
        }
        let ours = expected.ha1.response(&Parts {
            algorithm: expected.algorithm,
            qop,
            method: expected.method,
            uri: self.uri,
            nonce: self.nonce,
            nonce_count: self.nonce_count_text,
            cnonce: self.cnonce,
            body: expected.body,
        });
        if !ours.is(self.response) {
            return Err(Denied::WrongPassword);
        }
        let username = unescaped(self.username).into_owned();
        Ok(Verified { username, algorithm: expected.algorithm, qop, nonce_count: self.nonce_count })
    }
}

fn required(value: Option<&str>) -> Result<&str, Denied> {
    value.filter(|value| !value.is_empty()).ok_or(Denied::Malformed)
}

/// What stands between the quotes of a quoted string; a token as it stands.
pub(super) fn between_quotes(value: &str) -> Result<&str, Denied> {
    match value.strip_prefix('"') {
        None => Ok(value),
        Some(rest) => rest.strip_suffix('"').ok_or(Denied::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ha1;
    use super::*;

    /// `name=value` pairs, one a line.
    fn read(text: &str) -> Result<Answer<'_>, Denied> {
        Answer::read(text.lines().map(|line| match line.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (line, None),
        }))
    }

    const ANSWER: &str = "username=\"Mufasa\"\nrealm=\"testrealm@host.com\"\n\
        nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"\nuri=\"/dir/index.html\"\nqop=auth\nnc=00000001\n\
        cnonce=\"0a4f113b\"\nresponse=\"6629fae49393a05397450978507c4ef1\"\nopaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";

    /// Verifies the answer of RFC 2617 §3.5 after a change of its text.
    fn check(from: &str, to: &str, expected: &Expected<'_>, outcome: Result<Qop, Denied>) {
        assert!(ANSWER.contains(from), "{from}");
        let changed = ANSWER.replacen(from, to, 1);
        let verified = read(&changed).and_then(|answer| answer.verify(expected));
        assert_eq!(verified.map(|verified| verified.qop), outcome, "{to:?} for {from:?}");
    }

    fn expecting<'a>(secret: &'a Ha1, method: &'a Method) -> Expected<'a> {
        Expected {
            realm: "testrealm@host.com",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            algorithm: Algorithm::Md5,
            qop: &[Qop::Auth, Qop::Absent],
            ha1: secret,
            method,
            uri: None,
            body: b"v=0\r\n",
        }
    }

    #[test]
    fn an_answer_is_right_or_says_why_not() {
        let method = Method::Extension("GET".into());
        let secret = ha1("Mufasa", "testrealm@host.com", "Circle Of Life", Algorithm::Md5);
        let expected = expecting(&secret, &method);
        for (from, to, outcome) in [
            ("", "", Ok(Qop::Auth)),
            ("qop=auth", "qop=\"auth\"", Ok(Qop::Auth)),
            ("qop=auth", "QOP=AUTH", Ok(Qop::Auth)),
            ("\nopaque", "\nalgorithm=md5\nx", Ok(Qop::Auth)),
            ("6629fae4", "6629FAE4", Ok(Qop::Auth)),
            ("6629fae4", "6629fae5", Err(Denied::WrongPassword)),
            ("6629fae4", "6629", Err(Denied::WrongPassword)),
            ("nc=00000001", "nc=00000002", Err(Denied::WrongPassword)),
            ("nc=00000001", "nc=1", Err(Denied::WrongPassword)),
            ("0a4f113b", "0a4f113c", Err(Denied::WrongPassword)),
            ("/dir/index", "/dir/other", Err(Denied::WrongPassword)),
            ("dcd98b71", "dcd98b72", Err(Denied::ForeignNonce)),
            ("testrealm", "otherrealm", Err(Denied::ForeignNonce)),
            ("\nopaque", "\nalgorithm=SHA-256\nx", Err(Denied::UnsupportedAlgorithm)),
            ("\nopaque", "\nalgorithm=MD5-sess\nx", Err(Denied::UnsupportedAlgorithm)),
            ("\nopaque", "\nalgorithm=ROT13\nx", Err(Denied::UnsupportedAlgorithm)),
            ("qop=auth", "qop=auth-int", Err(Denied::UnsupportedQop)),
            ("qop=auth", "qop=auth-conf", Err(Denied::UnsupportedQop)),
            ("cnonce=\"0a4f113b\"\n", "", Err(Denied::Malformed)),
        ] {
            check(from, to, &expected, outcome);
        }
        let absent = "670fd8c2df070c60b045671b8b24ff02";
        let plain = ANSWER.replace("qop=auth\n", "").replace("6629fae49393a05397450978507c4ef1", absent);
        let verified = read(&plain).unwrap().verify(&expected).unwrap();
        assert_eq!((verified.qop, verified.nonce_count), (Qop::Absent, None));
    }

    /// Threat I4: an answer that covers less than was asked for is none.
    #[test]
    fn nothing_weaker_than_offered_is_taken() {
        let method = Method::Extension("GET".into());
        let secret = ha1("Mufasa", "testrealm@host.com", "Circle Of Life", Algorithm::Md5);
        let whole = Expected { qop: &[Qop::AuthInt], ..expecting(&secret, &method) };
        check("", "", &whole, Err(Denied::UnsupportedQop));
        check("qop=auth\n", "", &whole, Err(Denied::UnsupportedQop));
        let answer = ANSWER.replace("6629fae49393a05397450978507c4ef1", "151b6cabb7e59e0ac757207a039ff3d0");
        let answer = answer.replace("qop=auth", "qop=auth-int");
        assert_eq!(read(&answer).unwrap().verify(&whole).map(|verified| verified.qop), Ok(Qop::AuthInt));
        let other_body = Expected { body: b"v=1\r\n", ..whole };
        assert_eq!(read(&answer).unwrap().verify(&other_body), Err(Denied::WrongPassword));

        let sha = ha1("Mufasa", "testrealm@host.com", "Circle Of Life", Algorithm::Sha256);
        let strong = Expected { algorithm: Algorithm::Sha256, ha1: &sha, ..expecting(&secret, &method) };
        check("", "", &strong, Err(Denied::UnsupportedAlgorithm));
        let mismatched = Expected { ha1: &sha, ..expecting(&secret, &method) };
        check("", "", &mismatched, Err(Denied::UnsupportedAlgorithm));
    }

    #[test]
    fn a_digest_uri_can_be_held_to() {
        let method = Method::Extension("GET".into());
        let secret = ha1("Mufasa", "testrealm@host.com", "Circle Of Life", Algorithm::Md5);
        let check_uri = |uri, outcome| {
            check("", "", &Expected { uri: Some(uri), ..expecting(&secret, &method) }, outcome);
        };
        check_uri("/dir/index.html", Ok(Qop::Auth));
        check_uri("/dir", Err(Denied::WrongUri));
    }

    /// Threat P7, and what an IMS phone sends first.
    #[test]
    fn p07_credentials_are_read_or_malformed() {
        for (from, to, outcome) in [
            ("username=\"Mufasa\"\n", "", Denied::Malformed),
            ("\"Mufasa\"", "\"\"", Denied::Malformed),
            ("\"Mufasa\"", "\"Mufasa", Denied::Malformed),
            ("\"Mufasa\"", "\"", Denied::Malformed),
            ("username=\"Mufasa\"", "username", Denied::Malformed),
            ("realm=\"testrealm@host.com\"\n", "", Denied::Malformed),
            ("uri=\"/dir/index.html\"\n", "", Denied::Malformed),
            ("qop=auth", "nonce=\"x\"", Denied::Malformed),
            ("opaque=", "RESPONSE=", Denied::Malformed),
            ("6629fae4", "zz29fae4", Denied::Malformed),
            ("6629fae4", "6629fae46629fae46629fae46629fae46629fae4a", Denied::Malformed),
            ("nc=00000001", "nc=", Denied::Malformed),
            ("nc=00000001", "nc=+1", Denied::Malformed),
            ("nc=00000001", "nc=000000001", Denied::Malformed),
            ("nc=00000001\n", "", Denied::Malformed),
            ("\nopaque", "\nalgorithm=AKAv1-MD5\nauts=\"AAAA\"\nx", Denied::Malformed),
            ("\nopaque", "\nalgorithm=AKAv1-MD5\nauts=\"%\"\nx", Denied::Malformed),
            ("\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"", "\"\"", Denied::Unanswered),
            ("\"6629fae49393a05397450978507c4ef1\"", "\"\"", Denied::Unanswered),
            ("nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"\n", "", Denied::Unanswered),
        ] {
            assert!(ANSWER.contains(from), "{from}");
            assert_eq!(read(&ANSWER.replacen(from, to, 1)), Err(outcome), "{to:?} for {from:?}");
        }
        for (length, fits) in [(2048, true), (2049, false)] {
            let long = ANSWER.replace("0a4f113b", &"x".repeat(length));
            assert_eq!(read(&long).is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn a_user_name_is_read_without_its_escapes() {
        let method = Method::Extension("GET".into());
        let secret = ha1(r#"Mu\"fasa"#, "testrealm@host.com", "Circle Of Life", Algorithm::Md5);
        let answer = ANSWER.replace("Mufasa", r#"Mu\"fasa"#);
        let mut answer = read(&answer).unwrap();
        let response = secret.response(&Parts {
            algorithm: Algorithm::Md5,
            qop: Qop::Auth,
            method: &method,
            uri: answer.uri,
            nonce: answer.nonce,
            nonce_count: "00000001",
            cnonce: "0a4f113b",
            body: b"",
        });
        answer.response = response.as_str();
        assert_eq!(answer.verify(&expecting(&secret, &method)).unwrap().username, "Mu\"fasa");
    }
}
