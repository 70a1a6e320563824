//! Figures: order statistics, and how a person reads them.

use serde::{Deserialize, Serialize};

/// Measurements of one thing, sorted.
pub struct Samples(Vec<f64>);

impl Samples {
    /// `None` if there are none.
    pub fn new(mut values: Vec<f64>) -> Option<Samples> {
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then_some(Samples(values))
    }

    /// The least.
    pub fn min(&self) -> f64 {
        self.0[0]
    }

    /// The middle one, or the mean of the two in the middle.
    pub fn median(&self) -> f64 {
        let half = self.0.len() / 2;
        match self.0.len() % 2 {
            1 => self.0[half],
            _ => f64::midpoint(self.0[half - 1], self.0[half]),
        }
    }
}

/// The spread of the boots of one kernel, in seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spread {
    /// The quickest.
    pub min: f64,
    /// The one in the middle.
    pub median: f64,
    /// The one that 99 in 100 do not exceed.
    pub p99: f64,
    /// The first in its process, when measured: it pays for what later ones find ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<f64>,
}

/// `1.234e-5` as `12.3 µs`.
pub fn seconds(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        v if v >= 1.0 => (value, "s"),
        v if v >= 1e-3 => (value * 1e3, "ms"),
        v if v >= 1e-6 => (value * 1e6, "µs"),
        _ => (value * 1e9, "ns"),
    };
    format!("{} {unit}", three_digits(scaled))
}

/// `24576` as `24.0 KiB`.
pub fn bytes(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        v if v >= 1_048_576.0 => (value / 1_048_576.0, "MiB"),
        v if v >= 1024.0 => (value / 1024.0, "KiB"),
        _ => (value, "B"),
    };
    format!("{} {unit}", three_digits(scaled))
}

/// A value in one of the units of the benchmarks.
pub fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "s" => seconds(value),
        "B" => bytes(value),
        "1" => three_digits(value),
        other => format!("{} {other}", three_digits(value)),
    }
}

/// Three digits that matter.
pub fn three_digits(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.01 || v == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_statistics() {
        let samples = Samples::new(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!((samples.min(), samples.median()), (1.0, 2.0));
        assert_eq!(Samples::new(vec![1.0, 2.0, 3.0, 4.0]).unwrap().median(), 2.5);
        assert!(Samples::new(Vec::new()).is_none());
    }

    #[test]
    fn figures_are_readable() {
        assert_eq!(seconds(1.234e-5), "12.3 µs");
        assert_eq!(seconds(9.87e-9), "9.87 ns");
        assert_eq!(seconds(0.0), "0.00 ns");
        assert_eq!(bytes(24576.0), "24.0 KiB");
        assert_eq!(quantity(1.18, "1"), "1.18");
        assert_eq!(three_digits(0.0002), "2.0e-4");
    }
}
