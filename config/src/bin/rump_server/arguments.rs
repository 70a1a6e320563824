//! The command line of `rump_server`.
//!
//! Locking: none. Sources: rump_server(1).

use std::ffi::OsString;
use std::path::Path;

use clap::Parser;
use clap::builder::styling::Styles;

/// The name under which all components are booted.
pub const ALL_SERVER: &str = "rump_allserver";

/// Serve a kernel to other programs
///
/// The command returns as soon as clients can connect; the kernel goes on in the background, in
/// this directory. It ends with `rump.halt`, or with a signal (TERM, INT).
#[derive(Parser, Debug)]
#[command(
    name = "rump_server",
    version,
    max_term_width = 100,
    styles = Styles::plain(),
    after_help = "\
Examples:
  rump_server -l netinet -l shmif unix://router      a router; clients: RUMP_SERVER=unix://router
  rump_allserver -c 2 -r 64M unix:///tmp/all         every component, two CPUs, 64 MiB
  rump_server -s -l netinet tcp://127.0.0.1:5000     in the foreground, for this machine's users
  rump_server -l netinet 'tcp://0:5000?key=secret'   for whoever has the key; encrypted"
)]
pub struct Arguments {
    /// Where clients connect: unix://PATH, or tcp://HOST:PORT[?key=FILE]
    ///
    /// Over a unix socket its owner and root are the kernel's root, others its nobody. Over TCP who
    /// has the key is its root; without a key everybody is nobody, and the host must be a loopback
    /// address.
    #[arg(value_name = "URL")]
    pub url: String,

    /// Give the kernel a component, and all that it needs; again for another
    ///
    /// Its own name (netinet), or that of the original's library (rumpnet_netinet).
    #[arg(short = 'l', value_name = "COMPONENT")]
    pub components: Vec<String>,

    /// Give it all components there are
    #[arg(long)]
    pub all: bool,

    /// Stay in the foreground
    #[arg(short = 's')]
    pub foreground: bool,

    /// Show what the kernel says while it boots, and, with -s, what goes on
    #[arg(short = 'v')]
    pub verbose: bool,

    /// Virtual CPUs, 1 to 64
    #[arg(short = 'c', value_name = "NCPU", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=64))]
    pub ncpu: u32,

    /// The most memory that the kernel may hold: bytes, or as in 16M or 16m [default: a quarter of this
    /// machine's]
    #[arg(short = 'r', value_name = "MEMLIMIT", value_parser = config::size)]
    pub memlimit: Option<u64>,

    /// The kernel's name [default: the last part of the URL]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Its host name [default: that of this machine]
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,

    /// The mode of the unix socket, in octal: who may connect
    #[arg(long, value_name = "MODE", default_value = "600", value_parser = mode)]
    pub mode: u32,

    /// Listen on TCP without a key on an address that others can reach
    #[arg(long)]
    pub allow_unauthenticated_anywhere: bool,
}

/// What the program was called.
pub fn program() -> String {
    let name = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The words of the command line.
pub fn words() -> impl Iterator<Item = OsString> {
    std::env::args_os()
}

fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| format!("{text:?} is no mode such as 600 or 660"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(words: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once("rump_server").chain(words.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_books_way_of_writing() {
        let parsed = parse("-lrumpnet -lrumpnet_net -l netinet -c 2 -r16M -sv unix://a").unwrap();
        assert_eq!(parsed.components, ["rumpnet", "rumpnet_net", "netinet"]);
        assert_eq!((parsed.ncpu, parsed.memlimit), (2, Some(16 << 20)));
        assert_eq!(parse("-r 16m unix://a").unwrap().memlimit, Some(16 << 20));
        assert!(parsed.foreground && parsed.verbose && parsed.url == "unix://a");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in ["", "-c 0 unix://a", "-c 65 unix://a", "-r 1T unix://a", "--mode 8 unix://a"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse("--mode 0660 unix://a").unwrap().mode, 0o660);
    }
}
