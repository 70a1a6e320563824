//! A figure and what it is compared with.
//!
//! Locking: none.

use core::fmt;

use serde::Serialize;

/// One figure. SI units, stable names.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// Its id in the figure tables.
    pub id: &'static str,
    /// What was measured.
    pub what: &'static str,
    /// `s`, or `1` for a number without a unit.
    pub unit: &'static str,
    /// Ours.
    pub value: f64,
    /// The other side.
    pub baseline: f64,
    /// What the other side is.
    pub baseline_what: &'static str,
    /// Ours through the baseline.
    pub ratio: f64,
    /// The first of its kind in this process, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<f64>,
    /// What the book measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub book_s: Option<f64>,
    /// The ratio with all threads on one processor, where that was measured apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_ratio: Option<f64>,
    /// The ratio where the system put them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_ratio: Option<f64>,
}

/// An array of figures.
pub fn json(records: &[Record]) -> Result<String, String> {
    let text = serde_json::to_string_pretty(records);
    text.map(|text| text + "\n").map_err(|error| error.to_string())
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { id, what, unit, value, baseline, baseline_what, ratio, .. } = self;
        writeln!(f, "{id}: {what}: {value:.3e} {unit}")?;
        writeln!(f, "    {baseline_what}: {baseline:.3e} {unit}; ratio {ratio:.4}")?;
        match (self.pinned_ratio, self.free_ratio) {
            (Some(pinned), Some(free)) => writeln!(f, "    pinned {pinned:.4}, free {free:.4}"),
            _ => Ok(()),
        }
    }
}
