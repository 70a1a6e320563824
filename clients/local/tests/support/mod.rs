//! What these tests share: kernels on simulations of several seeds and on the Linux host, and two
//! of them on a link.
#![allow(dead_code)]

pub mod program;

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use base::{Errno, Host, Kernel, Spec};
use local::{UdpSocket, ifconfig};
use sim::{Config, Sim};

base::kernel!(ROUTER = [net, netinet, shmif]);
base::kernel!(LINK = [net]);

pub const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// Runs `test` on simulations of several seeds, and on the Linux host.
pub fn everywhere(test: impl Fn(&Arc<dyn Host>)) {
    on_sims(|sim| test(&(sim.clone() as Arc<dyn Host>)));
    test(&(linux::Linux::new() as Arc<dyn Host>));
}

/// Runs `test` as the first thread of a simulation, once for each of several seeds.
pub fn on_sims(test: impl Fn(&Arc<Sim>)) {
    for seed in 0..10 {
        let sim = Sim::new(Config { seed, ..Config::default() });
        sim.run(|| test(&sim));
        assert_eq!(Arc::strong_count(&sim), 1, "seed {seed}: something is left of a kernel");
    }
}

/// Boots a kernel.
pub fn boot(host: &Arc<dyn Host>) -> Kernel {
    boot_spec(host, &ROUTER)
}

pub fn boot_spec(host: &Arc<dyn Host>, spec: &'static Spec) -> Kernel {
    Kernel::boot(host.clone(), spec).unwrap()
}

/// Two kernels on one link, at [`A`] and [`B`].
pub fn pair(host: &Arc<dyn Host>) -> (Kernel, Kernel) {
    let both = [A, B].map(|addr| {
        let kernel = boot(host);
        ifconfig::create(&kernel, "shmif0").unwrap();
        ifconfig::linkstr(&kernel, "shmif0", "link").unwrap();
        ifconfig::inet(&kernel, "shmif0", addr, 24).unwrap();
        kernel
    });
    both.into()
}

/// Drops the kernel and looks that nothing is charged to it.
pub fn end(kernel: Kernel) {
    let account = kernel.account().clone();
    drop(kernel);
    assert_eq!(account.used(), 0, "something stayed charged");
}

/// A socket at `addr` whose reads end after a second.
pub fn socket(kernel: &Kernel, addr: &str) -> UdpSocket {
    let socket = UdpSocket::bind(kernel, addr).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    socket
}

/// What is received next, as a text.
pub fn text(socket: &UdpSocket) -> String {
    let mut buf = [0; 2048];
    let n = socket.recv(&mut buf).unwrap();
    String::from_utf8(buf[..n].to_vec()).unwrap()
}

/// That nothing is there to receive.
pub fn silent(socket: &UdpSocket) {
    socket.set_nonblocking(true).unwrap();
    fails_with(socket.recv(&mut [0; 8]), Errno::WouldBlock);
    socket.set_nonblocking(false).unwrap();
}

/// That a call failed with that error number.
#[track_caller]
pub fn fails_with<R: std::fmt::Debug>(result: io::Result<R>, errno: Errno) {
    let error = result.expect_err("it should fail");
    assert_eq!(error.raw_os_error(), Some(errno.number()), "{error}, not {errno}");
}

/// The value of a counter.
pub fn counter(kernel: &Kernel, group: &str, name: &str) -> u64 {
    let mut found = None;
    kernel
        .enter(|l| {
            base::evcnt::each(l, &mut |g, n, value| {
                if (g, n) == (group, name) {
                    found = Some(value);
                }
            });
        })
        .unwrap();
    found.unwrap_or_else(|| panic!("no counter {group}.{name}"))
}

/// Sets a number by name.
pub fn sysctl(kernel: &Kernel, name: &str, value: i64) -> Result<(), Errno> {
    kernel.enter(|l| base::sysctl::set(l, name, base::sysctl::Value::Int(value))).unwrap()
}
