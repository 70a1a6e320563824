//! Packets.
//!
//! A [`Packet`] owns one buffer for headers, with room in front, and refers to any number of
//! shared, immutable clusters that hold the rest. Small packets live in the buffer whole: making
//! one is one allocation, passing one on is passing a pointer, to another kernel too.
//!
//! * [`Packet::new`], [`Packet::append`], [`Packet::push`]: making one, back to front.
//! * [`Packet::head`], [`Packet::pullup`], [`Packet::pull`]: taking one apart, front to back.
//! * [`Packet::duplicate`]: a second one that shares the clusters.  * [`Packet::flip_bit`]: damage.
//! * [`Packet::hand_over`]: to another kernel: the receiver is charged before it takes it.
//!
//! The sum of what a packet holds (its buffer, and each cluster whole) is charged to the account
//! of the kernel that has it.
//!
//! Locking: none; a packet has one owner, a cluster is immutable.
//! Sources: NetBSD mbuf(9). DIFFERS: no chains of small buffers; one buffer, then clusters.

mod cluster;
mod flip;
mod segments;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::sync::Arc;

use base::{Account, Cx, NoMemory};
use smallvec::SmallVec;

pub use cluster::Cluster;
pub use segments::Segments;

/// Bytes of a packet's own buffer.
pub const BUFFER: usize = 256;

/// Room that a new packet has in front of its data, for the headers of all layers: Ethernet with
/// a tag (18), IPv4 with options (60), to a multiple of 16.
pub const HEADROOM: usize = 80;

/// What a packet costs, beside its clusters.
const COST: usize = size_of::<Buf>() + 16;

bitflags::bitflags! {
    /// How a packet arrived, and what was checked.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Flags: u16 {
        /// To everybody on the link.
        const LINK_BROADCAST = 1;
        /// To a group on the link.
        const LINK_MULTICAST = 2;
        /// It never left this kernel: checksums need not be looked at, unless it is [`Self::SPOILT`].
        const LOOPED = 4;
        /// The checksum inside of the IP packet is not filled in, because it has not left the
        /// machine's memory: [`crate::offload`]. It stays with the packet from kernel to kernel.
        const CSUM_BLANK = 8;
        /// A link of this kernel turned over a bit of it.
        const SPOILT = 0x8000;
    }
}

impl Flags {
    /// Whether the packet is as it was made, so that checksums need not be looked at.
    #[inline]
    pub fn is_sound(self) -> bool {
        !self.contains(Self::SPOILT) && self.intersects(Self::LOOPED | Self::CSUM_BLANK)
    }
}

struct Buf {
    account: Arc<Account>,
    /// The index of the interface on which it arrived; 0: none.
    rcvif: u32,
    tail: SmallVec<[Piece; 1]>,
    flags: Flags,
    /// Bytes of data in each of the segments that the packet stands for; 0: it is one.
    gso_size: u16,
    /// The data in `bytes`: from `start` to `end`.
    start: u16,
    end: u16,
    bytes: [u8; BUFFER],
}

/// A part of a cluster.
#[derive(Clone)]
struct Piece {
    cluster: Arc<Cluster>,
    start: u32,
    end: u32,
}

