//! Randomness for an engine that is made.

use std::io;

/// As many bytes as are wanted that nobody can guess, from the operating system.
///
/// # Errors
/// The system has none to give.
pub fn seed<const BYTES: usize>() -> io::Result<[u8; BYTES]> {
    let mut seed = [0; BYTES];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_seeds_are_alike() {
        assert_ne!(seed::<16>().unwrap(), seed::<16>().unwrap());
    }
}
