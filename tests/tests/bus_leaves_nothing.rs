//! What a bus in a file leaves in the process when its members have gone: nothing.
//!
//! Alone in its program, because it counts what the whole process has.

use std::fs;
use std::time::{Duration, Instant};

use linux::Linux;
use tests::{Lab, Scratch};

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The threads that wait for buses.
fn waiting() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm"));
    tasks.filter_map(|task| name(task).ok()).filter(|name| name.trim() == "shmif").count()
}

fn mapped(scratch: &Scratch) -> bool {
    let folder = scratch.folder().to_str().unwrap();
    fs::read_to_string("/proc/self/maps").unwrap().contains(folder)
}

/// The thread lets go by itself, and nobody waits for it.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn no_thread_no_descriptor_and_no_map_is_left() {
    let before = descriptors();
    let scratch = Scratch::new();
    let host = Linux::builder().io("shmif", shmif_linux::files()).build();
    let lab = Lab::on(host);
    for _ in 0..3 {
        let (a, b) = (lab.router("a"), lab.router("b"));
        a.plug("shmif0", &scratch.text("one"), ([10, 0, 0, 1], 24)).unwrap();
        b.plug("shmif0", &scratch.text("one"), ([10, 0, 0, 2], 24)).unwrap();
        a.plug("shmif1", &scratch.text("two"), ([10, 0, 1, 1], 24)).unwrap();
        assert_eq!(a.ping([10, 0, 0, 2]).unwrap().kind, 0);
        // One for all members of the host.
        until("the naming of the thread", || waiting() == 1);
        assert_eq!(descriptors(), before + 3);
        drop((a, b));
        until("the end of all", || waiting() == 0 && descriptors() == before && !mapped(&scratch));
    }
}
