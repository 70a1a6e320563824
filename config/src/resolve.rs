//! The closure of the components that somebody wants: all that they need, needs first.
//!
//! * [`resolve`]: from what there is and what is wanted to a [`Closure`], which says what it
//!   added and why.
//!
//! Locking: none. Sources: the book, section 3.2 (drivers need factions and other drivers).

use core::fmt;

use serde::Serialize;

use crate::nearest;

/// A component that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// What it cannot be without.
    pub needs: Vec<String>,
}

/// A component that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// `None`: it is listed. Otherwise what else calls for it.
    pub because: Option<String>,
}

/// What a kernel is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Closure {
    /// Names; each after all that it needs, otherwise in the order in which they are wanted.
    pub components: Vec<String>,
    /// Those of them that nobody listed.
    pub added: Vec<Added>,
}

/// A component that was not listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Added {
    /// Its name.
    pub name: String,
    /// Who needs it.
    pub because: String,
}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "added {}: {} needs it", self.name, self.because)
    }
}

/// Why there is no closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolveError {
    /// There is no such component.
    Unknown {
        /// The word.
        name: String,
        /// The component that is called nearest to it.
        nearest: Option<String>,
        /// Who needs it, if it is not wanted itself.
        needed_by: Option<String>,
    },
    /// Components that need each other can never start.
    Circular {
        /// Each needs the next; the last is the first again.
        path: Vec<String>,
    },
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolveError::Unknown { name, nearest, needed_by } => {
                f.write_str(&nearest::unknown("component", name, nearest.as_deref()))?;
                match needed_by {
                    Some(who) => write!(f, " ({who} needs it)"),
                    None => Ok(()),
                }
            }
            ResolveError::Circular { path } => {
                write!(f, "components need each other: {}", path.join(" needs "))
            }
        }
    }
}

impl core::error::Error for ResolveError {}

/// Computes the closure.
pub fn resolve(known: &[Known], wanted: &[Wanted]) -> Result<Closure, ResolveError> {
    let mut resolver = Resolver { known, done: Vec::new(), path: Vec::new(), added: Vec::new() };
    let listed: Vec<&str> = wanted
        .iter()
        .filter(|wanted| wanted.because.is_none())
        .map(|wanted| wanted.name.as_str())
        .collect();
    // What is listed comes first, so that a reason is "netinet" rather than "interface lo0".
    let (first, then): (Vec<_>, Vec<_>) = wanted.iter().partition(|w| w.because.is_none());
    for wanted in first.into_iter().chain(then) {
        resolver.add(&wanted.name, wanted.because.as_deref(), &listed)?;
    }
    let components = resolver.done.iter().map(|known| known.name.clone()).collect();
    Ok(Closure { components, added: resolver.added })
}

struct Resolver<'k> {
    known: &'k [Known],
    done: Vec<&'k Known>,
    /// From what is wanted to what is being added.
    path: Vec<&'k str>,
    added: Vec<Added>,
}

impl<'k> Resolver<'k> {
    fn add(
        &mut self,
        name: &str,
        because: Option<&str>,
        listed: &[&str],
    ) -> Result<(), ResolveError> {
        let Some(found) = self.known.iter().find(|known| known.name == name) else {
            let names = self.known.iter().map(|known| known.name.as_str());
            return Err(ResolveError::Unknown {
                name: name.to_string(),
                nearest: nearest::nearest(name, names).map(str::to_string),
                needed_by: because.map(str::to_string),
            });
        };
        if self.done.iter().any(|done| done.name == name) {
            return Ok(());
        }
        if let Some(start) = self.path.iter().position(|step| *step == name) {
            let circle = self.path.iter().skip(start).copied().chain([name]);
            let path = circle.map(str::to_string).collect();
            return Err(ResolveError::Circular { path });
        }
        self.path.push(&found.name);
        for need in &found.needs {
            self.add(need, Some(&found.name), listed)?;
        }
        self.path.pop();
        self.done.push(found);
        if let Some(because) = because
            && !listed.contains(&name)
        {
            self.added.push(Added { name: name.to_string(), because: because.to_string() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(list: &[(&str, &[&str])]) -> Vec<Known> {
        let known = |(name, needs): &(&str, &[&str])| Known {
            name: name.to_string(),
            needs: needs.iter().map(|need| need.to_string()).collect(),
        };
        list.iter().map(known).collect()
    }

    fn shipped() -> Vec<Known> {
        known(&[
            ("net", &[]),
            ("netinet", &["net"]),
            ("netinet6", &["netinet"]),
            ("shmif", &["net"]),
        ])
    }

    fn listed(names: &[&str]) -> Vec<Wanted> {
        names.iter().map(|name| Wanted { name: name.to_string(), because: None }).collect()
    }

    #[test]
    fn needs_come_first_and_additions_are_reported() {
        let closure = resolve(&shipped(), &listed(&["netinet6", "shmif"])).unwrap();
        assert_eq!(closure.components, ["net", "netinet", "netinet6", "shmif"]);
        let added: Vec<_> = closure.added.iter().map(Added::to_string).collect();
        assert_eq!(added, ["added net: netinet needs it", "added netinet: netinet6 needs it"]);
    }

    #[test]
    fn what_is_listed_is_not_reported_wherever_it_is_listed() {
        let closure = resolve(&shipped(), &listed(&["netinet", "net"])).unwrap();
        assert_eq!(closure.components, ["net", "netinet"]);
        assert_eq!(closure.added, []);
    }

    #[test]
    fn other_reasons_come_last() {
        let mut wanted = listed(&["netinet"]);
        wanted.insert(0, Wanted { name: "shmif".into(), because: Some("interface shmif0".into()) });
        let closure = resolve(&shipped(), &wanted).unwrap();
        assert_eq!(closure.components, ["net", "netinet", "shmif"]);
        assert_eq!(closure.added[1].to_string(), "added shmif: interface shmif0 needs it");
    }

    #[test]
    fn nothing_wanted_is_the_base_alone() {
        assert_eq!(resolve(&shipped(), &[]), Ok(Closure::default()));
    }

    #[test]
    fn unknown_and_circular_are_errors() {
        let error = |known: &[Known], names: &[&str]| {
            resolve(known, &listed(names)).unwrap_err().to_string()
        };
        assert_eq!(
            error(&shipped(), &["netinit"]),
            "unknown component \"netinit\"; the nearest known one is \"netinet\""
        );
        let broken = known(&[("nfs", &["vsf"]), ("vfs", &[])]);
        assert_eq!(
            error(&broken, &["nfs"]),
            "unknown component \"vsf\"; the nearest known one is \"vfs\" (nfs needs it)"
        );
        let circle = known(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]);
        assert_eq!(error(&circle, &["a"]), "components need each other: b needs c needs b");
    }
}
