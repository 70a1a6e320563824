//! A bar on standard error for what takes longer than two seconds.
//!
//! * [`Bar::new`], then [`Bar::step`]; it goes away when dropped.
//! * [`waiting`] for what has no steps, such as a compiler: how long it has taken so far.
//!
//! Standard output is left alone, so that `--json` can be piped.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const PATIENCE: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(200);

/// Does `work`, called `what`.
pub fn waiting<R>(what: &str, work: impl FnOnce() -> R) -> R {
    let (working, done) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if done.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::new_spinner().with_elapsed(PATIENCE);
            let bar = bar.with_message(what.to_owned());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed} so far") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TICK);
            // Ends when the other side is dropped, by a panic too.
            done.recv().ok();
            bar.finish_and_clear();
        });
        let _working = working;
        work()
    })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_with_the_work() {
        let start = Instant::now();
        assert_eq!(waiting("adding", || 1 + 1), 2);
        assert!(start.elapsed() < PATIENCE, "it does not wait for its patience to end");
        assert!(std::panic::catch_unwind(|| waiting("failing", || panic!("on purpose"))).is_err());
    }
}
