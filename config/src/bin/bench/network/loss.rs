//! TCP over links that lose packets: those between kernels of ours, and those that others use.
//!
//! * [`run`]: streams of ours, each over a link of its own, or the same links between tap devices for
//!   the host's.
//!
//! A link is a kernel that bridges its two ends and has the character on both: 1 % of the packets are
//! lost, and a round trip takes 20 ms. So both stacks see the same thing, made by the same code.
//!
//! Locking: none. Sources: RFC 9438 §5 (what CUBIC makes of random losses).

use core::net::{Ipv4Addr, SocketAddr};
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use base::{Host, Kernel};
use clap::Subcommand;
use linux::Linux;
use local::ifconfig::{self, Character, Probability};
use serde_json::json;

use super::{connected, node, work};

base::kernel!(LINK = [net, netinet, shmif, virtif, bridge]);

/// A side of it.
#[derive(Subcommand)]
pub enum Loss {
    /// Streams between kernels of this process, each over its own link: bytes a second of each
    Ours {
        /// How many, at the same time
        streams: u32,
        /// How long
        seconds: u64,
    },
    /// Links between tap0 and tap1, tap2 and tap3, and so on, until the input ends
    Links {
        /// How many
        streams: u32,
    },
    /// A stream of the host's to this address, by its CUBIC: bytes a second
    Connect {
        /// Whereto
        addr: SocketAddr,
        /// How long
        seconds: u64,
    },
}

/// Does it.
pub fn run(what: Loss) -> io::Result<String> {
    let values = match what {
        Loss::Ours { streams, seconds } => goodput(streams, Duration::from_secs(seconds))?,
        Loss::Links { streams } => return links(streams).map(|()| String::new()),
        Loss::Connect { addr, seconds } => {
            vec![work::bulk(connected(addr)?, Duration::from_secs(seconds))?]
        }
    };
    Ok(format!("{}\n", json!({"values": values})))
}

/// Of each direction.
fn character() -> Character {
    Character {
        delay: Duration::from_millis(10),
        loss: Probability::percent(1),
        ..Character::default()
    }
}

/// A link between what `ends` names, with the word that connects it, if it needs one.
fn link(host: &Arc<dyn Host>, ends: [(&str, Option<&str>); 2]) -> io::Result<Kernel> {
    let kernel = Kernel::boot(host.clone(), &LINK).map_err(io::Error::other)?;
    ifconfig::create(&kernel, "bridge0")?;
    for (name, linkstr) in ends {
        ifconfig::create(&kernel, name)?;
        if let Some(linkstr) = linkstr {
            ifconfig::linkstr(&kernel, name, linkstr)?;
        }
        ifconfig::character(&kernel, name, character())?;
        ifconfig::up(&kernel, name)?;
        let added = kernel.enter(|l| bridge::add(l, "bridge0", name));
        added.map_err(io::Error::other)?.map_err(io::Error::other)?;
    }
    ifconfig::up(&kernel, "bridge0")?;
    Ok(kernel)
}

/// `streams` of ours, each for `time`: bytes a second of each.
fn goodput(streams: u32, time: Duration) -> io::Result<Vec<f64>> {
    let host: Arc<dyn Host> = Linux::new();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..streams)
            .map(|n| {
                let host = &host;
                scope.spawn(move || one(host, n, time))
            })
            .collect();
        let gone = |_| Err(io::Error::other("a stream's thread has died"));
        all.into_iter().map(|stream| stream.join().unwrap_or_else(gone)).collect()
    })
}

fn one(host: &Arc<dyn Host>, n: u32, time: Duration) -> io::Result<f64> {
    let (near, far) = (format!("near{n}"), format!("far{n}"));
    let client = node(host, &near, Ipv4Addr::new(10, 0, 0, 1))?;
    let server = node(host, &far, Ipv4Addr::new(10, 0, 0, 2))?;
    let _link = link(host, [("shmif0", Some(&near)), ("shmif1", Some(&far))])?;
    let addr = SocketAddr::from(([10, 0, 0, 2], 7));
    let listener = local::TcpListener::bind(&server, addr)?;
    std::thread::scope(|scope| {
        let taker = scope.spawn(|| work::count(&mut listener.accept()?.0));
        let sent = local::TcpStream::connect(&client, addr).and_then(|s| work::bulk(s, time));
        // Whoever waits in a kernel that goes away is told.
        drop(server);
        drop(taker);
        sent
    })
}

/// Joins tap0 with tap1, tap2 with tap3, and so on, until the input ends. Says when they are there.
fn links(count: u32) -> io::Result<()> {
    let host: Arc<dyn Host> = Linux::builder().io("virtif", virtif_linux::taps()).build();
    let joined = |n: u32| {
        let ends = [2 * n, 2 * n + 1].map(|n| format!("virt{n}"));
        link(&host, [(&ends[0], None), (&ends[1], None)])
    };
    let _links = (0..count).map(joined).collect::<io::Result<Vec<_>>>()?;
    println!("ready");
    let mut rest = Vec::new();
    io::stdin().read_to_end(&mut rest).map(drop)
}
