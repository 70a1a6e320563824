//! A kernel on the host's network: virtif on a tap device, Linux's own stack at its other end.
//!
//! * [`with_link`]: both ends have an address.  * [`tap`]: the host's end alone.
//! * [`lab`]: kernels that can have such links.  * [`bridge()`]: one that joins two links.
//! * [`far_side`]: the host's end of a second one, in a namespace beside.
//! * [`spoilt`]: what the host's stack has found to be so.
//!
//! All of it in a network namespace of the test's own.
//!
//! Locking: none. Sources: Linux Documentation/networking/tuntap.rst.

use std::net::IpAddr;

use linux::Linux;
use net::ifnet::config;

use crate::namespace::{self, Another, ip};
use crate::{Lab, Node};
use base::Errno;

/// The host's end of the link.
pub const HOST: [u8; 4] = [10, 77, 0, 1];
/// Whose is behind a bridge.
pub const FAR: [u8; 4] = [10, 77, 0, 2];
/// The kernel's.
pub const KERNEL: [u8; 4] = [10, 77, 0, 2];

/// A lab on a host with tap devices.
pub fn lab() -> Lab {
    Lab::on(Linux::builder().io("virtif", virtif_linux::taps()).build())
}

/// Makes `tap0`, and gives the host's end its address.
pub fn tap() {
    ip("tuntap add dev tap0 mode tap");
    ip("addr add 10.77.0.1/24 dev tap0");
    ip("link set tap0 up");
}

/// A kernel on `tap0`, which the host made and gave an address.
///
/// # Panics
/// If `body` does, or there can be no namespace.
pub fn with_link(test: &str, body: impl FnOnce(&Lab, &Node)) {
    namespace::run(test, || {
        tap();
        let lab = lab();
        let node = lab.hosted("node");
        node.enter(|l| {
            config::create(l, "virt0")?;
            config::add_addr(l, "virt0", IpAddr::from(KERNEL), 24)
        })
        .unwrap()
        .unwrap();
        body(&lab, &node);
    });
}

/// A kernel whose bridge joins `virt0` and the interface `other` on `linkstr`.
///
/// # Panics
/// If there can be none.
pub fn bridge(node: &Node, other: &str, linkstr: &str) {
    node.enter(|l| {
        config::create(l, "bridge0")?;
        for (name, linkstr) in [("virt0", "tap0"), (other, linkstr)] {
            config::create(l, name)?;
            config::set_linkstr(l, name, linkstr)?;
            config::set_up(l, name, true)?;
            bridge::add(l, "bridge0", name)?;
        }
        config::set_up(l, "bridge0", true)?;
        Ok::<_, Errno>(())
    })
    .unwrap()
    .unwrap();
}

/// Moves `tap1`, which a kernel has open, to another namespace, and gives it the address `addr` there,
/// which has a prefix length.
pub fn far_side(addr: &str) -> Another {
    let far = Another::new();
    far.take("tap1");
    far.enter(|| {
        ip("link set lo up");
        ip(&format!("addr add {addr} dev tap1"));
        ip("link set tap1 up");
    });
    far
}

/// TCP segments that the host's stack has found to be spoilt, in the namespace of this thread.
///
/// # Panics
/// If the system does not say.
pub fn spoilt() -> u64 {
    let table = std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let mut rows = table.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
    let mut columns = names.split_whitespace().zip(values.split_whitespace());
    columns.find(|(name, _)| *name == "InCsumErrors").unwrap().1.parse().unwrap()
}
