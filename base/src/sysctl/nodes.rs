//! Base's own nodes and tables.
//!
//! Locking: what each reads. Sources: NetBSD sysctl(7).

use alloc::string::String;

use super::{Listing, Node, Table, Value};
use crate::{Cx, Errno, NoMemory, evcnt, msgbuf, uname};

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
        get: |cx| Some(Value::Int(cx.whole_account().used().try_into().unwrap_or(i64::MAX))), set: None,
    };
    static MEMLIMIT = Node {
        name: "vm.limit", doc: "the most bytes the kernel may hold",
        get: |cx| Some(Value::Int(cx.whole_account().limit().try_into().unwrap_or(i64::MAX))),
        set: Some(|cx, value| match value {
            Value::Int(n) if n > 0 => { cx.whole_account().set_limit(n as u64); Ok(()) }
            _ => Err(Errno::Invalid),
        }),
    };
}

crate::tables! {
    static COUNTERS = Table {
        name: "kern.counters", doc: "event counters of all layers", component: None,
        columns: &["group", "name", "value"], write: counters,
    };
    static COMPONENTS = Table {
        name: "kern.components", doc: "what the kernel is composed of", component: None,
        columns: &["name"],
        write: |cx, out| cx.components().names().try_for_each(|name| out.row(&[&name])),
    };
    static MSGBUF = Table {
        name: "kern.msgbuf", doc: "the message buffer", component: None,
        columns: &[], write: |cx, out| out.text(&msgbuf::dmesg(cx)),
    };
    static NODES = Table {
        name: "sysctl.nodes", doc: "what there is in the tree, and what it means", component: None,
        columns: &["name", "type", "access", "doc"], write: describe,
    };
}

fn counters(cx: &Cx<'_>, out: &mut Listing) -> Result<(), NoMemory> {
    let mut written = Ok(());
    evcnt::each(cx, &mut |group, name, value| {
        written = written.and_then(|()| out.row(&[&group, &name, &value]));
    });
    written
}

/// Nodes and tables, each sorted by name.
fn describe(cx: &Cx<'_>, out: &mut Listing) -> Result<(), NoMemory> {
    for (node, value) in super::all(cx) {
        let kind = match value {
            Value::Int(_) => "int",
            Value::Text(_) => "text",
        };
        let access = if node.set.is_some() { "rw" } else { "ro" };
        out.row(&[&node.name, &kind, &access, &node.doc])?;
    }
    for table in super::table::all(cx) {
        out.row(&[&table.name, &"table", &"ro", &table.doc])?;
    }
    Ok(())
}
