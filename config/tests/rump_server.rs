//! The program `rump_server` from outside: starting, errors, trust, and the end.

mod server;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use remote::{Argument, Client, First, UdpSocket};
use rustix::process::Signal;
use server::{Place, halt, key_file, tcp_url, within};

const ROUTER: &str = "-lrumpnet -lrumpnet_net -lrumpnet_netinet -lrumpnet_shmif";

#[test]
fn clients_can_connect_as_soon_as_the_command_is_back() {
    let place = Place::new();
    for i in 0..20 {
        let name = format!("router{i}");
        place.start(&format!("{ROUTER} unix://{name}"));
        let client = place.connect(&name);
        assert_eq!(client.kernel(), name);
        assert_eq!(client.getpid().unwrap(), client.pid());
        let socket = UdpSocket::bind(&client, "127.0.0.1:7").unwrap();
        socket.send_to(b"to myself", "127.0.0.1:7").unwrap();
        let mut buf = [0; 16];
        assert_eq!(socket.recv(&mut buf).unwrap(), 9);
    }
    assert_eq!(place.pids().len(), 20);
}

#[test]
fn a_kernel_has_what_was_chosen() {
    let place = Place::new();
    place.start("unix://small");
    place.start("-l netinet -c 2 -r 16M --hostname here unix://net");
    place.start("--all unix://all");
    let components = |name: &str| {
        let table = place.connect(name).sysctl("kern.components").unwrap();
        let names = table.lines().skip(1).filter_map(|line| line.split('\t').next());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(components("small"), ["sysproxy"]);
    assert_eq!(components("net"), ["net", "netinet", "sysproxy"]);
    assert!(components("all").contains(&"shmif".to_owned()));
    let net = place.connect("net");
    assert_eq!(net.uname().unwrap().nodename, "here");
    assert_eq!(net.sysctl("hw.ncpu").unwrap(), "2");
    let limit = |of: &Client| of.sysctl("vm.limit").unwrap().parse::<u64>().unwrap();
    assert_eq!(limit(&net), 16 << 20);
    let machine = rustix::system::sysinfo();
    assert!(limit(&place.connect("small")) < machine.totalram * u64::from(machine.mem_unit) / 2);
    let error = UdpSocket::unbound(&place.connect("small")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(38), "ENOSYS: {error}");
}

#[test]
fn calls_travel_with_the_greeting() {
    let place = Place::new();
    place.start("-l netinet unix://a");
    let mut text = [0; 64];
    let name = *b"hw.ncpu";
    let mut socket = [2, 2, 0].map(Argument::Value);
    let mut nothing = [77].map(Argument::Value);
    let (to, len) = (Argument::Out(&mut text), Argument::Value(64));
    let mut ask =
        [Argument::In(&name), Argument::Value(7), to, len, Argument::Null, Argument::Value(0)];
    let mut calls = [(41, &mut socket[..]), (3, &mut nothing[..]), (500, &mut ask[..])]
        .map(|(number, arguments)| First::new(number, arguments));
    let url = place.url("a").parse().unwrap();
    let client = Client::builder().connect_and_call(&url, &mut calls).unwrap();
    let [socket, closed, len] = calls.map(|mut call| call.result().unwrap());
    assert_eq!((socket.unwrap(), closed.unwrap_err().raw_os_error()), (0, Some(9)), "EBADF");
    assert_eq!((len.unwrap(), &text[..1]), (1, &b"1"[..]));
    assert_eq!(client.getpid().unwrap(), client.pid());
}

#[test]
fn it_ends_with_its_halt_and_takes_its_socket_away() {
    let place = Place::new();
    place.start("-l netinet unix://a");
    let (waits, halts) = (place.connect("a"), place.connect("a"));
    let socket = UdpSocket::bind(&waits, "127.0.0.1:9").unwrap();
    let blocked = std::thread::spawn(move || socket.recv(&mut [0; 8]).unwrap_err());
    halt(&halts).unwrap();
    within(10, "the socket's end", || !place.path().join("a").exists());
    within(10, "the process's end", || place.pids().is_empty());
    blocked.join().unwrap();
    let error = Client::connect(&place.url("a")).unwrap_err().to_string();
    assert!(error.contains("no server at"), "{error}");
}

#[test]
fn signals_end_it_and_take_its_socket_away() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new();
        place.start("unix://a");
        let _client = place.connect("a");
        place.signal(signal);
        within(10, "the socket's end", || !place.path().join("a").exists());
        within(10, "the process's end", || place.pids().is_empty());
    }
}

