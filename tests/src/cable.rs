//! Devices of a host's network whose other ends a test holds, for virtif: frames in, frames out, and what
//! is left undone in them.
//!
//! * [`Cables::give`]: gives a host such devices.  * [`Cables::end`]: the other end of one.
//! * [`Cable::send`], [`Cable::nonsense`]: to the kernel.  * [`Cable::taken`]: what the kernel has sent.
//!
//! Locking: a lock for each, nesting in nothing. Sources: `virtif::host`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use sim::Sim;
use virtif::host::{
    Bell, Device, Devices, NAME, Network, Offcpu, OpenError, ReceiveError, Received, SendError,
    Undone,
};

use crate::Node;

/// All devices of a host, by name.
pub struct Cables {
    can_leave_undone: bool,
    ends: Mutex<BTreeMap<String, Arc<Cable>>>,
}

/// A device, and what is in it.
#[derive(Default)]
pub struct Cable {
    can_leave_undone: bool,
    state: Mutex<State>,
}

/// A frame, and what is left undone in it.
pub type Frame = (Vec<u8>, Option<Undone>);

#[derive(Default)]
struct State {
    leaves_undone: bool,
    bell: Option<Arc<dyn Bell>>,
    to_kernel: VecDeque<Result<Frame, ReceiveError>>,
    from_kernel: Vec<Frame>,
}

impl Cables {
    /// Gives `sim` devices for virtif. They are made when they are asked for, and can leave something
    /// undone in frames, or not.
    pub fn give(sim: &Sim, can_leave_undone: bool) -> Arc<Cables> {
        let cables = Arc::new(Cables { can_leave_undone, ends: Mutex::default() });
        sim.give(NAME, Arc::new(Network(cables.clone())));
        cables
    }

    /// The test's end of the device `name`.
    pub fn end(&self, name: &str) -> Arc<Cable> {
        let new = || Cable { can_leave_undone: self.can_leave_undone, ..Cable::default() };
        let mut ends = self.ends.lock().unwrap();
        ends.entry(name.to_owned()).or_insert_with(|| Arc::new(new())).clone()
    }
}

impl Devices for Cables {
    fn open(&self, name: &str, _: &Offcpu) -> Result<Box<dyn Device>, OpenError> {
        Ok(Box::new(Plug(self.end(name))))
    }
}

impl Cable {
    /// Sends a frame to the kernel. `node` is any kernel, out of which the bell is rung.
    pub fn send(&self, node: &Node, frame: &[u8], undone: Option<Undone>) {
        self.put(node, Ok((frame.to_vec(), undone)));
    }

    /// Sends a frame of which the host cannot say what it is.
    pub fn nonsense(&self, node: &Node) {
        self.put(node, Err(ReceiveError::Malformed));
    }

    fn put(&self, node: &Node, frame: Result<Frame, ReceiveError>) {
        let bell = {
            let mut state = self.state.lock().unwrap();
            state.to_kernel.push_back(frame);
            state.bell.clone()
        };
        if let Some(bell) = bell {
            // That the kernel is going, it says itself.
            let _ = node.enter(|l| l.offcpu(|proof| bell.ring(proof)));
        }
    }

    /// The frames that the kernel has sent since the last look.
    pub fn taken(&self) -> Vec<Frame> {
        std::mem::take(&mut self.state.lock().unwrap().from_kernel)
    }

    /// Whether frames have something left undone.
    pub fn leaves_undone(&self) -> bool {
        self.state.lock().unwrap().leaves_undone
    }
}

/// The kernel's end.
struct Plug(Arc<Cable>);

impl Device for Plug {
    fn leave_undone(&self, on: bool, _: &Offcpu) -> bool {
        let is_on = on && self.0.can_leave_undone;
        self.0.state.lock().unwrap().leaves_undone = is_on;
        is_on
    }

    fn send(
        &self,
        frame: &mut dyn Iterator<Item = &[u8]>,
        undone: Option<&Undone>,
    ) -> Result<(), SendError> {
        let mut state = self.0.state.lock().unwrap();
        assert!(undone.is_none() || state.leaves_undone, "nobody has said that it may be");
        let bytes = frame.flatten().copied().collect();
        state.from_kernel.push((bytes, undone.copied()));
        Ok(())
    }

    fn receive(&self, buffer: &mut [u8]) -> Result<Received, ReceiveError> {
        let mut state = self.0.state.lock().unwrap();
        let (frame, undone) = state.to_kernel.pop_front().unwrap_or(Err(ReceiveError::Empty))?;
        let len = frame.len().min(buffer.len());
        buffer[..len].copy_from_slice(&frame[..len]);
        Ok(Received { len: frame.len(), undone })
    }

    fn listen(&self, bell: Arc<dyn Bell>) -> Result<(), OpenError> {
        self.0.state.lock().unwrap().bell = Some(bell);
        Ok(())
    }

    fn leave(&self) {
        let bell = self.0.state.lock().unwrap().bell.take();
        drop(bell);
    }
}
