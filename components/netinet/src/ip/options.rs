//! IPv4 options: checked, recorded into, copied into fragments.
//!
//! * [`check`] goes through the options of a packet for us;
//! * [`forward`] does the same for a packet that passes through, and writes our address and the
//!   time where record route and timestamp ask for it;
//! * [`copied`] picks what every fragment carries.
//!
//! Decisions. Unknown options are passed over (RFC 1122 §3.2.1.8, RFC 1812 §5.3.13.1). Record
//! route and timestamp are honoured, as RFC 1812 §5.3.13.5 and .6 demand: the work is bounded,
//! and the packet does not grow.
//!
//! DIFFERS: source routes are refused for packets that pass through *and* for us, where RFC 1812
//! §5.3.13.4 and RFC 1122 §3.2.1.8 (c) would heed them. They serve to get around filters, and
//! RFC 7126 §4.3 and §4.4 recommend what we do, with the ICMP error of [`Refused::SourceRoute`].
//!
//! Locking: none; bytes only.
//! Sources: RFC 791 §3.1; RFC 1122 §3.2.1.8; RFC 1812 §4.2.2.1, §5.3.13; RFC 6274 §3.13;
//! RFC 7126.

use crate::wire::ipv4::MIN_HEADER_LEN;
use core::net::Ipv4Addr;

/// Longest options.
pub const MAX_LEN: usize = 40;

/// Option types: copied flag (0x80), class, number.
mod kind {
    pub const END: u8 = 0;
    pub const NO_OPERATION: u8 = 1;
    pub const RECORD_ROUTE: u8 = 7;
    pub const TIMESTAMP: u8 = 68;
    pub const LOOSE_SOURCE_ROUTE: u8 = 131;
    pub const STRICT_SOURCE_ROUTE: u8 = 137;
    pub const COPIED: u8 = 0x80;
}

/// Why a packet is not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// Malformed at this byte of the IP header: ICMP parameter problem with this pointer.
    Problem(u8),
    /// It has a source route: ICMP unreachable, code 5 (source route failed).
    SourceRoute,
}

/// An option with the place where it begins; `data` is all of it, with type and length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Found<'a> {
    at: usize,
    kind: u8,
    data: &'a [u8],
}

/// The option at `at`: `None` at the end, else it and where the next one begins.
fn next(options: &[u8], mut at: usize) -> Result<Option<(Found<'_>, usize)>, Refused> {
    loop {
        let kind = match options.get(at) {
            None | Some(&kind::END) => return Ok(None),
            Some(&kind::NO_OPERATION) => {
                at += 1;
                continue;
            }
            Some(&kind) => kind,
        };
        let len = usize::from(*options.get(at + 1).ok_or(problem(at))?);
        // RFC 6274 §3.13.1: at least the type and the length, and inside the header.
        let end = at + len;
        let data = options.get(at..end).filter(|data| data.len() >= 2).ok_or(problem(at + 1))?;
        return Ok(Some((Found { at, kind, data }, end)));
    }
}

/// A problem at a byte of the options; RFC 792 counts from the start of the header.
fn problem(at: usize) -> Refused {
    Refused::Problem(u8::try_from(MIN_HEADER_LEN + at).unwrap_or(u8::MAX))
}

/// Where the next address or time goes into a record route or timestamp option that has room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    /// Nothing to write.
    None,
    /// Our address.
    Address(usize),
    /// The time.
    Time(usize),
    /// Our address, then the time.
    Both(usize),
    /// The time, after our address that is there already.
    TimeAfterAddress(usize),
    /// There is no room; count us at this byte, in its high half.
    Overflow(usize),
}

/// Checks one option; says where it wants us to write.
fn inspect(options: &[u8], found: Found<'_>, ours: Option<Ipv4Addr>) -> Result<Slot, Refused> {
    match found.kind {
        kind::LOOSE_SOURCE_ROUTE | kind::STRICT_SOURCE_ROUTE => Err(Refused::SourceRoute),
        kind::RECORD_ROUTE => record_route(found),
        kind::TIMESTAMP => timestamp(options, found, ours),
        _ => Ok(Slot::None),
    }
}

/// RFC 791 p. 20; the checks are those of RFC 6274 §3.13.2.5.
fn record_route(found: Found<'_>) -> Result<Slot, Refused> {
    let pointer = usize::from(*found.data.get(2).ok_or(problem(found.at + 1))?);
    if pointer < 4 || pointer % 4 != 0 {
        return Err(problem(found.at + 2));
    }
    if pointer > found.data.len() {
        return Ok(Slot::None); // Full: it goes on as it is.
    }
    // Some room but not enough for an address: RFC 791, in error. The pointer counts from 1.
    if pointer + 3 > found.data.len() {
        return Err(problem(found.at + 2));
    }
    Ok(Slot::Address(found.at + pointer - 1))
}

