//! Messages of hostile clients. See `tests::messages`.
//!
//! Locking: none. Sources: `clients/wire/PROTOCOL.md`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tests::messages::run(input));
