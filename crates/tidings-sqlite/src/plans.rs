//! A test of every statement that a start, reading and writing run: each goes by an index, so that none costs more as
//! the file grows.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use tidings_contract::TestClock;
use tidings_contract::suite::kit::{
    DAY, Recorder, draft, keyed, put, query, record_key, tagged, tenant, terminal, with_also,
};
use tidings_core::port::Clock;
use tidings_core::port::audit::{AuditEntry, AuditQuery, AuditRow};
use tidings_core::port::directory::KeyHash;
use tidings_core::port::log::Query;
use tidings_core::port::store::{
    Action, Changes, Command, Hold, IdempotencyKey, Policy, RecordQuery, RecordWrite,
};
use tidings_core::port::users::{CookieSession, PasswordHash, Role, User, UserId};
use tidings_protocol::Seq;
use tidings_protocol::publish::Fingerprint;
use tidings_protocol::time::Timestamp;

use crate::group::{Memory, Transaction, transact};
use crate::tenants::Tenants;
use crate::{
    Durability, append, audit, cookie_sessions, open, page, records, retention, start, users, webhooks,
};

/// What may be without an index: it names no table, or one row of it.
const NEEDS_NONE: [&str; 6] = ["BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK", "SELECT random()"];

struct Run<'a> {
    connection: &'a Connection,
    memory: Memory,
    policy: Policy,
    tenants: Tenants,
    clock: TestClock,
}

impl Run<'_> {
    fn with(&mut self, work: impl FnOnce(&mut Transaction<'_>)) {
        let now = self.clock.now();
        let transaction =
            Transaction::new(self.connection, &mut self.memory, &self.policy, &self.tenants, now);
        let told = Recorder::default();
        transact(transaction, &told, |transaction| {
            work(transaction);
            Ok(())
        })
        .unwrap();
    }

    fn submit(&mut self, action: Action) {
        let command = Command { tenant: tenant("default"), action };
        self.with(|transaction| {
            transaction.undoable(|transaction| append::carry_out(transaction, command)).unwrap().unwrap();
        });
    }

    fn change(&mut self, key: &str, changes: Changes) {
        let decide = Box::new(move |_: &[_]| Ok(changes.clone()));
        let fingerprint = Fingerprint([1; 16]);
        let idempotency = vec![IdempotencyKey { scope: "s".into(), key: key.into(), fingerprint }];
        self.submit(Action::Decide { reads: vec![record_key("r")], decide, idempotency });
    }

    /// Everything that retention does.
    fn trim(&mut self) {
        let rows = self.tenants.rows();
        self.memory.retention.all(&rows, tokio::sync::oneshot::channel().0);
        while self.memory.retention.has_work() {
            self.with(|transaction| drop(retention::slice(transaction, 7).unwrap()));
        }
    }
}

/// Does everything once that reading and writing do.
fn do_everything(run: &mut Run<'_>) {
    let hold = |stage: &str| Hold {
        stage: stage.into(),
        window: DAY,
        event: draft("held"),
        records: vec![put("r", "1")],
    };
    for n in 0..12 {
        let drafts = vec![keyed("a", &n.to_string()), with_also("b:1", &["b:2"]), draft(&format!("c:{n}"))];
        run.submit(Action::Publish(drafts));
    }
    run.submit(Action::Publish(vec![keyed("a", "1"), terminal("c:1")]));
    for n in ["1", "2", "2"] {
        let records =
            vec![tagged("r", n, &["a", n]), put("gone", "1"), RecordWrite::Delete(record_key("gone"))];
        let audit = vec![audit_row(run.clock.now())];
        run.change(n, Changes { hold: vec![hold("s")], records, audit, ..Changes::default() });
    }
    run.change("settle", Changes { settle: vec!["s".into()], ..Changes::default() });
    sign_in(run.connection, run.clock.now());
    for days in [0, 9, 20] {
        run.clock.advance(days * DAY);
        run.trim();
        run.submit(Action::Publish(vec![keyed("a", &format!("later {days}")), draft("c:2")]));
        let tenant = run.tenants.get(&tenant("default")).unwrap();
        for patterns in [&["a", "b:2", "none"][..], &["b:*", "a"], &["*"]] {
            for after in [0, 20] {
                page::read(run.connection, &tenant, &Query { after: Seq(after), ..query(patterns) }).unwrap();
            }
        }
        records::read(run.connection, &tenant, &record_key("r")).unwrap();
        for tag in [None, Some("a".to_owned())] {
            let query = RecordQuery { kind: "thing".into(), tag, before: None, limit: 2 };
            records::list(run.connection, &tenant, &query).unwrap();
        }
    }
}

