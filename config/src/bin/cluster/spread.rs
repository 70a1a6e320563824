//! Work over the machine's processors.
//!
//! * [`threads`]: how many are worth it.  * [`over`]: runs a function on ranges of items.
//!
//! A thread gets a range of neighbours, because neighbours talk to each other.
//!
//! Locking: none.

use core::ops::Range;
use std::thread;

/// Fewer nodes than this are done before another thread has started.
const WORTH_A_THREAD: usize = 500;

/// How many threads to use for so many nodes.
pub fn threads(nodes: usize) -> usize {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    processors.min(nodes / WORTH_A_THREAD).max(1)
}

/// Runs `work` on the items from 0 to `count`, in ranges, on so many threads, of which the calling
/// one is the first. The results are in the order of the ranges.
pub fn over<T: Send>(
    count: usize,
    threads: usize,
    work: impl Fn(Range<usize>) -> T + Sync,
) -> Vec<T> {
    let share = count.div_ceil(threads.max(1)).max(1);
    let mut ranges =
        (0..count).step_by(share).map(|from| from..count.min(from.saturating_add(share)));
    let Some(mine) = ranges.next() else { return Vec::new() };
    thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> = ranges.map(|range| scope.spawn(move || work(range))).collect();
        let mut results = vec![work(mine)];
        for other in others {
            match other.join() {
                Ok(result) => results.push(result),
                // It has said what happened.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_and_in_order() {
        for (count, threads) in [(0, 2), (1, 2), (7, 3), (8, 1), (3, 8)] {
            let ranges = over(count, threads, |range| range);
            let items: Vec<usize> = ranges.iter().cloned().flatten().collect();
            assert_eq!(items, (0..count).collect::<Vec<_>>());
            assert!(ranges.len() <= threads);
        }
    }

    #[test]
    fn few_nodes_need_one_thread() {
        assert_eq!(threads(255), 1);
        assert!(threads(1_000_000) >= 1);
    }
}
