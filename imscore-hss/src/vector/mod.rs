//! Authentication vectors: what an HSS makes of a subscriber's key, so that an S-CSCF can prove the subscriber and the
//! subscriber the network, and neither need tell the key (TS 33.102 §6.3, TS 33.203 §6.1).
//!
//! ```text
//!   K, OPc, RAND ──▶ f2 ──▶ XRES        what the phone is to answer
//!                    f3 ──▶ CK          keys for IPsec between phone and P-CSCF
//!                    f4 ──▶ IK
//!                    f5 ──▶ AK ──┐
//!   SQN ─────────────────────────⊕──┐
//!   AMF ────────────────────────────┼─▶ AUTN = SQN ⊕ AK ‖ AMF ‖ MAC-A
//!   K, OPc, RAND, SQN, AMF ──▶ f1 ──┘
//! ```
//!
//! A USIM that has seen a higher SQN answers AUTS = SQN_MS ⊕ f5*(RAND) ‖ f1*(SQN_MS, RAND, AMF 0), and the HSS goes on
//! from there ([`AkaCredentials::resynchronise`]).
//!
//! The functions are [`Milenage`] or [`Tuak`]. SQN is a plain count of vectors, so no clock can turn it back
//! (TS 33.102 §C.1.1.2, §C.3.2); the store keeps it ([`SubscriberStore`](crate::SubscriberStore)).

mod milenage;
mod secret;
mod sqn;
#[cfg(test)]
mod tests;
mod tuak;
mod usim;

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use milenage::Milenage;
pub use secret::{MAX_SECRET, Secret};
pub use sqn::SequenceNumber;
pub use tuak::{Tuak, TuakSettings};
pub use usim::{Usim, UsimAnswer};

/// Most vectors that one request gets.
pub const MAX_VECTORS: usize = 5;

/// f1 to f5 and f1*, f5* with one subscriber's keys (TS 33.102 §6.3.2). `Debug` does not show the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthenticationFunctions {
    /// On AES.
    Milenage(Milenage),
    /// On Keccak.
    Tuak(Tuak),
}

/// What f2, f3, f4 and f5 give.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionKeys {
    /// f2: RES, 4 to 16 bytes.
    pub res: Secret,
    /// f3: CK, 16 bytes.
    pub ck: Secret,
    /// f4: IK, 16 bytes.
    pub ik: Secret,
    /// f5: AK.
    pub ak: Zeroizing<[u8; 6]>,
}

/// What an HSS keeps of a subscriber with a USIM or ISIM.
///
/// ```
/// use imscore_hss::vector::{
///     AkaCredentials, AuthenticationFunctions, AuthenticationVector, Milenage, Secret, SequenceNumber,
///     SessionKeys, Usim, UsimAnswer,
/// };
///
/// let functions: AuthenticationFunctions = Milenage::new(&[1; 16], &[2; 16]).into();
/// let keys: SessionKeys = functions.f2345(&[9; 16]);
/// let credentials = AkaCredentials::new(functions, [0x80, 0]);
/// let sqn = SequenceNumber::new(33).ok_or("too large")?;
/// let vector: AuthenticationVector = credentials.vector([9; 16], sqn);
/// let expected: &Secret = &vector.xres;
/// assert_eq!(expected, &keys.res);
///
/// let mut card = Usim::new(credentials);
/// let answer = card.authenticate(&vector.rand, &vector.autn);
/// assert!(matches!(answer, UsimAnswer::Response { res, .. } if res == vector.xres));
/// let again = card.authenticate(&vector.rand, &vector.autn);
/// assert!(matches!(again, UsimAnswer::SynchronisationFailure(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AkaCredentials {
    /// The functions with K and OPc, or TOPc.
    pub functions: AuthenticationFunctions,
    /// Authentication management field (TS 33.102 annex F and H).
    pub amf: [u8; 2],
}

/// An authentication vector: RAND and AUTN for the phone, XRES for the S-CSCF, CK and IK for the P-CSCF. `Debug` shows
/// what goes to the phone and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthenticationVector {
    /// The random challenge.
    pub rand: [u8; 16],
    /// Proof of the network, SQN in it.
    pub autn: [u8; 16],
    /// The answer that is expected.
    pub xres: Secret,
    /// Confidentiality key.
    pub ck: Secret,
    /// Integrity key.
    pub ik: Secret,
}

