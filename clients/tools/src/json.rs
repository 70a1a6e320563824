//! JSON, as it is written. Nothing here reads it.
//!
//! Locking: none. Sources: RFC 8259.

use std::io::Write;

use crate::failure::Failure;

/// What writes an item.
type Item<'a, T> = &'a mut dyn FnMut(T, &mut dyn Write) -> Result<(), Failure>;

/// An array of `items`, each written by `write`.
pub(crate) fn array<T>(
    items: impl Iterator<Item = T>,
    out: &mut dyn Write,
    mut write: impl FnMut(T, &mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    separated(items, ["[", "]"], out, &mut write)
}

/// An object of `members`, each written by `write`: its name first.
pub(crate) fn object<T>(
    members: impl Iterator<Item = T>,
    out: &mut dyn Write,
    mut write: impl FnMut(T, &mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    separated(members, ["{", "}"], out, &mut write)
}

fn separated<T>(
    items: impl Iterator<Item = T>,
    [open, close]: [&str; 2],
    out: &mut dyn Write,
    write: Item<'_, T>,
) -> Result<(), Failure> {
    out.write_all(open.as_bytes())?;
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        write(item, out)?;
    }
    out.write_all(close.as_bytes())?;
    Ok(())
}

/// The name of a member.
pub(crate) fn name(name: &str, out: &mut dyn Write) -> Result<(), Failure> {
    text(name, out)?;
    out.write_all(b":")?;
    Ok(())
}

/// A text.
pub(crate) fn text(text: &str, out: &mut dyn Write) -> Result<(), Failure> {
    out.write_all(b"\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(out, "\\{c}")?,
            c if c.is_control() => write!(out, "\\u{:04x}", u32::from(c))?,
            c => write!(out, "{c}")?,
        }
    }
    out.write_all(b"\"")?;
    Ok(())
}

/// The number in a text; null if there is nothing, and a text if it is no number.
pub(crate) fn number(cell: &str, out: &mut dyn Write) -> Result<(), Failure> {
    if cell.is_empty() {
        out.write_all(b"null")?;
        return Ok(());
    }
    match cell.parse::<i128>() {
        Ok(number) => Ok(write!(out, "{number}")?),
        Err(_) => text(cell, out),
    }
}
