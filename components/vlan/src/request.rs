//! The request about virtual networks; see the net faction's CONTROL.md for all others.
//!
//! Locking: none; bytes only. Sources: NetBSD net/if_vlanvar.h (name and meaning).
//! DIFFERS: no pointer in it; the number is ours.

use base::Errno;
use base::file::request::write;
use net::control::layout::{self, Name};
use net::control::request::DRIVERS;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// SIOCSETVLAN.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VlanReq {
    /// The interface of the virtual network.
    pub vlan: Name,
    /// The interface below; no name: it is disconnected.
    pub below: Name,
    /// The network's number.
    pub number: u16,
    rest: u16,
}

impl VlanReq {
    /// A request.
    pub fn new(vlan: Name, below: Name, number: u16) -> VlanReq {
        VlanReq { vlan, below, number, rest: 0 }
    }

    pub(crate) fn read(data: &[u8]) -> Result<VlanReq, Errno> {
        layout::read(data)
    }
}

/// Connects an interface to a virtual network, or disconnects it.
pub const SIOCSETVLAN: u32 = write(b'i', (DRIVERS + 8) as u8, size_of::<VlanReq>());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_as_the_documentation_has_it() {
        assert_eq!(SIOCSETVLAN, 0x4024_69c8, "{SIOCSETVLAN:#x}");
    }
}
