//! The machine: space, files, time.

use std::path::Path;

use nix::sys::statvfs::statvfs;
use tidings_protocol::time::Timestamp;
use tidings_server::clock::wall_time;

use super::check::Check;
use crate::config::units::show_size;
use crate::open_files;

/// Below this, writing may fail soon.
const LITTLE_SPACE: u64 = 1 << 30;
/// Below this, it fails at the next burst.
const NO_SPACE: u64 = 64 << 20;
/// Fewer files than this are few connections.
const FEW_FILES: u64 = 4_096;
/// 2025-01-01T00:00:00Z: no clock that is right shows an earlier time.
const EARLIEST: Timestamp = Timestamp(1_735_689_600_000);
/// 2100-01-01T00:00:00Z: nor a later one, for as long as this release is run.
const LATEST: Timestamp = Timestamp(4_102_444_800_000);

/// Whether there is room for the log to grow.
pub(super) fn disk(directory: &Path) -> Check {
    let name = "disk space";
    let free = match statvfs(directory) {
        Ok(found) => found.blocks_available().saturating_mul(found.fragment_size()),
        Err(error) => return Check::warn(name, format!("cannot be told: {error}"), "look with df"),
    };
    let shown = format!("{} free", rounded(free));
    let advice = "make room, or lower log.retention.age and log.retention.events_per_channel";
    match free {
        ..NO_SPACE => Check::fail(name, shown, advice),
        NO_SPACE..LITTLE_SPACE => Check::warn(name, shown, advice),
        LITTLE_SPACE.. => Check::ok(name, shown),
    }
}

fn rounded(bytes: u64) -> String {
    let unit = [1 << 30, 1 << 20, 1].into_iter().find(|unit| bytes >= *unit).unwrap_or(1);
    show_size(bytes / unit * unit)
}

/// Whether there are files enough for many connections.
pub(super) fn open_files() -> Check {
    let name = "open files";
    let limit = open_files::raise();
    if limit.soft < FEW_FILES {
        let advice =
            "raise it where the server is started: LimitNOFILE=65536 in a systemd unit, or ulimit -n 65536";
        return Check::warn(name, format!("at most {}, and each connection takes one", limit.soft), advice);
    }
    Check::ok(name, format!("at most {}", limit.soft))
}

/// Whether the clock shows a time that can be.
pub(super) fn clock() -> Check {
    let now = wall_time();
    let advice = "set the clock and keep it right (NTP): expiry and retention go by it";
    if now < EARLIEST || now > LATEST {
        return Check::fail("clock", format!("it shows {now}"), advice);
    }
    Check::ok("clock", format!("it shows {now}"))
}
