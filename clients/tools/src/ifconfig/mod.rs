//! ifconfig: interfaces, as they are and as they should be.
//!
//! * `words`: what the words of the command line mean.  * `show`: how interfaces look.
//!
//! Locking: none. Sources: NetBSD ifconfig(8).

mod show;
mod words;

use std::io::Write;

use crate::address;
use crate::arguments::Arguments;
use crate::definition::{Example, JSON, Opt, Tool};
use crate::failure::{Advice, Failure, errno, nearest};
use crate::requests::{self, Name};
use crate::server::{self, Control};
use crate::table::Table;

use words::Action;

const ALL: Opt = Opt::flag('a', "show all interfaces; so does no argument at all");
const LIST: Opt = Opt::flag('l', "list the names of all interfaces");
const VERBOSE: Opt = Opt::flag('v', "show what was received and sent, too");

pub(crate) const TOOL: Tool = Tool {
    name: "ifconfig",
    about: "show and configure the interfaces of a kernel",
    usage: &["[-av] [--json]", "-l", "[-v] INTERFACE", "INTERFACE WORD..."],
    options: &[&ALL, &LIST, &VERBOSE, &JSON],
    words: words::ALL,
    permutes: false,
    notes: "Words are done one after the other, each in one system call of the kernel; the first \
            that fails ends the command. An address without a mask gets that of its class. A \
            linkstr of shmif is a path relative to the server's working directory if it has a slash \
            in it, else the name of a bus inside the server. Created as virtN, an interface is \
            connected to the host's tap device tapN; a linkstr names another device. Where tapN is not \
            to be had, `sysctl net.virt.connect=0` has new ones wait for theirs. The character of a \
            link (delay and the words behind it) is about what the interface sends; words that are left away stay as they were, \
            and 0 takes one away. Packets keep their order whatever the jitter, unless reorder picks \
            them.",
    examples: &[
        Example { does: "shows all interfaces", arguments: "" },
        Example { does: "makes an interface", arguments: "shmif0 create" },
        Example { does: "connects it to a bus", arguments: "shmif0 linkstr shm/bus0" },
        Example {
            does: "gives it an address, and brings it up",
            arguments: "shmif0 inet 10.0.0.1 netmask 0xffffff00",
        },
        Example { does: "adds another one", arguments: "shmif0 inet 10.1.0.1/16 alias" },
        Example { does: "takes that away", arguments: "shmif0 inet 10.1.0.1 -alias" },
        Example { does: "joins two links", arguments: "bridge0 create addm shmif0 addm virt0 up" },
        Example {
            does: "a network of its own on a link",
            arguments: "vlan0 create vlan 7 vlanif shmif0 10.7.0.1/24",
        },
        Example {
            does: "makes it a bad line, for what it sends",
            arguments: "shmif0 delay 20ms jitter 2ms rate 100mbit loss 1%",
        },
        Example {
            does: "makes it a worse one",
            arguments: "shmif0 reorder 25% duplicate 0.1% corrupt 0.1% limit 1000",
        },
        Example { does: "makes it a plain wire again", arguments: "shmif0 -link" },
        Example {
            does: "all of it at once",
            arguments: "shmif1 create linkstr shm/bus1 10.2.0.1/24",
        },
    ],
    failure: 1,
    run,
};

