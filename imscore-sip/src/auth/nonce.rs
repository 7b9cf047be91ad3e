//! Nonces that need no memory, and the little memory that replay protection does need.
//!
//! A nonce is the moment of its issue, a random number and a MAC over both, the realm and, where one is given, the
//! private identity. Any node with the key can check it. What no node can know by itself is whether a nonce count was
//! used before: a [`NonceUse`] tells for one nonce, a [`ReplayGuard`] keeps those of a node.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::time::Duration;

use siphasher::sip128::{Hasher128, SipHasher24};
use subtle::ConstantTimeEq;

use super::Denied;
use super::algorithm::Hex;
use crate::now::Now;

/// Bytes of the moment, of the random number, and of the MAC.
const ISSUED: usize = 6;
const RANDOM: usize = 6;
const MAC: usize = 12;

/// Issues nonces and knows its own: 48 hexadecimal digits each.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use imscore_sip::Now;
/// use imscore_sip::auth::{Denied, Nonce, NonceUse, Nonces};
///
/// let now = Now { monotonic: Instant::now(), wall: 1_700_000_000_000 };
/// let nonces = Nonces::new([7; 16], Duration::from_secs(300));
/// let text = nonces.issue("ims.example", None, 42, now);
/// let nonce: Option<Nonce> = nonces.read(&text, "ims.example", None);
/// assert!(nonce.is_some_and(|nonce| nonces.is_fresh(nonce, now)));
/// assert!(nonces.read(&text, "far.example", None).is_none());
///
/// let mut counts = NonceUse::default();
/// assert_eq!(counts.take(Some(1)), Ok(()));
/// assert_eq!(counts.take(Some(1)), Err(Denied::Replayed));
/// ```
#[derive(Clone)]
pub struct Nonces {
    key: [u8; 16],
    lifetime: Duration,
}

/// A nonce that was issued with our key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce {
    /// Milliseconds since 1970.
    issued: u64,
    random: u64,
}

/// Which counts of one nonce have been used. Answers may overtake each other: of the 64 counts up to the highest each
/// is taken once, older ones never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NonceUse {
    highest: u32,
    /// Bit n stands for `highest - n`.
    used: u64,
}

/// The uses of nonces on one node, at most `capacity` of them.
///
/// Only nonces whose answer was right come in. When there are too many, the oldest go, and whatever was issued no
/// later than those counts as expired: a phone is challenged once more, no answer is taken twice.
#[derive(Debug)]
pub struct ReplayGuard {
    uses: BTreeMap<Nonce, NonceUse>,
    capacity: usize,
    /// Nonces up to this moment are not taken any more, except those in the table.
    floor: u64,
}

impl Nonces {
    /// A source of nonces. All nodes that check each other's nonces share the key; `lifetime` is how long one is
    /// good for.
    pub fn new(key: [u8; 16], lifetime: Duration) -> Nonces {
        Nonces { key, lifetime }
    }

    /// A new nonce for a realm, good for nobody but `identity` where one is given. `random` makes two nonces of one
    /// millisecond differ.
    pub fn issue(&self, realm: &str, identity: Option<&str>, random: u64, now: Now) -> String {
        let mut bytes = [0; ISSUED + RANDOM + MAC];
        bytes[..ISSUED].copy_from_slice(&now.wall.to_be_bytes()[2..]);
        bytes[ISSUED..ISSUED + RANDOM].copy_from_slice(&random.to_be_bytes()[2..]);
        let (seed, mac) = bytes.split_at_mut(ISSUED + RANDOM);
        mac.copy_from_slice(&self.mac(seed, realm, identity));
        Hex::of(&bytes).as_str().to_string()
    }

    /// The nonce that `text` is, where we issued it for this realm and identity, however long ago.
    pub fn read(&self, text: &str, realm: &str, identity: Option<&str>) -> Option<Nonce> {
        let mut bytes = [0; ISSUED + RANDOM + MAC];
        if text.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        let (seed, mac) = bytes.split_at(ISSUED + RANDOM);
        let ours: bool = self.mac(seed, realm, identity).ct_eq(mac).into();
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        ours.then(|| Nonce { issued: number(&seed[..ISSUED]), random: number(&seed[ISSUED..]) })
    }

