//! `assemble FILE`: writes the crate of a kernel, and says what it is made of and where it is.
//!
//! Locking: none.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use config::assemble::{Assembled, Form, Request, assemble, default_out};
use config::catalogue::Catalogue;
use config::file::File;

/// Makes the crate of a kernel from a configuration file
///
/// The crate depends on the components that the file lists, on what they need, and on nothing
/// else. What is added to the list is reported. Build it with `cargo build --release` in the
/// folder that is printed.
#[derive(Parser)]
struct Arguments {
    /// The configuration file, such as config/router.toml
    file: PathBuf,
    /// The folder in which the crate gets a folder of its own [default: target/kernels]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Make a library with a boot function instead of a program
    #[arg(long)]
    lib: bool,
    /// Make a program that needs no shared library
    #[arg(long = "static", conflicts_with = "lib")]
    linked_statically: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(made) => {
            print(&made, arguments.json);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<Assembled, Box<dyn std::error::Error>> {
    let root = config::source_root();
    let file = File::read(&arguments.file)?;
    let catalogue = Catalogue::scan(&root)?;
    let out = arguments.out.clone().unwrap_or_else(|| default_out(&root));
    let form = if arguments.lib { Form::Library } else { Form::Program };
    let made = assemble(&Request {
        file: &file,
        catalogue: &catalogue,
        root: &root,
        out: &out,
        form,
        linked_statically: arguments.linked_statically,
    })?;
    Ok(made)
}

fn print(made: &Assembled, json: bool) {
    if json {
        println!("{}", serde_json::json!(made));
        return;
    }
    for added in &made.added {
        println!("{added}");
    }
    let components = match made.components.as_slice() {
        [] => "the base alone".to_string(),
        components => components.join(", "),
    };
    println!("{}: {components}", made.name);
    println!("in {}", made.directory.display());
}
