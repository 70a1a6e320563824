//! What a simulation says when something is wrong.
//!
//! * [`deadlock`], [`stragglers`]: who waits for what, and since when.
//! * [`message`]: the text of a panic.
//!
//! Locking: called with `Sim::state` held.
//! Sources: none.

use std::any::Any;
use std::fmt::Write;
use std::time::Duration;

use crate::state::{Key, State};

/// The text that came with a panic.
pub fn message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "(no message)"
    }
}

/// Panics if the holder is inside a guest's up-call.
pub fn refuse_in_visit(state: &State, call: &str) {
    assert!(
        !state.visiting(),
        "sim: `{call}` called from an up-call of a guest, which may not block"
    );
}

/// The report for threads that wait with nobody left to wake them.
pub fn deadlock(state: &State) -> String {
    let mut text = format!(
        "deadlock at {:?}: no thread can run, and no deadline will help",
        Duration::from_nanos(state.now)
    );
    if state.next_deadline().is_some() || !state.pending.is_empty() {
        text.push_str(" (guests go on among themselves)");
    }
    waiters(&mut text, state, None);
    text
}

/// The report for threads that have outlived `main`.
pub fn stragglers(state: &State, main: u64) -> String {
    let mut text =
        format!("at {:?}, threads still live after main ended", Duration::from_nanos(state.now));
    waiters(&mut text, state, Some(main));
    text
}

fn waiters(text: &mut String, state: &State, except: Option<u64>) {
    for (thread, entry) in &state.threads {
        if Some(*thread) == except {
            continue;
        }
        let _ = write!(text, "\n  thread {thread} `{}`: ", entry.name);
        let Some(blocked) = &entry.blocked else {
            text.push_str("runnable");
            continue;
        };
        let since = Duration::from_nanos(state.now.saturating_sub(blocked.since));
        let _ = match blocked.key {
            Key::Word(address) => {
                write!(text, "waits on the word at {address:#x} while it is {}", blocked.expected)
            }
            Key::Exit(other) => write!(text, "waits for the end of thread {other}"),
            Key::AllEnded => write!(text, "waits for the end of all threads"),
            Key::Sleep(_) => write!(text, "sleeps"),
            Key::Settled => write!(text, "waits for everything to settle"),
        };
        let _ = write!(text, ", for {since:?}");
    }
}
