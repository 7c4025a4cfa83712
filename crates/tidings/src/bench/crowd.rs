//! Connecting many subscribers, at the pace at which the server takes them.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use tidings_protocol::cursor::CURSOR_BYTES;

use super::dial::Dial;
use super::driver::Driver;
use super::scan::Wire;
use super::subscriber::{Gone, Subscriber};
use crate::client::target::Target;
use crate::failure::Failure;

/// Connections that may wait to be ready at once.
const PENDING: usize = 256;
/// No stream opening for so long, none opens any more.
const PATIENCE: Duration = Duration::from_secs(20);

/// What subscribers ask for, and of whom.
#[derive(Debug, Clone)]
pub(super) struct Crowd<'a> {
    pub(super) dial: Dial,
    pub(super) target: &'a Target,
    pub(super) wire: Wire,
    pub(super) channel: &'a str,
}

impl Crowd<'_> {
    /// Connects so many new subscribers and waits until all are ready.
    ///
    /// # Errors
    /// A connection that is not made, a stream that is not opened.
    pub(super) fn gather(&self, driver: &mut Driver, count: usize) -> Result<(), Failure> {
        for number in 0..count {
            let stream = self.open(number, None)?;
            driver.add(Subscriber::new(stream, self.wire))?;
            wait(driver, PENDING)?;
        }
        wait(driver, 1)
    }

    /// Connects subscribers that were there before; each goes on after the last id that it has.
    ///
    /// # Errors
    /// As [`Crowd::gather`].
    pub(super) fn gather_again(&self, driver: &mut Driver, gone: &[Gone]) -> Result<(), Failure> {
        for (number, before) in gone.iter().enumerate() {
            let stream = self.open(number, Some(&before.last_id))?;
            driver.add(before.back(stream, self.wire))?;
            wait(driver, PENDING)?;
        }
        wait(driver, 1)
    }

    fn open(&self, number: usize, last_id: Option<&[u8; CURSOR_BYTES]>) -> Result<TcpStream, Failure> {
        let failed = |error| Failure::new(format!("connection {number} is not made: {error}"));
        let mut stream = self.dial.connect(number).map_err(failed)?;
        stream.write_all(self.request(last_id).as_bytes()).map_err(failed)?;
        Ok(stream)
    }

    fn request(&self, last_id: Option<&[u8; CURSOR_BYTES]>) -> String {
        let Target { authority, prefix, key, .. } = self.target;
        let channel = self.channel;
        let since = last_id.map(|id| format!("&since={}", String::from_utf8_lossy(id))).unwrap_or_default();
        let credential = format!("host: {authority}\r\nauthorization: Bearer {key}\r\n");
        match self.wire {
            Wire::Sse => format!(
                "GET {prefix}/v1/events?channel={channel}{since} HTTP/1.1\r\n{credential}accept: text/event-stream\r\n\r\n"
            ),
            Wire::Websocket => format!(
                "GET {prefix}/v1/ws?channel={channel}{since} HTTP/1.1\r\n{credential}connection: Upgrade\r\n\
                 upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ),
        }
    }
}

/// Waits until fewer than `pending` streams are being opened.
fn wait(driver: &mut Driver, pending: usize) -> Result<(), Failure> {
    let deadline = driver.now() + PATIENCE;
    while driver.subscribers.len() >= driver.opened() + pending {
        driver.turn()?;
        if driver.now() > deadline {
            let missing = driver.subscribers.len() - driver.opened();
            return Err(Failure::new(format!("{missing} streams are not opened")));
        }
    }
    Ok(())
}
