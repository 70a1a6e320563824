//! sysctl: a kernel's values and tables by name.
//!
//! Locking: none. Sources: NetBSD sysctl(8); factions/net/CONTROL.md.

use std::io::{self, Write};

use remote::Client;

use crate::arguments::Arguments;
use crate::definition::{Example, JSON, Opt, Tool};
use crate::failure::{Advice, Failure, errno, nearest, told};
use crate::table::{Table, plain};
use crate::{json, server};

const ALL: Opt = Opt::flag('a', "show all values");
const DESCRIBE: Opt = Opt::flag('d', "show what names mean, instead of their values");
const BARE: Opt = Opt::flag('n', "show values without their names");
const WRITE: Opt = Opt::flag('w', "set values; NAME=VALUE says that by itself");

pub(crate) const TOOL: Tool = Tool {
    name: "sysctl",
    about: "show and set a kernel's values by name",
    usage: &["[-dn] [--json] NAME...", "[-dn] [--json] -a", "[-nw] NAME=VALUE..."],
    options: &[&ALL, &DESCRIBE, &BARE, &WRITE, &JSON],
    words: &[],
    permutes: true,
    notes: "A name that ends in a dot, or of which there is more, means all values below it. \
            Tables have a line of names, then rows, with a TAB between two cells; they are shown \
            by their own name only. `sysctl sysctl.nodes` has all names.",
    examples: &[
        Example { does: "all values", arguments: "-a" },
        Example { does: "those of IP", arguments: "net.inet.ip." },
        Example { does: "one, for a script", arguments: "-n net.inet.ip.forwarding" },
        Example { does: "sets it", arguments: "net.inet.ip.forwarding=0" },
        Example { does: "what it means", arguments: "-d net.inet.ip.forwarding" },
        Example { does: "a table, for programs", arguments: "--json net.routes" },
    ],
    failure: 1,
    run,
};

const NODES: &str = "sysctl.nodes";

const SET: Advice = &[
    (errno::NOENT, "there is no such name; `sysctl sysctl.nodes` has all"),
    (errno::PERM, "not permitted: it is only to be read, or you are not the kernel's root"),
    (errno::INVAL, "the value is of another kind, or out of range; see `sysctl -d`"),
    (errno::ISDIR, "there is more than one value below this name; set one"),
];

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let all = [String::new()];
    let names = match (arguments.has(&ALL), arguments.words.as_slice()) {
        (true, []) => &all,
        (true, [word, ..]) => {
            return Err(Failure::misuse(format!("-a shows all; \"{word}\" is too many")));
        }
        (false, []) => return Err(Failure::misuse("what? a NAME is missing; -a shows all")),
        (false, names) => names,
    };
    if arguments.has(&WRITE)
        && let Some(name) = names.iter().find(|name| !name.contains('='))
    {
        return Err(Failure::misuse(format!("-w: \"{name}\" says no value; write NAME=VALUE")));
    }
    let sets = names.iter().any(|name| name.contains('='));
    if sets && (arguments.has(&DESCRIBE) || arguments.has(&JSON)) {
        return Err(Failure::misuse("-d and --json show; they do not set"));
    }
    let client = server::connect(arguments)?;
    if arguments.has(&DESCRIBE) {
        describe(&client, names, arguments, out)?;
    } else if arguments.has(&JSON) {
        as_json(&client, names, out)?;
        writeln!(out)?;
    } else {
        for name in names {
            match name.split_once('=') {
                Some((name, value)) => set(&client, name, value, arguments, out)?,
                None => show(&client, name, arguments, out)?,
            }
        }
    }
    Ok(0)
}

/// What a name stands for: its value, or the lines of those below it.
enum Found {
    Value(String),
    Below(String),
}

fn find(client: &Client, name: &str) -> Result<Found, Failure> {
    if name.is_empty() || name.ends_with('.') {
        return server::value(client, name).map(Found::Below).map_err(|e| lost(client, name, &e));
    }
    match server::value(client, name) {
        Ok(value) => Ok(Found::Value(value)),
        // It may be a name of which there is more.
        Err(e) if e.raw_os_error() == Some(errno::NOENT) => {
            let below = server::value(client, &format!("{name}."));
            below.map(Found::Below).map_err(|e| lost(client, name, &e))
        }
        Err(e) => Err(lost(client, name, &e)),
    }
}

/// What is said of a name that is not there.
fn lost(client: &Client, name: &str, e: &io::Error) -> Failure {
    if e.raw_os_error() != Some(errno::NOENT) {
        return told(name, e, SET);
    }
    let nodes = server::value(client, NODES).unwrap_or_default();
    let nodes = Table::parse(NODES, &nodes);
    let near = nearest(name, nodes.rows().map(|row| row.get("name")), "");
    let end = if near.is_empty() { "; `sysctl sysctl.nodes` has all" } else { near.as_str() };
    Failure::failed(format!("{name}: there is no such name{end}"))
}

