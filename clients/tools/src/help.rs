//! Help, from the tools' tables.
//!
//! Locking: none.

use std::io::Write;

use crate::definition::{HELP, Tool, VERSION};
use crate::failure::Failure;
use crate::program::NAME;

/// Where the text of options begins.
const INDENT: usize = 24;
/// Where lines end.
const WIDTH: usize = 80;

/// All tools.
pub(crate) fn overview(tools: &[&Tool], out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "The tools of a kernel that runs as a server: see and change its network.\n")?;
    writeln!(out, "Usage: {NAME} COMMAND ARGUMENTS   (or {NAME}.COMMAND ARGUMENTS)\n")?;
    writeln!(out, "Commands:")?;
    for tool in tools {
        entry(tool.name, tool.about, out)?;
    }
    entry("help COMMAND", "what it does, and examples", out)?;
    entry("completions SHELL", "print the completions of bash, zsh or fish", out)?;
    entry("man [DIRECTORY]", "say where the manual pages are, or copy them", out)?;
    writeln!(
        out,
        "\nThe server is the one that RUMP_SERVER names: unix://PATH, tcp://HOST:PORT,\n\
         tcp://HOST:PORT?key=FILE.\n\n\
         Examples:\n  \
         export RUMP_SERVER=unix://sock\n  \
         rump_server -l netinet -l shmif $RUMP_SERVER\n  \
         {NAME} ifconfig shmif0 create\n  \
         {NAME} help ifconfig"
    )?;
    Ok(())
}

/// One tool.
pub(crate) fn tool(tool: &Tool, program: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let mut about = tool.about.chars();
    let first = about.next().map(|c| c.to_ascii_uppercase());
    writeln!(out, "{}{}.\n", first.unwrap_or_default(), about.as_str())?;
    for (at, usage) in tool.usage.iter().enumerate() {
        let head = if at == 0 { "Usage:" } else { "      " };
        let mut lines = wrapped(usage, WIDTH - program.len() - head.len() - 2).into_iter();
        let first = format!("{head} {program} {}", lines.next().unwrap_or_default());
        writeln!(out, "{}", first.trim_end())?;
        for line in lines {
            writeln!(out, "{:1$}{line}", "", program.len() + head.len() + 2)?;
        }
    }
    if !tool.words.is_empty() {
        writeln!(out, "\nWords:")?;
        for word in tool.words {
            entry(&word.spelling(), word.doc, out)?;
        }
    }
    writeln!(out, "\nOptions:")?;
    for opt in tool.options.iter().chain([&&HELP, &&VERSION]) {
        entry(&opt.spelling(), opt.doc, out)?;
    }
    if !tool.notes.is_empty() {
        writeln!(out)?;
        for line in wrapped(tool.notes, WIDTH) {
            writeln!(out, "{line}")?;
        }
    }
    writeln!(out, "\nExamples:")?;
    for example in tool.examples {
        writeln!(out, "  {}", format!("{program} {}", example.arguments).trim_end())?;
        writeln!(out, "        {}", example.does)?;
    }
    Ok(())
}

fn entry(name: &str, doc: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let mut lines = wrapped(doc, WIDTH - INDENT).into_iter();
    // A long name has a line of its own.
    if name.len() + 4 > INDENT {
        writeln!(out, "  {name}")?;
    } else {
        writeln!(out, "  {name:<0$}{1}", INDENT - 2, lines.next().unwrap_or_default())?;
    }
    for line in lines {
        writeln!(out, "{:INDENT$}{line}", "")?;
    }
    Ok(())
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TOOLS;

    #[test]
    fn help_fits_a_terminal_and_shows_everything() {
        for each in TOOLS {
            let mut out = Vec::new();
            tool(each, &format!("rump.{}", each.name), &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            for line in text.lines() {
                assert!(line.len() <= WIDTH, "{line}");
            }
            for opt in each.options {
                assert!(text.contains(&opt.spelling()), "{}", opt.spelling());
            }
            for word in each.words {
                assert!(text.contains(&word.spelling()), "{}", word.spelling());
            }
        }
    }
}
