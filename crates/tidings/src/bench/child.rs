//! A process that the benchmark starts and ends, on a core of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child as Process, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::process::Cores;
use crate::failure::Failure;

/// A process; it is killed when this goes.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
}

impl Child {
    /// Starts this program with `arguments` and `variables` and nothing else of this process's surroundings; answers the
    /// first line that it writes, too.
    ///
    /// # Errors
    /// It does not start, or ends without a word.
    pub(super) fn start(
        cores: Option<Cores>,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<(Self, String), Failure> {
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Cores::on_measured(cores, || command.spawn()).map_err(failed)?;
        let said = process.stdout.take();
        let mut child = Self { process };
        let mut line = String::new();
        if let Some(said) = said {
            BufReader::new(said).read_line(&mut line).map_err(failed)?;
        }
        if line.is_empty() {
            let status = child.process.wait().map_err(failed)?;
            return Err(Failure::new(format!("a process of the benchmark ended at once ({status})")));
        }
        Ok((child, line.trim_end().to_owned()))
    }

    /// Its id.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn end(mut self) {
        if let Ok(pid) = i32::try_from(self.process.id())
            && kill(Pid::from_raw(pid), Signal::SIGTERM).is_ok()
        {
            let _ = self.process.wait();
        }
    }

    /// Ends it at once, whatever it is doing.
    pub(super) fn kill(self) {
        drop(self);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // One that has ended already is not there to be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: std::io::Error) -> Failure {
    Failure::new(format!("a process of the benchmark: {error}"))
}
