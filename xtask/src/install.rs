//! `cargo xtask install`: the programs that users run, where a shell finds them.
//!
//! * [`programs`] builds them: static, so that a process starts fast; the benchmarks use it, too.
//!
//! Programs that go by several names are there once, with links beside them.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run;
use crate::workspace::{Workspace, host_triple};

/// Install the server and the tools: rump_server, rump.ifconfig, rump.ping and the others
///
/// Builds them static and puts them into DIR/bin, man pages into DIR/share/man, completions of bash,
/// zsh and fish where those look for them, librumpclient and its header into DIR/lib and DIR/include. Afterwards figure 3.31 of the book runs as it is printed.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where to [default: ~/.local]
    #[arg(long, value_name = "DIR")]
    prefix: Option<PathBuf>,
}

/// A program, and the other names that it goes by.
struct Program {
    package: &'static str,
    name: &'static str,
    others: &'static [&'static str],
}

const PROGRAMS: &[Program] = &[
    Program { package: "anykernel-config", name: "rump_server", others: &["rump_allserver"] },
    Program {
        package: "anykernel-tools",
        name: "rump",
        others: &[
            "rump.arp",
            "rump.dhcpclient",
            "rump.halt",
            "rump.ifconfig",
            "rump.list",
            "rump.nc",
            "rump.netstat",
            "rump.ping",
            "rump.route",
            "rump.sockstat",
            "rump.sysctl",
            "rump.traceroute",
        ],
    },
    Program { package: "anykernel-shmif-linux", name: "shmif_dumpbus", others: &[] },
];

/// Builds and installs.
pub fn main(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let prefix = match &arguments.prefix {
        Some(prefix) => std::path::absolute(prefix)?,
        None => {
            let home = std::env::var_os("HOME").context("no HOME; say --prefix DIR")?;
            PathBuf::from(home).join(".local")
        }
    };
    let built = programs(workspace)?;
    let bin = prefix.join("bin");
    install(&built, &bin)?;
    library(workspace, &prefix)?;
    pages(workspace, &prefix)?;
    println!("{}", bin.display());
    let on_path = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder == bin));
    if !on_path {
        eprintln!("not on your PATH yet: export PATH=\"{}:$PATH\"", bin.display());
    }
    Ok(())
}

/// Builds the programs; the folder that they are in, each under its first name.
pub fn programs(workspace: &Workspace) -> Result<PathBuf> {
    let triple = host_triple()?;
    let mut cargo = workspace.cargo(&["build", "--release", "--target", &triple]);
    // With a target named, the flags do not reach procedural macros, which cannot be static.
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static");
    for Program { package, name, .. } in PROGRAMS {
        cargo.args(["--package", package, "--bin", name]);
    }
    run::run(&mut cargo, "if the C library is missing, install libc6-dev")?;
    Ok(workspace.target.join(triple).join("release"))
}

/// Builds the client library for C, and puts it where compilers are told to look.
fn library(workspace: &Workspace, prefix: &Path) -> Result<()> {
    let mut cargo = workspace.cargo(&["build", "--release", "--package", "anykernel-rumpclient"]);
    run::run(&mut cargo, "the client library for C is not installed; the programs are")?;
    let put = |from: PathBuf, folder: &str, name: &str| {
        let folder = prefix.join(folder);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        replace(&folder.join(name), |to| fs::copy(&from, to).map(|_| ()))
    };
    let built = workspace.target.join("release");
    for name in ["librumpclient.a", "librumpclient.so"] {
        put(built.join(name), "lib", name)?;
    }
    let header = workspace.path("clients/rumpclient/include/rump/rumpclient.h");
    put(header, "include/rump", "rumpclient.h")
}

/// Makes manual pages and completions, each where it is looked for.
fn pages(workspace: &Workspace, prefix: &Path) -> Result<()> {
    let makers: [(&str, &str, &[&str]); 2] = [
        ("anykernel-config", "server_pages", &[]),
        ("anykernel-tools", "rump_pages", &["install"]),
    ];
    for (package, name, words) in makers {
        let mut cargo = workspace.cargo(&["run", "--quiet", "--package", package, "--bin", name]);
        cargo.arg("--").args(words).arg(prefix);
        run::run(&mut cargo, "pages and completions are not installed; the programs are")?;
    }
    Ok(())
}

/// Puts what is in `built` into `bin`, with all its names.
pub fn install(built: &Path, bin: &Path) -> Result<()> {
    fs::create_dir_all(bin).with_context(|| format!("cannot make {}", bin.display()))?;
    for Program { name, others, .. } in PROGRAMS {
        let to = bin.join(name);
        replace(&to, |to| fs::copy(built.join(name), to).map(|_| ()))?;
        for other in *others {
            replace(&bin.join(other), |link| symlink(name, link))?;
        }
    }
    Ok(())
}

/// Puts `program` into `bin` under all names that ours have: for comparison.
pub fn pretend(program: &Path, bin: &Path) -> Result<()> {
    fs::create_dir_all(bin).with_context(|| format!("cannot make {}", bin.display()))?;
    let names = PROGRAMS.iter().flat_map(|p| [p.name].into_iter().chain(p.others.iter().copied()));
    names.map(|name| bin.join(name)).try_for_each(|to| replace(&to, |link| symlink(program, link)))
}

/// Makes a file under another name and then gives it its own: a program that runs is not changed,
/// and there is no moment without one.
fn replace(path: &Path, make: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.new"));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            bail!("{} is in the way: {error}", new.display());
        }
        _ => {}
    }
    let made = make(&new).and_then(|()| fs::rename(&new, path));
    made.with_context(|| format!("cannot write {}; choose another --prefix", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_its_program_and_again() {
        let folder = std::env::temp_dir().join(format!("xtask-install-{}", std::process::id()));
        let (built, bin) = (folder.join("built"), folder.join("a/bin"));
        fs::create_dir_all(&built).unwrap();
        for round in ["first", "second"] {
            for Program { name, .. } in PROGRAMS {
                fs::write(built.join(name), format!("{round} {name}")).unwrap();
            }
            install(&built, &bin).unwrap();
            let text = |name: &str| fs::read_to_string(bin.join(name)).unwrap();
            assert_eq!(text("rump.ifconfig"), format!("{round} rump"));
            assert_eq!(text("rump_allserver"), format!("{round} rump_server"));
        }
        let count = PROGRAMS.iter().map(|program| 1 + program.others.len()).sum::<usize>();
        assert_eq!(fs::read_dir(&bin).unwrap().count(), count, "nothing is left over");
        fs::remove_dir_all(&folder).unwrap();
    }
}
