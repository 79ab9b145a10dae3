//! Drives [`forebay_fuzz::lifecycle::run`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::lifecycle::run(data));
