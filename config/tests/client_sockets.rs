//! The sockets of a remote client, against a real server: every method does what std's does.

mod server;

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use remote::{Argument, Client, Descriptor, IcmpSocket, RawSocket, UdpSocket, number};
use server::Place;

use Argument::{In, InOut, Null, Out, Value};

const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;
const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

/// A kernel with a network stack, and one client of it.
fn client() -> (Place, Client) {
    let place = Place::new();
    place.start("-l netinet unix://a");
    let client = place.connect("a");
    (place, client)
}

fn udp(client: &Client) -> UdpSocket {
    let socket = UdpSocket::bind(client, "127.0.0.1:0").unwrap();
    socket.set_read_timeout(MINUTE).unwrap();
    socket
}

fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().expect("an error number")
}

const EBADF: i32 = 9;
const EACCES: i32 = 13;
const EFAULT: i32 = 14;
const EINVAL: i32 = 22;
const EMSGSIZE: i32 = 90;
const EADDRINUSE: i32 = 98;
const EADDRNOTAVAIL: i32 = 99;
const ENETUNREACH: i32 = 101;
const ECONNREFUSED: i32 = 111;

#[test]
fn datagrams_with_and_without_a_peer() {
    let (_place, client) = client();
    let (mut a, b) = (udp(&client), udp(&client));
    let (at_a, at_b) = (a.local_addr().unwrap(), b.local_addr().unwrap());
    let mut buf = [0; 64];
    assert_eq!(a.send_to(b"hello", at_b).unwrap(), 5);
    assert_eq!(b.recv_from(&mut buf).unwrap(), (5, at_a));
    assert_eq!(&buf[..5], b"hello");
    a.connect(at_b).unwrap();
    b.connect(at_a).unwrap();
    assert_eq!((a.peer_addr().unwrap(), b.peer_addr().unwrap()), (at_b, at_a));
    a.write_all(b"written").unwrap();
    assert_eq!((&b).read(&mut buf).unwrap(), 7);
    // Another handle on the same socket outlives the first.
    let again = b.try_clone().unwrap();
    assert_ne!(again.descriptor().fd(), b.descriptor().fd());
    drop(b);
    a.send(b"").unwrap();
    assert_eq!(again.recv(&mut buf).unwrap(), 0, "an empty datagram is one");
    // Who is connected hears no other.
    let other = udp(&client);
    other.send_to(b"not for you", at_b).unwrap();
    a.send(b"for you").unwrap();
    assert_eq!(again.recv(&mut buf).unwrap(), 7);
}

