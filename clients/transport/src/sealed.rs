//! Authentication and encryption, without a socket: bytes in, bytes out.
//!
//! Noise, pattern NNpsk0: who has the key is trusted, and what was sent stays secret even if the
//! key becomes known later. A record is two bytes of length, little-endian, and that many bytes.
//!
//! * [`Sealed::receive`] takes what came from the socket, in whatever pieces, and appends what it
//!   says; [`Sealed::outgoing`] is to be sent whenever it is not empty (the handshake's part).
//! * [`Sealed::send`] appends records to be sent, once [`Sealed::is_established`].
//! * [`Sealed::split`]: the two directions apart, for two threads.
//!
//! What waits inside is less than one record. The handshake is one record each way, of at most
//! [`MAX_HANDSHAKE`] bytes; its deadline is the caller's affair.
//!
//! Locking: none. Sources: The Noise Protocol Framework, revision 34, sections 7.4, 9 and 13.

use std::sync::Arc;

use snow::{Builder, HandshakeState, StatelessTransportState};

use crate::{Key, SealError};

/// The pattern and its ciphers.
const PROTOCOL: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";

/// Begins the handshake's hash, so that a session of another version is another session.
const PROLOGUE: &[u8] = b"anykernel 1";

/// The longest record of a handshake: a public key, and a tag.
const MAX_HANDSHAKE: usize = 48;

/// Bytes of a tag.
const TAG: usize = 16;

/// The longest record of Noise.
const MAX_RECORD: usize = 65535;

/// The most that one record says.
const MAX_PLAIN: usize = MAX_RECORD - TAG;

/// One end of a sealed stream.
pub struct Sealed {
    state: State,
    records: Records,
    outgoing: Vec<u8>,
}

enum State {
    Handshake(Box<HandshakeState>),
    Established(Sealer, Opener),
    Broken(SealError),
}

impl Sealed {
    /// The end of who connects. It has something to send at once.
    pub fn client(key: &Key) -> Self {
        let mut new = Self::new(key, true);
        new.write_handshake();
        new
    }

    /// The end of who accepts.
    pub fn server(key: &Key) -> Self {
        Self::new(key, false)
    }

    fn new(key: &Key, client: bool) -> Self {
        let build = || -> Result<HandshakeState, snow::Error> {
            let builder = Builder::new(PROTOCOL.parse()?).psk(0, key.bytes())?;
            let builder = builder.prologue(PROLOGUE)?;
            if client { builder.build_initiator() } else { builder.build_responder() }
        };
        // It fails only if the pattern does not exist, or the host has no random numbers.
        let state = build().map_or(State::Broken(SealError::Early), |handshake| {
            State::Handshake(Box::new(handshake))
        });
        Self { state, records: Records::default(), outgoing: Vec::new() }
    }

    /// Whether both sides have proved that they have the key.
    pub fn is_established(&self) -> bool {
        matches!(self.state, State::Established(..))
    }

