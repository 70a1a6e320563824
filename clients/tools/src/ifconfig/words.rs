//! What the words behind an interface's name mean.
//!
//! Locking: none. Sources: NetBSD ifconfig(8).

use std::net::Ipv4Addr;

use character::{Character, Key};

use crate::address;
use crate::definition::Word;
use crate::failure::{Failure, nearest};

const CREATE: Word = Word::new("create", "make the interface");
const DESTROY: Word = Word::new("destroy", "destroy it, with its addresses and routes");
const LINKSTR: Word = Word::with(
    "linkstr",
    "TEXT",
    "connect it to what TEXT names: a bus of shmif, a host's device of virt",
);
const NO_LINKSTR: Word = Word::new("-linkstr", "disconnect it");
const INET: Word = Word::with(
    "inet",
    "ADDRESS[/LENGTH]",
    "give it this address in the place of its first, and bring it up; `inet` may be left away",
);
const NETMASK: Word =
    Word::with("netmask", "MASK", "the address's mask: 0xffffff00, 255.255.255.0 or 24");
const BROADCAST: Word =
    Word::with("broadcast", "ADDRESS", "the address's broadcast address; it follows from the mask");
const ALIAS: Word = Word::new("alias", "add the address to those there, replace none");
const NO_ALIAS: Word = Word::new("-alias", "take the address away; without one, the first");
const DELETE: Word = Word::new("delete", "the same");
const UP: Word = Word::new("up", "bring the interface up");
const DOWN: Word = Word::new("down", "take it down");
const MTU: Word = Word::with("mtu", "BYTES", "set the longest packet");
const NO_LINK: Word =
    Word::new("-link", "make the link a plain wire again; what is in it comes out");

/// The word for a key of a link.
const fn of(key: Key) -> Word {
    Word::with(key.word(), key.value(), key.doc())
}

const DELAY: Word = of(Key::Delay);
const JITTER: Word = of(Key::Jitter);
const DISTRIBUTION: Word = of(Key::Distribution);
const RATE: Word = of(Key::Rate);
const LOSS: Word = of(Key::Loss);
const BURST: Word = of(Key::Burst);
const REORDER: Word = of(Key::Reorder);
const DUPLICATE: Word = of(Key::Duplicate);
const CORRUPT: Word = of(Key::Corrupt);
const LIMIT: Word = of(Key::Limit);
const BUFFER: Word = of(Key::Buffer);
const ADDM: Word = Word::with("addm", "INTERFACE", "of a bridge: make INTERFACE a member");
const DELETEM: Word = Word::with("deletem", "INTERFACE", "take it out again");
const FLUSH: Word = Word::new("flush", "of a bridge: forget who was heard where");
const MAXADDR: Word =
    Word::with("maxaddr", "NUMBER", "of a bridge: how many addresses are learnt (1024)");
const TIMEOUT: Word =
    Word::with("timeout", "SECONDS", "of a bridge: how long they are remembered (1200)");
const VLAN: Word = Word::with("vlan", "NUMBER", "of a vlan: its network, 1 to 4094");
const VLANIF: Word =
    Word::with("vlanif", "INTERFACE", "of a vlan: the interface whose link carries it");
const NO_VLANIF: Word = Word::new("-vlanif", "disconnect it");

/// All words.
pub(super) const ALL: &[&Word] = &[
    &CREATE,
    &DESTROY,
    &LINKSTR,
    &NO_LINKSTR,
    &INET,
    &NETMASK,
    &BROADCAST,
    &ALIAS,
    &NO_ALIAS,
    &DELETE,
    &UP,
    &DOWN,
    &MTU,
    &DELAY,
    &JITTER,
    &DISTRIBUTION,
    &RATE,
    &LOSS,
    &BURST,
    &REORDER,
    &DUPLICATE,
    &CORRUPT,
    &LIMIT,
    &BUFFER,
    &NO_LINK,
    &ADDM,
    &DELETEM,
    &FLUSH,
    &MAXADDR,
    &TIMEOUT,
    &VLAN,
    &VLANIF,
    &NO_VLANIF,
];

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Action {
    Create,
    Destroy,
    /// An empty one disconnects.
    Linkstr(String),
    Address {
        addr: Ipv4Addr,
        prefix: Option<u8>,
        broadcast: Option<Ipv4Addr>,
        /// The first that is there, if any is.
        replaces: bool,
    },
    /// None: the first that is there.
    Delete(Option<Ipv4Addr>),
    Up(bool),
    Mtu(u32),
    Link(Link),
    /// Into a bridge, or out of it.
    Member(String, bool),
    Flush,
    MaxAddresses(u32),
    Timeout(u32),
    /// The network, and the interface below; none: disconnected.
    Vlan(Option<(u16, String)>),
}

