//! Figures of servers and tools as people use them: the programs of `cargo xtask install`.
//!
//! * [`Servers::script`]: figure 3.31 of the book, beside the same script in which every program of
//!   ours is /bin/true; and the memory of its servers.
//! * [`Servers::tool`], [`Servers::start`]: one tool, one server, beside /bin/true.
//! * [`Servers::calls`]: system calls from another process.
//!
//! Both sides in turn, and medians.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Record;
use crate::stats::Samples;
use crate::workspace::Workspace;
use crate::{install, kernels, run};

const NODES: u32 = 255;
const SCRIPTS: u32 = 5;
const STARTS: u32 = 200;

/// How long servers may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The programs, where a shell finds them.
pub struct Servers<'a> {
    workspace: &'a Workspace,
    /// Ours under all their names.
    bin: PathBuf,
    /// The same names, all of them /bin/true.
    idle: PathBuf,
}

impl<'a> Servers<'a> {
    /// Builds them.
    pub fn new(workspace: &'a Workspace) -> Result<Servers<'a>> {
        let built = install::programs(workspace)?;
        let (bin, idle) = (workspace.target.join("bench/bin"), workspace.target.join("bench/idle"));
        install::install(&built, &bin)?;
        install::pretend(Path::new("/bin/true"), &idle)?;
        Ok(Servers { workspace, bin, idle })
    }

    /// `script.255`, `server.pss` and `server.private`.
    pub fn script(&self) -> Result<Vec<Record>> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let (mut pss, mut private) = (Vec::new(), Vec::new());
        for _ in 0..SCRIPTS {
            let place = Place::new()?;
            ours.push(self.run_script(&place, &self.bin)?);
            for pid in place.pids()? {
                let memory = memory(&pid)?;
                pss.push(memory.pss);
                private.push(memory.private);
            }
            place.end()?;
            theirs.push(self.run_script(&place, &self.idle)?);
        }
        let median =
            |values| Ok::<_, anyhow::Error>(Samples::new(values).context("none")?.median());
        let (ours, theirs, pss) = (median(ours)?, median(theirs)?, median(pss)?);
        let what = "figure 3.31 of the book as a script, 255 nodes";
        let of = "the same script, every program of ours replaced by /bin/true";
        let original = ("the original NetBSD rump kernel", "the original is not installed here");
        let alone = self.alone()?;
        let what_pss = "memory (PSS) of a router server, configured, one of 255";
        Ok(vec![
            Record::new("script.255", what, "s", ours, theirs, of).with("book_s", 7.869),
            Record::alone("server.pss", what_pss, "B", pss, original.0, original.1)
                .with("alone", alone.pss)
                .with("book_bytes", 988e3),
            Record::alone(
                "server.private",
                "of that, memory that is its own",
                "B",
                median(private)?,
                original.0,
                original.1,
            ),
        ])
    }

    /// A router with two interfaces that is the only server there is.
    fn alone(&self) -> Result<Memory> {
        let place = Place::new()?;
        fs::create_dir(place.0.join("shm"))?;
        let url = "unix://alone";
        self.must(&place, url, "rump_server", &["-l", "netinet", "-l", "shmif", url])?;
        for (interface, bus, address) in [("shmif0", "a", "1.2.1.1"), ("shmif1", "b", "1.2.2.2")] {
            let bus = format!("shm/{bus}");
            self.must(&place, url, "rump.ifconfig", &[interface, "create"])?;
            self.must(&place, url, "rump.ifconfig", &[interface, "linkstr", &bus])?;
            self.must(&place, url, "rump.ifconfig", &[interface, "inet", address])?;
        }
        let [pid] = &place.pids()?[..] else { bail!("the server is not there") };
        let memory = memory(pid)?;
        place.end()?;
        Ok(memory)
    }

