//! The frames that are in a bus file, whoever sent them, in the order of their times.
//!
//! * [`Dump::read`] reads a file, of live members or dead ones; it takes no lock and writes nothing.
//! * [`Dump::frames`]: what is there.  * [`Dump::capture`]: the same for tcpdump and Wireshark.
//! * [`Arguments`]: the command line of `shmif_dumpbus`.
//!
//! A ring that makes no sense is shown as far as it does. The times are the senders'.
//!
//! Locking: none. Sources: NetBSD usr.bin/shmif_dumpbus.

mod arguments;

use core::fmt;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use net::MacAddr;
use net::pcap;
use shmif::bus::layout::{FILE_MAX, Found, PAGE, SLOT, SLOTS_AT};
use shmif::bus::record::FRAME_MAX;
use shmif::bus::ring::{Cursor, Next};
use shmif::bus::{Map, Record, Station};

pub use arguments::Arguments;

/// What was in a file.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    /// The frames, the oldest first.
    pub frames: Vec<Frame>,
    /// The members, dead ones too.
    pub members: Vec<Member>,
}

/// One frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The slot that sent it.
    pub slot: usize,
    /// What its record says.
    pub record: Record,
    /// The frame.
    pub bytes: Vec<u8>,
}

/// One slot that was ever taken.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its number.
    pub slot: usize,
    /// How many owners it has had.
    pub generation: u64,
    /// The process of the last one.
    pub process: u64,
    /// Its address, unless it left.
    pub mac: Option<MacAddr>,
    /// Frames that it lost.
    pub lost: u64,
}

/// Why a file cannot be shown.
#[derive(Debug)]
pub enum DumpError {
    /// It cannot be read.
    Io(io::Error),
    /// It is not a bus.
    NotABus,
    /// It is a bus of this version.
    Version(u64),
}

impl fmt::Display for DumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) => e.fmt(f),
            Self::NotABus => f.write_str("it is not a bus file"),
            Self::Version(v) => {
                write!(f, "it is a bus of version {v}, which this program is not for")
            }
        }
    }
}

impl std::error::Error for DumpError {}

impl From<io::Error> for DumpError {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

impl Dump {
    /// Reads a bus file.
    pub fn read(path: &Path) -> Result<Dump, DumpError> {
        let mut bytes = Vec::new();
        File::open(path)?.take(FILE_MAX as u64).read_to_end(&mut bytes)?;
        Self::of(&bytes)
    }

    /// The same for the bytes of a file.
    pub fn of(bytes: &[u8]) -> Result<Dump, DumpError> {
        let word = |word: &[u8; 8]| AtomicU64::new(u64::from_ne_bytes(*word));
        let words: Vec<AtomicU64> = bytes.as_chunks().0.iter().map(word).collect();
        let bells: Vec<AtomicU32> = (0..PAGE / 4).map(|_| AtomicU32::new(0)).collect();
        let slots = words.get(SLOTS_AT / 8..).ok_or(DumpError::NotABus)?;
        let map = Map::new(&words, &bells, slots);
        let header = map.header().ok_or(DumpError::NotABus)?;
        match header.look() {
            Found::Bus => {}
            _ if header.has_magic() => return Err(DumpError::Version(header.version())),
            _ => return Err(DumpError::NotABus),
        }
        let mut dump = Dump::default();
        for slot in 0..map.used().min(slots.len() / (SLOT / 8)) {
            dump.slot(&map, slot);
        }
        // Of one sender they are in order already, and stay so.
        dump.frames.sort_by_key(|frame| (frame.record.seconds, frame.record.nanoseconds));
        Ok(dump)
    }

    fn slot(&mut self, map: &Map<'_>, number: usize) {
        let Some(slot) = map.slot(number) else { return };
        let station = Station::from_word(slot.station().load(Ordering::Relaxed));
        self.members.push(Member {
            slot: number,
            generation: slot.generation().load(Ordering::Relaxed),
            process: slot.process().load(Ordering::Relaxed),
            mac: station.is_present().then(|| station.mac()),
            lost: slot.lost().load(Ordering::Relaxed),
        });
        let ring = slot.ring();
        let mut cursor = Cursor::at_tail(&ring);
        let mut buffer = vec![0; FRAME_MAX];
        // Nobody writes here any more, so what does not make sense now never will.
        while let Next::Frame(record) = cursor.next_if(&ring, |_| true, &mut buffer) {
            let bytes = buffer.get(..record.len).unwrap_or_default().to_vec();
            self.frames.push(Frame { slot: number, record, bytes });
        }
    }

    /// Writes all frames as a capture file.
    pub fn capture(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&pcap::file_header(pcap::LinkType::Ethernet, pcap::MAX_SNAPLEN))?;
        for Frame { record, bytes, .. } in &self.frames {
            let len = bytes.len() as u32;
            // A field beyond its range would make the whole file unreadable.
            let nanoseconds = record.nanoseconds.min(999_999_999);
            out.write_all(&pcap::record_header(record.seconds, nanoseconds, len, len))?;
            out.write_all(bytes)?;
        }
        out.flush()
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { seconds, nanoseconds, generation, sequence, .. } = self.record;
        let address = |at: usize| Address(self.bytes.get(at..).and_then(|b| b.first_chunk()));
        let kind = self
            .bytes
            .get(12..)
            .and_then(|b| b.first_chunk())
            .map_or(0, |b| u16::from_be_bytes(*b));
        let (slot, len) = (self.slot, self.bytes.len());
        write!(
            f,
            "{seconds}.{nanoseconds:09} slot {slot}.{generation} #{sequence}: {} > {}, type {kind:#06x}, \
             {len} bytes",
            address(6),
            address(0),
        )
    }
}

struct Address<'a>(Option<&'a [u8; 6]>);

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some([a, b, c, d, e, g]) = self.0 else { return f.write_str("?") };
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Member { slot, generation, process, mac, lost } = self;
        write!(f, "slot {slot}.{generation}: process {process}, ")?;
        match mac {
            Some(mac) => write!(f, "{}, lost {lost}", Address(Some(&mac.0))),
            None => write!(f, "has left, lost {lost}"),
        }
    }
}
