//! The project's commands: `cargo xtask COMMAND`.
//!
//! One file a command; a command's doc comment is its help. Nothing here links a kernel: programs
//! that do are built and started.
//! * Exit code 0: done. 1: a check or a program failed. 2: the arguments make no sense. A program
//!   that was started hands its own code through.

mod bench;
mod bootstrap;
mod build;
mod ci;
mod cluster;
mod fuzz;
mod install;
mod kernels;
mod progress;
mod run;
mod stats;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use workspace::Workspace;

/// Builds, measures, checks and tests anykernel.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Do the main job: print the bootstrap matrix, then ping across a network of 255 kernels
    Main,
    Bootstrap(bootstrap::Arguments),
    Cluster(cluster::Arguments),
    Build(build::Arguments),
    Install(install::Arguments),
    Bench(bench::Arguments),
    Test(test::Arguments),
    Fuzz(fuzz::Arguments),
    Tidy(tidy::Arguments),
    Ci(ci::Arguments),
    /// Measure from inside a network namespace; for `bench`
    #[command(hide = true)]
    NetnsProbe,
    /// Send frames as fast as a network interface takes them; for `bench`
    #[command(hide = true)]
    PacketFeed {
        /// The interface
        interface: String,
        /// To whom
        mac: String,
        /// How long
        seconds: f64,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        // Runs in a network namespace, where there is no workspace to look for.
        Command::NetnsProbe => bench::netns::probe(),
        Command::PacketFeed { interface, mac, seconds } => {
            bench::feed::main(interface, mac, *seconds)
        }
        command => Workspace::find().and_then(|workspace| run_command(&workspace, command)),
    };
    end(result)
}

/// The exit code, and the message of an error that has not been shown yet.
fn end(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<run::Status>() {
            Some(status) => ExitCode::from(status.0),
            None => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

fn run_command(workspace: &Workspace, command: &Command) -> Result<()> {
    match command {
        Command::Main => {
            bootstrap::main(workspace, &bootstrap::Arguments::ALL)?;
            cluster::figure(workspace)
        }
        Command::Bootstrap(arguments) => bootstrap::main(workspace, arguments),
        Command::Cluster(arguments) => cluster::main(workspace, arguments),
        Command::Build(arguments) => build::main(workspace, arguments),
        Command::Install(arguments) => install::main(workspace, arguments),
        Command::Bench(arguments) => bench::main(workspace, arguments),
        Command::Test(arguments) => test::main(workspace, arguments),
        Command::Fuzz(arguments) => fuzz::main(workspace, arguments),
        Command::Tidy(arguments) => tidy::main(workspace, arguments),
        Command::Ci(arguments) => ci::main(workspace, arguments),
        Command::NetnsProbe | Command::PacketFeed { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn cluster_hands_its_options_on() {
        let words = ["xtask", "cluster", "--nodes", "3", "--json", "--help"];
        assert!(Arguments::try_parse_from(words).is_ok());
    }

    /// What the README tells people to type is understood.
    #[test]
    fn commands_of_the_readme_parse() {
        let text = include_str!("../../README.md");
        let commands: Vec<&str> = text.lines().filter(|l| l.starts_with("cargo xtask ")).collect();
        assert!(commands.len() >= 5, "the README's commands were not found");
        for line in commands {
            let command = line.split('#').next().unwrap_or_default();
            let words = command.split_whitespace().skip(1);
            if let Err(e) = Arguments::try_parse_from(words) {
                panic!("`{line}`: {e}");
            }
        }
    }
}
