//! The course of a simulation: a hash of all events, and the events themselves on request.
//!
//! * [`Trace::note`] records one; guests and threads appear by number, never by address.
//!
//! Locking: lives under `Sim::state`.
//! Sources: none (FNV-1a is the hash).

/// One thing that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A thread was started.
    Spawn {
        /// Its number.
        thread: u64,
    },
    /// A thread got the baton.
    Run {
        /// Its number.
        thread: u64,
    },
    /// A thread was made runnable by a wake.
    Wake {
        /// Its number.
        thread: u64,
    },
    /// A thread ended.
    Exit {
        /// Its number.
        thread: u64,
    },
    /// A guest was raised.
    Raise {
        /// Its number, in the order in which guests first appeared.
        guest: u64,
    },
    /// A guest was visited for its interrupts.
    Interrupt {
        /// Its number.
        guest: u64,
    },
    /// A guest was visited for its timer.
    Timer {
        /// Its number.
        guest: u64,
    },
    /// Time jumped.
    Advance {
        /// To this many nanoseconds after the origin.
        to: u64,
    },
}

impl Event {
    fn words(self) -> (u64, u64) {
        match self {
            Event::Spawn { thread } => (1, thread),
            Event::Run { thread } => (2, thread),
            Event::Wake { thread } => (3, thread),
            Event::Exit { thread } => (4, thread),
            Event::Raise { guest } => (5, guest),
            Event::Interrupt { guest } => (6, guest),
            Event::Timer { guest } => (7, guest),
            Event::Advance { to } => (8, to),
        }
    }
}

/// The start of a hash.
pub const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;

/// The hash `hash`, continued by `word`.
pub fn mix(hash: u64, word: u64) -> u64 {
    let h = (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    // FNV alone moves high bits of a whole word nowhere: fold them down.
    h ^ (h >> 29)
}

/// See the module's text.
pub struct Trace {
    hash: u64,
    kept: Option<Vec<Event>>,
}

impl Trace {
    pub fn new(keep: bool) -> Self {
        Self { hash: EMPTY, kept: keep.then(Vec::new) }
    }

    pub fn note(&mut self, event: Event) {
        let (kind, value) = event.words();
        self.hash = mix(mix(self.hash, kind), value);
        if let Some(kept) = &mut self.kept {
            kept.push(event);
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn events(&self) -> &[Event] {
        self.kept.as_deref().unwrap_or_default()
    }
}