#[test]
fn peeking_and_what_does_not_fit() {
    let (_place, client) = client();
    let socket = udp(&client);
    let at = socket.local_addr().unwrap();
    socket.send_to(b"first one", at).unwrap();
    socket.send_to(b"next", at).unwrap();
    let mut buf = [0; 64];
    assert_eq!(socket.peek(&mut buf).unwrap(), 9);
    assert_eq!(socket.peek_from(&mut buf[..5]).unwrap(), (5, at));
    // MSG_TRUNC: how long it is, whatever fits. MSG_PEEK: it stays.
    let receive = |buf: &mut [u8], flags| {
        let len = Value(buf.len() as u64);
        socket.descriptor().call(number::RECVFROM, [Out(buf), len, Value(flags), Null, Null])
    };
    let (peek, trunc, dontwait) = (2, 0x20, 0x40);
    buf = [7; 64];
    assert_eq!(receive(&mut buf[..3], peek | trunc).unwrap(), 9);
    assert_eq!(&buf[..4], b"fir\x07", "no more than there is room for");
    assert_eq!(receive(&mut buf[..3], trunc).unwrap(), 9);
    // What did not fit is lost.
    assert_eq!(receive(&mut buf[..2], 0).unwrap(), 2);
    assert_eq!(receive(&mut buf, dontwait).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn options_are_kept() {
    let (_place, client) = client();
    let socket = udp(&client);
    assert_eq!(socket.ttl().unwrap(), 64);
    socket.set_ttl(3).unwrap();
    assert_eq!(socket.ttl().unwrap(), 3);
    assert!(!socket.broadcast().unwrap());
    socket.set_broadcast(true).unwrap();
    assert!(socket.broadcast().unwrap());
    assert_eq!(socket.read_timeout().unwrap(), MINUTE);
    assert_eq!(socket.write_timeout().unwrap(), None);
    let odd = Some(Duration::new(2, 345_678_000));
    socket.set_write_timeout(odd).unwrap();
    assert_eq!(socket.write_timeout().unwrap(), odd);
    socket.set_read_timeout(None).unwrap();
    assert_eq!(socket.read_timeout().unwrap(), None);
    let none = socket.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::InvalidInput);
    socket.set_receive_buffer(4096).unwrap();
    socket.bind_device(Some("lo0")).unwrap();
    assert_eq!(socket.device().unwrap().as_deref(), Some("lo0"));
    socket.bind_device(None).unwrap();
    assert_eq!(socket.device().unwrap(), None);
    // A full buffer loses datagrams; the first ones stay.
    let at = socket.local_addr().unwrap();
    for _ in 0..100 {
        socket.send_to(&[1; 1000], at).unwrap();
    }
    socket.set_nonblocking(true).unwrap();
    let count = std::iter::from_fn(|| socket.recv(&mut [0; 1000]).ok()).count();
    assert!((1..100).contains(&count), "{count} of 100 fit");
}

#[test]
fn who_does_not_wait_is_told_so() {
    let (_place, client) = client();
    let socket = udp(&client);
    socket.set_nonblocking(true).unwrap();
    assert_eq!(socket.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    socket.set_nonblocking(false).unwrap();
    let short = Duration::from_millis(30);
    socket.set_read_timeout(Some(short)).unwrap();
    let start = Instant::now();
    assert_eq!(socket.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(start.elapsed() >= short, "{:?}", start.elapsed());
    // The time begins anew with every call.
    socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
    assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 1);
}

#[test]
fn errors_are_those_of_linux() {
    let (_place, client) = client();
    let socket = udp(&client);
    let at = socket.local_addr().unwrap();
    assert_eq!(errno(UdpSocket::bind(&client, at)), EADDRINUSE);
    assert_eq!(errno(UdpSocket::bind(&client, "192.0.2.1:0")), EADDRNOTAVAIL);
    assert_eq!(errno(socket.send_to(b"x", "192.0.2.1:9")), ENETUNREACH);
    assert_eq!(errno(socket.send_to(b"x", "255.255.255.255:9")), EACCES);
    let six: SocketAddr = "[::1]:9".parse().unwrap();
    assert!(socket.send_to(b"x", six).is_err());
    assert_eq!(errno(client.call(number::CLOSE, &mut [Value(900)])), EBADF);
    let name = [Value(socket.descriptor().fd().into()), Out(&mut [0; 16]), Null];
    assert_eq!(errno(client.call(number::GETSOCKNAME, &mut { name })), EFAULT);
    // Nobody is there: whoever is connected learns of it, once.
    socket.connect("127.0.0.1:9").unwrap();
    socket.send(b"anybody?").unwrap();
    assert_eq!(errno(socket.recv(&mut [0; 8])), ECONNREFUSED);
    socket.send(b"anybody?").unwrap();
    let told = socket.take_error().unwrap().map(|e| e.raw_os_error());
    assert_eq!(told, Some(Some(ECONNREFUSED)));
    assert!(socket.take_error().unwrap().is_none());
}

#[test]
fn sockets_that_share_an_address() {
    let (_place, client) = client();
    let one = UdpSocket::bind_shared(&client, "127.0.0.1:5").unwrap();
    let two = UdpSocket::bind_shared(&client, "127.0.0.1:5").unwrap();
    assert_eq!(one.local_addr().unwrap(), two.local_addr().unwrap());
    assert_eq!(errno(UdpSocket::bind(&client, "127.0.0.1:5")), EADDRINUSE);
    drop((one, two));
    UdpSocket::bind(&client, "127.0.0.1:5").unwrap();
}

#[test]
fn a_ping_through_an_icmp_socket() {
    let (_place, client) = client();
    let mut socket = IcmpSocket::new(&client).unwrap();
    socket.set_read_timeout(MINUTE).unwrap();
    let request = [8, 0, 0, 0, 0, 0, 0, 1, b'p', b'i', b'n', b'g'];
    let mut buf = [0; 64];
    socket.send_to(&request, LOCAL).unwrap();
    assert_eq!(socket.recv_from(&mut buf).unwrap(), (12, IpAddr::V4(LOCAL)));
    assert_eq!((buf[0], &buf[6..12]), (0, &request[6..]), "an echo reply");
    socket.connect(LOCAL).unwrap();
    socket.write_all(&request).unwrap();
    assert_eq!(socket.read(&mut buf).unwrap(), 12);
}

#[test]
fn packets_of_a_protocol_through_raw_sockets() {
    let (_place, client) = client();
    let (raw, other) = (RawSocket::new(&client, 253).unwrap(), RawSocket::new(&client, 254));
    let other = other.unwrap();
    raw.set_read_timeout(MINUTE).unwrap();
    raw.bind(LOCAL).unwrap();
    raw.set_ttl(9).unwrap();
    assert_eq!(raw.send_to(b"packet", LOCAL).unwrap(), 6);
    let mut buf = [0; 64];
    assert_eq!(raw.recv_from(&mut buf).unwrap(), (26, IpAddr::V4(LOCAL)));
    assert_eq!((buf[0], buf[8], buf[9], &buf[20..26]), (0x45, 9, 253, &b"packet"[..]));
    // The header of our own making: what arrived, once more, with another payload.
    raw.set_header_included(true).unwrap();
    buf[20..26].copy_from_slice(b"again!");
    raw.connect(LOCAL).unwrap();
    assert_eq!(raw.send(&buf[..26]).unwrap(), 26);
    assert_eq!(raw.recv(&mut buf).unwrap(), 26);
    assert_eq!(&buf[20..26], b"again!");
    other.set_nonblocking(true).unwrap();
    assert_eq!(other.recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// A message header, as sendmsg and recvmsg have it.
fn msghdr(name: &mut [u8], pieces: &[u8]) -> Vec<u8> {
    let words =
        [name.as_mut_ptr().addr(), name.len(), pieces.as_ptr().addr(), pieces.len() / 16, 0, 0, 0];
    words.iter().flat_map(|word| (*word as u64).to_ne_bytes()).collect()
}

fn iovec(piece: &[u8]) -> [u8; 16] {
    let words = [piece.as_ptr().expose_provenance() as u64, piece.len() as u64];
    let mut raw = [0; 16];
    raw[..8].copy_from_slice(&words[0].to_ne_bytes());
    raw[8..].copy_from_slice(&words[1].to_ne_bytes());
    raw
}

/// A call with an opaque argument: the server asks for what it points to, piece by piece, and gets
/// what was lent for the call.
#[test]
fn messages_in_pieces() {
    let (_place, client) = client();
    let (from, to) = (udp(&client), udp(&client));
    let mut name = sockaddr(to.local_addr().unwrap());
    let (one, two) = (*b"one, ", vec![b'2'; 3000]);
    let pieces = [iovec(&one), iovec(&two)].concat();
    let header = msghdr(&mut name, &pieces);
    let fd = |socket: &UdpSocket| Value(socket.descriptor().fd().into());
    // What follows the three arguments is memory that the header and the pieces point to.
    let lent = [fd(&from), In(&header), Value(0), In(&pieces), In(&name), In(&two)];
    // One of the pieces is not lent: it is as if there were no memory.
    assert_eq!(errno(client.call(46, &mut { lent })), EFAULT);
    let whole = [&one[..], &two].concat();
    let pieces = [iovec(&whole[..5]), iovec(&whole[5..])].concat();
    let header = msghdr(&mut name, &pieces);
    let lent = [fd(&from), In(&header), Value(0), In(&pieces), In(&name), In(&whole)];
    assert_eq!(client.call(46, &mut { lent }).unwrap(), 3005);

    let mut room = vec![0; 4000];
    let pieces = [iovec(&room[..1000]), iovec(&room[1000..])].concat();
    let mut sender = [0; 16];
    let mut header = msghdr(&mut sender, &pieces);
    let lent =
        [fd(&to), InOut(&mut header), Value(0), In(&pieces), Out(&mut sender), Out(&mut room)];
    assert_eq!(client.call(47, &mut { lent }).unwrap(), 3005);
    assert!(room.starts_with(&whole));
    assert_eq!(sender[..8], sockaddr(from.local_addr().unwrap())[..8]);

    // As many as Linux allows, there and back, and one more.
    let whole = [7; 1025];
    let pieces = whole.each_ref().map(|byte| iovec(std::slice::from_ref(byte))).concat();
    let header = msghdr(&mut name, &pieces[..1024 * 16]);
    let lent = [fd(&from), In(&header), Value(0), In(&pieces), In(&name), In(&whole)];
    assert_eq!(client.call(46, &mut { lent }).unwrap(), 1024);
    let mut room = [0; 1024];
    let pieces = room.each_ref().map(|byte| iovec(std::slice::from_ref(byte))).concat();
    let mut header = msghdr(&mut sender, &pieces);
    let lent =
        [fd(&to), InOut(&mut header), Value(0), In(&pieces), Out(&mut sender), Out(&mut room)];
    assert_eq!(client.call(47, &mut { lent }).unwrap(), 1024);
    assert_eq!(room, [7; 1024]);
    let pieces = whole.each_ref().map(|byte| iovec(std::slice::from_ref(byte))).concat();
    let header = msghdr(&mut name, &pieces);
    let lent = [fd(&from), In(&header), Value(0), In(&pieces), In(&name), In(&whole)];
    assert_eq!(errno(client.call(46, &mut { lent })), EMSGSIZE);
}

fn sockaddr(at: SocketAddr) -> [u8; 16] {
    let mut raw = [0; 16];
    raw.copy_from_slice(&server::plain::sockaddr(at.port()));
    raw
}

/// Memory longer than 1 MiB is cut there; no call sends or receives as much.
#[test]
fn very_long_buffers() {
    let (_place, client) = client();
    let socket = udp(&client);
    let at = socket.local_addr().unwrap();
    let mut long = vec![7_u8; 3 << 20];
    socket.send_to(&long[..60_000], at).unwrap();
    long.fill(1);
    assert_eq!(socket.recv(&mut long).unwrap(), 60_000);
    assert!(long[..60_000].iter().all(|b| *b == 7) && long[60_000..].iter().all(|b| *b == 1));
    for len in [65_508, 1 << 20, 3 << 20] {
        assert_eq!(errno(socket.send_to(&long[..len], at)), EMSGSIZE, "{len}");
    }
    let len = Value(long.len() as u64);
    let name = [In(b"kern.hostname"), Value(13), Out(&mut long), len, Null, Value(0)];
    let hostname = client.call(number::SYSCTL, &mut { name }).unwrap();
    assert_eq!(hostname, client.sysctl("kern.hostname").unwrap().len() as u64);
    assert!(client.getpid().is_ok(), "the connection is as it was");
}

#[test]
fn requests_about_interfaces() {
    let (_place, client) = client();
    let socket = UdpSocket::unbound(&client).unwrap();
    let ifreq = |name: &[u8]| {
        let mut raw = [0; 40];
        raw[..name.len()].copy_from_slice(name);
        raw
    };
    let mut lo0 = ifreq(b"lo0");
    let (getaddr, getmtu, setmtu) = (0x8915, 0x8921, 0x8922);
    socket.descriptor().ioctl(getaddr, &mut lo0).unwrap();
    assert_eq!(lo0[20..24], [127, 0, 0, 1]);
    let mut lo0 = ifreq(b"lo0");
    lo0[16..20].copy_from_slice(&9000_i32.to_ne_bytes());
    socket.descriptor().ioctl(setmtu, &mut lo0).unwrap();
    let mut lo0 = ifreq(b"lo0");
    socket.descriptor().ioctl(getmtu, &mut lo0).unwrap();
    assert_eq!(lo0[16..20], 9000_i32.to_ne_bytes());
    assert!(socket.descriptor().ioctl(getmtu, &mut ifreq(b"none0")).is_err());
    // Less than the request says is not lent: nothing beyond it is read.
    assert_eq!(errno(socket.descriptor().ioctl(getmtu, &mut [0; 8])), EFAULT);
}

#[test]
fn settings_are_read_and_set() {
    let (_place, client) = client();
    assert_eq!(client.set_sysctl("net.inet.ip.ttl", "9").unwrap().trim(), "64");
    assert_eq!(client.sysctl("net.inet.ip.ttl").unwrap().trim(), "9");
    assert_eq!(udp(&client).ttl().unwrap(), 9);
    assert_eq!(errno(client.set_sysctl("net.inet.ip.ttl", "x")), EINVAL);
    assert_eq!(client.sysctl("no.such").unwrap_err().kind(), ErrorKind::NotFound);
    let mut little = [0; 4];
    let len = client.sysctl_raw("kern.components", &mut little, None).unwrap();
    let whole = client.sysctl("kern.components").unwrap();
    assert_eq!((len, &little[..]), (whole.len(), &whole.as_bytes()[..4]));
}

#[test]
fn descriptors_of_any_call() {
    let (_place, client) = client();
    let kinds = [Value(2), Value(2), Value(0)];
    let open = Descriptor::open(&client, number::SOCKET, &mut { kinds }).unwrap();
    let fd = open.fd();
    let other = open.try_clone().unwrap();
    drop(open);
    assert_eq!(errno(client.call(number::DUP, &mut [Value(fd.into())])), EBADF, "closed");
    other.set_nonblocking(true).unwrap();
    assert_eq!(other.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    // Nobody is named to whom it could be written.
    assert!(other.write(b"x").is_err());
}
