//! Which servers of this user are running.
//!
//! * [`announce`]: a server says what it is, for as long as it keeps the [`Announced`].
//! * [`servers`]: what is running, for `rump list`.
//!
//! A directory of the user's own, `$XDG_RUNTIME_DIR/anykernel` or `/tmp/anykernel-UID`, has a file
//! for each. The server holds a lock on its file, which the system releases when it dies; what is
//! not locked is left over, and whoever looks next takes it away.
//!
//! Locking: a server has its file exclusively. Who looks asks for a shared lock, and never gets
//! that of a server that lives; only who has the directory's lock takes files away, and only files
//! that he holds and that still have a name. Nobody waits for a lock.
//! Sources: XDG Base Directory Specification (XDG_RUNTIME_DIR); flock(2).

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// More than any entry needs.
const MAX_LEN: u64 = 64 * 1024;

/// Servers of one process.
const MAX_OF_A_PROCESS: u32 = 10_000;

/// What a server says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    /// Its process.
    pub pid: u32,
    /// Where it listens; a path is absolute.
    pub url: String,
    /// Its kernel's name.
    pub kernel: String,
    /// Its working directory, which paths that it is told are relative to.
    pub directory: String,
    /// The components of its kernel.
    pub components: Vec<String>,
}

/// A server's place among those that run; given back when dropped.
#[derive(Debug)]
pub struct Announced {
    path: PathBuf,
    /// Locked as long as it is open.
    _file: File,
}

/// Puts a server among those that run. The lock is the open file's: a copy of the process that
/// lives on (fork) keeps the entry, too.
pub fn announce(entry: &Entry) -> io::Result<Announced> {
    let mut refused = None;
    for path in places() {
        match announce_in(&path, entry) {
            Ok(announced) => return Ok(announced),
            // The first says most: the others are the second choice.
            Err(e) => refused = refused.or(Some(e)),
        }
    }
    Err(refused.unwrap_or_else(|| io::Error::from(io::ErrorKind::NotFound)))
}

/// The servers that run, in the order of their process numbers.
pub fn servers() -> io::Result<Vec<Entry>> {
    let (mut all, mut refused) = (Vec::new(), None);
    for path in places() {
        match servers_in(&path) {
            Ok(entries) => all.extend(entries),
            Err(e) => refused = refused.or(Some(e)),
        }
    }
    all.sort_by(|a: &Entry, b| (a.pid, &a.url).cmp(&(b.pid, &b.url)));
    match refused {
        Some(e) if all.is_empty() => Err(e),
        _ => Ok(all),
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        // The lock is ours, so the file is.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Where the directory may be; the best place first.
fn places() -> impl Iterator<Item = PathBuf> {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    // The specification: others are to be ignored.
    let own = own.filter(|path| path.is_absolute()).map(|path| path.join("anykernel"));
    let uid = rustix::process::geteuid().as_raw();
    own.into_iter().chain([PathBuf::from(format!("/tmp/anykernel-{uid}"))])
}

/// The directory, if it is this user's alone.
fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let strange = |what: &str| {
        let path = path.display();
        let message = format!("{path} {what}; move it away, or set XDG_RUNTIME_DIR");
        io::Error::new(io::ErrorKind::PermissionDenied, message)
    };
    let directory = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::LOOP | Errno::NOTDIR) => return Err(strange("is no directory")),
        Err(Errno::ACCESS) => return Err(strange("is somebody else's")),
        done => done?,
    };
    let stat = rustix::fs::fstat(&directory)?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(strange("is somebody else's"));
    }
    if stat.st_mode & 0o077 != 0 {
        return Err(strange("is open to others"));
    }
    Ok(directory)
}

