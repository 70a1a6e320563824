//! The part of an assembled kernel that sets it up: one function of direct calls.
//!
//! The calls are to the kernel's own interfaces (`base::sysctl`, `net`), which are linked anyhow where the
//! configuration needs them; there is no interpreter of configurations in a kernel. This file is
//! the only place that knows those interfaces' names.
//!
//! Locking: none.

use std::net::Ipv4Addr;

use crate::file::{File, Interface, Route, Sysctl, Value};

const IFNET: &str = "net::ifnet::config";
const ROUTE: &str = "net::route::config";

pub(super) fn text(file: &File) -> String {
    let mut lines = Vec::new();
    lines.extend(file.sysctls.iter().map(sysctl));
    lines.extend(file.interfaces.iter().flat_map(interface));
    lines.extend(file.routes.iter().map(route));
    let (context, calls) = match lines.as_slice() {
        [] => ("_l", String::new()),
        lines => ("l", lines.iter().map(|line| format!("    {line}?;\n")).collect()),
    };
    format!(
        "/// What the configuration says beside its options.\n\
         pub fn configure({context}: &mut base::Lwp<'_>) -> Result<(), base::Errno> {{\n\
         {calls}    Ok(())\n\
         }}\n"
    )
}

fn sysctl(Sysctl { name, value }: &Sysctl) -> String {
    let value = match value {
        Value::Integer(number) => format!("Int({number})"),
        Value::Text(text) => format!("Text({text:?}.into())"),
    };
    format!("base::sysctl::set(l, {name:?}, base::sysctl::Value::{value})")
}

fn interface(interface: &Interface) -> Vec<String> {
    let name = &interface.name;
    // lo0 is there when the net faction is; others are made.
    let mut calls = match name.as_str() {
        "lo0" => Vec::new(),
        _ => vec![format!("{IFNET}::create(l, {name:?})")],
    };
    if let Some(linkstr) = &interface.linkstr {
        calls.push(format!("{IFNET}::set_linkstr(l, {name:?}, {linkstr:?})"));
    }
    if let Some(mtu) = interface.mtu {
        calls.push(format!("{IFNET}::set_mtu(l, {name:?}, {mtu})"));
    }
    for net in &interface.inet {
        let (address, length) = (address_of(net.addr()), net.prefix_len());
        calls.push(format!("{IFNET}::add_addr(l, {name:?}, {address}.into(), {length})"));
    }
    calls.push(format!("{IFNET}::set_up(l, {name:?}, {})", interface.up));
    calls
}

fn route(Route { to, via }: &Route) -> String {
    let (network, length) = (address_of(to.network()), to.prefix_len());
    let to = format!("{ROUTE}::Prefix4 {{ addr: {network}, len: {length} }}");
    format!("{ROUTE}::add(l, {to}, {})", address_of(*via))
}

fn address_of(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("core::net::Ipv4Addr::new({a}, {b}, {c}, {d})")
}
