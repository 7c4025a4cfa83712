//! Configuration: from what was said to what is decided.
//!
//! Owns: the one table of keys ([`key`]), where values come from ([`source`]), what was said ([`raw`]), what is decided
//! ([`settings`]), and how both are shown ([`mod@print`], `reference`). Leaves out: acting on any of it.
//!
//! Invariants: flags win over variables, variables over the file, the file over the defaults; whatever is not
//! understood is an error that names it, never ignored; nothing here reads the environment or the disk but through
//! [`source::Sources`].

pub(crate) mod fault;
pub(crate) mod file;
pub(crate) mod issuers;
pub(crate) mod key;
pub(crate) mod keys;
pub(crate) mod members;
pub(crate) mod nearest;
pub(crate) mod origin;
pub(crate) mod print;
pub(crate) mod raw;
#[cfg(test)]
pub(crate) mod reference;
pub(crate) mod settings;
pub(crate) mod source;
pub(crate) mod units;
pub(crate) mod variables;

use std::collections::BTreeMap;

pub(crate) use fault::{Fault, Faults};
pub(crate) use origin::Origin;
pub(crate) use raw::{Flags, RawConfig};
pub(crate) use settings::Settings;
pub(crate) use source::{Process, Sources};

/// The settings, and where each came from.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    /// By key; what is not in here is a default.
    pub(crate) origins: BTreeMap<&'static str, Origin>,
    /// What was said and has no effect, or not the one expected: for people to read.
    pub(crate) notes: Vec<String>,
}

/// Reads, decides and checks, with the keys that stand in files of their own.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub(crate) fn load(flags: &Flags, sources: &dyn Sources) -> Result<Loaded, Faults> {
    let mut loaded = read(flags, sources)?;
    settings::check(&loaded.settings, &loaded.origins)?;
    loaded.settings.server.issuers = issuers::resolve(&loaded.settings.issuers, sources).map_err(Faults)?;
    Ok(loaded)
}

/// The same, without asking whether a server could start with it: for commands that only look for the data directory.
///
/// # Errors
/// Everything that cannot be read.
pub(crate) fn read(flags: &Flags, sources: &dyn Sources) -> Result<Loaded, Faults> {
    RawConfig::gather(flags, sources)?.decide()
}

#[cfg(test)]
mod tests;
