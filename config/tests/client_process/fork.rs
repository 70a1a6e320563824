//! Fork: parent and child are processes of the kernel, whoever of them dies.

use std::io::Read;

use remote::{Client, Error, Fork, UdpSocket};
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

use super::{
    EADDRINUSE, EAGAIN, ENOTCONN, ESRCH, Part, Run, client, errno, run, served, udp, within,
};

pub const TESTS: &[Run] = &[
    ("parent_and_child_use_their_sockets", || run("family")),
    ("a_child_that_is_killed_leaves_nothing", || run("killed")),
    ("a_child_that_never_came_is_cancelled", || run("never came")),
    ("a_child_outlives_its_parent", orphan),
    ("a_cookie_is_good_once", || run("cookies")),
    ("a_child_that_says_nothing_is_a_client_of_its_own", || run("silent")),
    ("a_parent_with_threads", || run("threads")),
];

pub const PARTS: &[Run] = &[
    ("family", family_part),
    ("killed", killed_part),
    ("never came", never_came_part),
    ("orphan", orphan_part),
    ("cookies", cookies_part),
    ("silent", silent_part),
    ("threads", threads_part),
];

/// Forks; the child ends with what `child` does.
pub fn fork(client: &Client, child: impl FnOnce()) -> u32 {
    // SAFETY: the child does what these tests do, in which no other thread holds a lock.
    match unsafe { client.fork() }.unwrap() {
        Fork::Parent(pid) => pid,
        Fork::Child => {
            child();
            std::process::exit(0);
        }
    }
}

/// Forks the host's process only.
fn fork_plainly(child: impl FnOnce()) -> u32 {
    // SAFETY: as above.
    match unsafe { libc::fork() } {
        0 => {
            child();
            std::process::exit(0);
        }
        pid => u32::try_from(pid).expect("a child"),
    }
}

/// Waits for a child of ours; its exit status, if it was not killed.
pub fn status_of(pid: u32) -> Option<i32> {
    let status = waitpid(Pid::from_raw(pid as i32), WaitOptions::empty()).unwrap();
    status.unwrap().1.exit_status()
}

/// Until nobody has this port any more: what a process had, ends a little after it.
fn becomes_free(client: &Client, port: u16) {
    within(30, "the end of a process's socket", || {
        UdpSocket::bind(client, ("127.0.0.1", port)).is_ok()
    });
}

fn text(socket: &UdpSocket) -> String {
    let mut buf = [0; 64];
    let n = socket.recv(&mut buf).unwrap();
    String::from_utf8_lossy(&buf[..n]).into_owned()
}

fn family_part() {
    let client = client();
    let (before, ours) = (client.pid(), udp(&client, 5));
    let child = fork(&client, || {
        assert_ne!(client.pid(), before);
        assert_eq!(client.getpid().unwrap(), client.pid());
        let own = udp(&client, 6);
        // What was there before is the same for both.
        ours.send_to(b"the child", "127.0.0.1:5").unwrap();
        assert_eq!(text(&own), "the parent");
        // The child of a child.
        let parent = client.pid();
        let grandchild = fork(&client, || {
            assert!(![before, parent].contains(&client.getpid().unwrap()));
            drop((ours.try_clone().unwrap(), udp(&client, 7)));
            own.send_to(b"the grandchild", "127.0.0.1:5").unwrap();
        });
        drop(own);
        assert_eq!(status_of(grandchild), Some(0));
    });
    assert_eq!(text(&ours), "the child");
    ours.send_to(b"the parent", "127.0.0.1:6").unwrap();
    assert_eq!(text(&ours), "the grandchild");
    assert_eq!(status_of(child), Some(0));
    assert_eq!((client.pid(), client.getpid().unwrap()), (before, before));
    // What only they had is free; what they shared with us is ours.
    becomes_free(&client, 6);
    becomes_free(&client, 7);
    ours.send_to(b"still", "127.0.0.1:5").unwrap();
    assert_eq!(text(&ours), "still");
    drop(ours);
    becomes_free(&client, 5);
}

fn killed_part() {
    let client = client();
    let ours = udp(&client, 5);
    for _ in 0..20 {
        let child = fork(&client, || {
            let _own = udp(&client, 6);
            ours.send_to(b"here", "127.0.0.1:5").unwrap();
            kill_process(getpid(), Signal::KILL).unwrap();
        });
        assert_eq!(text(&ours), "here");
        assert_eq!(status_of(child), None, "killed");
        becomes_free(&client, 6);
    }
    assert_eq!(client.sysctl("net.inet.sockets").unwrap().lines().skip(1).count(), 1);
}

