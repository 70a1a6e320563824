//! One figure of a benchmark.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A figure and what it is compared with. SI units.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Its stable name.
    pub id: String,
    /// What was measured.
    pub what: String,
    /// `s`, `B`, or `1` for a number without one.
    pub unit: String,
    /// Ours; absent if it could not be measured.
    pub value: Option<f64>,
    /// The other side; absent if this machine cannot run it.
    pub baseline: Option<f64>,
    /// What the other side is.
    pub baseline_what: String,
    /// Ours through the baseline.
    pub ratio: Option<f64>,
    /// Why something is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// More about it, by stable names of its own.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Record {
    /// A figure with a baseline.
    pub fn new(id: &str, what: &str, unit: &str, value: f64, baseline: f64, of: &str) -> Record {
        Record {
            id: id.into(),
            what: what.into(),
            unit: unit.into(),
            value: Some(value),
            baseline: Some(baseline),
            baseline_what: of.into(),
            ratio: (baseline != 0.0).then(|| value / baseline),
            reason: None,
            more: Map::new(),
        }
    }

    /// A figure whose baseline cannot be run here.
    pub fn alone(id: &str, what: &str, unit: &str, value: f64, of: &str, why: &str) -> Record {
        Record {
            baseline: None,
            ratio: None,
            reason: Some(why.into()),
            ..Record::new(id, what, unit, value, 0.0, of)
        }
    }

    /// A figure that could not be measured.
    pub fn failed(id: &str, why: &str) -> Record {
        Record { value: None, ..Record::alone(id, "not measured", "1", 0.0, "", why) }
    }

    /// Adds another number.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Record {
        self.more.insert(name.into(), value.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_stable_names() {
        let record = Record::new("a.b", "x", "s", 3.0, 2.0, "y").with("threads", 4);
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(
            json,
            r#"{"id":"a.b","what":"x","unit":"s","value":3.0,"baseline":2.0,"baseline_what":"y","ratio":1.5,"threads":4}"#
        );
        let again: Record = serde_json::from_str(&json).unwrap();
        assert_eq!(again.more["threads"], 4);
    }

    #[test]
    fn an_absent_baseline_is_null_with_a_reason() {
        let json = serde_json::to_value(Record::alone("a", "x", "s", 1.0, "y", "no z")).unwrap();
        assert!(json["baseline"].is_null() && json["ratio"].is_null());
        assert_eq!(json["reason"], "no z");
    }
}
