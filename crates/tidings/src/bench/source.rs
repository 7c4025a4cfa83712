//! Where events come from: something that is told to send, and answers when it has.

use std::fmt::Debug;
use std::io;
use std::net::TcpStream;

use super::tally::Ledger;

/// Sends one request at a time.
pub(super) trait Source: Debug {
    /// Its socket, read when there is an answer.
    fn stream(&self) -> &TcpStream;

    /// Sends; `now` is written into what is sent, in nanoseconds.
    ///
    /// # Errors
    /// The socket's.
    fn send(&mut self, now: u64) -> io::Result<()>;

    /// Reads; whether the answer is there. What was accepted is in the ledger then.
    ///
    /// # Errors
    /// The socket's, and a refusal.
    fn answered(&mut self, ledger: &mut Ledger) -> io::Result<bool>;
}
