//! Any bytes as a frame through both versions of the Link.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ocpp_fuzz::frame(data));
