//! The bus in a file, between kernels of two hosts: frames, errors, a file that is cut.

use std::fs;
use std::sync::Arc;

use base::{Errno, Host};
use linux::Linux;
use net::MacAddr;
use net::ifnet::{IfError, config};
use tests::wire::ethernet;
use tests::{Lab, Node, Scratch, Station};

fn host() -> Arc<dyn Host> {
    Linux::builder().io("shmif", shmif_linux::files()).build()
}

fn lab() -> Lab {
    Lab::on(host())
}

fn join(node: &Node, path: &str) -> Result<(), IfError> {
    node.enter(|l| {
        if config::find(l, "shmif0").is_err() {
            config::create(l, "shmif0")?;
        }
        config::set_linkstr(l, "shmif0", path)
    })
    .unwrap()
}

#[test]
fn two_hosts_ping_each_other() {
    let (scratch, one, two) = (Scratch::new(), lab(), lab());
    let (a, b) = (one.router("a"), two.router("b"));
    a.plug("shmif0", &scratch.text("bus"), ([10, 0, 0, 1], 24)).unwrap();
    b.plug("shmif0", &scratch.text("bus"), ([10, 0, 0, 2], 24)).unwrap();
    for _ in 0..100 {
        assert_eq!(a.ping([10, 0, 0, 2]).unwrap().kind, 0);
        assert_eq!(b.ping([10, 0, 0, 1]).unwrap().kind, 0);
    }
    for size in [0, 1, 1472, 1473, 9000, 60_000] {
        let how = tests::node::Ping { size, ..tests::node::Ping::new([10, 0, 0, 2]) };
        assert_eq!(a.ping_with(how).unwrap().kind, 0, "{size} bytes");
    }
}

#[test]
fn a_file_and_a_name_are_two_buses_of_one_driver() {
    let (scratch, lab) = (Scratch::new(), lab());
    let (a, b, c) = (lab.router("a"), lab.router("b"), lab.router("c"));
    a.plug("shmif0", &scratch.text("bus"), ([10, 0, 1, 1], 24)).unwrap();
    b.plug("shmif0", &scratch.text("bus"), ([10, 0, 1, 2], 24)).unwrap();
    b.plug("shmif1", "bus", ([10, 0, 2, 1], 24)).unwrap();
    c.plug("shmif0", "bus", ([10, 0, 2, 2], 24)).unwrap();
    a.route([10, 0, 2, 0], 24, [10, 0, 1, 2]).unwrap();
    c.route([10, 0, 1, 0], 24, [10, 0, 2, 1]).unwrap();
    for _ in 0..20 {
        assert_eq!(a.ping([10, 0, 2, 2]).unwrap().kind, 0);
    }
}
