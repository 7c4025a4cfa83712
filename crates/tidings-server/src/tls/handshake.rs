//! From an accepted socket to a connection under TLS.
//!
//! A handshake has as long as a request's head, and its connection's slot is taken from the first byte.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::Tls;
use super::socket::{Counted, TlsIo, library_share};
use crate::app::App;
use crate::connection::{self, last_call};
use crate::guard::ConnectionGuard;

/// What a client that speaks plain HTTP is told.
const SPEAK_TLS: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\n\
    This port speaks https: begin the URL with https:// and ask again\n";

/// How a connection begins.
enum Greeting {
    Secure(TlsIo),
    /// With a letter, as every method does and no TLS record.
    Plain(TcpStream),
    /// Not at all.
    Gone,
}

/// Serves a connection from its handshake to its end.
pub async fn serve(
    tcp: TcpStream,
    peer: SocketAddr,
    app: Arc<App>,
    router: axum::Router,
    guard: ConnectionGuard,
    tls: Arc<Tls>,
) {
    let limits = &app.config.limits;
    let share = library_share(limits.stream_buffer / 2);
    let greeted = tokio::select! {
        greeted = tokio::time::timeout(limits.header_timeout, greet(tcp, &tls, share)) => greeted,
        () = last_call(&app) => return,
    };
    match greeted {
        Ok(Ok(Greeting::Secure(io))) => connection::serve(io, peer, app, router, guard).await,
        Ok(Ok(Greeting::Plain(mut tcp))) => {
            // The client has gone where this fails; nobody is left to tell.
            let _ = tcp.write_all(SPEAK_TLS.as_bytes()).await;
            connection::linger(tcp).await;
        }
        Ok(Ok(Greeting::Gone)) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake was not complete in time"),
    }
}

async fn greet(tcp: TcpStream, tls: &Tls, share: usize) -> io::Result<Greeting> {
    let mut first = [0u8];
    if tcp.peek(&mut first).await? == 0 {
        return Ok(Greeting::Gone);
    }
    if first[0].is_ascii_alphabetic() {
        return Ok(Greeting::Plain(tcp));
    }
    let acceptor = TlsAcceptor::from(tls.current());
    let accepted = acceptor.accept_with(Counted::new(tcp), |session| session.set_buffer_limit(Some(share)));
    Ok(Greeting::Secure(TlsIo::new(accepted.await?)))
}
