//! A bar on standard error for what takes longer than two seconds.
//!
//! * [`Bar::new`], then [`Bar::step`]; it goes away when dropped. Standard output is left alone, so
//!   that `--json` can be piped.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const PATIENCE: Duration = Duration::from_secs(2);

/// A progress bar that shows itself only after two seconds.
pub struct Bar {
    what: String,
    steps: u64,
    start: Instant,
    shown: Option<ProgressBar>,
    done: u64,
}

impl Bar {
    /// A bar of `steps` steps, called `what`.
    pub fn new(what: &str, steps: u64) -> Bar {
        Bar { what: what.to_owned(), steps, start: Instant::now(), shown: None, done: 0 }
    }

    /// One more step is done.
    pub fn step(&mut self) {
        self.done += 1;
        if self.shown.is_none() && self.start.elapsed() >= PATIENCE {
            let bar = ProgressBar::new(self.steps).with_message(self.what.clone());
            if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
                bar.set_style(style);
            }
            self.shown = Some(bar);
        }
        if let Some(bar) = &self.shown {
            bar.set_position(self.done);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}
