//! Faults on request: what the simulation host refuses or spoils.

use core::time::Duration;

/// What happens to a packet that crosses between kernels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PacketFate {
    /// It arrives.
    Deliver,
    /// It is lost.
    Lose,
    /// It arrives this much later; packets sent after it may overtake it.
    Delay(Duration),
    /// It arrives, and once more this much later.
    Double(Duration),
}

/// A host that injects faults. Calls never block.
pub trait Faults: Send + Sync {
    /// Whether a kernel may charge `bytes` to its account. A refusal is what exhaustion of memory
    /// looks like to the kernel.
    fn grant(&self, bytes: usize) -> bool;

    /// The fate of the next packet that crosses between kernels.
    fn packet(&self) -> PacketFate;
}
