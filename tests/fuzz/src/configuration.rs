//! The parser of configuration files, and the closure of what it accepts.
//!
//! Locking: none. Sources: `config/CONFIGURATION.md`.
#![no_main]

use config::file::File;
use config::resolve::Known;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let known = |name: &str, needs: &[&str]| Known {
        name: name.to_string(),
        needs: needs.iter().map(|need| need.to_string()).collect(),
    };
    let known = [known("net", &[]), known("netinet", &["net"]), known("shmif", &["net"])];
    let file = match File::parse("fuzz.toml", text) {
        Ok(file) => file,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    for interface in &file.interfaces {
        let character = interface.character;
        assert_eq!(character.check(), Ok(()));
        // What is written for the tools means the same.
        let text = character.to_string();
        let words: Vec<_> = text.split_whitespace().collect();
        for pair in words.chunks(2) {
            let key = config::Key::of(pair[0]).expect("a key");
            assert_eq!(Some(key.read(pair[1]).expect("its value")), character.get(key));
        }
    }
    let Ok(closure) = file.closure(&known) else { return };
    for (at, name) in closure.components.iter().enumerate() {
        let component = known.iter().find(|k| k.name == *name).expect("a known component");
        let before = &closure.components[..at];
        assert!(!before.contains(name), "each once");
        assert!(component.needs.iter().all(|need| before.contains(need)), "after what it needs");
    }
});
