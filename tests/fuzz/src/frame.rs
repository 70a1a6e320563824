//! The input path: sequences of Ethernet frames into a router. See `tests::frames`.
//!
//! Locking: none. Sources: none.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tests::frames::run(input));
