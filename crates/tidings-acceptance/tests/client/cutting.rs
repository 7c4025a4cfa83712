//! A proxy that hands on and sometimes cuts an answer off: before its first byte, or in the middle.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The proxy at work; it ends when dropped.
pub(crate) struct CuttingProxy {
    pub(crate) address: SocketAddr,
    cuts: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl CuttingProxy {
    /// One that cuts so many of a hundred answers off.
    pub(crate) async fn start(server: SocketAddr, percent: u32) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(AtomicUsize::new(0));
        let counted = cuts.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let cuts = counted.clone();
                tokio::spawn(async move {
                    if hand_on(client, server, percent).await.is_ok_and(|is_cut| is_cut) {
                        cuts.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        Self { address, cuts, task }
    }

    /// Answers that it has cut off.
    pub(crate) fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether an answer was cut off; the server had given it.
async fn hand_on(client: TcpStream, server: SocketAddr, percent: u32) -> std::io::Result<bool> {
    client.set_nodelay(true)?;
    let upstream = TcpStream::connect(server).await?;
    upstream.set_nodelay(true)?;
    let (mut asking, mut answered) = client.into_split();
    let (mut answering, mut asked) = upstream.into_split();
    let up = tokio::spawn(async move { copy(&mut asking, &mut asked).await });
    let mut buffer = vec![0; 64 * 1024];
    let is_cut = loop {
        let count = answering.read(&mut buffer).await?;
        if count == 0 {
            break false;
        }
        if rand::random_range(0..100) < percent {
            let part = rand::random_range(0..count);
            answered.write_all(&buffer[..part]).await?;
            break true;
        }
        answered.write_all(&buffer[..count]).await?;
    };
    up.abort();
    Ok(is_cut)
}
