//! Slots for connections: in all, and by address. Given back when a connection ends, however it ends.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;

/// The slots.
#[derive(Debug)]
pub struct Slots {
    all: Arc<Semaphore>,
    per_address: usize,
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's slot.
#[derive(Debug)]
pub struct ConnectionGuard {
    slots: Arc<Slots>,
    app: Arc<App>,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    /// `all` slots, and `per_address` of them for one address (zero: no limit).
    #[must_use]
    pub fn new(all: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { all: Arc::new(Semaphore::new(all)), per_address, addresses: Mutex::default() })
    }

    /// Waits until there is a slot: until then the kernel holds what comes.
    pub async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        self.all.clone().acquire_owned().await.ok()
    }

    /// Takes a slot for a connection, unless its address has all that it may have.
    pub fn enter(
        self: &Arc<Self>,
        app: &Arc<App>,
        address: IpAddr,
        permit: OwnedSemaphorePermit,
    ) -> Option<ConnectionGuard> {
        if self.per_address > 0 {
            let mut addresses = self.addresses.lock();
            let count = addresses.entry(address).or_default();
            if *count >= self.per_address {
                return None;
            }
            *count += 1;
        }
        app.metrics.connection_opened();
        Some(ConnectionGuard { slots: self.clone(), app: app.clone(), address, _permit: permit })
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.app.metrics.connection_closed();
        if self.slots.per_address > 0 {
            let mut addresses = self.slots.addresses.lock();
            if let Some(count) = addresses.get_mut(&self.address) {
                *count -= 1;
                if *count == 0 {
                    addresses.remove(&self.address);
                }
            }
        }
    }
}