fn never_came_part() {
    let client = client();
    let ours = udp(&client, 5);
    // More often than there may be at a time.
    for _ in 0..40 {
        let cookie = client.prefork().unwrap();
        let child = fork_plainly(|| {
            // SAFETY: it ends this process, which has nothing to tidy up.
            unsafe { libc::_exit(3) }
        });
        assert_eq!(status_of(child), Some(3));
        client.fork_cancel(&cookie).unwrap();
    }
    // The copy has our sockets, until it is cancelled.
    let cookie = client.prefork().unwrap();
    drop(ours);
    assert_eq!(errno(UdpSocket::bind(&client, "127.0.0.1:5")), EADDRINUSE);
    client.fork_cancel(&cookie).unwrap();
    udp(&client, 5);
}

fn orphan() {
    let place = served();
    // What the child says comes last, since the parent does not wait for it.
    let said = Part::new("orphan", &place.url("a")).end();
    assert_eq!(said, (Some(0), "the child has it\n".into()));
}

fn orphan_part() {
    let client = client();
    let ours = udp(&client, 5);
    let cookie = client.prefork().unwrap();
    let (mut ends, lives) = std::io::pipe().unwrap();
    // SAFETY: as above.
    match unsafe { libc::fork() } {
        0 => {
            drop(lives);
            // The parent has gone, and its process in the kernel with it.
            assert_eq!(ends.read(&mut [0]).unwrap(), 0);
            client.fork_init(&cookie).unwrap();
            assert_eq!(ours.local_addr().unwrap().port(), 5);
            ours.send_to(b"me", "127.0.0.1:5").unwrap();
            assert_eq!(text(&ours), "me");
            eprintln!("the child has it");
        }
        child => {
            assert!(child > 0);
            drop(ends);
            std::process::exit(0);
        }
    }
}

fn cookies_part() {
    let client = client();
    let refused = |cookie| match client.fork_init(cookie) {
        Err(Error::Refused { errno, .. }) => errno,
        other => panic!("{other:?}"),
    };
    let cookies: Vec<_> = (0..16).map(|_| client.prefork().unwrap()).collect();
    assert_eq!(errno(client.prefork()), EAGAIN, "there may be 16");
    client.fork_cancel(&cookies[0]).unwrap();
    assert!(client.getpid().is_ok());
    assert_eq!(refused(&cookies[0]), ESRCH, "cancelled");
    let child = fork_plainly(|| {
        client.fork_init(&cookies[1]).unwrap();
        assert_eq!(client.getpid().unwrap(), client.pid());
    });
    assert_eq!(status_of(child), Some(0));
    assert_eq!(refused(&cookies[1]), ESRCH, "used");
    client.prefork().unwrap();
}

fn silent_part() {
    let client = client();
    let (before, ours) = (client.pid(), udp(&client, 5));
    let child = fork_plainly(|| {
        assert_eq!(errno(ours.send_to(b"x", "127.0.0.1:5")), ENOTCONN, "it is the parent's");
        let pid = client.getpid().unwrap();
        assert_eq!(pid, client.pid());
        assert_ne!(pid, before);
        assert_eq!(errno(ours.local_addr()), ENOTCONN);
        udp(&client, 6).send_to(b"from outside", "127.0.0.1:5").unwrap();
    });
    assert_eq!(text(&ours), "from outside");
    assert_eq!(status_of(child), Some(0));
    assert_eq!(client.getpid().unwrap(), before);
}

fn threads_part() {
    let client = client();
    let (blocked, quiet) = (udp(&client, 5), udp(&client, 6));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| text(&blocked));
        for round in 0..20 {
            let child = fork(&client, || {
                let own = udp(&client, 7);
                own.send_to(b"child", "127.0.0.1:6").unwrap();
                // SAFETY: the parent's threads are not here, so nothing of theirs is tidied up.
                unsafe { libc::_exit(0) }
            });
            assert_eq!(text(&quiet), "child", "round {round}");
            assert_eq!(status_of(child), Some(0));
            becomes_free(&client, 7);
        }
        assert!(!waits.is_finished());
        quiet.send_to(b"at last", "127.0.0.1:5").unwrap();
        assert_eq!(waits.join().unwrap(), "at last");
    });
}
