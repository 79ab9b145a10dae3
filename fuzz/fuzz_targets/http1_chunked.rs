//! Drives [`forebay_fuzz::http1::chunked`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::http1::chunked(data));
