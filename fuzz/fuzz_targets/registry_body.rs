//! Hands what the fuzzer makes to `changtong_connectors::fuzz::registry_body`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| { let _ = changtong_connectors::fuzz::registry_body(bytes); });
