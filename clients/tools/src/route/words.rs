//! What the words of route mean.
//!
//! Locking: none. Sources: NetBSD route(8).

use std::net::Ipv4Addr;

use crate::address;
use crate::definition::Word;
use crate::failure::{Failure, nearest};
use crate::requests::{Route, flags};

const ADD: Word = Word::new("add", "add a route");
const DELETE: Word = Word::new("delete", "delete a route that was added");
const GET: Word = Word::with("get", "ADDRESS", "the route that packets to ADDRESS take");
const SHOW: Word = Word::new("show", "all routes");
const FLUSH: Word = Word::new("flush", "delete all routes that were added");
const NET: Word = Word::new("-net", "the destination is a network");
const HOST: Word = Word::new("-host", "the destination is one host");
const NETMASK: Word = Word::with("-netmask", "MASK", "its mask: 0xffffff00, 255.255.255.0 or 24");
const PREFIXLEN: Word = Word::with("-prefixlen", "LENGTH", "the same as a number of bits");
const REJECT: Word = Word::new("-reject", "answer packets with \"unreachable\"; no gateway needed");
const BLACKHOLE: Word = Word::new("-blackhole", "drop packets; no gateway needed");
const INET: Word = Word::new("-inet", "addresses of IPv4, which all are");
const STATIC: Word = Word::new("-static", "a route that was added, which all of these are");

/// All words.
pub(super) const ALL: &[&Word] = &[
    &ADD, &DELETE, &GET, &SHOW, &FLUSH, &NET, &HOST, &NETMASK, &PREFIXLEN, &REJECT, &BLACKHOLE,
    &INET, &STATIC,
];

/// What is to be done.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Command {
    Add(Route),
    Delete(Route),
    Get(Ipv4Addr),
    Show,
    Flush,
}

/// What stands behind `add` and `delete`.
#[derive(Default)]
struct Given<'a> {
    host: Option<bool>,
    prefix: Option<u8>,
    flags: u32,
    places: Vec<&'a str>,
}

/// Reads words.
pub(super) fn parse(words: &[String]) -> Result<Command, Failure> {
    let Some((verb, rest)) = words.split_first() else {
        return Err(Failure::misuse("what is to be done? add, delete, get, show or flush"));
    };
    let given = Given::parse(verb, rest)?;
    match verb.as_str() {
        "add" => Ok(Command::Add(given.route(true)?)),
        "delete" | "del" => Ok(Command::Delete(given.route(false)?)),
        "get" => match given.places.as_slice() {
            [addr] => Ok(Command::Get(address::address(addr)?)),
            _ => Err(Failure::missing("get", "one ADDRESS")),
        },
        "show" | "flush" => match given.places.first() {
            Some(word) => Err(Failure::misuse(format!("{verb} \"{word}\": one word too many"))),
            None if verb == "show" => Ok(Command::Show),
            None => Ok(Command::Flush),
        },
        _ => {
            let near = nearest(verb, ALL.iter().take(5).map(|word| word.text), "");
            Err(Failure::misuse(format!("there is no command \"{verb}\"{near}")))
        }
    }
}

