//! Connecting to the server that is measured.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::failure::Failure;

/// Connections from one source address: fewer than there are ports to connect from.
const FROM_ONE_ADDRESS: usize = 20_000;
/// A server that does not take a connection in so long is not there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes connections to one address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dial {
    address: SocketAddr,
}

impl Dial {
    /// To that address.
    pub(super) const fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// To whatever the name stands for.
    ///
    /// # Errors
    /// It stands for nothing.
    pub(super) fn find(host: &str, port: u16) -> Result<Self, Failure> {
        let mut found =
            (host, port).to_socket_addrs().map_err(|error| Failure::new(format!("{host}: {error}")))?;
        found.next().map(Self::new).ok_or_else(|| Failure::new(format!("{host} stands for no address")))
    }

    /// The connection with this number. Connecting waits, reading and writing do not.
    ///
    /// # Errors
    /// The socket's.
    pub(super) fn connect(self, number: usize) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, Some(Protocol::TCP))?;
        if let Some(source) = self.source(number) {
            socket.bind(&source.into())?;
        }
        socket.connect_timeout(&self.address.into(), PATIENCE)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }

    /// The loopback network has addresses enough where ports run out.
    fn source(self, number: usize) -> Option<SocketAddr> {
        let further = u8::try_from(number / FROM_ONE_ADDRESS).unwrap_or(u8::MAX);
        (self.address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) && further > 0)
            .then(|| SocketAddr::from(([127, 0, 1, further], 0)))
    }
}

/// Makes closing leave nothing behind: ports are free again at once.
pub(super) fn forget_on_close(stream: &TcpStream) {
    // Where it cannot be set, the port rests for a minute.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
