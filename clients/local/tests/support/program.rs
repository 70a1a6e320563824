//! A program that makes system calls, and its memory.

use base::syscall::{SysMemory, number as n};
use base::{BoundLwp, Errno, Kernel, Rfork};

use super::{boot, end, everywhere};

pub const AF_INET: u64 = 2;
pub const DGRAM: u64 = 2;
pub const RAW: u64 = 3;

/// A program's memory: from address 4096 on.
pub struct Memory(Vec<u8>);

pub const BASE: u64 = 4096;

impl Memory {
    pub fn new() -> Self {
        Memory(vec![0; 1 << 16])
    }

    pub fn at(&mut self, at: u64, len: usize) -> Result<&mut [u8], Errno> {
        let start = at.checked_sub(BASE).and_then(|s| usize::try_from(s).ok());
        start.and_then(|s| self.0.get_mut(s..s.checked_add(len)?)).ok_or(Errno::BadAddress)
    }

    pub fn put(&mut self, at: u64, bytes: &[u8]) -> u64 {
        self.at(at, bytes.len()).unwrap().copy_from_slice(bytes);
        at
    }

    pub fn word(&mut self, at: u64) -> u32 {
        u32::from_ne_bytes(self.at(at, 4).unwrap().try_into().unwrap())
    }
}

impl SysMemory for Memory {
    fn copyin(&mut self, from: u64, to: &mut [u8]) -> Result<(), Errno> {
        self.at(from, to.len()).map(|m| to.copy_from_slice(m))
    }

    fn copyout(&mut self, from: &[u8], to: u64) -> Result<(), Errno> {
        self.at(to, from.len()).map(|m| m.copy_from_slice(from))
    }
}

/// A process and its memory.
pub struct Program(pub BoundLwp, pub Memory);

impl Program {
    pub fn new(kernel: &Kernel) -> Self {
        Program(kernel.rfork(Rfork::ClearFds).unwrap(), Memory::new())
    }

    pub fn call<const N: usize>(&mut self, number: u32, args: [u64; N]) -> Result<u64, Errno> {
        let mut all = [0; 6];
        all[..N].copy_from_slice(&args);
        self.0.syscall(number, &all, &mut self.1)
    }

    pub fn bound(&mut self, port: u16) -> u64 {
        let fd = self.call(n::SOCKET, [AF_INET, DGRAM, 0]).unwrap();
        let addr = self.1.put(BASE, &sockaddr(port));
        assert_eq!(self.call(n::BIND, [fd, addr, 16]), Ok(0));
        fd
    }
}

pub fn sockaddr(port: u16) -> [u8; 16] {
    let mut out = [0; 16];
    out[..2].copy_from_slice(&2_u16.to_ne_bytes());
    out[2..4].copy_from_slice(&port.to_be_bytes());
    out[4..8].copy_from_slice(&[127, 0, 0, 1]);
    out
}

pub fn programs(test: impl Fn(&mut Program)) {
    everywhere(|host| {
        let kernel = boot(host);
        let mut program = Program::new(&kernel);
        test(&mut program);
        drop(program);
        end(kernel);
    });
}
