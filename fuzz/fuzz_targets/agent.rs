//! [`imscore_fuzz::agent`] under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| imscore_fuzz::agent(data));
