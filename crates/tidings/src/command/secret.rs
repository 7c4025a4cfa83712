//! Secrets that are handed in: from a file, or typed where nobody sees them.
//!
//! Never from the command line, which others on the machine can read.

use std::io::{self, BufRead, IsTerminal, Read};
use std::os::fd::AsFd;
use std::path::Path;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use tidings_server::admin::secret::SecretText;

use crate::failure::Failure;
use crate::output::say;

/// The most that is read, in bytes: more than any secret has.
const MOST: u64 = 4 * 1024;

/// The first line of a file.
///
/// # Errors
/// The file cannot be read.
pub(super) fn from_file(path: &Path) -> Result<SecretText, Failure> {
    let opened = std::fs::File::open(path);
    let read = opened.and_then(|file| first_line(&mut io::BufReader::new(file)));
    read.map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}

/// The first line of stdin; from a terminal it is asked for twice, and not shown.
///
/// # Errors
/// Stdin cannot be read, or what was typed differs.
pub(super) fn from_stdin(what: &str) -> Result<SecretText, Failure> {
    let unreadable = |error: io::Error| Failure::new(format!("cannot read the {what} from stdin: {error}"));
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return first_line(&mut stdin.lock()).map_err(unreadable);
    }
    let hidden = Hidden::begin(&stdin).map_err(unreadable)?;
    say(&format!("{what}:"));
    let first = first_line(&mut stdin.lock()).map_err(unreadable)?;
    say("and once more:");
    let second = first_line(&mut stdin.lock()).map_err(unreadable)?;
    drop(hidden);
    if first == second {
        Ok(first)
    } else {
        Err(Failure::usage("the two are not the same: nothing was changed"))
    }
}

fn first_line(from: &mut impl BufRead) -> io::Result<SecretText> {
    let mut line = String::new();
    from.take(MOST).read_line(&mut line)?;
    let text = line.strip_suffix('\n').unwrap_or(&line);
    Ok(SecretText::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

/// A terminal that does not show what is typed, as long as this lives.
struct Hidden<'a> {
    terminal: &'a io::Stdin,
    before: Termios,
}

impl<'a> Hidden<'a> {
    fn begin(terminal: &'a io::Stdin) -> io::Result<Self> {
        let before = tcgetattr(terminal.as_fd())?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        silent.local_flags.insert(LocalFlags::ECHONL);
        tcsetattr(terminal.as_fd(), SetArg::TCSAFLUSH, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        // Where the terminal has gone there is nothing to set back.
        let _ = tcsetattr(self.terminal.as_fd(), SetArg::TCSAFLUSH, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_first_line_without_its_end() {
        for (text, secret) in [("a b \n", "a b "), ("a\r\nb\n", "a"), ("a", "a"), ("", ""), ("\n", "")] {
            let read = first_line(&mut text.as_bytes()).unwrap();
            assert_eq!(read.into_string(), secret, "{text:?}");
        }
        let read = first_line(&mut "x".repeat(10_000).as_bytes()).unwrap();
        assert_eq!(read.into_string().len(), 4 * 1024);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let refused = from_file(Path::new("/no/such/file")).unwrap_err().to_string();
        assert!(refused.contains("/no/such/file"), "{refused}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hush\n").unwrap();
        assert_eq!(from_file(file.path()).unwrap().into_string(), "hush");
    }
}
