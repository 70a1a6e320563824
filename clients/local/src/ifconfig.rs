//! Interfaces of a kernel: what ifconfig(8) does, with std's types.
//!
//! ```no_run
//! # fn demo(kernel: &base::Kernel) -> std::io::Result<()> {
//! use local::ifconfig;
//! ifconfig::create(kernel, "shmif0")?;
//! ifconfig::linkstr(kernel, "shmif0", "bus1")?;
//! ifconfig::inet(kernel, "shmif0", [10, 0, 0, 1], 24)?;
//! # Ok(()) }
//! ```
//!
//! Locking: the kernel's own. Sources: ifconfig(8).

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use base::{Kernel, Lwp};
use net::ifnet::{IfError, IfFlags, config};

pub use net::link::{Character, Distribution, Probability, Status};

use crate::{io_error, told};

/// An interface, as it was when asked about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Its flags.
    pub flags: IfFlags,
    /// Its MTU.
    pub mtu: u32,
    /// Its link address; zero where there is none.
    pub link: [u8; 6],
    /// What it is connected to.
    pub linkstr: String,
    /// Its addresses, with their prefixes.
    pub addrs: Vec<(IpAddr, u8)>,
    /// Packets received and sent.
    pub packets: (u64, u64),
    /// What its link does to packets, and did.
    pub status: Status,
}

fn change(kernel: &Kernel, f: impl FnOnce(&mut Lwp<'_>) -> Result<(), IfError>) -> io::Result<()> {
    kernel.enter(f).map_err(|gone| io_error(gone.into()))?.map_err(told)
}

/// Creates an interface: `shmif0`.
pub fn create(kernel: &Kernel, name: &str) -> io::Result<()> {
    change(kernel, |l| config::create(l, name).map(|_| ()))
}

/// Destroys one.
pub fn destroy(kernel: &Kernel, name: &str) -> io::Result<()> {
    change(kernel, |l| config::destroy(l, name))
}

/// Connects an interface to what `linkstr` names; an empty one disconnects it.
pub fn linkstr(kernel: &Kernel, name: &str, linkstr: &str) -> io::Result<()> {
    change(kernel, |l| config::set_linkstr(l, name, linkstr))
}

/// Gives an interface an IPv4 address, and brings it up.
pub fn inet(kernel: &Kernel, name: &str, addr: impl Into<Ipv4Addr>, prefix: u8) -> io::Result<()> {
    let addr = IpAddr::V4(addr.into());
    change(kernel, |l| config::add_addr(l, name, addr, prefix))
}

/// Takes an address away.
pub fn delete(kernel: &Kernel, name: &str, addr: impl Into<IpAddr>) -> io::Result<()> {
    let addr = addr.into();
    change(kernel, |l| config::remove_addr(l, name, addr))
}

/// Brings an interface up.
pub fn up(kernel: &Kernel, name: &str) -> io::Result<()> {
    change(kernel, |l| config::set_up(l, name, true))
}

/// Takes it down.
pub fn down(kernel: &Kernel, name: &str) -> io::Result<()> {
    change(kernel, |l| config::set_up(l, name, false))
}

/// Sets the MTU.
pub fn mtu(kernel: &Kernel, name: &str, mtu: u32) -> io::Result<()> {
    change(kernel, |l| config::set_mtu(l, name, mtu))
}

/// Gives the interface's link a character: delay, rate, loss and their like, on what it sends. The
/// default is a plain wire.
///
/// ```no_run
/// # fn demo(kernel: &base::Kernel) -> std::io::Result<()> {
/// use local::ifconfig::{self, Character, Probability};
/// let (delay, loss) = (std::time::Duration::from_millis(20), Probability::percent(1));
/// ifconfig::character(kernel, "shmif0", Character { delay, loss, ..Character::default() })?;
/// # Ok(()) }
/// ```
pub fn character(kernel: &Kernel, name: &str, character: Character) -> io::Result<()> {
    change(kernel, |l| config::set_character(l, name, |old| *old = character))
}

/// All interfaces, in the order in which they were attached.
pub fn list(kernel: &Kernel) -> io::Result<Vec<Interface>> {
    let all = kernel.enter(|l| {
        let describe = |ifp: base::KArc<net::Ifnet>| Interface {
            name: ifp.name().to_owned(),
            index: ifp.index(),
            flags: ifp.flags(),
            mtu: ifp.mtu(),
            link: ifp.lladdr().0,
            linkstr: config::linkstr(l, &ifp),
            addrs: ifp.addrs(l).iter().map(|a| (a.addr, a.prefix)).collect(),
            status: config::link(l, &ifp),
            packets: (ifp.counters.ipackets.get(), ifp.counters.opackets.get()),
        };
        config::list(l).map(describe).collect()
    });
    all.map_err(|gone| io_error(gone.into()))
}
