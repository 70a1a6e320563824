//! shmif's registration: one kind of interface.

use net::ifnet::cloner::IfCloner;

use crate::driver;

base::component! { "shmif", needs ["net"], hooks {} }

net::cloner! {
    static SHMIF = IfCloner {
        name: "shmif",
        component: "shmif",
        create: driver::create,
        attached: driver::attached,
    };
}
