//! What boot and a system call cost, in nanoseconds.
use std::time::Instant;

base::kernel!(BASE = []);

fn main() {
    let host = linux::Linux::new();
    for _ in 0..3 {
        let n = 20_000;
        let t = Instant::now();
        for _ in 0..n {
            drop(base::Kernel::boot(host.clone(), &BASE).unwrap());
        }
        println!("boot+drop {:?}", t.elapsed() / n);
        let k = base::Kernel::boot(host.clone(), &BASE).unwrap();
        println!("used {}", k.account().used());
        let mut l = k.rfork(base::Rfork::ClearFds).unwrap();
        let n = 10_000_000;
        let t = Instant::now();
        for _ in 0..n {
            std::hint::black_box(l.syscall(39, &[0; 6], &mut base::syscall::NoSysMemory)).unwrap();
        }
        println!("getpid {:?} ns*1000", t.elapsed().as_nanos() / (n / 1000));
        let w = std::sync::atomic::AtomicU32::new(0);
        let t = Instant::now();
        for _ in 0..n {
            use std::sync::atomic::Ordering::*;
            let _ = std::hint::black_box(&w).compare_exchange(0, 1, Acquire, Relaxed);
            std::hint::black_box(&w).swap(0, Release);
        }
        println!("cas+swap {:?} ns*1000", t.elapsed().as_nanos() / (n / 1000));
    }
}