impl Piece {
    fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    fn bytes(&self) -> &[u8] {
        self.cluster.bytes().get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// A packet.
pub struct Packet(Box<Buf>);

impl Packet {
    /// An empty packet with [`HEADROOM`] in front.
    pub fn new(cx: &Cx<'_>) -> Result<Packet, NoMemory> {
        Self::in_account(cx.account()).or_else(|_| {
            // Once more, through the kernel's caches; the charge itself is the packet's.
            drop(cx.charge(COST)?);
            Self::in_account(cx.account())
        })
    }

    #[allow(clippy::disallowed_methods)] // charged here
    fn in_account(account: &Arc<Account>) -> Result<Packet, NoMemory> {
        account.take(COST)?;
        Ok(Packet(Box::new(Buf {
            account: account.clone(),
            rcvif: 0,
            tail: SmallVec::new(),
            flags: Flags::empty(),
            gso_size: 0,
            start: HEADROOM as u16,
            end: HEADROOM as u16,
            bytes: [0; BUFFER],
        })))
    }

    /// A packet that holds a copy of `data`.
    pub fn from_slice(cx: &Cx<'_>, data: &[u8]) -> Result<Packet, NoMemory> {
        let mut p = Packet::new(cx)?;
        p.append(data)?;
        Ok(p)
    }

    /// All bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.head_len() + self.tail_len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn head_len(&self) -> usize {
        usize::from(self.0.end - self.0.start)
    }

    #[inline]
    fn tail_len(&self) -> usize {
        self.0.tail.iter().map(Piece::len).sum()
    }

    /// The bytes at the front that are in the packet's own buffer.
    #[inline]
    pub fn head(&self) -> &[u8] {
        let b = &*self.0;
        b.bytes.get(usize::from(b.start)..usize::from(b.end)).unwrap_or_default()
    }

    /// The same, to change.
    #[inline]
    pub fn head_mut(&mut self) -> &mut [u8] {
        let b = &mut *self.0;
        b.bytes.get_mut(usize::from(b.start)..usize::from(b.end)).unwrap_or_default()
    }

    /// Sees to it that the first `n` bytes are in the packet's own buffer; `None` if the packet
    /// is shorter, or `n` is more than a buffer can hold.
    #[inline]
    pub fn pullup(&mut self, n: usize) -> Option<&mut [u8]> {
        if self.head_len() < n {
            self.pullup_slow(n)?;
        }
        self.head_mut().get_mut(..n)
    }

    #[cold]
    fn pullup_slow(&mut self, n: usize) -> Option<()> {
        if n > self.len() {
            return None;
        }
        let b = &mut *self.0;
        let have = usize::from(b.end - b.start);
        if usize::from(b.start) + n > BUFFER {
            // Make room behind by moving to the front.
            let to = BUFFER.checked_sub(n)?.min(HEADROOM);
            b.bytes.copy_within(usize::from(b.start)..usize::from(b.end), to);
            b.start = to as u16;
            b.end = (to + have) as u16;
        }
        let mut end = usize::from(b.end);
        let goal = usize::from(b.start) + n;
        for piece in &mut b.tail {
            let take = piece.len().min(goal - end);
            let from = piece.bytes().get(..take)?;
            b.bytes.get_mut(end..end + take)?.copy_from_slice(from);
            end += take;
            piece.start += take as u32;
        }
        b.end = end as u16;
        self.drop_empty_pieces();
        Some(())
    }

    fn drop_empty_pieces(&mut self) {
        let b = &mut *self.0;
        let account = &b.account;
        b.tail.retain(|p| {
            let keep = p.start < p.end;
            if !keep {
                account.give_back(p.cluster.cost());
            }
            keep
        });
    }

    /// Removes `n` bytes from the front; false (and nothing removed) if there are fewer.
    #[inline]
    pub fn pull(&mut self, n: usize) -> bool {
        if n <= self.head_len() {
            self.0.start += n as u16;
            return true;
        }
        self.pull_slow(n)
    }

    #[cold]
    fn pull_slow(&mut self, n: usize) -> bool {
        if n > self.len() {
            return false;
        }
        let mut left = n - self.head_len();
        self.0.start = self.0.end;
        for piece in &mut self.0.tail {
            let take = left.min(piece.len());
            piece.start += take as u32;
            left -= take;
        }
        self.drop_empty_pieces();
        true
    }

    /// Cuts the packet to its first `len` bytes, if it is longer.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        let head = self.head_len();
        if len <= head {
            self.0.end = self.0.start + len as u16;
        }
        if self.0.tail.is_empty() {
            return;
        }
        let mut left = len.saturating_sub(head);
        for piece in &mut self.0.tail {
            let keep = left.min(piece.len());
            piece.end = piece.start + keep as u32;
            left -= keep;
        }
        self.drop_empty_pieces();
    }

    /// Puts `n` bytes in front and gives them, to be written. `None` if the buffer has no room in
    /// front and none can be made.
    #[inline]
    pub fn push(&mut self, n: usize) -> Option<&mut [u8]> {
        if usize::from(self.0.start) < n {
            self.make_headroom(n)?;
        }
        self.0.start -= n as u16;
        self.head_mut().get_mut(..n)
    }

    #[cold]
    fn make_headroom(&mut self, n: usize) -> Option<()> {
        let b = &mut *self.0;
        let have = usize::from(b.end - b.start);
        let to = BUFFER.checked_sub(have).filter(|room| *room >= n)?;
        b.bytes.copy_within(usize::from(b.start)..usize::from(b.end), to);
        b.start = to as u16;
        b.end = BUFFER as u16;
        Some(())
    }

