//! What a user may set.
//!
//! Locking: none. Sources: Linux tcp(7), socket(7).

use super::rto::SECOND;

/// What a user may set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// TCP_NODELAY: small segments do not wait for acknowledgments.
    pub nodelay: bool,
    /// TCP_CORK: a segment that is not full waits for more, or for the retransmission timeout.
    pub cork: bool,
    /// TCP_QUICKACK: what arrives is acknowledged at once.
    pub quickack: bool,
    /// SO_KEEPALIVE.
    pub keepalive: bool,
    /// TCP_KEEPIDLE, in nanoseconds.
    pub keep_idle: u64,
    /// TCP_KEEPINTVL, in nanoseconds.
    pub keep_interval: u64,
    /// TCP_KEEPCNT.
    pub keep_count: u8,
    /// TCP_USER_TIMEOUT, in nanoseconds.
    pub user_timeout: Option<u64>,
    /// TCP_MAXSEG: the largest segment either way.
    pub max_segment: Option<u16>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            nodelay: false,
            cork: false,
            quickack: false,
            keepalive: false,
            // RFC 9293 §3.8.4: two hours at least, unless set.
            keep_idle: 7200 * SECOND,
            keep_interval: 75 * SECOND,
            keep_count: 9,
            user_timeout: None,
            max_segment: None,
        }
    }
}
