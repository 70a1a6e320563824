//! The bootstrap matrix: JSON with stable names and SI units, and a table for people.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::stats::{Spread, bytes, seconds, three_digits};

/// The matrix.
#[derive(Serialize)]
pub struct Report {
    /// A row per configuration.
    pub configurations: Vec<Row>,
    /// What the rows are compared with.
    pub baseline: Baseline,
}

/// One configuration.
#[derive(Serialize)]
pub struct Row {
    /// Its name in `config/`.
    pub name: String,
    /// How many components it has.
    pub components: u32,
    /// Boot in the process.
    pub boot_s: Spread,
    /// Halt in the process, median.
    pub halt_s: f64,
    /// Resident memory of an idle kernel.
    pub bytes_per_kernel: f64,
    /// Start to exit of a process that boots and ends.
    pub process_s: Process,
    /// Size of the stripped static binary.
    pub binary_bytes: u64,
}

/// Times of whole processes.
#[derive(Serialize)]
pub struct Process {
    /// The quickest.
    pub min: f64,
    /// The one in the middle.
    pub median: f64,
}

/// Measured in the same run.
#[derive(Serialize)]
pub struct Baseline {
    /// Start to exit of an empty static program, median.
    pub empty_process_s: f64,
    /// The quickest of those.
    pub empty_process_min_s: f64,
    /// getpid of the host.
    pub host_getpid_s: f64,
    /// getpid of a kernel, from a bound thread.
    pub kernel_getpid_s: f64,
}

impl Report {
    /// The matrix for people.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header([
            "configuration",
            "parts",
            "boot min",
            "median",
            "p99",
            "first",
            "halt",
            "memory",
            "process",
            "× empty",
            "binary",
        ]);
        for row in &self.configurations {
            table.add_row([
                row.name.clone(),
                row.components.to_string(),
                seconds(row.boot_s.min),
                seconds(row.boot_s.median),
                seconds(row.boot_s.p99),
                row.boot_s.first.map_or("–".into(), seconds),
                seconds(row.halt_s),
                bytes(row.bytes_per_kernel),
                seconds(row.process_s.median),
                three_digits(row.process_s.median / self.baseline.empty_process_s),
                bytes(row.binary_bytes as f64),
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let baseline = &self.baseline;
        format!(
            "{table}\nan empty static program: {}; getpid: host {}, kernel {}",
            seconds(baseline.empty_process_s),
            seconds(baseline.host_getpid_s),
            seconds(baseline.kernel_getpid_s),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            configurations: vec![Row {
                name: "base".into(),
                components: 0,
                boot_s: Spread { min: 1e-6, median: 2e-6, p99: 4e-6, first: Some(5e-5) },
                halt_s: 1e-6,
                bytes_per_kernel: 8192.0,
                process_s: Process { min: 3e-4, median: 4e-4 },
                binary_bytes: 500_000,
            }],
            baseline: Baseline {
                empty_process_s: 3.5e-4,
                empty_process_min_s: 3e-4,
                host_getpid_s: 1e-7,
                kernel_getpid_s: 8e-9,
            },
        }
    }

    /// The names that the issue fixes.
    #[test]
    fn json_has_the_stable_names() {
        let json = serde_json::to_value(report()).unwrap();
        let row = &json["configurations"][0];
        for name in ["components", "halt_s", "bytes_per_kernel", "binary_bytes"] {
            assert!(row[name].is_number(), "{name}");
        }
        for name in ["min", "median", "p99"] {
            assert!(row["boot_s"][name].is_number(), "{name}");
        }
        assert!(row["process_s"]["median"].is_number());
        for name in ["empty_process_s", "host_getpid_s", "kernel_getpid_s"] {
            assert!(json["baseline"][name].is_number(), "{name}");
        }
    }

    #[test]
    fn the_table_has_a_row_per_configuration() {
        let table = report().table();
        assert!(table.contains("base") && table.contains("2.00 µs"), "{table}");
        assert!(table.contains("1.14"), "{table}");
    }
}
