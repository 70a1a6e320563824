//! TCP.
//!
//! The core is pure: segments, the time and random numbers are arguments, and what is to be sent
//! is asked for. One connection is a [`Tcb`]:
//! * [`Tcb::connect`], [`Tcb::accepted`]: it begins.  * [`Tcb::input`]: a segment has arrived.
//! * [`Tcb::written`], [`Tcb::read_more`], [`Tcb::close`], [`Tcb::abort`]: what its user does.
//! * [`Tcb::poll`]: the next segment to send, after each of these, until there is none.
//! * [`Tcb::deadline`], [`Tcb::expire`]: its timers.  * [`Tcb::take_freed`], [`Tcb::take_events`]:
//!   what came of it.
//!
//! Its parts: [`seq`], [`header`], [`options`]; [`state`], [`timers`]; [`board`] is what is on its way,
//! [`rto`] and [`rack`] find what was lost, [`congestion`] says how much may be on its way, [`ecn`] hears of routers that are full, and
//! `pathmtu` finds out what they carry;
//! `autotune` says how large buffers should be; [`reassembly`] is what came out of order. [`syncache`] is what a listening socket does before
//! there is a connection, [`schedule`] when it says that again, [`isn`] where its numbers begin.
//!
//! The shell around it: `kernel` is TCP's state, `tables` who has which port and which connection,
//! `deliver` and `listen` take segments, `transmit` sends them, `pcb` is a socket's side, `usrreq` and
//! `sockopt` what calls on it do.
//!
//! The bytes to send stay with the owner, from [`Tcb::data_start`] on; received ones are handed out
//! as they continue the stream.
//!
//! Locking: none in the core; the shell has `Rank::Pcbs`, then `Rank::Connection`, `Rank::Socket`.
//! Sources: RFC 9293, 1122 §4.2, 7323, 2018, 2883, 6675, 8985, 6298, 5681, 6582, 6928, 9438, 5961,
//! 6093, 6191, 6528, 4987, 3168, 4821, 8899.

mod autotune;
pub mod board;
pub mod congestion;
mod control;
pub mod ecn;
mod expire;
pub mod header;
mod input;
pub mod isn;
pub mod options;
mod output;
mod pathmtu;
pub mod rack;
pub mod reassembly;
mod receive;
mod recovery;
pub mod rto;
pub mod schedule;
pub mod seq;
mod settings;
pub mod state;
pub mod syncache;
pub mod timers;

pub(crate) mod deliver;
pub(crate) mod kernel;
mod listen;
pub(crate) mod pcb;
mod sockopt;
mod tables;
mod transmit;
pub(crate) mod usrreq;

#[cfg(test)]
mod tests;

pub use control::{Agreed, Info, Start, Tcb};
pub(crate) use deliver::{error, input as input_packet};
pub use input::reset_for;
pub use settings::Settings;

/// Data of a segment.
pub trait Payload: Sized {
    /// Bytes.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes bytes from the front, all if there are no more.
    fn trim_front(&mut self, n: usize);

    /// Keeps the first bytes.
    fn truncate(&mut self, len: usize);

    /// Keeps the first bytes and gives the rest; `None` without memory for that.
    fn split_off(&mut self, at: usize) -> Option<Self>;

    /// Bytes of memory that it holds.
    fn cost(&self) -> usize;
}
