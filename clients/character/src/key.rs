//! The words.
//!
//! Locking: none; constants. Sources: Linux tc-netem(8).

use crate::amount;
use crate::{MAX_DELAY_NS, MAX_PACKETS};

/// A word, and what it takes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Key {
    /// In nanoseconds.
    Delay,
    /// In nanoseconds.
    Jitter,
    /// 0 uniform, 1 normal.
    Distribution,
    /// In bits a second; 0: no limit.
    Rate,
    /// In billionths.
    Loss,
    /// In packets; 0: losses do not come in bursts.
    Burst,
    /// In billionths.
    Reorder,
    /// In billionths.
    Duplicate,
    /// In billionths.
    Corrupt,
    /// In packets; 0: the usual number.
    Limit,
    /// In bytes; 0: no limit.
    Buffer,
}

/// The distributions, by their numbers.
const DISTRIBUTIONS: [&str; 2] = ["uniform", "normal"];

impl Key {
    /// All of them; each is at its own number.
    pub const ALL: [Key; 11] = [
        Key::Delay,
        Key::Jitter,
        Key::Distribution,
        Key::Rate,
        Key::Loss,
        Key::Burst,
        Key::Reorder,
        Key::Duplicate,
        Key::Corrupt,
        Key::Limit,
        Key::Buffer,
    ];

    /// The word itself.
    pub const fn word(self) -> &'static str {
        match self {
            Key::Delay => "delay",
            Key::Jitter => "jitter",
            Key::Distribution => "distribution",
            Key::Rate => "rate",
            Key::Loss => "loss",
            Key::Burst => "burst",
            Key::Reorder => "reorder",
            Key::Duplicate => "duplicate",
            Key::Corrupt => "corrupt",
            Key::Limit => "limit",
            Key::Buffer => "buffer",
        }
    }

    /// What its value is called.
    pub const fn value(self) -> &'static str {
        match self {
            Key::Delay | Key::Jitter => "TIME",
            Key::Distribution => "uniform|normal",
            Key::Rate => "RATE",
            Key::Loss | Key::Reorder | Key::Duplicate | Key::Corrupt => "SHARE",
            Key::Burst | Key::Limit => "PACKETS",
            Key::Buffer => "SIZE",
        }
    }

    /// What it does.
    pub const fn doc(self) -> &'static str {
        match self {
            Key::Delay => "delay what is sent: 20ms",
            Key::Jitter => "vary the delay by so much",
            Key::Distribution => "how it varies: evenly, or normally with that deviation",
            Key::Rate => "send no faster: 100mbit",
            Key::Loss => "lose so many packets: 1%",
            Key::Burst => "lose so many one after the other, in the mean",
            Key::Reorder => "let so many overtake those that are delayed",
            Key::Duplicate => "send so many twice",
            Key::Corrupt => "turn over a bit in so many",
            Key::Limit => "hold so many packets, 1000 if not told; drop others",
            Key::Buffer => "hold so many bytes of them: 64K",
        }
    }

    /// The key of this word.
    pub fn of(word: &str) -> Option<Key> {
        Key::ALL.into_iter().find(|key| key.word() == word)
    }

    /// Reads its value; an error is one sentence.
    pub fn read(self, text: &str) -> Result<u64, String> {
        match self {
            Key::Delay | Key::Jitter => match amount::time(text)? {
                time if time > MAX_DELAY_NS => Err(format!("{text:?} is more than a day")),
                time => Ok(time),
            },
            Key::Distribution => {
                let known = DISTRIBUTIONS.iter().zip(0..).find(|(name, _)| **name == text);
                known.map(|(_, n)| n).ok_or_else(|| format!("{text:?} is not uniform or normal"))
            }
            Key::Rate => amount::rate(text),
            Key::Loss | Key::Reorder | Key::Duplicate | Key::Corrupt => amount::share(text),
            Key::Burst | Key::Limit => amount::count(text, MAX_PACKETS),
            Key::Buffer => amount::bytes(text),
        }
    }

    /// The value as a text that [`Key::read`] reads.
    pub(crate) fn write(self, value: u64) -> String {
        match self {
            Key::Delay | Key::Jitter => format!("{value}ns"),
            Key::Distribution => {
                let name = usize::try_from(value).ok().and_then(|n| DISTRIBUTIONS.get(n));
                name.copied().unwrap_or_default().to_string()
            }
            Key::Rate => format!("{value}bit"),
            Key::Loss | Key::Reorder | Key::Duplicate | Key::Corrupt => {
                format!("{}.{:07}%", value / 10_000_000, value % 10_000_000)
            }
            Key::Burst | Key::Limit | Key::Buffer => value.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_at_its_number_and_found_by_its_word() {
        for (number, key) in Key::ALL.into_iter().enumerate() {
            assert_eq!((key as usize, Key::of(key.word())), (number, Some(key)));
        }
        assert_eq!(Key::of("dealy"), None);
    }

    #[test]
    fn what_is_written_is_read() {
        for (key, text, value) in [
            (Key::Delay, "24000s", 24_000_000_000_000),
            (Key::Distribution, "normal", 1),
            (Key::Rate, "1.5mbit", 1_500_000),
            (Key::Loss, "0.1%", 1_000_000),
            (Key::Limit, "50", 50),
            (Key::Buffer, "64K", 65_536),
        ] {
            assert_eq!(key.read(text), Ok(value));
            assert_eq!(key.read(&key.write(value)), Ok(value), "{}", key.write(value));
        }
        for (key, text) in [
            (Key::Delay, "86401s"),
            (Key::Distribution, "pareto"),
            (Key::Limit, "1000001"),
            (Key::Corrupt, "1"),
        ] {
            assert!(key.read(text).unwrap_err().starts_with(&format!("{text:?} is ")));
        }
    }
}