fn show(
    client: &Client,
    name: &str,
    arguments: &Arguments,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let bare = arguments.has(&BARE);
    match find(client, name)? {
        Found::Below(lines) if !bare => out.write_all(lines.as_bytes())?,
        Found::Below(lines) => {
            for (_, value) in pairs(&lines) {
                writeln!(out, "{value}")?;
            }
        }
        // A table, or the message buffer.
        Found::Value(value) if value.ends_with('\n') => out.write_all(value.as_bytes())?,
        Found::Value(value) if bare => writeln!(out, "{value}")?,
        Found::Value(value) => writeln!(out, "{name} = {value}")?,
    }
    Ok(())
}

fn set(
    client: &Client,
    name: &str,
    value: &str,
    arguments: &Arguments,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let old = client.set_sysctl(name, value);
    let old = old.map_err(|e| match e.raw_os_error() {
        Some(errno::NOENT) => lost(client, name, &e),
        _ => told(&format!("{name}={value}"), &e, SET),
    })?;
    if arguments.has(&BARE) {
        writeln!(out, "{old} -> {value}")?;
    } else {
        writeln!(out, "{name}: {old} -> {value}")?;
    }
    Ok(())
}

fn describe(
    client: &Client,
    names: &[String],
    arguments: &Arguments,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let text = server::table(client, NODES)?;
    let nodes = Table::parse(NODES, &text);
    for name in names {
        let is_meant = |node: &str| is_below(node, name);
        let mut found = nodes.rows().filter(|row| is_meant(row.get("name"))).peekable();
        if found.peek().is_none() {
            let near = nearest(name, nodes.rows().map(|row| row.get("name")), "");
            return Err(Failure::failed(format!("{name}: there is no such name{near}")));
        }
        if arguments.has(&JSON) {
            nodes.write_json(|row| is_meant(row.get("name")), out)?;
            writeln!(out)?;
            continue;
        }
        for row in found {
            if arguments.has(&BARE) {
                writeln!(out, "{}", row.get("doc"))?;
            } else {
                let [name, doc, kind, access] =
                    ["name", "doc", "type", "access"].map(|c| row.get(c));
                writeln!(out, "{name}: {doc} ({kind}, {access})")?;
            }
        }
    }
    Ok(())
}

/// Whether a name is the one that is asked for, or below it.
fn is_below(node: &str, name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let rest = node.strip_prefix(name);
    rest.is_some_and(|rest| name.is_empty() || rest.is_empty() || rest.starts_with('.'))
}

fn as_json(client: &Client, names: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let text = server::table(client, NODES)?;
    let nodes = Table::parse(NODES, &text);
    let kind = |name: &str| {
        let node = nodes.rows().find(|row| row.get("name") == name);
        node.map_or("text", |row| row.get("type"))
    };
    let mut members = Vec::new();
    for name in names {
        match find(client, name)? {
            Found::Value(value) => members.push((name.clone(), value)),
            Found::Below(lines) => {
                members.extend(pairs(&lines).map(|(name, value)| (name.into(), plain(value))));
            }
        }
    }
    json::object(members.iter(), out, |(name, value), out| {
        json::name(name, out)?;
        match kind(name) {
            "int" => json::number(value, out),
            // The message buffer has no columns, and is text all the same.
            "table" if value.contains('\t') || name == "kern.components" => {
                Table::parse(name, value).write_json(|_| true, out)
            }
            _ => json::text(value, out),
        }
    })
}

/// The names and values of lines `name = value`.
fn pairs(lines: &str) -> impl Iterator<Item = (&str, &str)> {
    lines.lines().filter_map(|line| line.split_once(" = "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_names() {
        assert!(is_below("net.inet.ip.ttl", "net.inet"));
        assert!(is_below("net.inet.ip.ttl", "net.inet."));
        assert!(is_below("net.inet.ip.ttl", "net.inet.ip.ttl"));
        assert!(is_below("net.inet.ip.ttl", ""));
        assert!(!is_below("net.inet.ip.ttl", "net.in"));
        assert!(!is_below("net.inet", "net.inet.ip"));
    }

    #[test]
    fn lines_are_pairs() {
        let lines = "kern.a = 1\nkern.b = x = y\n";
        assert_eq!(pairs(lines).collect::<Vec<_>>(), [("kern.a", "1"), ("kern.b", "x = y")]);
    }
}
