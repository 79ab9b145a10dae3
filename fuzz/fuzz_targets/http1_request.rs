//! Drives [`forebay_fuzz::http1::request_head`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::http1::request_head(data));
