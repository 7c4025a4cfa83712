//! What a disk holds after the power went: the record played back up to a point, with what no sync had covered dropped,
//! kept in part, or torn.
//!
//! The model is as mean as POSIX allows. A write counts only once a sync of its file has begun after it and succeeded;
//! a name only once its directory was synced so. What counts for nothing yet may be there or not, each by itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::rngs::StdRng;

use crate::recording::Entry;

/// What a disk writes at once.
const SECTOR: usize = 512;

/// What becomes of that which no sync had covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uncovered {
    /// Nothing of it is there.
    Dropped,
    /// Each change is there or not.
    Some,
    /// All of it is there, but of the last write only some sectors.
    Torn,
    /// All of it is there: the process died, the power did not go.
    Kept,
}

impl Uncovered {
    pub(crate) const ALL: [Self; 3] = [Self::Dropped, Self::Some, Self::Torn];
}

/// What is on the disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) directories: BTreeSet<PathBuf>,
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
    /// Changes that no sync had covered.
    pub(crate) uncovered: usize,
}

/// One change, and whether a sync has covered it.
struct Change<'a> {
    covered: bool,
    what: What<'a>,
}

enum What<'a> {
    Name { path: &'a Path, inode: usize },
    Directory { path: &'a Path },
    Gone { path: &'a Path },
    Moved { from: &'a Path, to: &'a Path },
    Bytes { inode: usize, at: usize, bytes: &'a [u8] },
    Length { inode: usize, length: usize },
}

/// What a sync covers: a file's bytes, or a directory's names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    Inode(usize),
    Directory(PathBuf),
}

/// Plays the record back up to `cut`. `root` was there before.
pub(crate) fn after_cut(
    entries: &[Entry],
    cut: usize,
    root: &Path,
    fate: Uncovered,
    random: &mut StdRng,
) -> Disk {
    let changes = changes(&entries[..cut]);
    let last =
        changes.iter().rposition(|change| !change.covered && matches!(change.what, What::Bytes { .. }));
    let mut disk =
        Disk { uncovered: changes.iter().filter(|change| !change.covered).count(), ..Disk::default() };
    disk.directories.insert(root.to_owned());
    let (mut names, mut inodes) = (BTreeMap::new(), HashMap::<usize, Vec<u8>>::new());
    for (index, change) in changes.iter().enumerate() {
        let is_there = change.covered
            || match fate {
                Uncovered::Dropped => false,
                Uncovered::Some => random.random_bool(0.5),
                Uncovered::Torn | Uncovered::Kept => true,
            };
        if !is_there {
            continue;
        }
        let torn = fate == Uncovered::Torn && Some(index) == last;
        apply(&change.what, torn, &mut disk, &mut names, &mut inodes, random);
    }
    for (path, inode) in names {
        if path.parent().is_some_and(|parent| disk.directories.contains(parent)) {
            disk.files.insert(path, inodes.get(&inode).cloned().unwrap_or_default());
        }
    }
    disk
}

fn apply(
    what: &What<'_>,
    torn: bool,
    disk: &mut Disk,
    names: &mut BTreeMap<PathBuf, usize>,
    inodes: &mut HashMap<usize, Vec<u8>>,
    random: &mut StdRng,
) {
    match what {
        What::Name { path, inode } => {
            names.insert(path.to_path_buf(), *inode);
        }
        What::Directory { path } => {
            disk.directories.insert(path.to_path_buf());
        }
        What::Gone { path } => {
            names.remove(*path);
        }
        What::Moved { from, to } => {
            if let Some(inode) = names.remove(*from) {
                names.insert(to.to_path_buf(), inode);
            }
        }
        What::Length { inode, length } => inodes.entry(*inode).or_default().resize(*length, 0),
        What::Bytes { inode, at, bytes } => {
            let file = inodes.entry(*inode).or_default();
            for (start, sector) in sectors(*at, bytes) {
                if torn && random.random_bool(0.5) {
                    continue;
                }
                let end = start + sector.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[start..end].copy_from_slice(sector);
            }
        }
    }
}

/// The pieces of a write that a disk writes at once each.
fn sectors(at: usize, bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let (mut pieces, mut at, mut rest) = (Vec::new(), at, bytes);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((SECTOR - at % SECTOR).min(rest.len()));
        pieces.push((at, piece));
        at += piece.len();
        rest = after;
    }
    pieces
}

/// All changes, with whether a sync that began later has succeeded.
fn changes(entries: &[Entry]) -> Vec<Change<'_>> {
    let mut changes: Vec<Change<'_>> = Vec::new();
    let mut open: HashMap<usize, Subject> = HashMap::new();
    let mut inodes: HashMap<&Path, usize> = HashMap::new();
    let mut waiting: HashMap<Subject, Vec<usize>> = HashMap::new();
    let mut syncs: HashMap<u64, Vec<usize>> = HashMap::new();
    for entry in entries {
        let (subject, what) = match entry {
            Entry::Open { file, path, created, emptied } => {
                // A path that was opened and never made is a directory: every file is born in the record.
                if !created && !inodes.contains_key(path.as_path()) {
                    open.insert(*file, Subject::Directory(path.clone()));
                    continue;
                }
                if *created {
                    inodes.insert(path, *file);
                }
                let inode = inodes[path.as_path()];
                open.insert(*file, Subject::Inode(inode));
                match (created, emptied) {
                    (true, _) => (directory_of(path), What::Name { path, inode }),
                    (false, true) => (Subject::Inode(inode), What::Length { inode, length: 0 }),
                    (false, false) => continue,
                }
            }
            Entry::Write { file, at, bytes } => {
                let Subject::Inode(inode) = open[file] else { panic!("bytes for a directory") };
                (Subject::Inode(inode), What::Bytes { inode, at: *at, bytes })
            }
            Entry::Truncate { file, length } => {
                let Subject::Inode(inode) = open[file] else { panic!("a length for a directory") };
                (Subject::Inode(inode), What::Length { inode, length: *length })
            }
            Entry::SyncBegin { file, sync } => {
                syncs.insert(*sync, waiting.remove(&open[file]).unwrap_or_default());
                continue;
            }
            Entry::SyncEnd { sync, succeeded } => {
                // After a failure the system forgets that these were ever to be written.
                for index in syncs.remove(sync).unwrap_or_default() {
                    changes[index].covered = *succeeded;
                }
                continue;
            }
            Entry::Unlink { path } => {
                inodes.remove(path.as_path());
                (directory_of(path), What::Gone { path })
            }
            Entry::Rename { from, to } => {
                if let Some(inode) = inodes.remove(from.as_path()) {
                    inodes.insert(to, inode);
                }
                (directory_of(to), What::Moved { from, to })
            }
            Entry::MakeDirectory { path } => (directory_of(path), What::Directory { path }),
            Entry::Start | Entry::Send { .. } | Entry::Fault => continue,
        };
        waiting.entry(subject).or_default().push(changes.len());
        changes.push(Change { covered: false, what });
    }
    changes
}

fn directory_of(path: &Path) -> Subject {
    Subject::Directory(path.parent().expect("a path in a directory").to_owned())
}

impl Disk {
    /// Writes everything below `from` of the disk into `to`.
    pub(crate) fn restore(&self, from: &Path, to: &Path) {
        let place = |path: &Path| path.strip_prefix(from).ok().map(|below| to.join(below));
        for directory in self.directories.iter().filter_map(|path| place(path)) {
            std::fs::create_dir_all(directory).expect("a directory");
        }
        for (path, bytes) in &self.files {
            // The shared index is not what was in the mapped memory; SQLite makes it anew.
            if path.extension().is_some_and(|extension| extension == "db-shm") {
                continue;
            }
            if let Some(path) = place(path) {
                std::fs::write(path, bytes).expect("a file");
            }
        }
    }
}
