//! The sockets under streams.

use std::io;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A byte stream that a session can be put on.
pub trait StreamIo: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Bounds what the kernel keeps for sending.
    ///
    /// # Errors
    /// The socket's.
    fn bound(&self, send_buffer: usize) -> io::Result<()>;

    /// Makes closing drop what was not sent, with a reset.
    fn reset_on_close(&self);
}

impl StreamIo for TcpStream {
    fn bound(&self, send_buffer: usize) -> io::Result<()> {
        // The kernel takes twice what it is told, to have room for its own bookkeeping (socket(7)).
        SockRef::from(self).set_send_buffer_size((send_buffer / 2).max(1))
    }

    fn reset_on_close(&self) {
        // If it cannot be set, closing sends FIN instead of RST; the stream ends all the same.
        let _ = SockRef::from(self).set_linger(Some(Duration::ZERO));
    }
}
