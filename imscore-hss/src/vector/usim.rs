//! A USIM in software: for test tools, and phones without a card.

use subtle::ConstantTimeEq;

use super::{AkaCredentials, Secret, SequenceNumber, concealed};

/// A USIM with the array of TS 33.102 §C.2.2, 32 places and no limit to jumps.
#[derive(Clone, Debug)]
pub struct Usim {
    credentials: AkaCredentials,
    highest: [u64; 32],
}

/// What a USIM says to a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UsimAnswer {
    /// The network is genuine and the challenge new.
    Response {
        /// RES.
        res: Secret,
        /// CK.
        ck: Secret,
        /// IK.
        ik: Secret,
    },
    /// The network is genuine, the challenge is not new: AUTS.
    SynchronisationFailure([u8; 14]),
    /// The network does not know the key.
    MacFailure,
}

impl Usim {
    /// A USIM that has seen nothing but SEQ 0.
    pub fn new(credentials: AkaCredentials) -> Self {
        Self { credentials, highest: [0; 32] }
    }

    /// A USIM that has seen every SEQ up to this one.
    #[must_use]
    pub fn with_seq(self, seq: u64) -> Self {
        Self { highest: [seq; 32], ..self }
    }

    /// TS 33.102 §6.3.3.
    pub fn authenticate(&mut self, rand: &[u8; 16], autn: &[u8; 16]) -> UsimAnswer {
        let functions = &self.credentials.functions;
        let keys = functions.f2345(rand);
        let (mut hidden, mut amf) = ([0; 6], [0; 2]);
        hidden.copy_from_slice(&autn[..6]);
        amf.copy_from_slice(&autn[6..8]);
        let sqn = SequenceNumber::from(concealed(hidden.into(), &keys.ak));
        if !bool::from(functions.f1(rand, sqn, amf)[..].ct_eq(&autn[8..])) {
            return UsimAnswer::MacFailure;
        }
        let seen = &mut self.highest[sqn.ind()];
        if sqn.seq() > *seen {
            *seen = sqn.seq();
            return UsimAnswer::Response { res: keys.res, ck: keys.ck, ik: keys.ik };
        }
        let highest = self.highest.iter().copied().max().and_then(SequenceNumber::new).unwrap_or(sqn);
        let mut auts = [0; 14];
        auts[..6].copy_from_slice(&concealed(highest, &functions.f5_star(rand)));
        auts[6..].copy_from_slice(&functions.f1_star(rand, highest, [0; 2]));
        UsimAnswer::SynchronisationFailure(auts)
    }
}
