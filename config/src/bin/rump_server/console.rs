//! Messages of the kernel and of the server, on the standard error.
//!
//! They are seen until the server goes to the background, and after that if it does not.
//!
//! Locking: none of ours. Sources: none.

use std::io::Write;

use log::{Level, LevelFilter, Log, Metadata, Record};

struct Console;

/// Has messages shown: warnings and worse, or all that tell what goes on.
pub fn set_up(verbose: bool) {
    log::set_max_level(if verbose { LevelFilter::Debug } else { LevelFilter::Warn });
    // There is no other logger in this program.
    let _ = log::set_logger(&Console);
}

impl Log for Console {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut out = std::io::stderr().lock();
        // Where nobody reads there is nothing to do about it.
        let _ = match record.level() {
            Level::Error | Level::Warn => {
                writeln!(out, "{}: {}", record.level().as_str().to_lowercase(), record.args())
            }
            _ => writeln!(out, "{}", record.args()),
        };
    }

    fn flush(&self) {}
}
