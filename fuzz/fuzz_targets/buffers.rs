//! Drives [`forebay_fuzz::buffers::run`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::buffers::run(data));
