//! The sysctl tree: values that can be read, and some set, by name.
//!
//! A layer declares a node with `sysctl!`; the tree is the set of all nodes, so a kernel pays
//! nothing for it at boot. A node whose component is not in the kernel is not there.
//!
//! Locking: a node's own. Sources: NetBSD sysctl(9); names of sysctl(7).

use alloc::string::String;
use core::fmt;

use linkme::distributed_slice;

use crate::{Cx, Errno, uname};

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

fn text(s: &str) -> Option<Value> {
    Some(Value::Text(String::from(s)))
}

crate::sysctl! {
    static OSTYPE = Node {
        name: "kern.ostype", doc: "the system's name",
        get: |_| text(uname::SYSNAME), set: None,
    };
    static OSRELEASE = Node {
        name: "kern.osrelease", doc: "the system's release",
        get: |_| text(uname::RELEASE), set: None,
    };
    static HOSTNAME = Node {
        name: "kern.hostname", doc: "the host name",
        get: |cx| Some(Value::Text(uname::hostname(cx))),
        set: Some(|cx, value| match value {
            Value::Text(name) => uname::set_hostname(cx, &name),
            Value::Int(_) => Err(Errno::Invalid),
        }),
    };
    static MODEL = Node {
        name: "hw.model", doc: "the machine's model",
        get: |_| text("anykernel (virtual)"), set: None,
    };
    static NCPU = Node {
        name: "hw.ncpu", doc: "virtual CPUs",
        get: |cx| Some(Value::Int(i64::from(cx.ncpu()))), set: None,
    };
    static MEMUSED = Node {
        name: "vm.used", doc: "bytes charged to the kernel's account",
        get: |cx| Some(Value::Int(cx.account().used().try_into().unwrap_or(i64::MAX))), set: None,
    };
    static MEMLIMIT = Node {
        name: "vm.limit", doc: "the most bytes the kernel may hold",
        get: |cx| Some(Value::Int(cx.account().limit().try_into().unwrap_or(i64::MAX))),
        set: Some(|cx, value| match value {
            Value::Int(n) if n > 0 => { cx.account().set_limit(n as u64); Ok(()) }
            _ => Err(Errno::Invalid),
        }),
    };
}
