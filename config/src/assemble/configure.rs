//! The part of an assembled kernel that sets it up: one function of direct calls.
//!
//! The calls are to the kernel's own interfaces (`base::sysctl`, `net`), which are linked anyhow where the
//! configuration needs them; there is no interpreter of configurations in a kernel. This file is
//! the only place that knows those interfaces' names. What the kernel refuses is an error that says
//! which entry of the configuration it was.
//!
//! Locking: none.

use std::net::Ipv4Addr;

use character::{Character, Key};

use crate::file::{File, Interface, Route, Sysctl, Value};

const IFNET: &str = "net::ifnet::config";
const ROUTE: &str = "net::route::config";

const AT: &str = "
/// The error of an entry of the configuration.
fn at<E: std::fmt::Display>(entry: &str) -> impl FnOnce(E) -> String {
    move |error| format!(\"{entry}: {error}\")
}
";

pub(super) fn text(file: &File) -> String {
    let mut lines = Vec::new();
    lines.extend(file.sysctls.iter().map(sysctl));
    lines.extend(file.interfaces.iter().flat_map(interface));
    lines.extend(file.routes.iter().map(route));
    let call = |(call, entry): &(String, String)| format!("    {call}.map_err(at({entry:?}))?;\n");
    let (context, calls, at) = match lines.as_slice() {
        [] => ("_l", String::new(), ""),
        lines => ("l", lines.iter().map(call).collect(), AT),
    };
    format!(
        "/// What the configuration says beside its options.\n\
         pub fn configure({context}: &mut base::Lwp<'_>) -> Result<(), String> {{\n\
         {calls}    Ok(())\n\
         }}\n\
         {at}"
    )
}

/// A call, and the entry that it is for.
type Call = (String, String);

fn sysctl(Sysctl { name, value }: &Sysctl) -> Call {
    let value = match value {
        Value::Integer(number) => format!("Int({number})"),
        Value::Text(text) => format!("Text({text:?}.into())"),
    };
    let call = format!("base::sysctl::set(l, {name:?}, base::sysctl::Value::{value})");
    (call, format!("[sysctl] {name}"))
}

fn interface(interface: &Interface) -> Vec<Call> {
    let name = &interface.name;
    let entry = |what: String| format!("[[interface]] {name}{what}");
    // lo0 is there when the net faction is; others are made.
    let mut calls = match name.as_str() {
        "lo0" => Vec::new(),
        _ => vec![(format!("{IFNET}::create(l, {name:?})"), entry(String::new()))],
    };
    if let Some(linkstr) = &interface.linkstr {
        let call = format!("{IFNET}::set_linkstr(l, {name:?}, {linkstr:?})");
        calls.push((call, entry(format!(", linkstr {linkstr:?}"))));
    }
    if let Some(mtu) = interface.mtu {
        let call = format!("{IFNET}::set_mtu(l, {name:?}, {mtu})");
        calls.push((call, entry(format!(", mtu {mtu}"))));
    }
    if !interface.character.is_empty() {
        let call = format!("{IFNET}::set_character(l, {name:?}, {})", change(&interface.character));
        calls.push((call, entry(format!(", {}", interface.character))));
    }
    for net in &interface.inet {
        let (address, length) = (address_of(net.addr()), net.prefix_len());
        let call = format!("{IFNET}::add_addr(l, {name:?}, {address}.into(), {length})");
        calls.push((call, entry(format!(", inet {net}"))));
    }
    let call = format!("{IFNET}::set_up(l, {name:?}, {})", interface.up);
    calls.push((call, entry(format!(", up {}", interface.up))));
    calls
}

/// What makes a link what it is to be.
fn change(character: &Character) -> String {
    let fields = Key::ALL.into_iter().filter_map(|key| {
        let (value, field) = (character.get(key)?, key.word());
        let value = match key {
            Key::Delay | Key::Jitter => format!("core::time::Duration::from_nanos({value})"),
            Key::Distribution if value == 0 => "net::link::Distribution::Uniform".to_string(),
            Key::Distribution => "net::link::Distribution::Normal".to_string(),
            Key::Loss | Key::Reorder | Key::Duplicate | Key::Corrupt => {
                format!("net::link::Probability::per_billion({value})")
            }
            Key::Rate | Key::Burst | Key::Limit | Key::Buffer => value.to_string(),
        };
        Some(format!("{field}: {value}, "))
    });
    let fields: String = fields.collect();
    format!("|c| *c = net::link::Character {{ {fields}..Default::default() }}")
}

fn route(Route { to, via }: &Route) -> Call {
    let (network, length) = (address_of(to.network()), to.prefix_len());
    let prefix = format!("{ROUTE}::Prefix4 {{ addr: {network}, len: {length} }}");
    let call = format!("{ROUTE}::add(l, {prefix}, {})", address_of(*via));
    (call, format!("[[route]] {to} via {via}"))
}

fn address_of(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("core::net::Ipv4Addr::new({a}, {b}, {c}, {d})")
}
