//! How much memory this process has in use.
//!
//! Locking: none. Sources: proc_pid_status(5).

/// Resident memory (VmRSS), in bytes; an error is one sentence.
pub fn bytes() -> Result<u64, String> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("/proc/self/status: {error}"))?;
    parse(&status).ok_or_else(|| "/proc/self/status tells no VmRSS".to_string())
}

fn parse(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found() {
        assert_eq!(parse("VmHWM:\t 9 kB\nVmRSS:\t    1540 kB\nRssAnon: 1 kB\n"), Some(1_576_960));
        assert_eq!(parse("VmRSS:\t 1540"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_process_knows_its_size() {
        assert!(bytes().unwrap() > 100_000);
    }
}
