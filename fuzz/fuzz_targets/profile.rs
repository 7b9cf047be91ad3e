//! [`imscore_fuzz::profile`] under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| imscore_fuzz::profile(data));
