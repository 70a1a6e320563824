//! The secret that a server and its clients share.
//!
//! A file of 32 bytes, or of 64 hexadecimal digits, that only its owner can use.
//!
//! Locking: none. Sources: The Noise Protocol Framework, revision 34, section 9 (pre-shared keys).

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::KeyError;

/// Bytes of a key.
const LEN: usize = 32;

/// A key. It is not displayed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; LEN]);

impl Key {
    /// A key that is at hand.
    pub fn new(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// Reads the key in `path`, which others must not be able to read or write.
    pub fn load(path: &Path) -> Result<Key, KeyError> {
        let io = |source| KeyError::Io { path: path.into(), source };
        let mut file = File::open(path).map_err(io)?;
        let mode = file.metadata().map_err(io)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Public { path: path.into(), mode });
        }
        let mut text = Vec::new();
        // No key is longer, and the file may be anything.
        Read::by_ref(&mut file).take(200).read_to_end(&mut text).map_err(io)?;
        parse(&text).map(Key).ok_or_else(|| KeyError::Form { path: path.into() })
    }

    /// Makes a new key, in a new file that only its owner can use. One that exists is left alone.
    pub fn generate(path: &Path) -> Result<Key, KeyError> {
        let io = |source| KeyError::Io { path: path.into(), source };
        let mut key = [0; LEN];
        File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut key)).map_err(io)?;
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(file, "{hex}").map_err(io)?;
        Ok(Key(key))
    }

    pub(crate) fn bytes(&self) -> &[u8; LEN] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

fn parse(text: &[u8]) -> Option<[u8; LEN]> {
    if let Ok(raw) = text.try_into() {
        return Some(raw);
    }
    let text = std::str::from_utf8(text).ok()?.trim();
    if text.len() != 2 * LEN || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; LEN];
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

impl From<KeyError> for io::Error {
    fn from(e: KeyError) -> Self {
        let kind = match &e {
            KeyError::Io { source, .. } => source.kind(),
            KeyError::Public { .. } => io::ErrorKind::PermissionDenied,
            KeyError::Form { .. } => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_or_digits() {
        assert_eq!(parse(&[7; 32]), Some([7; 32]));
        assert_eq!(parse("07".repeat(32).as_bytes()), Some([7; 32]));
        assert_eq!(parse(format!("{}\n", "0A".repeat(32)).as_bytes()), Some([10; 32]));
        for bad in ["", "07", &"07".repeat(33), &"+7".repeat(32), &"é".repeat(32)] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
