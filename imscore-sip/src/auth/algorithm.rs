//! The arithmetic of Digest: H(A1), H(A2) and the response (RFC 7616 §3.4.1 to §3.4.3).

use std::fmt;

use md5::Md5;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::message::Method;

/// A hash algorithm of Digest (RFC 7616 §6.1, RFC 8760 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// `MD5`, also where a challenge names none.
    Md5,
    /// `MD5-sess`
    Md5Sess,
    /// `SHA-256`
    Sha256,
    /// `SHA-256-sess`
    Sha256Sess,
    /// `AKAv1-MD5` (RFC 3310 §3.1): a USIM proves itself, and its response is the password.
    AkaV1Md5,
    /// `AKAv2-MD5` (RFC 4169 §3): the keys of the run are in the password too.
    AkaV2Md5,
    /// `AKAv2-SHA-256` (RFC 4169 §3 with the hash of RFC 7616).
    AkaV2Sha256,
}

/// Quality of protection: what the response covers (RFC 7616 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Qop {
    /// No `qop`: the method and the digest-uri, without a nonce count (RFC 2069; RFC 2617 §3.2.2.1).
    Absent,
    /// `auth`: the method and the digest-uri.
    Auth,
    /// `auth-int`: the body too.
    AuthInt,
}

/// H(user name, realm, password) in lower-case hexadecimal: as good as the password within its realm. `Debug` does not
/// show it.
#[derive(Clone)]
pub struct Ha1(Hex);

/// A hash in lower-case hexadecimal.
#[derive(Clone, Copy)]
pub(super) struct Hex {
    digits: [u8; 64],
    len: usize,
}

/// What a response is made of, besides the secret. Texts of quoted strings are what stands between the quotes, escapes
/// included (RFC 7616 §3.3, `unq`).
pub(super) struct Parts<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) qop: Qop,
    pub(super) method: &'a Method,
    pub(super) uri: &'a str,
    pub(super) nonce: &'a str,
    /// `nc` as it stands.
    pub(super) nonce_count: &'a str,
    pub(super) cnonce: &'a str,
    pub(super) body: &'a [u8],
}

/// H(A1) of a user. For a `-sess` algorithm too it is that of the password alone, as a subscriber base keeps it;
/// nonce and cnonce come in when a response is computed (RFC 7616 §3.4.2).
pub fn ha1(username: &str, realm: &str, password: impl AsRef<[u8]>, algorithm: Algorithm) -> Ha1 {
    Ha1(algorithm.hash(&[username.as_bytes(), realm.as_bytes(), password.as_ref()]))
}

impl Algorithm {
    /// As a challenge has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Md5Sess => "MD5-sess",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha256Sess => "SHA-256-sess",
            Algorithm::AkaV1Md5 => "AKAv1-MD5",
            Algorithm::AkaV2Md5 => "AKAv2-MD5",
            Algorithm::AkaV2Sha256 => "AKAv2-SHA-256",
        }
    }

    /// True where the password comes of a USIM's answer, see [`aka_ha1`](super::aka_ha1).
    pub fn is_aka(self) -> bool {
        matches!(self, Algorithm::AkaV1Md5 | Algorithm::AkaV2Md5 | Algorithm::AkaV2Sha256)
    }

    /// The algorithm that a challenge or its answer names, in any case.
    pub fn find(text: &str) -> Option<Algorithm> {
        const ALL: [Algorithm; 7] = [
            Algorithm::Md5,
            Algorithm::Md5Sess,
            Algorithm::Sha256,
            Algorithm::Sha256Sess,
            Algorithm::AkaV1Md5,
            Algorithm::AkaV2Md5,
            Algorithm::AkaV2Sha256,
        ];
        ALL.into_iter().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(text))
    }

    /// Hexadecimal digits of a hash: 32 or 64.
    pub fn digits(self) -> usize {
        match self {
            Algorithm::Md5 | Algorithm::Md5Sess | Algorithm::AkaV1Md5 | Algorithm::AkaV2Md5 => 32,
            Algorithm::Sha256 | Algorithm::Sha256Sess | Algorithm::AkaV2Sha256 => 64,
        }
    }

    /// What is to be answered where a server leaves the choice: the more, the better. A card proves the network too.
    pub(super) fn strength(self) -> u8 {
        match self {
            Algorithm::Md5 | Algorithm::Md5Sess => 0,
            Algorithm::Sha256 | Algorithm::Sha256Sess => 1,
            Algorithm::AkaV1Md5 => 2,
            Algorithm::AkaV2Md5 => 3,
            Algorithm::AkaV2Sha256 => 4,
        }
    }

    pub(super) fn is_session(self) -> bool {
        matches!(self, Algorithm::Md5Sess | Algorithm::Sha256Sess)
    }

    /// The hash of `parts` with colons between them.
    fn hash(self, parts: &[&[u8]]) -> Hex {
        match self {
            Algorithm::Md5 | Algorithm::Md5Sess | Algorithm::AkaV1Md5 | Algorithm::AkaV2Md5 => {
                Hex::of(&joined::<Md5>(parts).finalize())
            }
            Algorithm::Sha256 | Algorithm::Sha256Sess | Algorithm::AkaV2Sha256 => {
                Hex::of(&joined::<Sha256>(parts).finalize())
            }
        }
    }
}

