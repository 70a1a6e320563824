//! Requests about bridges; see the net faction's CONTROL.md for all others.
//!
//! Locking: none; bytes only. Sources: NetBSD net/if_bridgevar.h (names and meaning).
//! DIFFERS: no pointer in them (SIOCSDRVSPEC); numbers are ours.

use base::file::request::write;
use net::control::layout::Name;
use net::control::request::DRIVERS;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// SIOCBRDGADD, SIOCBRDGDEL.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MemberReq {
    /// The bridge.
    pub bridge: Name,
    /// The interface that is a member, or is to be.
    pub member: Name,
}

/// SIOCBRDGSCACHE, SIOCBRDGSTO.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ValueReq {
    /// The bridge.
    pub bridge: Name,
    /// A number.
    pub value: u32,
}

const fn number(n: u32, size: usize) -> u32 {
    write(b'i', (DRIVERS + n) as u8, size)
}

/// Adds a member.
pub const SIOCBRDGADD: u32 = number(0, size_of::<MemberReq>());
/// Takes one out.
pub const SIOCBRDGDEL: u32 = number(1, size_of::<MemberReq>());
/// Forgets who was heard where.
pub const SIOCBRDGFLUSH: u32 = number(2, size_of::<Name>());
/// Sets how many addresses are learnt.
pub const SIOCBRDGSCACHE: u32 = number(3, size_of::<ValueReq>());
/// Sets how long they are remembered, in seconds.
pub const SIOCBRDGSTO: u32 = number(4, size_of::<ValueReq>());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_the_documentation_has_them() {
        let numbers = [SIOCBRDGADD, SIOCBRDGDEL, SIOCBRDGFLUSH, SIOCBRDGSCACHE, SIOCBRDGSTO];
        let documented = [0x4020_69c0, 0x4020_69c1, 0x4010_69c2, 0x4014_69c3, 0x4014_69c4];
        assert_eq!(numbers, documented, "{numbers:#x?}");
    }
}
