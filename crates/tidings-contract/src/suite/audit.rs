//! The audit log: rows, who finds which, how long they stay, and streams that nobody closed.

use std::time::Duration;

use tidings_core::port::audit::{AuditEntry, AuditQuery, AuditRow, NumberedRow};
use tidings_core::port::store::{Changes, Policy};
use tidings_core::port::{AuditLog, Clock};
use tidings_protocol::time::Timestamp;
use tidings_protocol::{ErrorCode, TenantId};

use super::Harness;
use super::kit::{Bench, DAY, HOUR, code, draft, put, tenant, terminal};

fn row(action: &str, at: Timestamp) -> AuditRow {
    AuditRow {
        tenant_id: Some(tenant("default")),
        user_id: Some("usr_1".into()),
        action: action.into(),
        resource_id: Some("cast_1".into()),
        ip_address: Some("2001:db8::7".into()),
        user_agent: Some("Browser/1 é".into()),
        metadata: "{\"connectionId\":\"str_1\"}".into(),
        created_at: at,
    }
}

fn bare(action: &str, at: Timestamp) -> AuditRow {
    AuditRow {
        tenant_id: None,
        user_id: None,
        action: action.into(),
        resource_id: None,
        ip_address: None,
        user_agent: None,
        metadata: "{}".into(),
        created_at: at,
    }
}

fn all() -> AuditQuery {
    AuditQuery { limit: 1_000, ..AuditQuery::default() }
}

async fn read<H: Harness>(bench: &Bench<H>, query: &AuditQuery) -> Vec<NumberedRow> {
    let rows = AuditLog::read(&**bench.node(), query).await.unwrap();
    assert!(rows.is_sorted_by(|a, b| a.id > b.id), "newest first, each number once");
    rows
}

/// The actions of what a query finds, newest first.
async fn actions<H: Harness>(bench: &Bench<H>, query: &AuditQuery) -> Vec<String> {
    read(bench, query).await.into_iter().map(|numbered| numbered.row.action).collect()
}

async fn write<H: Harness>(bench: &Bench<H>, rows: Vec<AuditRow>) {
    let entries = rows.into_iter().map(AuditEntry::Row).collect();
    bench.node().write(entries).await.unwrap();
}

/// Rows read as they were written, newest first, over a restart too.
pub async fn rows_read_as_they_were_written(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let at = Timestamp(bench.clock.now().0 + 7);
    let rows = vec![row("a.one", at), bare("a.two", Timestamp(at.0 + 1)), row("a.three", at)];
    write(&bench, rows.clone()).await;
    write(&bench, Vec::new()).await;
    for _ in 0..2 {
        let found: Vec<AuditRow> =
            read(&bench, &all()).await.into_iter().rev().map(|found| found.row).collect();
        assert_eq!(found, rows);
        bench.restart().await;
    }
    write(&bench, vec![row("a.four", at)]).await;
    assert_eq!(actions(&bench, &all()).await, ["a.four", "a.three", "a.two", "a.one"]);
}

