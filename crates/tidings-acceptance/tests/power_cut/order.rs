//! The order of things in the record: nothing is said of an event before a sync that covers its commit has ended.

use std::collections::HashMap;
use std::path::Path;

use crate::receipts;
use crate::recording::Entry;

const FRAME_HEAD: usize = 24;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Events that an answer acknowledged.
    pub(crate) acknowledged: usize,
    /// Events that went out to subscribers and readers, each time counted.
    pub(crate) shown: usize,
}

/// Goes through the record. `numbers` tells the number behind an id.
///
/// # Panics
/// For anything that was sent too early.
pub(crate) fn check(entries: &[Entry], numbers: &HashMap<String, u64>) -> Order {
    let log = WriteAhead::read(entries);
    let mut order = Order::default();
    for (place, entry) in entries.iter().enumerate() {
        let Entry::Send { bytes } = entry else { continue };
        for id in receipts(bytes) {
            let n = numbers.get(&id).unwrap_or_else(|| panic!("{id} was answered and not received"));
            log.expect_durable(*n, place, "acknowledged");
            order.acknowledged += 1;
        }
        for n in numbers_in(bytes) {
            log.expect_durable(n, place, "shown");
            order.shown += 1;
        }
    }
    order
}

/// What the record says about SQLite's write-ahead log.
struct WriteAhead {
    /// For each number, where the commit that first holds it was completely written.
    committed: HashMap<u64, usize>,
    /// Syncs of the log that succeeded: beginning and end.
    syncs: Vec<(usize, usize)>,
}

impl WriteAhead {
    fn read(entries: &[Entry]) -> Self {
        let mut log = Self { committed: HashMap::new(), syncs: Vec::new() };
        let (mut files, mut begun) = (HashMap::new(), HashMap::new());
        // Numbers in frames of a transaction whose commit frame has not come, and whether the present frame is one.
        let (mut waiting, mut commits) = (Vec::new(), false);
        for (place, entry) in entries.iter().enumerate() {
            match entry {
                Entry::Open { file, path, .. } => {
                    files.insert(*file, is_log(path));
                }
                Entry::Write { file, bytes, .. } if files[file] => {
                    if bytes.len() == FRAME_HEAD {
                        commits = bytes[4..8] != [0; 4];
                        continue;
                    }
                    waiting.extend(numbers_in(bytes));
                    if commits {
                        for n in waiting.drain(..) {
                            log.committed.entry(n).or_insert(place);
                        }
                        commits = false;
                    }
                }
                Entry::SyncBegin { file, sync } if files[file] => {
                    begun.insert(*sync, place);
                }
                Entry::SyncEnd { sync, succeeded: true } => {
                    log.syncs.extend(begun.remove(sync).map(|begin| (begin, place)));
                }
                _ => {}
            }
        }
        log
    }

    fn expect_durable(&self, n: u64, place: usize, what: &str) {
        let committed =
            *self.committed.get(&n).unwrap_or_else(|| panic!("{n} was {what} and never committed"));
        let covered = self.syncs.iter().any(|(begin, end)| *begin > committed && *end < place);
        assert!(
            covered,
            "{n} was {what} at {place}, committed at {committed}, with no finished sync between"
        );
    }
}

fn is_log(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-wal")
}

/// The numbers of the events in a page or a message.
fn numbers_in(bytes: &[u8]) -> Vec<u64> {
    const MARK: &[u8] = b"{\"n\":";
    let starts = bytes.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    let number = |start: usize| {
        let rest = &bytes[start + MARK.len()..];
        let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        (rest[digits] == b',').then(|| std::str::from_utf8(&rest[..digits]).ok()?.parse().ok())?
    };
    starts.filter_map(|(start, _)| number(start)).collect()
}
