//! The net faction's registration: its state, its place in the boot, its sets.

use base::lock::{Mutex, Rank};
use base::sched::softint::{Level, Softint};
use base::syscall::{Arg, number};
use base::sysctl::Table;
use base::vm::kmem;
use base::{Errno, Lwp};

use crate::ifnet::{Ifnets, config};
use crate::netisr::{LINK_PROTOS, LinkProto, Netisr};
use crate::route::{self, Routes};
use crate::socket::{calls, list};
use crate::{EtherType, loopback, netisr, tables};

base::component! {
    "net", needs [],
    hooks { Net => init, NetIf => attach_lo0 },
    fini detach
}

base::slot! {
    /// The faction's state in each kernel.
    pub(crate) static NET: Net;
}

base::softint! {
    /// Runs protocols.
    pub(crate) static NETISR = Softint { name: "net", level: Level::Net, run: netisr::run };
}

/// What serves the calls on sockets.
const ME: Option<&str> = Some("net");

/// A number, the address of memory that no description fits, and an address of a socket with its
/// length in the next argument.
const V: Arg = Arg::Value;
const P: Arg = Arg::Opaque;
const A: Arg = Arg::OutRef(2);
const N: Arg = Arg::InOutFixed(4);

base::syscalls! {
    static SOCKET = ME, number::SOCKET, "socket", [V, V, V], calls::socket;
    static BIND = ME, number::BIND, "bind", [V, Arg::In(2), V], calls::bind;
    static CONNECT = ME, number::CONNECT, "connect", [V, Arg::In(2), V], calls::connect;
    static LISTEN = ME, number::LISTEN, "listen", [V, V], calls::listen;
    static ACCEPT = ME, number::ACCEPT, "accept", [V, A, N], calls::accept;
    static ACCEPT4 = ME, number::ACCEPT4, "accept4", [V, A, N, V], calls::accept4;
    static SHUTDOWN = ME, number::SHUTDOWN, "shutdown", [V, V], calls::shutdown;
    static SENDTO = ME, number::SENDTO, "sendto", [V, Arg::In(2), V, V, Arg::In(5), V],
        calls::sendto;
    static RECVFROM = ME, number::RECVFROM, "recvfrom", [V, Arg::Out(2), V, V, Arg::OutRef(5), N],
        calls::recvfrom;
    static SENDMSG = ME, number::SENDMSG, "sendmsg", [V, P, V], calls::sendmsg;
    static RECVMSG = ME, number::RECVMSG, "recvmsg", [V, P, V], calls::recvmsg;
    static GETSOCKNAME = ME, number::GETSOCKNAME, "getsockname", [V, A, N], calls::getsockname;
    static GETPEERNAME = ME, number::GETPEERNAME, "getpeername", [V, A, N], calls::getpeername;
    static SETSOCKOPT = ME, number::SETSOCKOPT, "setsockopt", [V, V, V, Arg::In(4), V],
        calls::setsockopt;
    static GETSOCKOPT = ME, number::GETSOCKOPT, "getsockopt", [V, V, V, Arg::OutRef(4), N], calls::getsockopt;
}

base::tables! {
    static INTERFACES = Table {
        name: "net.interfaces", doc: "interfaces, their addresses and counters", component: ME,
        columns: tables::INTERFACE_COLUMNS, write: tables::interfaces,
    };
    static ROUTES = Table {
        name: "net.routes", doc: "the IPv4 routing table", component: ME,
        columns: tables::ROUTE_COLUMNS, write: tables::routes,
    };
    static SOCKETS = Table {
        name: "net.sockets", doc: "sockets, by the processes that have them", component: ME,
        columns: list::COLUMNS, write: list::write,
    };
}

/// The faction's state.
pub(crate) struct Net {
    pub(crate) ifnets: Ifnets,
    pub(crate) routes: Routes,
    pub(crate) netisr: Netisr,
    /// Changes to interfaces and routes by users.
    pub(crate) config: Mutex<()>,
    /// The kernel's link protocols; a handful, so a list is the fastest map.
    protos: smallvec::SmallVec<[(EtherType, &'static LinkProto); 4]>,
}

impl Net {
    /// The protocol above the link for `ethertype`.
    #[inline]
    pub(crate) fn link_proto(&self, ethertype: EtherType) -> Option<&'static LinkProto> {
        self.protos.iter().find(|p| p.0 == ethertype).map(|p| p.1)
    }

    /// All of them.
    pub(crate) fn link_protos(&self) -> impl Iterator<Item = &'static LinkProto> {
        self.protos.iter().map(|(_, proto)| *proto)
    }
}

fn init(l: &mut Lwp<'_>) -> Result<(), Errno> {
    let protos = LINK_PROTOS.iter().filter(|p| l.has_component(p.component));
    let protos = protos.map(|p| (p.ethertype, p)).collect();
    let net = Net {
        ifnets: Ifnets::new(l),
        routes: Routes::new(l),
        netisr: Netisr::new(l),
        config: Mutex::new(l, Rank::Config, ()),
        protos,
    };
    NET.set(l, kmem::boxed(l, net)?)
}

fn attach_lo0(l: &mut Lwp<'_>) -> Result<(), Errno> {
    Ok(loopback::attach(l)?)
}

/// The last interface goes first: lo0 is what others lean on.
fn detach(l: &mut Lwp<'_>) {
    let Some(net) = l.try_get(&NET) else { return };
    // All at once: each interface would look for its own among those of all others.
    route::config::retain(l, |_, _| false);
    while let Some(ifp) = net.ifnets.last(l) {
        config::take_down(l, &ifp);
    }
    net.netisr.clear(l);
}
