//! The sysctl tree: values that can be read, and some set, by name.
//!
//! A layer declares a node with `sysctl!`; the tree is the set of all nodes, so a kernel pays
//! nothing for it at boot. A node whose component is not in the kernel is not there.
//!
//! * [`Node`]: a value.  * [`Table`] (`tables!`): a table as text, which listings leave out.
//! * `call` is the system call; `nodes` has base's own nodes and tables.
//!
//! Locking: a node's own. Sources: NetBSD sysctl(9); names of sysctl(7).

mod call;
mod listing;
mod nodes;
mod table;

use alloc::string::String;
use core::fmt;

use linkme::distributed_slice;

use crate::{Cx, Errno};

pub use listing::Listing;
pub use table::{TABLES, Table};

/// A value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A number.
    Int(i64),
    /// A text.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(n) => n.fmt(f),
            Value::Text(t) => t.fmt(f),
        }
    }
}

/// Sets a node.
pub type Set = fn(cx: &Cx<'_>, value: Value) -> Result<(), Errno>;

/// A node of the tree.
pub struct Node {
    /// Its name, as in `net.inet.ip.forwarding`.
    pub name: &'static str,
    /// What it means, in a line.
    pub doc: &'static str,
    /// Reads it; `None` where its component is not in the kernel.
    pub get: fn(cx: &Cx<'_>) -> Option<Value>,
    /// Sets it, if it can be set; `Invalid` for a value of the wrong type or out of range.
    pub set: Option<Set>,
}

/// The nodes of all components in this binary.
#[distributed_slice]
pub static SYSCTLS: [Node];

/// Registers a [`Node`]: `base::sysctl! { static NAME = Node { … }; }`.
#[macro_export]
macro_rules! sysctl {
    ($($(#[$m:meta])* $vis:vis static $name:ident = $value:expr;)+) => {$(
        $(#[$m])*
        #[$crate::__private::linkme::distributed_slice($crate::sysctl::SYSCTLS)]
        #[linkme(crate = $crate::__private::linkme)]
        $vis static $name: $crate::sysctl::Node = $value;
    )+};
}

fn find(name: &str) -> Result<&'static Node, Errno> {
    SYSCTLS.iter().find(|n| n.name == name).ok_or(Errno::NoEntry)
}

/// Reads a value; `NoEntry` if this kernel has no such node.
pub fn get(cx: &Cx<'_>, name: &str) -> Result<Value, Errno> {
    (find(name)?.get)(cx).ok_or(Errno::NoEntry)
}

/// Sets a value; `NotPermitted` if it can only be read.
pub fn set(cx: &Cx<'_>, name: &str, value: Value) -> Result<(), Errno> {
    let node = find(name)?;
    (node.get)(cx).ok_or(Errno::NoEntry)?;
    node.set.ok_or(Errno::NotPermitted)?(cx, value)
}

/// All nodes of this kernel, sorted by name.
pub fn all(cx: &Cx<'_>) -> alloc::vec::Vec<(&'static Node, Value)> {
    let value = |n: &'static Node| (n.get)(cx).map(|v| (n, v));
    let mut nodes: alloc::vec::Vec<_> = SYSCTLS.iter().filter_map(value).collect();
    nodes.sort_by_key(|(n, _)| n.name);
    nodes
}
