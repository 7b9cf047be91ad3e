//! Personal data in logs.

use std::fmt::{self, Display};
use std::hash::Hasher;
use std::sync::atomic::{AtomicBool, Ordering};

use siphasher::sip::SipHasher13;

static REVEALED: AtomicBool = AtomicBool::new(false);

/// Shows a value that says who somebody is: as a short hash, which is the same wherever the value appears, unless the
/// process was told to [`reveal`] them.
///
/// ```
/// let line = format!("{} registered", imscore_sip::Pii("sip:alice@ims.example"));
/// assert!(!line.contains("alice"));
/// ```
#[derive(Clone, Copy)]
pub struct Pii<T>(pub T);

/// Shows personal data as it is, or as hashes, from now on in the whole process. It is for laptops and labs: on a public
/// network, logs outlive the calls that they tell of.
pub fn reveal(plain: bool) {
    REVEALED.store(plain, Ordering::Relaxed);
}

/// The hash that stands for a text, whatever [`reveal`] says.
pub(crate) fn masked(text: &str) -> String {
    let mut hasher = SipHasher13::new();
    hasher.write(text.as_bytes());
    format!("#{:08x}", hasher.finish() as u32)
}

impl<T: Display> Display for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if REVEALED.load(Ordering::Relaxed) {
            return self.0.fmt(f);
        }
        f.write_str(&masked(&self.0.to_string()))
    }
}

impl<T: Display> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}