const NO_SUCH: (i32, &str) = (
    errno::NODEV,
    "no such interface; `ifconfig INTERFACE create` makes it, `ifconfig -l` lists those there",
);
const ADVICE: Advice = &[
    NO_SUCH,
    (errno::BUSY, "is in use, as lo0 always is"),
    (errno::ADDRNOTAVAIL, "the interface has no such address"),
];
const CREATE: Advice = &[
    (errno::INVAL, "no kind of interface is called so; a kernel with shmif has shmif0 and so on"),
    (errno::EXIST, "exists already; `destroy` destroys it"),
    (errno::OPNOTSUPP, "the server's host has no such devices"),
    (errno::BUSY, "another interface or program has the host's device open"),
    (
        errno::PERM,
        "not permitted by the kernel, of which only root may; or by its host, which needs the \
         device made first: ip tuntap add dev tapN mode tap user USER. `sysctl kern.msgbuf` says \
         which",
    ),
];
const LINKSTR: Advice = &[
    NO_SUCH,
    (errno::OPNOTSUPP, "this kind of interface has no linkstr, or the server has no such bus"),
    (errno::NOENT, "there is no such directory; paths are relative to the server's"),
    (
        errno::PERM,
        "not permitted by the kernel, of which only root may; or by its host, which needs the \
         device made first: ip tuntap add dev NAME mode tap user USER. `sysctl kern.msgbuf` says \
         which",
    ),
    (errno::ACCES, "the server may not use that file"),
    (errno::INVAL, "this is no bus, but a file, a directory or a name of another kind"),
    (errno::NOSPC, "the disk has no room for it"),
    (
        errno::BUSY,
        "the interface is on a bus already, and `-linkstr` takes it off; or the bus is full",
    ),
];
const ADDRESS: Advice = &[
    NO_SUCH,
    (errno::EXIST, "another interface has this address"),
    (errno::INVAL, "no host can have this address, or the mask or broadcast address do not fit"),
];
const LINK: Advice = &[
    NO_SUCH,
    (
        errno::INVAL,
        "there is no such link: reorder needs a delay, and short bursts cannot make up much loss",
    ),
];
const MTU: Advice = &[
    NO_SUCH,
    (errno::INVAL, "the interface cannot have this MTU"),
    (errno::BUSY, "all members of a bridge have one MTU; take this one out first"),
];
const NO_BRIDGE: (i32, &str) = (errno::NOTTY, "is no bridge");
const BRIDGE: Advice = &[NO_SUCH, NO_BRIDGE, (errno::INVAL, "a bridge cannot have that value")];
const MEMBER: Advice = &[
    NO_SUCH,
    NO_BRIDGE,
    (errno::BUSY, "is a member of a bridge already"),
    (errno::ADDRNOTAVAIL, "is no member of it"),
    (
        errno::INVAL,
        "cannot be a member: it has another MTU than the others, or is no Ethernet, or a bridge, \
         or a vlan over one",
    ),
];
const VLAN: Advice = &[
    NO_SUCH,
    (errno::NOTTY, "is no vlan"),
    (errno::EXIST, "another interface has that network of that link"),
    (errno::BUSY, "is connected already, and `-vlanif` disconnects it; or is a bridge's member"),
    (errno::INVAL, "that interface carries no virtual networks"),
];

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    match arguments.words.as_slice() {
        [] => show(arguments, None, out),
        [interface] => {
            requests::name(interface)?;
            show(arguments, Some(interface), out)
        }
        [interface, words @ ..] => {
            let name = requests::name(interface)?;
            if arguments.has(&ALL) || arguments.has(&LIST) {
                return Err(Failure::misuse("-a and -l are about all interfaces"));
            }
            configure(arguments, interface, &name, &words::parse(words)?)
        }
    }
    .map(|()| 0)
}

fn show(arguments: &Arguments, only: Option<&String>, out: &mut dyn Write) -> Result<(), Failure> {
    let client = server::connect(arguments)?;
    let text = server::table(&client, "net.interfaces")?;
    let table = Table::parse("net.interfaces", &text);
    let names = || table.rows().map(|row| row.get("name"));
    if let Some(only) = only
        && !names().any(|name| name == only)
    {
        let near = nearest(only, names(), "");
        let message = format!("{only}: no such interface{near}");
        return Err(Failure::failed(message));
    }
    let is_meant = |name| only.is_none_or(|only| only == name);
    if arguments.has(&JSON) {
        table.write_json(|row| is_meant(row.get("name")), out)?;
        return Ok(writeln!(out)?);
    }
    if arguments.has(&LIST) {
        let names: Vec<_> = names().filter(|name| is_meant(name)).collect();
        return Ok(writeln!(out, "{}", names.join(" "))?);
    }
    // Only kernels that have such interfaces have these tables.
    let has = |kind: &str| names().any(|name| is_meant(name) && name.starts_with(kind));
    let more =
        |kind, name| if has(kind) { server::table(&client, name) } else { Ok(String::new()) };
    let members = more("bridge", "net.bridge.members")?;
    let networks = more("vlan", "net.vlans")?;
    let members = Table::parse("net.bridge.members", &members);
    let networks = Table::parse("net.vlans", &networks);
    for row in table.rows().filter(|row| is_meant(row.get("name"))) {
        show::interface(&row, arguments.has(&VERBOSE), out)?;
        show::joined(row.get("name"), &members, &networks, out)?;
    }
    Ok(())
}

