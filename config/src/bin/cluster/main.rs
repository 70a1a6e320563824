//! Placeholder, replaced within this session.
fn main() {}
