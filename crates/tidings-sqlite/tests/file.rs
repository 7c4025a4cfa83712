//! The file itself: how it is opened, what is refused, and what a start finds.

#![allow(clippy::unwrap_used, reason = "a test may end by it")]

mod bench;

use bench::{Bench, default, publish, read};
use tidings_contract::suite::kit::{Recorder, draft, numbers, query};
use tidings_core::port::log::Resolution;
use tidings_core::port::{Directory, Log, Store};
use tidings_protocol::{Cursor, Seq};
use tidings_sqlite::OpenError;

#[tokio::test]
async fn an_empty_file_is_brought_to_the_newest_version() {
    let bench = Bench::new();
    std::fs::write(bench.path(), b"").unwrap();
    let store = bench.open();
    publish(&store, vec![draft("a")]).await.unwrap();
    store.close();
    assert_eq!(bench.number("PRAGMA user_version"), 2);
    assert_eq!(bench.number("PRAGMA application_id"), 0x5444_4E47);
    assert_eq!(bench.number("SELECT count(*) FROM events"), 1);
    let check: String = bench.raw().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let bench = Bench::new();
    bench.open().close();
    bench.raw().execute_batch("PRAGMA user_version = 99").unwrap();
    let before = std::fs::read(bench.path()).unwrap();
    let refused = bench.try_open().unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 99, known: 2, .. }), "{refused:?}");
    assert!(refused.to_string().contains("newer release"), "{refused}");
    assert_eq!(std::fs::read(bench.path()).unwrap(), before);
    bench.raw().execute_batch("PRAGMA user_version = 2").unwrap();
    bench.open().close();
}

#[test]
fn what_is_no_database_of_ours_is_refused_and_left_alone() {
    let foreign = Bench::new();
    foreign.raw().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let garbage = Bench::new();
    std::fs::write(garbage.path(), "no database at all\n".repeat(500)).unwrap();
    let damaged = Bench::new();
    damaged.open().close();
    assert!(
        !damaged.directory.path().join("tidings.db-wal").exists(),
        "all is in the file once it is closed"
    );
    let mut bytes = std::fs::read(damaged.path()).unwrap();
    bytes[100..4096].fill(0x5A);
    std::fs::write(damaged.path(), bytes).unwrap();
    for bench in [foreign, garbage, damaged] {
        let before = std::fs::read(bench.path()).unwrap();
        let refused = bench.try_open().unwrap_err();
        assert!(matches!(refused, OpenError::NotADatabase { .. }), "{refused:?}");
        assert!(refused.to_string().contains("tidings.db"), "{refused}");
        assert!(std::fs::read(bench.path()).unwrap() == before, "not a byte was changed");
    }
}

#[test]
fn a_second_opener_is_refused_until_the_first_has_closed() {
    let bench = Bench::new();
    let store = bench.open();
    let refused = bench.try_open().unwrap_err();
    assert!(matches!(refused, OpenError::InUse(_)), "{refused:?}");
    assert!(refused.to_string().contains("in use"), "{refused}");
    store.close();
    bench.open().close();
}

#[test]
fn a_directory_that_is_missing_is_named() {
    let bench = Bench::new();
    let path = bench.directory.path().join("missing/tidings.db");
    let options = tidings_sqlite::Options::new(
        std::sync::Arc::new(bench.clock.clone()),
        std::sync::Arc::<Recorder>::default(),
    );
    let refused = tidings_sqlite::SqliteStore::open(&path, options).unwrap_err();
    assert!(refused.to_string().contains("missing/tidings.db"), "{refused}");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let store = bench.open();
    publish(&store, vec![draft("a")]).await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let file = bench.directory.path().join(format!("tidings.db{suffix}"));
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", file.display());
    }
    store.close();
}

/// Rows deleted by hand leave the head column as it was: no number is given twice, and no cursor into the lost part
/// counts.
#[tokio::test]
async fn a_tail_deleted_by_hand_is_recognised() {
    let bench = Bench::new();
    let store = bench.open();
    let mut ids: Vec<Cursor> = Vec::new();
    for _ in 0..10 {
        ids.push(publish(&store, vec![draft("a")]).await.unwrap().head);
    }
    store.close();
    bench
        .raw()
        .execute_batch("DELETE FROM events WHERE seq > 7; DELETE FROM channel_events WHERE seq > 7")
        .unwrap();
    let store = bench.open();
    for id in &ids {
        let expected = if id.seq <= Seq(7) { Resolution::Known } else { Resolution::Unknown };
        assert_eq!(store.resolve(&default(), *id).await.unwrap(), expected, "{id}");
    }
    let next = publish(&store, vec![draft("a")]).await.unwrap().head;
    assert_eq!(next.seq, Seq(11));
    assert_eq!(store.resolve(&default(), next).await.unwrap(), Resolution::Known);
    assert_eq!(numbers(&read(&store, &query(&["a"])).await.events), [1, 2, 3, 4, 5, 6, 7, 11]);
    store.close();
}

/// After `close` everything says so, and nothing hangs.
#[tokio::test]
async fn a_closed_store_refuses() {
    let bench = Bench::new();
    let store = bench.open();
    store.close();
    store.close();
    assert!(store.health().is_ok(), "closing is no failure");
    publish(&store, vec![draft("a")]).await.unwrap_err();
    store.read(&default(), &query(&["a"])).await.unwrap_err();
    store.add_tenant(&"other".parse().unwrap()).await.unwrap_err();
    store.trim_now().await.unwrap_err();
}

/// What was accepted before `close` is carried out and answered.
#[tokio::test]
async fn closing_finishes_what_was_accepted() {
    let bench = Bench::new();
    let store = bench.open();
    let accepted: Vec<_> = (0..200).map(|_| publish(&store, vec![draft("a")])).collect();
    let mut answers = Vec::new();
    for mut future in accepted.into_iter().map(Box::pin) {
        // Polled once: the command is in the queue.
        assert!(futures_poll(&mut future).is_none());
        answers.push(future);
    }
    store.close();
    for answer in answers {
        answer.await.unwrap();
    }
    assert_eq!(bench.number("SELECT head FROM tenants WHERE name = 'default'"), 200);
}

fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}
