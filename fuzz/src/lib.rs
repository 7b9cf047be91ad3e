//! What is asked of every entry point, whatever bytes come in: one function for each fuzz target, that panics where an
//! answer is wrong and not only where the code panics by itself.
//!
//! The targets in `fuzz_targets/` hand these functions to libFuzzer. On any toolchain the tests below replay the seeds
//! in `corpus/` and the inputs that once failed, which are kept among them; `examples/tests/fuzz_corpus.rs` makes them
//! tests of the main workspace.

mod agent;
mod diameter;
mod edits;
mod finals;
mod header;
mod input;
mod message;
mod mime;
mod profile;
mod sdp;
mod stream;
mod stun;
mod transactions;
mod uri;

pub use agent::agent;
pub use diameter::diameter;
pub use edits::edits;
pub use header::typed_header;
pub use message::message;
pub use mime::mime;
pub use profile::profile;
pub use sdp::sdp;
pub use stream::stream;
pub use stun::stun;
pub use transactions::transactions;
pub use uri::uri;

#[cfg(test)]
mod replay {
    use std::path::Path;

    use imscore_sip::testing::Seeds;

    /// Runs a target over its seeds, in the order of their names.
    fn replay(target: &str, run: fn(&[u8])) {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus")).join(target);
        let found = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut seeds: Vec<_> = found.map(|seed| seed.expect("a folder that can be read").path()).collect();
        seeds.sort();
        assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
        for seed in seeds {
            // The test's output names the seed that fails.
            println!("{}", seed.display());
            run(&std::fs::read(&seed).expect("a seed that can be read"));
        }
    }

    macro_rules! targets {
        ($($target:ident)*) => {$(
            #[test]
            fn $target() {
                replay(stringify!($target), super::$target);
            }
        )*};
    }

    /// Lists of events are far from every seed: their targets are given bytes that nobody wrote as well.
    fn generated(run: fn(&[u8])) {
        Seeds::up_to(300).run(|seed| {
            let mut state = seed;
            let bytes: Vec<u8> = (0..600).map(|_| random(&mut state)).collect();
            run(&bytes);
        });
    }

    /// SplitMix64: any bytes will do, if they are the same again.
    fn random(state: &mut u64) -> u8 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 56) as u8
    }

    #[test]
    fn transactions_of_any_bytes() {
        generated(super::transactions);
    }

    #[test]
    fn agents_of_any_bytes() {
        generated(super::agent);
    }

    targets! { message edits uri typed_header stream stun sdp mime diameter profile transactions agent }
}
