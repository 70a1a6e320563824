//! What a server lends, and for how long.
//!
//! Locking: none. Sources: RFC 2131 §3.3 (times), §4.4.5 (T1, T2).

use core::net::Ipv4Addr;
use core::time::Duration;

use base::Instant;

use super::is_host;
use crate::wire::{Message, NAME_SERVERS};

/// What an interface gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// The address.
    pub address: Ipv4Addr,
    /// How many of its bits name the network.
    pub prefix: u8,
    /// Who leads elsewhere.
    pub router: Option<Ipv4Addr>,
}

/// A lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    /// What was lent.
    pub config: Config,
    /// Servers of names, to be shown.
    pub name_servers: [Option<Ipv4Addr>; NAME_SERVERS],
    /// Who lent it.
    pub server: Ipv4Addr,
    /// For how long, in seconds; none: for ever.
    pub seconds: Option<u32>,
    /// When its server is asked for more time (T1).
    pub renew: Instant,
    /// When everybody is asked (T2).
    pub rebind: Instant,
    /// When it ends.
    pub end: Instant,
}

/// All ones: for ever (RFC 2131 §3.3).
const FOR_EVER: u32 = u32::MAX;

/// Shorter ones are taken as that long: a server that lends for a moment is not to be asked
/// without end.
const SHORTEST: u32 = 10;

impl Lease {
    /// What an acknowledgement lends, from `asked` on; `None` if that is no address, or without an
    /// end that is said.
    pub fn of(message: &Message, server: Ipv4Addr, asked: Instant) -> Option<Lease> {
        let address = message.address;
        let seconds = message.lease?;
        let prefix = match message.mask {
            Some(mask) => u8::try_from(mask.to_bits().leading_ones()).ok().filter(|len| {
                let bits = u32::MAX.checked_shl(32 - u32::from(*len)).unwrap_or(0);
                (1..=32).contains(len) && mask.to_bits() == bits
            })?,
            None => classful(address),
        };
        if !is_host(address) {
            return None;
        }
        let router = message.router.filter(|router| is_host(*router));
        let length = seconds.max(SHORTEST);
        // §4.4.5: half, and seven eighths, unless the server says otherwise and it makes sense.
        let rebind = message.rebind.filter(|t2| *t2 < length);
        let rebind = rebind.unwrap_or(length - length / 8);
        let renew = message.renew.filter(|t1| *t1 < rebind).unwrap_or((length / 2).min(rebind));
        let at = |seconds: u32| asked + Duration::from_secs(seconds.into());
        Some(Lease {
            config: Config { address, prefix, router },
            name_servers: message.name_servers,
            server,
            seconds: (seconds != FOR_EVER).then_some(length),
            renew: at(renew.max(1)),
            rebind: at(rebind),
            end: at(length),
        })
    }

    /// When to ask for more time, if that is ever needed.
    pub fn renew_at(&self) -> Option<Instant> {
        self.seconds.map(|_| self.renew)
    }
}

/// The prefix of an address of which no mask is said.
fn classful(address: Ipv4Addr) -> u8 {
    match address.octets()[0] {
        0..128 => 8,
        128..192 => 16,
        _ => 24,
    }
}
