//! dhcp's registration: settings that are requests, counters, and the table of leases.

use alloc::string::String;

use base::evcnt::CounterSet;
use base::lock::{IntrMutex, Rank};
use base::sysctl::{Node, Table, Value};
use base::vm::kmem;
use base::{Cx, Errno, KArc, KVec, Lwp};
use net::ifnet::upper::Upper;

use crate::lease::{self, Held, Listener};
use crate::{list, request};

base::component! {
    "dhcp", needs ["net", "netinet"],
    hooks { Net => init },
    fini fini
}

base::slot! {
    /// The component's state in each kernel.
    pub(crate) static DHCP: State;
}

/// A request in the form of a setting: set to an interface's name.
fn named(
    cx: &Cx<'_>,
    value: Value,
    what: fn(&Cx<'_>, &str) -> Result<(), Errno>,
) -> Result<(), Errno> {
    match value {
        Value::Text(name) => what(cx, &name),
        Value::Int(_) => Err(Errno::Invalid),
    }
}

base::sysctl! {
    static START = Node {
        name: "net.dhcp.start", doc: "set to an interface's name: it asks for a lease",
        get: |cx| cx.try_get(&DHCP).map(|_| Value::Text(String::new())),
        set: Some(|cx, value| named(cx, value, request::start_on)),
    };
    static RELEASE = Node {
        name: "net.dhcp.release", doc: "set to an interface's name: it gives its lease back",
        get: |cx| cx.try_get(&DHCP).map(|_| Value::Text(String::new())),
        set: Some(|cx, value| named(cx, value, request::release_of)),
    };
}

base::counters! {
    static COUNTERS = CounterSet { group: "dhcp", each: |cx, show| {
        if let Some(state) = cx.try_get(&DHCP) { state.counters.each(show) }
    } };
}

base::tables! {
    static LEASES = Table {
        name: "net.dhcp.leases", doc: "addresses on loan", component: Some("dhcp"),
        columns: list::COLUMNS, write: list::write,
    };
}

base::counter_group! {
    /// What clients did.
    Counters {
        /// Messages sent.
        sent,
        /// Messages received.
        received,
        /// Frames to us that held none.
        bad,
        /// Leases that began, or came with something else than before.
        bound,
        /// Leases that ended.
        ended,
        /// Refusals.
        refused,
        /// Addresses that somebody else had.
        in_use,
    }
}

/// The component's state.
pub(crate) struct State {
    pub(crate) counters: Counters,
    /// What stands on the interfaces that have clients: the same for all.
    pub(crate) listener: KArc<dyn Upper>,
    /// The clients, by the indices of their interfaces.
    pub(crate) held: IntrMutex<KVec<KArc<Held>>>,
}

fn init(l: &mut Lwp<'_>) -> Result<(), Errno> {
    let listener: KArc<dyn Upper> = kmem::arc(l, Listener)?;
    let held = IntrMutex::new(l, Rank::Proto, KVec::new(l));
    DHCP.set(l, kmem::boxed(l, State { counters: Counters::default(), listener, held })?)
}

/// What is lent is not given back: the next kernel here may ask for the same.
fn fini(l: &mut Lwp<'_>) {
    let Some(state) = l.try_get(&DHCP) else { return };
    loop {
        let last = state.held.lock(l).pop();
        let Some(last) = last else { break };
        lease::let_go(l, &last);
    }
}
