//! DTLS in SDP: the certificate that an end will show, and which end begins.

use std::fmt;
use std::str::FromStr;

use super::AttributeError;

/// The value of a `fingerprint` attribute: the hash of a certificate (RFC 8122 §5).
///
/// ```
/// use imscore_webrtc::interwork::{Fingerprint, HashFunction, Setup};
///
/// let fingerprint: Fingerprint = "sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB".parse()?;
/// assert_eq!((fingerprint.hash(), fingerprint.digest()[0]), (HashFunction::Sha1, 0x4a));
/// assert_eq!("actpass".parse::<Setup>()?, Setup::ActPass);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    hash: HashFunction,
    digest: Vec<u8>,
}

/// A hash function of a fingerprint. MD5 and MD2 are not among them: RFC 8122 §5 forbids them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum HashFunction {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// The value of a `setup` attribute: who sends the first flight (RFC 4145 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setup {
    /// `active`: who wrote it does.
    Active,
    /// `passive`: the other does.
    Passive,
    /// `actpass`: as the other likes; what an offer has (RFC 5763 §5).
    ActPass,
    /// `holdconn`: nobody does.
    HoldConn,
}

impl Fingerprint {
    /// A fingerprint. `None` where the digest has not the length of its hash.
    pub fn new(hash: HashFunction, digest: impl Into<Vec<u8>>) -> Option<Fingerprint> {
        let digest = digest.into();
        (digest.len() == hash.len()).then_some(Fingerprint { hash, digest })
    }

    /// Which hash it is.
    pub fn hash(&self) -> HashFunction {
        self.hash
    }

    /// The hash of the certificate.
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }
}

impl FromStr for Fingerprint {
    type Err = AttributeError;

    fn from_str(value: &str) -> Result<Fingerprint, AttributeError> {
        let read = || {
            let (name, digits) = value.trim_ascii_end().split_once(' ')?;
            let digest: Option<Vec<u8>> = digits.split(':').map(byte).collect();
            Fingerprint::new(HashFunction::find(name)?, digest?)
        };
        read().ok_or(AttributeError { attribute: "fingerprint" })
    }
}

/// `2UHEX`, also in lower case.
fn byte(digits: &str) -> Option<u8> {
    let is_pair = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_pair.then(|| u8::from_str_radix(digits, 16).ok())?
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash.as_str())?;
        let separators = std::iter::once(' ').chain(std::iter::repeat(':'));
        separators.zip(&self.digest).try_for_each(|(separator, byte)| write!(f, "{separator}{byte:02X}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl HashFunction {
    const ALL: [HashFunction; 5] =
        [HashFunction::Sha1, HashFunction::Sha224, HashFunction::Sha256, HashFunction::Sha384, HashFunction::Sha512];

    /// As a fingerprint has it.
    pub fn as_str(self) -> &'static str {
        match self {
            HashFunction::Sha1 => "sha-1",
            HashFunction::Sha224 => "sha-224",
            HashFunction::Sha256 => "sha-256",
            HashFunction::Sha384 => "sha-384",
            HashFunction::Sha512 => "sha-512",
        }
    }

    /// The function that a name stands for, in any case.
    pub fn find(name: &str) -> Option<HashFunction> {
        HashFunction::ALL.into_iter().find(|hash| hash.as_str().eq_ignore_ascii_case(name))
    }

    /// Bytes of a digest.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> usize {
        match self {
            HashFunction::Sha1 => 20,
            HashFunction::Sha224 => 28,
            HashFunction::Sha256 => 32,
            HashFunction::Sha384 => 48,
            HashFunction::Sha512 => 64,
        }
    }
}

impl FromStr for Setup {
    type Err = AttributeError;

    fn from_str(value: &str) -> Result<Setup, AttributeError> {
        [Setup::Active, Setup::Passive, Setup::ActPass, Setup::HoldConn]
            .into_iter()
            .find(|setup| setup.as_str() == value.trim_ascii_end())
            .ok_or(AttributeError { attribute: "setup" })
    }
}

impl Setup {
    /// As the attribute has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Setup::Active => "active",
            Setup::Passive => "passive",
            Setup::ActPass => "actpass",
            Setup::HoldConn => "holdconn",
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_and_written() {
        for hash in HashFunction::ALL {
            let fingerprint = Fingerprint::new(hash, vec![0xa5; hash.len()]).unwrap();
            let text = format!("{} A5{}", hash.as_str(), ":A5".repeat(hash.len() - 1));
            assert_eq!(fingerprint.to_string(), text);
            assert_eq!(text.parse(), Ok(fingerprint.clone()));
            assert_eq!(text.to_lowercase().parse(), Ok(fingerprint.clone()));
            assert_eq!(text.to_uppercase().parse(), Ok(fingerprint));
        }
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        let digits = format!("00{}", ":00".repeat(19));
        assert!(format!("sha-1 {digits}").parse::<Fingerprint>().is_ok());
        for text in [
            "".to_string(),
            "sha-1".to_string(),
            digits.clone(),
            format!("sha-256 {digits}"),
            format!("md5 {digits}"),
            format!("sha-1 {digits}:00"),
            format!("sha-1 {}", &digits[3..]),
            format!("sha-1 {}", digits.replace(':', "")),
            format!("sha-1 {}", digits.replacen("00", "0g", 1)),
            format!("sha-1 {}", digits.replacen("00", "+0", 1)),
            format!("sha-1 {}", digits.replacen("00", "0", 1)),
            format!("sha-1  {digits}"),
        ] {
            assert_eq!(text.parse::<Fingerprint>(), Err(AttributeError { attribute: "fingerprint" }), "{text}");
        }
    }

    #[test]
    fn roles_are_read_and_written() {
        for setup in [Setup::Active, Setup::Passive, Setup::ActPass, Setup::HoldConn] {
            assert_eq!(setup.to_string().parse(), Ok(setup));
        }
        for text in ["", "Active", "actpass x"] {
            assert_eq!(text.parse::<Setup>(), Err(AttributeError { attribute: "setup" }), "{text}");
        }
    }
}
