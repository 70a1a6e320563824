//! What the arguments of a system call are, so that memory travels with the request.
//!
//! A server says it of all its calls when it welcomes a client; the client then knows which memory
//! to send along with a call, and where the answer's memory may go.
//!
//! * [`Descriptions`]: of all calls, as they stand in a `Welcome`.  * [`memory`]: what one call's
//!   arguments point to.
//!
//! Locking: none. Sources: the house plan, section 8 (one round trip a call).

use crate::{Malformed, Out, Reader};

/// What an argument is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arg {
    /// A number.
    Value,
    /// Memory that the call reads: as long as argument `.0` says.
    In(u8),
    /// Memory that the call reads, of this length.
    InFixed(u16),
    /// Memory that the call writes: as long as argument `.0` says.
    Out(u8),
    /// Memory that the call writes, of this length.
    OutFixed(u16),
    /// Memory that the call reads and writes: `.1` bytes for each unit of argument `.0`.
    InOutTimes(u8, u16),
    /// Memory that the call reads and writes, of this length.
    InOutFixed(u16),
    /// Memory that the call writes: as long as the 32-bit number says to which argument `.0`
    /// points.
    OutRef(u8),
    /// Memory whose length and direction the request number in argument `.0` says (ioctl).
    Ioctl(u8),
    /// What none of these can say: the call asks for it with `Copyin`.
    Opaque,
}

impl Arg {
    /// As it stands in a description.
    pub fn to_bytes(self) -> [u8; 4] {
        let (kind, which, size) = match self {
            Arg::Value => (0, 0, 0),
            Arg::In(n) => (1, n, 0),
            Arg::InFixed(size) => (2, 0, size),
            Arg::Out(n) => (3, n, 0),
            Arg::OutFixed(size) => (4, 0, size),
            Arg::InOutTimes(n, size) => (5, n, size),
            Arg::InOutFixed(size) => (6, 0, size),
            Arg::OutRef(n) => (7, n, 0),
            Arg::Ioctl(n) => (8, n, 0),
            Arg::Opaque => (9, 0, 0),
        };
        let [s0, s1] = size.to_le_bytes();
        [kind, which, s0, s1]
    }

    fn from_bytes([kind, which, s0, s1]: [u8; 4]) -> Option<Arg> {
        let size = u16::from_le_bytes([s0, s1]);
        if which >= 6 {
            return None;
        }
        Some(match kind {
            0 => Arg::Value,
            1 => Arg::In(which),
            2 => Arg::InFixed(size),
            3 => Arg::Out(which),
            4 => Arg::OutFixed(size),
            5 => Arg::InOutTimes(which, size),
            6 => Arg::InOutFixed(size),
            7 => Arg::OutRef(which),
            8 => Arg::Ioctl(which),
            9 => Arg::Opaque,
            _ => return None,
        })
    }
}

/// What a call takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Description {
    /// Its number.
    pub number: u32,
    /// Its arguments; those beyond its own are values.
    pub args: [Arg; 6],
}

/// Bytes of a description.
const LEN: usize = 28;

impl Description {
    /// As it stands in a `Welcome`.
    pub fn write<O: Out>(&self, out: &mut O) -> Result<(), O::Error> {
        out.put(&self.number.to_le_bytes())?;
        self.args.iter().try_for_each(|arg| out.put(&arg.to_bytes()))
    }

    fn parse(raw: &[u8; LEN]) -> Result<Self, Malformed> {
        let mut r = Reader::new(raw);
        let number = r.u32()?;
        let mut args = [Arg::Value; 6];
        for arg in &mut args {
            *arg = Arg::from_bytes(r.bytes()?).ok_or(Malformed)?;
        }
        Ok(Self { number, args })
    }
}

/// The descriptions of a kernel's calls, in the order of their numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Descriptions<'a>(&'a [u8]);

impl<'a> Descriptions<'a> {
    /// Of bytes that may have come from anywhere.
    pub fn parse(raw: &'a [u8]) -> Result<Self, Malformed> {
        let (each, rest) = raw.as_chunks::<LEN>();
        let mut last = None;
        for raw in each {
            let number = Some(Description::parse(raw)?.number);
            if number <= last {
                return Err(Malformed);
            }
            last = number;
        }
        if rest.is_empty() { Ok(Self(raw)) } else { Err(Malformed) }
    }

    /// As they came.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// All of them, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = Description> + 'a {
        let (each, _) = self.0.as_chunks::<LEN>();
        each.iter().filter_map(|raw| Description::parse(raw).ok())
    }

    /// What call `number` takes, if the kernel serves it.
    pub fn get(&self, number: u32) -> Option<Description> {
        let (each, _) = self.0.as_chunks::<LEN>();
        let of = |raw: &[u8; LEN]| Description::parse(raw).map_or(0, |d| d.number);
        let at = each.binary_search_by_key(&number, of).ok()?;
        Description::parse(each.get(at)?).ok()
    }
}

/// Memory that an argument points to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// Where.
    pub addr: u64,
    /// How much.
    pub len: usize,
    /// Whether the call reads it: it is sent along.
    pub read: bool,
    /// Whether the call writes it.
    pub written: bool,
}

