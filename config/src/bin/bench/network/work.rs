//! What is done with streams to see how fast they are, whoever makes them.
//!
//! * [`client`] does it and says how fast it was; [`serve`] is the other side.
//! * [`bulk`] and [`count`]: the sides of one stream alone.
//!
//! Locking: none. Sources: iperf3(1); netperf(1) (TCP_RR, TCP_CRR).

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use clap::ValueEnum;

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Work {
    /// 128 KiB writes, one way: bytes a second
    Bulk,
    /// 64 bytes there and back: seconds
    Rr,
    /// Connect, a byte each way, close: connections a second
    Connect,
}

const TIME: Duration = Duration::from_secs(1);
const BULK: usize = 128 << 10;
const REQUEST: usize = 64;
/// No more connections in one go than a client has ports for.
const CONNECTIONS: u32 = 10_000;

/// A connection.
pub trait Stream: Read + Write + Send + 'static {
    /// Says that no more is sent.
    fn finish(&self) -> io::Result<()>;
    /// Small messages go at once.
    fn prompt(&self) -> io::Result<()>;
}

impl Stream for std::net::TcpStream {
    fn finish(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn prompt(&self) -> io::Result<()> {
        self.set_nodelay(true)
    }
}

impl Stream for local::TcpStream {
    fn finish(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn prompt(&self) -> io::Result<()> {
        self.set_nodelay(true)
    }
}

/// Works, and says how fast it was. The first second is not counted.
pub fn client<S: Stream>(
    work: Work,
    mut connect: impl FnMut() -> io::Result<S>,
) -> io::Result<f64> {
    let mut once = |time| match work {
        Work::Bulk => bulk(connect()?, time),
        Work::Rr => request(&mut connect()?, time),
        Work::Connect => connections(&mut connect, time),
    };
    once(TIME / 4)?;
    once(TIME)
}

/// The other side, for as long as there are connections.
pub fn serve<S: Stream>(work: Work, mut accept: impl FnMut() -> io::Result<S>) -> io::Result<()> {
    loop {
        let stream = &mut accept()?;
        let served = match work {
            Work::Bulk => count(stream),
            Work::Rr => echo(stream),
            Work::Connect => answer(stream),
        };
        // One that has gone away is no reason to stop.
        drop(served);
    }
}

/// Writes for so long, and says how fast all of it has arrived.
pub fn bulk(mut stream: impl Stream, time: Duration) -> io::Result<f64> {
    let (data, start) = (vec![7; BULK], Instant::now());
    let mut sent = 0_u64;
    while start.elapsed() < time {
        stream.write_all(&data)?;
        sent += BULK as u64;
    }
    stream.finish()?;
    let mut counted = [0; 8];
    stream.read_exact(&mut counted)?;
    let took = start.elapsed().as_secs_f64();
    if u64::from_be_bytes(counted) != sent {
        return Err(io::Error::other("the other side has counted other bytes"));
    }
    Ok(sent as f64 / took)
}

/// The other side of [`bulk`].
pub fn count(stream: &mut impl Stream) -> io::Result<()> {
    let (mut data, mut total) = (vec![0; BULK], 0_u64);
    loop {
        match stream.read(&mut data)? {
            0 => break,
            n => total += n as u64,
        }
    }
    stream.write_all(&total.to_be_bytes())
}

fn request(stream: &mut impl Stream, time: Duration) -> io::Result<f64> {
    stream.prompt()?;
    let (mut data, start) = ([7; REQUEST], Instant::now());
    let mut rounds = 0_u32;
    while start.elapsed() < time {
        for _ in 0..100 {
            stream.write_all(&data)?;
            stream.read_exact(&mut data)?;
        }
        rounds += 100;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(rounds))
}

fn echo(stream: &mut impl Stream) -> io::Result<()> {
    stream.prompt()?;
    let mut data = [0; REQUEST];
    loop {
        stream.read_exact(&mut data)?;
        stream.write_all(&data)?;
    }
}

fn connections<S: Stream>(
    connect: &mut impl FnMut() -> io::Result<S>,
    time: Duration,
) -> io::Result<f64> {
    let (mut made, start) = (0, Instant::now());
    while start.elapsed() < time && made < CONNECTIONS {
        let mut stream = connect()?;
        stream.write_all(&[7])?;
        stream.read_exact(&mut [0])?;
        // The server closes first: it has the connection's name afterwards, the client has ports.
        if stream.read(&mut [0])? != 0 {
            return Err(io::Error::other("more than was asked for"));
        }
        made += 1;
    }
    Ok(f64::from(made) / start.elapsed().as_secs_f64())
}

fn answer(stream: &mut impl Stream) -> io::Result<()> {
    stream.read_exact(&mut [0])?;
    stream.write_all(&[7])
}
