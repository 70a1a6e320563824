//! Who waits for what on a connection.
//!
//! Of the threads that wait, one reads for all (it *leads*); an answer that is another's is put
//! down here and its owner woken. Who has its own answer goes, and another one leads. So a single
//! thread reads its own answers and touches no futex.
//!
//! Nothing here waits or does I/O.
//!
//! Locking: the connection's mutex around all of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::ThreadId;

use rustix::thread::futex;
use wire::{Copyin, Kind};

use crate::stream::Ended;

/// What its owner does next about a request.
pub(crate) enum Turn {
    /// Read for all.
    Lead,
    /// Wait until the request's word is no longer this.
    Wait(u32),
    /// Send memory.
    Copyin(Copyin),
    /// Done.
    Answer(Kind, Vec<u8>),
    /// There will be no answer.
    Ended,
}

/// A request of ours under way, in the hands of who waits for it.
pub(crate) struct Ticket {
    /// Its number.
    pub(crate) number: u64,
    slot: u16,
    /// Changes when there is something to do.
    pub(crate) word: Arc<AtomicU32>,
}

/// Bits of a request's number that say its slot.
const SLOT_BITS: u32 = 12;

const _: () = assert!(1 << SLOT_BITS == wire::MAX_REQUESTS);

#[derive(Default)]
struct Slot {
    /// The request's number; 0: none.
    number: u64,
    word: Arc<AtomicU32>,
    thread: Option<ThreadId>,
    answer: Option<(Kind, Vec<u8>)>,
    copyin: Option<Copyin>,
    /// Whether its owner waits on the word.
    waits: bool,
    /// Whether it stands in `waiting`.
    queued: bool,
    /// Memory of an earlier answer.
    spare: Vec<u8>,
}

/// How much of an answer's memory is kept for the next.
const SPARE: usize = 64 << 10;

/// All requests under way.
#[derive(Default)]
pub(crate) struct Requests {
    slots: Vec<Slot>,
    free: Vec<u16>,
    /// Those that may lead next; some have gone since.
    waiting: VecDeque<u16>,
    led: bool,
    ended: bool,
    sequence: u64,
    /// Whether new requests are refused, since the program is about to be replaced.
    pub(crate) closing: bool,
}

/// Why there is no ticket.
pub(crate) enum NoTicket {
    /// The connection has ended.
    Ended,
    /// As many requests as there may be are under way, or the program is about to be replaced.
    Busy,
}

impl Requests {
    /// A new request, which `thread` waits for.
    pub(crate) fn begin(&mut self, thread: ThreadId) -> Result<Ticket, NoTicket> {
        if self.ended {
            return Err(NoTicket::Ended);
        }
        if self.closing {
            return Err(NoTicket::Busy);
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() >= wire::MAX_REQUESTS => return Err(NoTicket::Busy),
            None => {
                self.slots.push(Slot::default());
                (self.slots.len() - 1) as u16
            }
        };
        self.sequence += 1;
        let number = self.sequence << SLOT_BITS | u64::from(slot);
        let entry = self.slots.get_mut(usize::from(slot)).ok_or(NoTicket::Busy)?;
        entry.number = number;
        entry.thread = Some(thread);
        Ok(Ticket { number, slot, word: entry.word.clone() })
    }

    /// Ends a request.
    pub(crate) fn finish(&mut self, ticket: &Ticket) {
        let Some(slot) = self.slots.get_mut(usize::from(ticket.slot)) else { return };
        slot.number = 0;
        slot.answer = None;
        slot.copyin = None;
        slot.waits = false;
        self.free.push(ticket.slot);
    }

    /// Gives an answer's memory back for the next one.
    pub(crate) fn recycle(&mut self, ticket: &Ticket, mut memory: Vec<u8>) {
        if memory.capacity() <= SPARE
            && let Some(slot) = self.slots.get_mut(usize::from(ticket.slot))
        {
            memory.clear();
            slot.spare = memory;
        }
    }

    /// What the owner of a request does next.
    pub(crate) fn turn(&mut self, ticket: &Ticket) -> Turn {
        let ended = self.ended;
        let Some(slot) = self.slots.get_mut(usize::from(ticket.slot)) else {
            return Turn::Ended;
        };
        slot.waits = false;
        if let Some(copyin) = slot.copyin.take() {
            return Turn::Copyin(copyin);
        }
        if let Some((kind, body)) = slot.answer.take() {
            return Turn::Answer(kind, body);
        }
        if ended {
            return Turn::Ended;
        }
        if !self.led {
            self.led = true;
            return Turn::Lead;
        }
        slot.waits = true;
        if !slot.queued {
            slot.queued = true;
            self.waiting.push_back(ticket.slot);
        }
        Turn::Wait(slot.word.load(Ordering::Relaxed))
    }

    /// Wakes the owner of a request. It has something to do now, and is not to be chosen to lead: it
    /// might go with its answer, and nobody would.
    fn wake(slot: &mut Slot) {
        slot.waits = false;
        slot.word.fetch_add(1, Ordering::Relaxed);
        // It fails only for addresses that are none.
        let _ = futex::wake(&slot.word, futex::Flags::PRIVATE, 1);
    }

