//! A bare member of a bus: sends any frame, and sees all that others send.
//!
//! It is a kernel of net and shmif alone, so nothing in it answers. What it sends does not pass
//! its tap, so what it saw is what others sent.
//!
//! * [`Station::send`], [`Station::send_ip`], [`Station::send_arp`]: frames out.
//! * [`Station::greet`]: learns a neighbour's link address, and makes itself known.
//! * [`Station::frames`], [`Station::ips`], [`Station::arps`]: what came in since the last look.
//!
//! Locking: a lock around what was seen, taken last. Sources: none.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use base::vm::kmem;
use base::{Cx, KArc, Options};
use net::ifnet::tap::{self, Tap};
use net::ifnet::{IfFlags, Ifnet, config};
use net::{MacAddr, Packet};

use crate::wire::{Arp, Ip, TYPE_ARP, TYPE_IP, ethernet, split_ethernet};
use crate::{Lab, Node};

type Frames = Arc<Mutex<Vec<Vec<u8>>>>;

/// See the module's text.
pub struct Station {
    node: Node,
    /// Its link address.
    pub mac: MacAddr,
    /// The address that it goes by.
    pub ip: Ipv4Addr,
    seen: Frames,
}

struct Record(Frames);

impl Tap for Record {
    fn packet(&self, _: &Cx<'_>, _: &Ifnet, packet: &Packet) {
        let mut bytes = vec![0; packet.len()];
        packet.copy_to(0, &mut bytes);
        self.0.lock().unwrap().push(bytes);
    }
}

impl Station {
    /// A station on `bus` that goes by the address `ip`.
    pub fn new(lab: &Lab, bus: &str, ip: impl Into<Ipv4Addr>) -> Station {
        let components = Some(&["net", "shmif"][..]);
        let node = lab.boot(&Options { name: "station", components, ..Options::default() });
        let node = node.unwrap();
        let seen = Frames::default();
        let theirs = seen.clone();
        let made = node.enter(|l| {
            let ifp = config::create(l, "shmif0")?;
            config::set_linkstr(l, "shmif0", bus)?;
            config::set_up(l, "shmif0", true)?;
            ifp.change_flags(IfFlags::PROMISC, IfFlags::empty());
            ifp.driver().flags_changed(l, &ifp);
            let record: KArc<dyn Tap> = kmem::arc(l, Record(theirs))?;
            tap::add(l, &ifp, record)?;
            Ok::<_, net::IfError>(ifp.lladdr())
        });
        Station { mac: made.unwrap().unwrap(), ip: ip.into(), node, seen }
    }

    /// Sends a frame, whatever it is. One that is shorter than an address goes nowhere.
    pub fn send(&self, frame: &[u8]) {
        let (head, tail) = frame.split_at(frame.len().min(100));
        let sent = self.node.on("shmif0", |l, ifp| {
            let mut packet = Packet::from_slice(l, head)?;
            packet.append(tail)?;
            ifp.driver().transmit(l, ifp, packet)
        });
        let _ = sent.unwrap();
    }

    /// Sends an IPv4 packet to `to` on the link.
    pub fn send_ip(&self, to: MacAddr, ip: &Ip) {
        self.send(&ethernet(to, self.mac, TYPE_IP, &ip.bytes()));
    }

    /// Sends an ARP packet to `to` on the link.
    pub fn send_arp(&self, to: MacAddr, arp: &Arp) {
        self.send(&ethernet(to, self.mac, TYPE_ARP, &arp.bytes()));
    }

    /// Asks who has `ip`, which also makes us known there.
    pub fn greet(&self, lab: &Lab, ip: impl Into<Ipv4Addr>) -> MacAddr {
        let ip = ip.into();
        let arp = Arp { op: 1, sender: (self.mac, self.ip), target: (MacAddr::ZERO, ip) };
        self.send_arp(MacAddr::BROADCAST, &arp);
        lab.settle();
        let answers = self.arps();
        let answer = answers.iter().find(|a| a.op == 2 && a.sender.1 == ip);
        answer.unwrap_or_else(|| panic!("{ip} does not answer")).sender.0
    }

    /// The frames that came since the last look.
    pub fn frames(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    /// The IPv4 packets among them; all frames count as looked at.
    ///
    /// # Panics
    /// If one is malformed.
    pub fn ips(&self) -> Vec<Ip> {
        let parse = |p: &[u8]| Ip::parse(p).expect("a well-formed packet");
        self.of_type(TYPE_IP).iter().map(|p| parse(p)).collect()
    }

    /// The ARP packets among them; all frames count as looked at.
    pub fn arps(&self) -> Vec<Arp> {
        let parse = |p: &[u8]| Arp::parse(p).expect("a well-formed packet");
        self.of_type(TYPE_ARP).iter().map(|p| parse(p)).collect()
    }

    fn of_type(&self, wanted: u16) -> Vec<Vec<u8>> {
        let payload = |f: Vec<u8>| {
            let (_, _, ethertype, payload) = split_ethernet(&f)?;
            (ethertype == wanted).then(|| payload.to_vec())
        };
        self.frames().into_iter().filter_map(payload).collect()
    }

    /// The kernel behind it.
    pub fn node(&self) -> &Node {
        &self.node
    }
}
