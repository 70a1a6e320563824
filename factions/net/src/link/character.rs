//! What a link does to its packets, as it is asked for.
//!
//! * [`Character`]: delay, rate, loss and their like.  * [`Probability`]: exact, in billionths.
//! * [`Character::check`]: what makes no sense together.  * Shown in the words of ifconfig.
//!
//! Locking: none; data only. Sources: Linux tc-netem(8) (names and meanings).
//! DIFFERS: order is kept whatever the jitter; only `reorder` changes it. Bursts of losses are said
//! by their mean length, not by a correlation.

use core::fmt;
use core::time::Duration;

/// The longest delay or jitter.
pub const MAX_DELAY: Duration = Duration::from_secs(24 * 3600);
/// Packets that a link holds, unless another number is asked for.
pub const LIMIT: u32 = 1000;
/// The most that may be asked for.
pub const MAX_LIMIT: u32 = 1_000_000;
/// The longest mean burst of losses.
pub const MAX_BURST: u32 = 1_000_000;

const BILLION: u32 = 1_000_000_000;

/// How often something happens, in billionths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Probability(u32);

impl Probability {
    /// It never does.
    pub const NEVER: Probability = Probability(0);
    /// It always does.
    pub const ALWAYS: Probability = Probability(BILLION);

    /// So many in a billion; `None`: more than all of them.
    pub const fn billionths(n: u32) -> Option<Probability> {
        if n > BILLION { None } else { Some(Probability(n)) }
    }

    /// So many in a hundred; more than that are all.
    pub const fn percent(n: u32) -> Probability {
        Probability(if n > 100 { BILLION } else { n * (BILLION / 100) })
    }

    /// So many in a billion; more than that are all.
    pub const fn per_billion(n: u32) -> Probability {
        Probability(if n > BILLION { BILLION } else { n })
    }

    /// So many in a million; more than that are all.
    pub const fn per_million(n: u32) -> Probability {
        Probability(if n > 1_000_000 { BILLION } else { n * 1000 })
    }

    /// In billionths.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, mut rest, mut digits) = (self.0 / 10_000_000, self.0 % 10_000_000, 7);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        while rest % 10 == 0 {
            (rest, digits) = (rest / 10, digits - 1);
        }
        write!(f, "{whole}.{rest:0digits$}%")
    }
}

/// How delays are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Distribution {
    /// Evenly, from `delay - jitter` to `delay + jitter`.
    #[default]
    Uniform,
    /// About normally, with `jitter` as the standard deviation.
    Normal,
}

/// What a link does to its packets. The default is a plain wire.
///
/// ```
/// use net::link::{Character, Probability};
/// use std::time::Duration;
/// let dsl = Character {
///     delay: Duration::from_millis(20),
///     rate: 10_000_000,
///     loss: Probability::percent(1),
///     ..Character::default()
/// };
/// assert!(dsl.check().is_ok());
/// assert_eq!(dsl.to_string(), "delay 20ms rate 10mbit loss 1%");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Character {
    /// How long a packet is on its way.
    pub delay: Duration,
    /// How much that varies. A delay that would be below zero is zero.
    pub jitter: Duration,
    /// How it varies.
    pub distribution: Distribution,
    /// Bits a second that the link carries, of frames with their link headers; 0: no limit.
    pub rate: u64,
    /// Packets that are lost.
    pub loss: Probability,
    /// The mean number of packets that are lost one after the other, where losses come in bursts; 0:
    /// each packet is lost or not whatever became of the one before.
    pub burst: u32,
    /// Packets that are not delayed, and so overtake those before them.
    pub reorder: Probability,
    /// Packets that arrive twice.
    pub duplicate: Probability,
    /// Packets of which one bit is turned over, somewhere behind the link header.
    pub corrupt: Probability,
    /// The most packets that the link holds, those on their way included; 0: [`LIMIT`].
    pub limit: u32,
    /// The most bytes of them; 0: no limit.
    pub buffer: u64,
}

/// Why there can be no such link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CharacterError {
    /// More than [`MAX_DELAY`].
    Delay,
    /// Without a delay there is nothing to overtake.
    Reorder,
    /// More than [`MAX_BURST`].
    Burst,
    /// Bursts of that length cannot make up so much loss: between two there is a packet that passes.
    Loss,
    /// More than [`MAX_LIMIT`].
    Limit,
}

