//! Makes completions and manual pages of the tools' tables.
//!
//! * `rump_pages completions bash|zsh|fish`: to standard output.  * `rump_pages man DIRECTORY`: a
//!   page for each tool.
//!
//! `rump completions` and `rump man` call it; it is a program of its own so that they stay small.
//!
//! Locking: none. Sources: man-pages(7).

fn main() {}
