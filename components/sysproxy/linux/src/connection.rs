//! One client: its socket, and its session in the kernel.
//!
//! Locking: none; the serving thread's. Sources: PROTOCOL.md of `wire`.

use std::fmt;

use sysproxy::{Ended, Session, Trust};
use transport::Peer;

use crate::pipe::{Closed, Pipe, Scratch};
use crate::poll::{Interest, Told};

/// A client.
pub(crate) struct Connection {
    pipe: Pipe,
    session: Session,
    pub(crate) peer: Peer,
    pub(crate) trust: Trust,
    /// What its socket is watched for.
    pub(crate) watched: Interest,
}

/// Why a connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Over {
    /// The client went.
    HungUp,
    /// It could not show the key.
    Sealing,
    /// It did not say Hello in time.
    Late,
    /// Others came, and it had not said Hello.
    Crowded,
    Ended(Ended),
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Over::HungUp => f.write_str("the client hung up"),
            Over::Sealing => f.write_str("the client does not have the key"),
            Over::Late => f.write_str("the client did not say hello in time"),
            Over::Crowded => f.write_str("the client said nothing, and others came"),
            Over::Ended(ended) => ended.fmt(f),
        }
    }
}

impl From<Ended> for Over {
    fn from(ended: Ended) -> Self {
        Over::Ended(ended)
    }
}

impl From<Closed> for Over {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::HungUp => Over::HungUp,
            Closed::Sealing => Over::Sealing,
        }
    }
}

impl Connection {
    pub(crate) fn new(pipe: Pipe, session: Session, peer: Peer, trust: Trust) -> Connection {
        Connection { pipe, session, peer, trust, watched: Interest::INPUT }
    }

    pub(crate) fn pipe(&self) -> &Pipe {
        &self.pipe
    }

    /// Whether the client has said nothing that makes it a process of the kernel.
    pub(crate) fn is_new(&self) -> bool {
        !self.pipe.is_established() || self.session.is_new()
    }

    /// Does what can be done for the client.
    pub(crate) fn serve(&mut self, told: Told, scratch: &mut Scratch) -> Result<(), Over> {
        if told.output && self.pipe.flush() && !self.session.is_new() {
            self.session.flush(&mut self.pipe)?;
        }
        let room = if told.input { self.session.room()? } else { 0 };
        if room > 0 {
            let bytes = self.pipe.receive(scratch, room)?;
            if !bytes.is_empty() {
                self.session.input(bytes, &mut self.pipe)?;
            }
        } else if told.hung_up {
            return Err(Over::HungUp);
        }
        self.check()
    }

    /// Makes calls again that waited.
    pub(crate) fn resume(&mut self) -> Result<(), Over> {
        self.session.resume(&mut self.pipe)?;
        self.check()
    }

    fn check(&self) -> Result<(), Over> {
        if self.pipe.is_broken() { Err(Over::HungUp) } else { Ok(()) }
    }

    /// What the socket is to be watched for now.
    pub(crate) fn interest(&mut self) -> Interest {
        Interest {
            input: self.session.wants_input() && !self.pipe.is_leaving(),
            output: self.pipe.is_leaving() || self.session.has_output(),
        }
    }
}