impl<'a> Given<'a> {
    fn parse(verb: &str, words: &'a [String]) -> Result<Given<'a>, Failure> {
        let (mut given, mut rest) = (Given::default(), words.iter().map(String::as_str));
        while let Some(word) = rest.next() {
            let mut value = |of: &Word| {
                rest.next().ok_or_else(|| Failure::missing(of.text, of.value.unwrap_or_default()))
            };
            match word {
                "-net" => given.host = Some(false),
                "-host" => given.host = Some(true),
                "-netmask" => given.prefix = Some(address::mask(value(&NETMASK)?)?),
                "-prefixlen" => given.prefix = Some(address::prefix(value(&PREFIXLEN)?)?),
                "-reject" => given.flags |= flags::REJECT,
                "-blackhole" => given.flags |= flags::BLACKHOLE,
                "-inet" | "-static" => {}
                _ if word.starts_with('-') => {
                    let known = ALL.iter().skip(5).map(|word| word.text);
                    let near = nearest(word, known, "");
                    let message = format!("{verb}: \"{word}\" means nothing here{near}");
                    return Err(Failure::misuse(message));
                }
                _ => given.places.push(word),
            }
        }
        Ok(given)
    }

    fn route(&self, adds: bool) -> Result<Route, Failure> {
        let verb = if adds { "add" } else { "delete" };
        let needs_gateway = adds && self.flags == 0;
        let (to, gateway) = match self.places.as_slice() {
            [] => return Err(Failure::missing(verb, "a DESTINATION")),
            [to] if needs_gateway => {
                return Err(Failure::misuse(format!("add {to} needs a GATEWAY behind it")));
            }
            [to] => (*to, None),
            [to, gateway] => (*to, Some(*gateway)),
            // The mask as a third place is as old as the program.
            [to, gateway, mask] if self.prefix.is_none() => {
                let given = Given {
                    host: self.host,
                    prefix: Some(address::mask(mask)?),
                    flags: self.flags,
                    places: vec![to, gateway],
                };
                return given.route(adds);
            }
            [.., word] => {
                return Err(Failure::misuse(format!("{verb}: \"{word}\" is one word too many")));
            }
        };
        let (dst, prefix) = self.destination(to)?;
        let mut route = Route::to(dst, prefix);
        route.flags = self.flags;
        if prefix == 32 {
            route.flags |= flags::HOST;
        }
        route.gateway = match gateway {
            Some(gateway) => address::address(gateway)?,
            // Whom such a route asks does not matter, but it has to be somebody.
            None => Ipv4Addr::LOCALHOST,
        };
        Ok(route)
    }

    fn destination(&self, to: &str) -> Result<(Ipv4Addr, u8), Failure> {
        let (dst, slash) = match to {
            "default" => (Ipv4Addr::UNSPECIFIED, Some(0)),
            _ => address::network(to)?,
        };
        if let (Some(_), Some(_)) = (slash, self.prefix) {
            return Err(Failure::misuse(format!("{to} has its mask; -netmask is another one")));
        }
        let class = if dst.is_unspecified() { 0 } else { address::class_of(dst) };
        let prefix = match (slash.or(self.prefix), self.host) {
            (Some(len @ 0..32), Some(true)) => {
                return Err(Failure::misuse(format!("{to}: a host's mask is not /{len}")));
            }
            (Some(len), _) => len,
            (None, Some(true)) => 32,
            (None, Some(false)) => class,
            (None, None) if address::has_host_bits(dst, class) => 32,
            (None, None) => class,
        };
        if address::has_host_bits(dst, prefix) {
            let net = Ipv4Addr::from_bits(dst.to_bits() & address::mask_of(prefix).to_bits());
            let message = format!("{dst} has bits behind its mask; did you mean {net}/{prefix}?");
            return Err(Failure::misuse(message));
        }
        Ok((dst, prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> Result<Command, String> {
        let words: Vec<_> = line.split_whitespace().map(String::from).collect();
        parse(&words).map_err(|e| e.to_string())
    }

    fn route(dst: [u8; 4], prefix: u8, gateway: [u8; 4]) -> Route {
        let host = if prefix == 32 { flags::HOST } else { 0 };
        Route { gateway: gateway.into(), flags: host, ..Route::to(dst.into(), prefix) }
    }

    #[test]
    fn the_book_s_words() {
        let wanted = Ok(Command::Add(route([1, 2, 1, 0], 24, [1, 2, 3, 2])));
        for line in [
            "add -net 1.2.1.0 -netmask 0xffffff00 1.2.3.2",
            "add -net 1.2.1.0 1.2.3.2 -netmask 255.255.255.0",
            "add -net 1.2.1.0 1.2.3.2 255.255.255.0",
            "add 1.2.1.0/24 1.2.3.2",
            "add -inet 1.2.1/24 1.2.3.2 -static",
            "add -net 1.2.1.0 -prefixlen 24 1.2.3.2",
        ] {
            assert_eq!(read(line), wanted, "{line}");
        }
    }

    #[test]
    fn hosts_nets_and_the_default() {
        let add = |line, dst, prefix| {
            assert_eq!(read(line), Ok(Command::Add(route(dst, prefix, [1, 2, 3, 2]))), "{line}");
        };
        add("add default 1.2.3.2", [0; 4], 0);
        add("add 0.0.0.0 1.2.3.2", [0; 4], 0);
        add("add -net 0.0.0.0/0 1.2.3.2", [0; 4], 0);
        add("add 10.0.0.0 1.2.3.2", [10, 0, 0, 0], 8);
        add("add -net 192.168.1.0 1.2.3.2", [192, 168, 1, 0], 24);
        add("add 10.0.0.1 1.2.3.2", [10, 0, 0, 1], 32);
        add("add -host 10.0.0.0 1.2.3.2", [10, 0, 0, 0], 32);
        assert_eq!(
            read("delete -net 1.2.1.0 -netmask 24"),
            Ok(Command::Delete(route([1, 2, 1, 0], 24, [127, 0, 0, 1])))
        );
        assert_eq!(read("get 10.0.0.1"), Ok(Command::Get([10, 0, 0, 1].into())));
        assert_eq!(read("show -inet"), Ok(Command::Show));
        assert_eq!(read("flush"), Ok(Command::Flush));
        let Ok(Command::Add(rejects)) = read("add -reject 10/8") else { panic!() };
        assert_eq!((rejects.flags, rejects.prefix), (flags::REJECT, 8));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, says) in [
            ("", "what is to be done"),
            ("ad 10/8 1.2.3.2", "did you mean add?"),
            ("add", "add needs a DESTINATION"),
            ("add 10/8", "add 10/8 needs a GATEWAY"),
            ("add 10/8 1.2.3.2 255.0.0.0", "has its mask"),
            ("add 10/8 1.2.3.2 24 7", "too many"),
            ("add 10/8 -netmask 8 1.2.3.2", "has its mask"),
            ("add -net 1.2.1.0 -netmask", "-netmask needs MASK"),
            ("add -nte 10/8 1.2.3.2", "did you mean -net?"),
            ("add 1.2.1.7/24 1.2.3.2", "did you mean 1.2.1.0/24?"),
            ("add -host 10/8 1.2.3.2", "not /8"),
            ("add nowhere 1.2.3.2", "no IPv4 address"),
            ("get", "get needs one ADDRESS"),
            ("show 10/8", "too many"),
        ] {
            let e = read(line).unwrap_err();
            assert!(e.contains(says), "{line}: {e}");
        }
    }

    proptest! {
        #[test]
        fn any_words_are_read_or_refused(
            words in proptest::collection::vec(
                prop_oneof![
                    proptest::sample::select(ALL).prop_map(|word| word.text.to_owned()),
                    "[0-9./]{0,12}", ".{0,8}"
                ],
                0..8,
            )
        ) {
            let _ = parse(&words);
        }
    }
}
