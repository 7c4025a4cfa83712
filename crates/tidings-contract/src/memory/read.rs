//! Reading: a page of events, candidates in order, one by one, until a limit or the head; and records.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use tidings_core::port::log::{LogPage, MAX_TRIMMED, Query, Selection, Trimmed};
use tidings_core::port::store::{Record, RecordKey, RecordPage, RecordQuery};
use tidings_protocol::{ChannelName, Cursor, Pattern, Seq};

use super::tenant::{Stored, Tagged, TenantState};

impl TenantState {
    /// One page. Nothing at or under the floor is in it.
    pub(super) fn read(&self, query: &Query) -> LogPage {
        let mut page = LogPage {
            events: Vec::new(),
            scanned_to: self.head_cursor(),
            head: self.head_cursor(),
            trimmed: self.trimmed(&query.selection, query.after),
            examined: 0,
        };
        let mut at = query.after.max(self.floor.seq);
        let mut bytes = 0;
        while let Some(stored) = self.candidate(&query.selection, at) {
            if page.events.len() >= query.max_events.max(1) || page.examined >= query.max_examined.max(1) {
                page.scanned_to = self.lineages.cursor(at, self.head);
                return page;
            }
            page.examined += 1;
            if is_selected(stored, &query.selection) {
                let size = stored.event.data.get().len();
                if !page.events.is_empty() && bytes + size > query.max_bytes {
                    page.scanned_to = self.lineages.cursor(at, self.head);
                    return page;
                }
                bytes += size;
                page.events.push(stored.event.clone());
            }
            at = stored.event.id.seq;
        }
        if at > self.head {
            page.scanned_to = self.lineages.cursor(at, self.head);
        }
        page
    }

    /// A record.
    pub(super) fn record(&self, key: &RecordKey) -> Option<Record> {
        self.records.get(key).map(|tagged| tagged.record.clone())
    }

    /// Records of a kind, newest first.
    pub(super) fn list(&self, query: &RecordQuery) -> RecordPage {
        let is_wanted = |tagged: &&Tagged| {
            tagged.record.key.kind == query.kind
                && query.tag.as_ref().is_none_or(|tag| tagged.tags.contains(tag))
                && query.before.is_none_or(|before| tagged.record.place < before)
        };
        let wanted = self.records.values().filter(is_wanted);
        let mut records: Vec<Record> = wanted.map(|tagged| tagged.record.clone()).collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.place));
        records.truncate(query.limit.max(1));
        RecordPage { records, head: self.head_cursor() }
    }

    /// The next stored row to look at: on exact channels alone the next of theirs, else the next of all.
    fn candidate(&self, selection: &Selection, after: Seq) -> Option<&Stored> {
        let exact: Option<Vec<&ChannelName>> = selection.patterns.iter().map(Pattern::as_exact).collect();
        let Some(channels) = exact else { return next(&self.events, after) };
        let sets = channels.into_iter().filter_map(|channel| self.index.get(channel));
        let seq =
            sets.filter_map(|seqs: &BTreeSet<Seq>| seqs.range((Excluded(after), Unbounded)).next()).min()?;
        self.events.get(seq)
    }

    /// What retention removed after `after` of the selected channels.
    fn trimmed(&self, selection: &Selection, after: Seq) -> Vec<Trimmed> {
        let mut trimmed: Vec<Trimmed> = Vec::new();
        for pattern in selection.patterns.iter() {
            for found in self.trimmed_of(pattern, after) {
                if !trimmed.contains(&found) {
                    trimmed.push(found);
                }
            }
        }
        trimmed
    }

    fn trimmed_of(&self, pattern: &Pattern, after: Seq) -> Vec<Trimmed> {
        let floor = Some(self.floor).filter(|floor| floor.seq > after);
        let marks = self.marks.iter().filter(|(channel, mark)| pattern.matches(channel) && mark.seq > after);
        let marks: Vec<(&ChannelName, Cursor)> = marks.map(|(channel, mark)| (channel, *mark)).collect();
        let highest = marks.iter().map(|(_, mark)| *mark).chain(floor).max();
        let whole = |through| Trimmed { pattern: pattern.clone(), through };
        if pattern.as_exact().is_some() || marks.len() > MAX_TRIMMED {
            return highest.map(whole).into_iter().collect();
        }
        let named =
            marks.into_iter().map(|(channel, through)| Trimmed { pattern: channel.clone().into(), through });
        floor.map(whole).into_iter().chain(named).collect()
    }
}

fn next(events: &BTreeMap<Seq, Stored>, after: Seq) -> Option<&Stored> {
    events.range((Excluded(after), Unbounded)).next().map(|(_, stored)| stored)
}

fn is_selected(stored: &Stored, selection: &Selection) -> bool {
    let on = |pattern: &Pattern| stored.on.iter().any(|channel| pattern.matches(channel));
    selection.patterns.iter().any(on) && selection.filter.selects(&stored.event)
}
