//! Sequence numbers (TS 33.102 annex C): what keeps a challenge from being used twice.

/// Bits of IND: the USIM keeps an array of 32 (TS 33.102 §C.3).
const IND_BITS: u32 = 5;

/// SQN, 48 bits: SEQ, which grows by one with each vector, and behind it IND, the place in the array of the USIM that
/// SEQ is compared with (TS 33.102 §C.1.1.1). IND goes round with SEQ, so that 32 vectors may be used in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber(u64);

impl SequenceNumber {
    /// The greatest SEQ: 43 bits.
    pub const MAX_SEQ: u64 = (1 << (48 - IND_BITS)) - 1;

    /// The sequence number of the vector with that SEQ; `None` above [`MAX_SEQ`](Self::MAX_SEQ).
    pub fn new(seq: u64) -> Option<Self> {
        (seq <= Self::MAX_SEQ).then_some(Self(seq << IND_BITS | seq & ((1 << IND_BITS) - 1)))
    }

    /// SEQ.
    pub fn seq(self) -> u64 {
        self.0 >> IND_BITS
    }

    /// IND.
    pub fn ind(self) -> usize {
        (self.0 & ((1 << IND_BITS) - 1)) as usize
    }

    /// As it stands in AUTN and AUTS.
    pub fn to_bytes(self) -> [u8; 6] {
        let [_, _, bytes @ ..] = self.0.to_be_bytes();
        bytes
    }
}

impl From<[u8; 6]> for SequenceNumber {
    fn from([a, b, c, d, e, f]: [u8; 6]) -> Self {
        Self(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seq_and_ind() {
        for (seq, bytes, ind) in [
            (0, [0; 6], 0),
            (1, [0, 0, 0, 0, 0, 0x21], 1),
            (31, [0, 0, 0, 0, 0x03, 0xff], 31),
            (32, [0, 0, 0, 0, 0x04, 0x00], 0),
            (SequenceNumber::MAX_SEQ, [0xff; 6], 31),
        ] {
            let sqn = SequenceNumber::new(seq).unwrap();
            assert_eq!((sqn.to_bytes(), sqn.seq(), sqn.ind()), (bytes, seq, ind));
            assert_eq!(SequenceNumber::from(bytes), sqn);
        }
        assert_eq!(SequenceNumber::new(SequenceNumber::MAX_SEQ + 1), None);
    }
}
