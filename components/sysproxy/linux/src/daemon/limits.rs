//! Descriptors for many clients.
//!
//! Locking: none. Sources: getrlimit(2).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of descriptors to what the user may have.
pub(super) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // It is allowed; where it is not, fewer clients fit.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}
