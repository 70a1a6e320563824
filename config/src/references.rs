//! The examples of the two reference pages are read by the parsers that they describe.
//!
//! Locking: none.

use crate::file::File;
use crate::topology;

/// The texts between "```toml" and "```".
fn examples(page: &'static str) -> Vec<&'static str> {
    let blocks = page.split("```toml\n").skip(1);
    blocks.map(|rest| rest.split("```").next().expect("split gives one part")).collect()
}

#[test]
fn examples_of_configurations() {
    let examples = examples(include_str!("../CONFIGURATION.md"));
    assert_eq!(examples.len(), 3);
    for example in examples {
        let file = File::parse("example.toml", example).unwrap_or_else(|error| panic!("{error}"));
        let is_link = file.interfaces.iter().any(|interface| !interface.character.is_empty());
        assert!(file.name == "edge" || file.components.is_empty() || is_link);
    }
}

#[test]
fn examples_of_topologies() {
    let examples = examples(include_str!("../TOPOLOGY.md"));
    assert_eq!(examples.len(), 3);
    for example in examples {
        let plan = topology::parse("t.toml", example).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plan.nodes.len(), 3);
        assert!(plan.pings.iter().any(|ping| ping.from == 2 && ping.hops == 2));
    }
}