    /// Puts a copy of `data` at the end: into the buffer while it has room and nothing follows it,
    /// then into clusters.
    pub fn append(&mut self, data: &[u8]) -> Result<(), NoMemory> {
        let b = &mut *self.0;
        let room = if b.tail.is_empty() { BUFFER - usize::from(b.end) } else { 0 };
        if data.len() <= room {
            let end = usize::from(b.end);
            if let Some(to) = b.bytes.get_mut(end..end + data.len()) {
                to.copy_from_slice(data);
                b.end += data.len() as u16;
            }
            return Ok(());
        }
        let cluster = Cluster::copy_of(&b.account, data)?;
        self.attach(cluster);
        Ok(())
    }

    /// Puts a cluster at the end, of which the packet's account has been charged.
    fn attach(&mut self, cluster: Cluster) {
        let end = cluster.bytes().len() as u32;
        self.0.tail.push(Piece { cluster: cluster.share(), start: 0, end });
    }

    /// Puts the data of `other`, a packet of the same kernel, at the end of this one. Its clusters
    /// are passed on, its buffer is copied.
    pub fn join(&mut self, mut other: Packet) -> Result<(), NoMemory> {
        // The charge goes with each piece, so both must be charged to one account.
        other = other.charged_to(&self.0.account).map_err(|_| NoMemory)?;
        if !other.head().is_empty() {
            self.append(other.head())?;
        }
        self.0.tail.extend(other.0.tail.drain(..));
        Ok(())
    }

    /// A second packet with the same data. The buffer is copied, the clusters are shared.
    pub fn duplicate(&self, cx: &Cx<'_>) -> Result<Packet, NoMemory> {
        let mut copy = Packet::new(cx)?;
        let (from, to) = (&*self.0, &mut *copy.0);
        (to.start, to.end) = (from.start, from.end);
        (to.flags, to.gso_size) = (from.flags, from.gso_size);
        to.rcvif = from.rcvif;
        to.bytes = from.bytes;
        for piece in &from.tail {
            to.account.take(piece.cluster.cost())?;
            to.tail.push(piece.clone());
        }
        Ok(copy)
    }

    /// The same for a part: `len` bytes from `start`, sharing clusters where it needs most of them.
    pub fn slice(&self, cx: &Cx<'_>, start: usize, len: usize) -> Result<Packet, NoMemory> {
        let mut part = Packet::new(cx)?;
        self.slice_into(&mut part, start, len)?;
        Ok(part)
    }

    /// Keeps the first `at` bytes and gives the rest, which shares clusters likewise.
    pub fn split_off(&mut self, at: usize) -> Result<Packet, NoMemory> {
        let mut rest = Self::in_account(&self.0.account)?;
        self.slice_into(&mut rest, at, self.len().saturating_sub(at))?;
        self.truncate(at);
        Ok(rest)
    }

    /// Takes a copy of a short packet of the same kernel into the room at the end of this one's
    /// buffer; false if it does not fit.
    pub fn merge(&mut self, other: &Packet) -> bool {
        let b = &mut *self.0;
        let (end, data) = (usize::from(b.end), other.head());
        if !b.tail.is_empty() || !other.0.tail.is_empty() {
            return false;
        }
        let Some(to) = b.bytes.get_mut(end..end + data.len()) else { return false };
        to.copy_from_slice(data);
        b.end += data.len() as u16;
        true
    }

    /// Puts a part of this packet, of the same kernel, at the end of `part`.
    pub fn slice_into(&self, part: &mut Packet, start: usize, len: usize) -> Result<(), NoMemory> {
        let (mut skip, mut left) = (start, len);
        let take = |data: usize, skip: &mut usize, left: &mut usize| {
            let from = data.min(*skip);
            let n = (data - from).min(*left);
            *skip -= from;
            *left -= n;
            (from, n)
        };
        let (from, n) = take(self.head_len(), &mut skip, &mut left);
        part.append(self.head().get(from..from + n).unwrap_or_default())?;
        for piece in &self.0.tail {
            let (from, n) = take(piece.len(), &mut skip, &mut left);
            if n == 0 {
                continue;
            }
            // A packet is charged for the whole of a cluster that it shares: for a small part of
            // one that would be many times what a copy costs.
            if n < piece.cluster.bytes().len() / 2 {
                part.append(piece.bytes().get(from..from + n).unwrap_or_default())?;
                continue;
            }
            part.0.account.take(piece.cluster.cost())?;
            let start = piece.start + from as u32;
            part.0.tail.push(Piece { start, end: start + n as u32, ..piece.clone() });
        }
        Ok(())
    }

