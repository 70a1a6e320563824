//! One bit of a packet, turned over: what a bad link does.
//!
//! Locking: none.

use base::NoMemory;

use super::cluster::Cluster;
use super::{Packet, Piece};

impl Packet {
    /// Turns over bit number `bit`, counted from the highest of the first byte; false if the packet
    /// has no such bit. Others may share the cluster that it is in, so that is copied first.
    pub fn flip_bit(&mut self, bit: usize) -> Result<bool, NoMemory> {
        let (mut at, mask) = (bit / 8, 0x80 >> (bit % 8));
        if let Some(byte) = self.head_mut().get_mut(at) {
            *byte ^= mask;
            return Ok(true);
        }
        at -= self.head_len();
        let b = &mut *self.0;
        for piece in &mut b.tail {
            if at >= piece.len() {
                at -= piece.len();
                continue;
            }
            let mut copy = Cluster::copy_of(&b.account, piece.bytes())?;
            if let Some(byte) = copy.bytes_mut().get_mut(at) {
                *byte ^= mask;
            }
            let end = copy.bytes().len() as u32;
            let shared = core::mem::replace(piece, Piece { cluster: copy.share(), start: 0, end });
            b.account.give_back(shared.cluster.cost());
            return Ok(true);
        }
        Ok(false)
    }
}
