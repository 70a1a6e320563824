//! Tables: what a kernel has many of (interfaces, routes, counters), as text.
//!
//! The first line names the columns, each other is a row; cells are separated by a TAB. Columns are
//! never renamed or moved, new ones come last. A table without columns is plain text.
//!
//! Locking: a table's own. Sources: NetBSD's opaque nodes (CTLTYPE_STRUCT), as text.

use linkme::distributed_slice;
use smallvec::SmallVec;

use super::Listing;
use crate::{Cx, NoMemory};

/// A table in the tree.
pub struct Table {
    /// Its name, as in `net.routes`.
    pub name: &'static str,
    /// What it shows, in a line.
    pub doc: &'static str,
    /// The component that it belongs to; `None` for base.
    pub component: Option<&'static str>,
    /// The columns' names.
    pub columns: &'static [&'static str],
    /// Writes the rows.
    pub write: fn(cx: &Cx<'_>, out: &mut Listing) -> Result<(), NoMemory>,
}

/// The tables of all components in this binary.
#[distributed_slice]
pub static TABLES: [Table];

/// Registers a [`Table`]: `base::tables! { static NAME = Table { … }; }`.
#[macro_export]
macro_rules! tables {
    ($($(#[$m:meta])* $vis:vis static $name:ident = $value:expr;)+) => {$(
        $(#[$m])*
        #[$crate::__private::linkme::distributed_slice($crate::sysctl::TABLES)]
        #[linkme(crate = $crate::__private::linkme)]
        $vis static $name: $crate::sysctl::Table = $value;
    )+};
}

impl Table {
    fn is_in(&self, cx: &Cx<'_>) -> bool {
        self.component.is_none_or(|c| cx.has_component(c))
    }

    /// Writes the whole table.
    pub(super) fn show(&self, cx: &Cx<'_>, out: &mut Listing) -> Result<(), NoMemory> {
        let mut columns = self.columns.iter();
        if let Some(first) = columns.next() {
            out.text(first)?;
            columns.try_for_each(|name| out.text("\t").and_then(|()| out.text(name)))?;
            out.text("\n")?;
        }
        (self.write)(cx, out)
    }
}

/// This kernel's table of that name.
pub(super) fn find(cx: &Cx<'_>, name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|t| t.name == name && t.is_in(cx))
}

/// This kernel's tables, sorted by name.
pub(super) fn all(cx: &Cx<'_>) -> SmallVec<[&'static Table; 8]> {
    let mut tables: SmallVec<_> = TABLES.iter().filter(|t| t.is_in(cx)).collect();
    tables.sort_by_key(|t: &&Table| t.name);
    tables
}