impl AuthenticationFunctions {
    /// MAC-A, of the network.
    pub fn f1(&self, rand: &[u8; 16], sqn: SequenceNumber, amf: [u8; 2]) -> [u8; 8] {
        match self {
            Self::Milenage(milenage) => milenage.out1(rand, &sqn.to_bytes(), amf)[0],
            Self::Tuak(tuak) => tuak.f1(rand, &sqn.to_bytes(), amf),
        }
    }

    /// MAC-S, of the phone that has lost step.
    pub fn f1_star(&self, rand: &[u8; 16], sqn: SequenceNumber, amf: [u8; 2]) -> [u8; 8] {
        match self {
            Self::Milenage(milenage) => milenage.out1(rand, &sqn.to_bytes(), amf)[1],
            Self::Tuak(tuak) => tuak.f1_star(rand, &sqn.to_bytes(), amf),
        }
    }

    /// RES, CK, IK and AK.
    pub fn f2345(&self, rand: &[u8; 16]) -> SessionKeys {
        match self {
            Self::Milenage(milenage) => milenage.f2345(rand),
            Self::Tuak(tuak) => tuak.f2345(rand),
        }
    }

    /// AK that hides SQN in AUTS.
    pub fn f5_star(&self, rand: &[u8; 16]) -> Zeroizing<[u8; 6]> {
        match self {
            Self::Milenage(milenage) => milenage.f5_star(rand).into(),
            Self::Tuak(tuak) => tuak.f5_star(rand).into(),
        }
    }

    /// K.
    pub fn k(&self) -> &Secret {
        match self {
            Self::Milenage(milenage) => milenage.k(),
            Self::Tuak(tuak) => tuak.k(),
        }
    }
}

impl From<Milenage> for AuthenticationFunctions {
    fn from(milenage: Milenage) -> Self {
        Self::Milenage(milenage)
    }
}

impl From<Tuak> for AuthenticationFunctions {
    fn from(tuak: Tuak) -> Self {
        Self::Tuak(tuak)
    }
}

impl AkaCredentials {
    /// These functions, with that AMF.
    pub fn new(functions: impl Into<AuthenticationFunctions>, amf: [u8; 2]) -> Self {
        Self { functions: functions.into(), amf }
    }

    /// The vector of one challenge and one sequence number (TS 33.102 §6.3.2).
    pub fn vector(&self, rand: [u8; 16], sqn: SequenceNumber) -> AuthenticationVector {
        let SessionKeys { res, ck, ik, ak } = self.functions.f2345(&rand);
        let mut autn = [0; 16];
        autn[..6].copy_from_slice(&concealed(sqn, &ak));
        autn[6..8].copy_from_slice(&self.amf);
        autn[8..].copy_from_slice(&self.functions.f1(&rand, sqn, self.amf));
        AuthenticationVector { rand, autn, xres: res, ck, ik }
    }

    /// The vector of one sequence number, with a RAND that nobody without K can foretell. It comes of K, the sequence
    /// number, and `seed`, which is to be another one in each process: where a base is restored from a copy and sequence
    /// numbers come again, the challenges still do not.
    pub fn challenge(&self, sqn: SequenceNumber, seed: &[u8; 32]) -> AuthenticationVector {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.functions.k().expose()).expect("a key of any length");
        for part in [&b"imscore RAND"[..], seed, &sqn.to_bytes()] {
            mac.update(part);
        }
        let mut rand = [0; 16];
        rand.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        self.vector(rand, sqn)
    }

    /// SQN_MS of the AUTS that answered `rand`; `None` where it was not made with this key (TS 33.102 §6.3.5, with the AMF
    /// of §6.3.3).
    pub fn resynchronise(&self, rand: &[u8; 16], auts: &[u8; 14]) -> Option<SequenceNumber> {
        let (hidden, mac) = auts.split_first_chunk::<6>()?;
        let sqn = SequenceNumber::from(concealed((*hidden).into(), &self.functions.f5_star(rand)));
        let genuine = self.functions.f1_star(rand, sqn, [0; 2]);
        bool::from(genuine[..].ct_eq(mac)).then_some(sqn)
    }
}

/// SQN ⊕ AK, which also reveals it.
fn concealed(sqn: SequenceNumber, ak: &[u8; 6]) -> [u8; 6] {
    let mut bytes = sqn.to_bytes();
    bytes.iter_mut().zip(ak).for_each(|(byte, ak)| *byte ^= ak);
    bytes
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKeys")
    }
}
