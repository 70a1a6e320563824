//! From the names that people type to the components of a kernel.
//!
//! * [`choose`]: those that are asked for and all that they need, or what is wrong with a name.
//! * [`name`]: a kernel's name out of its URL.
//!
//! The original's libraries are called `rumpFACTION` and `rumpFACTION_COMPONENT`.
//!
//! Locking: none. Sources: the book, section 3.12 and figure 3.31; rump_server(1).

use base::Component;
use config::resolve::{Known, ResolveError, Wanted, resolve};

/// What every server has.
const SERVING: &str = "sysproxy";

/// Components out of `there`, needs included.
pub fn choose(
    asked: &[String],
    all: bool,
    there: &'static [&'static Component],
) -> Result<Vec<&'static str>, String> {
    if all {
        return Ok(there.iter().map(|component| component.name).collect());
    }
    let known: Vec<Known> = there
        .iter()
        .map(|component| Known {
            name: component.name.to_owned(),
            needs: component.needs.iter().map(|need| (*need).to_owned()).collect(),
        })
        .collect();
    let names = asked.iter().filter_map(|word| plain(word)).chain([SERVING]);
    let wanted: Vec<Wanted> =
        names.map(|name| Wanted { name: name.to_owned(), because: None }).collect();
    let closure = resolve(&known, &wanted).map_err(|error| describe(error, &known))?;
    let chosen = there.iter().filter(|c| closure.components.iter().any(|name| name == c.name));
    Ok(chosen.map(|component| component.name).collect())
}

/// A component's own name; `None` for what every kernel has.
fn plain(word: &str) -> Option<&str> {
    let Some(original) = word.strip_prefix("rump") else { return Some(word) };
    match original.split_once('_') {
        // librump and librumpuser are the base and the host; the factions have their own names.
        None if original.is_empty() || original == "user" => None,
        None => Some(original),
        // The book has both names; there was but one library.
        Some((_, "virt")) => Some("virtif"),
        // librumpnet_net is the part of the faction that every stack has.
        Some((_, component)) => Some(component),
    }
}

fn describe(error: ResolveError, known: &[Known]) -> String {
    let names: Vec<&str> = known.iter().map(|known| known.name.as_str()).collect();
    format!("{error}; this server has {}", names.join(", "))
}

/// What a kernel at `url` is called.
pub fn name(url: &str) -> String {
    let place = url.split_once("://").map_or(url, |(_, place)| place);
    let place = place.split('?').next().unwrap_or(place);
    place.rsplit('/').find(|part| !part.is_empty()).unwrap_or("server").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(words: &str) -> Result<Vec<&'static str>, String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        choose(&words, false, crate::ALL.components)
    }

    #[test]
    fn the_books_names_and_plain_ones() {
        let book = chosen("rumpnet rumpnet_net rumpnet_netinet rumpnet_shmif").unwrap();
        assert_eq!(book, ["net", "netinet", "shmif", "sysproxy"]);
        assert_eq!(chosen("rump rumpuser").unwrap(), ["sysproxy"]);
        let joined = chosen("rumpnet_bridge rumpnet_vlan").unwrap();
        assert_eq!(joined, ["net", "bridge", "vlan", "sysproxy"]);
        assert_eq!(chosen("dhcp").unwrap(), ["net", "netinet", "dhcp", "sysproxy"]);
        for virtif in ["rumpnet_virtif", "rumpnet_virt", "virtif"] {
            assert_eq!(chosen(virtif).unwrap(), ["net", "virtif", "sysproxy"]);
        }
        assert_eq!(chosen("netinet").unwrap(), ["net", "netinet", "sysproxy"]);
        assert_eq!(choose(&[], true, crate::ALL.components).unwrap().len(), 8);
    }

    #[test]
    fn a_name_that_nothing_has_is_explained() {
        let error = chosen("rumpnet_netinit").unwrap_err();
        assert!(error.contains("\"netinit\"") && error.contains("is \"netinet\""), "{error}");
        assert!(error.contains("this server has net, netinet"), "{error}");
    }

    #[test]
    fn a_kernel_is_called_like_its_place() {
        assert_eq!(name("unix://rumpnet1"), "rumpnet1");
        assert_eq!(name("unix:///tmp/a/router"), "router");
        assert_eq!(name("tcp://127.0.0.1:80?key=a/b"), "127.0.0.1:80");
        assert_eq!(name("unix:///"), "server");
    }
}
