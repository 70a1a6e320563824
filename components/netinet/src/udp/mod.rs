//! UDP.
//!
//! * [`input`]: datagrams for this kernel.  * [`input::error`]: what ICMP says about ours.
//! * [`usrreq`]: what calls on a socket do.
//! * [`table`] is who has which port, without kernel or locks; [`pcbs`] is its shell.
//! * [`ports`]: which ports the kernel chooses.  * [`ip_options`]: options of level IPPROTO_IP.
//! * [`multicast`]: those of them that are about groups.
//!
//! Locking: `Rank::Pcbs` for the table, held while a datagram is put into a socket.
//! Sources: RFC 768; RFC 1122 §4.1; RFC 6056; NetBSD sys/netinet/udp_usrreq.c.

pub(crate) mod input;
pub(crate) mod ip_options;
pub(crate) mod multicast;
pub(crate) mod pcbs;
pub(crate) mod ports;
pub(crate) mod send_error;
pub(crate) mod state;
pub(crate) mod table;
pub(crate) mod usrreq;

pub(crate) use input::{error, input};
