//! The command line of `shmif_dumpbus`, of which its manual page and completions are made, too.
//!
//! Locking: none. Sources: NetBSD shmif_dumpbus(1).

use std::path::PathBuf;

use clap::Parser;

/// Show the frames that are still in a bus file, merged by time
///
/// A bus file keeps the last 512 KiB of frames of each member, also after its death, so this tells
/// what happened before a crash. It changes nothing, takes no lock, and works on a bus in use. The
/// times are the senders'.
///
/// Without -p: a line per frame (time, slot and which owner of it, how many frames it had sent,
/// addresses, type, length), and before them a line per member.
#[derive(Parser, Debug)]
#[command(
    name = "shmif_dumpbus",
    version,
    max_term_width = 100,
    after_help = "Examples:\n  \
        shmif_dumpbus shm/shmif1                     a line per frame\n  \
        shmif_dumpbus -p out.pcap shm/shmif1         a capture for Wireshark\n  \
        shmif_dumpbus -p - shm/shmif1 | tcpdump -r - what tcpdump makes of it"
)]
pub struct Arguments {
    /// Write a capture file (pcap, times in nanoseconds); `-` is the standard output
    #[arg(short, long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
    /// The bus: the path that was given as linkstr
    #[arg(value_name = "BUSFILE")]
    pub bus: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