fn audit_row(created_at: Timestamp) -> AuditRow {
    AuditRow {
        tenant_id: Some(tenant("default")),
        user_id: None,
        action: "a".into(),
        resource_id: None,
        ip_address: None,
        user_agent: None,
        metadata: "{}".into(),
        created_at,
    }
}

/// What requests do with users, their sessions, webhooks and the audit log.
fn sign_in(connection: &Connection, now: Timestamp) {
    let id = UserId::new("usr_1").unwrap();
    let (own, later) = (tenant("default"), Timestamp(now.0 + 1_000));
    let email = Some("a@example.com".to_owned());
    let user = User {
        id: id.clone(),
        tenant: own.clone(),
        email,
        role: Role::Admin,
        created_at: now,
        disabled_at: None,
    };
    users::add(connection, &user, &PasswordHash(String::new())).unwrap().unwrap();
    let session = CookieSession {
        id: "ses_1".into(),
        user: id.clone(),
        created_at: now,
        expires_at: later,
        ip_address: None,
        user_agent: None,
    };
    cookie_sessions::add(connection, &session, KeyHash([1; 32]), now).unwrap().unwrap();
    cookie_sessions::find(connection, KeyHash([1; 32]), now).unwrap().unwrap();
    cookie_sessions::list(connection, &id, now).unwrap();
    users::find_login(connection, "a@example.com").unwrap().unwrap();
    users::list(connection, Some(&own)).unwrap();
    cookie_sessions::end(connection, &id, Some("ses_1"), now).unwrap();
    users::disable(connection, &id, None, now).unwrap().unwrap();
    webhooks::list(connection, "github").unwrap();
    let (row, closed_action) = (audit_row(now), "b".to_owned());
    audit::write(connection, &AuditEntry::Opened { stream: "s".into(), row, closed_action }).unwrap();
    audit::write(connection, &AuditEntry::Closed { stream: "s".into(), row: audit_row(now) }).unwrap();
    let all = AuditQuery { since: Some(now), limit: 3, ..AuditQuery::default() };
    for query in [
        AuditQuery { tenant: Some(own), ..all.clone() },
        AuditQuery { user: Some("usr_1".into()), before: Some(9), ..all.clone() },
        AuditQuery { action: Some("a".into()), until: Some(later), ..all },
    ] {
        audit::read(connection, &query).unwrap();
    }
}

#[test]
fn every_statement_goes_by_an_index() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let clock = TestClock::default();
    let mut connection = open::open_file(&path, Durability::Os).unwrap();
    start::begin_run(&mut connection, clock.now()).unwrap();
    let seen: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let trace = move |event: TraceEvent<'_>| {
        if let TraceEvent::Stmt(statement, _) = event {
            keep.lock().unwrap().insert(statement.sql().into_owned());
        }
    };
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(trace)).unwrap();
    let tenants = start::begin_run(&mut connection, clock.now()).unwrap();
    let policy = Policy { events_per_channel: 5, trim_marks: 3, ..Policy::default() };
    let mut run = Run { connection: &connection, memory: Memory::new(), policy, tenants, clock };
    do_everything(&mut run);
    let statements = std::mem::take(&mut *seen.lock().unwrap());
    let checked = statements.iter().filter(|sql| !NEEDS_NONE.iter().any(|word| sql.starts_with(word)));
    let checked = checked.map(|sql| check(&connection, sql)).count();
    println!("{checked} statements go by an index");
    assert!(checked >= 75, "{checked}: {statements:#?}");
}

/// A start goes through all tenants.
const ALL_OF: &str = "FROM tenants";

fn check(connection: &Connection, sql: &str) {
    let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let nulls = vec![rusqlite::types::Null; plan.parameter_count()];
    let steps =
        plan.query_map(rusqlite::params_from_iter(nulls), |row| row.get::<_, String>("detail")).unwrap();
    for step in steps.map(Result::unwrap) {
        let costly = step.starts_with("SCAN") || step.contains("TEMP B-TREE") || step.contains("AUTOMATIC");
        assert!(!costly || sql.ends_with(ALL_OF), "{sql}: {step}");
    }
}
