//! States of a connection, and what the core tells its owner.
//!
//! Locking: none. Sources: RFC 9293 §3.3.2.

use bitflags::bitflags;

/// A state. LISTEN is not one of a connection here: see `syncache`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// No connection.
    Closed,
    /// A SYN was sent.
    SynSent,
    /// Two SYNs have crossed.
    SynReceived,
    /// Data goes both ways.
    Established,
    /// This side ends; its FIN is not acknowledged.
    FinWait1,
    /// This side has ended.
    FinWait2,
    /// The other side has ended.
    CloseWait,
    /// Both sides end; the FIN of this one is not acknowledged.
    Closing,
    /// The other side has ended, and this one ends.
    LastAck,
    /// Both sides have ended; old segments may still come.
    TimeWait,
}

impl State {
    /// The name, as netstat(1) has it.
    pub const fn name(self) -> &'static str {
        match self {
            State::Closed => "CLOSED",
            State::SynSent => "SYN_SENT",
            State::SynReceived => "SYN_RECEIVED",
            State::Established => "ESTABLISHED",
            State::FinWait1 => "FIN_WAIT_1",
            State::FinWait2 => "FIN_WAIT_2",
            State::CloseWait => "CLOSE_WAIT",
            State::Closing => "CLOSING",
            State::LastAck => "LAST_ACK",
            State::TimeWait => "TIME_WAIT",
        }
    }

    /// Linux's number, for TCP_INFO.
    pub const fn number(self) -> u8 {
        match self {
            State::Established => 1,
            State::SynSent => 2,
            State::SynReceived => 3,
            State::FinWait1 => 4,
            State::FinWait2 => 5,
            State::TimeWait => 6,
            State::Closed => 7,
            State::CloseWait => 8,
            State::LastAck => 9,
            State::Closing => 11,
        }
    }

    /// Whether both sides know each other's numbers.
    pub const fn is_synchronized(self) -> bool {
        !matches!(self, State::Closed | State::SynSent | State::SynReceived)
    }

    /// Whether data from the peer may still come.
    pub const fn receives(self) -> bool {
        matches!(self, State::Established | State::FinWait1 | State::FinWait2)
    }

    /// Whether this side may still send data that it has.
    pub const fn sends(self) -> bool {
        use State::{CloseWait, Closing, Established, FinWait1, LastAck};
        matches!(self, Established | CloseWait | FinWait1 | Closing | LastAck)
    }
}

/// Why a connection ended, other than by both sides' will.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Nobody listens there.
    Refused,
    /// The peer does not know the connection, or broke it.
    Reset,
    /// The peer did not answer.
    TimedOut,
}

bitflags! {
    /// What has happened, for the connection's owner.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Event: u8 {
        /// The connection is made.
        const CONNECTED = 1;
        /// The peer sends no more.
        const PEER_ENDED = 2;
        /// There is urgent data (RFC 6093: a mark in the stream).
        const URGENT = 4;
        /// It failed: see `Tcb::failure`.
        const FAILED = 8;
        /// The peer has everything, and knows that it was all.
        const ENDED = 0x20;
        /// It is over; nothing more will come.
        const CLOSED = 0x10;
    }
}
