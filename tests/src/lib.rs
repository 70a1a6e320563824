//! Laboratory for tests that need whole kernels: scenarios, protocol rules, faults.
//!
//! * [`lab`]: kernels on one host, and the check that none leaves memory charged behind.
//! * [`station`]: a bare member of a bus that sends and sees raw frames.
//! * [`cable`]: devices of a host's network whose other ends a test holds.
//! * [`crossing`]: a router between two stations.  * [`mod@line`]: figure 3.31 of the book.
//! * [`dhcp_server`]: lends addresses.
//! * [`frames`]: any input, as frames into a router, for the fuzzer.
//! * [`messages`]: any input, as what hostile clients say to a server.
//! * [`namespace`]: a test in a network namespace of its own.  * [`uplink`]: a kernel on a tap in it.
//! * [`streams`]: bytes that are compared by hash.  * [`patience`]: waiting for what must come.
//! * [`scribble`]: any input, as nonsense in a bus file, likewise.
//! * [`undone`]: any input, as frames in which a host has left something undone, likewise.
//! * [`lending`]: any input, as what DHCP servers say.
//! * [`scratch`]: a folder for a test's files.
//! * [`wire`]: packets built and read by code of its own, to hold netinet's against.
//!
//! Linker sets are one per binary, so each test binary has all components below, and each kernel
//! starts some of them. Which kind of test is for what, says `README.md` beside this folder.
//!
//! Locking: none. Sources: NetBSD tests/net (two servers on one bus).
#![forbid(unsafe_code)]

pub mod cable;
pub mod crossing;
pub mod dhcp_server;
pub mod frames;
pub mod lab;
pub mod lending;
pub mod line;
pub mod messages;
pub mod namespace;
pub mod node;
pub mod patience;
pub mod random;
pub mod scratch;
pub mod scribble;
pub mod station;
pub mod streams;
pub mod undone;
pub mod uplink;
pub mod wire;

pub use crossing::Crossing;
pub use lab::Lab;
pub use node::{Answer, Node};
pub use scratch::Scratch;
pub use station::Station;

/// The examples of the project's README, which are run as they stand there.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

base::kernel!(
    /// Net, netinet, shmif: what most tests boot, whole or in part.
    ROUTER = [net, netinet, shmif]
);

base::kernel!(
    /// The same, with all other kinds of interface.
    HOSTED = [net, netinet, shmif, virtif, bridge, vlan, dhcp]
);

/// The example of the README beside this folder.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod tests_readme {}
