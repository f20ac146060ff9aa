//! Any bytes as the payload of the action that the first byte picks: read, checked, normalised.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ocpp_fuzz::payload(data));
