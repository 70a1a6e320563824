//! Bus files that cannot be: a full disk, no permission, no descriptors; and `shmif_dumpbus`.

mod peer;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use net::MacAddr;
use peer::{Child, NOISE, Peer, seat, told, until};
use rustix::process::{Resource, Rlimit, setrlimit};
use shmif::host::FileError;

fn join(path: &Path) -> Result<Box<dyn shmif::host::Seat>, FileError> {
    seat(path).0
}

/// What children do.
#[test]
fn child() {
    let Some((what, path)) = told() else { return };
    match what.as_str() {
        "full" => full_disk(&path),
        "descriptors" => no_descriptors(&path),
        "send" => {
            let me = Peer::join(&path, [2, 0, 0, 0, 0, 9], |_, _| {}).unwrap();
            for n in 0..20u8 {
                me.send(MacAddr::BROADCAST, NOISE, &[n; 100]).unwrap();
            }
            std::fs::write(path.with_extension("sent"), []).unwrap();
            loop {
                std::thread::park();
            }
        }
        other => panic!("{other}"),
    }
}

/// In a file system of 160 pages: there is room for one member (131 pages), not for two.
fn full_disk(folder: &Path) {
    let path = folder.join("bus");
    let heard = Arc::new(AtomicU32::new(0));
    let count = heard.clone();
    let hear = move |_: &Peer, _: &[u8]| _ = count.fetch_add(1, Ordering::Relaxed);
    let one = Peer::join(&path, [2, 0, 0, 0, 0, 1], hear).unwrap();
    assert_eq!(join(&path).err(), Some(FileError::NoSpace));
    // Room for no other file either.
    assert_eq!(join(&folder.join("other")).err(), Some(FileError::NoSpace));
    // The member is none the worse for it, as often as it sends.
    for n in 0..5_000u32 {
        one.send(MacAddr::BROADCAST, NOISE, &n.to_le_bytes()).unwrap();
    }
    assert!(!one.is_broken());
}

fn no_descriptors(path: &Path) {
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
    assert_eq!(join(path).err(), Some(FileError::HostLimit));
}

#[test]
fn a_full_disk_is_an_error_when_joining() {
    let folder = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=640k none \"$BUS_PATH\" && exec \"$@\"";
    let probe = "mount -t tmpfs -o size=640k none \"$BUS_PATH\"";
    let unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"];
    let may = Command::new(unshare[0])
        .args(&unshare[1..])
        .arg(probe)
        .env("BUS_PATH", folder.path())
        .output()
        .is_ok_and(|output| output.status.success());
    if !may {
        eprintln!("SKIPPED: this system mounts no file system for a user (unshare -Urm)");
        return;
    }
    let by = [&unshare[..], &[mount, "sh"]].concat();
    let mut child = Child::wrapped(&by, "full", folder.path()).unwrap();
    assert!(child.wait().success());
}

#[test]
fn no_descriptors_are_an_error_when_joining() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Child::start("descriptors", &folder.path().join("bus"));
    assert!(child.wait().success());
}

#[test]
fn a_new_bus_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus");
    let _seat = join(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777 & !0o600, 0, "{mode:o}");
    // What is not read and written is not joined, but by root.
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
    let expected =
        if rustix::process::geteuid().is_root() { None } else { Some(FileError::Denied) };
    assert_eq!(join(&path).err(), expected);
}

#[test]
fn places_are_given_back_and_taken_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus");
    let len = || std::fs::metadata(&path).unwrap().len();
    let (one, two) = (join(&path).unwrap(), join(&path).unwrap());
    assert_eq!((one.index(), two.index(), len()), (0, 1, 1_064_960));
    drop(one);
    let again = join(&path).unwrap();
    assert_eq!((again.index(), len()), (0, 1_064_960));
    let many: Vec<_> = (2..64).map(|_| join(&path).unwrap()).collect();
    assert_eq!(many.last().unwrap().index(), 63);
    assert_eq!(join(&path).err(), Some(FileError::Full));
}

