//! The branches that this layer puts into its Vias: whose they are, and which transaction, without a look-up.
//!
//! ```text
//! z9hG4bK 07 0000002a 5f0c9d1e7b3a4468 .1badc0de
//! cookie  |  slot     random number    what the owner added to find loops
//!         worker
//! ```

use std::fmt;

/// What RFC 3261 §8.1.1.7 starts every branch with.
pub(super) const COOKIE: &str = "z9hG4bK";

/// The slot of a request that has no transaction.
pub(super) const STATELESS: u32 = u32::MAX;

/// A branch of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) worker: u8,
    pub(super) slot: u32,
    pub(super) random: u64,
    pub(super) loop_key: Option<u32>,
}

impl Branch {
    /// `None`: no branch of this layer. What it writes is in lower case and is compared so.
    pub(super) fn read(branch: &str) -> Option<Branch> {
        let rest = branch.strip_prefix(COOKIE)?;
        let (worker, rest) = rest.split_at_checked(2)?;
        let (slot, rest) = rest.split_at_checked(8)?;
        let (random, rest) = rest.split_at_checked(16)?;
        let loop_key = match rest.strip_prefix('.') {
            Some(key) if key.len() == 8 => Some(hex(key)? as u32),
            None if rest.is_empty() => None,
            Some(_) | None => return None,
        };
        Some(Branch { worker: hex(worker)? as u8, slot: hex(slot)? as u32, random: hex(random)?, loop_key })
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [b'.'; 35];
        write_hex(&mut digits[..2], u64::from(self.worker));
        write_hex(&mut digits[2..10], u64::from(self.slot));
        write_hex(&mut digits[10..26], self.random);
        let mut end = 26;
        if let Some(key) = self.loop_key {
            write_hex(&mut digits[27..], u64::from(key));
            end = 35;
        }
        f.write_str(COOKIE)?;
        f.write_str(std::str::from_utf8(&digits[..end]).unwrap_or_default())
    }
}

/// The number that the owner of a layer gave to [`Transactions::request`](super::Transactions::request) for this
/// branch: how a proxy knows its own earlier Vias (RFC 3261 §16.3 step 4). `None`: no branch of this library, or one
/// without such a number.
pub fn loop_key(branch: &str) -> Option<u32> {
    Branch::read(branch)?.loop_key
}

/// Sixteen digits.
pub(super) fn hex_digits(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    write_hex(&mut digits, number);
    digits
}

/// Fills `digits` with the lowest digits of a number.
fn write_hex(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xf) as usize];
        number >>= 4;
    }
}

/// Digits in lower case only: `from_str_radix` would take a sign and capitals.
fn hex(digits: &str) -> Option<u64> {
    digits.bytes().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(branch: Branch, text: &str) {
        assert_eq!(branch.to_string(), text);
        assert_eq!(Branch::read(text), Some(branch));
    }

    #[test]
    fn branches_are_read_as_they_are_written() {
        let branch = Branch { worker: 7, slot: 42, random: 0x5f0c_9d1e_7b3a_4468, loop_key: None };
        check(branch, "z9hG4bK070000002a5f0c9d1e7b3a4468");
        check(Branch { loop_key: Some(0x1bad_c0de), ..branch }, "z9hG4bK070000002a5f0c9d1e7b3a4468.1badc0de");
    }

    #[test]
    fn other_branches_are_not_ours() {
        for text in [
            "",
            "z9hG4bK",
            "z9hG4bK070000002a5f0c9d1e7b3a446",
            "z9hG4bK070000002a5f0c9d1e7b3a44689",
            "z9hG4bK070000002a5f0c9d1e7b3a4468.1badc0d",
            "z9hG4bK070000002A5F0C9D1E7B3A4468",
            "Z9HG4BK070000002a5f0c9d1e7b3a4468",
            "z9hG4bK+70000002a5f0c9d1e7b3a4468",
            "z9hG4bK07é000002a5f0c9d1e7b3a446",
        ] {
            assert_eq!(Branch::read(text), None, "{text}");
        }
    }
}
