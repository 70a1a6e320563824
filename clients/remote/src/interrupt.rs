//! Ending calls that wait, from another thread.
//!
//! A call that has nothing yet then fails with EINTR. What is not under way yet is not reached, as
//! with signals: to be sure, ask again. While the server is stopped nothing ends.
//!
//! Locking: none of its own.

use std::thread::ThreadId;

use crate::Client;

/// Ends what one thread waits for.
#[derive(Clone, Debug)]
pub struct Interrupt {
    client: Client,
    thread: ThreadId,
}

impl Interrupt {
    /// Ends what the thread waits for in the kernel; says whether there was anything.
    pub fn interrupt(&self) -> bool {
        self.client.interrupt(Some(self.thread)) > 0
    }
}

impl Client {
    /// What ends the calls of the thread that asks for it.
    pub fn interrupt_handle(&self) -> Interrupt {
        Interrupt { client: self.clone(), thread: std::thread::current().id() }
    }

    /// Ends the calls of all threads; says how many there were.
    pub fn interrupt_all(&self) -> usize {
        self.interrupt(None)
    }

    fn interrupt(&self, thread: Option<ThreadId>) -> usize {
        let connection = self.connection();
        let numbers = connection.under_way(thread);
        connection.cancel(&numbers);
        numbers.len()
    }
}
