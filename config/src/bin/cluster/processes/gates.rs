//! When nodes go on: three pipes that nobody writes to.
//!
//! Who plans has the writing end of each, and opens a gate by closing it: everybody who reads gets
//! the end of the file. If that process dies, all of them open by themselves.
//!
//! * [`Gates::new`] before the first node is forked; [`Gates::inside`] first of all in a node.
//! * [`Gate::open`] in the one, [`Gate::wait`] in the others.
//!
//! Locking: none. Sources: pipe(7).

use std::io::{PipeReader, PipeWriter, Read};

/// One gate.
pub struct Gate {
    reader: PipeReader,
    writer: Option<PipeWriter>,
}

impl Gate {
    fn new() -> Result<Gate, String> {
        let (reader, writer) =
            std::io::pipe().map_err(|error| format!("no pipe to the nodes: {error}"))?;
        Ok(Gate { reader, writer: Some(writer) })
    }

    /// Whoever waits goes on.
    pub fn open(&mut self) {
        self.writer = None;
    }

    /// Until it is open.
    pub fn wait(&self) {
        let mut reader = &self.reader;
        // Nobody writes: it is the end, or an error that is no reason to stay.
        let _ = reader.read(&mut [0]);
    }
}

/// All of them.
pub struct Gates {
    /// Nodes that ping anybody do it.
    pub pings: Gate,
    /// The node with the longest way measures it.
    pub warm: Gate,
    /// Everybody halts.
    pub end: Gate,
}

impl Gates {
    /// All closed.
    pub fn new() -> Result<Gates, String> {
        Ok(Gates { pings: Gate::new()?, warm: Gate::new()?, end: Gate::new()? })
    }

    /// In a node: a copy of a writing end would keep a gate closed.
    pub fn inside(&mut self) {
        for gate in [&mut self.pings, &mut self.warm, &mut self.end] {
            gate.writer = None;
        }
    }
}