#[test]
fn a_bus_that_several_make_at_once_is_one() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..300 {
        let path = folder.path().join(round.to_string());
        let ready = std::sync::Barrier::new(4);
        let join = || {
            ready.wait();
            join(&path).map(|seat| seat.index())
        };
        let mut places = std::thread::scope(|scope| {
            let joined: Vec<_> = (0..4).map(|_| scope.spawn(join)).collect();
            joined.into_iter().map(|one| one.join().unwrap().unwrap()).collect::<Vec<_>>()
        });
        // A place may have been given back before the next one came.
        places.sort_unstable();
        assert!(places.len() == 4 && places[3] < 4, "{places:?}");
    }
}

#[test]
fn a_bus_in_memory_takes_only_what_is_used() {
    use std::os::fd::AsRawFd;
    let file = rustix::fs::memfd_create("bus", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let (one, two) = (join(Path::new(&path)).unwrap(), join(Path::new(&path)).unwrap());
    assert_eq!((one.index(), two.index()), (0, 1));
    let stat = rustix::fs::fstat(&file).unwrap();
    assert_eq!(stat.st_size, 1_064_960);
    assert!(stat.st_blocks * 512 < 64 * 1024, "{} blocks", stat.st_blocks);
}

/// Told, and how often.
struct Told(AtomicU32);

impl shmif::host::Bell for Told {
    fn ring(&self, _: &shmif::host::Offcpu) -> bool {
        self.0.fetch_add(1, Ordering::SeqCst);
        true
    }
}

#[test]
fn who_waits_for_a_file_that_was_cut_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    for (name, cut) in [("whole", false), ("cut", true)] {
        let path = folder.path().join(name);
        let (seat, files) = seat(&path);
        let (seat, told) = (seat.unwrap(), Arc::new(Told(AtomicU32::new(0))));
        seat.listen(told.clone()).unwrap();
        until("it has been told that it may look", || told.0.load(Ordering::SeqCst) != 0);
        let door = seat.map().slot(0).unwrap().door();
        // That it must be woken, which nobody does.
        until("the thread sleeps", || door.ring());
        if cut {
            std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        }
        seat.leave();
        until("the thread has let it go", || Arc::strong_count(&told) == 1);
        assert_eq!(seat.is_broken(), cut);
        drop((seat, files));
    }
}

fn dumpbus(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shmif_dumpbus")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn dumpbus_after_death() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus");
    let child = Child::start("send", &path);
    until("the sending of all frames", || path.with_extension("sent").exists());
    child.kill();
    let bus = path.to_str().unwrap();
    let listed = dumpbus(&[bus]);
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    let lines: Vec<&str> = text(&listed.stdout).lines().collect();
    assert_eq!(lines.len(), 21, "{lines:?}");
    assert!(lines[0].starts_with("slot 0.1: process "), "{}", lines[0]);
    assert!(lines[0].contains("02:00:00:00:00:09, lost 0"), "{}", lines[0]);
    assert!(
        lines[20].contains("slot 0.1 #19: 02:00:00:00:00:09 > ff:ff:ff:ff:ff:ff"),
        "{}",
        lines[20]
    );
    assert!(lines[20].ends_with("type 0x88b7, 114 bytes"), "{}", lines[20]);

    let capture = dumpbus(&["-p", "-", bus]).stdout;
    assert_eq!(capture.len(), 24 + 20 * (16 + 114));
    let last = &capture[capture.len() - 114..];
    assert_eq!((&last[12..14], last[14], last[113]), (&[0x88, 0xb7][..], 19, 19));
    let out = folder.path().join("out.pcap");
    assert!(dumpbus(&["-p", out.to_str().unwrap(), bus]).status.success());
    assert_eq!(std::fs::read(out).unwrap(), capture);
}

#[test]
fn dumpbus_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus");
    let bus = path.to_str().unwrap();
    let fails = |expected: &str| {
        let output = dumpbus(&[bus]);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(said.starts_with("shmif_dumpbus: ") && said.contains(expected), "{said}");
    };
    fails("No such file");
    std::fs::write(&path, "no bus").unwrap();
    fails("not a bus file");
    std::fs::remove_file(&path).unwrap();
    drop(join(&path).unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8] = 9;
    std::fs::write(&path, &bytes).unwrap();
    fails("version 9");
    // A file that was cut shows what is left.
    bytes[8] = 3;
    std::fs::write(&path, &bytes[..20_000]).unwrap();
    assert!(dumpbus(&[bus]).status.success());
    assert!(text(&dumpbus(&["--help"]).stdout).contains("Examples:"));
}
