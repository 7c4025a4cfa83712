//! What one subscriber has seen, in the order in which it saw it, over all its connections.

use serde_json::Value;
use tidings_protocol::Cursor;

use crate::numbered;
use crate::subscription::{Closed, Item, Transport};

/// One thing seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A stream was opened; reading goes on after `id`.
    Opened {
        /// The id of `$ready`.
        id: Cursor,
        /// What the server says about the cursor that was given.
        resumed: bool,
    },
    /// An event.
    Event {
        /// Its id.
        id: Cursor,
        /// Its number.
        n: u64,
    },
    /// Events cannot be given.
    Reset {
        /// `expired`, `unknown` or `unauthorized`.
        reason: String,
        /// Up to where.
        through: Option<Cursor>,
    },
    /// The position has moved.
    Position(Cursor),
    /// `$end`.
    End {
        /// Why.
        reason: String,
        /// Milliseconds to stay away.
        after: Option<u64>,
        /// The position.
        id: Option<Cursor>,
    },
    /// Something that no server should send.
    Wrong(String),
}

/// Everything that one subscriber has seen.
#[derive(Debug, Clone)]
pub struct Journal {
    /// How it came.
    pub transport: Transport,
    /// What it asked for.
    pub channels: Vec<String>,
    /// What it saw.
    pub entries: Vec<Entry>,
    /// What it would resume with.
    pub cursor: Option<Cursor>,
    /// Connections that were opened.
    pub opens: usize,
    /// Connections that broke off without an `$end`.
    pub cuts: usize,
    /// Refusals, by status and code.
    pub refusals: Vec<(u16, String)>,
    /// Close codes of WebSockets that were closed in order.
    pub codes: Vec<u16>,
    /// Whether it was given up before it had reached its goal.
    pub stalled: bool,
}

impl Journal {
    /// An empty one.
    #[must_use]
    pub fn new(transport: Transport, channels: &[String]) -> Self {
        Self {
            transport,
            channels: channels.to_vec(),
            entries: Vec::new(),
            cursor: None,
            opens: 0,
            cuts: 0,
            refusals: Vec::new(),
            codes: Vec::new(),
            stalled: false,
        }
    }

    /// Takes in what came. The id beside it becomes the cursor.
    pub fn take(&mut self, item: Item) {
        let (entry, id) = match item {
            Item::Event { id, data } => (event(id, &data), id),
            Item::Control { name, id, data } => match control(&name, id, &data) {
                Some(entry) => (entry, id),
                None => {
                    self.move_to(id);
                    return;
                }
            },
            Item::Position(id) => (Entry::Position(id), Some(id)),
            Item::Life => return,
        };
        if let Entry::Opened { id, .. } = &entry {
            self.cursor.get_or_insert(*id);
        }
        self.entries.push(entry);
        self.move_to(id);
    }

    fn move_to(&mut self, id: Option<Cursor>) {
        self.cursor = id.or(self.cursor);
    }

    /// Takes in how a connection ended.
    pub fn close(&mut self, closed: &Closed) {
        match closed {
            Closed::Refused { status, code } => self.refusals.push((*status, code.clone())),
            Closed::Broken(_) => self.cuts += 1,
            Closed::Ended(code) => self.codes.extend(code),
        }
    }

    /// The numbers of the events, in order.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Event { n, .. } => Some(*n),
            _ => None,
        })
    }

    /// The resets: reason and how far.
    pub fn resets(&self) -> impl Iterator<Item = (&str, Option<Cursor>)> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Reset { reason, through } => Some((reason.as_str(), *through)),
            _ => None,
        })
    }

    /// The last `$end`, if there was one.
    #[must_use]
    pub fn end(&self) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| matches!(entry, Entry::End { .. }))
    }
}

fn event(id: Option<Cursor>, data: &str) -> Entry {
    match (numbered::id(data), numbered::number(data)) {
        (Some(own), Some(n)) if id.is_none_or(|id| id == own) => Entry::Event { id: own, n },
        _ => Entry::Wrong(format!("an event with the id {id:?} and the data {data}")),
    }
}

fn control(name: &str, id: Option<Cursor>, data: &str) -> Option<Entry> {
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return Some(Entry::Wrong(format!("{name} with the data {data}")));
    };
    let text = |member: &str| value[member].as_str().map(str::to_owned);
    let wrong = || Entry::Wrong(format!("{name} with the id {id:?} and the data {data}"));
    match name {
        // Where its id repeats the cursor that was given, the caller has it already.
        "$ready" => Some(match (id, value["resumed"].as_bool()) {
            (Some(id), Some(resumed)) => Entry::Opened { id, resumed },
            _ => wrong(),
        }),
        "$reset" => Some(match text("reason") {
            Some(reason) => {
                Entry::Reset { reason, through: text("through").and_then(|through| through.parse().ok()) }
            }
            None => wrong(),
        }),
        "$end" => Some(match text("reason") {
            Some(reason) => Entry::End { reason, after: value["after"].as_u64(), id },
            None => wrong(),
        }),
        "$lagged" => Some(wrong()),
        "$ping" | "$expiring" | "$subscribed" | "$joined" => None,
        _ => Some(wrong()),
    }
}
