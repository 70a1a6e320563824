//! Any input, as messages of servers to a DHCP client, for the fuzzer.
//!
//! An input is a list of steps. The first byte of each says what it is:
//!
//! | byte modulo 8 | step |
//! |---|---|
//! | 0 to 3 | a message: its length in two bytes, the lower first, then its bytes, with the fields that say for whom and in which exchange put right |
//! | 4 | the same as it is |
//! | 5 | time passes: 10 s for each unit of the next byte |
//! | 6 | the deadline comes |
//! | 7 | begin, release, or somebody has the address: by the next byte |
//!
//! What must hold: no panic; the interface has what was lent, and nothing else; a client that is not
//! stopped waits for something.
//!
//! Locking: none. Sources: RFC 2131.

use std::net::Ipv4Addr;
use std::time::Duration;

use base::Instant;
use dhcp::client::{Action, Client, State, To};
use dhcp::wire::Message;
use net::MacAddr;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 7]);

/// The input's bytes, as they are taken off.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self) -> &'a [u8] {
        let len = [self.byte().unwrap_or(0), self.byte().unwrap_or(0)];
        let len = usize::from(u16::from_le_bytes(len)) % 1500;
        let (data, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        data
    }
}

/// Makes a message one for the client, in the exchange `xid`.
fn repair(bytes: &mut [u8], xid: u32) {
    let mut put = |at: usize, what: &[u8]| {
        if let Some(to) = bytes.get_mut(at..at + what.len()) {
            to.copy_from_slice(what);
        }
    };
    put(0, &[2, 1, 6]);
    put(4, &xid.to_be_bytes());
    put(28, &MAC.0);
    put(236, &[99, 130, 83, 99]);
}

/// Runs one input.
///
/// # Panics
/// If a rule is broken.
pub fn run(input: &[u8]) {
    let mut input = Input(input);
    let mut client = Client::new(MAC);
    let mut now = Instant::from_nanos(1_000_000_000);
    let (mut seed, mut xid, mut has) = (1u32, 0, None);
    while let Some(step) = input.byte() {
        let mut random = || {
            seed = seed.wrapping_mul(0x915f_77f5).wrapping_add(1);
            seed
        };
        let actions = match step % 8 {
            kind @ 0..=4 => {
                let mut bytes = input.bytes().to_vec();
                if kind != 4 {
                    repair(&mut bytes, xid);
                }
                match Message::parse(&bytes) {
                    Ok(message) => client.receive(&message, now),
                    Err(_) => continue,
                }
            }
            5 => {
                let units = input.byte().unwrap_or(0);
                now = now + Duration::from_secs(10) * units.into();
                client.expire(now, &mut random)
            }
            6 => {
                now = now.max(client.deadline().unwrap_or(now));
                client.expire(now, &mut random)
            }
            _ => match input.byte().unwrap_or(0) {
                0..128 => client.begin(now, &mut random),
                128..160 => client.release(&mut random),
                last => {
                    let address = Ipv4Addr::new(10, 0, 0, last);
                    client.heard(address, MacAddr::local(3), now)
                }
            },
        };
        for action in actions {
            match action {
                Action::Send(request, to) => {
                    xid = request.xid;
                    assert!(request.emit().len() >= 300);
                    assert!(to == To::Everybody || !request.address.is_unspecified());
                }
                Action::Configure(config) => {
                    assert!((1..=32).contains(&config.prefix));
                    has = Some(config);
                }
                Action::Unconfigure => assert!(has.take().is_some(), "there was something"),
                Action::Probe(_) | Action::Tell(_) => {}
            }
        }
        assert_eq!(has, client.lease().map(|lease| lease.config));
        let for_ever = client.lease().is_some_and(|lease| lease.seconds.is_none());
        let waits = client.deadline().is_some();
        assert!(waits || client.state() == State::Stopped || for_ever, "it waits for something");
    }
}
