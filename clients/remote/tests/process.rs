//! What concerns the whole program: fork, exec, signals, and what is said while reconnecting.
//!
//! This program starts itself for each part (`PART` in the environment), so that a server in the
//! first has nothing to do with the clients in the others.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use remote::{Client, Fork, Retry};
use support::{PARK, Server};
use wire::{How, Kind};

const EINTR: i32 = 4;

fn main() {
    match std::env::var("PART").as_deref() {
        Err(_) => {
            // Names come as arguments: a filter, as the usual harness has it.
            let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
            for (name, test) in TESTS {
                if filter.as_ref().is_none_or(|filter| name.contains(filter)) {
                    test();
                    println!("test {name} ... ok");
                }
            }
        }
        Ok("fork") => fork_part(),
        Ok("silent") => silent_part(),
        Ok("exec") => exec_part(),
        Ok("executed") => executed_part(),
        Ok("signal") => signal_part(),
        Ok("die") => policy_part(Retry::Die),
        Ok("inftime") => policy_part(Retry::Inftime),
        Ok(other) => panic!("{other}"),
    }
}

const TESTS: &[(&str, fn())] = &[
    ("fork_makes_a_process_of_its_own", fork),
    ("a_child_that_says_nothing_is_a_client_of_its_own", silent),
    ("exec_keeps_the_process", exec),
    ("a_signal_cancels_a_call", signal),
    ("die_exits", die),
    ("inftime_says_what_it_does", inftime),
];