    /// What the handshake has to send. The caller takes it out as it is sent.
    pub fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.outgoing
    }

    /// Takes what came; appends what it says to `plain`. After an error the stream is dead.
    pub fn receive(&mut self, mut raw: &[u8], plain: &mut Vec<u8>) -> Result<(), SealError> {
        while !raw.is_empty() {
            match &mut self.state {
                State::Broken(e) => return Err(*e),
                State::Established(_, opener) => return opener.receive(raw, plain),
                State::Handshake(_) => {
                    let done = self.records.take(&mut raw, MAX_HANDSHAKE);
                    match done.and_then(|whole| whole.then(|| self.read_handshake()).transpose()) {
                        Ok(_) => {}
                        Err(e) => {
                            self.state = State::Broken(e);
                            return Err(e);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Appends records that say `plain` to `out`.
    pub fn send(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        match &mut self.state {
            State::Established(sealer, _) => sealer.send(plain, out),
            State::Handshake(_) => Err(SealError::Early),
            State::Broken(e) => Err(*e),
        }
    }

    /// The two directions, of a stream that is established.
    pub fn split(self) -> Result<(Sealer, Opener), SealError> {
        match self.state {
            State::Established(sealer, opener) => Ok((sealer, opener)),
            State::Handshake(_) => Err(SealError::Early),
            State::Broken(e) => Err(e),
        }
    }

    fn write_handshake(&mut self) {
        let State::Handshake(handshake) = &mut self.state else { return };
        let mut record = [0; MAX_HANDSHAKE];
        match handshake.write_message(&[], &mut record) {
            Ok(len) => put_record(record.get(..len).unwrap_or_default(), &mut self.outgoing),
            Err(_) => self.state = State::Broken(SealError::Early),
        }
    }

    fn read_handshake(&mut self) -> Result<(), SealError> {
        let State::Handshake(handshake) = &mut self.state else { return Ok(()) };
        let mut said = [0; MAX_HANDSHAKE];
        let record = std::mem::take(&mut self.records.record);
        let len = handshake.read_message(&record, &mut said).map_err(|_| SealError::WrongKey)?;
        if len != 0 {
            return Err(SealError::WrongKey);
        }
        if !handshake.is_handshake_finished() {
            self.write_handshake();
        }
        self.establish()
    }

    fn establish(&mut self) -> Result<(), SealError> {
        let broken = State::Broken(SealError::WrongKey);
        match std::mem::replace(&mut self.state, broken) {
            State::Handshake(handshake) if handshake.is_handshake_finished() => {
                let session = handshake.into_stateless_transport_mode();
                let session = Arc::new(session.map_err(|_| SealError::WrongKey)?);
                let sealer = Sealer { session: session.clone(), nonce: 0 };
                let opener =
                    Opener { session, nonce: 0, records: std::mem::take(&mut self.records) };
                self.state = State::Established(sealer, opener);
            }
            other => self.state = other,
        }
        Ok(())
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed").field("established", &self.is_established()).finish()
    }
}

/// What is sent of a sealed stream.
pub struct Sealer {
    session: Arc<StatelessTransportState>,
    nonce: u64,
}

impl Sealer {
    /// Appends records that say `plain` to `out`.
    pub fn send(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        for piece in plain.chunks(MAX_PLAIN) {
            let len = piece.len() + TAG;
            out.extend_from_slice(&(len as u16).to_le_bytes());
            let start = out.len();
            out.resize(start + len, 0);
            let room = out.get_mut(start..).unwrap_or_default();
            let sealed = self.session.write_message(self.nonce, piece, room);
            sealed.map_err(|_| SealError::Forged)?;
            self.nonce = self.nonce.checked_add(1).ok_or(SealError::Forged)?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

/// What is received of a sealed stream.
pub struct Opener {
    session: Arc<StatelessTransportState>,
    nonce: u64,
    records: Records,
}

impl Opener {
    /// Takes what came; appends what it says to `plain`. After an error the stream is dead.
    pub fn receive(&mut self, mut raw: &[u8], plain: &mut Vec<u8>) -> Result<(), SealError> {
        while !raw.is_empty() {
            if !self.records.take(&mut raw, MAX_RECORD)? {
                continue;
            }
            let record = &self.records.record;
            let start = plain.len();
            plain.resize(start + record.len(), 0);
            let room = plain.get_mut(start..).unwrap_or_default();
            let opened = self.session.read_message(self.nonce, record, room);
            let len = opened.map_err(|_| SealError::Forged);
            plain.truncate(start + *len.as_ref().unwrap_or(&0));
            len?;
            self.nonce = self.nonce.checked_add(1).ok_or(SealError::Forged)?;
            self.records.record.clear();
        }
        Ok(())
    }
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opener")
    }
}

/// Puts records together that come in pieces.
#[derive(Default)]
struct Records {
    /// Of the length, what has come.
    length: Vec<u8>,
    /// Of the record, what has come.
    record: Vec<u8>,
}

impl Records {
    /// Takes the next bytes; true if `record` is whole now.
    fn take(&mut self, raw: &mut &[u8], max: usize) -> Result<bool, SealError> {
        while self.length.len() < 2 {
            let Some((byte, rest)) = raw.split_first() else { return Ok(false) };
            self.length.push(*byte);
            *raw = rest;
        }
        let mut length = [0; 2];
        length.iter_mut().zip(&self.length).for_each(|(to, from)| *to = *from);
        let length = usize::from(u16::from_le_bytes(length));
        if length < TAG || length > max {
            // A handshake that is not one comes from who does not know of keys.
            return Err(if max == MAX_HANDSHAKE { SealError::WrongKey } else { SealError::Forged });
        }
        let missing = length.saturating_sub(self.record.len()).min(raw.len());
        let (now, later) = raw.split_at(missing);
        self.record.extend_from_slice(now);
        *raw = later;
        let whole = self.record.len() == length;
        if whole {
            self.length.clear();
        }
        Ok(whole)
    }
}

fn put_record(record: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(record.len() as u16).to_le_bytes());
    out.extend_from_slice(record);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair() -> (Sealed, Sealed) {
        let key = Key::new([7; 32]);
        (Sealed::client(&key), Sealed::server(&key))
    }

    /// Carries what one end has to send to the other, in pieces.
    fn carry(from: &mut Sealed, to: &mut Sealed, piece: usize) -> Result<Vec<u8>, SealError> {
        let mut plain = Vec::new();
        let sent = std::mem::take(from.outgoing());
        sent.chunks(piece).try_for_each(|raw| to.receive(raw, &mut plain))?;
        Ok(plain)
    }

    fn established(piece: usize) -> (Sealed, Sealed) {
        let (mut client, mut server) = pair();
        assert_eq!(client.send(b"early", &mut Vec::new()), Err(SealError::Early));
        carry(&mut client, &mut server, piece).unwrap();
        carry(&mut server, &mut client, piece).unwrap();
        assert!(client.is_established() && server.is_established());
        (client, server)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_said_arrives(
            said in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..8),
            piece in 1..70_usize,
        ) {
            let (mut client, mut server) = established(piece);
            for said in said {
                for turn in 0..2 {
                    let (from, to) =
                        if turn == 0 { (&mut client, &mut server) } else { (&mut server, &mut client) };
                    let (mut raw, mut plain) = (Vec::new(), Vec::new());
                    from.send(&said, &mut raw).unwrap();
                    raw.chunks(piece).for_each(|raw| to.receive(raw, &mut plain).unwrap());
                    prop_assert_eq!(&plain, &said);
                }
            }
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (mut client, mut server) = pair();
            let mut plain = Vec::new();
            let _ = client.receive(&raw, &mut plain);
            let _ = server.receive(&raw, &mut plain);
            let (mut client, _) = established(64);
            let _ = client.receive(&raw, &mut plain);
            prop_assert!(plain.is_empty());
        }
    }

    #[test]
    fn much_is_said_in_several_records() {
        let (mut client, mut server) = established(1000);
        let said: Vec<u8> = (0..200_000_u32).map(|i| i as u8).collect();
        let (mut raw, mut plain) = (Vec::new(), Vec::new());
        client.send(&said, &mut raw).unwrap();
        server.receive(&raw, &mut plain).unwrap();
        assert!(plain == said);
    }

    #[test]
    fn another_key_is_noticed_at_once() {
        let mut client = Sealed::client(&Key::new([1; 32]));
        let mut server = Sealed::server(&Key::new([2; 32]));
        assert_eq!(carry(&mut client, &mut server, 99), Err(SealError::WrongKey));
        assert_eq!(server.receive(b"x", &mut Vec::new()), Err(SealError::WrongKey));
        assert!(server.outgoing().is_empty(), "nothing is answered");
    }

    #[test]
    fn a_plain_client_is_noticed_at_its_first_bytes() {
        let (_, mut server) = pair();
        assert_eq!(server.receive(&[80, 0], &mut Vec::new()), Err(SealError::WrongKey));
    }

    #[test]
    fn what_is_changed_or_repeated_is_noticed() {
        let (mut client, server) = established(99);
        let mut raw = Vec::new();
        client.send(b"pay", &mut raw).unwrap();
        let (_, mut opener) = server.split().unwrap();
        opener.receive(&raw, &mut Vec::new()).unwrap();
        assert_eq!(opener.receive(&raw, &mut Vec::new()), Err(SealError::Forged));
        let (mut client, mut server) = established(99);
        raw.clear();
        client.send(b"pay", &mut raw).unwrap();
        *raw.last_mut().unwrap() ^= 1;
        let mut plain = Vec::new();
        assert_eq!(server.receive(&raw, &mut plain), Err(SealError::Forged));
        assert!(plain.is_empty());
    }
}
