//! The parser of topology files, and the walk through what it accepts.
//!
//! Locking: none. Sources: `config/TOPOLOGY.md`.
#![no_main]

use config::topology::{MAX_HOPS, Tables, parse};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let topology = match parse("fuzz.toml", text) {
        Ok(topology) => topology,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    // What is accepted holds what it promises: indices point somewhere, and pings arrive.
    let tables = Tables::new(&topology);
    for node in &topology.nodes {
        assert!(node.interfaces.iter().all(|i| topology.character(i).check().is_ok()));
        assert!(node.interfaces.iter().all(|i| (i.link as usize) < topology.links.len()));
        assert_eq!(
            topology.node(&node.name).map(|i| &topology.nodes[i as usize].name),
            Ok(&node.name)
        );
    }
    for ping in &topology.pings {
        assert!((ping.from as usize) < topology.nodes.len());
        assert!(ping.hops <= MAX_HOPS && ping.reply_hops <= MAX_HOPS);
        assert_eq!(tables.ping(ping.from, ping.to).as_ref(), Ok(ping));
    }
});
