//! bridge's registration: one kind of interface, its counters, its tables.

use base::evcnt::CounterSet;
use base::lock::{IntrMutex, Rank};
use base::sysctl::Table;
use base::vm::kmem;
use base::{Errno, KArc, KVec, Lwp};
use net::ifnet::cloner::IfCloner;

use crate::driver;
use crate::list;
use crate::members::Members;

base::component! { "bridge", needs ["net"], hooks { Net => init } }

base::slot! {
    /// The component's state in each kernel.
    pub(crate) static BRIDGE: State;
}

/// Whose tables these are.
const ME: Option<&str> = Some("bridge");

net::cloner! {
    static CLONER = IfCloner {
        name: "bridge",
        component: "bridge",
        create: driver::create,
        attached: driver::attached,
    };
}

base::counters! {
    static COUNTERS = CounterSet { group: "bridge", each: |cx, show| {
        if let Some(state) = cx.try_get(&BRIDGE) { state.counters.each(show) }
    } };
}

base::tables! {
    static MEMBERS = Table {
        name: "net.bridge.members", doc: "members of bridges", component: ME,
        columns: list::MEMBER_COLUMNS, write: list::members,
    };
    static ADDRESSES = Table {
        name: "net.bridge.addresses", doc: "who was heard where", component: ME,
        columns: list::ADDRESS_COLUMNS, write: list::addresses,
    };
}

base::counter_group! {
    /// What bridges did.
    Counters {
        /// Sent out on the member where the receiver is.
        forwarded,
        /// Sent out on all members, for all or for want of knowledge.
        flooded,
        /// Not sent anywhere: its receiver is where it came from.
        filtered,
        /// With a sender that cannot be.
        bad_source,
        /// Addresses that were learnt, or moved.
        learnt,
        /// Addresses for which there was no room.
        no_room,
        /// Frames, or copies, for which there was no memory.
        no_memory,
    }
}

/// The component's state.
pub(crate) struct State {
    pub(crate) counters: Counters,
    /// The bridges, by the indices of their interfaces; for the tables.
    pub(crate) bridges: IntrMutex<KVec<(u32, KArc<Members>)>>,
}

fn init(l: &mut Lwp<'_>) -> Result<(), Errno> {
    let bridges = IntrMutex::new(l, Rank::Proto, KVec::new(l));
    BRIDGE.set(l, kmem::boxed(l, State { counters: Counters::default(), bridges })?)
}
