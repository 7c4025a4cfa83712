//! The events of several channels in one order.
//!
//! Owns: a merge over the index of channels, each event once. Invariants: cost is a seek for each channel and the rows
//! given; rows are fetched in small runs, so that a page that ends early has not read far ahead.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rusqlite::Connection;

/// Rows fetched at a time from one channel.
const RUN: i64 = 64;

struct Lane {
    channel: i64,
    /// Numbers fetched and not given yet.
    ahead: VecDeque<i64>,
    /// The last number fetched.
    fetched: i64,
    /// Whether the channel has no further rows.
    ended: bool,
}

pub(crate) struct Merge<'c> {
    connection: &'c Connection,
    lanes: Vec<Lane>,
    /// The next number of each lane that has one.
    next: BinaryHeap<Reverse<(i64, usize)>>,
    run: i64,
}

impl<'c> Merge<'c> {
    /// The events of the channels with numbers above `after`.
    pub(crate) fn new(connection: &'c Connection, channels: &[i64], after: i64) -> rusqlite::Result<Self> {
        let lanes = channels.iter().map(|channel| Lane {
            channel: *channel,
            ahead: VecDeque::new(),
            fetched: after,
            ended: false,
        });
        let run = (RUN / i64::try_from(channels.len().max(1)).unwrap_or(RUN)).max(8);
        let mut merge = Self { connection, lanes: lanes.collect(), next: BinaryHeap::new(), run };
        for lane in 0..merge.lanes.len() {
            merge.advance(lane)?;
        }
        Ok(merge)
    }

    /// The next number, without taking it.
    pub(crate) fn peek(&self) -> Option<i64> {
        self.next.peek().map(|Reverse((seq, _))| *seq)
    }

    /// Takes the next number from every channel that has it.
    pub(crate) fn take(&mut self) -> rusqlite::Result<()> {
        let Some(taken) = self.peek() else { return Ok(()) };
        while let Some(Reverse((seq, lane))) = self.next.peek().copied() {
            if seq != taken {
                break;
            }
            self.next.pop();
            self.advance(lane)?;
        }
        Ok(())
    }

    fn advance(&mut self, index: usize) -> rusqlite::Result<()> {
        let Some(lane) = self.lanes.get_mut(index) else { return Ok(()) };
        if lane.ahead.is_empty() && !lane.ended {
            let mut statement = self.connection.prepare_cached(crate::page::CHANNEL_ROWS)?;
            let mut rows = statement.query([lane.channel, lane.fetched, self.run])?;
            while let Some(row) = rows.next()? {
                lane.ahead.push_back(row.get(0)?);
            }
            lane.ended = (lane.ahead.len() as i64) < self.run;
            lane.fetched = lane.ahead.back().copied().unwrap_or(lane.fetched);
        }
        if let Some(seq) = lane.ahead.pop_front() {
            self.next.push(Reverse((seq, index)));
        }
        Ok(())
    }
}
