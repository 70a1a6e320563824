//! Congestion control: how much may be on its way.
//!
//! * [`Congestion`] is what an algorithm is; [`Algorithm`] is one of those that there are, by name
//!   (TCP_CONGESTION). A new one is a file, and a variant here.
//!
//! The sender tells it what is acknowledged and what is lost; how losses are found is not its
//! business. Windows are in bytes, times in nanoseconds.
//!
//! Locking: none. Sources: RFC 5681; RFC 6928 (the first window).

mod cubic;
mod newreno;
#[cfg(test)]
mod tests;

pub use cubic::Cubic;
pub use newreno::NewReno;

/// What was acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Ack {
    /// Bytes that have newly arrived.
    pub bytes: u32,
    /// The smoothed round trip, 0 if none was measured.
    pub rtt: u64,
    /// The time.
    pub now: u64,
}

/// An algorithm.
pub trait Congestion {
    /// How much may be on its way.
    fn window(&self) -> u32;

    /// Where the window stops to grow fast.
    fn threshold(&self) -> u32;

    /// Data has arrived, no loss is being repaired, and the window was used up.
    fn acknowledged(&mut self, ack: &Ack);

    /// A loss was found while `flight` bytes were on their way: once for each window of data.
    fn lost(&mut self, flight: u32, now: u64);

    /// The retransmission timer expired for the first time for this data.
    fn timed_out(&mut self, flight: u32, now: u64);

    /// Nothing was sent for longer than the retransmission timeout (RFC 5681 §4.1).
    fn idle(&mut self);

    /// The largest segment has another size.
    fn set_mss(&mut self, mss: u32);
}

/// The first window (RFC 6928 §2).
pub fn initial_window(mss: u32) -> u32 {
    mss.saturating_mul(10).min(mss.saturating_mul(2).max(14_600))
}

/// The smallest threshold (RFC 5681 §3.1, equation 4).
fn floor(mss: u32) -> u32 {
    mss.saturating_mul(2)
}

/// One of the algorithms.
#[derive(Clone, Copy, Debug)]
pub enum Algorithm {
    /// RFC 9438.
    Cubic(Cubic),
    /// RFC 5681 and 6582.
    NewReno(NewReno),
}

impl Algorithm {
    /// The names, the usual one first.
    pub const NAMES: [&str; 2] = ["cubic", "reno"];

    /// The usual one.
    pub fn new(mss: u32) -> Self {
        Self::Cubic(Cubic::new(mss))
    }

    /// The one of that name.
    pub fn named(name: &str, mss: u32) -> Option<Self> {
        match name {
            "cubic" => Some(Self::Cubic(Cubic::new(mss))),
            "reno" | "newreno" => Some(Self::NewReno(NewReno::new(mss))),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cubic(_) => "cubic",
            Self::NewReno(_) => "reno",
        }
    }
}

macro_rules! each {
    ($self:ident, $it:ident => $e:expr) => {
        match $self {
            Algorithm::Cubic($it) => $e,
            Algorithm::NewReno($it) => $e,
        }
    };
}

impl Congestion for Algorithm {
    fn window(&self) -> u32 {
        each!(self, it => it.window())
    }

    fn threshold(&self) -> u32 {
        each!(self, it => it.threshold())
    }

    fn acknowledged(&mut self, ack: &Ack) {
        each!(self, it => it.acknowledged(ack));
    }

    fn lost(&mut self, flight: u32, now: u64) {
        each!(self, it => it.lost(flight, now));
    }

    fn timed_out(&mut self, flight: u32, now: u64) {
        each!(self, it => it.timed_out(flight, now));
    }

    fn idle(&mut self) {
        each!(self, it => it.idle());
    }

    fn set_mss(&mut self, mss: u32) {
        each!(self, it => it.set_mss(mss));
    }
}
