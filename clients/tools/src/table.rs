//! Tables of the kernel: a line of names, then rows, with a TAB between two cells.
//!
//! * [`Table::parse`], [`Table::rows`], [`Row::get`]: columns are found by their names.
//! * [`Grid`]: rows for people, in columns that are as wide as they have to be.
//! * [`Table::write_json`]: rows for programs.
//!
//! Locking: none. Sources: factions/net/CONTROL.md (tables).

use std::io::Write;

use crate::failure::Failure;
use crate::json;

/// Tables and columns whose cells are lists, and what is between two items.
const LISTS: &[(&str, &str, char)] = &[
    ("net.interfaces", "addresses", ' '),
    ("net.interfaces", "flags", ','),
    ("net.dhcp.leases", "dns", ' '),
];
/// Columns whose cells are numbers.
const NUMBERS: &[&str] = &[
    "index",
    "mtu",
    "prefix",
    "ipackets",
    "ibytes",
    "imcasts",
    "ierrors",
    "iqdrops",
    "noproto",
    "opackets",
    "obytes",
    "omcasts",
    "oerrors",
    "oqdrops",
    "queued",
    "lost",
    "full",
    "duplicated",
    "corrupted",
    "reordered",
    "expires",
    "recv-q",
    "send-q",
    "value",
    "lease",
    "renew",
    "rebind",
    "number",
    "timeout",
    "pid",
    "uid",
    "fd",
];

/// A table.
pub(crate) struct Table<'a> {
    name: &'a str,
    columns: Vec<&'a str>,
    lines: std::str::Lines<'a>,
}

/// A row of one.
pub(crate) struct Row<'t, 'a> {
    table: &'t Table<'a>,
    cells: Vec<&'a str>,
}

impl<'a> Table<'a> {
    /// The table that the kernel calls `name`.
    pub(crate) fn parse(name: &'a str, text: &'a str) -> Table<'a> {
        let mut lines = text.lines();
        Table { name, columns: lines.next().unwrap_or_default().split('\t').collect(), lines }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_, 'a>> {
        let row = |line: &'a str| Row { table: self, cells: line.split('\t').collect() };
        self.lines.clone().map(row)
    }

    /// The rows that `keep` keeps, as an array of objects.
    pub(crate) fn write_json(
        &self,
        keep: impl Fn(&Row<'_, 'a>) -> bool,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        json::array(self.rows().filter(keep), out, |row, out| row.write_json(out))
    }
}

impl<'a> Row<'_, 'a> {
    /// A cell; empty if there is none.
    pub(crate) fn get(&self, column: &str) -> &'a str {
        let at = self.table.columns.iter().position(|name| *name == column);
        at.and_then(|at| self.cells.get(at)).copied().unwrap_or_default()
    }

    fn write_json(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let table = self.table;
        let cells = table.columns.iter().zip(&self.cells);
        json::object(cells, out, |(name, cell), out| {
            json::name(name, out)?;
            let list = LISTS.iter().find(|(of, list, _)| *of == table.name && list == name);
            if let Some((_, _, between)) = list {
                let items = cell.split(*between).filter(|item| !item.is_empty());
                json::array(items, out, |item, out| json::text(&plain(item), out))
            } else if NUMBERS.contains(name) {
                json::number(cell, out)
            } else {
                json::text(&plain(cell), out)
            }
        })
    }
}

/// A cell as it was: control characters come as `\xNN`.
pub(crate) fn plain(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len());
    let mut rest = cell;
    while let Some((before, after)) = rest.split_once("\\x") {
        text.push_str(before);
        let code = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                text.push(code.into());
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                text.push_str("\\x");
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

/// How a column stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Rows for people.
pub(crate) struct Grid {
    sides: Vec<Side>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// With these columns.
    pub(crate) fn new(columns: &[(&str, Side)]) -> Grid {
        let sides = columns.iter().map(|(_, side)| *side).collect();
        Grid { sides, rows: vec![columns.iter().map(|(name, _)| (*name).into()).collect()] }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    pub(crate) fn write(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let mut widths = vec![0; self.sides.len()];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut line = String::new();
        for row in &self.rows {
            line.clear();
            for ((cell, side), width) in row.iter().zip(&self.sides).zip(&widths) {
                match side {
                    Side::Left => line.push_str(&format!("{cell:<width$}  ")),
                    Side::Right => line.push_str(&format!("{cell:>width$}  ")),
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "name\tmtu\taddresses\texpires\n\
                        lo0\t33176\t127.0.0.1/8\t\n\
                        a\\x09\"\t1500\t10.0.0.1/8 10.0.0.2/8\t7\n";

    #[test]
    fn columns_are_found_by_name() {
        let table = Table::parse("net.interfaces", TEXT);
        let names: Vec<_> = table.rows().map(|row| row.get("name")).collect();
        assert_eq!(names, ["lo0", "a\\x09\""]);
        let mtu: Vec<_> = table.rows().map(|row| row.get("mtu")).collect();
        assert_eq!(mtu, ["33176", "1500"]);
        assert!(table.rows().all(|row| row.get("colour").is_empty()));
        assert_eq!(Table::parse("", "").rows().count(), 0);
    }

    #[test]
    fn programs_get_json() {
        let mut out = Vec::new();
        Table::parse("net.interfaces", TEXT).write_json(|_| true, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "[{\"name\":\"lo0\",\"mtu\":33176,\"addresses\":[\"127.0.0.1/8\"],\"expires\":null},\
             {\"name\":\"a\\u0009\\\"\",\"mtu\":1500,\
             \"addresses\":[\"10.0.0.1/8\",\"10.0.0.2/8\"],\"expires\":7}]"
        );
    }

    #[test]
    fn columns_are_as_wide_as_they_have_to_be() {
        let mut grid = Grid::new(&[("Name", Side::Left), ("Mtu", Side::Right)]);
        grid.row(["lo0".into(), "33176".into()]);
        grid.row(["shmif0".into(), "1500".into()]);
        let mut out = Vec::new();
        grid.write(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "Name      Mtu\nlo0     33176\nshmif0   1500\n");
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(plain("a\\x0ab\\x5cc\\x"), "a\nb\\c\\x");
        assert_eq!(plain("\\xé"), "\\xé");
    }

    proptest! {
        #[test]
        fn any_text_is_a_table(text: String) {
            let table = Table::parse("", &text);
            table.rows().for_each(|row| assert_eq!(row.get("no such"), ""));
            table.write_json(|_| true, &mut Vec::new()).unwrap();
            plain(&text);
        }
    }
}
