//! A kernel's memory account.
//!
//! A charge past the limit is refused here; the caller that has a context goes through
//! `Cx::charge`, which first reclaims. A simulated host may refuse any charge.
//!
//! * [`Account::part`]: the account of those who may have a part of the kernel's memory only. What is
//!   charged to it is charged to the kernel's, too.
//!
//! Locking: none. The balance is one atomic, since a charge may be given back on any thread
//! (a packet is freed by its last holder).

use alloc::sync::Arc;
use core::fmt;

use hypercall::Host;
use hypercall::atomic::{AtomicU64, Ordering};

/// The account is at its limit, or the host refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

impl fmt::Display for NoMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the kernel's memory limit is reached")
    }
}

impl core::error::Error for NoMemory {}

impl From<NoMemory> for crate::Errno {
    fn from(_: NoMemory) -> Self {
        crate::Errno::NoMemory
    }
}

/// What a kernel holds, and what it may hold, in bytes.
pub struct Account {
    used: AtomicU64,
    limit: AtomicU64,
    /// Whom else to ask; none for most, who so pay nothing for the question.
    asks: Option<Asks>,
}

enum Asks {
    /// A host that injects faults.
    Host(Arc<dyn Host>),
    /// The account that this is a part of: so many of its parts make the whole.
    Whole(Arc<Account>, u64),
}

impl Account {
    pub(crate) fn new(host: &Arc<dyn Host>, limit: u64) -> Self {
        let asks = host.faults().is_some().then(|| Asks::Host(host.clone()));
        Self { used: AtomicU64::new(0), limit: AtomicU64::new(limit), asks }
    }

    /// An account whose limit is `1/parts` of that of `whole`, which is charged as well.
    #[allow(clippy::disallowed_methods)] // a few words, of whoever makes it
    pub fn part(whole: &Arc<Account>, parts: u64) -> Arc<Account> {
        let asks = Some(Asks::Whole(whole.clone(), parts.max(1)));
        Arc::new(Self { used: AtomicU64::new(0), limit: AtomicU64::new(u64::MAX), asks })
    }

    /// Whether it is a part of another one.
    pub(crate) fn is_part(&self) -> bool {
        matches!(self.asks, Some(Asks::Whole(..)))
    }

    /// An account that no kernel has, without a limit: for tests of pure code that is charged.
    #[allow(clippy::disallowed_methods)] // what it charges is not a kernel's either
    pub fn standalone() -> Arc<Account> {
        let (used, limit) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Arc::new(Self { used, limit, asks: None })
    }

    /// Bytes charged now.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// What may still be charged, at this moment.
    pub fn left(&self) -> u64 {
        let mine = self.limit().saturating_sub(self.used());
        match &self.asks {
            Some(Asks::Whole(whole, _)) => mine.min(whole.left()),
            _ => mine,
        }
    }

    /// The limit; `u64::MAX` when there is none.
    pub fn limit(&self) -> u64 {
        match &self.asks {
            Some(Asks::Whole(whole, parts)) => whole.limit() / parts,
            _ => self.limit.load(Ordering::Relaxed),
        }
    }

    /// Sets the limit; that of a part follows its whole. What is charged above a smaller limit stays until it is given back.
    pub fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Adds `bytes` to the balance, or refuses. The caller gives them back with
    /// [`Account::give_back`]; [`Charge`] does both.
    #[inline]
    pub fn take(&self, bytes: usize) -> Result<(), NoMemory> {
        match &self.asks {
            None => self.add(bytes),
            Some(asks) => self.ask(asks, bytes),
        }
    }

    #[cold]
    fn ask(&self, asks: &Asks, bytes: usize) -> Result<(), NoMemory> {
        match asks {
            Asks::Host(host) if host.faults().is_some_and(|f| !f.grant(bytes)) => Err(NoMemory),
            Asks::Host(_) => self.add(bytes),
            Asks::Whole(whole, _) => {
                // The part first: what it refuses is never, not even for a moment, the whole's.
                self.add(bytes)?;
                whole.take(bytes).inspect_err(|_| {
                    self.used.fetch_sub(bytes as u64, Ordering::Relaxed);
                })
            }
        }
    }

    #[inline]
    fn add(&self, bytes: usize) -> Result<(), NoMemory> {
        if bytes > isize::MAX as usize {
            // No object is so large; and the sum below stays a number.
            return Err(NoMemory);
        }
        let before = self.used.fetch_add(bytes as u64, Ordering::Relaxed);
        let after = before.checked_add(bytes as u64);
        if after.is_none_or(|n| n > self.limit()) {
            self.used.fetch_sub(bytes as u64, Ordering::Relaxed);
            return Err(NoMemory);
        }
        Ok(())
    }

    /// Takes `bytes` off the balance.
    #[inline]
    pub fn give_back(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes as u64, Ordering::Relaxed);
        debug_assert!(before >= bytes as u64, "more given back than was charged");
        if let Some(Asks::Whole(whole, _)) = &self.asks {
            whole.give_back(bytes);
        }
    }
}

/// Bytes charged to an account. Having one tells you that the account agreed; dropping it gives
/// the bytes back.
pub struct Charge {
    account: Arc<Account>,
    bytes: usize,
}

impl Charge {
    /// Charges `bytes` to `account`.
    pub fn new(account: &Arc<Account>, bytes: usize) -> Result<Charge, NoMemory> {
        account.take(bytes)?;
        Ok(Charge { account: account.clone(), bytes })
    }

    /// A charge of nothing, to be resized.
    pub fn empty(account: &Arc<Account>) -> Charge {
        Charge { account: account.clone(), bytes: 0 }
    }

    /// Bytes charged.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The account that was charged.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Changes the charge to `bytes`. A smaller one always succeeds.
    pub fn resize(&mut self, bytes: usize) -> Result<(), NoMemory> {
        if bytes > self.bytes {
            self.account.take(bytes - self.bytes)?;
        } else {
            self.account.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.give_back(self.bytes);
    }
}
