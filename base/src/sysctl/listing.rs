//! A text for a reader with so much room: all of it is measured, only what fits is kept.
//!
//! * [`Listing::row`]: cells of a table.  * [`Listing::text`]: text as it is.
//!
//! So a table of any length costs the kernel no more memory than its reader offers, and the reader
//! learns how much to offer. What a cell holds cannot make another cell or line: control
//! characters and backslashes in it are written as `\xNN`.
//!
//! Locking: none.

use core::fmt::{self, Display, Write};

use crate::vm::KVec;
use crate::{Cx, NoMemory};

/// A text that is being written.
pub struct Listing {
    kept: KVec<u8>,
    room: usize,
    len: usize,
}

impl Listing {
    /// An empty one that keeps at most `room` bytes.
    pub fn new(cx: &Cx<'_>, room: usize) -> Self {
        Self { kept: KVec::new(cx), room, len: 0 }
    }

    /// Appends a text as it is.
    pub fn text(&mut self, text: &str) -> Result<(), NoMemory> {
        let left = self.room - self.kept.len();
        let fits = text.as_bytes().get(..left).unwrap_or(text.as_bytes());
        self.kept.extend_from_slice(fits)?;
        self.len = self.len.saturating_add(text.len());
        Ok(())
    }

    /// Appends a row of a table.
    pub fn row(&mut self, cells: &[&dyn Display]) -> Result<(), NoMemory> {
        self.cells(cells)?;
        self.text("\n")
    }

    /// Appends the first cells of a row.
    pub fn cells(&mut self, cells: &[&dyn Display]) -> Result<(), NoMemory> {
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                self.text("\t")?;
            }
            self.cell(cell)?;
        }
        Ok(())
    }

    /// Appends what `cell` shows, with nothing in it that could end a line or a cell.
    pub fn cell(&mut self, cell: &dyn Display) -> Result<(), NoMemory> {
        write!(Cell(self), "{cell}").map_err(|_| NoMemory)
    }

    /// What was kept, and the length of all.
    pub fn end(self) -> (KVec<u8>, usize) {
        (self.kept, self.len)
    }
}

struct Cell<'a>(&'a mut Listing);

impl Write for Cell<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let mut rest = s;
        while let Some(at) = rest.find(|c: char| c.is_ascii_control() || c == '\\') {
            let (plain, odd) = rest.split_at(at);
            self.plain(plain)?;
            let (odd, after) = odd.split_at(1);
            for byte in odd.bytes() {
                let digit = |n: u8| char::from_digit(n.into(), 16).unwrap_or('0');
                let mut escape = [0; 4];
                for c in ['\\', 'x', digit(byte >> 4), digit(byte & 15)] {
                    self.plain(c.encode_utf8(&mut escape))?;
                }
            }
            rest = after;
        }
        self.plain(rest)
    }
}

impl Cell<'_> {
    fn plain(&mut self, text: &str) -> fmt::Result {
        self.0.text(text).map_err(|_| fmt::Error)
    }
}