    /// The packet's bytes, in pieces, front to back.
    pub fn segments(&self) -> Segments<'_> {
        Segments::new(self.head(), &self.0.tail)
    }

    /// Copies `out.len()` bytes from `offset` on; false if the packet does not have them.
    pub fn copy_to(&self, offset: usize, out: &mut [u8]) -> bool {
        let (mut skip, mut done) = (offset, 0);
        for s in self.segments() {
            let from = skip.min(s.len());
            skip -= from;
            let n = (s.len() - from).min(out.len() - done);
            if let (Some(to), Some(data)) = (out.get_mut(done..done + n), s.get(from..from + n)) {
                to.copy_from_slice(data);
            }
            done += n;
        }
        done == out.len()
    }

    /// The index of the interface on which the packet arrived; 0: it was made here.
    #[inline]
    #[doc(alias = "m_pkthdr.rcvif_index")]
    pub fn rcvif(&self) -> u32 {
        self.0.rcvif
    }

    /// Sets it.
    #[inline]
    pub fn set_rcvif(&mut self, index: u32) {
        self.0.rcvif = index;
    }

    /// How the packet arrived.
    #[inline]
    pub fn flags(&self) -> Flags {
        self.0.flags
    }

    /// Sets it.
    #[inline]
    pub fn set_flags(&mut self, flags: Flags) {
        self.0.flags = flags;
    }

    /// What is left to do before the packet is as it would be on a wire, and nothing else of what
    /// it knew: what an interface begins with.
    #[inline]
    pub fn unfinished(&self) -> Flags {
        self.0.flags & Flags::CSUM_BLANK
    }

    /// Bytes of data in each of the TCP segments that the packet stands for; 0: it is one packet.
    #[inline]
    pub fn gso_size(&self) -> u16 {
        self.0.gso_size
    }

    /// Leaves the checksum of the payload, and cutting it into segments of `gso_size` bytes of data
    /// (0: it is one), to whoever needs them: [`crate::offload`].
    #[inline]
    pub fn leave_unfinished(&mut self, gso_size: u16) {
        self.0.flags |= Flags::CSUM_BLANK;
        self.0.gso_size = gso_size;
    }

    /// The packet is as on a wire.
    #[inline]
    pub fn set_finished(&mut self) {
        self.0.flags -= Flags::CSUM_BLANK;
        self.0.gso_size = 0;
    }

    /// Hands the packet over to the kernel of `account`, which is charged for it. Where it cannot
    /// be, the packet is dropped. What the packet knew of its old kernel is forgotten.
    #[inline]
    pub fn hand_over(mut self, account: &Arc<Account>) -> Result<Packet, NoMemory> {
        let cost = self.cost();
        account.take(cost)?;
        let b = &mut *self.0;
        b.account.give_back(cost);
        b.account.clone_from(account);
        b.rcvif = 0;
        b.flags &= Flags::CSUM_BLANK;
        Ok(self)
    }

    /// Charges `account`, of the same kernel, for the packet from now on. Where it cannot be charged,
    /// the packet is given back as it is.
    #[inline]
    pub fn charged_to(self, account: &Arc<Account>) -> Result<Packet, Packet> {
        if Arc::ptr_eq(&self.0.account, account) { Ok(self) } else { self.move_to(account) }
    }

    #[cold]
    fn move_to(mut self, account: &Arc<Account>) -> Result<Packet, Packet> {
        let cost = self.cost();
        if account.take(cost).is_err() {
            return Err(self);
        }
        self.0.account.give_back(cost);
        self.0.account.clone_from(account);
        Ok(self)
    }

    /// Bytes charged for the packet.
    #[inline]
    pub fn cost(&self) -> usize {
        COST + self.0.tail.iter().map(|p| p.cluster.cost()).sum::<usize>()
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        self.0.account.give_back(self.cost());
    }
}

impl core::fmt::Debug for Packet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Packet({} bytes, {} clusters)", self.len(), self.0.tail.len())
    }
}