    /// `tool.ifconfig`.
    pub fn tool(&self) -> Result<Vec<Record>> {
        let place = Place::new()?;
        let url = "unix://server";
        self.must(&place, url, "rump_server", &["-l", "netinet", url])?;
        let set = ["lo0", "inet", "127.0.0.1", "netmask", "0xff000000"];
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            ours.push(timed(&mut self.command(&place, url, "rump.ifconfig", &set))?);
            theirs.push(timed(&mut place.command("/bin/true"))?);
        }
        place.end()?;
        let what = "rump.ifconfig that sets an address, start to exit";
        Ok(vec![compared("tool.ifconfig", what, ours, theirs)?])
    }

    /// `server.start`.
    pub fn start(&self) -> Result<Vec<Record>> {
        let place = Place::new()?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for number in 0..STARTS {
            let url = format!("unix://server{number}");
            let words = ["-l", "netinet", "-l", "shmif", &url];
            ours.push(timed(&mut self.command(&place, &url, "rump_server", &words))?);
            theirs.push(timed(&mut place.command("/bin/true"))?);
            place.end()?;
        }
        let what = "rump_server, start until the shell has its prompt again";
        Ok(vec![compared("server.start", what, ours, theirs)?])
    }

    /// `remote.getpid` and `remote.read64k`.
    pub fn calls(&self) -> Result<Vec<Record>> {
        let words = ["build", "--release", "--quiet", "--bench", "remote"];
        let mut build = self.workspace.cargo(&words);
        build.args(["--package", "anykernel-remote"]);
        let bench =
            kernels::artefact(&mut build, &self.workspace.path("clients/remote"), "remote")?;
        run::json(Command::new(bench).arg(self.bin.join("rump_server")))
    }

    fn run_script(&self, place: &Place, bin: &Path) -> Result<f64> {
        let mut script = place.command("sh");
        script.arg(self.workspace.path("tests/scripts/line.sh")).arg(NODES.to_string());
        script.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        timed(&mut script)
    }

    fn command(&self, place: &Place, url: &str, program: &str, words: &[&str]) -> Command {
        let mut command = place.command(self.bin.join(program));
        command.args(words).env("RUMP_SERVER", url);
        command
    }

    fn must(&self, place: &Place, url: &str, program: &str, words: &[&str]) -> Result<()> {
        timed(&mut self.command(place, url, program, words)).map(|_| ())
    }
}

fn compared(id: &str, what: &str, ours: Vec<f64>, theirs: Vec<f64>) -> Result<Record> {
    let samples = |values| Samples::new(values).context("nothing was timed");
    let (ours, theirs) = (samples(ours)?, samples(theirs)?);
    Ok(Record::new(id, what, "s", ours.median(), theirs.median(), "/bin/true")
        .with("min", ours.min())
        .with("baseline_min", theirs.min()))
}

/// Seconds from before the start of a program until its exit code is here.
fn timed(command: &mut Command) -> Result<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{command:?} does not start"))?;
    let status = child.wait()?;
    let elapsed = start.elapsed();
    if !status.success() {
        let mut text = String::new();
        if let Some(mut errors) = child.stderr.take() {
            std::io::Read::read_to_string(&mut errors, &mut text)?;
        }
        bail!("{command:?} failed ({status}): {}", text.trim());
    }
    Ok(elapsed.as_secs_f64())
}

/// A folder in which servers run. They end with it. It is in memory, where there is such a place:
/// disks are not what is measured.
struct Place(PathBuf);

const MEMORY: &str = "/dev/shm";

impl Place {
    fn new() -> Result<Place> {
        let memory = PathBuf::from(MEMORY);
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let place = folder.join(format!("anykernel-bench-{}", std::process::id()));
        fs::create_dir(&place).with_context(|| format!("making {}", place.display()))?;
        Ok(Place(place))
    }

    /// A program that is started here, with no environment but what tells servers where to be.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.0).env_clear().env("XDG_RUNTIME_DIR", &self.0);
        command
    }

    /// The processes of the servers: those on the list that `rump list` shows that are here. One
    /// that was killed is on the list, too, and its number may be a stranger's.
    fn pids(&self) -> Result<Vec<String>> {
        let folder = fs::canonicalize(&self.0)?;
        let is_here =
            |pid: &String| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder);
        let list = self.0.join("anykernel");
        let entries = fs::read_dir(&list).with_context(|| format!("reading {}", list.display()))?;
        let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
        let pids = names.filter_map(|name| name.split('-').next().map(str::to_owned));
        Ok(pids.filter(is_here).collect())
    }

    /// Ends the servers, and waits until they have.
    fn end(&self) -> Result<()> {
        let pids = self.pids()?;
        if pids.is_empty() {
            return Ok(());
        }
        // Some may have ended by themselves.
        let _ = Command::new("kill").args(&pids).stderr(Stdio::null()).status();
        let deadline = Instant::now() + PATIENCE;
        while !self.pids()?.is_empty() {
            if Instant::now() > deadline {
                bail!("servers do not end: {:?}", self.pids()?);
            }
            std::thread::park_timeout(Duration::from_micros(200));
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // After an error there is another reason to show.
        let _ = self.end();
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Bytes of a process.
struct Memory {
    pss: f64,
    private: f64,
}

fn memory(pid: &str) -> Result<Memory> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        kilobytes.map(|n: f64| n * 1024.0).with_context(|| format!("{path} does not say {name}"))
    };
    let private = field("Private_Clean:")? + field("Private_Dirty:")?;
    Ok(Memory { pss: field("Pss:")?, private })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_tells_its_memory() {
        let Memory { pss, private } = memory(&std::process::id().to_string()).unwrap();
        assert!(private > 0.0 && pss >= private);
    }

    #[test]
    fn what_fails_says_why() {
        let error = timed(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().ends_with(": why"), "{error}");
    }
}
