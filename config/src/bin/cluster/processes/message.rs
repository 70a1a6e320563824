//! What a node's process tells the one that planned it, over a pipe that all of them share.
//!
//! * [`Message::send`] from a node; [`Inbox::next`] for who listens.
//!
//! A message is written at once and is shorter than what a pipe takes whole, so those of several
//! processes never mix.
//!
//! Locking: none. Sources: pipe(7), "PIPE_BUF".

use std::collections::VecDeque;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Words before the text: node, kind, two numbers, bytes of text.
const WORDS: usize = 5;
const HEADER: usize = WORDS * size_of::<u64>();
/// The longest text; a pipe takes 4096 bytes whole.
const TEXT: usize = 2048;

/// One message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// The kernel has booted and is set up. Times are since the start of the program.
    Ready { booted: Duration, set_up: Duration },
    /// A ping was answered.
    Replied { at: Duration },
    /// A ping was not: why.
    Silent(String),
    /// The median of the warm round trips.
    Warm(Duration),
    /// The node cannot go on: why.
    Failed(String),
}

impl Message {
    /// Sends it in the name of a node. Who cannot be told has ended, and will end us.
    pub fn send(&self, node: u32, to: &PipeWriter) {
        let mut to = to;
        let _ = to.write_all(&self.encode(node));
    }

    fn encode(&self, node: u32) -> Vec<u8> {
        let (kind, a, b, text) = match self {
            Message::Ready { booted, set_up } => {
                (0, nanoseconds(*booted), nanoseconds(*set_up), "")
            }
            Message::Replied { at } => (1, nanoseconds(*at), 0, ""),
            Message::Silent(why) => (2, 0, 0, why.as_str()),
            Message::Warm(rtt) => (3, nanoseconds(*rtt), 0, ""),
            Message::Failed(why) => (4, 0, 0, why.as_str()),
        };
        let text = text.as_bytes();
        let text = text.get(..TEXT).unwrap_or(text);
        let words = [u64::from(node), kind, a, b, text.len() as u64];
        let mut bytes = Vec::with_capacity(HEADER.saturating_add(text.len()));
        words.iter().for_each(|word| bytes.extend(word.to_ne_bytes()));
        bytes.extend(text);
        bytes
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Takes the first message out of these bytes, if it is whole. `Err`: that is none.
fn decode(bytes: &mut VecDeque<u8>) -> Result<Option<(u32, Message)>, String> {
    let nonsense = || "a node's process wrote nonsense".to_string();
    let bytes_now = bytes.make_contiguous();
    let Some((header, rest)) = bytes_now.split_at_checked(HEADER) else { return Ok(None) };
    let mut words = [0; WORDS];
    for (word, bytes) in words.iter_mut().zip(header.as_chunks::<8>().0) {
        *word = u64::from_ne_bytes(*bytes);
    }
    let [node, kind, a, b, len] = words;
    let len = usize::try_from(len).ok().filter(|len| *len <= TEXT).ok_or_else(nonsense)?;
    let Some(text) = rest.get(..len) else { return Ok(None) };
    let text = || String::from_utf8_lossy(text).into_owned();
    let (a, b) = (Duration::from_nanos(a), Duration::from_nanos(b));
    let message = match kind {
        0 => Message::Ready { booted: a, set_up: b },
        1 => Message::Replied { at: a },
        2 => Message::Silent(text()),
        3 => Message::Warm(a),
        4 => Message::Failed(text()),
        _ => return Err(nonsense()),
    };
    let node = u32::try_from(node).map_err(|_| nonsense())?;
    bytes.drain(..HEADER.saturating_add(len));
    Ok(Some((node, message)))
}

/// Where the messages of all nodes arrive.
pub struct Inbox {
    pipe: PipeReader,
    bytes: VecDeque<u8>,
    /// Nobody is left who could write.
    ended: bool,
}

/// How often whoever waits looks after other things.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

impl Inbox {
    pub fn new(pipe: PipeReader) -> Inbox {
        Inbox { pipe, bytes: VecDeque::new(), ended: false }
    }

    /// The next message; `None` if none comes within `patience`. While there is none `look` is
    /// called every now and then; its error ends the wait.
    pub fn next(
        &mut self,
        patience: Duration,
        mut look: impl FnMut() -> Result<(), String>,
    ) -> Result<Option<(u32, Message)>, String> {
        let until = Instant::now().checked_add(patience);
        loop {
            if let Some(message) = decode(&mut self.bytes)? {
                return Ok(Some(message));
            }
            if self.ended {
                look()?;
                return Err("all nodes have ended".to_string());
            }
            let mut fds = [PollFd::new(&self.pipe, PollFlags::IN)];
            match poll(&mut fds, Some(&TICK)) {
                Ok(0) | Err(Errno::INTR) => look()?,
                Ok(_) => self.fill()?,
                Err(error) => return Err(format!("cannot wait for the nodes: {error}")),
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(None);
            }
        }
    }

    fn fill(&mut self) -> Result<(), String> {
        let mut some = [0; 4096];
        let got = self.pipe.read(&mut some);
        let got = got.map_err(|error| format!("cannot listen to the nodes: {error}"))?;
        self.ended = got == 0;
        self.bytes.extend(some.get(..got).unwrap_or_default());
        Ok(())
    }

    /// Waits until nobody is left who could write, at most for `patience`; whether that is so.
    pub fn wait_for_end(&mut self, patience: Duration) -> bool {
        // What somebody still had to say is not heard any more.
        while !self.ended && matches!(self.next(patience, || Ok(())), Ok(Some(_))) {}
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_arrives() {
        let all = [
            Message::Ready { booted: Duration::from_nanos(1), set_up: Duration::from_secs(2) },
            Message::Silent("no reply".to_string()),
            Message::Replied { at: Duration::from_millis(3) },
            Message::Failed(String::new()),
            Message::Warm(Duration::from_micros(4)),
        ];
        let (reader, writer) = std::io::pipe().unwrap();
        (0..).zip(&all).for_each(|(node, message)| message.send(node, &writer));
        let mut inbox = Inbox::new(reader);
        for (node, message) in (0..).zip(all) {
            let next = inbox.next(Duration::from_secs(5), || Ok(()));
            assert_eq!(next, Ok(Some((node, message))));
        }
        assert_eq!(inbox.next(Duration::from_millis(1), || Ok(())), Ok(None));
        let ended = inbox.next(Duration::from_secs(5), || Err("node2 has ended".to_string()));
        assert_eq!(ended, Err("node2 has ended".to_string()));
    }

    #[test]
    fn a_message_is_written_whole_and_nonsense_is_refused() {
        let long = Message::Failed("é".repeat(TEXT)).encode(7);
        assert!(long.len() <= 4096);
        let mut bytes: VecDeque<u8> = long.iter().copied().take(HEADER + 1).collect();
        assert_eq!(decode(&mut bytes), Ok(None));
        bytes.extend(long.iter().skip(HEADER + 1));
        assert!(matches!(decode(&mut bytes), Ok(Some((7, Message::Failed(_))))));
        assert!(bytes.is_empty());
        for wrong in [[0, 9, 0, 0, 0], [u64::MAX, 0, 0, 0, 0], [0, 4, 0, 0, u64::MAX]] {
            let mut bytes = wrong.iter().flat_map(|word| word.to_ne_bytes()).collect();
            assert!(decode(&mut bytes).is_err());
        }
    }
}
