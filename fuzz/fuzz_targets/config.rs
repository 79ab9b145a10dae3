//! Drives [`forebay_fuzz::config::run`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::config::run(data));
