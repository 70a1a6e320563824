//! The README's tour of the host's network, with the programs that are installed, in a network
//! namespace.

use std::io::{Read, Write};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tests::dhcp_server::DhcpServer;
use tests::{Scratch, namespace};

/// Where cargo put the program `name`, which another package of the workspace has.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let programs = test.parent().and_then(Path::parent).unwrap();
    let program = programs.join(name);
    assert!(program.is_file(), "{name} is not built: test the whole workspace, or build it first");
    program
}

/// A folder with the programs in it.
struct Place(Scratch);

impl Place {
    fn new() -> Place {
        let place = Place(Scratch::new());
        let link = |name: &str, to: &str| {
            std::os::unix::fs::symlink(program(to), place.0.path(name)).unwrap();
        };
        link("rump_server", "rump_server");
        let tools =
            ["rump", "rump.ifconfig", "rump.ping", "rump.nc", "rump.dhcpclient", "rump.halt"];
        for name in tools {
            link(name, "rump");
        }
        place
    }

    /// Runs a script of the shell.
    fn sh(&self, script: &str) -> Output {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("sh");
        command.args(["-ec", script]).current_dir(self.0.folder()).stdin(Stdio::null());
        command.env("PATH", format!("{}:{path}", self.0.folder().display()));
        command.env("XDG_RUNTIME_DIR", self.0.folder()).env("RUMP_SERVER", "unix://www");
        command.output().unwrap()
    }

    /// Runs one that has to succeed; what it says.
    #[track_caller]
    fn does(&self, script: &str) -> String {
        let output = self.sh(script);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs one that has to fail; why it does.
    #[track_caller]
    fn fails(&self, script: &str) -> String {
        let output = self.sh(script);
        assert!(!output.status.success(), "{script} succeeds");
        String::from_utf8(output.stderr).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.sh("rump.halt || :; RUMP_SERVER=unix://other rump.halt");
    }
}

/// The commands between two lines of the README.
fn tour() -> String {
    let readme = include_str!("../../README.md");
    let from = readme.find("export RUMP_SERVER=unix://www").expect("the README's tour");
    let tour = &readme[from..];
    let tour = &tour[..tour.find("```").unwrap()];
    // In its namespace the test is root and has no need for sudo; it may lack the host's ping.
    let line = |line: &str| match line.strip_prefix("sudo ").unwrap_or(line) {
        host if host.starts_with("ping ") => format!("if command -v ping; then {host}; fi\n"),
        other => format!("{other}\n"),
    };
    tour.lines().map(line).collect()
}

#[test]
fn the_readme_s_tour() {
    namespace::run("the_readme_s_tour", || {
        let place = Place::new();
        let said = place.does(&tour());
        assert!(said.contains("64 bytes from 10.77.0.1: icmp_seq=1"), "{said}");

        // Fetched from a server of this machine.
        let listener = std::net::TcpListener::bind("10.77.0.1:8000").unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, from) = listener.accept().unwrap();
            let mut request = [0; 18];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello\n").unwrap();
            (from.ip().to_string(), request)
        });
        let said = place.does("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | rump.nc 10.77.0.1 8000");
        assert_eq!(said, "HTTP/1.0 200 OK\r\n\r\nhello\n");
        let (from, request) = server.join().unwrap();
        assert_eq!((from.as_str(), &request), ("10.77.0.2", b"GET / HTTP/1.0\r\n\r\n"));

        // What goes wrong is said.
        let said = place.fails("rump.ifconfig virt0 create");
        assert!(said.contains("virt0: exists already"), "{said}");
        namespace::ip("tuntap add dev tap7 mode tap");
        place.does("rump_server -l netinet -l virtif unix://other; RUMP_SERVER=unix://other rump.ifconfig virt7 create");
        let said = place.fails("rump.ifconfig virt7 create");
        assert!(said.contains("has the host's device open"), "{said}");
        place.does("RUMP_SERVER=unix://other rump.halt");
        let said = place.fails("rump.ifconfig virt0 linkstr lo");
        assert!(said.contains("of another kind"), "{said}");
        let said = place.fails("rump.dhcpclient virt0");
        assert!(said.contains("start its server with -l dhcp"), "{said}");
    });
}

#[test]
fn an_address_by_dhcp() {
    namespace::run("an_address_by_dhcp", || {
        let place = Place::new();
        namespace::ip("tuntap add dev tap0 mode tap");
        namespace::ip("addr add 10.77.0.1/24 dev tap0");
        namespace::ip("link set tap0 up");
        namespace::ip("route add 255.255.255.255 dev tap0");
        place.does("rump_server -l virtif -l dhcp unix://www; rump.ifconfig virt0 create");
        let said = place.fails("rump.dhcpclient -w 0.2 virt0");
        assert!(said.contains("no server answers; the kernel goes on asking"), "{said}");
        place.does("rump.dhcpclient -r virt0");

        let socket = UdpSocket::bind("0.0.0.0:67").unwrap();
        socket.set_broadcast(true).unwrap();
        let mut server = DhcpServer::new([10, 77, 0, 1], [10, 77, 0, 50], 3600);
        std::thread::spawn(move || {
            let mut buf = [0; 2000];
            while let Ok((n, _)) = socket.recv_from(&mut buf) {
                if let Some((answer, _)) = server.answer(&buf[..n]) {
                    socket.send_to(&answer, "255.255.255.255:68").unwrap();
                }
            }
        });
        let said = place.does("rump.dhcpclient virt0");
        let expected = "virt0: 10.77.0.50/24 from 10.77.0.1 for 3600 s, router 10.77.0.1, \
                        dns 9.9.9.9 8.8.8.8\n";
        assert_eq!(said, expected);
        assert!(place.does("rump.ping -c 1 10.77.0.1").contains("1 received"));
        let json = place.does("rump.dhcpclient --json virt0");
        assert!(
            json.contains("\"address\":\"10.77.0.50\"") && json.contains("\"lease\":3600"),
            "{json}"
        );
        assert_eq!(place.does("rump.dhcpclient -r virt0"), "");
        assert!(!place.does("rump.ifconfig virt0").contains("inet"));
        let said = place.fails("rump.dhcpclient lo0");
        assert!(said.contains("only interfaces of Ethernets"), "{said}");
        let said = place.fails("rump.dhcpclient virt9");
        assert!(said.contains("no such interface"), "{said}");
    });
}
