//! A proxy between client and server that fails as networks and proxies do, when it is told to.
//!
//! Owns: sockets, heads of requests and answers, and where an event goes out. Leaves out: what the answers mean. One fault
//! is armed at a time and strikes once: a fault of a stream at the next event, one of the opening at the next opening, one
//! of an answer at the next request that is none for a stream. Whether an event was in flight is the caller's to say, by
//! [`FaultProxy::outstanding`], but for faults of streams, which strike nowhere else.
//!
//! Invariant: a connection of the client's counts as open until the client has closed it, or the fault has.

mod fault;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

pub use self::fault::{Fault, Part, Strikes};
use self::wire::{Request, Wire, gone, last_chunk};

/// How many bytes come at a time where they come late, and how long each lot takes.
const SLOW: (usize, Duration) = (64, Duration::from_millis(3));

/// The proxy at work; it ends when stopped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    /// A text that events have and nothing else does.
    mark: Vec<u8>,
    /// Whether requests that are none for a stream meet every fault.
    is_of_requests: bool,
    armed: Mutex<Option<Fault>>,
    strikes: Arc<Strikes>,
    outstanding: AtomicUsize,
    open: AtomicUsize,
    /// Openings wait while it is false.
    gate: watch::Sender<bool>,
    /// Each step cuts every stream.
    cuts: watch::Sender<usize>,
    openings: Mutex<Vec<Opening>>,
}

/// A request for a stream.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Path and query.
    pub target: String,
    /// When it was let through.
    pub at: Instant,
    /// What struck it.
    pub fault: Option<Fault>,
}

impl FaultProxy {
    /// One for a client that follows; `mark` is a text that its events have and nothing else does.
    ///
    /// # Panics
    /// If there is no port for it.
    pub async fn of_streams(server: SocketAddr, mark: &str, strikes: &Arc<Strikes>) -> Self {
        Self::start(server, mark, false, strikes).await
    }

    /// One for a client that publishes: all faults strike requests.
    ///
    /// # Panics
    /// If there is no port for it.
    pub async fn of_requests(server: SocketAddr, strikes: &Arc<Strikes>) -> Self {
        Self::start(server, "", true, strikes).await
    }

