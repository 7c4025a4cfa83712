//! Drives every fuzz target with the kept corpus and with seeded mutations of it.
//!
//! `TIDINGS_FUZZ_ITERATIONS` sets the number of mutations in total (1,000,000), `TIDINGS_FUZZ_SEED` the seed: the same
//! two give the same inputs. A failure names its target and seed and prints the input, which then belongs into
//! `fuzz-corpus/<target>/`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)] // A test crate as a whole, helpers included.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use tidings_protocol::fuzz::{TARGETS, Target};

const ITERATIONS: u64 = 1_000_000;
const SEED: u64 = 0x7469_6469_6E67_7300;

/// Inputs grow no longer than this by mutation; kept ones may be longer.
const INPUT_BYTES: usize = 512;

/// What the formats are made of; mutations at random would rarely come upon it.
const TOKENS: &[&[u8]] = &[
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"\r\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b": ",
    b",",
    b";",
    b"=",
    b"*",
    b"$",
    b".",
    b"\xEF\xBB\xBF",
    b"\xEF\xBB",
    b"\xC3",
    b"\xA9",
    b"\xE2\x80\xA8",
    b"\xF0\x9F\x98\x80",
    b"\xED\xA0\x80",
    b"\xFF",
    b"data",
    b"data: ",
    b"id: ",
    b"id",
    b"event: ",
    b"retry: ",
    b"99999999999999999999",
    b":\n\n",
    b"0\r\n\r\n",
    b"1\r\nx\r\n",
    b"ffffffffffffffff",
    b"7fffffffffffffff",
    b"A",
    b"0",
    b"\x81",
    b"\x01",
    b"\x80",
    b"\x00",
    b"\x88",
    b"\x89\x00",
    b"\x8A\x00",
    b"\x82\x7E\x00\x7E",
    b"\x82\x7F",
    b"\xFE\x00\x80",
    b"\xFF\x00\x00\x00\x00\x00\x01\x00\x00",
    b"\x03\xE8",
    b"\x03\xED",
    b"\x0F\xA0",
    b"Upgrade: websocket\n",
    b"Connection: keep-alive, Upgrade\n",
    b"Sec-WebSocket-Version: 13\n",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n",
    b"dGhlIHNhbXBsZSBub25jZQ==",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"-1",
    b"1e999",
    b"{\"op\":\"",
    b"\"ref\":",
    b"channel",
    b"type",
    b"data\":",
    b"cast:*",
    b"00000000000AB.0000000",
];

#[test]
fn targets_hold_their_invariants_for_corpus_and_mutations() {
    let iterations = number("TIDINGS_FUZZ_ITERATIONS").unwrap_or(ITERATIONS);
    let seed = number("TIDINGS_FUZZ_SEED").unwrap_or(SEED);
    let share = iterations.div_ceil(TARGETS.len() as u64);
    let mut total = 0;
    for &(name, target) in TARGETS {
        let corpus = corpus(name);
        for input in &corpus {
            run(name, target, seed, input);
        }
        // The name, not the place in the table, so that a new target leaves the inputs of the others as they are.
        let mut random = Random(name.bytes().fold(seed, |seed, byte| Random(seed ^ u64::from(byte)).next()));
        for _ in 0..share {
            run(name, target, seed, &mutate(&corpus, &mut random));
        }
        println!("{name}: {} kept inputs, {share} mutations", corpus.len());
        total += share;
    }
    println!("fuzzed {} targets with {total} mutations, seed {seed}: all invariants held", TARGETS.len());
}

#[test]
fn corpus_has_no_folder_without_a_target() {
    for folder in fs::read_dir(corpus_root()).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(TARGETS.iter().any(|target| target.0 == name), "no target named {name}");
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a whole number"))
}

fn corpus_root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz-corpus"))
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = corpus_root().join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{name} has no kept inputs");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn run(name: &str, target: Target, seed: u64, input: &[u8]) {
    if let Err(failure) = panic::catch_unwind(AssertUnwindSafe(|| target(input))) {
        eprintln!(
            "fuzz target {name} failed, TIDINGS_FUZZ_SEED={seed}, on the input\nb\"{}\"",
            input.escape_ascii()
        );
        panic::resume_unwind(failure);
    }
}

/// A kept input with one to eight changes.
fn mutate(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(8) {
        change(&mut input, corpus, random);
    }
    input.truncate(INPUT_BYTES.max(random.below(4) * INPUT_BYTES));
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let len = random.below(16).min(input.len() - at);
    match random.below(10) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = random.byte(),
        2 => input.insert(at, random.byte()),
        3 => drop(input.drain(at..at + len)),
        4 => input.truncate(at),
        5 => {
            let copy = input[at..at + len].to_vec();
            let to = random.below(input.len() + 1);
            input.splice(to..to, copy);
        }
        6 => {
            let other = &corpus[random.below(corpus.len())];
            let from = random.below(other.len() + 1);
            input.splice(at.., other[from..].iter().copied());
        }
        7 if at < input.len() => {
            let last = input.len() - 1;
            input.swap(at, last.min(at + len));
        }
        _ => {
            let token = TOKENS[random.below(TOKENS.len())];
            input.splice(at..at, token.iter().copied());
        }
    }
}

/// SplitMix64: small, fast, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}
