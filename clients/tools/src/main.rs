//! `rump COMMAND`, and `rump.COMMAND` where the program is linked under such names.
//!
//! A tool starts, asks a server for one thing and ends; a script starts hundreds. What std does
//! before `main` is a good part of that (it reads /proc/self/maps for the sake of a message about a
//! stack that overflows), so it is left out: C's `main` is ours. A tool that nobody reads then ends
//! by SIGPIPE, as others do.
//!
//! Locking: none. Sources: std's rt.rs (what is left out); `tool.ifconfig` of `cargo xtask bench`.
#![no_main]

use std::ffi::{c_char, c_int};

/// Called by C's start-up code, from which std has the arguments as well.
// SAFETY: there is no other `main` in the program, and this one has C's signature.
#[unsafe(no_mangle)]
pub extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    tools::main(std::env::args_os()).into()
}
