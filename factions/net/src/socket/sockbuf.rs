//! Socket buffers: what has arrived and was not read, or was written and not sent.
//!
//! * [`Sockbuf::append`], [`Sockbuf::pop`]: messages, each with its addresses.
//! * [`Sockbuf::append_stream`], [`Sockbuf::pull`]: bytes without borders.  * [`Sockbuf::set_aside`]:
//!   for who waits for more of them than there may be.
//!
//! Packets are charged by themselves, to the account of whoever made the socket, whoever sent them;
//! the limit says how much of that one socket may hold: so many bytes of data, and twice as many with what packets cost beside their data.
//!
//! Locking: its socket's (`Rank::Socket`). Sources: NetBSD uipc_socket2.c (sb_hiwat, sb_mbmax).

use core::net::{IpAddr, SocketAddr};

use base::{Cx, KDeque, NoMemory};

use crate::Packet;

/// The limit of a new buffer, in bytes.
pub const DEFAULT_LIMIT: usize = 212_992;
/// The smallest limit.
pub const MIN_LIMIT: usize = 2304;
/// The largest limit.
pub const MAX_LIMIT: usize = 16 << 20;

/// The same for those who are not root, who could else have the kernel's memory among them.
pub const MAX_LIMIT_OF_OTHERS: usize = 256 << 10;

/// What a message's packet said of its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Way {
    /// The address to which it was sent (RFC 1122 §4.1.3.5).
    pub to: Option<IpAddr>,
    /// Hops that were left.
    pub ttl: u8,
    /// Type of service.
    pub tos: u8,
}

/// A message with its addresses.
pub struct Record {
    /// The data.
    pub packet: Packet,
    /// Where it came from.
    pub from: Option<SocketAddr>,
    /// What its packet said.
    pub way: Way,
    /// The index of the interface on which it arrived; 0 if none.
    pub ifindex: u32,
}

/// A buffer.
pub struct Sockbuf {
    queue: KDeque<Record>,
    bytes: usize,
    cost: usize,
    limit: usize,
    /// Bytes at the front that take no room.
    aside: usize,
    dropped: u64,
}

impl Sockbuf {
    /// An empty buffer; it holds no memory.
    pub fn new(cx: &Cx<'_>, limit: usize) -> Self {
        Self { queue: KDeque::new(cx), bytes: 0, cost: 0, limit, aside: 0, dropped: 0 }
    }

    /// Bytes of data.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether nothing is in it. A message of no bytes is something.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The limit.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Sets the limit, as near as may be. What is over a smaller one stays until it is read.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit.clamp(MIN_LIMIT, MAX_LIMIT);
    }

    /// Bytes that may still come.
    pub fn room(&self) -> usize {
        let counted = self.counted();
        // What is set aside has its part of the cost.
        let cost = match self.aside {
            0 => self.cost as u128,
            _ => self.cost as u128 * counted as u128 / self.bytes.max(1) as u128,
        };
        if cost >= self.limit.saturating_mul(2) as u128 {
            return 0;
        }
        self.limit.saturating_sub(counted)
    }

    /// Bytes of data that count against the limit.
    pub fn counted(&self) -> usize {
        self.bytes.saturating_sub(self.aside)
    }

    /// The first `len` bytes of a stream have a reader, which waits for what follows. It might be more
    /// than the limit allows for, and what follows would never come: so they count no longer, until they
    /// are read, by whom ever.
    pub fn set_aside(&mut self, len: usize) {
        self.aside = self.aside.max(len.min(self.bytes));
    }

    /// Messages that found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Puts a message at the end, or gives it back if there is no room or no memory.
    pub fn append(&mut self, mut record: Record) -> Result<(), Record> {
        let (len, cost) = (record.packet.len(), record.packet.cost());
        // One message of any size fits into an empty buffer: the limit may be below it, but the
        // reader would otherwise wait for ever.
        if !self.is_empty() && self.room() < len.max(1) {
            self.dropped += 1;
            return Err(record);
        }
        record.packet = match record.packet.charged_to(self.queue.account()) {
            Ok(packet) => packet,
            Err(packet) => {
                self.dropped += 1;
                return Err(Record { packet, ..record });
            }
        };
        if let Err(record) = self.queue.push_back(record) {
            self.dropped += 1;
            return Err(record);
        }
        self.bytes += len;
        self.cost += cost;
        Ok(())
    }

    /// Puts bytes of a stream at the end. The protocol has looked at [`Sockbuf::room`].
    pub fn append_stream(&mut self, packet: Packet) -> Result<(), Packet> {
        let (len, cost) = (packet.len(), packet.cost());
        // Small pieces share a packet: they would cost many times their data.
        if self.queue.back_mut().is_some_and(|last| last.packet.merge(&packet)) {
            self.bytes += len;
            return Ok(());
        }
        let packet = packet.charged_to(self.queue.account())?;
        let record = Record { packet, from: None, way: Way::default(), ifindex: 0 };
        self.queue.push_back(record).map_err(|r| r.packet)?;
        self.bytes += len;
        self.cost += cost;
        Ok(())
    }

    /// Puts `len` bytes of a stream, `offset` bytes from its front, at the end of `to`.
    pub fn copy_range(
        &self,
        mut offset: usize,
        mut len: usize,
        to: &mut Packet,
    ) -> Result<(), NoMemory> {
        for record in self.queue.iter() {
            let here = record.packet.len();
            if offset >= here {
                offset -= here;
                continue;
            }
            let n = len.min(here - offset);
            record.packet.slice_into(to, offset, n)?;
            (offset, len) = (0, len - n);
            if len == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Lets go of everything.
    pub fn clear(&mut self) {
        while self.pop().is_some() {}
        self.queue.shrink_if_empty();
    }

    /// The first message.
    pub fn front(&self) -> Option<&Record> {
        self.queue.front()
    }

    /// All messages, first to last.
    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.queue.iter()
    }

    /// Takes the first message.
    pub fn pop(&mut self) -> Option<Record> {
        let record = self.queue.pop_front()?;
        self.bytes -= record.packet.len();
        self.cost -= record.packet.cost();
        self.aside = self.aside.saturating_sub(record.packet.len());
        Some(record)
    }

    /// Takes `n` bytes of a stream off the front.
    pub fn pull(&mut self, n: usize) {
        let mut left = n;
        while let Some(record) = self.queue.front_mut() {
            let len = record.packet.len();
            if len > left {
                let before = record.packet.cost();
                record.packet.pull(left);
                self.cost -= before - record.packet.cost();
                self.bytes -= left;
                self.aside = self.aside.saturating_sub(left);
                return;
            }
            left -= len;
            drop(self.pop());
            if left == 0 {
                return;
            }
        }
    }
}
