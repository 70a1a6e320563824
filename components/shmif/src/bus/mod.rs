//! The bus in a file, as pure logic over shared words.
//!
//! * [`layout`]: where everything is.  * [`station`]: a member as others see it.
//! * [`record`]: a frame in a ring.  * [`ring`]: a member's ring, and reading it.
//! * [`door`]: telling a member that there is something.  * [`member`]: joining, sending, receiving.
//!
//! Nothing here maps memory, waits or wakes: the half on the host does ([`crate::host`]). Nothing
//! that is read from the file is believed.
//!
//! Locking: none. Sources: `BUS.md`, which describes the format.

pub mod door;
pub mod layout;
#[cfg(all(test, loom))]
mod loom_tests;
pub mod member;
pub mod record;
pub mod ring;
pub mod station;

pub use base::WallTime;
pub use layout::Map;
pub use member::{Outgoing, Receiver, SendError, Sender, Sent};
pub use record::Record;
pub use ring::Next;
pub use station::Station;
