//! The net faction's registration: its state, its place in the boot, its sets.

use base::lock::{Mutex, Rank};
use base::sched::softint::{Level, Softint};
use base::vm::kmem;
use base::{Cx, Errno, Lwp};

use crate::ifnet::{Ifnets, config};
use crate::netisr::{LINK_PROTOS, LinkProto, Netisr};
use crate::route::Routes;
use crate::{EtherType, loopback, netisr};

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

/// The faction's state.
pub(crate) struct Net {
    pub(crate) ifnets: Ifnets,
    pub(crate) routes: Routes,
    pub(crate) netisr: Netisr,
    /// Changes to interfaces and routes by users.
    pub(crate) config: Mutex<()>,
    /// The kernel's link protocols; a handful, so a list is the fastest map.
    protos: smallvec::SmallVec<[&'static LinkProto; 4]>,
}

impl Net {
    /// The protocol above the link for `ethertype`.
    #[inline]
    pub(crate) fn link_proto(&self, ethertype: EtherType) -> Option<&'static LinkProto> {
        self.protos.iter().find(|p| p.ethertype == ethertype).copied()
    }
}

fn init(l: &mut Lwp<'_>) -> Result<(), Errno> {
    let protos = LINK_PROTOS.iter().filter(|p| l.has_component(p.component)).collect();
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
    while let Some(ifp) = last(l, net) {
        config::take_down(l, &ifp);
    }
    net.netisr.clear(l);
}

fn last(cx: &Cx<'_>, net: &Net) -> Option<base::KArc<crate::Ifnet>> {
    (0..).map_while(|n| net.ifnets.nth(cx, n)).last()
}
