//! A router between two links, with a station on each: what tests of protocol rules look at.
//!
//! ```text
//! left 10.0.1.2 ---- 10.0.1.1 router 10.0.2.1 ---- 10.0.2.2 right
//! ```
//!
//! The stations and the router know each other's link addresses.
//!
//! Locking: none. Sources: none.

use std::net::Ipv4Addr;
use std::time::Duration;

use net::MacAddr;

use crate::wire::{Icmp, Ip};
use crate::{Lab, Node, Station};

/// The router's address on the left link.
pub const LEFT_ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
/// The left station's.
pub const LEFT: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 2);
/// The router's address on the right link.
pub const RIGHT_ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 1);
/// The right station's.
pub const RIGHT: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

/// See the module's text.
pub struct Crossing<'a> {
    /// The lab that it is in.
    pub lab: &'a Lab,
    /// The router; its interfaces are `shmif0` and `shmif1`.
    pub router: Node,
    /// On the link of `shmif0`.
    pub left: Station,
    /// On the link of `shmif1`.
    pub right: Station,
    /// The link address of `shmif0`.
    pub mac: MacAddr,
}

impl<'a> Crossing<'a> {
    /// Builds one.
    pub fn new(lab: &'a Lab) -> Crossing<'a> {
        let (left, right) = (Station::new(lab, "left", LEFT), Station::new(lab, "right", RIGHT));
        let router = lab.router("router");
        router.plug("shmif0", "left", (LEFT_ROUTER, 24)).unwrap();
        router.plug("shmif1", "right", (RIGHT_ROUTER, 24)).unwrap();
        let mac = left.greet(lab, LEFT_ROUTER);
        right.greet(lab, RIGHT_ROUTER);
        let crossing = Crossing { lab, router, left, right, mac };
        crossing.forget();
        crossing
    }

    /// Runs `test` with one, in a lab of its own.
    pub fn run(test: impl FnOnce(&Crossing<'_>)) {
        Lab::run(1, |lab| test(&Crossing::new(lab)));
    }

    /// Drops what the stations saw.
    pub fn forget(&self) {
        self.lab.settle();
        self.left.frames();
        self.right.frames();
    }

    /// Sends `ip` from the left to the router; gives what came out on the left and on the right.
    pub fn cross(&self, ip: &Ip) -> (Vec<Ip>, Vec<Ip>) {
        self.left.send_ip(self.mac, ip);
        self.outcome()
    }

    /// The same for a frame.
    pub fn cross_frame(&self, frame: &[u8]) -> (Vec<Ip>, Vec<Ip>) {
        self.left.send(frame);
        self.outcome()
    }

    /// What has come out, once all is quiet.
    pub fn outcome(&self) -> (Vec<Ip>, Vec<Ip>) {
        self.lab.settle();
        (self.left.ips(), self.right.ips())
    }

    /// Sends `ip` and expects nothing but one ICMP error on the left, about this very packet.
    pub fn error(&self, ip: &Ip) -> (Ip, Icmp) {
        // The error limit must not be what makes it silent.
        self.lab.pass(Duration::from_secs(1));
        self.forget();
        let (mut left, right) = self.cross(ip);
        assert_eq!(right, [], "and nothing on the right");
        let error = left.pop().expect("an ICMP error");
        assert_eq!(left, [], "one error, no more");
        let icmp = error.icmp().expect("an ICMP message with a good checksum");
        assert!(matches!(icmp.kind, 3 | 11 | 12), "{icmp:?}");
        assert_eq!(error.dst, ip.src);
        // RFC 792: the internet header and at least eight bytes of the original datagram's data.
        let (quote, whole) = (&icmp.data, ip.bytes());
        assert!(quote.len() >= (20 + ip.options.len() + 8).min(whole.len()), "{quote:02x?}");
        assert_eq!(quote[12..20], whole[12..20], "it is about our packet");
        (error, icmp)
    }

    /// Sends `ip` and expects that nothing at all comes of it.
    pub fn silence(&self, ip: &Ip) {
        self.lab.pass(Duration::from_secs(1));
        self.forget();
        assert_eq!(self.cross(ip), (vec![], vec![]), "about {ip:?}");
    }

    /// An echo request from the left to the right.
    pub fn across(&self) -> Ip {
        Ip::echo(LEFT, RIGHT, 1, b"0123456789abcdef")
    }

    /// A counter of the router's.
    pub fn counter(&self, group: &str, name: &str) -> u64 {
        self.router.counter(group, name)
    }
}
