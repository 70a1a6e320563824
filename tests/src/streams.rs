//! Streams of bytes that are compared by hash, so that megabytes of them need no room.
//!
//! * [`stream`]: bytes that repeat nowhere.  * [`drain`]: what has come, and its hash.
//! * [`both_ways`]: one end of a connection that is full in both directions at once.  * [`between`]: both.
//!
//! Locking: none. Sources: FIPS 180-4 (SHA-256, by a crate).

use std::io::{Read, Result, Write};
use std::net::Shutdown;

use sha2::{Digest, Sha256};

use crate::patience::PATIENCE;

/// How many bytes, and their hash.
pub type Sum = (usize, [u8; 32]);

/// `len` bytes that repeat nowhere, the same for the same seed; in pieces to whoever takes them.
pub fn stream(seed: u64, len: usize, mut take: impl FnMut(&[u8])) -> Sum {
    let (mut hash, mut x, mut left) = (Sha256::new(), seed | 1, len);
    let mut piece = vec![0; 60_000];
    while left != 0 {
        let n = left.min(piece.len());
        for bytes in piece[..n].chunks_mut(8) {
            x = x.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(seed << 1 | 1);
            let word = (x ^ x >> 29).to_le_bytes();
            bytes.copy_from_slice(&word[..bytes.len()]);
        }
        hash.update(&piece[..n]);
        take(&piece[..n]);
        left -= n;
    }
    (len, hash.finalize().into())
}

/// All that comes until the other side has no more.
///
/// # Panics
/// If the connection breaks.
pub fn drain(mut from: impl Read) -> Sum {
    let (mut hash, mut buf, mut len) = (Sha256::new(), vec![0; 1 << 16], 0);
    loop {
        match from.read(&mut buf).expect("what the other side has written") {
            0 => return (len, hash.finalize().into()),
            n => {
                hash.update(&buf[..n]);
                len += n;
            }
        }
    }
}

/// A TCP connection of whichever stack.
pub trait Connection: Sync {
    /// Says that no more is written.
    fn end(&self) -> Result<()>;
    /// Has reads fail when nothing comes for as long as a test waits.
    fn hurry(&self) -> Result<()>;
}

impl Connection for std::net::TcpStream {
    fn end(&self) -> Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn hurry(&self) -> Result<()> {
        self.set_read_timeout(Some(PATIENCE))
    }
}

impl Connection for local::TcpStream {
    fn end(&self) -> Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn hurry(&self) -> Result<()> {
        self.set_read_timeout(Some(PATIENCE))
    }
}

/// Sends `len` bytes of the stream of seed `mine`, while as many of that of `theirs` have to come.
///
/// # Panics
/// If anything else comes, or the connection breaks.
pub fn both_ways<C: Connection>(connection: &C, len: usize, (mine, theirs): (u64, u64))
where
    for<'a> &'a C: Read + Write,
{
    connection.hurry().expect("a timeout");
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| drain(connection));
        let mut to = connection;
        stream(mine, len, |piece| to.write_all(piece).expect("the other side takes it"));
        connection.end().expect("the end of what is written");
        let expected = stream(theirs, len, |_| {});
        let came = reader.join().expect("the reader's end");
        assert!(came == expected, "{} of {len} bytes, or others, came of stream {theirs}", came.0);
    });
}

/// Makes a connection, and sends `len` bytes each way.
///
/// # Panics
/// If anything else comes, or the connection breaks.
pub fn between<A: Connection, B: Connection>(
    len: usize,
    accept: impl FnOnce() -> Result<A> + Send,
    connect: impl FnOnce() -> Result<B>,
) where
    for<'a> &'a A: Read + Write,
    for<'a> &'a B: Read + Write,
{
    std::thread::scope(|scope| {
        scope.spawn(|| both_ways(&accept().expect("a connection"), len, (1, 2)));
        both_ways(&connect().expect("a connection"), len, (2, 1));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_what_its_seed_says_and_no_other() {
        let mut bytes = Vec::new();
        let sum = stream(7, 100_001, |piece| bytes.extend_from_slice(piece));
        assert_eq!((bytes.len(), drain(&bytes[..])), (100_001, sum));
        assert_ne!(stream(8, 100_001, |_| {}), sum);
        bytes.swap(5, 50_005);
        assert_ne!(drain(&bytes[..]), sum, "a hash sees an exchange, which a sum does not");
    }
}