    async fn start(server: SocketAddr, mark: &str, is_of_requests: bool, strikes: &Arc<Strikes>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port for the proxy");
        let address = listener.local_addr().expect("the proxy's address");
        let shared = Arc::new(Shared {
            server,
            mark: mark.as_bytes().to_vec(),
            is_of_requests,
            armed: Mutex::default(),
            strikes: strikes.clone(),
            outstanding: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            gate: watch::Sender::new(true),
            cuts: watch::Sender::new(0),
            openings: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, shared.clone()));
        Self { address, shared, task }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Arms a fault, in place of one that has not struck; none disarms.
    pub fn arm(&self, fault: Option<Fault>) {
        *self.shared.armed() = fault;
    }

    /// The fault that is armed and has not struck.
    #[must_use]
    pub fn armed(&self) -> Option<Fault> {
        *self.shared.armed()
    }

    /// Says how many events the client is to get and has not got.
    pub fn outstanding(&self, events: usize) {
        self.shared.outstanding.store(events, Ordering::SeqCst);
    }

    /// Lets openings through, or has them wait.
    pub fn set_gate(&self, is_open: bool) {
        self.shared.gate.send_replace(is_open);
    }

    /// Cuts every stream.
    pub fn cut_streams(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Connections of the client's that are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// The requests for streams so far.
    #[must_use]
    pub fn openings(&self) -> Vec<Opening> {
        self.shared.openings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes no connections any more.
    pub async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

impl Shared {
    fn armed(&self) -> MutexGuard<'_, Option<Fault>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The armed fault, if it is one of these; it is armed no more.
    fn take(&self, is_fit: impl Fn(Fault) -> bool) -> Option<Fault> {
        self.armed().take_if(|fault| is_fit(*fault))
    }

    /// The server is away: what was armed is still to strike.
    fn arm_again(&self, fault: Option<Fault>) {
        let mut armed = self.armed();
        *armed = armed.or(fault);
    }

    fn strike(&self, fault: Fault) {
        let is_certain = self.is_of_requests || fault.part() == Part::Stream;
        self.strikes.note(fault, is_certain || self.outstanding.load(Ordering::SeqCst) > 0);
    }

    async fn open_gate(&self) {
        let _ = self.gate.subscribe().wait_for(|is_open| *is_open).await;
    }
}

/// Counts a connection as open.
struct Guard(Arc<Shared>);

impl Guard {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(shared.clone())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let guard = Guard::new(&shared);
        tokio::spawn(async move {
            // A connection that breaks is what is tried here.
            let _ = serve(Wire::over(client), &guard.0).await;
        });
    }
}

/// Serves the client's requests one after the other, until a fault or either side ends it.
async fn serve(mut client: Wire, shared: &Shared) -> io::Result<()> {
    let mut server: Option<Wire> = None;
    loop {
        let Some(request) = client.request().await? else { return Ok(()) };
        if request.target.starts_with("/v1/events") {
            return stream(client, &request, shared).await;
        }
        let is_change = request.method == "POST" && request.target.ends_with("/subscriptions");
        let fault = shared.take(|fault| {
            if shared.is_of_requests {
                fault != Fault::WrongContentType
            } else {
                is_change && fault.part() == Part::Answer
            }
        });
        let mut upstream = match server.take() {
            Some(upstream) => upstream,
            None => Wire::over(TcpStream::connect(shared.server).await?),
        };
        match exchange(&mut client, &mut upstream, &request, fault, shared).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                shared.arm_again(fault);
                return Err(error);
            }
        }
        server = Some(upstream);
    }
}

/// One request and its answer; whether the connection is still good.
async fn exchange(
    client: &mut Wire,
    server: &mut Wire,
    request: &Request,
    fault: Option<Fault>,
    shared: &Shared,
) -> io::Result<bool> {
    if let Some(fault) = fault
        && refuse(client, fault, shared).await
    {
        return Ok(false);
    }
    server.stream.write_all(&request.bytes).await?;
    let answer = server.answer().await?;
    if let Some(fault) = fault {
        shared.strike(fault);
        return strike(client, &answer, fault).await.or(Ok(false));
    }
    client.stream.write_all(&answer).await?;
    Ok(true)
}

/// What becomes of an answer that a fault strikes; whether the connection is still good.
async fn strike(client: &mut Wire, answer: &[u8], fault: Fault) -> io::Result<bool> {
    let half = &answer[..answer.len() / 2];
    match fault {
        Fault::HalfEvent => client.stream.write_all(half).await?,
        Fault::HangMidEvent => {
            client.stream.write_all(half).await?;
            gone(&mut client.stream).await;
        }
        Fault::Buffering => gone(&mut client.stream).await,
        Fault::OneByteChunks | Fault::Slow => {
            send(&mut client.stream, answer, fault).await?;
            return Ok(true);
        }
        _ => {}
    }
    Ok(false)
}

/// Whether the fault strikes before anything is handed on; then it is done.
async fn refuse(client: &mut Wire, fault: Fault, shared: &Shared) -> bool {
    let status = match (fault, fault.status()) {
        (Fault::Cut, _) => None,
        (Fault::Reset, _) => {
            let _ = client.stream.set_zero_linger();
            None
        }
        (Fault::HangInHeaders, _) => {
            shared.strike(fault);
            gone(&mut client.stream).await;
            return true;
        }
        (_, None) => return false,
        (_, status) => status,
    };
    shared.strike(fault);
    if let Some(status) = status {
        let length = if status == 204 { "" } else { "content-length: 0\r\n" };
        let after = if status == 429 { "retry-after: 1\r\n" } else { "" };
        let head = format!("HTTP/1.1 {status} No\r\n{length}{after}connection: close\r\n\r\n");
        // Whoever is gone already was struck all the same.
        let _ = client.stream.write_all(head.as_bytes()).await;
        let _ = client.stream.shutdown().await;
    }
    true
}

/// A request for a stream, and the stream.
async fn stream(mut client: Wire, request: &Request, shared: &Shared) -> io::Result<()> {
    tokio::select! {
        biased;
        () = gone(&mut client.stream) => return Ok(()),
        () = shared.open_gate() => {}
    }
    let mut cuts = shared.cuts.subscribe();
    let fault = shared.take(|fault| fault.part() == Part::Opening);
    let opening = Opening { target: request.target.clone(), at: Instant::now(), fault };
    shared.openings.lock().unwrap_or_else(PoisonError::into_inner).push(opening);
    if let Some(fault) = fault
        && refuse(&mut client, fault, shared).await
    {
        return Ok(());
    }
    let opened = async {
        let mut server = Wire::over(TcpStream::connect(shared.server).await?);
        server.stream.write_all(&request.bytes).await?;
        let head = server.head().await?;
        io::Result::Ok((server, head))
    };
    let (mut server, head) = match opened.await {
        Ok(opened) => opened,
        Err(error) => {
            shared.arm_again(fault);
            return Err(error);
        }
    };
    if let Some(fault) = fault {
        shared.strike(fault);
        if fault == Fault::WrongContentType {
            let head = String::from_utf8_lossy(&head).replace("text/event-stream", "text/html");
            client.stream.write_all(head.as_bytes()).await?;
        }
        gone(&mut client.stream).await;
        return Ok(());
    }
    client.stream.write_all(&head).await?;
    tokio::select! {
        passed = pass(&mut client, &mut server, shared) => passed,
        _ = cuts.changed() => Ok(()),
    }
}

/// Passes on what the server says, until a fault strikes or either side ends it.
async fn pass(client: &mut Wire, server: &mut Wire, shared: &Shared) -> io::Result<()> {
    let (mut taken, mut given) = client.stream.split();
    let gone = async {
        let mut rest = [0u8; 512];
        while taken.read(&mut rest).await.is_ok_and(|count| count > 0) {}
    };
    tokio::pin!(gone);
    let mut mode = None;
    loop {
        let bytes = tokio::select! {
            bytes = server.bytes() => bytes?,
            () = &mut gone => return Ok(()),
        };
        let at = bytes.windows(shared.mark.len()).position(|window| window == shared.mark);
        let fault = at.and_then(|_| shared.take(|fault| fault.part() == Part::Stream));
        if let Some(fault) = fault {
            shared.strike(fault);
        }
        let half = &bytes[..at.map_or(0, |at| at + 1)];
        match fault {
            Some(Fault::Cut) => return Ok(()),
            Some(Fault::Reset) => {
                given.write_all(half).await?;
                return client.stream.set_zero_linger();
            }
            Some(Fault::HalfEvent) => return given.write_all(half).await,
            Some(Fault::HangMidEvent) => {
                given.write_all(half).await?;
                gone.await;
                return Ok(());
            }
            Some(slow) => mode = Some(slow),
            None => {}
        }
        match mode {
            Some(mode) => tokio::select! {
                sent = send(&mut given, &bytes, mode) => sent?,
                () = &mut gone => return Ok(()),
            },
            None => given.write_all(&bytes).await?,
        }
        if last_chunk(&bytes) {
            return Ok(());
        }
    }
}

/// Sends the bytes one by one, or lot by lot with pauses.
async fn send(to: &mut (impl AsyncWriteExt + Unpin), bytes: &[u8], mode: Fault) -> io::Result<()> {
    let (lot, pause) = if mode == Fault::Slow { SLOW } else { (1, Duration::ZERO) };
    for part in bytes.chunks(lot) {
        to.write_all(part).await?;
        if pause.is_zero() {
            tokio::task::yield_now().await;
        } else {
            sleep(pause).await;
        }
    }
    Ok(())
}
