//! Any input, as messages of DHCP servers to a client, and time that passes. See `tests::lending`.
//!
//! Locking: none. Sources: RFC 2131.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tests::lending::run(input));