    /// True while answers to the nonce are taken. Clocks of nodes may differ: one from the future is as good as one
    /// from the past.
    pub fn is_fresh(&self, nonce: Nonce, now: Now) -> bool {
        u128::from(now.wall.abs_diff(nonce.issued)) <= self.lifetime.as_millis()
    }

    fn mac(&self, seed: &[u8], realm: &str, identity: Option<&str>) -> [u8; MAC] {
        let mut mac = SipHasher24::new_with_key(&self.key);
        mac.write(seed);
        mac.write(&(realm.len() as u64).to_be_bytes());
        mac.write(realm.as_bytes());
        mac.write(&[u8::from(identity.is_some())]);
        mac.write(identity.unwrap_or_default().as_bytes());
        let mut short = [0; MAC];
        short.copy_from_slice(&mac.finish128().as_bytes()[..MAC]);
        short
    }
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nonces").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl NonceUse {
    /// Takes one answer. Without a nonce count it must be the only one (RFC 7616 §5.5).
    ///
    /// # Errors
    /// [`Denied::Replayed`] for a count that was used, or may have been.
    pub fn take(&mut self, nonce_count: Option<u32>) -> Result<(), Denied> {
        let Some(count) = nonce_count else {
            let first = *self == NonceUse::default();
            *self = NonceUse { highest: u32::MAX, used: u64::MAX };
            return if first { Ok(()) } else { Err(Denied::Replayed) };
        };
        if count > self.highest {
            let ahead = count - self.highest;
            self.used = self.used.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return Ok(());
        }
        let bit = 1_u64.checked_shl(self.highest - count).unwrap_or(0);
        if bit == 0 || self.used & bit != 0 {
            return Err(Denied::Replayed);
        }
        self.used |= bit;
        Ok(())
    }
}

impl ReplayGuard {
    /// A guard that knows up to `capacity` nonces, at least one; each takes about 50 bytes.
    pub fn new(capacity: usize) -> ReplayGuard {
        ReplayGuard { uses: BTreeMap::new(), capacity: capacity.max(1), floor: 0 }
    }

    /// Takes one answer to a nonce of `nonces` that has proved right otherwise.
    ///
    /// # Errors
    /// [`Denied::Stale`] for a nonce that is too old or that the guard had to forget, [`Denied::Replayed`] for a count
    /// that was used before.
    pub fn take(&mut self, nonces: &Nonces, nonce: Nonce, nonce_count: Option<u32>, now: Now) -> Result<(), Denied> {
        self.expire(nonces, now);
        if !nonces.is_fresh(nonce, now) {
            return Err(Denied::Stale);
        }
        if let Some(uses) = self.uses.get_mut(&nonce) {
            return uses.take(nonce_count);
        }
        if nonce.issued <= self.floor {
            return Err(Denied::Stale);
        }
        if self.uses.len() == self.capacity {
            self.make_room(nonces, now);
        }
        self.uses.entry(nonce).or_default().take(nonce_count)
    }

    /// How many nonces it knows.
    pub fn len(&self) -> usize {
        self.uses.len()
    }

    /// True where it knows none.
    pub fn is_empty(&self) -> bool {
        self.uses.is_empty()
    }

    fn expire(&mut self, nonces: &Nonces, now: Now) {
        // The clock went back behind the floor: to hold on to it would turn everybody away until that moment returns.
        if self.floor > now.wall {
            self.floor = 0;
        }
        while self
            .uses
            .first_key_value()
            .is_some_and(|(first, _)| first.issued < now.wall && !nonces.is_fresh(*first, now))
        {
            self.forget_first();
        }
    }

