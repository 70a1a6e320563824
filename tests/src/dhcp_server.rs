//! A small DHCP server, with code of its own, for the tests of the client.
//!
//! * [`DhcpServer::answer`]: the answer to a message, if it has one.
//! * [`DhcpServer::serve`]: answers what a station has heard on its bus.
//!
//! What it does wrong on request is in its fields.
//!
//! Locking: none. Sources: RFC 2131, table 3; RFC 2132.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use net::MacAddr;

use crate::Station;
use crate::wire::{Arp, Ip, TYPE_ARP, TYPE_IP, UDP, checksum, split_ethernet};

/// The kinds of message, by number.
pub const DISCOVER: u8 = 1;
/// An offer.
pub const OFFER: u8 = 2;
/// A request.
pub const REQUEST: u8 = 3;
/// An address that somebody has.
pub const DECLINE: u8 = 4;
/// An acknowledgement.
pub const ACK: u8 = 5;
/// A refusal.
pub const NAK: u8 = 6;
/// A lease given back.
pub const RELEASE: u8 = 7;

/// See the module's text.
pub struct DhcpServer {
    /// Its address.
    pub ip: Ipv4Addr,
    /// The first address that it lends; the others follow.
    pub first: Ipv4Addr,
    /// For how many seconds.
    pub lease: u32,
    /// The mask that goes with them.
    pub mask: Ipv4Addr,
    /// It says nothing.
    pub silent: bool,
    /// It refuses requests.
    pub refuses: bool,
    /// What it was asked: kind, the client's address, the one asked for.
    pub asked: Vec<(u8, Ipv4Addr, Option<Ipv4Addr>)>,
    lent: BTreeMap<[u8; 6], Ipv4Addr>,
    next: u32,
}

impl DhcpServer {
    /// A server with this address, which lends addresses from `first` on.
    pub fn new(ip: impl Into<Ipv4Addr>, first: impl Into<Ipv4Addr>, lease: u32) -> DhcpServer {
        let (ip, first) = (ip.into(), first.into());
        let (asked, lent) = (Vec::new(), BTreeMap::new());
        let (mask, silent, refuses) = (Ipv4Addr::new(255, 255, 255, 0), false, false);
        DhcpServer { ip, first, lease, mask, silent, refuses, asked, lent, next: 0 }
    }

    /// The answer to a message: its bytes, and whether it goes to everybody.
    ///
    /// # Panics
    /// If the message is not as a client's has to be.
    pub fn answer(&mut self, message: &[u8]) -> Option<(Vec<u8>, bool)> {
        assert!(message.len() >= 300, "RFC 1542 §2.1: {} bytes", message.len());
        assert_eq!(message[..3], [1, 1, 6], "from a client on Ethernet");
        assert_eq!(message[236..240], [99, 130, 83, 99]);
        let options = options(&message[240..]);
        let mac: [u8; 6] = message[28..34].try_into().unwrap();
        let of = |code: u8| options.get(&code).map(|v| <[u8; 4]>::try_from(&v[..]).unwrap().into());
        let kind = options[&53][0];
        assert_eq!(options[&61], [&[1][..], &mac].concat(), "RFC 6842: who it is");
        let client = Ipv4Addr::from(<[u8; 4]>::try_from(&message[12..16]).unwrap());
        let requested: Option<Ipv4Addr> = of(50);
        self.asked.push((kind, client, requested));
        if self.silent {
            return None;
        }
        if let Some(server) = of(54)
            && server != self.ip
        {
            return None;
        }
        match kind {
            DISCOVER => {
                let address = self.address_for(mac);
                Some((self.reply(message, OFFER, address), false))
            }
            REQUEST => {
                let wanted = requested.unwrap_or(client);
                let good = !self.refuses && self.lent.get(&mac) == Some(&wanted);
                match good {
                    true => Some((self.reply(message, ACK, wanted), false)),
                    false => Some((self.reply(message, NAK, Ipv4Addr::UNSPECIFIED), true)),
                }
            }
            DECLINE | RELEASE => {
                self.lent.remove(&mac);
                None
            }
            _ => None,
        }
    }

