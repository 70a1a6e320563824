//! Which groups an interface is in, and what its routers are told of it.
//!
//! * [`Groups::join`], [`Groups::leave`]; [`Groups::query`], [`Groups::heard`]: what others said.
//! * [`Groups::poll`]: the next report that is due; [`Groups::deadline`] when there will be one.
//! * [`Groups::silence`], [`Groups::announce`]: the interface is down, and up again.
//!
//! Version 3 is spoken until a router of an older version asks (RFC 3376 §7.2.1). Sockets join
//! whole groups, so all that is said of one is "every source" or "none".
//!
//! DIFFERS: a query for some sources of a group is answered as one for the group: that tells the router
//! more than it asked, and spares a list that others could make us keep.
//!
//! A group is paid for by whoever joins it first, until its routers know that all have left.
//!
//! Locking: none; the owner guards it. The time and random numbers are arguments.
//! Sources: RFC 2236 §3, §4, §6, §8; RFC 3376 §5, §7.2, §8; RFC 1112 appendix I.

use core::net::Ipv4Addr;

use alloc::sync::Arc;

use base::NoMemory;
use base::vm::Account;

use super::places::Places;
use crate::wire::igmp::{ALL_HOSTS, Change, Query, Records, Report, Version};

const SECOND: u64 = 1_000_000_000;
/// RFC 3376 §8.1, RFC 2236 §8.1.
const ROBUSTNESS: u8 = 2;
/// RFC 3376 §8.2.
const QUERY_INTERVAL: u64 = 125 * SECOND;
/// RFC 3376 §8.3.
const QUERY_RESPONSE_INTERVAL: u64 = 10 * SECOND;
/// RFC 3376 §8.11: between two reports of one change.
const REPEAT: u64 = SECOND;
/// RFC 2236 §8.10: the same of version 2.
const REPEAT_V2: u64 = 10 * SECOND;

/// A source of random numbers.
pub type Random<'a> = &'a mut dyn FnMut() -> u32;

