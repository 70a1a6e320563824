//! vlan's registration: one kind of interface, and its table.

use base::lock::{IntrMutex, Rank};
use base::sysctl::Table;
use base::vm::kmem;
use base::{Errno, KArc, KVec, Lwp};
use net::ifnet::cloner::IfCloner;
use net::ifnet::upper::Upper;

use crate::tags::{Entry, Tags};
use crate::{driver, list};

base::component! { "vlan", needs ["net"], hooks { Net => init } }

base::slot! {
    /// The component's state in each kernel.
    pub(crate) static VLAN: State;
}

net::cloner! {
    static CLONER = IfCloner {
        name: "vlan",
        component: "vlan",
        create: driver::create,
        attached: driver::attached,
    };
}

base::tables! {
    static VLANS = Table {
        name: "net.vlans", doc: "virtual networks and the interfaces below them",
        component: Some("vlan"), columns: list::COLUMNS, write: list::write,
    };
}

/// The component's state.
pub(crate) struct State {
    /// What stands on the interfaces below: the same for all.
    pub(crate) tags: KArc<dyn Upper>,
    /// The virtual networks that are connected, by the index of the interface below, then by tag.
    pub(crate) entries: IntrMutex<KVec<Entry>>,
}

fn init(l: &mut Lwp<'_>) -> Result<(), Errno> {
    let tags: KArc<dyn Upper> = kmem::arc(l, Tags)?;
    let entries = IntrMutex::new(l, Rank::Proto, KVec::new(l));
    VLAN.set(l, kmem::boxed(l, State { tags, entries })?)
}