#[test]
fn a_dead_servers_socket_is_replaced_and_a_live_ones_is_not() {
    let place = Place::new();
    place.start("unix://a");
    let error = place.refused("unix://a");
    assert!(error.contains("another server listens on unix://a"), "{error}");
    place.connect("a");
    place.kill();
    assert!(place.path().join("a").exists());
    place.start("unix://a");
    place.connect("a");
}

#[test]
fn what_cannot_be_served_is_refused_with_the_reason() {
    let place = Place::new();
    let long = "x".repeat(120);
    let refusals = [
        (format!("unix://{long}"), "the path has 120 bytes"),
        ("unix://no/a".into(), "no; make it first"),
        ("a".into(), "write unix://a"),
        ("-l netinit unix://a".into(), "the nearest known one is \"netinet\""),
        ("-c 65 unix://a".into(), "65 is not in 1..=64"),
        ("-r 1 unix://a".into(), "not enough memory to boot; raise memlimit"),
        ("tcp://0:0".into(), "can be reached by others, unauthenticated; add ?key=FILE"),
        ("tcp://127.0.0.1:0?key=none".into(), "key file none: No such file"),
        ("tcp://192.0.2.1:0?key=k".into(), "this machine has no address \"192.0.2.1\""),
    ];
    key_file(&place, "k");
    for (words, reason) in refusals {
        let error = place.refused(&words);
        assert!(error.contains(reason), "{words}: {error}");
    }
    assert_eq!(place.pids(), [0_u32; 0]);
}

#[test]
fn too_few_descriptors_have_their_own_error() {
    let place = Place::new();
    // Wherever it runs out of them.
    for limit in 4..12 {
        let program = env!("CARGO_BIN_EXE_rump_server");
        let script = format!("ulimit -n {limit}; exec {program} -l netinet unix://a");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).current_dir(place.path()).env("XDG_RUNTIME_DIR", place.path());
        let output = shell.output().unwrap();
        if output.status.success() {
            assert!(limit > 6, "that many are not enough");
            break;
        }
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("too few descriptors"), "{limit}: {error}");
    }
}

#[test]
fn the_soft_limit_of_descriptors_is_raised() {
    let place = Place::new();
    let program = env!("CARGO_BIN_EXE_rump_server");
    let script = format!("ulimit -S -n 16; exec {program} unix://a");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(place.path()).env("XDG_RUNTIME_DIR", place.path());
    assert!(shell.status().unwrap().success());
    let clients: Vec<Client> = (0..100).map(|_| place.connect("a")).collect();
    assert!(clients.iter().all(|client| client.getpid().is_ok()));
}

#[test]
fn over_tcp_without_a_key_everybody_is_nobody() {
    let place = Place::new();
    let url = tcp_url(&place, "-l netinet tcp://127.0.0.1:0");
    let client = Client::connect(&url).unwrap();
    assert_eq!(client.getuid().unwrap(), 65534);
    assert_eq!(halt(&client).unwrap_err().raw_os_error(), Some(1), "EPERM");
    assert_eq!(client.set_hostname("mine").unwrap_err().raw_os_error(), Some(1), "EPERM");
}

