//! What address resolution and reassembly put off.
//!
//! One timer for both, set to the earlier deadline. It is not moved when that deadline goes away:
//! it then fires for nothing, once.
//!
//! Locking: `Rank::Reass` and `Rank::Arp` in turn, never both; none while packets are sent.

use base::callout::Handler;
use base::{Cx, Instant};

use crate::component::INET;
use crate::{arp, ip};

pub(crate) struct Timer;

impl Handler for Timer {
    fn expired(&self, cx: &Cx<'_>) {
        let Some(inet) = cx.try_get(&INET) else { return };
        let now = cx.now().nanos();
        ip::fragments::expire(cx, now);
        arp::output::expire(cx, now);
        let fragments = inet.fragments.lock(cx).next_deadline();
        let arp = inet.arp.lock(cx).next_deadline();
        if let Some(next) = [fragments, arp].into_iter().flatten().min() {
            inet.timer.schedule_by(cx, Instant::from_nanos(next));
        }
    }
}

/// Something is due at `deadline_ns`: sees to it that the timer fires by then.
pub(crate) fn by(cx: &Cx<'_>, deadline_ns: u64) {
    cx.get(&INET).timer.schedule_by(cx, Instant::from_nanos(deadline_ns));
}
