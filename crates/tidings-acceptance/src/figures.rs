//! What the server says of itself in `/metrics`, and what the system says of its process.

use std::net::SocketAddr;

use crate::http;
use crate::target::Target;

/// One reading of `/metrics`.
#[derive(Debug, Clone)]
pub struct Figures(String);

impl Figures {
    /// Reads them.
    ///
    /// # Panics
    /// If the server does not answer.
    pub async fn read(address: SocketAddr) -> Self {
        let answer = http::ask(&Target::new(address, ""), "GET", "/metrics", None).await.expect("metrics");
        Self(String::from_utf8(answer.body).expect("metrics are text"))
    }

    /// As they stand in this text.
    #[must_use]
    pub const fn of(text: String) -> Self {
        Self(text)
    }

    /// The sum of a figure over all its rows that have this label (`reason="lifetime"`), or any if it is empty.
    ///
    /// # Panics
    /// If a row is no number.
    #[must_use]
    pub fn sum(&self, name: &str, label: &str) -> u64 {
        let rows = self.0.lines().filter_map(|line| line.strip_prefix(name)?.split_once(' ')).filter(
            |(labels, _)| {
                let is_name = labels.is_empty() || labels.starts_with('{');
                is_name && labels.contains(label)
            },
        );
        rows.map(|(_, value)| value.parse::<u64>().expect("a count")).sum()
    }

    /// Streams open now.
    #[must_use]
    pub fn streams(&self) -> u64 {
        self.sum("tidings_streams", "")
    }
}

/// Bytes that a process has in memory.
///
/// # Panics
/// If there is no such process.
#[must_use]
pub fn resident_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process's memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}
