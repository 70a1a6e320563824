//! virtif's registration: one kind of interface, and its settings.

use base::Errno;
use base::sysctl::{Node, Value};
use base::vm::kmem;
use net::ifnet::cloner::IfCloner;

use crate::driver::{self, Settings};

base::component! { "virtif", needs ["net"], hooks { Net => init } }

base::slot! {
    /// The component's state in each kernel.
    pub(crate) static VIRTIF: Settings;
}

net::cloner! {
    static VIRT = IfCloner {
        name: "virt",
        component: "virtif",
        create: driver::create,
        attached: driver::attached,
    };
}

base::sysctl! {
    static CONNECT = Node {
        name: "net.virt.connect",
        doc: "connect virtN to the host's device tapN when it is created; 0: wait for a linkstr",
        get: |cx| Some(Value::Int(cx.try_get(&VIRTIF)?.connects().into())),
        set: Some(|cx, value| match value {
            Value::Int(n @ 0..=1) => { cx.get(&VIRTIF).set_connects(n == 1); Ok(()) }
            _ => Err(Errno::Invalid),
        }),
    };
    static OFFLOAD = Node {
        name: "net.virt.offload",
        doc: "leave checksums and the cutting of TCP segments to a host that does them; from the next \
              connection of an interface on",
        get: |cx| Some(Value::Int(cx.try_get(&VIRTIF)?.offloads().into())),
        set: Some(|cx, value| match value {
            Value::Int(n @ 0..=1) => { cx.get(&VIRTIF).set_offloads(n == 1); Ok(()) }
            _ => Err(Errno::Invalid),
        }),
    };
}

fn init(l: &mut base::Lwp<'_>) -> Result<(), Errno> {
    VIRTIF.set(l, kmem::boxed(l, Settings::new())?)
}
