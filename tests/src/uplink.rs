//! A kernel on the host's network: virtif on a tap device, Linux's own stack at its other end.
//!
//! * [`with_link`]: both ends have an address.  * [`tap`]: the host's end alone.
//! * [`lab`]: kernels that can have such links.
//!
//! All of it in a network namespace of the test's own.
//!
//! Locking: none. Sources: Linux Documentation/networking/tuntap.rst.

use std::net::IpAddr;

use linux::Linux;
use net::ifnet::config;

use crate::namespace::{self, ip};
use crate::{Lab, Node};

/// The host's end of the link.
pub const HOST: [u8; 4] = [10, 77, 0, 1];
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
