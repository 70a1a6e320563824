//! The project's commands: `cargo xtask COMMAND`.
//!
//! One file a command; a command's doc comment is its help. Nothing here links a kernel: programs
//! that do are built and started.
//! * Exit code 0: done. 1: a check or a program failed. 2: the arguments make no sense. A program
//!   that was started hands its own code through.

mod ci;
mod run;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

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
    Test(test::Arguments),
    Tidy(tidy::Arguments),
    Ci(ci::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = Workspace::find().and_then(|workspace| match &arguments.command {
        Command::Test(arguments) => test::main(&workspace, arguments),
        Command::Ci(arguments) => ci::main(&workspace, arguments),
        Command::Tidy(arguments) => tidy::main(&workspace, arguments),
    });
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
