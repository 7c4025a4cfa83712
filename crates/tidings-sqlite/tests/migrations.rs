//! A file of an earlier version is brought up to date with everything in it.

#![allow(clippy::unwrap_used, reason = "a test may end by it")]

mod bench;

use bench::{Bench, default, publish, read};
use tidings_contract::suite::kit::{data, draft, keyed, numbers, query, record_key, tagged};
use tidings_core::port::directory::KeyHash;
use tidings_core::port::log::Resolution;
use tidings_core::port::store::{Action, Changes, Command, Record, RecordQuery};
use tidings_core::port::{Directory, Log, Store};
use tidings_protocol::{Cursor, Draft, Lineage, Seq};
use tidings_sqlite::SqliteStore;

/// A file as version 1 left it: a day's events, records of which one was removed, a held value, keys.
fn version_1(bench: &Bench) {
    let file = bench.raw();
    let now = 1_763_715_600_000_i64;
    let fingerprint = keyed("a", "k").fingerprint().0;
    file.execute_batch(include_str!("../migrations/0001_initial.sql")).unwrap();
    file.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA application_id = {};
         PRAGMA user_version = 1;
         INSERT INTO tenants VALUES (1, 'default', {now}, 2, 0, {now}), (2, 'other', {now}, 0, 0, 0);
         INSERT INTO lineages VALUES (1, 1, 77, 0, NULL), (2, 2, 78, 0, NULL);
         INSERT INTO channels (id, tenant, name) VALUES (1, 1, 'a'), (2, 1, 'b');
         INSERT INTO events (tenant, seq, lineage, time, channel, type, data) VALUES (1, 2, 77, {now}, 'b', 't', '2');
         INSERT INTO channel_events VALUES (1, 1, 1), (2, 2, 1);
         INSERT INTO records VALUES (1, 'thing', 'z', 3, 'gone', 1, 77), (1, 'thing', 'y', 2, '\"y\"', 1, 77),
                                    (2, 'thing', 'y', 1, '\"theirs\"', 0, 78), (1, 'thing', 'x', 1, '\"x\"', 2, 77);
         DELETE FROM records WHERE id = 'z';
         INSERT INTO api_keys VALUES (5, 'key_1', 1, 'ci', x'{}', '[\"publish:*\"]', {now}, NULL, NULL);",
        0x5444_4E47,
        "09".repeat(32),
    ))
    .unwrap();
    file.execute(
        "INSERT INTO events (tenant, seq, lineage, time, channel, type, data, idempotency_key, fingerprint) \
         VALUES (1, 1, 77, ?1, 'a', 't', 'null', 'k', ?2)",
        rusqlite::params![now, fingerprint],
    )
    .unwrap();
    let held = r#"{"channel":"a","also":[],"type":"t","category":null,"key":null,"actor":null,"version":null,
        "mutation_id":null,"terminal":false,"data":"held","records":[{"kind":"thing","id":"y","body":"\"new\""}]}"#;
    file.execute("INSERT INTO held VALUES (1, 's', ?1, ?2)", rusqlite::params![now, held]).unwrap();
}

async fn record(store: &SqliteStore, id: &str) -> Record {
    store.record(&default(), &record_key(id)).await.unwrap().record.unwrap()
}

async fn listed(store: &SqliteStore, tag: Option<&str>) -> Vec<String> {
    let query = RecordQuery { kind: "thing".into(), tag: tag.map(str::to_owned), before: None, limit: 9 };
    let page = store.records(&default(), &query).await.unwrap();
    page.records.into_iter().map(|record| record.key.id).collect()
}

#[tokio::test]
async fn a_file_of_version_1_keeps_everything() {
    let bench = Bench::new();
    version_1(&bench);
    let store = bench.open();
    let page = read(&store, &query(&["*"])).await;
    assert_eq!(numbers(&page.events), [1, 2, 3]);
    assert_eq!(data(&page.events), ["null", "2", "\"held\""], "what was held came with the start");
    let old = Cursor::new(Seq(1), Lineage::from_bits(77));
    assert_eq!(store.resolve(&default(), old).await.unwrap(), Resolution::Known);
    assert!(publish(&store, vec![keyed("a", "k")]).await.unwrap().receipts[0].duplicate);
    let changed = record(&store, "y").await;
    assert_eq!((changed.version, changed.body.as_str(), changed.at.seq), (3, "\"new\"", Seq(3)));
    let left = record(&store, "x").await;
    assert_eq!((left.version, left.body.as_str(), left.at.seq), (1, "\"x\"", Seq(2)));
    assert_eq!(listed(&store, None).await, ["x", "y"], "in the order of their creation");
    let key = store.find_key(KeyHash([9; 32])).await.unwrap().unwrap();
    assert_eq!((key.id.as_str(), key.user), ("key_1", None));
    store.close();
    assert_eq!(bench.number("PRAGMA user_version"), 2);
    assert_eq!(bench.number("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    let check: String = bench.raw().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

/// What a later version adds works on a migrated file, and the next start finds it.
#[tokio::test]
async fn a_migrated_file_takes_what_is_new() {
    let bench = Bench::new();
    version_1(&bench);
    let store = bench.open();
    let changes = Changes {
        records: vec![tagged("x", "2", &["t"]), tagged("new", "1", &["t"])],
        events: vec![Draft { terminal: true, ..draft("b") }],
        ..Changes::default()
    };
    let decide = Box::new(move |_: &[_]| Ok(changes.clone()));
    let action = Action::Decide { reads: Vec::new(), decide, idempotency: Vec::new() };
    store.submit(Command { tenant: default(), action }).await.unwrap();
    store.close();
    let store = bench.open();
    assert_eq!(listed(&store, Some("t")).await, ["new", "x"]);
    assert_eq!(record(&store, "x").await.version, 2);
    store.close();
}
