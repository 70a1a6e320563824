//! Capture files, as tcpdump and Wireshark read them.
//!
//! * [`file_header`] once at the start;
//! * [`record_header`] before each packet, then its bytes.
//!
//! Numbers are little-endian whatever the machine, times are in nanoseconds. Nothing is written
//! here: the bytes are handed to whoever has a file.
//!
//! Locking: none; bytes only.
//! Sources: draft-ietf-opsawg-pcap §4 (file header), §5 (packet record); the registry of
//! link types at tcpdump.org.

/// Magic number of files with times in nanoseconds.
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;

/// Largest capture per packet that readers accept everywhere.
pub const MAX_SNAPLEN: u32 = 262_144;

/// What the packets of a file begin with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkType {
    /// An Ethernet header.
    Ethernet,
    /// An IPv4 or IPv6 header.
    Raw,
}

impl LinkType {
    const fn number(self) -> u32 {
        match self {
            Self::Ethernet => 1,
            Self::Raw => 101,
        }
    }
}

/// The first bytes of a file whose records hold at most `snaplen` bytes of each packet.
pub fn file_header(link: LinkType, snaplen: u32) -> [u8; 24] {
    let mut out = [0; 24];
    // Time zone and accuracy stay zero, as every writer leaves them.
    let version = u32::from(2u16) | u32::from(4u16) << 16;
    for (at, word) in
        [(0, MAGIC_NANOSECONDS), (4, version), (16, snaplen.min(MAX_SNAPLEN)), (20, link.number())]
    {
        put(&mut out, at, word);
    }
    out
}

/// The bytes before a packet seen at the given time, of which `captured` bytes follow and which
/// was `length` bytes long.
///
/// Seconds wrap in the year 2106, as the format has it.
pub fn record_header(seconds: u64, nanoseconds: u32, captured: u32, length: u32) -> [u8; 16] {
    let mut out = [0; 16];
    for (at, word) in
        [(0, seconds as u32), (4, nanoseconds), (8, captured), (12, length.max(captured))]
    {
        put(&mut out, at, word);
    }
    out
}

fn put(out: &mut [u8], at: usize, word: u32) {
    for (byte, value) in out.iter_mut().skip(at).zip(word.to_le_bytes()) {
        *byte = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_header_is_byte_for_byte_right() {
        let expected = [
            0x4d, 0x3c, 0xb2, 0xa1, // magic, nanoseconds, little-endian
            2, 0, 4, 0, // version 2.4
            0, 0, 0, 0, 0, 0, 0, 0, // reserved
            0xff, 0xff, 0, 0, // snaplen
            1, 0, 0, 0, // Ethernet
        ];
        assert_eq!(file_header(LinkType::Ethernet, 65535), expected);
        assert_eq!(file_header(LinkType::Raw, u32::MAX)[16..], [0, 0, 4, 0, 101, 0, 0, 0]);
    }

    #[test]
    fn a_record_header_is_byte_for_byte_right() {
        let expected = [
            0x78, 0x56, 0x34, 0x12, // seconds
            0x00, 0xca, 0x9a, 0x3b, // nanoseconds
            96, 0, 0, 0, // captured
            0xea, 0x05, 0, 0, // on the wire
        ];
        assert_eq!(record_header(0x1234_5678, 1_000_000_000, 96, 1514), expected);
    }
}