/// Each part of a query narrows it, alone and together with others.
pub async fn queries_narrow_by_each_of_their_parts(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let at = |n: i64| Timestamp(1_763_715_600_000 + n);
    let of = |tenant: TenantId, user: &str, row: AuditRow| AuditRow {
        tenant_id: Some(tenant),
        user_id: Some(user.into()),
        ..row
    };
    write(
        &bench,
        vec![
            of(tenant("t1"), "u1", bare("cast.opened", at(0))),
            of(tenant("t1"), "u2", bare("cast.closed", at(1_000))),
            of(tenant("t2"), "u1", bare("castle", at(2_000))),
            bare("login%failed", at(3_000)),
        ],
    )
    .await;
    let none = Vec::<String>::new();
    let asked = |query: AuditQuery| AuditQuery { limit: 10, ..query };
    let action = |text: &str| asked(AuditQuery { action: Some(text.into()), ..AuditQuery::default() });
    let user = |text: &str| asked(AuditQuery { user: Some(text.into()), ..AuditQuery::default() });
    let of_tenant = |name: &str| asked(AuditQuery { tenant: Some(tenant(name)), ..AuditQuery::default() });
    assert_eq!(actions(&bench, &of_tenant("t1")).await, ["cast.closed", "cast.opened"]);
    assert_eq!(actions(&bench, &of_tenant("t3")).await, none);
    assert_eq!(actions(&bench, &user("u1")).await, ["castle", "cast.opened"]);
    assert_eq!(actions(&bench, &action("cast.closed")).await, ["cast.closed"]);
    assert_eq!(actions(&bench, &action("cast")).await, none);
    assert_eq!(actions(&bench, &action("cast*")).await, ["castle", "cast.closed", "cast.opened"]);
    assert_eq!(actions(&bench, &action("cast.*")).await, ["cast.closed", "cast.opened"]);
    assert_eq!(actions(&bench, &action("login%*")).await, ["login%failed"]);
    assert_eq!(actions(&bench, &action("%*")).await, none);
    assert_eq!(actions(&bench, &action("*")).await.len(), 4);
    let since = |since, until| asked(AuditQuery { since, until, ..AuditQuery::default() });
    assert_eq!(actions(&bench, &since(Some(at(1_000)), Some(at(2_000)))).await, ["cast.closed"]);
    assert_eq!(actions(&bench, &since(Some(at(1_001)), None)).await, ["login%failed", "castle"]);
    assert_eq!(actions(&bench, &since(None, Some(at(1)))).await, ["cast.opened"]);
    let both = AuditQuery { user: Some("u1".into()), since: Some(at(0)), ..action("cast.*") };
    assert_eq!(
        actions(&bench, &AuditQuery { tenant: Some(tenant("t1")), ..both.clone() }).await,
        ["cast.opened"]
    );
    assert_eq!(actions(&bench, &AuditQuery { tenant: Some(tenant("t2")), ..both }).await, none);
}

/// Pages follow each other by the number of the last row.
pub async fn pages_follow_by_number(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    write(&bench, (0..7).map(|n| bare(&n.to_string(), Timestamp(0))).collect()).await;
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = read(&bench, &AuditQuery { before, limit: 3, ..AuditQuery::default() }).await;
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page.into_iter().map(|found| found.row.action));
    }
    assert_eq!(seen, ["6", "5", "4", "3", "2", "1", "0"]);
}

/// A command's rows are there with its changes, and not there where it was refused or is a repeat.
pub async fn a_commands_rows_commit_with_it(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    bench.publish(terminal("over")).await;
    let at = bench.clock.now();
    let auditing = |action: &str, on: &str| Changes {
        events: vec![draft(on)],
        records: vec![put("r", "1")],
        audit: vec![row(action, at), row("second", at)],
        ..Changes::default()
    };
    assert_eq!(code(bench.change(auditing("refused", "over")).await), ErrorCode::ChannelEnded);
    assert_eq!(actions(&bench, &all()).await, Vec::<String>::new());
    bench.change(auditing("made", "a")).await.unwrap();
    bench.restart().await;
    assert_eq!(actions(&bench, &all()).await, ["second", "made"]);
    let only = Changes { audit: vec![row("alone", at)], ..Changes::default() };
    bench.change(only).await.unwrap();
    assert_eq!(read(&bench, &all()).await[0].row, row("alone", at));
}

/// Rows older than the policy says are removed; their numbers are not given again.
pub async fn old_rows_are_removed(harness: impl Harness) {
    let policy = Policy { audit_age: DAY, ..Policy::default() };
    let mut bench = Bench::start_with(harness, policy).await;
    for n in 0..3 {
        write(&bench, vec![row(&n.to_string(), bench.clock.now())]).await;
        bench.advance(HOUR).await;
    }
    bench.advance(DAY - 2 * HOUR).await;
    bench.trim().await;
    assert_eq!(actions(&bench, &all()).await, ["2", "1"]);
    let last = read(&bench, &all()).await[0].id;
    bench.advance(DAY).await;
    bench.trim().await;
    bench.restart().await;
    assert_eq!(read(&bench, &all()).await, []);
    write(&bench, vec![row("3", bench.clock.now())]).await;
    assert!(read(&bench, &all()).await[0].id > last);
}

