//! Bus files over which somebody scribbles. See `tests::scribble`.
//!
//! Locking: none. Sources: `components/shmif/BUS.md`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tests::scribble::run(input));
