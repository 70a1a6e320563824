//! halt: the end of a server and its kernel.
//!
//! Locking: none. Sources: NetBSD halt(8); reboot(2).

use std::io::{self, Write};

use remote::{Argument, Client};

use crate::arguments::Arguments;
use crate::definition::{Example, Opt, Tool};
use crate::failure::{Advice, Failure, errno, told};
use crate::server;

const DUMP: Opt = Opt::flag('d', "accepted, as of the original: there is no dump to be made");
const NO_SYNC: Opt = Opt::flag('n', "accepted, as of the original: there is nothing to be written");

pub(crate) const TOOL: Tool = Tool {
    name: "halt",
    about: "end a server and its kernel",
    usage: &["[-dn]"],
    options: &[&DUMP, &NO_SYNC],
    words: &[],
    permutes: true,
    notes: "Returns when the server has let its clients go. Only the kernel's root may.",
    examples: &[Example { does: "ends the server in RUMP_SERVER", arguments: "" }],
    failure: 1,
    run,
};

const REBOOT: u32 = 169;
const MAGIC: [u64; 2] = [0xfee1_dead, 0x2812_1969];
const RB_HALT_SYSTEM: u64 = 0xcdef_0123;

const ADVICE: Advice =
    &[(errno::OPNOTSUPP, "nobody serves this kernel who could end it; end its process instead")];

fn run(arguments: &Arguments, _: &mut dyn Write) -> Result<u8, Failure> {
    arguments.no_words()?;
    let client = server::connect(arguments)?;
    match reboot(&client) {
        // It may be gone before it could answer.
        Ok(()) => {}
        Err(e) if e.raw_os_error() == Some(errno::NOTCONN) => return Ok(0),
        Err(e) => return Err(told("halt", &e, ADVICE)),
    }
    // Until it lets go, it answers.
    while client.getpid().is_ok() {}
    Ok(0)
}

fn reboot(client: &Client) -> io::Result<()> {
    let [one, two] = MAGIC.map(Argument::Value);
    client.call(REBOOT, &mut [one, two, Argument::Value(RB_HALT_SYSTEM)]).map(drop)
}
