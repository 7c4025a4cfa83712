//! A proxy that loses answers: it hands a request on, waits until the server has answered it, and closes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The proxy at work; it ends when dropped.
#[derive(Debug)]
pub struct LosingProxy {
    address: SocketAddr,
    lost: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl LosingProxy {
    /// Starts one in front of `server`.
    ///
    /// # Panics
    /// If there is no port for it.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port for the proxy");
        let address = listener.local_addr().expect("the proxy's address");
        let lost = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(accept(listener, server, lost.clone()));
        Self { address, lost, task }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers that it has lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }
}

impl Drop for LosingProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, lost: Arc<AtomicUsize>) {
    while let Ok((client, _)) = listener.accept().await {
        let lost = lost.clone();
        tokio::spawn(async move {
            if lose(client, server).await.is_ok_and(|answered| answered) {
                lost.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
}

/// Whether the server had answered.
async fn lose(client: TcpStream, server: SocketAddr) -> std::io::Result<bool> {
    let upstream = TcpStream::connect(server).await?;
    let (mut asking, _kept) = client.into_split();
    let (mut answering, mut asked) = upstream.into_split();
    let handing_on = tokio::spawn(async move { copy(&mut asking, &mut asked).await });
    let answered = answering.read(&mut [0u8; 1]).await;
    handing_on.abort();
    Ok(answered? > 0)
}
