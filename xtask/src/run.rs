//! Running other programs: what is shown, and what a failure becomes.
//!
//! * [`run`]: output goes to the terminal; failure is an error with advice.
//! * [`quiet`]: output is shown only with a failure.
//! * [`json`]: standard output is parsed; standard error goes to the terminal.
//! * [`Status`]: an error that carries the exit code which this program shall end with.

use std::fmt;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

/// A program failed and has said why on its own; end with its exit code and add nothing.
#[derive(Debug)]
pub struct Status(pub u8);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a program ended with exit code {}", self.0)
    }
}

impl std::error::Error for Status {}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={:?}", name.to_string_lossy(), value.to_string_lossy()));
        }
    }
    let program = std::path::Path::new(command.get_program());
    words.push(program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned());
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Runs `command` on this terminal. If it fails, the error ends with `advice`.
pub fn run(command: &mut Command, advice: &str) -> Result<()> {
    let what = shown(command);
    eprintln!("$ {what}");
    let status = command.status().with_context(|| format!("`{what}` does not start: {advice}"))?;
    if !status.success() {
        bail!("`{what}` failed ({status}): {advice}");
    }
    Ok(())
}

/// Runs `command` and shows nothing unless it fails.
pub fn quiet(command: &mut Command, advice: &str) -> Result<()> {
    let what = shown(command);
    let output = command.output().with_context(|| format!("`{what}` does not start: {advice}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("`{what}` failed ({}): {}", output.status, text.trim());
    }
    Ok(())
}

/// Runs `command` and ends with its exit code: for programs that explain their errors themselves.
pub fn hand_over(command: &mut Command) -> Result<()> {
    let what = shown(command);
    let status = command.status().with_context(|| format!("`{what}` does not start"))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Status(u8::try_from(code).unwrap_or(1)).into()),
        None => bail!("`{what}` was stopped: {status}"),
    }
}

/// Runs `command` and parses what it prints as JSON.
pub fn json<T: DeserializeOwned>(command: &mut Command) -> Result<T> {
    let what = shown(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("`{what}` does not start"))?;
    if !output.status.success() {
        bail!("`{what}` failed ({}); run it by hand to see more", output.status);
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("`{what}` did not print the JSON that is expected of it"))
}

/// A shell script that stands for one of our programs in a test; gone when dropped.
#[cfg(test)]
pub fn script(name: &str, body: &str) -> Script {
    let path = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
    // Another process writes it: a file that this process has open for writing, even in the child
    // of another test, cannot be started.
    let write = r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod 755 "$1""#;
    let status = Command::new("sh").args(["-c", write, "sh"]).arg(&path).arg(body).status();
    assert!(status.unwrap().success());
    Script(path)
}

/// See [`script`].
#[cfg(test)]
pub struct Script(std::path::PathBuf);

#[cfg(test)]
impl Script {
    /// The file.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

#[cfg(test)]
impl Drop for Script {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn json_of_a_program_is_parsed() {
        let numbers: Vec<u32> = json(&mut shell("echo '[1, 2]'")).unwrap();
        assert_eq!(numbers, [1, 2]);
    }

    #[test]
    fn a_program_that_prints_no_json_is_named() {
        let error = json::<Vec<u32>>(&mut shell("echo hello")).unwrap_err();
        assert!(error.to_string().contains("echo hello"), "{error}");
    }

    #[test]
    fn failure_carries_the_advice() {
        let error = run(&mut shell("exit 3"), "look at line 3").unwrap_err();
        assert!(error.to_string().ends_with("look at line 3"), "{error}");
    }

    #[test]
    fn exit_code_is_handed_over() {
        let error = hand_over(&mut shell("exit 7")).unwrap_err();
        assert_eq!(error.downcast_ref::<Status>().unwrap().0, 7);
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error() {
        assert!(hand_over(&mut Command::new("no-such-program-at-all")).is_err());
    }
}
