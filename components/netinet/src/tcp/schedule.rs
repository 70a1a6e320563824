//! When a listening socket says its part of a handshake again, and TCP_DEFER_ACCEPT in terms of it.
//!
//! * [`wait`]: how long after each time.  * [`tries`], [`seconds`]: how often in a time, and back.
//!
//! Linux keeps the time that a listening socket waits for data as the number of times that it would say
//! its part in it, and answers with the time that this number stands for: 1, 3, 7, 15, 31, 63, 127, 247,
//! … seconds, each the next one that is not less than what was set.
//!
//! Locking: none. Sources: RFC 6298 §2, §5.5; Linux tcp(7), its secs_to_retrans and retrans_to_secs.

use super::rto::SECOND;

/// The longest wait: as that of a segment of a connection (Linux: TCP_RTO_MAX).
const LONGEST: u64 = 120 * SECOND;

/// How long the wait is after the `n`th time that it was said again; 0: the first.
pub fn wait(n: u8) -> u64 {
    (SECOND << n.min(7)).min(LONGEST)
}

/// The least number of waits that together are `seconds` long; none for no time. No more than 255.
pub fn tries(seconds: i32) -> u8 {
    let time = u64::try_from(seconds).unwrap_or(0) * SECOND;
    let mut passed = 0;
    let enough = |n: &u8| {
        let is_enough = passed >= time;
        passed += wait(*n);
        is_enough
    };
    (0..u8::MAX).find(enough).unwrap_or(u8::MAX)
}

/// How long that many waits are, in seconds.
pub fn seconds(tries: u8) -> i32 {
    let all: u64 = (0..tries).map(wait).sum();
    i32::try_from(all / SECOND).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_to_the_schedule() {
        let answered = |set| seconds(tries(set));
        for (set, get) in [
            (-5, 0),
            (0, 0),
            (1, 1),
            (2, 3),
            (3, 3),
            (4, 7),
            (7, 7),
            (60, 63),
            (64, 127),
            // From here on two minutes each.
            (128, 247),
            (248, 367),
        ] {
            assert_eq!(answered(set), get, "{set}");
            assert_eq!(answered(get), get, "it is one of them");
        }
        assert_eq!(tries(i32::MAX), u8::MAX);
        assert_eq!(answered(i32::MAX), 127 + 248 * 120);
    }
}
