//! The server that a tool talks to.
//!
//! * [`connect`]: one round trip.  * [`Control`]: a socket for requests: one more, and one for each.
//! * [`table`]: a value of the sysctl tree, whole.
//!
//! Locking: none.

use std::mem::ManuallyDrop;

use remote::{Client, Retry, UdpSocket};

use crate::arguments::Arguments;
use crate::failure::{Advice, Failure, plain, told};

/// Room for a table: more than those of most kernels need. What nobody writes to costs nothing.
const ROOM: usize = 256 * 1024;

/// Connects to the server that the environment names.
pub(crate) fn connect(arguments: &Arguments) -> Result<Client, Failure> {
    let name = arguments.program.replace(' ', ".");
    let client = Client::builder().name(name).retry(Retry::Never).from_env();
    client.map_err(|e| Failure::Failed(plain(&e)))
}

/// A socket for requests.
pub(crate) struct Control {
    /// Not closed: it ends with the process, without a round trip.
    socket: ManuallyDrop<UdpSocket>,
}

impl Control {
    pub(crate) fn open(client: &Client) -> Result<Control, Failure> {
        let socket = UdpSocket::unbound(client).map_err(|e| told("a socket", &e, &[]))?;
        Ok(Control { socket: ManuallyDrop::new(socket) })
    }

    /// Makes a request about `what`.
    pub(crate) fn request(
        &self,
        number: u32,
        memory: &mut [u8],
        what: &str,
        advice: Advice,
    ) -> Result<(), Failure> {
        let done = self.socket.descriptor().ioctl(number, memory);
        done.map(drop).map_err(|e| told(what, &e, advice))
    }

    /// Makes a request that answers how many there were.
    pub(crate) fn count(&self, number: u32, what: &str) -> Result<u32, Failure> {
        let mut count = [0; 4];
        self.request(number, &mut count, what, &[])?;
        Ok(u32::from_ne_bytes(count))
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
