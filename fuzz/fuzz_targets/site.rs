//! Drives [`forebay_fuzz::site::run`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::site::run(data));
