//! Requests about links with character.
//!
//! Locking: that of [`config`]. Sources: none; these requests are ours.

use core::time::Duration;

use base::{Cx, Errno, Lwp};

use super::interface::edge;
use super::layout::{LinkReq, link, read, write};
use crate::ifnet::config;
use crate::link::{Character, Distribution, Probability};

/// Changes what the request says, all of it or nothing.
pub(super) fn set(l: &mut Lwp<'_>, data: &mut [u8]) -> Result<(), Errno> {
    let request: LinkReq = read(data)?;
    if request.set & !link::ALL != 0 {
        return Err(Errno::Invalid);
    }
    let asked = character(&request)?;
    let name = request.name.text()?;
    config::set_character(l, name, |character| {
        if request.set & link::FORGET != 0 {
            *character = Character::default();
        }
        merge(character, &asked, request.set);
    })
    .map_err(edge)
}

/// What the link does: all of it.
pub(super) fn get(cx: &Cx<'_>, data: &mut [u8]) -> Result<(), Errno> {
    let request: LinkReq = read(data)?;
    let ifp = config::find(cx, request.name.text()?).map_err(edge)?;
    let c = config::link(cx, &ifp).character;
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let answer = LinkReq {
        name: request.name,
        set: link::ALL & !link::FORGET,
        distribution: match c.distribution {
            Distribution::Uniform => link::UNIFORM,
            Distribution::Normal => link::NORMAL,
        },
        delay: nanos(c.delay),
        jitter: nanos(c.jitter),
        rate: c.rate,
        buffer: c.buffer,
        loss: c.loss.get(),
        burst: c.burst,
        reorder: c.reorder.get(),
        duplicate: c.duplicate.get(),
        corrupt: c.corrupt.get(),
        limit: c.limit,
    };
    write(&answer, data)
}

/// What the request says; fields that it does not set are to be zero, or good for nothing otherwise.
fn character(request: &LinkReq) -> Result<Character, Errno> {
    let often = |n| Probability::billionths(n).ok_or(Errno::Invalid);
    Ok(Character {
        delay: Duration::from_nanos(request.delay),
        jitter: Duration::from_nanos(request.jitter),
        distribution: match request.distribution {
            link::UNIFORM => Distribution::Uniform,
            link::NORMAL => Distribution::Normal,
            _ => return Err(Errno::Invalid),
        },
        rate: request.rate,
        loss: often(request.loss)?,
        burst: request.burst,
        reorder: often(request.reorder)?,
        duplicate: often(request.duplicate)?,
        corrupt: often(request.corrupt)?,
        limit: request.limit,
        buffer: request.buffer,
    })
}

fn merge(to: &mut Character, from: &Character, set: u32) {
    let is_set = |bit| set & bit != 0;
    macro_rules! take {
        ($($bit:ident => $field:ident),+ $(,)?) => {
            $(if is_set(link::$bit) {
                to.$field = from.$field;
            })+
        };
    }
    take! {
        DELAY => delay, JITTER => jitter, DISTRIBUTION => distribution, RATE => rate, LOSS => loss,
        BURST => burst, REORDER => reorder, DUPLICATE => duplicate, CORRUPT => corrupt,
        LIMIT => limit, BUFFER => buffer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros;

    #[test]
    fn only_what_is_set_changes() {
        let request = LinkReq { delay: 7, loss: 9, limit: 3, ..LinkReq::new_zeroed() };
        let mut to = Character { rate: 5, limit: 8, ..Character::default() };
        merge(&mut to, &character(&request).unwrap(), link::DELAY | link::LOSS | link::RATE);
        let loss = Probability::billionths(9).unwrap();
        let delay = Duration::from_nanos(7);
        assert_eq!(to, Character { delay, loss, limit: 8, ..Character::default() });
        for wrong in [
            LinkReq { loss: 1_000_000_001, ..LinkReq::new_zeroed() },
            LinkReq { corrupt: u32::MAX, ..LinkReq::new_zeroed() },
            LinkReq { distribution: 2, ..LinkReq::new_zeroed() },
        ] {
            assert_eq!(character(&wrong), Err(Errno::Invalid));
        }
    }
}
