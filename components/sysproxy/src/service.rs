//! A kernel's service for remote clients.
//!
//! Locking: `forks` inside; the rest is set once.

use alloc::sync::{Arc, Weak};

use base::syscall::{Arg, MAX_NUMBER, describe};
use base::{AtEnd, Errno, Handle, Lwp, NoMemory};
use wire::Out;

use crate::component::SYSPROXY;
use crate::forks::Forks;
use crate::notice::Wake;

/// What all clients of a kernel share.
pub struct Service {
    pub(crate) kernel: Handle,
    pub(crate) wake: Arc<dyn Wake>,
    pub(crate) forks: Forks,
}

impl Service {
    /// For a kernel that has the component; `NotImplemented` for one that has not.
    #[expect(clippy::disallowed_methods, reason = "the host's half has it, not the kernel")]
    pub fn new(kernel: Handle, wake: Arc<dyn Wake>) -> Result<Arc<Service>, Errno> {
        let told = wake.clone();
        kernel.enter(|l| {
            let sysproxy = l.try_get(&SYSPROXY).ok_or(Errno::NotImplemented)?;
            Ok::<_, Errno>(sysproxy.services.lock(l).push(told)?)
        })??;
        let service = Arc::new(Service { kernel, wake, forks: Forks::default() });
        let told: Weak<dyn AtEnd> = Arc::downgrade(&(service.clone() as Arc<dyn AtEnd>));
        service.kernel.at_end(told)?;
        Ok(service)
    }

    /// Whether processes wait for their children, and [`Service::expire`] has something to do.
    pub fn awaits_children(&self) -> bool {
        self.forks.are_there()
    }

    /// Ends processes whose children did not come in time; to be called now and then.
    pub fn expire(&self) {
        if let Ok(now) = self.kernel.enter(|l| l.now()) {
            self.forks.expire(now);
        }
    }
}

impl AtEnd for Service {
    fn gone(&self) {
        self.wake.gone();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // After the kernel's end nobody is told any more.
        let _ = self.kernel.enter(|l| {
            let mut services = l.get(&SYSPROXY).services.lock(l);
            if let Some(at) = services.iter().position(|wake| Arc::ptr_eq(wake, &self.wake)) {
                services.swap_remove(at);
            }
        });
    }
}

/// Describes all calls that the kernel serves.
pub(crate) fn describe_all(
    l: &Lwp<'_>,
    out: &mut impl Out<Error = NoMemory>,
) -> Result<(), NoMemory> {
    for call in (0..=MAX_NUMBER).filter_map(|n| describe(l, n)) {
        let mut args = [wire::Arg::Value; 6];
        args.iter_mut().zip(call.args).for_each(|(to, from)| *to = arg(*from));
        wire::Description { number: call.number, args }.write(out)?;
    }
    Ok(())
}

fn arg(arg: Arg) -> wire::Arg {
    match arg {
        Arg::Value => wire::Arg::Value,
        Arg::In(n) => wire::Arg::In(n),
        Arg::InFixed(size) => wire::Arg::InFixed(size),
        Arg::Out(n) => wire::Arg::Out(n),
        Arg::OutFixed(size) => wire::Arg::OutFixed(size),
        Arg::InOutTimes(n, size) => wire::Arg::InOutTimes(n, size),
        Arg::InOutFixed(size) => wire::Arg::InOutFixed(size),
        Arg::OutRef(n) => wire::Arg::OutRef(n),
        Arg::Ioctl(n) => wire::Arg::Ioctl(n),
        Arg::Opaque => wire::Arg::Opaque,
    }
}
