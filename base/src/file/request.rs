//! Numbers of ioctl requests that say how much memory goes which way.
//!
//! * [`none`], [`write()`], [`read`], [`read_write`]: Linux's _IO, _IOW, _IOR and _IOWR. As there,
//!   *write* means that the caller's memory is read.
//!
//! Locking: none; numbers only. Sources: Linux asm-generic/ioctl.h (x86-64).

/// A request without memory.
pub const fn none(group: u8, number: u8) -> u32 {
    (group as u32) << 8 | number as u32
}

/// A request that reads `size` bytes of the caller's. Sizes are below 16 KiB.
pub const fn write(group: u8, number: u8, size: usize) -> u32 {
    assert!(size < 1 << 14);
    1 << 30 | (size as u32) << 16 | none(group, number)
}

/// A request that writes `size` bytes to the caller.
pub const fn read(group: u8, number: u8, size: usize) -> u32 {
    assert!(size < 1 << 14);
    2 << 30 | (size as u32) << 16 | none(group, number)
}

/// A request that does both.
pub const fn read_write(group: u8, number: u8, size: usize) -> u32 {
    read(group, number, size) | write(group, number, size)
}
