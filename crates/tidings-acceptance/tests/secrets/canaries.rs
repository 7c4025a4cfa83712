//! Texts that must not come back, and how they are looked for: pieces of them, in the forms in which a careless line of
//! a log would show them.

use std::collections::HashMap;

use data_encoding::{BASE64, HEXLOWER};

/// How long a piece is that is looked for, in bytes: what nobody draws twice.
const PIECE: usize = 14;

/// A canary that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) form: &'static str,
}

/// All canaries so far.
#[derive(Debug, Default)]
pub(crate) struct Canaries {
    count: usize,
    control: String,
    /// Pieces by their length.
    pieces: HashMap<usize, HashMap<Vec<u8>, Found>>,
}

/// Text that nobody else draws.
fn drawn() -> String {
    let letters = std::iter::repeat_with(|| char::from(rand::random_range(b'a'..=b'z')));
    letters.take(32).collect()
}

impl Canaries {
    /// A new one.
    pub(crate) fn fresh(&mut self, name: &str) -> String {
        let text = drawn();
        self.watch(name, &text);
        text
    }

    /// Text that may be shown: what finds it finds the others.
    pub(crate) fn fresh_control(&mut self) -> String {
        self.control = drawn();
        self.control.clone()
    }

    pub(crate) fn control(&self) -> &str {
        &self.control
    }

    /// A secret of the server's own making, or of the test's.
    pub(crate) fn watch(&mut self, name: &str, secret: &str) {
        assert!(secret.len() >= PIECE + 2, "{name} is too short to be looked for");
        self.count += 1;
        let bytes = secret.as_bytes();
        // Behind a prefix that all of its kind have, in the middle, and at the end.
        let starts = [4.min(bytes.len() - PIECE), (bytes.len() - PIECE) / 2, bytes.len() - PIECE];
        for start in starts {
            let piece = &bytes[start..start + PIECE];
            let numbers: Vec<String> = piece.iter().map(ToString::to_string).collect();
            for (form, text) in [
                ("as it is", piece.to_vec()),
                ("in upper case", piece.to_ascii_uppercase()),
                ("in hexadecimal", HEXLOWER.encode(piece).into_bytes()),
                ("as a list of bytes", numbers.join(", ").into_bytes()),
            ] {
                self.piece(name, form, text);
            }
        }
        // Base64 shows the same bytes in three ways, by where they begin.
        for shift in 0..3 {
            let text = BASE64.encode(&[&vec![b'x'; shift], bytes].concat());
            let whole = &text.as_bytes()[4..text.len() - 4];
            self.piece(name, "in base64", whole[..whole.len().min(20)].to_vec());
        }
    }

    fn piece(&mut self, name: &str, form: &'static str, text: Vec<u8>) {
        let found = Found { name: name.to_owned(), form };
        self.pieces.entry(text.len()).or_default().entry(text).or_insert(found);
    }

    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Every canary that shows in the bytes.
    pub(crate) fn find(&self, bytes: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        for (length, pieces) in &self.pieces {
            found.extend(bytes.windows(*length).filter_map(|window| pieces.get(window)).cloned());
        }
        found.sort();
        found.dedup();
        found
    }

    pub(crate) fn assert_none(&self, place: &str, bytes: &[u8]) {
        let found = self.find(bytes);
        if let Some(Found { name, form }) = found.first() {
            let (_, pieces) = self
                .pieces
                .iter()
                .find(|(length, pieces)| {
                    bytes
                        .windows(**length)
                        .any(|window| pieces.get(window).is_some_and(|found| found.name == *name))
                })
                .unwrap();
            let length = pieces.keys().next().unwrap().len();
            let at = bytes
                .windows(length)
                .position(|window| pieces.get(window).is_some_and(|found| found.name == *name))
                .unwrap();
            let around = &bytes[at.saturating_sub(200)..(at + length + 100).min(bytes.len())];
            panic!("{place}: {name} {form}: {}", String::from_utf8_lossy(around));
        }
    }
}

#[test]
fn canaries_are_found_in_every_form() {
    let mut canaries = Canaries::default();
    let text = canaries.fresh("it");
    let bytes = format!("{:?}", text.as_bytes());
    for (place, shown) in [
        ("as it is", format!("…{text}…")),
        ("cut", text[..24].to_owned()),
        ("quoted", format!("{text:?}")),
        ("bytes", bytes),
        ("hexadecimal", HEXLOWER.encode(text.as_bytes())),
        ("base64", BASE64.encode(format!("user:{text}").as_bytes())),
        ("upper case", text.to_uppercase()),
    ] {
        assert!(!canaries.find(shown.as_bytes()).is_empty(), "{place}");
    }
    assert!(canaries.find(drawn().as_bytes()).is_empty());
}
