//! TCP of remote clients: the same calls, from processes of a kernel that are elsewhere. Those that
//! wait are parked, and hold no thread of the server.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use base::Kernel;
use remote::{Client, TcpListener, TcpStream};
use sysproxy::Service;
use sysproxy_linux::{Bell, Server};
use tests::Scratch;
use transport::{Listen, Listener, Url};

base::kernel!(SERVED = [net, netinet, shmif, sysproxy]);

/// A server of a kernel, and two clients of it.
fn served(test: impl FnOnce(&Client, &Client)) {
    let folder = Scratch::new();
    let url = Url::parse(&format!("unix://{}", folder.path("server").display())).unwrap();
    let kernel = Kernel::boot(linux::Linux::new(), &SERVED).unwrap();
    let bell = Bell::new().unwrap();
    let service = Service::new(kernel.handle(), bell.clone()).unwrap();
    let listener = Listener::listen(&url, Listen::default()).unwrap();
    let (stop, stopped) = UnixStream::pair().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut server = Server::new(service, bell).unwrap();
            server.listen(listener, None).unwrap();
            server.stop_on(stopped.into()).unwrap();
            server.run().unwrap();
        });
        let client = || Client::builder().connect(&url).unwrap();
        test(&client(), &client());
        drop(stop);
    });
    let account = kernel.account().clone();
    drop(kernel);
    assert_eq!(account.used(), 0);
}

#[test]
fn clients_of_a_server_talk_over_tcp() {
    served(|one, two| {
        let listener = TcpListener::bind(one, "127.0.0.1:7").unwrap();
        let data: Vec<u8> = (0..1_000_000_u32).map(|i| (i ^ i >> 9) as u8).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Parked until there is one.
                let (mut conn, peer) = listener.accept().unwrap();
                assert_eq!(conn.peer_addr().unwrap(), peer);
                let mut all = Vec::new();
                conn.read_to_end(&mut all).unwrap();
                assert!(all == data);
                conn.write_all(&all).unwrap();
            });
            let mut conn = TcpStream::connect(two, "127.0.0.1:7").unwrap();
            conn.set_nodelay(true).unwrap();
            assert!(conn.nodelay().unwrap());
            assert_eq!(conn.congestion().unwrap(), "cubic");
            assert_eq!(conn.info().unwrap()[0], 1);
            // More than the buffers hold: the write is parked in its middle.
            conn.write_all(&data).unwrap();
            conn.shutdown(Shutdown::Write).unwrap();
            let mut back = Vec::new();
            conn.read_to_end(&mut back).unwrap();
            assert!(back == data);
        });
    });
}

#[test]
fn errors_come_through() {
    served(|one, two| {
        let refused = TcpStream::connect(one, "127.0.0.1:9").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        let listener = TcpListener::bind(one, "127.0.0.1:7").unwrap();
        let taken = TcpListener::bind(two, "127.0.0.1:7").unwrap_err();
        assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
        let mut conn = TcpStream::connect(two, "127.0.0.1:7").unwrap();
        conn.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let late = conn.read(&mut [0; 4]).unwrap_err();
        assert_eq!(late.kind(), std::io::ErrorKind::WouldBlock);
        conn.set_read_timeout(None).unwrap();
        drop(listener);
        let reset = conn.read(&mut [0; 4]).unwrap_err();
        assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
    });
}