/// An age of zero keeps every row.
pub async fn an_age_of_zero_keeps_every_row(harness: impl Harness) {
    let policy = Policy { audit_age: Duration::ZERO, ..Policy::default() };
    let bench = Bench::start_with(harness, policy).await;
    write(&bench, vec![row("a", bench.clock.now())]).await;
    bench.advance(1_000 * DAY).await;
    bench.trim().await;
    assert_eq!(actions(&bench, &all()).await, ["a"]);
}

fn opened(stream: &str, row: AuditRow) -> AuditEntry {
    AuditEntry::Opened { stream: stream.into(), row, closed_action: "cast.closed".into() }
}

/// Streams that were open when a run ended are closed once, each with what its opening said, its reason and how long it
/// is known to have lived; those that were closed are left alone.
pub async fn abandoned_streams_are_closed_once(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    assert_eq!(bench.node().close_abandoned().await.unwrap(), 0);
    let begin = bench.clock.now();
    bench
        .node()
        .write(vec![opened("s1", row("opened", begin)), opened("s2", bare("opened", begin))])
        .await
        .unwrap();
    bench.advance(HOUR).await;
    let closed = AuditEntry::Closed { stream: "s1".into(), row: row("cast.closed", bench.clock.now()) };
    bench.node().write(vec![closed, opened("s3", row("opened", bench.clock.now()))]).await.unwrap();
    bench.advance(HOUR).await;
    bench.publish(draft("a")).await;
    bench.advance(DAY).await;
    bench.restart().await;
    let later = bench.clock.now();
    assert_eq!(bench.node().close_abandoned().await.unwrap(), 2);
    let rows = read(&bench, &AuditQuery { limit: 2, ..all() }).await;
    let hours = |count: u32| i64::try_from((count * HOUR).as_millis()).unwrap();
    let expected = [
        (
            row("cast.closed", later),
            serde_json::json!({"connectionId": "str_1", "reason": "server_crash",
            "duration": hours(1), "messageCount": null}),
        ),
        (
            bare("cast.closed", later),
            serde_json::json!({"reason": "server_crash", "duration": hours(2), "messageCount": null}),
        ),
    ];
    for (found, (expected, metadata)) in rows.into_iter().zip(expected) {
        assert_eq!(serde_json::from_str::<serde_json::Value>(&found.row.metadata).unwrap(), metadata);
        assert_eq!(found.row, AuditRow { metadata: found.row.metadata.clone(), ..expected });
    }
    bench.restart().await;
    assert_eq!(bench.node().close_abandoned().await.unwrap(), 0);
    assert_eq!(actions(&bench, &AuditQuery { action: Some("cast.closed".into()), ..all() }).await.len(), 3);
}

/// Also where retention has removed the row of the opening, and the last sign of life is an audit row.
pub async fn an_abandoned_stream_outlives_the_row_of_its_opening(harness: impl Harness) {
    let policy = Policy { audit_age: HOUR, ..Policy::default() };
    let mut bench = Bench::start_with(harness, policy).await;
    bench.node().write(vec![opened("s1", row("opened", bench.clock.now()))]).await.unwrap();
    bench.advance(2 * HOUR).await;
    bench.trim().await;
    assert_eq!(read(&bench, &all()).await, []);
    write(&bench, vec![bare("other", bench.clock.now())]).await;
    bench.restart().await;
    assert_eq!(bench.node().close_abandoned().await.unwrap(), 1);
    let found = read(&bench, &all()).await.remove(0).row;
    let metadata: serde_json::Value = serde_json::from_str(&found.metadata).unwrap();
    assert_eq!(metadata["duration"], 7_200_000);
    assert_eq!((found.action.as_str(), found.user_id.as_deref()), ("cast.closed", Some("usr_1")));
}
