//! Which components a kernel gets, and in which order their hooks run.
//!
//! Start-up refuses a binary in which the `kernel!` lists and the linked components differ, in
//! either direction: a crate that nobody names drops out of the link silently, and one that
//! nobody listed has no business in it.

use alloc::string::{String, ToString};
use core::fmt;

use smallvec::SmallVec;

use super::{COMPONENTS, Component, SPECS, Spec};

/// A kernel's components, each after those it needs.
pub(crate) type Chosen = SmallVec<[&'static Component; 16]>;

/// Why a list of components makes no kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChooseError {
    /// A `kernel!` list names a component that the linker left out.
    ListedNotLinked(&'static str),
    /// A component was linked that no `kernel!` list names.
    LinkedNotListed(&'static str),
    /// The options ask for a component that the binary does not have; the nearest is said.
    Unknown(String),
    /// A component needs one that is not in the kernel.
    Missing {
        /// Who needs it.
        component: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// Components need each other in a circle.
    Circle(&'static str),
}

impl fmt::Display for ChooseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ListedNotLinked(c) => {
                write!(f, "component `{c}` is listed by kernel! but was not linked")
            }
            Self::LinkedNotListed(c) => {
                write!(f, "component `{c}` was linked but no kernel! list names it")
            }
            Self::Unknown(c) => write!(f, "this binary has no component `{c}`; it has:{}", Linked),
            Self::Missing { component, needs } => {
                write!(f, "component `{component}` needs `{needs}`; add it to the kernel's list")
            }
            Self::Circle(c) => write!(f, "component `{c}` needs itself, through others"),
        }
    }
}

impl core::error::Error for ChooseError {}

struct Linked;

impl fmt::Display for Linked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        COMPONENTS.iter().try_for_each(|c| write!(f, " {}", c.name))
    }
}

/// Chooses the components of `spec`, or those of them that `only` names.
pub(crate) fn choose(
    spec: &'static Spec,
    only: Option<&[&str]>,
    shuffle: Option<u64>,
) -> Result<Chosen, ChooseError> {
    check_link()?;
    let mut wanted: Chosen = SmallVec::new();
    match only {
        None => wanted.extend_from_slice(spec.components),
        Some(names) => {
            for name in names {
                let found = spec.components.iter().find(|c| c.name == *name);
                wanted.push(found.ok_or_else(|| ChooseError::Unknown(name.to_string()))?);
            }
        }
    }
    if let Some(seed) = shuffle {
        shuffle_by(&mut wanted, seed);
    }
    order(&wanted)
}

fn check_link() -> Result<(), ChooseError> {
    let linked = |c: &Component| COMPONENTS.iter().any(|l| core::ptr::eq(l, c));
    for c in SPECS.iter().flat_map(|s| s.components) {
        if !linked(c) {
            return Err(ChooseError::ListedNotLinked(c.name));
        }
    }
    for l in COMPONENTS.iter() {
        if !SPECS.iter().flat_map(|s| s.components).any(|c| core::ptr::eq(*c, l)) {
            return Err(ChooseError::LinkedNotListed(l.name));
        }
    }
    Ok(())
}

/// Puts every component after those it needs; otherwise the order stays.
fn order(wanted: &[&'static Component]) -> Result<Chosen, ChooseError> {
    let mut done: Chosen = SmallVec::new();
    let has = |list: &[&'static Component], name: &str| list.iter().any(|c| c.name == name);
    for c in wanted {
        if let Some(missing) = c.needs.iter().find(|n| !has(wanted, n)) {
            return Err(ChooseError::Missing { component: c.name, needs: missing });
        }
    }
    while done.len() < wanted.len() {
        let before = done.len();
        for c in wanted {
            if !has(&done, c.name) && c.needs.iter().all(|n| has(&done, n)) {
                done.push(c);
            }
        }
        if done.len() == before {
            let stuck = wanted.iter().find(|c| !has(&done, c.name));
            // A list that names a component twice ends here too, with nothing left to place.
            return stuck.map_or(Ok(done), |c| Err(ChooseError::Circle(c.name)));
        }
    }
    Ok(done)
}

/// Fisher-Yates with a splitmix generator: nobody may come to depend on an order.
fn shuffle_by(list: &mut [&'static Component], mut seed: u64) {
    for i in (1..list.len()).rev() {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z ^= z >> 27;
        list.swap(i, (z % (i as u64 + 1)) as usize);
    }
}
