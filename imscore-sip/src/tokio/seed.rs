//! Randomness for an engine that is made.

use std::io;

/// A seed that nobody can guess, from the operating system.
///
/// # Errors
/// The system has none to give.
pub fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_seeds_are_alike() {
        assert_ne!(seed().unwrap(), seed().unwrap());
    }
}
