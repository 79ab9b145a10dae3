//! Drives [`forebay_fuzz::dispatch::run`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::dispatch::run(data));