    /// Forgets the oldest; or, where the clock went back and left nonces far ahead of it, the last of those.
    fn make_room(&mut self, nonces: &Nonces, now: Now) {
        match self.uses.last_entry() {
            Some(last) if !nonces.is_fresh(*last.key(), now) => {
                last.remove();
            }
            _ => self.forget_first(),
        }
    }

    fn forget_first(&mut self) {
        if let Some((nonce, _)) = self.uses.pop_first() {
            self.floor = self.floor.max(nonce.issued);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Clock;

    const LIFETIME: Duration = Duration::from_secs(60);

    fn nonces() -> Nonces {
        Nonces::new([7; 16], LIFETIME)
    }

    fn at(wall: u64) -> Now {
        Now { wall, ..Clock::new().now() }
    }

    fn nonce(issued: u64, random: u64) -> Nonce {
        Nonce { issued, random }
    }

    #[test]
    fn a_nonce_is_known_by_whoever_has_the_key() {
        let text = nonces().issue("ims.example", None, 0xffff_1234_5678_9abc, at(1_700_000_000_123));
        assert_eq!(text.len(), 48);
        let other_node = Nonces::new([7; 16], LIFETIME);
        let read = other_node.read(&text, "ims.example", None);
        assert_eq!(read, Some(nonce(1_700_000_000_123, 0x1234_5678_9abc)));
        assert_ne!(text, nonces().issue("ims.example", None, 1, at(1_700_000_000_123)));
    }

    /// Threat I3: a nonce of another realm, identity or key, or one that was made up, is none of ours.
    #[test]
    fn a_nonce_is_bound_to_realm_and_identity() {
        let bound = nonces().issue("ims.example", Some("alice@ims.example"), 1, at(5));
        let check = |nonces: &Nonces, text: &str, realm, identity| nonces.read(text, realm, identity).is_some();
        assert!(check(&nonces(), &bound, "ims.example", Some("alice@ims.example")));
        for (realm, identity) in [
            ("ims.example", Some("bob@ims.example")),
            ("ims.example", None),
            ("ims.example", Some("")),
            ("ims.exampla", Some("alice@ims.example")),
            ("ims.example\u{1}alice@ims.example", None),
        ] {
            assert!(!check(&nonces(), &bound, realm, identity), "{realm} {identity:?}");
        }
        let anyone = nonces().issue("ims.example", None, 1, at(5));
        assert!(!check(&nonces(), &anyone, "ims.example", Some("")));
        let odd = nonces().issue("a", Some("b\u{1}c"), 1, at(5));
        assert!(!check(&nonces(), &odd, "a\u{1}b", Some("c")));
        assert!(!check(&Nonces::new([8; 16], LIFETIME), &bound, "ims.example", Some("alice@ims.example")));
        for position in 0..48 {
            let mut forged = bound.clone().into_bytes();
            forged[position] = if forged[position] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert!(!check(&nonces(), &forged, "ims.example", Some("alice@ims.example")), "{forged}");
        }
        for text in ["", "00", &bound[2..], &format!("{bound}00"), &"ü".repeat(24), &bound.to_uppercase()] {
            assert!(!check(&nonces(), text, "ims.example", Some("alice@ims.example")), "{text}");
        }
    }

    #[test]
    fn a_nonce_is_fresh_for_its_lifetime() {
        for (now, expected) in [(99_999, false), (100_000, true), (160_000, true), (220_000, true), (220_001, false)] {
            assert_eq!(nonces().is_fresh(nonce(160_000, 1), at(now)), expected, "{now}");
        }
    }

    #[test]
    fn each_count_is_taken_once() {
        let mut uses = NonceUse::default();
        for (count, taken) in [
            (Some(2), true),
            (Some(2), false),
            (Some(1), true),
            (Some(1), false),
            (Some(66), true),
            (Some(3), true),
            (Some(2), false),
            (Some(65), true),
            (Some(65), false),
            (Some(u32::MAX), true),
            (Some(u32::MAX), false),
            (Some(67), false),
            (Some(u32::MAX - 63), true),
            (Some(u32::MAX - 64), false),
            (None, false),
        ] {
            assert_eq!(uses.take(count).is_ok(), taken, "{count:?}");
        }
        let mut once = NonceUse::default();
        let taken: Vec<bool> = [None, None, Some(1)].map(|count| once.take(count).is_ok()).to_vec();
        assert_eq!(taken, [true, false, false]);
        let mut zero = NonceUse::default();
        assert_eq!((zero.take(Some(0)), zero.take(Some(0))), (Ok(()), Err(Denied::Replayed)));
    }

    #[test]
    fn a_full_guard_forgets_the_oldest_and_takes_none_of_them_again() {
        let mut guard = ReplayGuard::new(2);
        let now = at(200_000);
        let mut take = |issued, random, count| guard.take(&nonces(), nonce(issued, random), Some(count), now);
        assert_eq!(take(190_000, 1, 1), Ok(()));
        assert_eq!(take(191_000, 1, 1), Ok(()));
        assert_eq!(take(190_000, 1, 2), Ok(()));
        assert_eq!(take(192_000, 1, 1), Ok(()));
        assert_eq!(take(190_000, 1, 3), Err(Denied::Stale));
        assert_eq!(take(190_000, 2, 1), Err(Denied::Stale));
        assert_eq!(take(191_000, 1, 1), Err(Denied::Replayed));
        assert_eq!(take(191_000, 2, 1), Ok(()));
        assert_eq!(take(192_000, 1, 2), Ok(()));
        assert_eq!(take(191_000, 1, 9), Err(Denied::Stale));
        assert_eq!(guard.len(), 2);

        let mut least = ReplayGuard::new(0);
        for issued in [190_000, 191_000] {
            assert_eq!(least.take(&nonces(), nonce(issued, 1), Some(1), now), Ok(()));
            assert_eq!(least.len(), 1);
        }
    }

    #[test]
    fn a_guard_forgets_what_has_expired() {
        let mut guard = ReplayGuard::new(10);
        for issued in [100_000, 110_000] {
            assert_eq!(guard.take(&nonces(), nonce(issued, 1), Some(1), at(110_000)), Ok(()));
        }
        assert_eq!(guard.take(&nonces(), nonce(100_000, 1), Some(2), at(160_001)), Err(Denied::Stale));
        assert_eq!(guard.len(), 1);
        for issued in [100_000, 220_002] {
            assert_eq!(guard.take(&nonces(), nonce(issued, 3), Some(1), at(160_001)), Err(Denied::Stale));
        }
    }

    /// Threat R8: a clock that goes back turns nobody away, and what is in the table is still taken only once.
    #[test]
    fn a_clock_that_goes_back_turns_nobody_away() {
        let mut guard = ReplayGuard::new(10);
        assert_eq!(guard.take(&nonces(), nonce(900_000, 1), Some(1), at(900_000)), Ok(()));
        assert_eq!(guard.take(&nonces(), nonce(970_000, 1), Some(1), at(970_000)), Ok(()));
        assert_eq!(guard.floor, 900_000);
        assert_eq!(guard.take(&nonces(), nonce(940_000, 2), Some(1), at(940_000)), Ok(()));
        assert_eq!(guard.take(&nonces(), nonce(970_000, 1), Some(1), at(940_000)), Err(Denied::Replayed));
        assert_eq!(guard.take(&nonces(), nonce(300_000, 1), Some(1), at(300_000)), Ok(()));
        assert_eq!(guard.take(&nonces(), nonce(300_000, 1), Some(1), at(300_000)), Err(Denied::Replayed));
        assert_eq!(guard.len(), 3);

        let mut full = ReplayGuard::new(2);
        assert_eq!(full.take(&nonces(), nonce(900_000, 1), Some(1), at(900_000)), Ok(()));
        for random in [1, 2] {
            assert_eq!(full.take(&nonces(), nonce(300_000, random), Some(1), at(300_000)), Ok(()));
        }
        assert_eq!(full.take(&nonces(), nonce(300_000, 1), Some(1), at(300_000)), Err(Denied::Replayed));
    }
}
