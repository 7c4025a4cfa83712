//! What a process of this machine has used, and on which core it runs.

use std::fs;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde::Serialize;

/// Linux tells user space of processor time in hundredths of a second, whatever it counts in itself (proc(5)).
const TICKS_A_SECOND: u64 = 100;

/// Processor time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    user: Duration,
    system: Duration,
}

impl Used {
    /// What the process has used so far.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold anything; what follows it is counted from its closing bracket.
        let (_, rest) = text.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        let time = |ticks: u64| Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND);
        Some(Self { user: time(ticks()?), system: time(ticks()?) })
    }

    /// Microseconds that the process has used since, for each of `things`.
    pub(super) fn since(before: Option<Self>, pid: u32, things: u64) -> Option<PerThing> {
        let (before, after) = (before?, Self::of(pid)?);
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / things as f64;
        let (user, system) =
            (after.user.saturating_sub(before.user), after.system.saturating_sub(before.system));
        (things > 0).then(|| PerThing { all: micros(user + system), user: micros(user) })
    }
}

/// Processor microseconds for one of the things that were done.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PerThing {
    /// The process's and the kernel's for it.
    pub(super) all: f64,
    /// The process's own part.
    pub(super) user: f64,
}

/// Resident memory of the process in bytes.
pub(super) fn resident(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Two cores: one for what is measured, one for the driver.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cores {
    measured: usize,
    driver: usize,
}

impl Cores {
    /// The first two that this process may use; none where there is but one.
    pub(super) fn find() -> Option<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0)).ok()?;
        let mut cores = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false));
        Some(Self { measured: cores.next()?, driver: cores.next()? })
    }

    /// Carries `start` out on the core for what is measured: a process started there stays there.
    pub(super) fn on_measured<T>(cores: Option<Self>, start: impl FnOnce() -> T) -> T {
        let Some(cores) = cores else { return start() };
        pin(cores.measured);
        let started = start();
        pin(cores.driver);
        started
    }
}

/// Where it cannot be set, figures are noisier and nothing else.
fn pin(core: usize) {
    let mut set = CpuSet::new();
    if set.set(core).is_ok() {
        let _ = sched_setaffinity(Pid::from_raw(0), &set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let pid = std::process::id();
        assert!(Used::since(Used::of(pid), pid, 1).is_some());
        assert!(resident(pid).unwrap() > 64 * 1024);
        assert_eq!(Used::of(u32::MAX), None);
    }
}