    /// The leader has what it waited for: another one leads.
    pub(crate) fn step_down(&mut self) {
        self.led = false;
        while let Some(next) = self.waiting.pop_front() {
            let Some(slot) = self.slots.get_mut(usize::from(next)) else { continue };
            slot.queued = false;
            if slot.waits {
                return Self::wake(slot);
            }
        }
    }

    /// Memory for the answer to request `number`, if there is such a request.
    pub(crate) fn expect(&mut self, number: u64) -> Option<Vec<u8>> {
        Some(std::mem::take(&mut self.find(number)?.spare))
    }

    fn find(&mut self, number: u64) -> Option<&mut Slot> {
        let slot = usize::try_from(number).ok()? & ((1 << SLOT_BITS) - 1);
        self.slots.get_mut(slot).filter(|slot| number != 0 && slot.number == number)
    }

    /// Puts a message down for the owner of request `number`, and wakes it. What nobody waits for,
    /// or comes twice, makes no sense.
    pub(crate) fn deliver(&mut self, number: u64, kind: Kind, body: Vec<u8>) -> Result<(), Ended> {
        let slot = self.find(number).ok_or(Ended::Malformed)?;
        if slot.answer.is_some() {
            return Err(Ended::Malformed);
        }
        if kind == Kind::Copyin {
            if slot.copyin.is_some() {
                return Err(Ended::Malformed);
            }
            slot.copyin = Some(Copyin::parse(&body)?);
            slot.spare = body;
        } else {
            slot.answer = Some((kind, body));
        }
        Self::wake(slot);
        Ok(())
    }

    /// Nothing comes any more: everybody is told.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.led = false;
        self.slots.iter_mut().filter(|slot| slot.number != 0).for_each(Self::wake);
    }

    /// Whether nothing comes any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The requests under way that `thread` waits for; all, if that is `None`.
    pub(crate) fn of_thread(&self, thread: Option<ThreadId>) -> Vec<u64> {
        let these = self
            .slots
            .iter()
            .filter(|slot| slot.number != 0 && (thread.is_none() || slot.thread == thread));
        these.map(|slot| slot.number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(requests: &mut Requests) -> Ticket {
        requests.begin(std::thread::current().id()).ok().unwrap()
    }

    /// Three requests: the first leads, the others wait.
    fn three() -> (Requests, [Ticket; 3]) {
        let mut requests = Requests::default();
        let tickets = [(); 3].map(|()| begin(&mut requests));
        assert!(matches!(requests.turn(&tickets[0]), Turn::Lead));
        assert!(matches!(requests.turn(&tickets[1]), Turn::Wait(0)));
        assert!(matches!(requests.turn(&tickets[2]), Turn::Wait(0)));
        (requests, tickets)
    }

    fn word(ticket: &Ticket) -> u32 {
        ticket.word.load(Ordering::Relaxed)
    }

    #[test]
    fn who_has_an_answer_is_not_chosen_to_lead() {
        let (mut requests, [first, second, third]) = three();
        requests.deliver(second.number, Kind::Return, vec![1]).unwrap();
        requests.step_down();
        requests.finish(&first);
        assert_eq!((word(&second), word(&third)), (1, 1), "one for its answer, one to lead");
        assert!(matches!(requests.turn(&second), Turn::Answer(Kind::Return, _)));
        assert!(matches!(requests.turn(&third), Turn::Lead));
    }

    #[test]
    fn whoever_comes_first_leads_and_the_other_waits_again() {
        let (mut requests, [first, second, third]) = three();
        requests.step_down();
        assert_eq!((word(&second), word(&third)), (1, 0));
        assert!(matches!(requests.turn(&first), Turn::Lead));
        assert!(matches!(requests.turn(&second), Turn::Wait(1)));
        requests.step_down();
        assert_eq!((word(&second), word(&third)), (1, 1), "the one that has waited longer");
    }

    #[test]
    fn what_nobody_asked_for_makes_no_sense() {
        let (mut requests, [first, second, _third]) = three();
        let mut deliver = |number| requests.deliver(number, Kind::Return, Vec::new());
        assert_eq!(deliver(0), Err(Ended::Malformed));
        assert_eq!(deliver(second.number + (1 << SLOT_BITS)), Err(Ended::Malformed));
        assert_eq!(deliver(second.number), Ok(()));
        assert_eq!(deliver(second.number), Err(Ended::Malformed), "twice");
        requests.finish(&first);
        assert_eq!(requests.deliver(first.number, Kind::Return, Vec::new()), Err(Ended::Malformed));
        assert_ne!(begin(&mut requests).number, first.number);
    }

    #[test]
    fn there_is_a_limit_and_an_end() {
        let mut requests = Requests::default();
        let all: Vec<_> = (0..wire::MAX_REQUESTS).map(|_| begin(&mut requests)).collect();
        let thread = std::thread::current().id();
        assert!(matches!(requests.begin(thread), Err(NoTicket::Busy)));
        assert_eq!(requests.of_thread(Some(thread)).len(), wire::MAX_REQUESTS);
        requests.finish(&all[7]);
        requests.begin(thread).ok().unwrap();
        requests.end();
        assert!(matches!(requests.begin(thread), Err(NoTicket::Ended)));
        assert!(matches!(requests.turn(&all[0]), Turn::Ended));
        assert_eq!(word(&all[0]), 1);
    }
}