    fn address_for(&mut self, mac: [u8; 6]) -> Ipv4Addr {
        let (first, next) = (self.first, &mut self.next);
        *self.lent.entry(mac).or_insert_with(|| {
            *next += 1;
            Ipv4Addr::from_bits(first.to_bits() + *next - 1)
        })
    }

    fn reply(&self, message: &[u8], kind: u8, address: Ipv4Addr) -> Vec<u8> {
        let mut bytes = message[..240].to_vec();
        bytes[0] = 2;
        bytes[16..20].copy_from_slice(&address.octets());
        let mut option = |code: u8, value: &[u8]| {
            bytes.extend_from_slice(&[code, value.len() as u8]);
            bytes.extend_from_slice(value);
        };
        option(53, &[kind]);
        option(54, &self.ip.octets());
        if kind != NAK {
            option(51, &self.lease.to_be_bytes());
            option(1, &self.mask.octets());
            option(3, &self.ip.octets());
            option(6, &[[9, 9, 9, 9], [8, 8, 8, 8]].concat());
        }
        bytes.push(255);
        bytes
    }

    /// Answers what `station` has heard, ARP for the server's address, too; how many frames that
    /// was.
    pub fn serve(&mut self, station: &Station) -> usize {
        let mut count = 0;
        for frame in station.frames() {
            count += 1;
            let Some((_, src, kind, payload)) = split_ethernet(&frame) else { continue };
            match kind {
                TYPE_ARP => self.arp(station, payload),
                TYPE_IP => {
                    let Some(ip) = Ip::parse(payload) else { continue };
                    if ip.protocol == UDP && ip.payload.get(2..4) == Some(&[0, 67][..]) {
                        self.datagram(station, src, &ip);
                    }
                }
                _ => {}
            }
        }
        count
    }

    fn arp(&self, station: &Station, payload: &[u8]) {
        let Some(arp) = Arp::parse(payload) else { return };
        if arp.op == 1 && arp.target.1 == self.ip && arp.sender.1 != self.ip {
            let reply = Arp { op: 2, sender: (station.mac, self.ip), target: arp.sender };
            station.send_arp(arp.sender.0, &reply);
        }
    }

    fn datagram(&mut self, station: &Station, src: MacAddr, ip: &Ip) {
        let udp = &ip.payload;
        assert_eq!(udp[..2], [0, 68], "from the port of clients");
        assert!(udp[6..8] == [0, 0] || udp_sum(ip.src, ip.dst, udp) == 0, "a wrong checksum");
        let Some((answer, all)) = self.answer(&udp[8..]) else { return };
        let to = if all { MacAddr::BROADCAST } else { src };
        let client = Ipv4Addr::from(<[u8; 4]>::try_from(&answer[16..20]).unwrap());
        let dst = if all { Ipv4Addr::BROADCAST } else { client };
        station.send_ip(to, &Ip::new(self.ip, dst, UDP, datagram(self.ip, dst, &answer)));
    }
}

/// A UDP datagram from the server's port to the client's.
pub fn datagram(src: Ipv4Addr, dst: Ipv4Addr, data: &[u8]) -> Vec<u8> {
    let len = (data.len() + 8) as u16;
    let mut udp = [&[0, 67, 0, 68][..], &len.to_be_bytes(), &[0, 0], data].concat();
    let sum = udp_sum(src, dst, &udp);
    udp[6..8].copy_from_slice(&if sum == 0 { 0xffff } else { sum }.to_be_bytes());
    udp
}

/// The checksum of a datagram with its pseudo header; 0 if the one in it is right.
fn udp_sum(src: Ipv4Addr, dst: Ipv4Addr, udp: &[u8]) -> u16 {
    let len = (udp.len() as u16).to_be_bytes();
    let pseudo = [&src.octets()[..], &dst.octets(), &[0, UDP], &len].concat();
    checksum(&[&pseudo[..], udp].concat())
}

fn options(mut rest: &[u8]) -> BTreeMap<u8, Vec<u8>> {
    let mut all = BTreeMap::new();
    while rest[0] != 255 {
        let (code, len) = (rest[0], usize::from(rest[1]));
        assert!(all.insert(code, rest[2..2 + len].to_vec()).is_none(), "option {code} twice");
        rest = &rest[2 + len..];
    }
    all
}