/// RFC 791 p. 22; the checks are those of RFC 6274 §3.13.2.6.
fn timestamp(options: &[u8], found: Found<'_>, ours: Option<Ipv4Addr>) -> Result<Slot, Refused> {
    let (Some(&pointer), Some(&flags)) = (found.data.get(2), found.data.get(3)) else {
        return Err(problem(found.at + 1));
    };
    let pointer = usize::from(pointer);
    let size = match flags & 0x0f {
        0 => 4,
        1 | 3 => 8,
        _ => return Err(problem(found.at + 3)),
    };
    if pointer < 5 || pointer % 4 != 1 {
        return Err(problem(found.at + 2));
    }
    if pointer > found.data.len() {
        // The overflow count itself overflows: RFC 791, in error. With addresses given in
        // advance, those who are not named are not counted.
        return match flags {
            _ if flags & 0x0f == 3 => Ok(Slot::None),
            0xf0.. => Err(problem(found.at + 3)),
            _ => Ok(Slot::Overflow(found.at + 3)),
        };
    }
    if pointer - 1 + size > found.data.len() {
        return Err(problem(found.at + 2));
    }
    let place = found.at + pointer - 1;
    Ok(match flags & 0x0f {
        0 => Slot::Time(place),
        1 => Slot::Both(place),
        _ if ours.is_some_and(|ip| options.get(place..place + 4) == Some(&ip.octets()[..])) => {
            Slot::TimeAfterAddress(place)
        }
        _ => Slot::None,
    })
}

/// Checks the options of a packet for us. What they ask to be recorded is not: nobody would see
/// it, except in an echo reply, and for that there is [`forward`].
pub fn check(options: &[u8]) -> Result<(), Refused> {
    let mut at = 0;
    while let Some((found, end)) = next(options, at)? {
        inspect(options, found, None)?;
        at = end;
    }
    Ok(())
}

/// Checks the options of a packet that passes through, or of an echo request that is about to
/// become its reply (RFC 1122 §3.2.2.6), and records us in them. `ours` is the address of the
/// interface it leaves by; `ms_of_day` the milliseconds since midnight UT. Says whether a byte
/// changed, so that the header's checksum must be computed anew.
///
/// Nothing is written unless all options are well-formed.
pub fn forward(options: &mut [u8], ours: Ipv4Addr, ms_of_day: u32) -> Result<bool, Refused> {
    check(options)?;
    let mut changed = false;
    let mut at = 0;
    while let Some((found, end)) = next(options, at)? {
        let pointer_at = found.at + 2;
        let slot = inspect(options, found, Some(ours))?;
        at = end;
        let time = ms_of_day.to_be_bytes();
        let written = match slot {
            Slot::None => continue,
            Slot::Overflow(place) => {
                add(options, place, 0x10);
                0
            }
            Slot::Address(place) => put(options, place, ours.octets()),
            Slot::Time(place) => put(options, place, time),
            // The address is there already, and the pointer moves over both.
            Slot::TimeAfterAddress(place) => 4 + put(options, place + 4, time),
            Slot::Both(place) => put(options, place, ours.octets()) + put(options, place + 4, time),
        };
        add(options, pointer_at, written);
        changed = true;
    }
    Ok(changed)
}

fn put(options: &mut [u8], place: usize, bytes: [u8; 4]) -> u8 {
    match options.get_mut(place..place + 4) {
        Some(to) => {
            to.copy_from_slice(&bytes);
            4
        }
        None => 0,
    }
}

fn add(options: &mut [u8], place: usize, by: u8) {
    if let Some(byte) = options.get_mut(place) {
        *byte = byte.wrapping_add(by);
    }
}

/// The options that every fragment carries (RFC 791 p. 15: those with the copied flag), padded
/// to a multiple of four; the first fragment keeps all. Options that are malformed end the list:
/// the packet was checked before.
pub fn copied(options: &[u8]) -> Copied {
    let mut out = Copied { bytes: [kind::END; MAX_LEN], len: 0 };
    let mut at = 0;
    let mut filled = 0;
    while let Ok(Some((found, end))) = next(options, at) {
        at = end;
        if found.kind & kind::COPIED == 0 {
            continue;
        }
        let to = filled + found.data.len();
        let Some(place) = out.bytes.get_mut(filled..to) else { break };
        place.copy_from_slice(found.data);
        filled = to;
    }
    out.len = filled.next_multiple_of(4);
    out
}

/// See [`copied`].
#[derive(Clone, Copy, Debug)]
pub struct Copied {
    bytes: [u8; MAX_LEN],
    len: usize,
}

impl Copied {
    /// The options, a multiple of four bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests;