impl fmt::Display for CharacterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delay => "a delay or jitter is a day at most",
            Self::Reorder => "without a delay there is nothing to overtake",
            Self::Burst => "a burst is a million packets at most",
            Self::Loss => "bursts that short cannot make up so much loss",
            Self::Limit => "the limit is a million packets at most",
        })
    }
}

impl core::error::Error for CharacterError {}

impl Character {
    /// Refuses what makes no sense.
    pub fn check(&self) -> Result<(), CharacterError> {
        if self.delay > MAX_DELAY || self.jitter > MAX_DELAY {
            return Err(CharacterError::Delay);
        }
        if self.reorder > Probability::NEVER && self.delay.is_zero() {
            return Err(CharacterError::Reorder);
        }
        if self.limit > MAX_LIMIT {
            return Err(CharacterError::Limit);
        }
        if self.burst > MAX_BURST {
            return Err(CharacterError::Burst);
        }
        if self.burst > 0 && self.loss < Probability::ALWAYS && self.burst_begins() > BILLION {
            return Err(CharacterError::Loss);
        }
        Ok(())
    }

    /// How often a burst begins, in billionths, so that bursts make up the loss: for a loss of p and
    /// bursts of b packets, p / (b (1 - p)), Gilbert's model. More than a billion: it cannot be.
    pub(super) fn burst_begins(&self) -> u32 {
        let (lost, passed) = (u64::from(self.loss.0), u64::from(BILLION - self.loss.0));
        let whole = lost * u64::from(BILLION);
        let begins = whole.checked_div(passed * u64::from(self.burst));
        begins.and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX)
    }

    /// The limit in packets.
    pub fn packets(&self) -> usize {
        (if self.limit == 0 { LIMIT } else { self.limit }) as usize
    }

    /// The limit in bytes.
    pub fn bytes(&self) -> u64 {
        if self.buffer == 0 { u64::MAX } else { self.buffer }
    }
}

impl fmt::Display for Character {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        let mut word = |f: &mut fmt::Formatter<'_>, is_set: bool, text: fmt::Arguments<'_>| {
            if is_set {
                write!(f, "{between}{text}")?;
                between = " ";
            }
            Ok(())
        };
        let often = Probability::NEVER;
        word(f, !self.delay.is_zero(), format_args!("delay {}", Time(self.delay)))?;
        word(f, !self.jitter.is_zero(), format_args!("jitter {}", Time(self.jitter)))?;
        let is_normal = self.distribution == Distribution::Normal && !self.jitter.is_zero();
        word(f, is_normal, format_args!("distribution normal"))?;
        word(f, self.rate > 0, format_args!("rate {}", Rate(self.rate)))?;
        word(f, self.loss > often, format_args!("loss {}", self.loss))?;
        word(f, self.burst > 0 && self.loss > often, format_args!("burst {}", self.burst))?;
        word(f, self.reorder > often, format_args!("reorder {}", self.reorder))?;
        word(f, self.duplicate > often, format_args!("duplicate {}", self.duplicate))?;
        word(f, self.corrupt > often, format_args!("corrupt {}", self.corrupt))?;
        word(f, self.limit > 0, format_args!("limit {}", self.limit))?;
        word(f, self.buffer > 0, format_args!("buffer {}", self.buffer))
    }
}

/// A time, exactly, in the largest unit in which it is a whole number.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "us")];
        let (size, unit) =
            units.into_iter().find(|(size, _)| ns.is_multiple_of(*size)).unwrap_or((1, "ns"));
        write!(f, "{}{unit}", ns / size)
    }
}

/// A rate, likewise.
struct Rate(u64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_000_000_000, "gbit"), (1_000_000, "mbit"), (1000, "kbit")];
        let is_whole = |(size, _): &(u64, _)| self.0.is_multiple_of(*size);
        let (size, unit) = units.into_iter().find(is_whole).unwrap_or((1, "bit"));
        write!(f, "{}{unit}", self.0 / size)
    }
}
