//! Many runs of one test, each from a seed of its own.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::draft::restart_numbers;

/// The seeds of a test in virtual time: 0 up to a number, which `IMSCORE_SEEDS` replaces. There it is a number too, or a
/// range such as `417..418`, to play one seed again.
///
/// ```
/// use imscore_sip::testing::{Network, Seeds};
///
/// Seeds::up_to(10).run(|seed| {
///     let mut network = Network::new(seed);
///     assert!(!network.step());
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(Range<u64>);

impl Seeds {
    /// As many seeds, unless the environment wants others.
    ///
    /// # Panics
    /// Where `IMSCORE_SEEDS` is neither a number nor a range.
    #[track_caller]
    pub fn up_to(count: u64) -> Seeds {
        match std::env::var("IMSCORE_SEEDS") {
            Ok(wanted) => {
                Seeds::read(&wanted).unwrap_or_else(|| panic!("IMSCORE_SEEDS={wanted} is no number or range"))
            }
            Err(_) => Seeds(0..count),
        }
    }

    fn read(text: &str) -> Option<Seeds> {
        Some(Seeds(match text.split_once("..") {
            Some((from, to)) => from.trim().parse().ok()?..to.trim().parse().ok()?,
            None => 0..text.trim().parse().ok()?,
        }))
    }

    /// Runs a test with each seed. Where one panics, it says which, and how to run that one alone.
    pub fn run(self, mut test: impl FnMut(u64)) {
        for seed in self.0 {
            restart_numbers();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(seed))) {
                let thread = std::thread::current();
                let name = thread.name().unwrap_or_default();
                let package =
                    std::env::var("CARGO_PKG_NAME").map_or_else(|_| String::new(), |name| format!(" -p {name}"));
                eprintln!(
                    "seed {seed} failed; again: IMSCORE_SEEDS={seed}..{} cargo test{package} -- --exact {name}",
                    seed + 1
                );
                resume_unwind(panic);
            }
        }
    }
}

/// Runs a test twice and says what hash both runs gave, say that of a [`Trace`](super::Trace): the same seed must give
/// the same trace.
///
/// # Panics
/// Where they differ.
#[track_caller]
pub fn assert_repeatable(mut run: impl FnMut() -> u64) -> u64 {
    restart_numbers();
    let first = run();
    restart_numbers();
    let second = run();
    assert_eq!(first, second, "two runs from one seed differ");
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_number_or_a_range() {
        assert_eq!(Seeds::read("3"), Some(Seeds(0..3)));
        assert_eq!(Seeds::read("417..418"), Some(Seeds(417..418)));
        for text in ["", "a", "1..", "..", "-1"] {
            assert_eq!(Seeds::read(text), None, "{text}");
        }
    }

    #[test]
    fn every_seed_is_run_until_one_fails() {
        let mut seen = Vec::new();
        let failed = catch_unwind(AssertUnwindSafe(|| {
            Seeds(5..9).run(|seed| {
                seen.push(seed);
                assert!(seed < 7);
            });
        }));
        assert!(failed.is_err());
        assert_eq!(seen, [5, 6, 7]);
    }

    #[test]
    #[should_panic(expected = "two runs from one seed differ")]
    fn runs_that_differ_fail() {
        let mut count = 0;
        assert_repeatable(|| {
            count += 1;
            count
        });
    }
}