fn announce_in(path: &Path, entry: &Entry) -> io::Result<Announced> {
    let directory = match open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            match rustix::fs::mkdir(path, Mode::RWXU) {
                // Somebody was faster.
                Err(Errno::EXIST) => {}
                done => done?,
            }
            open(path)?
        }
        done => done?,
    };
    // A process may have several servers; and its number may be that of one in another container.
    for number in 0..MAX_OF_A_PROCESS {
        let name = format!("{}-{number}", entry.pid);
        if let Some(mut file) = claim(&directory, &name)? {
            file.write_all(to_text(entry).as_bytes())?;
            return Ok(Announced { path: path.join(name), _file: file });
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

/// The file of that name, empty and locked; `None` if somebody has it.
fn claim(directory: &OwnedFd, name: &str) -> io::Result<Option<File>> {
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        let fd = rustix::fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?;
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Ok(None),
            done => done?,
        }
        let stat = rustix::fs::fstat(&fd)?;
        // Before the lock was ours, it looked like one that is left over.
        if stat.st_nlink == 0 {
            continue;
        }
        if stat.st_size != 0 {
            rustix::fs::ftruncate(&fd, 0)?;
        }
        return Ok(Some(fd.into()));
    }
}

fn servers_in(path: &Path) -> io::Result<Vec<Entry>> {
    let directory = match open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        done => done?,
    };
    let sweeps = rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok();
    let mut entries = Vec::new();
    for file in Dir::read_from(&directory)? {
        let file = file?;
        // What cannot be read is no server's.
        if let Ok(Some(entry)) = look(&directory, file.file_name(), sweeps) {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// What a file says, if its server lives.
fn look(directory: &OwnedFd, name: &CStr, sweeps: bool) -> io::Result<Option<Entry>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => {
            let mut text = String::new();
            File::from(fd).take(MAX_LEN).read_to_string(&mut text)?;
            Ok(parse(&text))
        }
        Err(e) => Err(e.into()),
        Ok(()) => {
            if sweeps && rustix::fs::fstat(&fd)?.st_nlink != 0 {
                rustix::fs::unlinkat(directory, name, AtFlags::empty())?;
            }
            Ok(None)
        }
    }
}

/// A word and a value a line; what a later version adds is passed over.
fn to_text(entry: &Entry) -> String {
    let mut text = String::with_capacity(256);
    let mut line = |word: &str, value: &str| {
        text.push_str(word);
        text.push(' ');
        for c in value.chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                c => text.push(c),
            }
        }
        text.push('\n');
    };
    line("pid", &entry.pid.to_string());
    line("url", &entry.url);
    line("kernel", &entry.kernel);
    line("directory", &entry.directory);
    entry.components.iter().for_each(|component| line("component", component));
    // Without it, the writer is not done.
    line("end", "");
    text
}

fn parse(text: &str) -> Option<Entry> {
    let (mut entry, mut ended) = (Entry::default(), false);
    for line in text.split_terminator('\n') {
        let (word, value) = line.split_once(' ')?;
        let value = plain(value);
        match word {
            "pid" => entry.pid = value.parse().ok()?,
            "url" => entry.url = value,
            "kernel" => entry.kernel = value,
            "directory" => entry.directory = value,
            "component" => entry.components.push(value),
            "end" => ended = true,
            _ => {}
        }
    }
    ended.then_some(entry)
}