/// What is to be done with the link.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Link {
    /// First, it is a plain wire again.
    pub(super) forget: bool,
    pub(super) character: Character,
}

/// What is to be done with an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    Replace,
    Alias,
    Delete,
}

/// An address, as far as it was read.
struct Address {
    addr: Ipv4Addr,
    prefix: Option<u8>,
    broadcast: Option<Ipv4Addr>,
    how: How,
}

/// Reads words.
pub(super) fn parse(words: &[String]) -> Result<Vec<Action>, Failure> {
    let mut reading = Reading {
        actions: Vec::new(),
        address: None,
        how: None,
        link: None,
        vlan: None,
        below: None,
    };
    let mut rest = words.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        let known = ALL.iter().copied().find(|known| known.text == word);
        let value = match known.and_then(|known| known.value) {
            Some(value) => rest.next().ok_or_else(|| Failure::missing(word, value))?,
            None => word,
        };
        reading.word(known, value, &mut rest)?;
    }
    reading.end()?;
    if reading.vlan.is_some() || reading.below.is_some() {
        return Err(Failure::misuse("vlan and vlanif belong together: vlan 7 vlanif shmif0"));
    }
    Ok(reading.actions)
}

/// What was read until now.
struct Reading {
    actions: Vec<Action>,
    /// The address that the words that follow may be about.
    address: Option<Address>,
    /// What is to be done with the address that follows: `alias ADDRESS`.
    how: Option<How>,
    /// What the words before said about the link: words that follow each other are one request.
    link: Option<Link>,
    /// A network whose interface is not known yet, and the other way round.
    vlan: Option<u16>,
    below: Option<String>,
}

impl Reading {
    fn word<'a>(
        &mut self,
        known: Option<&Word>,
        value: &str,
        rest: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(), Failure> {
        if known == Some(&NO_LINK) {
            self.end()?;
            self.link = Some(Link { forget: true, ..Link::default() });
            return Ok(());
        }
        if let Some(key) = known.and_then(|known| Key::of(known.text)) {
            self.end_address()?;
            let value = key.read(value);
            let value = value.map_err(|e| Failure::misuse(format!("{}: {e}", key.word())))?;
            self.link.get_or_insert_default().character.set(key, value);
            return Ok(());
        }
        self.end_link();
        let action = match known {
            Some(&NETMASK) => {
                let len = address::mask(value)?;
                let address = self.address.as_mut().filter(|a| a.prefix.is_none());
                address.ok_or_else(|| belongs(NETMASK.text))?.prefix = Some(len);
                return Ok(());
            }
            Some(&BROADCAST) => {
                let addr = address::address(value)?;
                let address = self.address.as_mut().filter(|a| a.broadcast.is_none());
                address.ok_or_else(|| belongs(BROADCAST.text))?.broadcast = Some(addr);
                return Ok(());
            }
            Some(&ALIAS) => return self.what(How::Alias),
            Some(&NO_ALIAS | &DELETE) => return self.what(How::Delete),
            Some(&INET) => match how(value) {
                // `inet alias ADDRESS`.
                Some(how) => {
                    self.what(how)?;
                    let addr = rest.next().ok_or_else(|| Failure::missing(value, "ADDRESS"))?;
                    return self.begin_address(addr);
                }
                None => return self.begin_address(value),
            },
            None if value.starts_with(|c: char| c.is_ascii_digit()) => {
                return self.begin_address(value);
            }
            Some(&CREATE) => Action::Create,
            Some(&DESTROY) => Action::Destroy,
            Some(&LINKSTR) => Action::Linkstr(value.into()),
            Some(&NO_LINKSTR) => Action::Linkstr(String::new()),
            Some(&UP) => Action::Up(true),
            Some(&DOWN) => Action::Up(false),
            Some(&MTU) => Action::Mtu(number(&MTU, value, "bytes")?),
            Some(&ADDM) => Action::Member(value.into(), true),
            Some(&DELETEM) => Action::Member(value.into(), false),
            Some(&FLUSH) => Action::Flush,
            Some(&MAXADDR) => Action::MaxAddresses(number(&MAXADDR, value, "addresses")?),
            Some(&TIMEOUT) => Action::Timeout(number(&TIMEOUT, value, "seconds")?),
            Some(&NO_VLANIF) => Action::Vlan(None),
            Some(&VLAN) => {
                let number = value.parse().ok().filter(|n| (1..=4094).contains(n));
                let wrong = || Failure::misuse(format!("vlan: \"{value}\" is not 1 to 4094"));
                self.vlan = Some(number.ok_or_else(wrong)?);
                return self.end_vlan();
            }
            Some(&VLANIF) => {
                self.below = Some(value.into());
                return self.end_vlan();
            }
            _ => {
                let near = nearest(value, ALL.iter().map(|known| known.text), "");
                return Err(Failure::misuse(format!("\"{value}\" means nothing here{near}")));
            }
        };
        self.end_address()?;
        self.actions.push(action);
        Ok(())
    }

