//! What components build up in a kernel, and what base keeps for them.
//!
//! Locking: each field has its own lock, or is set at boot.

use crate::component::Chosen;
use crate::component::slot::Slots;
use crate::lock::IntrMutex;
use crate::proc::Procs;
use crate::sched::line::Lines;
use crate::syscall::Table;
use crate::{Charge, callout, msgbuf, random, uname};

/// The inside of a kernel.
pub(crate) struct Body {
    // ---- set at boot ----
    pub(crate) components: Chosen,
    pub(crate) syscalls: Table,
    pub(crate) slots: Slots,
    // ---- locked ----
    pub(crate) procs: IntrMutex<Procs>,
    pub(crate) lines: IntrMutex<Lines>,
    pub(crate) callouts: IntrMutex<callout::Callouts>,
    pub(crate) messages: IntrMutex<msgbuf::Msgbuf>,
    pub(crate) uname: IntrMutex<uname::Uname>,
    pub(crate) random: IntrMutex<random::Generator>,
    /// For the shell and the body themselves.
    pub(crate) _charge: Charge,
}
