//! What a command says: data on stdout, words on stderr.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Where a command's output goes, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// Data is JSON, a line each.
    pub(crate) json: bool,
}

impl Output {
    /// Writes a line of data.
    ///
    /// # Errors
    /// [`Failure::closed`] where nobody reads any more.
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())
    }

    /// Writes a line of data that need not be UTF-8.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub(crate) fn bytes(self, line: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let written = out.write_all(line).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
        written.map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Failure::closed(),
            _ => Failure::new(format!("cannot write to stdout: {error}")),
        })
    }

    /// Writes the value as a line of JSON, or what `words` makes of it.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub(crate) fn data<T: Serialize>(
        self,
        value: &T,
        words: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        if self.json {
            let text = serde_json::to_string(value).map_err(|error| Failure::new(error.to_string()))?;
            return self.line(&text);
        }
        self.line(&words(value))
    }
}

/// Says something to whoever runs the command. A closed stderr is no reason to stop.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Rows of words in columns, the first row the titles.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(&[row(["id", "name"]), row(["key_ä", "x"]), row(["k", ""])]);
        assert_eq!(text, "id     name\nkey_ä  x\nk");
        assert_eq!(table(&[]), "");
    }
}
