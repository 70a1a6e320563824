//! A program that is a process of the kernel that `RUMP_SERVER` names.

use std::io::{Read, Write};

/// Sends a datagram to itself, and back.
pub fn main() -> std::io::Result<()> {
    let client = remote::Client::from_env()?;
    println!("process {} of {}", client.pid(), client.kernel());
    let server = remote::UdpSocket::bind(&client, "127.0.0.1:7")?;
    let mut socket = remote::UdpSocket::bind(&client, "127.0.0.1:0")?;
    socket.connect("127.0.0.1:7")?;
    socket.write_all(b"hello")?;
    let mut buf = [0; 16];
    let (n, from) = server.recv_from(&mut buf)?;
    server.send_to(&buf[..n], from)?;
    let n = socket.read(&mut buf)?;
    println!("received: {}", String::from_utf8_lossy(&buf[..n]));
    Ok(())
}
