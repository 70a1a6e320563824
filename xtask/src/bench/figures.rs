//! The figures that the project means to reach, and the table that shows them beside ours.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::Record;
use crate::stats::{quantity, three_digits};

/// What a figure is held against.
enum Aim {
    /// The value, at most.
    Value(f64),
    /// The value, at least.
    ValueAtLeast(f64),
    /// The ratio, at most.
    Ratio(f64),
    /// The ratio, at least.
    RatioAtLeast(f64),
}

use Aim::{Ratio, RatioAtLeast, Value, ValueAtLeast};

const AIMS: &[(&str, Aim)] = &[
    ("boot.base", Value(5e-6)),
    ("boot.router", Value(20e-6)),
    ("process.base", Ratio(1.2)),
    ("syscall.bound", Value(10e-9)),
    ("syscall.bound", Ratio(2.0)),
    ("syscall.2cpu", RatioAtLeast(0.95)),
    ("cluster.255", Value(15e-3)),
    ("hop.warm", Value(0.4e-6)),
    ("cluster.10000", Value(0.5)),
    ("node.bytes", Value(24.0 * 1024.0)),
    ("idle.cpu", Value(0.001)),
    ("cluster.100000", Ratio(1.3)),
    ("script.255", Ratio(1.2)),
    ("tool.ifconfig", Ratio(1.1)),
    ("server.start", Ratio(2.5)),
    ("server.pss", Value(1024.0 * 1024.0)),
    ("server.private", Value(400.0 * 1024.0)),
    ("remote.getpid", Ratio(1.3)),
    ("remote.read64k", Ratio(1.5)),
    ("bus.ping", Ratio(3.0)),
    ("cluster.processes.255", Value(0.2)),
    ("tcp.bulk", RatioAtLeast(2.0)),
    ("tcp.bus", RatioAtLeast(0.7)),
    ("tcp.rr", Ratio(0.5)),
    ("tcp.connect", RatioAtLeast(2.0)),
    ("forward.pps", ValueAtLeast(2e6)),
    ("forward.pps", RatioAtLeast(2.0)),
    ("tcp.idle.bytes", Value(4096.0)),
    ("tcp.loss", RatioAtLeast(0.9)),
];

impl Aim {
    /// Whether `record` reaches it; `None` if it was not measured.
    fn is_met(&self, record: &Record) -> Option<bool> {
        match *self {
            Value(most) => record.value.map(|value| value <= most),
            ValueAtLeast(least) => record.value.map(|value| value >= least),
            Ratio(most) => record.ratio.map(|ratio| ratio <= most),
            RatioAtLeast(least) => record.ratio.map(|ratio| ratio >= least),
        }
    }

    fn text(&self, unit: &str) -> String {
        match *self {
            Value(most) => format!("≤ {}", quantity(most, unit)),
            ValueAtLeast(least) => format!("≥ {}", quantity(least, unit)),
            Ratio(most) => format!("≤ {} ×", three_digits(most)),
            RatioAtLeast(least) => format!("≥ {} ×", three_digits(least)),
        }
    }
}

/// The records for people.
pub fn table(records: &[Record]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["id", "what", "ours", "baseline", "ratio", "aim", "met"]);
    for record in records {
        let shown = |value: Option<f64>| value.map_or("–".into(), |v| quantity(v, &record.unit));
        let aims: Vec<&Aim> =
            AIMS.iter().filter(|(id, _)| *id == record.id).map(|(_, aim)| aim).collect();
        let texts: Vec<String> = aims.iter().map(|aim| aim.text(&record.unit)).collect();
        let met = match aims.iter().map(|aim| aim.is_met(record)).collect::<Option<Vec<bool>>>() {
            Some(met) if met.is_empty() => "",
            Some(met) if met.iter().all(|met| *met) => "yes",
            Some(_) => "no",
            None => "?",
        };
        let baseline = match &record.reason {
            Some(reason) => format!("{} ({reason})", record.baseline_what),
            None => format!("{} ({})", shown(record.baseline), record.baseline_what),
        };
        table.add_row([
            record.id.clone(),
            record.what.clone(),
            shown(record.value),
            baseline,
            record.ratio.map_or("–".into(), three_digits),
            texts.join(", "),
            met.into(),
        ]);
    }
    for column in table.column_iter_mut() {
        if [2, 4].contains(&column.index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aims_are_judged() {
        let record = |value, baseline| Record::new("syscall.bound", "x", "s", value, baseline, "y");
        let met = |r: &Record| {
            let aims = AIMS.iter().filter(|(id, _)| *id == "syscall.bound");
            aims.map(|(_, aim)| aim.is_met(r)).collect::<Vec<_>>()
        };
        assert_eq!(met(&record(9e-9, 5e-9)), [Some(true), Some(true)]);
        assert_eq!(met(&record(9e-9, 4e-9)), [Some(true), Some(false)]);
        assert_eq!(met(&Record::failed("syscall.bound", "z")), [None, None]);
    }

    #[test]
    fn the_table_says_why_a_baseline_is_absent() {
        let table = table(&[Record::alone("x.y", "w", "s", 1.0, "netns", "needs root")]);
        assert!(table.contains("needs") && table.contains("netns"), "{table}");
    }
}
