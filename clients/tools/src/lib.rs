//! The tools of a remote kernel, in one small program.
//!
//! Each tool is a module with a [`Tool`], which says its options, its words and its examples once:
//! arguments are read by it, help is printed from it, completions and manual pages are made of it
//! (`rump_pages`). The tables are constants, so that a tool that does one thing pays for one thing.
//!
//! * [`main`]: the program.  * [`TOOLS`]: all tools.  * To add one: its module, and its line there.
//!
//! A tool connects to the server in `RUMP_SERVER` and does each of its jobs in one system call of
//! that kernel (`factions/net/CONTROL.md`): a set-up command is three round trips, the Hello,
//! the socket and the request. Nothing is closed: the process of the kernel ends with the program.
//!
//! Locking: none; a tool has one thread, nc two.
//! Sources: the book, section 3.12; NetBSD ifconfig(8), route(8), sysctl(8), netstat(1), arp(8),
//! halt(8), traceroute(8); iputils ping(8); OpenBSD nc(1).

mod address;
mod arguments;
mod arp;
mod definition;
mod dhcpclient;
mod failure;
mod halt;
mod help;
mod icmp;
mod ifconfig;
mod json;
mod list;
mod nc;
mod netstat;
mod pages;
mod ping;
mod program;
mod requests;
mod route;
mod server;
mod signal;
mod sockstat;
mod sysctl;
mod table;
mod traceroute;

pub use definition::{Example, HELP, Opt, Tool, VERSION, Word};
pub use program::{TOOLS, main};
