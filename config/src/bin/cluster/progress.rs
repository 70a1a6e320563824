//! A bar on standard error for what takes longer than two seconds.
//!
//! * [`Progress::new`], then [`Progress::step`] from any thread; it goes away when dropped.
//!
//! Locking: none of its own; the bar's, once it is shown.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const PATIENCE: Duration = Duration::from_secs(2);

/// The clock is looked at once in so many steps.
const EVERY: u64 = 64;

/// A bar that shows itself only after two seconds.
pub struct Progress {
    what: &'static str,
    steps: u64,
    start: Instant,
    done: AtomicU64,
    shown: OnceLock<ProgressBar>,
}

impl Progress {
    /// A bar of so many steps.
    pub fn new(what: &'static str, steps: usize) -> Progress {
        let (done, shown) = (AtomicU64::new(0), OnceLock::new());
        Progress { what, steps: steps as u64, start: Instant::now(), done, shown }
    }

    /// One more step is done.
    #[inline]
    pub fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if done.is_multiple_of(EVERY) {
            self.look(done);
        }
    }

    /// Shows how far it is, if it is time, where the steps are counted.
    pub fn look_again(&self) {
        self.look(self.done.load(Ordering::Relaxed));
    }

    /// Shows how far it is, if it is time; for those that wait between steps.
    #[cold]
    pub fn look(&self, done: u64) {
        if self.start.elapsed() >= PATIENCE {
            self.shown.get_or_init(|| bar(self.what, self.steps)).set_position(done);
        }
    }
}

/// Where standard error is no terminal, nothing is drawn.
fn bar(what: &'static str, steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.shown.get() {
            bar.finish_and_clear();
        }
    }
}
