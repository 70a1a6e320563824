//! Components: the parts a kernel is composed of, and the sets through which they register.
//!
//! * [`component!`](crate::component!): registers one, in its crate's `src/component.rs`.
//! * [`kernel!`](crate::kernel!): names the components that a binary contains.
//! * [`slot`]: a component's state in each kernel.  * `resolve`: which components a kernel gets.
//!
//! A component is a descriptor: its hooks run at boot, by phase; inside a phase, after those of
//! the components it needs. There is no other registration of code, and no weak symbol.
//!
//! Locking: none; the sets are constants of the binary.
//! Sources: the book, section 3.8.3 (RUMP_COMPONENT levels); NetBSD link sets.

mod resolve;
pub mod slot;

use linkme::distributed_slice;

use crate::{Errno, Lwp};

pub use resolve::ChooseError;
pub(crate) use resolve::{Chosen, choose};

/// The boot phases, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// The kernel proper.
    Kern,
    /// The vfs faction and what belongs to it.
    Vfs,
    /// The net faction; protocol domains.
    Net,
    /// Routing.
    NetRoute,
    /// Interfaces.
    NetIf,
    /// Addresses on interfaces.
    NetIfcfg,
    /// The dev faction: autoconfiguration, drivers.
    Dev,
    /// After mainbus has been attached.
    DevAfterMainbus,
    /// What needs the kernel and a file system.
    KernVfs,
    /// System calls.
    Syscall,
    /// Last of all.
    Postinit,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Phase; 11] = [
        Phase::Kern,
        Phase::Vfs,
        Phase::Net,
        Phase::NetRoute,
        Phase::NetIf,
        Phase::NetIfcfg,
        Phase::Dev,
        Phase::DevAfterMainbus,
        Phase::KernVfs,
        Phase::Syscall,
        Phase::Postinit,
    ];

    /// The faction without which the phase does not run.
    pub const fn faction(self) -> Option<&'static str> {
        match self {
            Phase::Vfs | Phase::KernVfs => Some("vfs"),
            Phase::Net | Phase::NetRoute | Phase::NetIf | Phase::NetIfcfg => Some("net"),
            Phase::Dev | Phase::DevAfterMainbus => Some("dev"),
            Phase::Kern | Phase::Syscall | Phase::Postinit => None,
        }
    }
}

/// What runs at boot. An error ends the boot; what was done so far is undone.
pub type Hook = fn(l: &mut Lwp<'_>) -> Result<(), Errno>;

/// What runs before the kernel is taken apart, in the opposite order of the boot.
pub type Fini = fn(l: &mut Lwp<'_>);

/// A component's descriptor.
pub struct Component {
    /// Its name, which is its crate's.
    pub name: &'static str,
    /// Components without which it cannot be.
    pub needs: &'static [&'static str],
    /// Its hooks.
    pub hooks: &'static [(Phase, Hook)],
    /// Its end, if it has something to do there beside dropping its state.
    pub fini: Option<Fini>,
}

/// All components in this binary.
#[distributed_slice]
pub static COMPONENTS: [Component];

/// A list of components that make a kernel; made by [`kernel!`](crate::kernel!).
pub struct Spec {
    /// The kernel's name unless its options say another.
    pub name: &'static str,
    /// The components, in any order.
    pub components: &'static [&'static Component],
}

/// All lists in this binary. Their union must be what is linked.
#[distributed_slice]
pub static SPECS: [Spec];

/// Registers the crate's component, as `pub static COMPONENT`.
///
/// ```
/// mod clock {
///     base::component! { "clock", needs [], hooks { Kern => attach, Postinit => start }, fini stop }
///
///     fn attach(_: &mut base::Lwp<'_>) -> Result<(), base::Errno> { Ok(()) }
///     fn start(_: &mut base::Lwp<'_>) -> Result<(), base::Errno> { Ok(()) }
///     fn stop(_: &mut base::Lwp<'_>) {}
/// }
/// base::kernel!(CLOCK = [clock]);
/// # fn main() { base::Kernel::boot(sim::Sim::seeded(1), &CLOCK).unwrap(); }
/// ```
#[macro_export]
macro_rules! component {
    ($name:literal, needs [$($need:literal),* $(,)?], hooks { $($phase:ident => $hook:expr),* $(,)? }
     $(, fini $fini:expr)? $(,)?) => {
        /// This crate's component.
        #[$crate::__private::linkme::distributed_slice($crate::component::COMPONENTS)]
        #[linkme(crate = $crate::__private::linkme)]
        pub static COMPONENT: $crate::Component = $crate::Component {
            name: $name,
            needs: &[$($need),*],
            hooks: &[$(($crate::Phase::$phase, $hook)),*],
            fini: $crate::component!(@fini $($fini)?),
        };
    };
    (@fini) => { None };
    (@fini $fini:expr) => { Some($fini) };
}

/// Names the components of a kernel, and so links them: `base::kernel!(ROUTER = [net, netinet]);`
/// makes `pub static ROUTER: Spec`. Each word is a crate that has a `COMPONENT`.
#[macro_export]
macro_rules! kernel {
    ($(#[$m:meta])* $name:ident = [$($component:ident),* $(,)?]) => {
        $(#[$m])*
        #[doc = "A kernel's components."]
        #[$crate::__private::linkme::distributed_slice($crate::component::SPECS)]
        #[linkme(crate = $crate::__private::linkme)]
        pub static $name: $crate::Spec = $crate::Spec {
            name: stringify!($name),
            components: &[$(&$component::COMPONENT),*],
        };
    };
}
