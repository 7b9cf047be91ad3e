//! Digest secrets: HA1 for each algorithm, never the password.
//!
//! The password is hashed when it comes in, by MD5 and by SHA-256, because HA1 of one cannot be had from the other and a
//! phone may know only one (RFC 8760 §2.4). Who takes the subscriber base gets no password that fits elsewhere; who is
//! to keep the base must still guard it, since HA1 is enough to answer challenges of its realm.

use std::{fmt, sync::Arc};

use md5::Md5;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{PrivateIdentity, vector::Secret};

/// Longest realm and longest password, in bytes.
const MAX_SECRET: usize = 1024;

/// What an S-CSCF needs to challenge by SIP Digest and to check the answer (TS 29.228 §6.3, SIP-Digest-Authenticate).
///
/// ```
/// use imscore_hss::{DigestAlgorithm, DigestCredentials, DigestError, Ha1, PrivateIdentity, Qop};
///
/// let alice: PrivateIdentity = "alice@ims.example".parse()?;
/// let credentials = DigestCredentials::from_password(&alice, "ims.example", "secret")?;
/// assert_eq!(credentials.qop, Qop::Auth);
/// let hash: &Ha1 = credentials.ha1(DigestAlgorithm::Md5).ok_or("no MD5")?;
/// assert_eq!(hash.to_hex().len(), 32);
/// assert!(matches!(Ha1::new(DigestAlgorithm::Sha256, "12"), Err(DigestError::Ha1 { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DigestCredentials {
    /// Realm of the challenge, and of every HA1 here. Shared by the many subscribers who have the same.
    pub realm: Arc<str>,
    /// Quality of protection that the challenge offers.
    pub qop: Qop,
    sha256: Option<Ha1>,
    md5: Option<Ha1>,
}

/// Quality of protection (RFC 7616 §3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Qop {
    /// The request line is protected.
    #[default]
    Auth,
}

/// Hash algorithm of Digest (RFC 7616 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// `SHA-256`
    Sha256,
    /// `MD5`
    Md5,
}

/// Hash of user name, realm and password (RFC 7616 §3.4.2). `Debug` does not show it, comparison takes the same time
/// wherever two differ, and it is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    algorithm: DigestAlgorithm,
    hash: Secret,
}

/// Why credentials cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DigestError {
    /// Empty, too long, or with a control character or a quotation mark in it.
    #[error("the realm has 1 to {MAX_SECRET} bytes, no control characters and no quotation marks")]
    Realm,
    /// Empty or too long.
    #[error("the password has 1 to {MAX_SECRET} bytes")]
    Password,
    /// The user name has a colon, which Digest cannot tell from its own.
    #[error("a private identity that authenticates by Digest has no colon")]
    UserName,
    /// Wrong length for its algorithm, or not hexadecimal.
    #[error("HA1 has {expected} hexadecimal digits")]
    Ha1 {
        /// How many the algorithm has.
        expected: usize,
    },
    /// No HA1, or two of one algorithm.
    #[error("one HA1 for each algorithm, and at least one")]
    Algorithms,
}

impl DigestCredentials {
    /// Hashes `password` by each algorithm that we know.
    pub fn from_password(
        user: &PrivateIdentity,
        realm: impl Into<Arc<str>>,
        password: &str,
    ) -> Result<Self, DigestError> {
        let realm = realm.into();
        if password.is_empty() || password.len() > MAX_SECRET {
            return Err(DigestError::Password);
        }
        // RFC 7616 §3.4.2 joins with colons: one in the user name would move the border to the realm.
        if user.as_str().contains(':') {
            return Err(DigestError::UserName);
        }
        let hashed = |hash: &mut dyn FnMut(&[u8])| {
            [user.as_str(), ":", &realm, ":", password].iter().for_each(|part| hash(part.as_bytes()));
        };
        let (mut sha256, mut md5) = (Sha256::new(), Md5::new());
        hashed(&mut |part| sha256.update(part));
        hashed(&mut |part| md5.update(part));
        let sha256 = Ha1 { algorithm: DigestAlgorithm::Sha256, hash: Secret::from(&sha256.finalize().into()) };
        let md5 = Ha1 { algorithm: DigestAlgorithm::Md5, hash: Secret::from(&md5.finalize().into()) };
        Self::from_ha1(realm, [sha256, md5])
    }

