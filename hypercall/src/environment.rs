//! What a kernel may learn from its host, and where it says what it has to say.

use alloc::string::String;

/// Entropy, parameters, console, exit. Never block for long; no errors but those named.
pub trait Environment {
    /// Fills `out` with bytes that nobody can guess (on the simulation host: that follow from the
    /// seed).
    fn entropy(&self, out: &mut [u8]);

    /// The parameter `name`, if the host has it. Every host knows `hostname` (as in the book:
    /// `rump-<pid>.<host>.rumpdomain`) and `ncpu` (the host's processors, in decimal).
    fn param(&self, name: &str) -> Option<String>;

    /// Writes `text` to the console. Best effort.
    fn console(&self, text: &str);

    /// Ends the host's process, or the machine.
    fn exit(&self, status: i32) -> !;
}