fn joined<H: Digest>(parts: &[&[u8]]) -> H {
    let mut hash = H::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    hash
}

impl Qop {
    /// As a challenge has it; empty for [`Qop::Absent`].
    pub fn as_str(self) -> &'static str {
        match self {
            Qop::Absent => "",
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }

    /// The protection that a token names, in any case.
    pub fn find(text: &str) -> Option<Qop> {
        [Qop::Auth, Qop::AuthInt].into_iter().find(|qop| qop.as_str().eq_ignore_ascii_case(text))
    }
}

impl Ha1 {
    /// From hexadecimal digits in either case, as an HSS sends them: 32 for MD5, 64 for SHA-256.
    pub fn from_hex(digits: &str) -> Option<Ha1> {
        let fits = matches!(digits.len(), 32 | 64) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        fits.then(|| {
            let mut hex = Hex { digits: [0; 64], len: digits.len() };
            hex.digits[..digits.len()].copy_from_slice(digits.to_ascii_lowercase().as_bytes());
            Ha1(hex)
        })
    }

    /// The hexadecimal text, to be kept where secrets are kept.
    pub fn as_hex(&self) -> &str {
        self.0.as_str()
    }

    /// True where it is a hash by that algorithm, as far as its length tells.
    pub(super) fn suits(&self, algorithm: Algorithm) -> bool {
        self.0.len == algorithm.digits()
    }

    /// The response that proves this secret.
    pub(super) fn response(&self, parts: &Parts<'_>) -> Hex {
        let algorithm = parts.algorithm;
        let (nonce, cnonce) = (parts.nonce.as_bytes(), parts.cnonce.as_bytes());
        let a1 = if algorithm.is_session() { algorithm.hash(&[self.0.bytes(), nonce, cnonce]) } else { self.0 };
        let (method, uri) = (parts.method.as_str().as_bytes(), parts.uri.as_bytes());
        let a2 = match parts.qop {
            Qop::Absent | Qop::Auth => algorithm.hash(&[method, uri]),
            Qop::AuthInt => algorithm.hash(&[method, uri, algorithm.hash(&[parts.body]).bytes()]),
        };
        match parts.qop {
            Qop::Absent => algorithm.hash(&[a1.bytes(), nonce, a2.bytes()]),
            Qop::Auth | Qop::AuthInt => {
                let (count, qop) = (parts.nonce_count.as_bytes(), parts.qop.as_str().as_bytes());
                algorithm.hash(&[a1.bytes(), nonce, count, cnonce, qop, a2.bytes()])
            }
        }
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1")
    }
}

