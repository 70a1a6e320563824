//! Words with their values.
//!
//! Locking: none.

use std::fmt;

use crate::{BILLION, Key};

/// What a link is to do, as far as somebody has said so.
///
/// ```
/// use character::{Character, Key};
/// let mut dsl = Character::default();
/// dsl.set(Key::Delay, Key::Delay.read("20ms")?);
/// dsl.set(Key::Loss, Key::Loss.read("1%")?);
/// assert_eq!(dsl.get(Key::Delay), Some(20_000_000));
/// assert!(dsl.check().is_ok());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Character([Option<u64>; Key::ALL.len()]);

impl Character {
    /// Says what one of them is.
    pub fn set(&mut self, key: Key, value: u64) {
        if let Some(slot) = self.0.get_mut(key as usize) {
            *slot = Some(value);
        }
    }

    /// What one of them is, if somebody has said so.
    pub fn get(&self, key: Key) -> Option<u64> {
        self.0.get(key as usize).copied().flatten()
    }

    /// What one of them is; what nobody has said is zero, as it is on a plain wire.
    pub fn or_zero(&self, key: Key) -> u64 {
        self.get(key).unwrap_or(0)
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        *self == Character::default()
    }

    /// This, and what it does not say as `below` has it.
    pub fn over(&self, below: &Character) -> Character {
        let mut both = *below;
        for key in Key::ALL {
            if let Some(value) = self.get(key) {
                both.set(key, value);
            }
        }
        both
    }

    /// Refuses what makes no sense together, as the kernel does; an error is one sentence.
    pub fn check(&self) -> Result<(), String> {
        if self.or_zero(Key::Reorder) > 0 && self.or_zero(Key::Delay) == 0 {
            return Err(
                "without a delay there is nothing that \"reorder\" could overtake".to_string()
            );
        }
        let (loss, burst) = (self.or_zero(Key::Loss), self.or_zero(Key::Burst));
        // Between two bursts there is a packet that passes.
        let passed = BILLION.saturating_sub(loss);
        if burst > 0 && passed > 0 && loss * BILLION / (passed * burst) > BILLION {
            let most = 100 * burst / (burst + 1);
            return Err(format!("a \"burst\" of {burst} cannot make up a \"loss\" above {most}%"));
        }
        Ok(())
    }
}

/// As words for `rump.ifconfig`.
impl fmt::Display for Character {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = Key::ALL.into_iter().filter_map(|key| Some((key, self.get(key)?)));
        for (number, (key, value)) in said.enumerate() {
            let between = if number == 0 { "" } else { " " };
            write!(f, "{between}{} {}", key.word(), key.write(value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Character {
        let mut character = Character::default();
        let words: Vec<_> = words.split_whitespace().collect();
        for pair in words.chunks(2) {
            let key = Key::of(pair[0]).unwrap();
            character.set(key, key.read(pair[1]).unwrap());
        }
        character
    }

    #[test]
    fn one_over_another() {
        let (link, own) = (read("delay 20ms loss 1%"), read("loss 0 rate 1mbit"));
        assert_eq!(own.over(&link), read("delay 20ms loss 0% rate 1mbit"));
        assert!(Character::default().is_empty() && !read("loss 0").is_empty());
        assert_eq!(read(&link.to_string()), link);
        assert_eq!(link.to_string(), "delay 20000000ns loss 1.0000000%");
    }

    #[test]
    fn what_makes_no_sense_together() {
        for fine in ["", "delay 1ms reorder 1%", "loss 50% burst 1", "loss 100% burst 1", "burst 4"]
        {
            assert_eq!(read(fine).check(), Ok(()), "{fine}");
        }
        assert!(read("reorder 1%").check().unwrap_err().contains("without a delay"));
        assert!(read("delay 0 reorder 1%").check().is_err());
        assert_eq!(
            read("loss 81% burst 4").check().unwrap_err(),
            "a \"burst\" of 4 cannot make up a \"loss\" above 80%"
        );
    }
}
