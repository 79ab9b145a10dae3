//! Drives [`forebay_fuzz::pipe::decode`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::pipe::decode(data));
