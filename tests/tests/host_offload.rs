//! What is left undone in frames between our kernels and Linux: checksums, and TCP segments of up to 64
//! KiB. Wherever such a frame goes on to, bytes are what they were and no checksum is wrong.
//!
//! ```text
//! Linux -- tap0 -- virt0 [kernel]
//! Linux -- tap0 -- virt0 [kernel] virt1 -- tap1 -- Linux, in another namespace
//! ```

use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;

use base::{Errno, Options};
use linux::Linux;
use net::ifnet::config;
use tests::namespace::{self, Another, ip};
use tests::patience::PATIENCE;
use tests::streams::{Sum, between, stream};
use tests::uplink::{self, FAR, HOST, KERNEL, with_link};
use tests::{Lab, Node, Scratch};

const LEN: usize = 8 << 20;

base::kernel!(BRIDGE = [net, virtif, bridge]);

/// Bytes and frames that came in on `name`, and that went out.
fn traffic(node: &Node, name: &str) -> [(u64, u64); 2] {
    let counts = |i: &net::Ifnet| {
        let c = &i.counters;
        [(c.ibytes.get(), c.ipackets.get()), (c.obytes.get(), c.opackets.get())]
    };
    node.on(name, |_, i| counts(i)).unwrap()
}

/// The mean length of frames that came in on `name`, and of those that went out.
fn lengths(node: &Node, name: &str) -> [u64; 2] {
    traffic(node, name).map(|(bytes, frames)| bytes / frames)
}

/// Longer than any that is whole.
const LONG: u64 = 1518;

#[track_caller]
fn assert_long(node: &Node, names: &[&str]) {
    for name in names {
        let lengths = lengths(node, name);
        assert!(lengths.iter().all(|len| *len > LONG), "{name}: {lengths:?} bytes");
    }
}

/// No segment was spoilt, as our kernels see it, and as Linux does on this thread.
#[track_caller]
fn assert_sound(ours: &[&Node]) {
    for node in ours {
        for (group, name) in [
            ("tcp", "bad_checksum"),
            ("tcp", "bad_header"),
            ("udp", "bad_checksum"),
            ("ip", "bad_header"),
        ] {
            assert_eq!(node.counter(group, name), 0, "{} {group} {name}", node.name());
        }
    }
    assert_eq!(uplink::spoilt(), 0, "at Linux");
}

/// A stream each way between Linux and a kernel at `addr`, which Linux begins.
fn linux_calls(kernel: &Node, addr: [u8; 4]) {
    let listener = local::TcpListener::bind(kernel, "0.0.0.0:80").unwrap();
    between(LEN, || Ok(listener.accept()?.0), || TcpStream::connect((Ipv4Addr::from(addr), 80)));
}

#[test]
fn segments_and_checksums_are_left_to_the_other_side() {
    with_link("segments_and_checksums_are_left_to_the_other_side", |_, node| {
        linux_calls(node, KERNEL);
        let listener = TcpListener::bind((Ipv4Addr::from(HOST), 81)).unwrap();
        let connect = || local::TcpStream::connect(node, (Ipv4Addr::from(HOST), 81));
        between(LEN, || Ok(listener.accept()?.0), connect);
        assert_long(node, &["virt0"]);
        assert_sound(&[node]);
        assert_eq!(node.on("virt0", |_, i| i.counters.ierrors.get()).unwrap(), 0);
    });
}

fn reconnect(node: &Node, offload: i64) {
    node.sysctl("net.virt.offload", offload).unwrap();
    node.enter(|l| config::set_linkstr(l, "virt0", "")).unwrap().unwrap();
    node.enter(|l| config::set_linkstr(l, "virt0", "tap0")).unwrap().unwrap();
    // Linux drops what it sends before it knows that the device is in use again.
    assert_eq!(node.ping(HOST).unwrap().kind, 0);
}

/// The device belongs to Linux and stays: who opens it next has it as he wants it.
#[test]
fn it_is_as_the_kernel_wants_it_on_one_device() {
    with_link("it_is_as_the_kernel_wants_it_on_one_device", |_, node| {
        for (offload, is_long) in [(0, false), (1, true), (0, false)] {
            reconnect(node, offload);
            let before = traffic(node, "virt0");
            linux_calls(node, KERNEL);
            let after = traffic(node, "virt0");
            for ((bytes, frames), (more, others)) in before.into_iter().zip(after) {
                let mean = (more - bytes) / (others - frames);
                assert_eq!(mean > LONG, is_long, "{offload}: {mean} bytes");
            }
        }
        assert_sound(&[node]);
        assert_eq!(node.sysctl("net.virt.offload", 2), Err(Errno::Invalid));
    });
}

