//! `rump COMMAND`, and `rump.COMMAND` where the program is linked under such names.
//!
//! Locking: none.

use std::process::ExitCode;

fn main() -> ExitCode {
    tools::main(std::env::args_os())
}
