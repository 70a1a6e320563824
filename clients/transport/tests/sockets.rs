//! Sockets: stale and live ones, servers that start at once, errors that say what to do.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use transport::{ConnectError, Key, KeyError, Listen, ListenError, Listener, Peer, Url, connect};

/// A folder that goes with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tk{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> PathBuf {
        self.0.join("s")
    }

    fn url(&self) -> Url {
        Url::Unix(self.path())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn listen(url: &Url) -> Result<Listener, ListenError> {
    Listener::listen(url, Listen::default())
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// The next client, as soon as it is there.
fn accept(listener: &Listener) -> (OwnedFd, Peer) {
    loop {
        if let Some(accepted) = listener.accept().unwrap() {
            return accepted;
        }
        let mut wait = [rustix::event::PollFd::new(listener, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut wait, None).unwrap();
    }
}

#[test]
fn a_client_of_a_socket_file_is_known() {
    let folder = Folder::new();
    let listener = listen(&folder.url()).unwrap();
    assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o600);
    let _client = connect(&folder.url(), soon()).unwrap();
    let us = Peer::Local {
        pid: Some(std::process::id()),
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
    };
    assert_eq!(accept(&listener).1, us);
    assert!(listener.accept().unwrap().is_none());
    drop(listener);
    assert!(!folder.path().exists(), "the file goes with its server");
}

#[test]
fn a_mode_is_what_was_asked_for() {
    let folder = Folder::new();
    let how = Listen { mode: 0o666, ..Listen::default() };
    let _listener = Listener::listen(&folder.url(), how).unwrap();
    assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o666);
}

#[test]
fn a_dead_server_s_socket_is_replaced_and_a_live_one_s_is_not() {
    let folder = Folder::new();
    drop(UnixListener::bind(folder.path()).unwrap());
    assert!(folder.path().exists(), "as after kill -9");
    let listener = listen(&folder.url()).unwrap();
    let error = listen(&folder.url()).unwrap_err();
    assert!(matches!(error, ListenError::InUse { .. }), "{error}");
    let _client = connect(&folder.url(), soon()).unwrap();
    accept(&listener);
}

#[test]
fn a_busy_server_is_a_live_one() {
    let folder = Folder::new();
    let how = Listen { backlog: 0, ..Listen::default() };
    let _listener = Listener::listen(&folder.url(), how).unwrap();
    let _waits = UnixStream::connect(folder.path()).unwrap();
    let error = listen(&folder.url()).unwrap_err();
    assert!(matches!(error, ListenError::InUse { .. }), "{error}");
    let soon = Instant::now() + Duration::from_millis(20);
    let error = connect(&folder.url(), soon).unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error}");
}

#[test]
fn of_servers_that_start_at_once_one_wins() {
    const SERVERS: usize = 8;
    for round in 0..50 {
        let folder = Folder::new();
        if round % 2 == 0 {
            drop(UnixListener::bind(folder.path()).unwrap());
        }
        let (start, winners) = (Barrier::new(SERVERS), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..SERVERS {
                scope.spawn(|| {
                    start.wait();
                    match listen(&folder.url()) {
                        Ok(listener) => winners.lock().unwrap().push(listener),
                        Err(e) => assert!(matches!(e, ListenError::InUse { .. }), "{e}"),
                    }
                });
            }
        });
        let winners = winners.into_inner().unwrap();
        assert_eq!(winners.len(), 1);
        let _client = connect(&folder.url(), soon()).unwrap();
        accept(&winners[0]);
        let left = fs::read_dir(&folder.0).unwrap().count();
        assert_eq!(left, 1, "nothing but the socket");
    }
}

#[test]
fn only_one_s_own_file_is_taken_away() {
    let folder = Folder::new();
    let listener = listen(&folder.url()).unwrap();
    fs::rename(folder.path(), folder.0.join("old")).unwrap();
    let other = UnixListener::bind(folder.path()).unwrap();
    drop(listener);
    assert!(folder.path().exists());
    drop(other);
}

#[test]
fn what_is_in_the_way_is_left_alone() {
    let folder = Folder::new();
    fs::write(folder.path(), "mine").unwrap();
    let error = listen(&folder.url()).unwrap_err();
    assert!(matches!(error, ListenError::NotASocket { .. }), "{error}");
    assert_eq!(fs::read(folder.path()).unwrap(), b"mine");
    let error = listen(&Url::Unix(folder.0.join("none/s"))).unwrap_err();
    assert!(matches!(error, ListenError::NoDirectory { .. }), "{error}");
    assert!(error.to_string().contains("none"));
}

#[test]
fn nobody_there_is_said() {
    let folder = Folder::new();
    let error = connect(&folder.url(), soon()).unwrap_err();
    assert!(matches!(error, ConnectError::NoServer { .. }), "{error}");
    assert_eq!(error.errno(), 2);
    drop(UnixListener::bind(folder.path()).unwrap());
    assert_eq!(connect(&folder.url(), soon()).unwrap_err().errno(), 111);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = Url::parse(&format!("tcp://127.0.0.1:{port}")).unwrap();
    assert_eq!(connect(&url, soon()).unwrap_err().errno(), 111);
    let any = connect(&Url::parse("tcp://*:7").unwrap(), soon()).unwrap_err();
    assert!(matches!(any, ConnectError::AnyAddress), "{any}");
}

#[test]
fn tcp_without_a_key_is_for_this_machine() {
    let any = Url::parse("tcp://0:0").unwrap();
    let error = listen(&any).unwrap_err();
    assert!(matches!(error, ListenError::Unauthenticated { .. }), "{error}");
    let how = Listen { allow_unauthenticated_anywhere: true, ..Listen::default() };
    Listener::listen(&any, how).unwrap();
    listen(&Url::parse("tcp://0:0?key=file").unwrap()).unwrap();

    let listener = listen(&Url::parse("tcp://localhost:0/").unwrap()).unwrap();
    let Url::Tcp { port, .. } = listener.url() else { panic!() };
    assert_ne!(*port, 0);
    let client = connect(listener.url(), soon()).unwrap();
    let (served, peer) = accept(&listener);
    assert!(matches!(peer, Peer::Tcp(from) if from.ip().is_loopback()));
    // A machine that is not there any more is noticed, at both ends.
    for end in [&served, &client] {
        assert!(rustix::net::sockopt::socket_keepalive(end).unwrap());
        assert!(rustix::net::sockopt::tcp_keepidle(end).unwrap() <= Duration::from_secs(60));
    }
    drop(served);
    // The accepted end is dropped: the client sees the end.
    let mut client = fs::File::from(client);
    assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
    let error = listen(listener.url()).unwrap_err();
    assert!(matches!(error, ListenError::InUse { .. }), "{error}");
}

#[test]
fn a_key_is_a_secret() {
    let folder = Folder::new();
    let path = folder.0.join("key");
    let key = Key::generate(&path).unwrap();
    assert!(Key::load(&path).unwrap() == key);
    assert_eq!(format!("{key:?}"), "Key(..)");
    let again = Key::generate(&path).unwrap_err();
    assert!(matches!(again, KeyError::Io { .. }), "{again}");
    for mode in [0o640, 0o604, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Key::load(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    fs::write(&path, "short").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(Key::load(&path), Err(KeyError::Form { .. })));
}