fn configure(
    arguments: &Arguments,
    interface: &str,
    name: &Name,
    actions: &[Action],
) -> Result<(), Failure> {
    let control = Control::new(arguments);
    for action in actions {
        action.run(&control, interface, name)?;
    }
    Ok(())
}

impl Action {
    fn run(&self, control: &Control, interface: &str, name: &Name) -> Result<(), Failure> {
        match self {
            Action::Create => {
                control.request(requests::SIOCIFCREATE, &mut name.clone(), interface, CREATE)
            }
            Action::Destroy => {
                control.request(requests::SIOCIFDESTROY, &mut name.clone(), interface, ADVICE)
            }
            Action::Linkstr(text) => {
                let what = format!("{interface}: linkstr \"{text}\"");
                let mut memory = requests::linkstr(name, text)?;
                control.request(requests::SIOCSLINKSTR, &mut memory, &what, LINKSTR)
            }
            Action::Up(up) => {
                let mut memory = requests::ifreq(name, (*up).into());
                control.request(requests::SIOCSIFFLAGS, &mut memory, interface, ADVICE)
            }
            Action::Mtu(mtu) => {
                let what = format!("{interface}: mtu {mtu}");
                let mut memory = requests::ifreq(name, *mtu);
                control.request(requests::SIOCSIFMTU, &mut memory, &what, MTU)
            }
            Action::Link(words::Link { forget, character }) => {
                let what = format!("{interface}: {character}");
                let mut memory = requests::link(name, *forget, character);
                control.request(requests::SIOCSLINK, &mut memory, &what, LINK)
            }
            Action::Member(member, add) => {
                let what = format!("{interface}: {member}");
                let number = if *add { requests::SIOCBRDGADD } else { requests::SIOCBRDGDEL };
                let mut memory = requests::member(name, &requests::name(member)?);
                control.request(number, &mut memory, &what, MEMBER)
            }
            Action::Flush => {
                control.request(requests::SIOCBRDGFLUSH, &mut name.clone(), interface, BRIDGE)
            }
            Action::MaxAddresses(value) => {
                let mut memory = requests::number(name, *value);
                control.request(requests::SIOCBRDGSCACHE, &mut memory, interface, BRIDGE)
            }
            Action::Timeout(value) => {
                let mut memory = requests::number(name, *value);
                control.request(requests::SIOCBRDGSTO, &mut memory, interface, BRIDGE)
            }
            Action::Vlan(network) => {
                let (number, below) = match network {
                    Some((number, below)) => (*number, Some(requests::name(below)?)),
                    None => (0, None),
                };
                let mut memory = requests::vlan(name, below.as_ref(), number);
                control.request(requests::SIOCSETVLAN, &mut memory, interface, VLAN)
            }
            Action::Delete(addr) => {
                let what = addr.map_or(interface.into(), |addr| format!("{interface}: {addr}"));
                let mut memory = requests::address(name, *addr);
                control.request(requests::SIOCDIFADDR, &mut memory, &what, ADVICE)
            }
            Action::Address { addr, prefix, broadcast, replaces } => {
                let what = format!("{interface}: {addr}");
                let mask = prefix.map(address::mask_of);
                let number = if *replaces { requests::SIOCRIFADDR } else { requests::SIOCAIFADDR };
                let mut memory = requests::alias(name, *addr, *broadcast, mask);
                control.request(number, &mut memory, &what, ADDRESS)
            }
        }
    }
}