#[test]
fn on_a_host_that_leaves_nothing_undone_frames_are_whole() {
    namespace::run("on_a_host_that_leaves_nothing_undone_frames_are_whole", || {
        uplink::tap();
        let lab = Lab::on(Linux::builder().io("virtif", virtif_linux::whole_taps()).build());
        let node = lab.hosted("node");
        node.enter(|l| {
            config::create(l, "virt0")?;
            config::add_addr(l, "virt0", KERNEL.into(), 24)
        })
        .unwrap()
        .unwrap();
        linux_calls(&node, KERNEL);
        assert!(lengths(&node, "virt0").iter().all(|len| *len <= 1514));
        assert_sound(&[&node]);
    });
}

/// Two namespaces of Linux, with a kernel between `tap0` and `tap1`.
struct Between {
    node: Node,
    far: Another,
    /// Last: it looks whether the kernel has left anything.
    _lab: Lab,
}

impl Between {
    fn run(test: &str, boot: impl FnOnce(&Lab) -> Node, body: impl FnOnce(&Between)) {
        namespace::run(test, || {
            uplink::tap();
            let lab = uplink::lab();
            let node = boot(&lab);
            uplink::bridge(&node, "virt1", "tap1");
            let far = uplink::far_side("10.77.0.2/24");
            body(&Between { node, far, _lab: lab });
        });
    }

    /// A stream each way to the other side, which has the address `to`.
    fn stream(&self, to: &str) {
        let listener = self.far.enter(|| TcpListener::bind((to, 80)).unwrap());
        between(LEN, || Ok(listener.accept()?.0), || TcpStream::connect((to, 80)));
    }

    /// Datagrams there and back.
    fn datagrams(&self, here: &str, there: &str) {
        let far = self.far.enter(|| UdpSocket::bind((there, 7000)).unwrap());
        let near = UdpSocket::bind((here, 7001)).unwrap();
        far.set_read_timeout(Some(PATIENCE)).unwrap();
        near.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buf = vec![0; 70_000];
        for size in [0, 1, 100, 1472, 1473, 9000, 60_000] {
            let mut data = Vec::new();
            let sent: Sum = stream(size as u64, size, |piece| data.extend_from_slice(piece));
            near.send_to(&data, (there, 7000)).unwrap();
            let (n, from) = far.recv_from(&mut buf).unwrap();
            far.send_to(&buf[..n], from).unwrap();
            let n = near.recv(&mut buf).unwrap();
            assert!((n, &buf[..n]) == (sent.0, &data[..]), "{size} bytes");
        }
    }

    #[track_caller]
    fn assert_sound(&self) {
        assert_eq!(uplink::spoilt(), 0, "at the near side");
        assert_eq!(self.far.enter(uplink::spoilt), 0, "at the far side");
    }
}

fn hosted(lab: &Lab) -> Node {
    lab.hosted("node")
}

#[test]
fn from_tap_to_tap() {
    Between::run("from_tap_to_tap", hosted, |b| {
        b.stream("10.77.0.2");
        b.datagrams("10.77.0.1", "10.77.0.2");
        assert_long(&b.node, &["virt0", "virt1"]);
        b.assert_sound();
    });
}

/// What our kernel has no protocol for is whole when it goes on.
#[test]
fn ipv6_from_tap_to_tap() {
    Between::run("ipv6_from_tap_to_tap", hosted, |b| {
        ip("addr add fd77::1/64 dev tap0 nodad");
        b.far.enter(|| ip("addr add fd77::2/64 dev tap1 nodad"));
        b.stream("fd77::2");
        b.datagrams("fd77::1", "fd77::2");
        b.assert_sound();
    });
}

/// Whether Linux can make devices of this kind here; a test that does without says so.
fn has(kind: &str, name: &str) -> bool {
    let made =
        Command::new("ip").args(["link", "add", name, "type"]).args(kind.split(' ')).output();
    let has = made.unwrap().status.success();
    if !has {
        println!("NOT TESTED: this system has no devices of type {kind}");
    }
    has
}

/// A checksum that is not where a packet's own would be: of the packet inside of it.
#[test]
fn a_tunnel_from_tap_to_tap() {
    Between::run("a_tunnel_from_tap_to_tap", hosted, |b| {
        let tunnel = |remote: &str, addr: &str| {
            let kind = format!("vxlan id 7 remote {remote} dstport 4789");
            if !has(&kind, "tunnel") {
                return false;
            }
            ip(&format!("addr add {addr}/24 dev tunnel"));
            ip("link set tunnel up");
            true
        };
        if tunnel("10.77.0.2", "10.78.0.1") {
            b.far.enter(|| tunnel("10.77.0.1", "10.78.0.2"));
            b.stream("10.78.0.2");
            b.datagrams("10.78.0.1", "10.78.0.2");
            b.assert_sound();
        }
    });
}

