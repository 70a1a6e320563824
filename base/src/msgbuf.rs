//! The message buffer: what a kernel has to say, kept for `dmesg`.
//!
//! * [`kprintf!`](crate::kprintf!) writes a line, with the kernel's context.
//!
//! Every line also goes to the `log` facade, with the kernel's name as key `kernel`.
//!
//! The buffer is a ring that grows on demand up to [`LIMIT`] bytes; then the oldest lines go.
//!
//! Locking: `Rank::Messages`. Sources: NetBSD subr_log.c.

use alloc::string::String;
use core::fmt::{self, Write};

use smallvec::SmallVec;

use crate::vm::KVec;
use crate::{Cx, uname};

/// The most that a kernel's buffer holds, in bytes.
pub const LIMIT: usize = 16 * 1024;

/// A kernel's messages.
pub(crate) struct Msgbuf {
    ring: KVec<u8>,
    /// Where the oldest byte is, once the ring is full.
    start: usize,
    /// The oldest byte is not the first of its line.
    cut: bool,
}

impl Msgbuf {
    pub(crate) fn new(cx: &Cx<'_>) -> Self {
        Self { ring: KVec::new(cx), start: 0, cut: false }
    }

    fn append(&mut self, line: &[u8]) {
        for &b in line {
            if self.ring.len() < LIMIT && self.start == 0 && self.ring.push(b).is_ok() {
                continue;
            }
            // Full, or no memory for more: over the oldest.
            let at = self.start;
            let Some(cell) = self.ring.get_mut(at) else { return };
            self.cut = *cell != b'\n';
            *cell = b;
            self.start = (at + 1) % self.ring.len();
        }
    }
}

/// Writes a line to the kernel's message buffer: `kprintf!(cx, "shmif{unit}: up")`.
#[macro_export]
macro_rules! kprintf {
    ($cx:expr, $($arg:tt)+) => { $crate::msgbuf::print($cx, format_args!($($arg)+)) };
}

struct Line(SmallVec<[u8; 160]>);

impl Write for Line {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        // A line is a line: what comes from outside (names, packets) cannot forge another.
        self.0.extend(s.bytes().map(|b| if b == b'\n' { b' ' } else { b }).take(1024));
        Ok(())
    }
}

/// Writes a line; [`kprintf!`](crate::kprintf!) is the way to call it.
pub fn print(cx: &Cx<'_>, args: fmt::Arguments<'_>) {
    let mut line = Line(SmallVec::new());
    let _ = line.write_fmt(args);
    log::info!(target: "kernel", kernel = cx.kernel_name(); "{args}");
    line.0.push(b'\n');
    cx.body().messages.lock(cx).append(&line.0);
}

/// The first lines of every kernel.
pub(crate) fn banner(cx: &Cx<'_>) {
    crate::kprintf!(cx, "{} {} ({})", uname::SYSNAME, uname::RELEASE, cx.kernel_name());
}

/// All that is in the buffer, oldest first.
pub fn dmesg(cx: &Cx<'_>) -> String {
    let buf = cx.body().messages.lock(cx);
    let (new, old) = buf.ring.split_at(buf.start);
    let bytes = old.iter().chain(new).copied();
    // A line that lost its beginning is passed over.
    let whole = bytes.skip_while(|b| buf.cut && *b != b'\n').skip(usize::from(buf.cut));
    let text: SmallVec<[u8; 1024]> = whole.collect();
    String::from_utf8_lossy(&text).into_owned()
}
