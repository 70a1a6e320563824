//! A configuration file: the components of a kernel, its options, and how it is set up.
//!
//! * [`File::parse`]: understands a text; `CONFIGURATION.md` is the reference of the format.
//! * [`File::read`]: the same from the file system.
//! * [`File::closure`]: the components that the kernel is made of, given those that there are.
//!
//! Locking: none. Sources: the first edition's list of run-time options (`rump_server`), and
//! ifconfig(8), route(8), sysctl(8) for the words.

mod parse;

#[cfg(test)]
mod tests;

use core::fmt;
use std::net::Ipv4Addr;
use std::path::Path;

use character::Character;
use ipnet::Ipv4Net;

use crate::Error;
use crate::resolve::{Closure, Known, ResolveError, Wanted, resolve};

/// The most virtual CPUs that a kernel can have.
pub const MAX_CPUS: u32 = 64;

/// What a configuration file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// The file itself, for errors.
    pub path: String,
    /// The configuration's name: of the kernel, and of the crate that is made of it.
    pub name: String,
    /// As they are listed, without what they need.
    pub components: Vec<Listed>,
    /// `[options]`.
    pub options: Options,
    /// `[sysctl]`, in the order of the file.
    pub sysctls: Vec<Sysctl>,
    /// `[[interface]]`, in the order of the file.
    pub interfaces: Vec<Interface>,
    /// `[[route]]`, in the order of the file.
    pub routes: Vec<Route>,
}

/// A component in the list, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1.
    pub column: usize,
}

/// What is chosen at boot. What the file leaves out is `None` and the kernel's own choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Virtual CPUs.
    pub ncpu: Option<u32>,
    /// Bytes that the kernel may hold.
    pub memlimit: Option<u64>,
    /// The host name.
    pub hostname: Option<String>,
}

/// One variable of the sysctl tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysctl {
    /// Dotted.
    pub name: String,
    /// What it is set to.
    pub value: Value,
}

/// The value of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number; `true` and `false` are 1 and 0.
    Integer(i64),
    /// A text.
    Text(String),
}

/// One network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// `shmif0`.
    pub name: String,
    /// What it is attached to, as its driver understands it: a bus.
    pub linkstr: Option<String>,
    /// Its addresses; the first is the main one.
    pub inet: Vec<Ipv4Net>,
    /// Whether it is brought up.
    pub up: bool,
    /// In bytes.
    pub mtu: Option<u32>,
    /// What its link does to what it sends.
    pub character: Character,
}

impl Interface {
    /// The name without the unit: whose interface it is.
    pub fn driver(&self) -> &str {
        self.name.trim_end_matches(|c: char| c.is_ascii_digit())
    }
}

/// One static route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Of length 0 for the default route.
    pub to: Ipv4Net,
    /// The gateway.
    pub via: Ipv4Addr,
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileError {
    /// The file cannot be read.
    Read {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// Its text is wrong.
    Text(Error),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Read { path, reason } => write!(f, "{path}: {reason}"),
            FileError::Text(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for FileError {}

impl File {
    /// Reads and understands a file.
    pub fn read(path: &Path) -> Result<File, FileError> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => File::parse(&name, &text).map_err(FileError::Text),
            Err(error) => Err(FileError::Read { path: name, reason: error.to_string() }),
        }
    }

    /// Understands a text. `path` names it in errors, and names the configuration where the
    /// text does not.
    pub fn parse(path: &str, text: &str) -> Result<File, Error> {
        parse::file(path, text)
    }

    /// What the kernel is made of: the listed components, those that the set-up calls for, and
    /// all that they need.
    pub fn closure(&self, known: &[Known]) -> Result<Closure, Error> {
        resolve(known, &self.wanted(known)).map_err(|error| {
            let culprit = match &error {
                ResolveError::Unknown { name, .. } => name.as_str(),
                ResolveError::Circular { .. } => "",
            };
            let listed = self.components.iter().find(|listed| listed.name == culprit);
            let (line, column) = listed.map_or((1, 1), |listed| (listed.line, listed.column));
            Error { file: self.path.clone(), line, column, message: error.to_string() }
        })
    }

    fn wanted(&self, known: &[Known]) -> Vec<Wanted> {
        let is_known = |name: &str| known.iter().any(|known| known.name == name);
        let mut wanted = Vec::new();
        for listed in &self.components {
            wanted.push(Wanted { name: listed.name.clone(), because: None });
        }
        let mut add = |name: &str, because: String| {
            if is_known(name) {
                wanted.push(Wanted { name: name.to_string(), because: Some(because) });
            }
        };
        for interface in &self.interfaces {
            let because = format!("interface {}", interface.name);
            add("net", because.clone());
            add(interface.driver(), because.clone());
            if !interface.inet.is_empty() {
                add("netinet", format!("the address of {because}"));
            }
        }
        if !self.routes.is_empty() {
            add("netinet", "a route".to_string());
        }
        wanted
    }
}
