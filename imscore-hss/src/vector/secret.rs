//! Bytes that nobody is to see.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Most bytes of a [`Secret`]: the longest key and the longest response of TUAK have 256 bits.
pub const MAX_SECRET: usize = 32;

/// A key or a response of up to [`MAX_SECRET`] bytes. `Debug` shows its length only, comparison takes the same time
/// wherever two differ, and it is overwritten when it is dropped.
#[derive(Clone)]
pub struct Secret {
    bytes: [u8; MAX_SECRET],
    len: u8,
}

impl Secret {
    /// The bytes as they are. `None` where there are more than [`MAX_SECRET`].
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut secret = Self { bytes: [0; MAX_SECRET], len: u8::try_from(bytes.len()).ok()? };
        secret.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(secret)
    }

    /// From hexadecimal digits of either case, two a byte.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut secret = Self { bytes: [0; MAX_SECRET], len: u8::try_from(text.len() / 2).ok()? };
        if !text.len().is_multiple_of(2) {
            return None;
        }
        for (at, pair) in text.as_bytes().chunks_exact(2).enumerate() {
            let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
            *secret.bytes.get_mut(at)? = u8::try_from(high? << 4 | low?).ok()?;
        }
        Some(secret)
    }

    /// As [`from_hex`](Self::from_hex) reads it, in lower case: not for logs.
    pub fn to_hex(&self) -> Zeroizing<String> {
        let digits = self.expose().iter().flat_map(|byte| [byte >> 4, byte & 15]);
        // Allocated once: what a growing text leaves behind would not be overwritten.
        let mut text = Zeroizing::new(String::with_capacity(2 * MAX_SECRET));
        text.extend(digits.filter_map(|digit| char::from_digit(digit.into(), 16)));
        text
    }

    /// The bytes: not for logs.
    pub fn expose(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The bytes, where there are `N` of them.
    pub fn expose_array<const N: usize>(&self) -> Option<&[u8; N]> {
        self.expose().try_into().ok()
    }
}

impl<const N: usize> From<&[u8; N]> for Secret {
    fn from(bytes: &[u8; N]) -> Self {
        const { assert!(N <= MAX_SECRET) };
        let mut secret = Self { bytes: [0; MAX_SECRET], len: N as u8 };
        secret.bytes[..N].copy_from_slice(bytes);
        secret
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret[{}]", self.len)
    }
}

impl Zeroize for Secret {
    fn zeroize(&mut self) {
        self.bytes.zeroize();
        self.len = 0;
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_its_digits_and_never_shown() {
        let secret = Secret::from_hex("00Ff10").unwrap();
        assert_eq!(secret.expose(), [0, 0xff, 0x10]);
        assert_eq!(*secret.to_hex(), "00ff10");
        assert_eq!(secret, Secret::from(&[0, 0xff, 0x10]));
        assert_ne!(secret, Secret::from(&[0, 0xff]));
        assert_ne!(secret, Secret::from(&[0, 0xff, 0x11]));
        assert_eq!(format!("{secret:?}"), "Secret[3]");
        assert_eq!((secret.expose_array::<3>().is_some(), secret.expose_array::<4>()), (true, None));
        for wrong in ["0", "0g", "é", "+1"] {
            assert_eq!(Secret::from_hex(wrong), None, "{wrong}");
        }
        for (length, fits) in [(0, true), (MAX_SECRET, true), (MAX_SECRET + 1, false), (256, false)] {
            assert_eq!(Secret::new(&vec![1; length]).is_some(), fits, "{length}");
            assert_eq!(Secret::from_hex(&"ab".repeat(length)).is_some(), fits, "{length}");
        }
    }

    #[test]
    fn a_secret_is_overwritten() {
        let mut secret = Secret::from(&[7; 32]);
        secret.zeroize();
        assert_eq!((secret.bytes, secret.len), ([0; 32], 0));
    }
}
