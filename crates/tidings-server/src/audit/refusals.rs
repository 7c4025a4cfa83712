//! Refusals, counted together: one row at once, then one a minute with `count`, for each cause and whoever it was.

use std::collections::HashMap;

use serde_json::Value;
use tidings_core::port::audit::AuditRow;
use tidings_protocol::ErrorCode;
use tidings_protocol::time::Timestamp;

/// How long refusals are counted together, in milliseconds.
const WINDOW: i64 = 60_000;
/// Most causes and origins told apart; past that, those who come new are counted as one.
const KEPT: usize = 10_000;

#[derive(Debug)]
struct Tally {
    since: Timestamp,
    count: u64,
    last: AuditRow,
}

/// What was refused within the last minute.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    tallies: HashMap<(ErrorCode, String, String), Tally>,
}

impl Refusals {
    /// Counts a refusal; answers the row where it is the first.
    pub(super) fn note(&mut self, cause: ErrorCode, who: String, row: AuditRow) -> Option<AuditRow> {
        let who = if self.tallies.len() >= KEPT { String::new() } else { who };
        let key = (cause, row.action.clone(), who);
        if let Some(tally) = self.tallies.get_mut(&key) {
            tally.count += 1;
            tally.last = row;
            return None;
        }
        self.tallies.insert(key, Tally { since: row.created_at, count: 0, last: row.clone() });
        Some(row)
    }

    /// Rows of those whose minute is over, or of all; a minute without a further refusal ends the counting.
    pub(super) fn due(&mut self, now: Timestamp, all: bool) -> Vec<AuditRow> {
        let mut rows = Vec::new();
        self.tallies.retain(|_, tally| {
            let is_over = all || now.0 - tally.since.0 >= WINDOW || now < tally.since;
            if !is_over {
                return true;
            }
            if tally.count == 0 {
                return false;
            }
            rows.push(counted(tally, now));
            tally.count = 0;
            tally.since = now;
            true
        });
        rows
    }
}

fn counted(tally: &Tally, now: Timestamp) -> AuditRow {
    let mut metadata: Value = serde_json::from_str(&tally.last.metadata).unwrap_or_default();
    metadata["count"] = tally.count.into();
    AuditRow { metadata: metadata.to_string(), created_at: now, ..tally.last.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at: i64) -> AuditRow {
        AuditRow {
            tenant_id: None,
            user_id: None,
            action: "stream.sse_connection_failed".into(),
            resource_id: None,
            ip_address: Some("10.0.0.1".into()),
            user_agent: None,
            metadata: r#"{"code":"unauthenticated"}"#.into(),
            created_at: Timestamp(at),
        }
    }

    #[test]
    fn the_first_is_told_at_once_and_the_rest_once_a_minute() {
        let mut refusals = Refusals::default();
        let note = |refusals: &mut Refusals, at| {
            refusals.note(ErrorCode::Unauthenticated, "10.0.0.1".into(), row(at)).is_some()
        };
        assert!(note(&mut refusals, 0));
        assert!((1..100).all(|at| !note(&mut refusals, at)));
        assert!(refusals.due(Timestamp(WINDOW - 1), false).is_empty());
        let told = refusals.due(Timestamp(WINDOW), false);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].metadata, r#"{"code":"unauthenticated","count":99}"#);
        assert!(!note(&mut refusals, WINDOW + 1));
        assert_eq!(refusals.due(Timestamp(2 * WINDOW), false).len(), 1);
        assert!(refusals.due(Timestamp(3 * WINDOW), false).is_empty());
        assert!(note(&mut refusals, 3 * WINDOW + 1), "after a quiet minute the next one is a first again");
    }

    #[test]
    fn others_and_other_causes_have_their_own() {
        let mut refusals = Refusals::default();
        assert!(refusals.note(ErrorCode::Unauthenticated, "a".into(), row(0)).is_some());
        assert!(refusals.note(ErrorCode::Unauthenticated, "b".into(), row(0)).is_some());
        assert!(refusals.note(ErrorCode::RateLimited, "a".into(), row(0)).is_some());
        assert!(refusals.note(ErrorCode::RateLimited, "a".into(), row(0)).is_none());
        let last = refusals.due(Timestamp(1), true);
        assert_eq!(last.len(), 1, "a server that leaves tells what it has counted");
    }

    #[test]
    fn their_number_is_bounded() {
        let mut refusals = Refusals::default();
        for n in 0..KEPT + 100 {
            refusals.note(ErrorCode::Unauthenticated, n.to_string(), row(0));
        }
        assert!(refusals.tallies.len() <= KEPT + 1);
    }
}
