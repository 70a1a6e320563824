//! netinet's registration: its state, its domain, its protocols, its sets.

use base::evcnt::CounterSet;
use base::sysctl::{Node, Table, Value};
use base::vm::kmem;
use base::vm::reclaim::Reclaimer;
use base::{Errno, Lwp};
use net::EtherType;
use net::domain::{AF_INET, Domain};
use net::ifnet::config;
use net::netisr::LinkProto;
use net::offload::Rules;
use net::socket::{Protosw, SockType};

use crate::igmp::members::Igmp;
use crate::raw::state::Raw;
use crate::state::Inet;
use crate::tcp::kernel::Tcp;
use crate::udp::state::Udp;
use crate::wire::ipv4::protocol;
use crate::{arp, domain, igmp, ip, raw, sockets, tcp, udp};

base::component! {
    "netinet", needs ["net"],
    hooks { Net => init, Net => igmp::members::attach, Net => udp::state::attach, Net => raw::state::attach,
            Net => tcp::kernel::attach, NetIfcfg => configure_lo0 },
    fini fini
}

/// Whose tables these are.
const ME: Option<&str> = Some("netinet");

base::slot! {
    /// The component's state in each kernel.
    pub(crate) static INET: Inet;
}

base::slot! {
    /// That of groups.
    pub(crate) static IGMP: Igmp;
}

base::slot! {
    /// UDP's.
    pub(crate) static UDP: Udp;
}

base::slot! {
    /// TCP's.
    pub(crate) static TCP: Tcp;
}

base::slot! {
    /// That of raw and ping sockets.
    pub(crate) static RAW: Raw;
}

net::protosw! {
    static TCP_PROTO = Protosw {
        family: AF_INET, kind: SockType::Stream, protocol: Some(protocol::TCP), is_default: true,
        root_only: false, component: "netinet", attach: tcp::usrreq::attach,
    };
    static UDP_PROTO = Protosw {
        family: AF_INET, kind: SockType::Dgram, protocol: Some(protocol::UDP), is_default: true,
        root_only: false, component: "netinet", attach: udp::usrreq::attach,
    };
    static PING_PROTO = Protosw {
        family: AF_INET, kind: SockType::Dgram, protocol: Some(protocol::ICMP), is_default: false,
        root_only: false, component: "netinet", attach: raw::ping::attach,
    };
    static RAW_PROTO = Protosw {
        family: AF_INET, kind: SockType::Raw, protocol: None, is_default: false,
        root_only: true, component: "netinet", attach: raw::usrreq::attach,
    };
}

net::link_proto! {
    static IPV4 = LinkProto {
        ethertype: EtherType::IPV4, component: "netinet", input: ip::input::input,
        offload: Some(Rules { finish: ip::finish::finish, layout: ip::finish::layout }),
    };
    static ARP = LinkProto {
        ethertype: EtherType::ARP, component: "netinet", input: arp::input::input, offload: None,
    };
}