    /// From hashes made elsewhere, as an operator's HSS has them.
    pub fn from_ha1(realm: impl Into<Arc<str>>, ha1: impl IntoIterator<Item = Ha1>) -> Result<Self, DigestError> {
        let realm = realm.into();
        if realm.is_empty() || realm.len() > MAX_SECRET || realm.contains(|c: char| c.is_control() || c == '"') {
            return Err(DigestError::Realm);
        }
        let mut credentials = Self { realm, qop: Qop::Auth, sha256: None, md5: None };
        for ha1 in ha1 {
            let place = match ha1.algorithm {
                DigestAlgorithm::Sha256 => &mut credentials.sha256,
                DigestAlgorithm::Md5 => &mut credentials.md5,
            };
            if place.replace(ha1).is_some() {
                return Err(DigestError::Algorithms);
            }
        }
        let is_empty = credentials.hashes().next().is_none();
        if is_empty { Err(DigestError::Algorithms) } else { Ok(credentials) }
    }

    /// The hash for one algorithm.
    pub fn ha1(&self, algorithm: DigestAlgorithm) -> Option<&Ha1> {
        match algorithm {
            DigestAlgorithm::Sha256 => self.sha256.as_ref(),
            DigestAlgorithm::Md5 => self.md5.as_ref(),
        }
    }

    /// One hash for each algorithm that there is, the best first.
    pub fn hashes(&self) -> impl Iterator<Item = &Ha1> {
        self.sha256.iter().chain(&self.md5)
    }
}

impl DigestAlgorithm {
    /// The name that stands in a challenge.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Md5 => 32,
        }
    }
}

impl Ha1 {
    /// From hexadecimal digits of either case.
    pub fn new(algorithm: DigestAlgorithm, hex: &str) -> Result<Self, DigestError> {
        let expected = algorithm.digits();
        match Secret::from_hex(hex) {
            Some(hash) if hex.len() == expected => Ok(Self { algorithm, hash }),
            Some(_) | None => Err(DigestError::Ha1 { expected }),
        }
    }

    /// The algorithm that made it.
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// The hash in lower-case hexadecimal, as it enters the response. A secret.
    pub fn to_hex(&self) -> Zeroizing<String> {
        self.hash.to_hex()
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ha1").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1 gives user name, realm and password; the hashes are those that its responses come from.
    #[test]
    fn ha1_of_a_password() {
        let mufasa: PrivateIdentity = "Mufasa".parse().unwrap();
        let credentials = DigestCredentials::from_password(&mufasa, "http-auth@example.org", "Circle of Life").unwrap();
        let algorithms: Vec<_> = credentials.hashes().map(Ha1::algorithm).collect();
        assert_eq!(algorithms, [DigestAlgorithm::Sha256, DigestAlgorithm::Md5]);
        let md5 = credentials.ha1(DigestAlgorithm::Md5).unwrap();
        assert_eq!(*md5.to_hex(), "3d78807defe7de2157e2b0b6573a855f");
        let sha256 = credentials.ha1(DigestAlgorithm::Sha256).unwrap();
        assert_eq!(*sha256.to_hex(), "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232");
    }

    #[test]
    fn refuses_what_cannot_be() {
        let alice: PrivateIdentity = "alice".parse().unwrap();
        let password = |realm, password| DigestCredentials::from_password(&alice, realm, password).unwrap_err();
        assert_eq!(password("ims.example", ""), DigestError::Password);
        assert_eq!(password("", "x"), DigestError::Realm);
        assert_eq!(password("a\"b", "x"), DigestError::Realm);
        let colon: PrivateIdentity = "a:b".parse().unwrap();
        assert_eq!(DigestCredentials::from_password(&colon, "r", "x").unwrap_err(), DigestError::UserName);
        assert_eq!(Ha1::new(DigestAlgorithm::Md5, "00").unwrap_err(), DigestError::Ha1 { expected: 32 });
        let md5 = Ha1::new(DigestAlgorithm::Md5, &"AB".repeat(16)).unwrap();
        assert_eq!(*md5.to_hex(), "ab".repeat(16));
        assert_eq!(DigestCredentials::from_ha1("r", []).unwrap_err(), DigestError::Algorithms);
        assert_eq!(DigestCredentials::from_ha1("r", [md5.clone(), md5]).unwrap_err(), DigestError::Algorithms);
    }

    #[test]
    fn debug_shows_no_secret() {
        let alice: PrivateIdentity = "alice".parse().unwrap();
        let credentials = DigestCredentials::from_password(&alice, "ims.example", "secret").unwrap();
        let shown = format!("{credentials:?}");
        assert!(!shown.contains("secret"));
        assert!(credentials.hashes().all(|ha1| !shown.contains(ha1.to_hex().as_str())), "{shown}");
    }
}
