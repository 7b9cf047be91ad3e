//! [`imscore_fuzz::typed_header`] under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| imscore_fuzz::typed_header(data));