/// The memory that the arguments of a call point to. A null pointer, or one to nothing, points to
/// none. `load` reads a 32-bit number of the client's memory.
///
/// Longer than [`MAX_TRANSFER`](crate::MAX_TRANSFER) is none of them: the call does not move more.
pub fn memory(
    args: &[Arg; 6],
    values: &[u64; 6],
    load: impl Fn(u64) -> u32,
) -> impl Iterator<Item = Memory> {
    let value = |n: u8| values.get(usize::from(n)).copied().unwrap_or(0);
    let referred = move |n: u8| match value(n) {
        0 => 0,
        at => load(at).into(),
    };
    args.iter().zip(values).filter_map(move |(arg, addr)| {
        let (len, read, written) = match *arg {
            Arg::Value | Arg::Opaque => return None,
            Arg::In(n) => (value(n), true, false),
            Arg::InFixed(size) => (size.into(), true, false),
            Arg::Out(n) => (value(n), false, true),
            Arg::OutFixed(size) => (size.into(), false, true),
            Arg::InOutTimes(n, size) => (value(n).saturating_mul(size.into()), true, true),
            Arg::InOutFixed(size) => (size.into(), true, true),
            Arg::OutRef(n) => (referred(n), false, true),
            Arg::Ioctl(n) => ioctl(value(n) as u32),
        };
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(crate::MAX_TRANSFER);
        (*addr != 0 && len > 0).then_some(Memory { addr: *addr, len, read, written })
    })
}

/// What a request number says, in Linux's encoding; the old requests of sockets, which say
/// nothing, move a struct ifreq.
fn ioctl(request: u32) -> (u64, bool, bool) {
    const IFREQ: u64 = 40;
    match request >> 30 {
        0 if request >> 8 == 0x89 => (IFREQ, true, true),
        dir => (u64::from(request >> 16 & 0x3fff), dir & 1 != 0, dir & 2 != 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(args: &[Arg], values: [u64; 6]) -> Vec<(u64, usize, bool, bool)> {
        let mut all = [Arg::Value; 6];
        all[..args.len()].copy_from_slice(args);
        memory(&all, &values, |at| at as u32 + 1)
            .map(|m| (m.addr, m.len, m.read, m.written))
            .collect()
    }

    #[test]
    fn each_kind_of_argument_names_its_memory() {
        let v = Arg::Value;
        assert_eq!(of(&[v, Arg::In(2), v], [3, 100, 7, 0, 0, 0]), [(100, 7, true, false)]);
        assert_eq!(of(&[Arg::OutFixed(390)], [50, 0, 0, 0, 0, 0]), [(50, 390, false, true)]);
        assert_eq!(of(&[Arg::InOutTimes(1, 8), v], [9, 3, 0, 0, 0, 0]), [(9, 24, true, true)]);
        let name = [v, Arg::OutRef(2), Arg::InOutFixed(4)];
        let got = of(&name, [3, 100, 15, 0, 0, 0]);
        assert_eq!(got, [(100, 16, false, true), (15, 4, true, true)]);
        let ioctl = [v, v, Arg::Ioctl(1)];
        assert_eq!(of(&ioctl, [3, 0x8915, 8, 0, 0, 0]), [(8, 40, true, true)]);
        assert_eq!(of(&ioctl, [3, 0x4020_6901, 8, 0, 0, 0]), [(8, 32, true, false)]);
        assert_eq!(of(&ioctl, [3, 0x541b, 8, 0, 0, 0]), []);
    }

    #[test]
    fn null_and_empty_and_endless_memory() {
        assert_eq!(of(&[Arg::Value, Arg::In(2)], [0, 0, 7, 0, 0, 0]), []);
        assert_eq!(of(&[Arg::Value, Arg::In(2)], [0, 9, 0, 0, 0, 0]), []);
        let endless = of(&[Arg::Value, Arg::Out(2)], [0, 9, u64::MAX, 0, 0, 0]);
        assert_eq!(endless, [(9, crate::MAX_TRANSFER, false, true)]);
        let both = of(&[Arg::OutRef(1), Arg::InOutFixed(4)], [0, 0, 0, 0, 0, 0]);
        assert_eq!(both, []);
    }

    #[test]
    fn descriptions_are_found_and_checked() {
        let call = |number, arg| Description { number, args: [arg; 6] };
        let calls = [call(3, Arg::Value), call(7, Arg::In(2)), call(500, Arg::Opaque)];
        let mut raw = Vec::new();
        calls.iter().for_each(|c| c.write(&mut raw).unwrap());
        let all = Descriptions::parse(&raw).unwrap();
        for call in calls {
            assert_eq!(all.get(call.number), Some(call));
        }
        assert!(all.iter().eq(calls));
        assert_eq!(all.get(4), None);
        assert!(Descriptions::parse(&raw[1..]).is_err());
        let mut unordered = raw.clone();
        unordered[0] = 9;
        assert!(Descriptions::parse(&unordered).is_err());
        let mut unknown = raw.clone();
        unknown[4] = 10;
        assert!(Descriptions::parse(&unknown).is_err());
    }
}
