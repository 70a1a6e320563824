//! Batches of two things in turn, and their medians.
//!
//! In turn, because a machine's speed drifts, and medians, because it is interrupted.
//!
//! Locking: none.

use std::time::Instant;

/// The middle one of these; 0 if there are none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Times `one` and `other` in turn, `batches` times each, and gives for both the median time of a
/// single operation, and the median ratio of neighbouring batches. Both do `operations` operations
/// when called.
pub fn compare<E>(
    batches: u32,
    operations: u32,
    mut one: impl FnMut() -> Result<(), E>,
    mut other: impl FnMut() -> Result<(), E>,
) -> Result<Compared, E> {
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..batches {
        let mine = seconds(&mut one)? / f64::from(operations);
        let yours = seconds(&mut other)? / f64::from(operations);
        ours.push(mine);
        theirs.push(yours);
        ratios.push(mine / yours);
    }
    Ok(Compared { one: median(ours), other: median(theirs), ratio: median(ratios) })
}

/// What [`compare`] found.
#[derive(Clone, Copy, Debug)]
pub struct Compared {
    /// Seconds of one operation.
    pub one: f64,
    /// Seconds of one operation of the other kind.
    pub other: f64,
    /// The median of the ratios of neighbours.
    pub ratio: f64,
}

fn seconds<E>(work: &mut impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(Vec::new()), 0.0);
    }

    #[test]
    fn both_sides_are_measured() {
        fn spin(turns: u32) -> Result<(), ()> {
            (0..turns).for_each(|n| _ = core::hint::black_box(n));
            Ok(())
        }
        let compared = compare(5, 1, || spin(1_000), || spin(100_000)).unwrap();
        assert!(compared.one < compared.other && compared.ratio < 1.0);
    }
}