/// A time from now up to `max` later.
fn within(max: u64, random: Random<'_>) -> u64 {
    u64::try_from((u128::from(random()) * u128::from(max)) >> 32).unwrap_or(max)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Group {
    addr: Ipv4Addr,
    /// Left, it stays until its routers know.
    present: bool,
    /// How often the change is still to be told, and when next.
    left: u8,
    next: u64,
    /// When a query for it is to be answered.
    answer: Option<u64>,
    /// Nobody has reported it after us (RFC 2236 §6: "flag").
    last_reporter: bool,
}

impl Group {
    fn change_due(&self) -> Option<u64> {
        (self.left > 0).then_some(self.next)
    }

    /// Its one timer, in versions 1 and 2.
    fn timer(&self) -> Option<u64> {
        [self.change_due(), self.answer].into_iter().flatten().min()
    }
}

/// An interface's groups.
pub struct Groups {
    /// Sorted by address.
    list: Places<Group>,
    version: Version,
    /// Until when there is a router of version 1, and of version 2.
    older: [u64; 2],
    robustness: u8,
    query_interval: u64,
    /// When a query for all groups is to be answered.
    general: Option<u64>,
    /// Groups up to this one have been answered for.
    answered: Option<Ipv4Addr>,
}

impl Default for Groups {
    /// None.
    fn default() -> Self {
        Self {
            list: Places::default(),
            version: Version::V3,
            older: [0; 2],
            robustness: ROBUSTNESS,
            query_interval: QUERY_INTERVAL,
            general: None,
            answered: None,
        }
    }
}

impl Groups {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn find(&self, addr: Ipv4Addr) -> Result<usize, usize> {
        self.list.binary_search_by_key(&addr, |g| g.addr)
    }

    /// RFC 3376 §7.2.1: when the version changes, all that was under way is forgotten.
    fn settle(&mut self, now: u64) {
        let [v1, v2] = self.older;
        let version = match () {
            () if now < v1 => Version::V1,
            () if now < v2 => Version::V2,
            () => Version::V3,
        };
        if version != self.version {
            self.version = version;
            self.silence();
        }
    }

    /// The interface is down: nothing can be said, and nobody asks.
    pub fn silence(&mut self) {
        self.list.retain(|g| g.present);
        for g in self.list.iter_mut() {
            (g.left, g.answer, g.last_reporter) = (0, None, false);
        }
        (self.general, self.answered) = (None, None);
    }

    /// The interface is up: whoever is there now is told of all groups.
    pub fn announce(&mut self, now: u64) {
        self.settle(now);
        let robustness = self.robustness;
        for g in self.list.iter_mut().filter(|g| g.present) {
            (g.left, g.next) = (robustness, now);
        }
    }

    /// The interface joins a group, which it was not in, at the cost of `account`. A report is due (RFC
    /// 3376 §5.1, RFC 2236 §3).
    pub fn join(
        &mut self,
        addr: Ipv4Addr,
        now: u64,
        account: &Arc<Account>,
    ) -> Result<(), NoMemory> {
        // RFC 2236 §6, RFC 3376 §5: never reported.
        if addr == ALL_HOSTS {
            return Ok(());
        }
        self.settle(now);
        let (left, next) = (self.robustness, now);
        let new = Group { addr, present: true, left, next, answer: None, last_reporter: false };
        match self.find(addr) {
            Ok(at) => {
                self.list.pay(at, account)?;
                if let Some(g) = self.list.get_mut(at) {
                    **g = new;
                }
                Ok(())
            }
            Err(at) => self.list.insert(at, new, account),
        }
    }

    /// It leaves one.
    pub fn leave(&mut self, addr: Ipv4Addr, now: u64) {
        self.settle(now);
        let Ok(at) = self.find(addr) else { return };
        let (version, robustness) = (self.version, self.robustness);
        let Some(g) = self.list.get_mut(at) else { return };
        let times = match version {
            Version::V3 => robustness,
            // RFC 2236 §3: who was not the last to report may leave without a word.
            Version::V2 if g.last_reporter => 1,
            Version::V1 | Version::V2 => 0,
        };
        if times == 0 {
            self.list.remove(at);
            return;
        }
        (g.present, g.left, g.next, g.answer) = (false, times, now, None);
    }

    /// A router asks.
    pub fn query(&mut self, query: &Query, now: u64, random: Random<'_>) {
        // RFC 3376 §8.12.
        let timeout = u64::from(self.robustness)
            .saturating_mul(self.query_interval)
            .saturating_add(QUERY_RESPONSE_INTERVAL);
        let [v1, v2] = &mut self.older;
        match query.version {
            Version::V1 => *v1 = now.saturating_add(timeout),
            Version::V2 => *v2 = now.saturating_add(timeout),
            Version::V3 => {
                // RFC 3376 §4.1.6, §4.1.7.
                self.robustness = match query.robustness {
                    0 => ROBUSTNESS,
                    n => n,
                };
                self.query_interval = match query.interval_ns {
                    0 => QUERY_INTERVAL,
                    ns => ns,
                };
            }
        }
        self.settle(now);
        let max = query.max_response_ns;
        if self.version == Version::V3 {
            return self.query_v3(query.group, now.saturating_add(within(max, random)));
        }
        for g in self.list.iter_mut() {
            let meant = query.group.is_none_or(|addr| addr == g.addr);
            if !g.present || !meant {
                continue;
            }
            // RFC 2236 §3: a timer that runs is set anew only if it would be too late.
            if g.timer().is_none_or(|at| at > now.saturating_add(max)) {
                let at = now.saturating_add(within(max, random));
                g.answer = Some(g.answer.map_or(at, |old| old.min(at)));
                g.left = 0;
            }
        }
    }

    /// RFC 3376 §5.2: its rules, 1 to 5.
    fn query_v3(&mut self, group: Option<Ipv4Addr>, at: u64) {
        if self.general.is_some_and(|general| general <= at) {
            return;
        }
        match group {
            None => (self.general, self.answered) = (Some(at), None),
            Some(addr) => {
                let Ok(found) = self.find(addr) else { return };
                if let Some(g) = self.list.get_mut(found).filter(|g| g.present) {
                    g.answer = Some(g.answer.map_or(at, |old| old.min(at)));
                }
            }
        }
    }

    /// Another host has reported a group (RFC 2236 §3): the routers know, then.
    pub fn heard(&mut self, addr: Ipv4Addr, now: u64) {
        self.settle(now);
        // RFC 3376 §7.2.2: it may be heeded only where an older version is spoken.
        if self.version == Version::V3 {
            return;
        }
        let Ok(at) = self.find(addr) else { return };
        if let Some(g) = self.list.get_mut(at).filter(|g| g.present) {
            (g.left, g.answer, g.last_reporter) = (0, None, false);
        }
    }

    /// A report that is due; to be asked for until there is none.
    pub fn poll(&mut self, now: u64, random: Random<'_>) -> Option<Report> {
        self.settle(now);
        if self.version == Version::V3 {
            self.poll_v3(now, random)
        } else {
            self.poll_v2(now, random)
        }
    }

    fn poll_v3(&mut self, now: u64, random: Random<'_>) -> Option<Report> {
        let mut records = Records::new();
        for g in self.list.iter_mut() {
            if records.has_room() && g.change_due().is_some_and(|at| at <= now) {
                records.push(if g.present { Change::Joined } else { Change::Left }, g.addr);
                g.left -= 1;
                g.next = now.saturating_add(within(REPEAT, random).max(1));
            }
        }
        self.list.retain(|g| g.present || g.left > 0);
        if records.is_empty() && self.general.is_some_and(|at| at <= now) {
            let from = self.answered;
            let present = self.list.iter().filter(|g| g.present);
            let mut all = present.filter(|g| from.is_none_or(|from| g.addr > from)).peekable();
            while records.has_room()
                && let Some(g) = all.next()
            {
                records.push(Change::Is, g.addr);
                self.answered = Some(g.addr);
            }
            if all.peek().is_none() {
                (self.general, self.answered) = (None, None);
            }
        }
        if records.is_empty() {
            for g in self.list.iter_mut() {
                if records.has_room() && g.answer.is_some_and(|at| at <= now) {
                    records.push(Change::Is, g.addr);
                    g.answer = None;
                }
            }
        }
        (!records.is_empty()).then_some(Report::V3(records))
    }

    fn poll_v2(&mut self, now: u64, random: Random<'_>) -> Option<Report> {
        let at = self.list.iter().position(|g| g.timer().is_some_and(|at| at <= now))?;
        let version = self.version;
        let g = self.list.get_mut(at)?;
        let addr = g.addr;
        if !g.present {
            self.list.remove(at);
            return Some(Report::Leave(addr));
        }
        if g.change_due().is_some_and(|at| at <= now) {
            g.left -= 1;
            g.next = now.saturating_add(within(REPEAT_V2, random).max(1));
        }
        g.answer = g.answer.filter(|at| *at > now);
        g.last_reporter = true;
        Some(if version == Version::V1 { Report::V1(addr) } else { Report::V2(addr) })
    }

    /// When [`Groups::poll`] is to be asked again.
    pub fn deadline(&self) -> Option<u64> {
        let groups = self.list.iter().filter_map(|g| g.timer());
        groups.chain(self.general).min()
    }
}

#[cfg(test)]
mod tests;