#[test]
fn over_tcp_the_key_decides() {
    let place = Place::new();
    key_file(&place, "right");
    key_file(&place, "wrong");
    let url = tcp_url(&place, "-l netinet tcp://127.0.0.1:0?key=right");
    let plain = url.split('?').next().unwrap();
    let key = |name: &str| format!("{plain}?key={}", place.path().join(name).display());
    let error = Client::connect(&key("wrong")).unwrap_err().to_string();
    assert!(error.contains("key"), "{error}");
    let patience = Duration::from_secs(5);
    let keyless = Client::builder().timeout(patience).connect(&plain.parse().unwrap());
    assert!(keyless.is_err(), "without a key nobody is let in");
    let client = Client::connect(&key("right")).unwrap();
    assert_eq!(client.getuid().unwrap(), 0);
    // More than a record.
    let socket = UdpSocket::bind(&client, "127.0.0.1:7").unwrap();
    socket.send_to(&[7; 60_000], "127.0.0.1:7").unwrap();
    assert_eq!(socket.recv(&mut [0; 65_000]).unwrap(), 60_000);
    halt(&client).unwrap();
    within(10, "the process's end", || place.pids().is_empty());
}

#[test]
fn who_says_nothing_is_sent_away() {
    let place = Place::new();
    let url = tcp_url(&place, "tcp://127.0.0.1:0");
    let place = url.strip_prefix("tcp://").unwrap();
    let mut silent = std::net::TcpStream::connect(place).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let start = Instant::now();
    assert_eq!(std::io::Read::read(&mut silent, &mut [0; 8]).unwrap(), 0, "a connection's end");
    assert!(start.elapsed() > Duration::from_secs(5));
}

#[test]
fn strangers_who_say_nothing_do_not_keep_others_out() {
    let place = Place::new();
    key_file(&place, "key");
    let program = env!("CARGO_BIN_EXE_rump_server");
    let script = format!("ulimit -n 320; exec {program} tcp://127.0.0.1:0?key=key");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(place.path()).env("XDG_RUNTIME_DIR", place.path());
    let url = String::from_utf8(shell.output().unwrap().stdout).unwrap();
    let address = url.trim().strip_prefix("tcp://").and_then(|url| url.split('?').next()).unwrap();
    let start = Instant::now();
    let mut strangers: Vec<_> =
        (0..600).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let key = place.path().join("key");
    let client = Client::connect(&format!("tcp://{address}?key={}", key.display())).unwrap();
    client.getpid().unwrap();
    // Long before their time is over the first have made room for the last.
    strangers[0].set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(std::io::Read::read(&mut strangers[0], &mut [0; 8]).unwrap(), 0);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

/// Runs as another user, out of `two_users`; by itself it has nothing to do.
#[test]
fn the_other_user() {
    match std::env::var("ANYKERNEL_TEST_OTHER_USER").as_deref() {
        Ok("let in") => {
            let client = Client::from_env().unwrap();
            assert_eq!(client.getuid().unwrap(), 65534);
            assert_eq!(halt(&client).unwrap_err().raw_os_error(), Some(1), "EPERM");
        }
        Ok("kept out") => {
            let error = Client::from_env().unwrap_err().to_string();
            assert!(error.contains("no permission for"), "{error}");
        }
        _ => {}
    }
}

#[test]
fn two_users() {
    let place = Place::new();
    let owner = std::fs::metadata(place.path()).map(|m| std::os::unix::fs::MetadataExt::uid(&m));
    if owner.unwrap() != 0 {
        eprintln!("only root can be two users; nothing was tested");
        return;
    }
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // The other user may not be let to where this program is.
    let program = place.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    place.start("unix://closed");
    place.start("--mode 666 unix://open");
    for (socket, outcome) in [("closed", "kept out"), ("open", "let in")] {
        let mut other = Command::new(&program);
        other.args(["--exact", "the_other_user"]).uid(65_000).gid(65_000).stdin(Stdio::null());
        other.env("RUMP_SERVER", place.url(socket)).env("ANYKERNEL_TEST_OTHER_USER", outcome);
        let output = other.current_dir("/").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{outcome}: {text}");
    }
    assert_eq!(place.connect("open").getuid().unwrap(), 0);
}
