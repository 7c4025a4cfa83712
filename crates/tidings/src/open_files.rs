//! The limit of open files: each connection takes one.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// No limit is this large; what counts slots need not count further.
const ENOUGH: u64 = 1 << 24;

/// What the process may have open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

/// Raises the soft limit to the hard one, and answers what holds now.
pub(crate) fn raise() -> OpenFiles {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return OpenFiles { soft: 1_024, hard: 1_024 };
    };
    let raised = soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
    let soft = if raised { hard } else { soft };
    OpenFiles { soft: soft.min(ENOUGH), hard: hard.min(ENOUGH) }
}

impl OpenFiles {
    /// What holds now.
    pub(crate) fn now(self) -> usize {
        usize::try_from(self.soft).unwrap_or(usize::MAX)
    }
}
