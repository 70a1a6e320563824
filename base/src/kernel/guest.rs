//! The up-calls: how the host visits a kernel.
//!
//! Locking: none; see `sched::word` for how a visit and a release find each other.

use hypercall::{Carried, Guest};

use super::Core;
use crate::sched::enter;
use crate::sched::line::TIMER_BIT;

impl Guest for Core {
    fn interrupt(&self) -> Carried {
        enter::visit(self)
    }

    fn timer(&self) -> Carried {
        crate::callout::deadline_passed(self);
        self.cpu(0).raise(TIMER_BIT);
        enter::visit(self)
    }
}
