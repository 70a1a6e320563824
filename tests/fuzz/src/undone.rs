//! Frames in which a host has left something undone. See `tests::undone`.
//!
//! Locking: none. Sources: none.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    tests::undone::run(input);
});
