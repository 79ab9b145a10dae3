//! Drives [`forebay_fuzz::pipe::state`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::pipe::state(data));