impl Hex {
    pub(super) fn of(hash: &[u8]) -> Hex {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = Hex { digits: [0; 64], len: 2 * hash.len() };
        for (pair, byte) in hex.digits.chunks_exact_mut(2).zip(hash) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        hex
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.digits[..self.len]
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// Compares with digits of either case, in a time that says nothing of where they differ.
    pub(super) fn is(&self, digits: &str) -> bool {
        self.bytes().ct_eq(digits.to_ascii_lowercase().as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(secret: &Ha1, parts: &Parts<'_>, expected: &str) {
        assert_eq!(secret.response(parts).as_str(), expected, "{:?} {:?}", parts.algorithm, parts.qop);
    }

    /// RFC 2617 §3.5 and the same without `qop`, with `auth-int` and with a session key (computed apart).
    #[test]
    fn responses_of_rfc_2617() {
        let method = Method::Extension("GET".into());
        let secret = ha1("Mufasa", "testrealm@host.com", "Circle Of Life", Algorithm::Md5);
        assert_eq!(secret.0.as_str(), "939e7578ed9e3c518a452acee763bce9");
        for (algorithm, qop, body, expected) in [
            (Algorithm::Md5, Qop::Auth, "", "6629fae49393a05397450978507c4ef1"),
            (Algorithm::Md5, Qop::Absent, "", "670fd8c2df070c60b045671b8b24ff02"),
            (Algorithm::Md5, Qop::AuthInt, "v=0\r\n", "151b6cabb7e59e0ac757207a039ff3d0"),
            (Algorithm::Md5Sess, Qop::Auth, "", "8e3825c57e897f5a0dec6c2d4e5059d0"),
        ] {
            let parts = Parts {
                algorithm,
                qop,
                method: &method,
                uri: "/dir/index.html",
                nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                nonce_count: "00000001",
                cnonce: "0a4f113b",
                body: body.as_bytes(),
            };
            check(&secret, &parts, expected);
        }
    }

    /// RFC 7616 §3.9.1, and the session variant (computed apart).
    #[test]
    fn responses_of_rfc_7616() {
        let method = Method::Extension("GET".into());
        for (algorithm, expected) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
            (Algorithm::Sha256Sess, "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7"),
        ] {
            let parts = Parts {
                algorithm,
                qop: Qop::Auth,
                method: &method,
                uri: "/dir/index.html",
                nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                nonce_count: "00000001",
                cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                body: b"",
            };
            check(&ha1("Mufasa", "http-auth@example.org", "Circle of Life", algorithm), &parts, expected);
        }
    }

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(Algorithm::find("md5"), Some(Algorithm::Md5));
        assert_eq!(Algorithm::find("SHA-256-SESS"), Some(Algorithm::Sha256Sess));
        assert_eq!(Algorithm::find("SHA-512-256"), None);
        assert_eq!((Qop::find("AUTH-INT"), Qop::find(""), Qop::find("auth-conf")), (Some(Qop::AuthInt), None, None));
    }

    #[test]
    fn a_secret_is_read_from_its_digits_and_never_shown() {
        let digits = "939E7578ED9E3C518A452ACEE763BCE9";
        let secret = Ha1::from_hex(digits).unwrap();
        assert!(secret.suits(Algorithm::Md5) && !secret.suits(Algorithm::Sha256Sess));
        assert_eq!(secret.0.as_str(), digits.to_lowercase());
        assert_eq!(format!("{secret:?}"), "Ha1");
        for wrong in ["", "939e", &digits.replace('9', "g"), &digits[1..], &format!("{digits}00")] {
            assert!(Ha1::from_hex(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn responses_are_compared_whole() {
        let hash = Hex::of(&[0xab; 16]);
        assert!(hash.is(&"ab".repeat(16)) && hash.is(&"AB".repeat(16)));
        for wrong in ["", "ab", &"ab".repeat(15), &"ab".repeat(17), &format!("{}ac", "ab".repeat(15))] {
            assert!(!hash.is(wrong), "{wrong}");
        }
    }
}
