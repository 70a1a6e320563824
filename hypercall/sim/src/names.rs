//! The name space of a simulation.
//!
//! * `rendezvous` finds or makes; a name lasts as long as somebody holds its object.
//!
//! Locking: `make` runs without the lock, for it may ask for other names; whoever stores first
//! wins.
//! Sources: `hypercall::Names`.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use hypercall::Names;

use crate::{Sim, lock};

type Object = dyn Any + Send + Sync;

/// See the module's text.
#[derive(Default)]
pub struct Registry {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    names: BTreeMap<String, Weak<Object>>,
    /// Forget the dead when the table has grown to this.
    sweep_at: usize,
}

impl Registry {
    fn find(&self, name: &str) -> Option<Arc<Object>> {
        lock(&self.table).names.get(name).and_then(Weak::upgrade)
    }

    /// The object called `name`, which is `made` unless there is one.
    fn store(&self, name: &str, made: Arc<Object>) -> Arc<Object> {
        let mut table = lock(&self.table);
        if let Some(found) = table.names.get(name).and_then(Weak::upgrade) {
            // Another thread was faster; `made` goes after the lock does.
            drop(table);
            return found;
        }
        if table.names.len() >= table.sweep_at {
            table.names.retain(|_, object| object.strong_count() != 0);
            table.sweep_at = 64 + 2 * table.names.len();
        }
        table.names.insert(name.to_owned(), Arc::downgrade(&made));
        made
    }
}

impl Names for Sim {
    fn rendezvous(&self, name: &str, make: &mut dyn FnMut() -> Arc<Object>) -> Arc<Object> {
        self.names.find(name).unwrap_or_else(|| self.names.store(name, make()))
    }
}
