//! netinet's registration: its state, its domain, its protocols, its sets.

use base::evcnt::CounterSet;
use base::sysctl::{Node, Value};
use base::vm::kmem;
use base::vm::reclaim::Reclaimer;
use base::{Errno, Lwp};
use net::EtherType;
use net::domain::{AF_INET, Domain};
use net::ifnet::config;
use net::netisr::LinkProto;

use crate::state::Inet;
use crate::{arp, domain, ip};

base::component! {
    "netinet", needs ["net"],
    hooks { Net => init, NetIfcfg => configure_lo0 },
    fini fini
}

base::slot! {
    /// The component's state in each kernel.
    pub(crate) static INET: Inet;
}

net::link_proto! {
    static IPV4 = LinkProto {
        ethertype: EtherType::IPV4, component: "netinet", input: ip::input::input,
    };
    static ARP = LinkProto {
        ethertype: EtherType::ARP, component: "netinet", input: arp::input::input,
    };
}

net::domain! {
    static DOMAIN = Domain {
        family: AF_INET,
        name: "inet",
        component: "netinet",
        check_address: domain::check_address,
        address_added: domain::address_added,
        address_up: domain::address_up,
        address_removed: domain::address_removed,
        interface_gone: domain::interface_gone,
    };
}

base::counters! {
    static IP_COUNTERS = CounterSet { group: "ip", each: |cx, show| {
        if let Some(inet) = cx.try_get(&INET) { inet.ip.each(show) }
    } };
}
base::counters! {
    static ICMP_COUNTERS = CounterSet { group: "icmp", each: |cx, show| {
        if let Some(inet) = cx.try_get(&INET) { inet.icmp.each(show) }
    } };
}
base::counters! {
    static ARP_COUNTERS = CounterSet { group: "arp", each: |cx, show| {
        if let Some(inet) = cx.try_get(&INET) { inet.arp_counters.each(show) }
    } };
}

base::sysctl! {
    static FORWARDING = Node {
        name: "net.inet.ip.forwarding", doc: "pass on packets that are for others",
        get: |cx| Some(Value::Int(cx.try_get(&INET)?.forwarding().into())),
        set: Some(|cx, value| match value {
            Value::Int(n @ 0..=1) => { cx.get(&INET).set_forwarding(n == 1); Ok(()) }
            _ => Err(Errno::Invalid),
        }),
    };
    static TTL = Node {
        name: "net.inet.ip.ttl", doc: "hops given to packets that do not say",
        get: |cx| Some(Value::Int(cx.try_get(&INET)?.default_ttl().into())),
        set: Some(|cx, value| match value {
            Value::Int(n @ 1..=255) => { cx.get(&INET).set_default_ttl(n as u8); Ok(()) }
            _ => Err(Errno::Invalid),
        }),
    };
    static ERRPPS = Node {
        name: "net.inet.icmp.errppslimit", doc: "ICMP errors sent a second, at most; -1: no limit",
        get: |cx| Some(Value::Int(cx.try_get(&INET)?.error_rate())),
        set: Some(|cx, value| match value {
            Value::Int(n @ -1..=1_000_000) => { cx.get(&INET).set_error_rate(cx, n); Ok(()) }
            _ => Err(Errno::Invalid),
        }),
    };
}

base::reclaimer! {
    static FRAGMENTS = Reclaimer { name: "ip fragments", stage: 0, run: ip::fragments::reclaim };
}

fn init(l: &mut Lwp<'_>) -> Result<(), Errno> {
    INET.set(l, kmem::boxed(l, Inet::new(l)?)?)
}

/// 127.0.0.1/8 on lo0, as the operating system's start-up script would do.
fn configure_lo0(l: &mut Lwp<'_>) -> Result<(), Errno> {
    Ok(config::add_addr(l, "lo0", core::net::Ipv4Addr::LOCALHOST.into(), 8)?)
}

fn fini(l: &mut Lwp<'_>) {
    if let Some(inet) = l.try_get(&INET) {
        inet.clear(l);
    }
}
