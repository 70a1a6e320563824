//! What links are like: as options, and as the kernel has it.
//!
//! * [`LinkArguments`]: the options.  * [`of`]: the kernel's.
//!
//! Locking: none. Sources: clients/character.

use std::time::Duration;

use config::{Character, Key};
use net::link;

/// What all links are like, each way; over what the FILE says.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Links")]
pub struct LinkArguments {
    /// Delay all packets on every link: 20ms
    #[arg(long, value_name = Key::Delay.value(), value_parser = reader(Key::Delay))]
    delay: Option<u64>,
    /// Vary the delay by so much
    #[arg(long, value_name = Key::Jitter.value(), value_parser = reader(Key::Jitter))]
    jitter: Option<u64>,
    /// How it varies: evenly, or normally with that deviation
    #[arg(long, value_name = Key::Distribution.value(), value_parser = reader(Key::Distribution))]
    distribution: Option<u64>,
    /// Send no faster: 100mbit
    #[arg(long, value_name = Key::Rate.value(), value_parser = reader(Key::Rate))]
    rate: Option<u64>,
    /// Lose so many packets: 1%
    #[arg(long, value_name = Key::Loss.value(), value_parser = reader(Key::Loss))]
    loss: Option<u64>,
    /// Lose so many one after the other, in the mean
    #[arg(long, value_name = Key::Burst.value(), value_parser = reader(Key::Burst))]
    burst: Option<u64>,
    /// Let so many overtake those that are delayed
    #[arg(long, value_name = Key::Reorder.value(), value_parser = reader(Key::Reorder))]
    reorder: Option<u64>,
    /// Send so many twice
    #[arg(long, value_name = Key::Duplicate.value(), value_parser = reader(Key::Duplicate))]
    duplicate: Option<u64>,
    /// Turn over a bit in so many
    #[arg(long, value_name = Key::Corrupt.value(), value_parser = reader(Key::Corrupt))]
    corrupt: Option<u64>,
    /// Hold so many packets on a link, 1000 if not told; drop others
    #[arg(long, value_name = Key::Limit.value(), value_parser = reader(Key::Limit))]
    limit: Option<u64>,
    /// Hold so many bytes of them: 64K
    #[arg(long, value_name = Key::Buffer.value(), value_parser = reader(Key::Buffer))]
    buffer: Option<u64>,
}

fn reader(key: Key) -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync + 'static {
    move |text| key.read(text)
}

impl LinkArguments {
    /// What was said.
    pub fn character(&self) -> Character {
        let mut character = Character::default();
        for key in Key::ALL {
            let said = match key {
                Key::Delay => self.delay,
                Key::Jitter => self.jitter,
                Key::Distribution => self.distribution,
                Key::Rate => self.rate,
                Key::Loss => self.loss,
                Key::Burst => self.burst,
                Key::Reorder => self.reorder,
                Key::Duplicate => self.duplicate,
                Key::Corrupt => self.corrupt,
                Key::Limit => self.limit,
                Key::Buffer => self.buffer,
            };
            if let Some(value) = said {
                character.set(key, value);
            }
        }
        character
    }
}

/// The kernel's.
pub fn of(character: &Character) -> link::Character {
    // The words allow no more.
    let small = |key| u32::try_from(character.or_zero(key)).unwrap_or(u32::MAX);
    let often = |key| link::Probability::per_billion(small(key));
    let time = |key| Duration::from_nanos(character.or_zero(key));
    link::Character {
        delay: time(Key::Delay),
        jitter: time(Key::Jitter),
        distribution: match character.or_zero(Key::Distribution) {
            0 => link::Distribution::Uniform,
            _ => link::Distribution::Normal,
        },
        rate: character.or_zero(Key::Rate),
        loss: often(Key::Loss),
        burst: small(Key::Burst),
        reorder: often(Key::Reorder),
        duplicate: often(Key::Duplicate),
        corrupt: often(Key::Corrupt),
        limit: small(Key::Limit),
        buffer: character.or_zero(Key::Buffer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(key: Key) -> BoxedStrategy<u64> {
        match key {
            Key::Delay | Key::Jitter => (0..=::character::MAX_DELAY_NS).boxed(),
            Key::Distribution => (0..2_u64).boxed(),
            Key::Burst => prop_oneof![0..9_u64, 0..=::character::MAX_PACKETS].boxed(),
            Key::Limit => (0..=::character::MAX_PACKETS).boxed(),
            Key::Rate | Key::Buffer => any::<u64>().boxed(),
            _ => prop_oneof![Just(0), 0..=::character::BILLION].boxed(),
        }
    }

    proptest! {
        /// What the files and the options may say, the kernel takes, and nothing else.
        #[test]
        fn both_refuse_the_same(
            values in Key::ALL.map(|key| proptest::option::of(value(key))),
        ) {
            let mut character = Character::default();
            for (key, value) in Key::ALL.into_iter().zip(values) {
                if let Some(value) = value {
                    character.set(key, value);
                }
            }
            prop_assert_eq!(character.check().is_ok(), of(&character).check().is_ok());
        }
    }

    #[test]
    fn the_kernel_shows_what_was_said() {
        let mut character = Character::default();
        for (key, text) in [
            (Key::Delay, "20ms"),
            (Key::Distribution, "normal"),
            (Key::Jitter, "2ms"),
            (Key::Rate, "100mbit"),
            (Key::Loss, "1%"),
            (Key::Reorder, "25%"),
            (Key::Duplicate, "0.1%"),
            (Key::Corrupt, "0.0001%"),
            (Key::Burst, "3"),
            (Key::Limit, "1000"),
            (Key::Buffer, "64K"),
        ] {
            character.set(key, key.read(text).unwrap());
        }
        assert_eq!(
            of(&character).to_string(),
            "delay 20ms jitter 2ms distribution normal rate 100mbit loss 1% burst 3 reorder 25% \
             duplicate 0.1% corrupt 0.0001% limit 1000 buffer 65536"
        );
    }
}
