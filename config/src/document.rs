//! A TOML text whose every key is accounted for, with the place of each in the text.
//!
//! The formats of this crate are read by hand from `toml`'s spanned tables rather than by
//! derived code, because an error must name the line, the column, the word that is unknown and
//! the nearest known one, and because a mistake that only later steps can see (a route's
//! gateway that nobody has) must still point into the text.
//!
//! * [`Document::parse`], then [`Document::root`]: the root as a [`Section`].
//! * `section.string("name")`, `.integer(…)`, `.strings(…)`, `.sections(…)`: take one key each;
//!   [`Section::finish`] refuses every key that was not asked for.
//! * [`At`]: a value and its place; `at.error("…")` is the [`Error`] that points there.
//!
//! Locking: none. Sources: TOML 1.0.0.

use core::fmt;
use core::ops::{Range, RangeInclusive};

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::nearest;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Error {
    /// The file, as it was named by whoever gave it.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// One sentence.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

impl core::error::Error for Error {}

/// A parsed text.
pub(crate) struct Document<'t> {
    file: &'t str,
    text: &'t str,
    root: Spanned<DeTable<'t>>,
}

impl<'t> Document<'t> {
    pub(crate) fn parse(file: &'t str, text: &'t str) -> Result<Self, Error> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Document { file, text, root }),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                // The library's message may span lines; ours are one sentence each.
                let message = error.message().lines().collect::<Vec<_>>().join(", ");
                Err(locate(file, text, at, message))
            }
        }
    }

    pub(crate) fn root(&self) -> Section<'_> {
        Section {
            document: self,
            table: self.root.get_ref(),
            span: 0..0,
            what: "this file",
            known: Vec::new(),
        }
    }
}

fn locate(file: &str, text: &str, at: usize, message: String) -> Error {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count().saturating_add(1);
    let last = before.rsplit('\n').next().unwrap_or(before);
    let column = last.chars().count().saturating_add(1);
    Error { file: file.to_string(), line, column, message }
}

/// A value and its place.
#[derive(Clone)]
pub(crate) struct At<'d, T> {
    pub(crate) value: T,
    span: Range<usize>,
    document: &'d Document<'d>,
}

impl<'d, T> At<'d, T> {
    pub(crate) fn error(&self, message: impl Into<String>) -> Error {
        locate(self.document.file, self.document.text, self.span.start, message.into())
    }

    /// Line and column.
    pub(crate) fn place(&self) -> (usize, usize) {
        let Error { line, column, .. } = self.error("");
        (line, column)
    }

    /// The same place with another value: what the text was understood to mean.
    pub(crate) fn with<U>(&self, value: U) -> At<'d, U> {
        At { value, span: self.span.clone(), document: self.document }
    }

    /// Understands the value; the error of `read` is given this place.
    pub(crate) fn read<U>(&self, read: impl FnOnce(&T) -> Result<U, String>) -> Result<U, Error> {
        read(&self.value).map_err(|message| self.error(message))
    }
}

/// A table that remembers which keys were asked for.
pub(crate) struct Section<'d> {
    document: &'d Document<'d>,
    table: &'d DeTable<'d>,
    span: Range<usize>,
    what: &'static str,
    known: Vec<&'static str>,
}

