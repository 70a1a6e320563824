//! list: the servers that run.
//!
//! Locking: none. Sources: `transport::registry`.

use std::io::Write;

use transport::registry::{self, Entry};

use crate::arguments::Arguments;
use crate::definition::{Example, JSON, Opt, Tool};
use crate::failure::{Failure, plain};
use crate::json;
use crate::table::{Grid, Side};

const QUIET: Opt = Opt::flag('q', "print URLs only, one a line");

pub(crate) const TOOL: Tool = Tool {
    name: "list",
    about: "show the servers of yours that are running",
    usage: &["[-q] [--json]"],
    options: &[&QUIET, &JSON],
    words: &[],
    permutes: true,
    notes: "Servers enter themselves in $XDG_RUNTIME_DIR/anykernel, or in /tmp/anykernel-UID; \
            those that have died are not shown.",
    examples: &[
        Example { does: "all of them", arguments: "" },
        Example {
            does: "ends all of them",
            arguments: "-q | while read -r u; do RUMP_SERVER=$u rump.halt; done",
        },
    ],
    failure: 1,
    run,
};

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    arguments.no_words()?;
    let entries = registry::servers().map_err(|e| Failure::failed(plain(&e)))?;
    if arguments.has(&JSON) {
        as_json(&entries, out)?;
    } else if arguments.has(&QUIET) {
        entries.iter().try_for_each(|entry| writeln!(out, "{}", entry.url))?;
    } else {
        grid(&entries, out)?;
    }
    Ok(0)
}

fn grid(entries: &[Entry], out: &mut dyn Write) -> Result<(), Failure> {
    let mut grid = Grid::new(&[
        ("PID", Side::Right),
        ("URL", Side::Left),
        ("KERNEL", Side::Left),
        ("COMPONENTS", Side::Left),
    ]);
    for Entry { pid, url, kernel, components, .. } in entries {
        // Names that would confuse a terminal are shown, not sent to it.
        let [url, kernel] = [url, kernel].map(|text| text.escape_debug().to_string());
        grid.row([pid.to_string(), url, kernel, components.join(" ")]);
    }
    grid.write(out)
}

fn as_json(entries: &[Entry], out: &mut dyn Write) -> Result<(), Failure> {
    json::array(entries.iter(), out, |entry, out| {
        write!(out, "{{\"pid\":{}", entry.pid)?;
        let texts =
            [("url", &entry.url), ("kernel", &entry.kernel), ("directory", &entry.directory)];
        for (name, text) in texts {
            write!(out, ",")?;
            json::name(name, out)?;
            json::text(text, out)?;
        }
        write!(out, ",\"components\":")?;
        json::array(entry.components.iter(), out, |component, out| json::text(component, out))?;
        Ok(write!(out, "}}")?)
    })?;
    Ok(writeln!(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_people_and_for_programs() {
        let entry = Entry {
            pid: 42,
            url: "unix:///a b".into(),
            kernel: "router".into(),
            directory: "/".into(),
            components: vec!["net".into(), "netinet".into()],
        };
        let mut out = Vec::new();
        grid(std::slice::from_ref(&entry), &mut out).unwrap();
        let expected =
            "PID  URL          KERNEL  COMPONENTS\n 42  unix:///a b  router  net netinet\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let mut out = Vec::new();
        as_json(&[entry], &mut out).unwrap();
        let expected = "[{\"pid\":42,\"url\":\"unix:///a b\",\"kernel\":\"router\",\
                        \"directory\":\"/\",\"components\":[\"net\",\"netinet\"]}]\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
