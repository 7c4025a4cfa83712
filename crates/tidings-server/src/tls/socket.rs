//! A socket with TLS above it.
//!
//! The library keeps ciphertext that the socket has not taken: how much is bounded, a flush writes it, and what counts as
//! taken by the client's side is counted below the library.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::stream::io::StreamIo;

/// A connection after its handshake. On the heap, since it moves with what drives it.
#[derive(Debug)]
pub struct TlsIo(Box<TlsStream<Counted>>);

impl TlsIo {
    /// After the handshake.
    #[must_use]
    pub fn new(stream: TlsStream<Counted>) -> Self {
        Self(Box::new(stream))
    }
}

/// How much of what may wait below the stream's own queue the library may hold; the kernel has the rest.
#[must_use]
pub const fn library_share(send_buffer: usize) -> usize {
    send_buffer / 4
}

impl StreamIo for TlsIo {
    fn bound(&mut self, send_buffer: usize) -> io::Result<()> {
        let own = library_share(send_buffer);
        let (below, session) = self.0.get_mut();
        session.set_buffer_limit(Some(own));
        below.tcp.bound(send_buffer - own)
    }

    fn reset_on_close(&self) {
        self.0.get_ref().0.tcp.reset_on_close();
    }

    fn taken(&self) -> Option<u64> {
        Some(self.0.get_ref().0.taken)
    }

    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // It says `close_notify` first (RFC 8446, 6.1). Where that fails the client has gone.
        Pin::new(&mut *self.0).poll_shutdown(cx).map(drop)
    }
}

/// The TCP socket, and how many bytes it took.
#[derive(Debug)]
pub struct Counted {
    tcp: TcpStream,
    taken: u64,
}

impl Counted {
    /// Before the handshake.
    #[must_use]
    pub const fn new(tcp: TcpStream) -> Self {
        Self { tcp, taken: 0 }
    }

    fn count(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            self.taken += bytes as u64;
        }
        written
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, slices);
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl AsyncRead for TlsIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}
