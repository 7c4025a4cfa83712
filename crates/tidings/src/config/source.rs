//! Where configuration is read from: the process, or a test's own values.

use std::ffi::OsString;
use std::io;
use std::path::Path;

/// The surroundings that configuration is read from.
pub(crate) trait Sources {
    /// All environment variables.
    fn variables(&self) -> Vec<(OsString, OsString)>;

    /// The text of a file.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// One variable, if it is set to something.
    fn variable(&self, name: &str) -> Option<String> {
        let found = self.variables().into_iter().find(|(other, _)| other == name)?;
        found.1.into_string().ok().filter(|value| !value.is_empty())
    }
}

/// The process's own environment and files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process;

impl Sources for Process {
    fn variables(&self) -> Vec<(OsString, OsString)> {
        std::env::vars_os().collect()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

/// Values of a test's own.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    pub(crate) variables: Vec<(&'static str, String)>,
    pub(crate) files: Vec<(&'static str, String)>,
}

#[cfg(test)]
impl Sources for Given {
    fn variables(&self) -> Vec<(OsString, OsString)> {
        self.variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let found = self.files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| text.clone()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
