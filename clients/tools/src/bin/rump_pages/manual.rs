//! Manual pages.
//!
//! Locking: none. Sources: man-pages(7); groff_man(7).

use std::fs;
use std::io;
use std::path::Path;

use roff::{Inline, Roff, bold, italic, roman};
use tools::{HELP, TOOLS, Tool, VERSION};

const ENVIRONMENT: &str = "The URL of the server: unix://PATH, tcp://HOST:PORT, or \
                           tcp://HOST:PORT?key=FILE with authentication.";

/// Writes the pages of all commands.
pub(crate) fn write(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join("rump.1"), overview().render())?;
    for tool in TOOLS {
        fs::write(directory.join(format!("rump.{}.1", tool.name)), page(tool).render())?;
    }
    Ok(())
}

fn begin(name: &str, about: &str) -> Roff {
    let mut page = Roff::new();
    let version = concat!("anykernel ", env!("CARGO_PKG_VERSION"));
    page.control("TH", [name, "1", "", version, "Rump tools"]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{name} - {about}"))]);
    page
}

/// The page of `rump` itself.
fn overview() -> Roff {
    let mut page = begin("rump", "the tools of a kernel that runs as a server");
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold("rump"), roman(" "), italic("COMMAND ARGUMENTS")]);
    page.control("SH", ["COMMANDS"]);
    for tool in TOOLS {
        entry(&mut page, tool.name, tool.about);
    }
    environment(&mut page);
    let all = TOOLS.iter().map(|tool| format!("rump.{}(1)", tool.name));
    page.control("SH", ["SEE ALSO"]);
    page.text([roman(all.collect::<Vec<_>>().join(", "))]);
    page
}

/// The page of a tool.
fn page(tool: &Tool) -> Roff {
    let name = format!("rump.{}", tool.name);
    let mut page = begin(&name, tool.about);
    page.control("SH", ["SYNOPSIS"]);
    for (at, usage) in tool.usage.iter().enumerate() {
        if at > 0 {
            page.control("br", []);
        }
        page.text([bold(&name), roman(" "), roman(*usage)]);
    }
    if !tool.notes.is_empty() {
        page.control("SH", ["DESCRIPTION"]);
        page.text([roman(tool.notes)]);
    }
    if !tool.words.is_empty() {
        page.control("SH", ["WORDS"]);
        tool.words.iter().for_each(|word| entry(&mut page, &word.spelling(), word.doc));
    }
    page.control("SH", ["OPTIONS"]);
    for opt in tool.options.iter().copied().chain([&HELP, &VERSION]) {
        entry(&mut page, &opt.spelling(), opt.doc);
    }
    environment(&mut page);
    page.control("SH", ["EXAMPLES"]);
    for example in tool.examples {
        let line = format!("{name} {}", example.arguments);
        entry(&mut page, line.trim_end(), example.does);
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([roman("rump(1)")]);
    page
}

fn environment(page: &mut Roff) {
    page.control("SH", ["ENVIRONMENT"]);
    entry(page, "RUMP_SERVER", ENVIRONMENT);
}

fn entry(page: &mut Roff, name: &str, doc: &str) {
    page.control("TP", []);
    let name: Inline = bold(name);
    page.text([name]);
    page.text([roman(doc)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_what_help_has() {
        for tool in TOOLS {
            let text = page(tool).render();
            assert!(text.contains(&format!(".TH rump.{} 1", tool.name)), "{text}");
            for section in ["NAME", "SYNOPSIS", "OPTIONS", "ENVIRONMENT", "EXAMPLES"] {
                assert!(text.contains(&format!("\n.SH {section}\n")), "{}: {section}", tool.name);
            }
        }
        assert!(overview().render().contains("traceroute"));
    }
}
