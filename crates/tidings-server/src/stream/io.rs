//! The sockets under streams.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A byte stream that a session can be put on.
pub trait StreamIo: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Bounds what is kept for sending below the stream's own queue: by the kernel, and by a layer above its socket.
    ///
    /// # Errors
    /// The socket's.
    fn bound(&mut self, send_buffer: usize) -> io::Result<()>;

    /// Makes closing drop what was not sent, with a reset.
    fn reset_on_close(&self);

    /// How many bytes the socket has taken, where a layer above it takes bytes that the socket has not.
    fn taken(&self) -> Option<u64> {
        None
    }

    /// Says that nothing more comes, where closing alone does not say it. Pending while the socket does not take it.
    fn poll_farewell(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl StreamIo for TcpStream {
    fn bound(&mut self, send_buffer: usize) -> io::Result<()> {
        // The kernel takes twice what it is told, to have room for its own bookkeeping (socket(7)).
        SockRef::from(&*self).set_send_buffer_size((send_buffer / 2).max(1))
    }

    fn reset_on_close(&self) {
        // If it cannot be set, closing sends FIN instead of RST; the stream ends all the same.
        let _ = SockRef::from(self).set_linger(Some(Duration::ZERO));
    }
}
