//! Hashing for tables that strangers fill: with a key, so that nobody outside can make entries collide.

use std::hash::BuildHasher;

use siphasher::sip::SipHasher13;

/// Builds hashers under one key.
///
/// ```
/// use std::collections::HashMap;
///
/// use imscore_sip::hash::Keyed;
///
/// let mut calls: HashMap<&str, u32, Keyed> = HashMap::with_hasher(Keyed::new([7; 16]));
/// calls.insert("a84b@pc33", 1);
/// assert_eq!(calls.get("a84b@pc33"), Some(&1));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Keyed(u64, u64);

impl Keyed {
    /// Under this key.
    pub fn new(key: [u8; 16]) -> Keyed {
        let (high, low) = key.split_at(8);
        let word = |bytes: &[u8]| bytes.iter().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
        Keyed(word(high), word(low))
    }

    /// Under the first half of a seed.
    pub fn from_seed(seed: &[u8; 32]) -> Keyed {
        let mut key = [0; 16];
        key.copy_from_slice(&seed[..16]);
        Keyed::new(key)
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}
