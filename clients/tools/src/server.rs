//! The server that a tool talks to.
//!
//! * [`connect`]: one round trip.  * [`Control`]: requests through a socket. The first travels with
//!   the greeting, so that a tool which wants one thing waits once; others are a round trip each.
//! * [`table`]: a value of the sysctl tree, whole.
//!
//! Locking: none.

use std::cell::OnceCell;

use remote::{Argument, Client, First, Retry, number};

use crate::arguments::Arguments;
use crate::failure::{Advice, Failure, plain, told};

/// Room for a table: more than those of most kernels need. What nobody writes to costs nothing.
const ROOM: usize = 256 * 1024;

/// Connects to the server that the environment names.
pub(crate) fn connect(arguments: &Arguments) -> Result<Client, Failure> {
    let client = builder(arguments).from_env();
    client.map_err(|e| Failure::Failed(plain(&e)))
}

fn builder(arguments: &Arguments) -> remote::Builder {
    let name = arguments.program.replace(' ', ".");
    Client::builder().name(name).retry(Retry::Never)
}

/// A socket for requests. It is there from the first request on, and is never closed: it ends with
/// the process, without a round trip.
pub(crate) struct Control<'a> {
    arguments: &'a Arguments,
    socket: OnceCell<Socket>,
}

struct Socket {
    client: Client,
    fd: u64,
}

/// What a socket for requests is asked for with: AF_INET, SOCK_DGRAM.
const SOCKET: [u64; 3] = [2, 2, 0];

/// The first descriptor of a process.
const FIRST: u64 = 0;

impl<'a> Control<'a> {
    pub(crate) fn new(arguments: &'a Arguments) -> Control<'a> {
        Control { arguments, socket: OnceCell::new() }
    }

    /// Connects, opens the socket and makes the first request, all in one round trip.
    fn first(&self, request: u32, memory: &mut [u8]) -> Result<std::io::Result<u64>, Failure> {
        let mut open = SOCKET.map(Argument::Value);
        let words = [FIRST, request.into()].map(Argument::Value);
        let [fd, asks] = words;
        let mut ask = [fd, asks, Argument::InOut(memory)];
        let mut calls =
            [First::new(number::SOCKET, &mut open), First::new(number::IOCTL, &mut ask)];
        let client = builder(self.arguments).from_env_and_call(&mut calls);
        let client = client.map_err(|e| Failure::Failed(plain(&e)))?;
        let [mut opened, mut asked] = calls;
        let (opened, asked) = (opened.result(), asked.result());
        let fd = match opened {
            Some(opened) => opened,
            None => client.call(number::SOCKET, &mut SOCKET.map(Argument::Value)),
        };
        let fd = fd.map_err(|e| told("a socket", &e, &[]))?;
        let socket = self.socket.get_or_init(|| Socket { client, fd });
        Ok(match asked {
            Some(asked) if fd == FIRST => asked,
            _ => socket.request(request, memory),
        })
    }

    /// Makes a request about `what`.
    pub(crate) fn request(
        &self,
        number: u32,
        memory: &mut [u8],
        what: &str,
        advice: Advice,
    ) -> Result<(), Failure> {
        let done = match self.socket.get() {
            Some(socket) => socket.request(number, memory),
            None => self.first(number, memory)?,
        };
        done.map(drop).map_err(|e| told(what, &e, advice))
    }

    /// The connection, from the first request on.
    pub(crate) fn client(&self) -> Option<&Client> {
        self.socket.get().map(|socket| &socket.client)
    }

    /// Makes a request that answers how many there were.
    pub(crate) fn count(&self, number: u32, what: &str) -> Result<u32, Failure> {
        let mut count = [0; 4];
        self.request(number, &mut count, what, &[])?;
        Ok(u32::from_ne_bytes(count))
    }
}

impl Socket {
    fn request(&self, request: u32, memory: &mut [u8]) -> std::io::Result<u64> {
        let [fd, request] = [self.fd, request.into()].map(Argument::Value);
        self.client.call(number::IOCTL, &mut [fd, request, Argument::InOut(memory)])
    }
}

/// A value of the kernel, or why there is none.
pub(crate) fn value(client: &Client, name: &str) -> std::io::Result<String> {
    let mut text = vec![0; ROOM];
    let len = client.sysctl_raw(name, &mut text, None)?;
    if len > ROOM {
        return client.sysctl(name);
    }
    text.truncate(len);
    Ok(String::from_utf8(text).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into()))
}

/// A table of the kernel.
pub(crate) fn table(client: &Client, name: &str) -> Result<String, Failure> {
    const ADVICE: Advice = &[(
        crate::failure::errno::NOENT,
        "this kernel does not have it; `rump.sysctl kern.components` shows what is in it",
    )];
    value(client, name).map_err(|e| told(name, &e, ADVICE))
}