net::domain! {
    static DOMAIN = Domain {
        family: AF_INET,
        name: "inet",
        component: "netinet",
        check_address: domain::check_address,
        is_local: domain::is_local,
        address_added: domain::address_added,
        address_up: domain::address_up,
        interface_down: domain::interface_down,
        address_removed: domain::address_removed,
        interface_gone: domain::interface_gone,
        ioctl: arp::control::ioctl,
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

base::counters! {
    static IGMP_COUNTERS = CounterSet { group: "igmp", each: |cx, show| {
        if let Some(igmp) = cx.try_get(&IGMP) { igmp.counters.each(show) }
    } };
}
base::counters! {
    static UDP_COUNTERS = CounterSet { group: "udp", each: |cx, show| {
        if let Some(udp) = cx.try_get(&UDP) { udp.counters.each(show) }
    } };
}
base::counters! {
    static TCP_COUNTERS = CounterSet { group: "tcp", each: |cx, show| {
        if let Some(tcp) = cx.try_get(&TCP) { tcp.counters.each(show) }
    } };
}
base::counters! {
    static RAW_COUNTERS = CounterSet { group: "rawip", each: |cx, show| {
        if let Some(raw) = cx.try_get(&RAW) { raw.each(show) }
    } };
}

/// The end of a setting: `Invalid` for what was refused.
fn taken(ok: bool) -> Result<(), Errno> {
    if ok { Ok(()) } else { Err(Errno::Invalid) }
}

base::sysctl! {
    static UDP_CHECKSUM = Node {
        name: "net.inet.udp.checksum", doc: "send datagrams with a checksum",
        get: |cx| Some(Value::Int(cx.try_get(&UDP)?.sends_checksum().into())),
        set: Some(|cx, value| match value {
            Value::Int(n @ 0..=1) => { cx.get(&UDP).set_sends_checksum(n == 1); Ok(()) }
            _ => Err(Errno::Invalid),
        }),
    };
    static UDP_SENDSPACE = Node {
        name: "net.inet.udp.sendspace", doc: "longest datagram that new sockets may send, in bytes",
        get: |cx| Some(Value::Int(cx.try_get(&UDP)?.spaces.get().0.into())),
        set: Some(|cx, value| match value {
            Value::Int(n) => taken(cx.get(&UDP).spaces.set_send(n)),
            Value::Text(_) => Err(Errno::Invalid),
        }),
    };
    static UDP_RECVSPACE = Node {
        name: "net.inet.udp.recvspace", doc: "receive buffer of new sockets, in bytes",
        get: |cx| Some(Value::Int(cx.try_get(&UDP)?.spaces.get().1.into())),
        set: Some(|cx, value| match value {
            Value::Int(n) => taken(cx.get(&UDP).spaces.set_receive(n)),
            Value::Text(_) => Err(Errno::Invalid),
        }),
    };
    static TCP_SENDSPACE = Node {
        name: "net.inet.tcp.sendspace", doc: "send buffer of new sockets, in bytes",
        get: |cx| Some(Value::Int(cx.try_get(&TCP)?.spaces.get().0.into())),
        set: Some(|cx, value| match value {
            Value::Int(n) => taken(cx.get(&TCP).spaces.set_send(n)),
            Value::Text(_) => Err(Errno::Invalid),
        }),
    };
    static TCP_RECVSPACE = Node {
        name: "net.inet.tcp.recvspace", doc: "receive buffer of new sockets, in bytes",
        get: |cx| Some(Value::Int(cx.try_get(&TCP)?.spaces.get().1.into())),
        set: Some(|cx, value| match value {
            Value::Int(n) => taken(cx.get(&TCP).spaces.set_receive(n)),
            Value::Text(_) => Err(Errno::Invalid),
        }),
    };
    static ANONPORTMIN = Node {
        name: "net.inet.ip.anonportmin", doc: "first of the ports that the kernel chooses from",
        get: |cx| Some(Value::Int((*cx.try_get(&UDP)?.ephemeral.range().start()).into())),
        set: Some(|cx, value| match value {
            Value::Int(n) => taken(cx.get(&UDP).ephemeral.set_first(n)),
            Value::Text(_) => Err(Errno::Invalid),
        }),
    };
    static ANONPORTMAX = Node {
        name: "net.inet.ip.anonportmax", doc: "last of the ports that the kernel chooses from",
        get: |cx| Some(Value::Int((*cx.try_get(&UDP)?.ephemeral.range().end()).into())),
        set: Some(|cx, value| match value {
            Value::Int(n) => taken(cx.get(&UDP).ephemeral.set_last(n)),
            Value::Text(_) => Err(Errno::Invalid),
        }),
    };
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
    static ECN = Node {
        name: "net.inet.tcp.ecn",
        doc: "congestion marks: 0 never, 1 ask for them, 2 if the other side asks",
        get: |cx| Some(Value::Int(cx.try_get(&TCP)?.ecn().into())),
        set: Some(|cx, value| match value {
            Value::Int(n @ 0..=2) => { cx.get(&TCP).set_ecn(n as u32); Ok(()) }
            _ => Err(Errno::Invalid),
        }),
    };
    static MTU_PROBING = Node {
        name: "net.inet.tcp.mtu_probing",
        doc: "new connections find out what a path carries where no router says it",
        get: |cx| Some(Value::Int(cx.try_get(&TCP)?.mtu_probing().into())),
        set: Some(|cx, value| match value {
            Value::Int(n @ 0..=1) => { cx.get(&TCP).set_mtu_probing(n == 1); Ok(()) }
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

base::tables! {
    static ARP_TABLE = Table {
        name: "net.inet.arp.table", doc: "link addresses of neighbours", component: ME,
        columns: arp::list::COLUMNS, write: arp::list::write,
    };
    static SOCKETS = Table {
        name: "net.inet.sockets", doc: "sockets of TCP and UDP, ping sockets, raw sockets", component: ME,
        columns: sockets::COLUMNS, write: sockets::write,
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
    tcp::kernel::detach(l);
    igmp::members::detach(l);
    if let Some(inet) = l.try_get(&INET) {
        inet.clear(l);
    }
}
