//! Boot: a shell, a body, and the hooks of the chosen components, phase by phase.
//!
//! An error anywhere undoes what was done: the kernel is taken apart as if it had been dropped.
//!
//! Locking: the booting thread has all CPUs until the end.
//! Sources: the book, section 3.8.3 (levels); rump_init order.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

use hypercall::Host;
use hypercall::atomic::Ordering;

use super::{Body, Core, teardown};
use crate::component::slot::Slots;
use crate::component::{ChooseError, Phase, choose};
use crate::cx::Cx;
use crate::lock::{IntrMutex, Rank};
use crate::lwp::{Ident, Lwp};
use crate::proc::Procs;
use crate::sched::cpu::Cpu;
use crate::sched::enter;
use crate::sched::line::Lines;
use crate::sched::offcpu::outside;
use crate::syscall::Table;
use crate::vm::{Account, NoMemory};
use crate::{Charge, Errno, Spec, callout, msgbuf, proc, random, uname};

/// The most virtual CPUs that a kernel may have.
pub const MAX_CPUS: u32 = 64;

/// What may be chosen at boot.
#[derive(Clone, Debug, Default)]
pub struct Options<'a> {
    /// The kernel's name; the spec's if empty.
    pub name: &'a str,
    /// Virtual CPUs; 0 means the default, 1. At most [`MAX_CPUS`].
    pub ncpu: u32,
    /// The most memory the kernel may hold, in bytes; 0 means no limit but the host's.
    pub memlimit: u64,
    /// The components to boot, out of the spec's; `None` means all of them.
    pub components: Option<&'a [&'a str]>,
    /// The host name; the host's parameter `hostname` if empty.
    pub hostname: &'a str,
}

/// Why a kernel did not boot. Nothing is left of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BootError {
    /// The components make no kernel.
    Components(ChooseError),
    /// The host implements another version of the hypercalls.
    Version(u32),
    /// More virtual CPUs than [`MAX_CPUS`].
    TooManyCpus(u32),
    /// The memory limit is too small, or the host has no more.
    NoMemory,
    /// A component's boot hook failed.
    Hook {
        /// The component.
        component: &'static str,
        /// The phase.
        phase: Phase,
        /// What it answered.
        error: Errno,
    },
    /// A boot hook panicked, or dropped the kernel.
    Panicked,
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Components(e) => e.fmt(f),
            Self::Version(v) => write!(
                f,
                "the host speaks version {v} of the hypercalls, this kernel {}",
                hypercall::VERSION
            ),
            Self::TooManyCpus(n) => {
                write!(f, "{n} virtual CPUs asked for, at most {MAX_CPUS} can be")
            }
            Self::NoMemory => f.write_str("not enough memory to boot; raise memlimit"),
            Self::Hook { component, phase, error } => {
                write!(f, "component `{component}` failed in phase {phase:?}: {error}")
            }
            Self::Panicked => f.write_str("a component panicked during boot"),
        }
    }
}

impl core::error::Error for BootError {}

impl From<NoMemory> for BootError {
    fn from(_: NoMemory) -> Self {
        BootError::NoMemory
    }
}

/// Boots a kernel.
pub(crate) fn boot(
    host: Arc<dyn Host>,
    spec: &'static Spec,
    options: &Options<'_>,
) -> Result<Arc<Core>, BootError> {
    if host.version() != hypercall::VERSION {
        return Err(BootError::Version(host.version()));
    }
    let ncpu = options.ncpu.max(1);
    if ncpu > MAX_CPUS {
        return Err(BootError::TooManyCpus(ncpu));
    }
    let name = if options.name.is_empty() { spec.name } else { options.name };
    let core = shell(host, name, ncpu, options.memlimit);
    let result = fill(&core, spec, options);
    if let Err(e) = result {
        teardown::end_boot(&core);
        return Err(e);
    }
    Ok(core)
}

#[allow(clippy::disallowed_methods)] // the account itself, and the shell, charged in `fill`
fn shell(host: Arc<dyn Host>, name: &str, ncpu: u32, memlimit: u64) -> Arc<Core> {
    let limit = if memlimit == 0 { u64::MAX } else { memlimit };
    let account = Arc::new(Account::new(&host, limit));
    Core::new(host, account, Box::from(name), ncpu)
}

fn shell_size(ncpu: u32) -> usize {
    size_of::<Core>() + (ncpu as usize - 1) * size_of::<Cpu>()
}

/// Makes the body and runs the hooks, then gives the CPUs free.
fn fill(core: &Arc<Core>, spec: &'static Spec, options: &Options<'_>) -> Result<(), BootError> {
    let seed = core.host.shuffle_seed();
    let components = choose(spec, options.components, seed).map_err(BootError::Components)?;
    let cx = Cx::new(core, core.cpu(0));
    let body = Body {
        syscalls: Table::of(&cx, &components)?,
        slots: Slots::new(),
        procs: IntrMutex::new(&cx, Rank::Procs, Procs::new(&cx)),
        lines: IntrMutex::new(&cx, Rank::Lines, Lines::new(&cx)),
        callouts: IntrMutex::new(&cx, Rank::Callouts, callout::Callouts::new(&cx)),
        messages: IntrMutex::new(&cx, Rank::Messages, msgbuf::Msgbuf::new(&cx)),
        uname: IntrMutex::new(&cx, Rank::Uname, uname::Uname::new(options.hostname)),
        random: IntrMutex::new(&cx, Rank::Random, random::Generator::new()),
        _charge: Charge::new(&core.account, shell_size(core.ncpu()))?,
        components,
    };
    // SAFETY: the CPUs were made busy for us, and nobody knows the shell yet.
    unsafe { core.write_body(body) };
    let init = proc::make_init(&cx)?;
    core.set_init(init);

    let ident = Ident::new(init, 0, 0);
    let mut result = Ok(());
    let mut owes = false;
    let caught = core.host.catch(&mut || {
        let mut l = Lwp::new(Cx::new(core, core.cpu(0)), &ident);
        // A hook that enters its own kernel gets an answer.
        l.cpu().visitor.store(core.host.current(), Ordering::Relaxed);
        msgbuf::banner(&l);
        result = run_phases(&mut l);
        l.cpu().visitor.store(0, Ordering::Relaxed);
        owes = l.cpu().owes_carry.replace(false);
        if result.is_ok() {
            (1..core.ncpu()).for_each(|i| enter::release_other(core, core.cpu(i)));
            owes |= enter::release(&l);
        }
    });
    if caught.is_err() {
        core.die();
        return Err(BootError::Panicked);
    }
    if owes {
        core.host.carry(&outside());
    }
    result
}

fn run_phases(l: &mut Lwp<'_>) -> Result<(), BootError> {
    let components = &l.body().components;
    for phase in Phase::ALL {
        if phase.faction().is_some_and(|f| !components.iter().any(|c| c.name == f)) {
            continue;
        }
        for c in components {
            for (_, hook) in c.hooks.iter().filter(|(p, _)| *p == phase) {
                hook(l).map_err(|error| match error {
                    Errno::NoMemory | Errno::NoBuffers => BootError::NoMemory,
                    error => BootError::Hook { component: c.name, phase, error },
                })?;
            }
        }
    }
    Ok(())
}