#[test]
fn a_kernel_without_a_protocol_has_whole_frames() {
    let boot = |lab: &Lab| lab.boot_of(&BRIDGE, &Options { name: "bridge", ..Options::default() });
    let test = "a_kernel_without_a_protocol_has_whole_frames";
    Between::run(
        test,
        |lab| boot(lab).unwrap(),
        |b| {
            b.stream("10.77.0.2");
            b.datagrams("10.77.0.1", "10.77.0.2");
            assert!(lengths(&b.node, "virt0").iter().all(|len| *len <= 1514));
            b.assert_sound();
        },
    );
}

#[test]
fn through_a_router_to_a_narrower_link() {
    namespace::run("through_a_router_to_a_narrower_link", || {
        uplink::tap();
        let lab = uplink::lab();
        let node = lab.hosted("router");
        node.enter(|l| {
            config::create(l, "virt0")?;
            config::add_addr(l, "virt0", KERNEL.into(), 24)?;
            config::create(l, "virt1")?;
            config::set_mtu(l, "virt1", 1000)?;
            config::add_addr(l, "virt1", [10, 78, 0, 1].into(), 24)
        })
        .unwrap()
        .unwrap();
        let far = uplink::far_side("10.78.0.2/24");
        ip("route add 10.78.0.0/24 via 10.77.0.2");
        far.enter(|| ip("route add 10.77.0.0/24 via 10.78.0.1"));
        let talk = || {
            let listener = far.enter(|| TcpListener::bind("10.78.0.2:80").unwrap());
            between(LEN, || Ok(listener.accept()?.0), || TcpStream::connect("10.78.0.2:80"));
        };
        // Linux wants no packet of these cut, and hears that they are too long.
        talk();
        assert!(node.counter("ip", "cant_fragment") > 0);
        assert_long(&node, &["virt0", "virt1"]);
        // And now of these, which are.
        ip("route flush cache");
        std::fs::write("/proc/sys/net/ipv4/ip_no_pmtu_disc", "1").unwrap();
        talk();
        assert!(node.counter("ip", "fragmented") > 0);
        assert_eq!([uplink::spoilt(), far.enter(uplink::spoilt)], [0; 2]);
        assert_sound(&[&node]);
    });
}

/// Onto a bus, in memory or in a file, by a bridge.
fn onto_a_bus(test: &str, bus: impl FnOnce() -> String) {
    namespace::run(test, || {
        uplink::tap();
        let half = Linux::builder().io("shmif", shmif_linux::files());
        let lab = Lab::on(half.io("virtif", virtif_linux::taps()).build());
        let (node, peer, bus) = (lab.hosted("bridge"), lab.hosted("peer"), bus());
        uplink::bridge(&node, "shmif0", &bus);
        peer.plug("shmif0", &bus, (FAR, 24)).unwrap();
        assert_eq!(peer.ping(HOST).unwrap().kind, 0);
        linux_calls(&peer, FAR);
        assert_long(&node, &["virt0", "shmif0"]);
        assert_sound(&[&node, &peer]);
    });
}

#[test]
fn onto_a_bus_in_memory() {
    onto_a_bus("onto_a_bus_in_memory", || "bus".to_owned());
}

#[test]
fn onto_a_bus_in_a_file() {
    let scratch = Scratch::new();
    onto_a_bus("onto_a_bus_in_a_file", || scratch.text("bus"));
}

/// Two kernels on a virtual network, whose frames Linux passes on.
#[test]
fn under_a_tag() {
    namespace::run("under_a_tag", || {
        if !has("bridge", "br0") {
            return;
        }
        ip("link set br0 up");
        let lab = uplink::lab();
        let nodes = [0, 1].map(|n: u8| {
            ip(&format!("tuntap add dev tap{n} mode tap"));
            ip(&format!("link set tap{n} master br0 up"));
            let (node, name) = (lab.hosted("node"), format!("virt{n}"));
            node.enter(|l| {
                config::create(l, &name)?;
                config::set_up(l, &name, true)?;
                config::create(l, "vlan0")?;
                vlan::set(l, "vlan0", &name, 7)?;
                Ok::<_, Errno>(config::add_addr(l, "vlan0", [10, 78, 0, 1 + n].into(), 24)?)
            })
            .unwrap()
            .unwrap();
            node
        });
        assert_eq!(nodes[0].ping([10, 78, 0, 2]).unwrap().kind, 0);
        let listener = local::TcpListener::bind(&nodes[1], "0.0.0.0:80").unwrap();
        let connect = || local::TcpStream::connect(&nodes[0], "10.78.0.2:80");
        between(LEN, || Ok(listener.accept()?.0), connect);
        assert_long(&nodes[0], &["virt0", "vlan0"]);
        assert_long(&nodes[1], &["virt1", "vlan0"]);
        assert_sound(&[&nodes[0], &nodes[1]]);
    });
}
