//! Exec: another program goes on as the same process of the kernel.

use std::process::Command;

use remote::{Client, Descriptor, Retry, UdpSocket};

use super::fork::{fork, status_of};
use super::{EBADF, EOPNOTSUPP, Part, Place, Run, SERVER, client, errno, run, udp, within};

pub const TESTS: &[Run] = &[
    ("exec_keeps_the_process_and_its_descriptors", || run("exec")),
    ("a_child_is_replaced", || run("fork and exec")),
    ("exec_over_tcp", tcp),
    ("a_connection_with_a_key_cannot_be_left_to_another_program", keyed),
    ("after_the_servers_death_another_program_connects_anew", anew),
];

pub const PARTS: &[Run] = &[
    ("exec", exec_part),
    ("fork and exec", fork_and_exec_part),
    ("executed", executed_part),
    ("keyed", keyed_part),
    ("anew", anew_part),
    ("executed anew", executed_anew_part),
];

/// Ports that nobody may have, too.
const KEPT: u16 = 5005;
const CLOSED: u16 = 5006;

/// This program again, for another part. It finds its server from another directory, and without
/// being told again.
fn program(part: &str, client: &Client) -> Command {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.env("PART", part).env("PID", client.pid().to_string());
    program.env_remove("RUMP_SERVER").current_dir("/");
    program
}

fn replace(client: &Client) -> ! {
    let (kept, closed) = (udp(client, KEPT), udp(client, CLOSED));
    closed.descriptor().set_close_on_exec(true).unwrap();
    kept.send_to(b"from before", ("127.0.0.1", KEPT)).unwrap();
    // A call that waits does not keep the program from being replaced.
    let waits = closed.try_clone().unwrap();
    std::thread::spawn(move || waits.recv(&mut [0; 8]));
    // What cannot be started leaves all as it was.
    let error = client.exec(&mut Command::new("/does/not/exist"));
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert_eq!(client.getpid().unwrap(), client.pid());
    let mut program = program("executed", client);
    program.env("KEPT", kept.descriptor().fd().to_string());
    program.env("CLOSED", closed.descriptor().fd().to_string());
    panic!("{}", client.exec(&mut program));
}

fn exec_part() {
    replace(&client());
}

fn variable(name: &str) -> u32 {
    std::env::var(name).unwrap().parse().unwrap()
}

fn executed_part() {
    let client = client();
    let pid = variable("PID");
    assert_eq!((client.pid(), client.getpid().unwrap()), (pid, pid));
    let kept = UdpSocket::from(Descriptor::from_fd(&client, variable("KEPT")).unwrap());
    assert_eq!(kept.local_addr().unwrap().port(), KEPT);
    let mut buf = [0; 16];
    assert_eq!(kept.recv(&mut buf).unwrap(), 11);
    assert_eq!(&buf[..11], b"from before");
    assert_eq!(errno(Descriptor::from_fd(&client, variable("CLOSED"))), EBADF);
    // The connection is taken over once: who asks again is another client.
    let other = Client::from_env().unwrap();
    assert_ne!(other.pid(), pid);
    drop(kept);
    udp(&other, KEPT);
}

fn fork_and_exec_part() {
    let client = client();
    let ours = udp(&client, 5);
    let before = client.pid();
    let child = fork(&client, || replace(&client));
    assert_eq!(status_of(child), Some(0));
    assert_eq!(client.getpid().unwrap(), before);
    ours.send_to(b"x", "127.0.0.1:5").unwrap();
    assert_eq!(ours.recv(&mut [0; 8]).unwrap(), 1);
}

/// Serves over TCP; where.
fn serve_tcp(place: &Place, words: &str) -> String {
    let output = place.start(words);
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn tcp() {
    let place = Place::new();
    let url = serve_tcp(&place, "-l netinet tcp://127.0.0.1:0");
    Part::new("exec", &url).ends_well();
}

fn keyed() {
    let place = Place::new();
    let key = place.path().join("key");
    std::fs::write(&key, "5a".repeat(32)).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&key, private).unwrap();
    let url = serve_tcp(&place, "-l netinet tcp://127.0.0.1:0?key=key");
    let plain = url.split('?').next().unwrap();
    Part::new("keyed", &format!("{plain}?key={}", key.display())).ends_well();
}

fn keyed_part() {
    let client = client();
    let error = client.exec(&mut program("executed", &client));
    assert_eq!(error.raw_os_error(), Some(EOPNOTSUPP));
    assert_eq!(client.getpid().unwrap(), client.pid());
    // The child of a fork makes a connection of its own, with the key.
    let before = client.pid();
    let child = fork(&client, || assert_ne!(client.getpid().unwrap(), before));
    assert_eq!(status_of(child), Some(0));
}

fn anew() {
    let place = super::served();
    let mut part = Part::new("anew", &place.url("a"));
    assert_eq!(part.line(), "here");
    place.kill();
    // It notices that it is answered no more, and is replaced then.
    place.start(SERVER);
    part.ends_well();
}

fn anew_part() {
    let client = Client::builder().retry(Retry::Never).from_env().unwrap();
    println!("here");
    while client.getpid().is_ok() {}
    panic!("{}", client.exec(&mut program("executed anew", &client)));
}

fn executed_anew_part() {
    within(30, "another server", || {
        Client::from_env().is_ok_and(|client| client.getpid().unwrap() == client.pid())
    });
}
