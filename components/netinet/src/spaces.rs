//! How much the buffers of a protocol's new sockets hold.
//!
//! Locking: words. Sources: NetBSD udp(4), tcp(4) (sendspace, recvspace).

use core::sync::atomic::{AtomicU32, Ordering};

use net::socket::{DEFAULT_LIMIT, MAX_LIMIT, MIN_LIMIT, State};

/// Limits, in bytes.
pub(crate) struct Spaces {
    send: AtomicU32,
    receive: AtomicU32,
}

impl Default for Spaces {
    fn default() -> Self {
        let usual = || AtomicU32::new(DEFAULT_LIMIT as u32);
        Self { send: usual(), receive: usual() }
    }
}

impl Spaces {
    /// To send, and to receive.
    pub(crate) fn get(&self) -> (u32, u32) {
        (self.send.load(Ordering::Relaxed), self.receive.load(Ordering::Relaxed))
    }

    /// Sets the first; false if no buffer may be so large or so small.
    pub(crate) fn set_send(&self, bytes: i64) -> bool {
        set(&self.send, bytes)
    }

    /// Sets the second.
    pub(crate) fn set_receive(&self, bytes: i64) -> bool {
        set(&self.receive, bytes)
    }

    /// Gives them to a new socket.
    pub(crate) fn give(&self, state: &mut State) {
        let (send, receive) = self.get();
        state.snd.set_limit(send as usize);
        state.rcv.set_limit(receive as usize);
    }
}

fn set(word: &AtomicU32, bytes: i64) -> bool {
    match usize::try_from(bytes) {
        Ok(n) if (MIN_LIMIT..=MAX_LIMIT).contains(&n) => {
            word.store(n as u32, Ordering::Relaxed);
            true
        }
        _ => false,
    }
}
