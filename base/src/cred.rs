//! Credentials.
//!
//! Local clients of a kernel, and remote guests, are its root: a kernel is its owner's. The types
//! are here because every faction asks them.
//!
//! Locking: immutable once made; a process changes its credentials by replacing them.
//! Sources: NetBSD kauth(9), in a small way.

use smallvec::SmallVec;

/// Who somebody is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cred {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: SmallVec<[u32; 4]>,
}

impl Cred {
    /// The superuser.
    pub fn root() -> Self {
        Self { uid: 0, gid: 0, groups: SmallVec::new() }
    }

    /// Whether this is the superuser.
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Whether `gid` is one of the groups.
    pub fn in_group(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}