    /// Both `vlan` and `vlanif` were there, in any order.
    fn end_vlan(&mut self) -> Result<(), Failure> {
        self.end_address()?;
        if let (Some(number), Some(below)) = (self.vlan, &self.below) {
            self.actions.push(Action::Vlan(Some((number, below.clone()))));
            (self.vlan, self.below) = (None, None);
        }
        Ok(())
    }

    /// `alias`, `-alias`: about the address before them, else about that behind them.
    fn what(&mut self, how: How) -> Result<(), Failure> {
        match &mut self.address {
            Some(address) if address.how == How::Replace => address.how = how,
            _ => {
                self.end_address()?;
                self.how = Some(how);
            }
        }
        Ok(())
    }

    fn begin_address(&mut self, text: &str) -> Result<(), Failure> {
        if self.address.is_some() {
            self.end_address()?;
        }
        let (addr, prefix) = address::with_prefix(text)?;
        let how = self.how.take().unwrap_or(How::Replace);
        self.address = Some(Address { addr, prefix, broadcast: None, how });
        Ok(())
    }

    /// Nothing that follows is about what was before.
    fn end(&mut self) -> Result<(), Failure> {
        self.end_link();
        self.end_address()
    }

    fn end_link(&mut self) {
        self.actions.extend(self.link.take().map(Action::Link));
    }

    /// Nothing that follows is about the address any more.
    fn end_address(&mut self) -> Result<(), Failure> {
        if let Some(Address { addr, prefix, broadcast, how }) = self.address.take() {
            self.actions.push(match how {
                How::Delete => Action::Delete(Some(addr)),
                _ => Action::Address { addr, prefix, broadcast, replaces: how == How::Replace },
            });
        }
        match self.how.take() {
            None => Ok(()),
            Some(How::Delete) => {
                self.actions.push(Action::Delete(None));
                Ok(())
            }
            Some(_) => Err(belongs(ALIAS.text)),
        }
    }
}

fn how(word: &str) -> Option<How> {
    match word {
        "alias" => Some(How::Alias),
        "-alias" | "delete" => Some(How::Delete),
        _ => None,
    }
}

fn number(word: &Word, value: &str, of: &str) -> Result<u32, Failure> {
    let wrong = |_| Failure::misuse(format!("{}: \"{value}\" is not a number of {of}", word.text));
    value.parse().map_err(wrong)
}

