//! The known word nearest to one that somebody misspelt.
//!
//! * [`nearest`]: the known word at the smallest edit distance.
//! * [`unknown`]: the sentence that every error about an unknown word is made of.
//!
//! Locking: none.

/// Only this many characters are compared, so that a long word from outside costs little.
const COMPARED: usize = 64;

/// The known word at the smallest edit distance (a swap of two letters counts as one edit); the
/// first of several; `None` only if nothing is known.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = head(word);
    known.into_iter().min_by_key(|known| strsim::damerau_levenshtein(word, head(known)))
}

/// `unknown component "netinit"; the nearest known one is "netinet"`.
pub fn unknown<'k>(what: &str, word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let word = head(word);
    match nearest(word, known) {
        Some(near) => format!("unknown {what} {word:?}; the nearest known one is {near:?}"),
        None => format!("unknown {what} {word:?}; none is known here"),
    }
}

fn head(word: &str) -> &str {
    match word.char_indices().nth(COMPARED) {
        Some((end, _)) => word.get(..end).unwrap_or(word),
        None => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_named_whatever_its_distance() {
        let known = ["net", "netinet", "shmif"];
        assert_eq!(nearest("netinit", known), Some("netinet"));
        assert_eq!(nearest("hsmif", known), Some("shmif"));
        assert_eq!(nearest("zzzzzzzzzz", known), Some("net"));
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn a_long_word_is_cut() {
        let long = "é".repeat(1_000_000);
        assert_eq!(
            unknown("thing", &long, ["net"]),
            format!("unknown thing {:?}; the nearest known one is \"net\"", "é".repeat(64))
        );
    }
}
