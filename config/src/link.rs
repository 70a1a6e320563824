//! The keys of a link's character, in files.
//!
//! * [`character`]: those of a section; the words are those of `rump.ifconfig`.
//!
//! Locking: none. Sources: clients/character.

use character::{Character, Key};

use crate::document::{Error, Section, Value};

/// What a section says about a link, over what is said elsewhere.
pub(crate) fn character(section: &mut Section<'_>, below: &Character) -> Result<Character, Error> {
    let mut said = Character::default();
    for key in Key::ALL {
        let Some(value) = section.value(key.word()) else { continue };
        let read = |value: &Value<'_>| match value {
            Value::Text(text) => key.read(text),
            // A count needs no quotes; what has units needs its unit.
            Value::Integer(number) => key.read(&number.to_string()),
            other => Err(format!("it must be a string, not {other}")),
        };
        let number =
            value.read(|value| read(value).map_err(|e| format!("{:?}: {e}", key.word())))?;
        said.set(key, number);
    }
    let both = said.over(below);
    // Who says nothing is not to blame.
    if !said.is_empty() {
        section.here().read(|()| both.check())?;
    }
    Ok(both)
}