impl<'d> Section<'d> {
    /// The place of the section itself, for what is missing in it.
    pub(crate) fn here(&self) -> At<'d, ()> {
        At { value: (), span: self.span.clone(), document: self.document }
    }

    /// What the value of this key must be present for.
    pub(crate) fn required<T>(&self, key: &str, value: Option<T>) -> Result<T, Error> {
        value.ok_or_else(|| self.here().error(format!("{} has no {key:?}", self.what)))
    }

    fn take(&mut self, key: &'static str) -> Option<At<'d, &'d DeValue<'d>>> {
        self.known.push(key);
        self.table.get(key).map(|value| at(self.document, value))
    }

    pub(crate) fn string(&mut self, key: &'static str) -> Result<Option<At<'d, &'d str>>, Error> {
        self.take(key).map(|value| text(key, &value)).transpose()
    }

    pub(crate) fn boolean(&mut self, key: &'static str) -> Result<Option<bool>, Error> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.value.as_bool() {
            Some(answer) => Ok(Some(answer)),
            None => Err(mistyped(key, "true or false", &value)),
        }
    }

    pub(crate) fn integer(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, Error> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let number = integer(value.value).ok_or_else(|| mistyped(key, "a whole number", &value))?;
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(value.error(format!(
                "{key:?} must be between {} and {}",
                range.start(),
                range.end()
            ))),
        }
    }

    /// A value of a type that the caller tells apart.
    pub(crate) fn value(&mut self, key: &'static str) -> Option<At<'d, Value<'d>>> {
        self.take(key).map(|value| value.with(Value::of(value.value)))
    }

    pub(crate) fn strings(&mut self, key: &'static str) -> Result<Vec<At<'d, &'d str>>, Error> {
        self.array(key)?.iter().map(|value| text(key, value)).collect()
    }

    /// Tables in an array: `[[key]]`, or `key = [{ … }]`.
    pub(crate) fn sections(
        &mut self,
        key: &'static str,
        what: &'static str,
    ) -> Result<Vec<Section<'d>>, Error> {
        self.array(key)?.iter().map(|value| section(key, what, value)).collect()
    }

    /// One table: `[key]`.
    pub(crate) fn section(
        &mut self,
        key: &'static str,
        what: &'static str,
    ) -> Result<Option<Section<'d>>, Error> {
        self.take(key).map(|value| section(key, what, &value)).transpose()
    }

    /// An array of strings and tables: a table stands for a string with more to it.
    pub(crate) fn strings_or_sections(
        &mut self,
        key: &'static str,
        what: &'static str,
    ) -> Result<Vec<Item<'d>>, Error> {
        let read = |value: &At<'d, &'d DeValue<'d>>| match value.value.as_table() {
            Some(_) => section(key, what, value).map(Item::Section),
            None => text(key, value).map(Item::Text),
        };
        self.array(key)?.iter().map(read).collect()
    }

    fn array(&mut self, key: &'static str) -> Result<Vec<At<'d, &'d DeValue<'d>>>, Error> {
        let Some(value) = self.take(key) else { return Ok(Vec::new()) };
        match value.value.as_array() {
            Some(array) => Ok(array.iter().map(|item| at(self.document, item)).collect()),
            None => Err(mistyped(key, "an array", &value)),
        }
    }

    /// Every entry, for a table whose keys are free: dotted where tables nest, because an
    /// unquoted dotted key and nested tables are the same thing in TOML.
    pub(crate) fn entries(self) -> Vec<(At<'d, String>, At<'d, Value<'d>>)> {
        let mut found = Vec::new();
        let mut open = vec![(String::new(), self.table)];
        while let Some((prefix, table)) = open.pop() {
            for (key, value) in table {
                let name = match prefix.as_str() {
                    "" => key.get_ref().to_string(),
                    prefix => format!("{prefix}.{}", key.get_ref()),
                };
                match value.get_ref() {
                    DeValue::Table(inner) => open.push((name, inner)),
                    other => found.push((
                        At { value: name, span: key.span(), document: self.document },
                        at(self.document, value).with(Value::of(other)),
                    )),
                }
            }
        }
        found.sort_by_key(|(key, _)| key.span.start);
        found
    }

    /// Refuses the first key that nobody asked for.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let strange = self.table.keys().filter(|key| !self.known.contains(&key.get_ref().as_ref()));
        match strange.min_by_key(|key| key.span().start) {
            None => Ok(()),
            Some(key) => {
                let place = At { value: (), span: key.span(), document: self.document };
                let message = nearest::unknown("key", key.get_ref(), self.known.iter().copied());
                Err(place.error(format!("{message} in {}", self.what)))
            }
        }
    }
}

/// One of an array of strings and tables.
pub(crate) enum Item<'d> {
    /// A string.
    Text(At<'d, &'d str>),
    /// A table.
    Section(Section<'d>),
}