fn plain(value: &str) -> String {
    let mut chars = value.chars();
    let next = || match chars.next()? {
        '\\' => chars.next().map(|c| if c == 'n' { '\n' } else { c }),
        c => Some(c),
    };
    std::iter::from_fn(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};

    /// Process numbers need not exist.
    fn entry(pid: u32) -> Entry {
        let texts = ["unix:///a\\ b\n/c\r", "router", "/a b", "net", "netinet"].map(String::from);
        let [url, kernel, directory, net, netinet] = texts;
        Entry { pid, url, kernel, directory, components: vec![net, netinet] }
    }

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anykernel");
        (folder, path)
    }

    /// As if its process had died.
    fn die(announced: Announced) {
        let announced = std::mem::ManuallyDrop::new(announced);
        rustix::fs::flock(&announced._file, FlockOperation::Unlock).unwrap();
    }

    #[test]
    fn servers_come_and_go() {
        let (_folder, path) = place();
        assert_eq!(servers_in(&path).unwrap(), [], "nobody has made the directory");
        let one = announce_in(&path, &entry(1)).unwrap();
        let again = announce_in(&path, &entry(1)).unwrap();
        let two = announce_in(&path, &entry(2)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let mut found = servers_in(&path).unwrap();
        found.sort_by_key(|entry| entry.pid);
        assert_eq!(found, [entry(1), entry(1), entry(2)]);
        drop((one, again));
        assert_eq!(servers_in(&path).unwrap(), [entry(2)]);
        drop(two);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }

    #[test]
    fn what_the_dead_leave_is_taken_away_or_used_again() {
        let (_folder, path) = place();
        die(announce_in(&path, &entry(1)).unwrap());
        let longer = Entry { kernel: "x".repeat(100), ..entry(1) };
        die(announce_in(&path, &longer).unwrap());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        let short = Entry { kernel: String::new(), ..entry(1) };
        let one = announce_in(&path, &short).unwrap();
        assert_eq!(servers_in(&path).unwrap(), [short]);
        die(one);
        fs::write(path.join("notes"), "not a server\n").unwrap();
        assert_eq!(servers_in(&path).unwrap(), []);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }

    #[test]
    fn only_who_has_the_directory_sweeps() {
        let (_folder, path) = place();
        die(announce_in(&path, &entry(1)).unwrap());
        let other = open(&path).unwrap();
        rustix::fs::flock(&other, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(servers_in(&path).unwrap(), []);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        drop(other);
        assert_eq!(servers_in(&path).unwrap(), []);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_was_swept_in_between_is_made_again() {
        let (_folder, path) = place();
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        std::thread::scope(|scope| {
            let sweep = || (0..2000).for_each(|_| drop(servers_in(&path).unwrap()));
            scope.spawn(sweep);
            scope.spawn(sweep);
            for _ in 0..500 {
                let one = announce_in(&path, &entry(1)).unwrap();
                assert_eq!(servers_in(&path).unwrap(), [entry(1)]);
                die(one);
            }
        });
    }

    #[test]
    fn a_directory_of_others_is_refused() {
        let (folder, path) = place();
        let refused = || {
            let e = announce_in(&path, &entry(1)).unwrap_err();
            assert_eq!(servers_in(&path).unwrap_err().to_string(), e.to_string());
            e.to_string()
        };
        let elsewhere = folder.path().join("elsewhere");
        fs::DirBuilder::new().mode(0o700).create(&elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        assert!(refused().contains("is no directory"));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert!(refused().contains("is no directory"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(refused().contains("is open to others"));
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    }

    #[test]
    fn links_and_pipes_are_not_followed() {
        let (folder, path) = place();
        let one = announce_in(&path, &entry(1)).unwrap();
        let kept = folder.path().join("kept");
        fs::write(&kept, "kept").unwrap();
        symlink(&kept, path.join("7-0")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path.join("8-0"), Mode::RWXU).unwrap();
        assert_eq!(servers_in(&path).unwrap(), [entry(1)]);
        assert!(announce_in(&path, &entry(7)).is_err());
        assert_eq!(fs::read(&kept).unwrap(), b"kept");
        drop(one);
    }

    #[test]
    fn half_an_entry_is_none() {
        let text = to_text(&entry(1));
        assert_eq!(parse(&text), Some(entry(1)));
        assert_eq!(parse(&format!("since now\n{text}")), Some(entry(1)));
        for len in 0..text.len() - 1 {
            assert_eq!(parse(&text[..len]), None, "{len}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pid: u32, url: String, kernel: String, part: Vec<String>) {
            let entry = Entry { pid, url, directory: kernel.clone(), kernel, components: part };
            prop_assert_eq!(parse(&to_text(&entry)), Some(entry));
        }

        #[test]
        fn anything_is_read_or_refused(text: String) {
            let _ = parse(&text);
        }
    }
}
