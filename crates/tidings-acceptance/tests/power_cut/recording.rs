//! The record that the shim has written, entry by entry.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

const MAGIC: u32 = 0x5444_5243;
const HEAD_BYTES: usize = 32;

/// One entry. Files are numbered by opening: the same path has as many numbers as it was opened.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A process began.
    Start,
    /// A file or directory was opened.
    Open { file: usize, path: PathBuf, created: bool, emptied: bool },
    /// Bytes were written.
    Write { file: usize, at: usize, bytes: Vec<u8> },
    /// The length was set.
    Truncate { file: usize, length: usize },
    /// A sync begins.
    SyncBegin { file: usize, sync: u64 },
    /// That sync has ended; what was written before its beginning is on disk if it succeeded.
    SyncEnd { sync: u64, succeeded: bool },
    /// A file has another name.
    Rename { from: PathBuf, to: PathBuf },
    /// A name is gone.
    Unlink { path: PathBuf },
    /// A directory was made.
    MakeDirectory { path: PathBuf },
    /// Bytes are about to be sent on a socket.
    Send { bytes: Vec<u8> },
    /// A call was made to fail.
    Fault,
}

struct Head {
    op: u32,
    file: usize,
    length: usize,
    first: u64,
    second: u64,
}

/// Reads a whole record; an entry that the process's death cut short is left out.
pub(crate) fn read(path: &Path) -> Vec<Entry> {
    let bytes = std::fs::read(path).expect("the record");
    let (mut rest, mut entries) = (&bytes[..], Vec::new());
    let mut numbers = Numbers::default();
    while rest.len() >= HEAD_BYTES {
        let head = head(rest);
        rest = &rest[HEAD_BYTES..];
        if rest.len() < head.length {
            break;
        }
        let (data, after) = rest.split_at(head.length);
        rest = after;
        entries.push(numbers.entry(&head, data));
    }
    entries
}

fn head(bytes: &[u8]) -> Head {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    assert_eq!(word(0), MAGIC, "the record is out of step");
    // Sockets and what is no file have numbers of their own kind, which are not looked at.
    let file = usize::try_from(word(8).cast_signed()).unwrap_or(usize::MAX);
    Head { op: word(4), file, length: word(12) as usize, first: long(16), second: long(24) }
}

/// Each process counts from one: here its numbers become distinct from those of the process before.
#[derive(Default)]
struct Numbers {
    processes: u64,
    files: HashMap<(u64, usize), usize>,
}

impl Numbers {
    fn entry(&mut self, head: &Head, data: &[u8]) -> Entry {
        let path = |data: &[u8]| PathBuf::from(std::str::from_utf8(data).expect("a path"));
        let number = |value: u64| usize::try_from(value).unwrap();
        match head.op {
            0 => {
                self.processes += 1;
                Entry::Start
            }
            1 => {
                let file = self.files.len();
                self.files.insert((self.processes, head.file), file);
                Entry::Open { file, path: path(data), created: head.first == 1, emptied: head.second == 1 }
            }
            2 => Entry::Write { file: self.file(head), at: number(head.first), bytes: data.to_vec() },
            3 => Entry::Truncate { file: self.file(head), length: number(head.first) },
            4 => Entry::SyncBegin { file: self.file(head), sync: self.sync(head) },
            5 => Entry::SyncEnd { sync: self.sync(head), succeeded: head.second == 0 },
            6 => {
                let mut names = data.split(|byte| *byte == 0);
                let mut next = || path(names.next().expect("two names"));
                Entry::Rename { from: next(), to: next() }
            }
            7 => Entry::Unlink { path: path(data) },
            8 => Entry::MakeDirectory { path: path(data) },
            9 => Entry::Send { bytes: data.to_vec() },
            10 => Entry::Fault,
            other => panic!("an entry of no kind: {other}"),
        }
    }

    fn file(&self, head: &Head) -> usize {
        *self.files.get(&(self.processes, head.file)).expect("a file that was opened")
    }

    fn sync(&self, head: &Head) -> u64 {
        self.processes << 32 | head.first
    }
}
