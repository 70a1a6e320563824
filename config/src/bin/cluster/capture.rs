//! Captures: the packets of a link in a file that tcpdump and Wireshark read.
//!
//! * [`Captures::open`] before anything boots; [`Captures::attach`] when an interface is made;
//!   [`Captures::finish`] at the end.
//!
//! A link is captured at the first interface on it, which is made to take every frame. The tap
//! copies a frame and sends the copy down a channel; one thread of this program writes the files,
//! so that no kernel waits for a disk. When nothing more is coming it flushes, so what is in a file
//! is whole packets even if the program is ended by a signal later.
//!
//! Locking: the tap runs under `Rank::Tap` and never blocks. Sources: pcap-savefile(5).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use base::{Cx, Errno, KArc, Lwp};
use config::topology::Topology;
use net::ifnet::Ifnet;
use net::ifnet::tap::{self, Tap};
use net::pcap::{LinkType, file_header, record_header};

/// The longest frame that is kept whole.
const SNAPLEN: u32 = 65_535;

/// All captures of a run.
pub struct Captures {
    /// Which interface (node, unit) goes to which file.
    places: Vec<(u32, usize)>,
    sender: Sender<Message>,
    writer: Option<JoinHandle<Result<(), String>>>,
}

enum Message {
    Frame { file: usize, time: Duration, len: u32, bytes: Vec<u8> },
    End,
}

struct Output {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Output {
    fn write(&mut self, parts: &[&[u8]]) -> Result<(), String> {
        let written = parts.iter().try_for_each(|part| self.file.write_all(part));
        written.map_err(|error| self.failed(&error))
    }

    fn flush(&mut self) -> Result<(), String> {
        self.file.flush().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> String {
        format!("{}: {error}", self.path.display())
    }
}

impl Captures {
    /// The first interface on a link.
    pub fn place(topology: &Topology, link: &str) -> Result<(u32, usize), String> {
        let number = topology.link(link)?;
        let nodes = topology.nodes.iter().enumerate();
        let mut found = nodes.filter_map(|(index, node)| {
            let unit = node.interfaces.iter().position(|interface| interface.link == number)?;
            Some((index as u32, unit))
        });
        found.next().ok_or_else(|| format!("no node is on the link {link:?}"))
    }

    /// Those of these links that are captured at a node.
    pub fn at(
        topology: &Topology,
        wanted: &[(String, PathBuf)],
        node: u32,
    ) -> Result<Vec<(String, PathBuf)>, String> {
        let mut found = Vec::new();
        for (link, path) in wanted {
            if Captures::place(topology, link)?.0 == node {
                found.push((link.clone(), path.clone()));
            }
        }
        Ok(found)
    }

    /// Makes the files for these links; an error is one sentence.
    pub fn open(topology: &Topology, wanted: &[(String, PathBuf)]) -> Result<Captures, String> {
        let (mut places, mut outputs) = (Vec::new(), Vec::new());
        for (link, _) in wanted {
            places.push(Captures::place(topology, link)?);
        }
        for (_, path) in wanted {
            let file =
                File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let mut output = Output { path: path.clone(), file: BufWriter::new(file) };
            output.write(&[&file_header(LinkType::Ethernet, SNAPLEN)])?;
            outputs.push(output);
        }
        let (sender, receiver) = channel();
        // Without captures there is no thread.
        let writer = (!outputs.is_empty()).then(|| std::thread::spawn(|| write(receiver, outputs)));
        Ok(Captures { places, sender, writer })
    }

    /// Captures at this interface, if that was asked for.
    pub fn attach(
        &self,
        l: &mut Lwp<'_>,
        node: u32,
        unit: usize,
        ifp: &KArc<Ifnet>,
    ) -> Result<(), Errno> {
        for (file, place) in self.places.iter().enumerate() {
            if *place == (node, unit) {
                net::ifnet::promiscuous(l, ifp, true);
                let sender = self.sender.clone();
                let tap: KArc<dyn Tap> = base::vm::kmem::arc(l, Copier { file, sender })?;
                tap::add(l, ifp, tap)?;
            }
        }
        Ok(())
    }

    /// Everything captured so far is in the files.
    pub fn finish(self) -> Result<(), String> {
        let Some(writer) = self.writer else { return Ok(()) };
        // A writer that has gone has failed, and says why.
        let _ = self.sender.send(Message::End);
        writer.join().unwrap_or_else(|_| Err("the writer of captures panicked".to_string()))
    }
}

/// The tap.
struct Copier {
    file: usize,
    sender: Sender<Message>,
}

impl Tap for Copier {
    fn packet(&self, _: &Cx<'_>, _: &Ifnet, packet: &net::Packet) {
        let len = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        let mut bytes = vec![0; len.min(SNAPLEN) as usize];
        if packet.copy_to(0, &mut bytes) {
            let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let time = time.unwrap_or_default();
            // After the end of the captures nobody listens.
            let _ = self.sender.send(Message::Frame { file: self.file, time, len, bytes });
        }
    }
}

/// Writes what comes until the end.
fn write(receiver: Receiver<Message>, mut outputs: Vec<Output>) -> Result<(), String> {
    loop {
        let message = match receiver.try_recv() {
            Ok(message) => message,
            Err(_) => {
                outputs.iter_mut().try_for_each(Output::flush)?;
                receiver.recv().unwrap_or(Message::End)
            }
        };
        match message {
            Message::Frame { file, time, len, bytes } => {
                let seconds = time.as_secs();
                let header = record_header(seconds, time.subsec_nanos(), bytes.len() as u32, len);
                if let Some(output) = outputs.get_mut(file) {
                    output.write(&[&header, &bytes])?;
                }
            }
            Message::End => return outputs.iter_mut().try_for_each(Output::flush),
        }
    }
}