fn belongs(word: &str) -> Failure {
    Failure::misuse(format!("{word} belongs behind an address, once: inet 10.0.0.1 {word} ..."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> Result<Vec<Action>, String> {
        let words: Vec<_> = line.split_whitespace().map(String::from).collect();
        parse(&words).map_err(|e| e.to_string())
    }

    fn inet(addr: [u8; 4], prefix: u8, replaces: bool) -> Action {
        Action::Address { addr: addr.into(), prefix: Some(prefix), broadcast: None, replaces }
    }

    #[test]
    fn the_book_s_words() {
        assert_eq!(read("create"), Ok(vec![Action::Create]));
        assert_eq!(read("linkstr shm/shmif1"), Ok(vec![Action::Linkstr("shm/shmif1".into())]));
        assert_eq!(read("inet 1.2.3.1 netmask 0xffffff00"), Ok(vec![inet([1, 2, 3, 1], 24, true)]));
    }

    #[test]
    fn addresses_come_and_go() {
        let alias = inet([1, 2, 3, 4], 8, false);
        let delete = Action::Delete(Some([1, 2, 3, 4].into()));
        assert_eq!(read("1.2.3.4/8"), Ok(vec![inet([1, 2, 3, 4], 8, true)]));
        for line in [
            "1.2.3.4/8 alias",
            "inet 1.2.3.4/8 alias",
            "alias 1.2.3.4/8",
            "inet alias 1.2.3.4/8",
            "alias inet 1.2.3.4/8",
            "inet 1.2.3.4 netmask 8 alias",
            "inet 1.2.3.4 alias netmask 8",
        ] {
            assert_eq!(read(line).as_deref(), Ok([alias.clone()].as_slice()), "{line}");
        }
        for line in ["inet 1.2.3.4/8 -alias", "delete 1.2.3.4/8", "1.2.3.4/8 delete"] {
            assert_eq!(read(line).as_deref(), Ok([delete.clone()].as_slice()), "{line}");
        }
        assert_eq!(read("delete"), Ok(vec![Action::Delete(None)]));
        assert_eq!(
            read("1.2.3.4/8 alias delete 5.6.7.8 alias 9.9.9.9/8"),
            Ok(vec![
                alias,
                Action::Delete(Some([5, 6, 7, 8].into())),
                inet([9, 9, 9, 9], 8, false)
            ]),
            "words are about the address before them while that has none"
        );
        assert_eq!(
            read("create linkstr b 1.2.3.4/8 mtu 9000 up down -linkstr destroy"),
            Ok(vec![
                Action::Create,
                Action::Linkstr("b".into()),
                inet([1, 2, 3, 4], 8, true),
                Action::Mtu(9000),
                Action::Up(true),
                Action::Up(false),
                Action::Linkstr(String::new()),
                Action::Destroy,
            ])
        );
    }

    #[test]
    fn words_about_the_link_are_one_request() {
        let link = |forget, values: &[(Key, u64)]| {
            let mut character = Character::default();
            values.iter().for_each(|(key, value)| character.set(*key, *value));
            Action::Link(Link { forget, character })
        };
        assert_eq!(
            read("delay 20ms jitter 2ms rate 100mbit loss 1% limit 50 up"),
            Ok(vec![
                link(
                    false,
                    &[
                        (Key::Delay, 20_000_000),
                        (Key::Jitter, 2_000_000),
                        (Key::Rate, 100_000_000),
                        (Key::Loss, 10_000_000),
                        (Key::Limit, 50),
                    ]
                ),
                Action::Up(true),
            ])
        );
        assert_eq!(read("-link"), Ok(vec![link(true, &[])]));
        assert_eq!(
            read("1.2.3.4/8 delay 1ms -link loss 0 alias 5.6.7.8/8"),
            Ok(vec![
                inet([1, 2, 3, 4], 8, true),
                link(false, &[(Key::Delay, 1_000_000)]),
                link(true, &[(Key::Loss, 0)]),
                inet([5, 6, 7, 8], 8, false),
            ])
        );
    }

    #[test]
    fn bridges_and_virtual_networks() {
        assert_eq!(
            read("create addm shmif0 deletem virt0 flush maxaddr 10 timeout 20 up"),
            Ok(vec![
                Action::Create,
                Action::Member("shmif0".into(), true),
                Action::Member("virt0".into(), false),
                Action::Flush,
                Action::MaxAddresses(10),
                Action::Timeout(20),
                Action::Up(true),
            ])
        );
        let seven = vec![Action::Vlan(Some((7, "shmif0".into())))];
        assert_eq!(read("vlan 7 vlanif shmif0").as_ref(), Ok(&seven));
        assert_eq!(read("vlanif shmif0 vlan 7").as_ref(), Ok(&seven));
        assert_eq!(read("-vlanif"), Ok(vec![Action::Vlan(None)]));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, says) in [
            ("crate", "did you mean create?"),
            ("linkstr", "linkstr needs TEXT"),
            ("inet", "inet needs ADDRESS"),
            ("inet alias", "alias needs ADDRESS"),
            ("inet 1.2.3", "no IPv4 address"),
            ("inet 1.2.3.4/33", "0 to 32"),
            ("netmask 24", "netmask belongs behind an address"),
            ("1.2.3.4/8 netmask 24", "once"),
            ("1.2.3.4 netmask 0xff00ff00", "no mask"),
            ("alias", "alias belongs behind"),
            ("mtu big", "not a number"),
            ("addm", "addm needs INTERFACE"),
            ("timeout x", "not a number of seconds"),
            ("vlan 4095 vlanif shmif0", "not 1 to 4094"),
            ("vlan 7", "belong together"),
            ("vlanif shmif0 up", "belong together"),
            ("frobnicate", "means nothing"),
            ("dealy 20ms", "did you mean delay?"),
            ("delay", "delay needs TIME"),
            ("delay 20", "delay: \"20\" is not a time such as 20ms"),
            ("loss 1", "loss: \"1\" is not a share such as 1%"),
            ("rate fast", "rate: \"fast\" is not a rate such as 100mbit"),
            ("distribution odd", "is not uniform or normal"),
            ("limit 1000001", "more than 1000000"),
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