/// A value of which several types are welcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'d> {
    /// In quotes.
    Text(&'d str),
    /// Whole, and it fits.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// Of no welcome type: the type's name.
    Other(&'static str),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Value::Text(_) => "a string",
            Value::Integer(_) => "a number",
            Value::Boolean(_) => "true or false",
            Value::Other(kind) => kind,
        })
    }
}

impl<'d> Value<'d> {
    fn of(value: &'d DeValue<'d>) -> Self {
        match value {
            DeValue::String(text) => Value::Text(text),
            DeValue::Boolean(answer) => Value::Boolean(*answer),
            other => match integer(other) {
                Some(Some(number)) => Value::Integer(number),
                Some(None) => Value::Other("an integer past 64 bits"),
                None => Value::Other(other.type_str()),
            },
        }
    }
}

fn at<'d>(document: &'d Document<'d>, value: &'d Spanned<DeValue<'d>>) -> At<'d, &'d DeValue<'d>> {
    At { value: value.get_ref(), span: value.span(), document }
}

/// `None`: not an integer; `Some(None)`: one that does not fit.
fn integer(value: &DeValue<'_>) -> Option<Option<i64>> {
    value.as_integer().map(|number| i64::from_str_radix(number.as_str(), number.radix()).ok())
}

fn text<'d>(key: &str, value: &At<'d, &'d DeValue<'d>>) -> Result<At<'d, &'d str>, Error> {
    match value.value.as_str() {
        Some(text) => Ok(value.with(text)),
        None => Err(mistyped(key, "a string", value)),
    }
}

fn section<'d>(
    key: &str,
    what: &'static str,
    value: &At<'d, &'d DeValue<'d>>,
) -> Result<Section<'d>, Error> {
    let Some(table) = value.value.as_table() else {
        return Err(mistyped(key, "a table", value));
    };
    let (document, span) = (value.document, value.span.clone());
    Ok(Section { document, table, span, what, known: Vec::new() })
}

fn mistyped(key: &str, expected: &str, found: &At<'_, &DeValue<'_>>) -> Error {
    found.error(format!("{key:?} must be {expected}, not of type {}", found.value.type_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_error(text: &str) -> String {
        let read = || -> Result<(), Error> {
            let document = Document::parse("f.toml", text)?;
            let mut root = document.root();
            root.string("name")?;
            root.integer("size", 1..=9)?;
            root.strings("words")?;
            for mut inner in root.sections("inner", "[[inner]]")? {
                let flag = inner.boolean("flag")?;
                inner.required("flag", flag)?;
                inner.finish()?;
            }
            root.finish()
        };
        read().expect_err("there is a mistake in the text").to_string()
    }

    #[test]
    fn errors_name_the_place_and_the_nearest_word() {
        let cases = [
            ("name = 3", r#"f.toml:1:8: "name" must be a string, not of type integer"#),
            ("\nsize = 0x10", r#"f.toml:2:8: "size" must be between 1 and 9"#),
            ("size = 99999999999999999999", r#"f.toml:1:8: "size" must be between 1 and 9"#),
            ("size = 1.5", r#"f.toml:1:8: "size" must be a whole number, not of type float"#),
            ("words = ['é', 1]", r#"f.toml:1:15: "words" must be a string, not of type integer"#),
            ("words = 'a'", r#"f.toml:1:9: "words" must be an array, not of type string"#),
            (
                "nane = 'x'\nz = 1",
                r#"f.toml:1:1: unknown key "nane"; the nearest known one is "name" in this file"#,
            ),
            ("[[inner]]\n", r#"f.toml:1:1: [[inner]] has no "flag""#),
            (
                "[[inner]]\nflag = true\nflog = 1",
                r#"f.toml:3:1: unknown key "flog"; the nearest known one is "flag" in [[inner]]"#,
            ),
            ("name = 'a'\nname = 'b'", "f.toml:2:1: duplicate key"),
        ];
        for (text, expected) in cases {
            assert_eq!(first_error(text), expected, "{text}");
        }
        assert!(first_error("\nname = ").starts_with("f.toml:2:"));
    }

    #[test]
    fn nesting_has_a_bound() {
        let deep = format!("words = {}", "[".repeat(100_000));
        assert!(Document::parse("f", &deep).is_err());
    }
}