/// This program again, for one part.
fn part(name: &str, server: &Server) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .env("PART", name)
        .env("RUMP_SERVER", server.url())
        .stderr(Stdio::piped())
        .stdout(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Waits for a part to end; answers its status and what it said.
fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn ends_well(child: Child) {
    let (status, said) = end(child);
    assert_eq!(status, Some(0), "{said}");
}

fn fork() {
    let server = Server::new();
    let child = part("fork", &server);
    let mut parent = server.welcome(1);
    // Once it is cancelled, and once it is used.
    for cookie in [[6; 16], [7; 16]] {
        let (header, _) = parent.read().unwrap();
        assert_eq!(header.kind, Kind::Prefork);
        parent.write(Kind::Cookie, header.request, &cookie);
        if cookie == [6; 16] {
            let (header, body) = parent.read().unwrap();
            assert_eq!((header.kind, body), (Kind::Unfork, vec![6; 16]));
        }
    }
    let mut forked = server.accept();
    assert_eq!(forked.welcome(2), How::Fork([7; 16]));
    let parked = forked.call();
    assert_eq!(parked.number, PARK);
    let call = parent.call();
    parent.answer(call.request, 1, &[]);
    // The parent lets its connection go: it ends, though the child lives.
    assert!(parent.read().is_none());
    forked.answer(parked.request, 5, &[]);
    assert!(forked.read().is_none());
    ends_well(child);
}

fn fork_part() {
    let client = Client::from_env().unwrap();
    let cookie = client.prefork().unwrap();
    client.fork_cancel(&cookie).unwrap();
    // SAFETY: this program has one thread.
    match unsafe { client.fork() }.unwrap() {
        Fork::Child => {
            assert_eq!(client.pid(), 2);
            assert_eq!(client.call(PARK, &mut []).unwrap(), 5);
        }
        Fork::Parent(child) => {
            assert_eq!(client.getpid().unwrap(), 1);
            drop(client);
            wait_for(child as i32);
        }
    }
}

fn silent() {
    let server = Server::new();
    let child = part("silent", &server);
    let mut parent = server.welcome(1);
    let mut forked = server.accept();
    assert_eq!(forked.welcome(2), How::Guest);
    let parked = forked.call();
    assert!(
        parent.read().is_none(),
        "the parent's ends with the parent, and nothing was said on it"
    );
    forked.answer(parked.request, 5, &[]);
    assert!(forked.read().is_none());
    ends_well(child);
}

fn silent_part() {
    let client = Client::from_env().unwrap();
    // SAFETY: this program has one thread.
    match unsafe { libc::fork() } {
        0 => assert_eq!(client.call(PARK, &mut []).unwrap(), 5),
        child => {
            drop(client);
            wait_for(child);
        }
    }
}

fn wait_for(child: i32) {
    let child = rustix::process::Pid::from_raw(child);
    let done = rustix::process::waitpid(child, rustix::process::WaitOptions::empty());
    assert_eq!(done.unwrap().unwrap().1.exit_status(), Some(0));
}

fn exec() {
    let server = Server::new();
    let child = part("exec", &server);
    let mut peer = server.accept();
    assert_eq!(peer.welcome(3), How::Guest);
    let parked = first_parked(&mut peer);
    // All calls end first. One that was about to be sent may be told twice.
    loop {
        let (header, body) = peer.read().unwrap();
        match header.kind {
            Kind::Cancel if header.request == parked.request => {
                peer.answer(parked.request, -4, &[]);
                break;
            }
            Kind::Cancel => {}
            other => panic!("{other:?} {body:?}"),
        }
    }
    let hello = loop {
        let (header, body) = peer.read().unwrap();
        if header.kind != Kind::Cancel {
            break (header, body);
        }
    };
    assert_eq!(wire::Hello::parse(&hello.1).unwrap().how, How::Exec);
    peer.write(Kind::Welcome, hello.0.request, &support::welcome_body(3));
    let call = peer.call();
    peer.answer(call.request, 3, &[]);
    // The same environment means another connection the second time.
    let mut second = server.accept();
    assert_eq!(second.welcome(4), How::Guest);
    assert!(second.read().is_none());
    ends_well(child);
}

fn exec_part() {
    let client = Client::from_env().unwrap();
    let parked = client.clone();
    thread::spawn(move || parked.call(PARK, &mut []));
    while client.getpid().unwrap() == 0 {}
    let mut program = Command::new(std::env::current_exe().unwrap());
    // The new program finds its server from another directory, and without being told again.
    program.env("PART", "executed").env_remove("RUMP_SERVER").current_dir("/");
    panic!("{}", client.exec(&mut program));
}

fn executed_part() {
    let client = Client::from_env().unwrap();
    assert_eq!((client.pid(), client.getpid().unwrap()), (3, 3));
    assert_eq!(Client::from_env().unwrap().pid(), 4);
}

/// Answers calls until one is to wait, and until somebody has asked after that.
fn first_parked(peer: &mut support::Peer) -> support::Call {
    let mut parked = None;
    loop {
        match (peer.call(), parked.take()) {
            (call, Some(parked)) => {
                peer.answer(call.request, 1, &[]);
                return parked;
            }
            (call, None) if call.number == PARK => parked = Some(call),
            (call, None) => peer.answer(call.request, 0, &[]),
        }
    }
}

/// Sends signals until the client says something.
fn signal_until_it_speaks(child: &Child, peer: &support::Peer) {
    let pid = rustix::process::Pid::from_child(child);
    while nothing_to_read(&peer.stream) {
        rustix::process::kill_process(pid, rustix::process::Signal::USR1).unwrap();
        thread::yield_now();
    }
}

fn signal() {
    let server = Server::new();
    let child = part("signal", &server);
    let mut peer = server.welcome(1);
    // The first thread reads for both; the signal is for the second one.
    let other = first_parked(&mut peer);
    let ours = peer.call();
    signal_until_it_speaks(&child, &peer);
    let (header, _) = peer.read().unwrap();
    assert_eq!((header.kind, header.request), (Kind::Cancel, ours.request));
    peer.answer(ours.request, -4, &[]);
    peer.answer(other.request, 5, &[]);
    // Now the one that the signal is for reads for itself.
    let ours = peer.call();
    signal_until_it_speaks(&child, &peer);
    let (header, _) = peer.read().unwrap();
    assert_eq!((header.kind, header.request), (Kind::Cancel, ours.request));
    peer.answer(ours.request, -4, &[]);
    assert!(peer.read().is_none());
    ends_well(child);
}

fn nothing_to_read(stream: &std::os::unix::net::UnixStream) -> bool {
    let flags = rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT;
    rustix::net::recv(stream, &mut [0; 1], flags).is_err()
}

fn signal_part() {
    extern "C" fn nothing(_: i32) {}
    // SAFETY: the handler does nothing. Without SA_RESTART calls of the host end with EINTR.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(i32) as usize;
        libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut());
    }
    let client = Client::from_env().unwrap();
    let other = client.clone();
    let other = thread::spawn(move || {
        // SAFETY: a set of signals is filled and used.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
        }
        other.call(PARK, &mut []).unwrap()
    });
    while client.getpid().unwrap() == 0 {}
    let interrupted = || {
        let error = client.call(PARK, &mut []).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(EINTR));
    };
    interrupted();
    assert_eq!(other.join().unwrap(), 5);
    interrupted();
}

fn policy_part(retry: Retry) {
    let client = Client::builder().retry(retry).from_env().unwrap();
    while client.getpid().is_err() {}
    assert_eq!(client.pid(), 2);
}

fn die() {
    let server = Server::new();
    let child = part("die", &server);
    drop(server.welcome(1));
    let _folder = server.die();
    assert_eq!(end(child), (Some(1), String::new()));
}

fn inftime() {
    let server = Server::new();
    let mut child = part("inftime", &server);
    let mut peer = server.welcome(1);
    // The server's socket is gone before its client notices.
    let folder = server.die();
    peer.call();
    drop(peer);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = said.next().unwrap().unwrap();
    assert_eq!(first, "connection to kernel lost, trying to reconnect ...");
    let server = Server::again(folder);
    server.welcome(2).serve(2);
    assert_eq!(said.next().unwrap().unwrap(), "reconnected!");
    ends_well(child);
}
