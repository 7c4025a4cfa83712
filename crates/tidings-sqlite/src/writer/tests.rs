//! What the writer does when storage fails under it.

use tidings_contract::TestClock;
use tidings_contract::suite::kit::{Recorder, draft, json, tenant};
use tidings_core::port::store::{Action, Command};
use tidings_protocol::Draft;
use tidings_protocol::time::Timestamp;

use super::*;
use crate::{Durability, Options, open, start};

struct Bench {
    writer: Writer,
    recorder: Arc<Recorder>,
    _directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Arc::<Recorder>::default();
        let options = Options::new(Arc::new(TestClock::default()), Arc::<Recorder>::clone(&recorder));
        let mut connection = open::open_file(&directory.path().join("t.db"), Durability::Os).unwrap();
        let tenants = start::begin_run(&mut connection, options.clock.now()).unwrap();
        let shared = Arc::new(Shared::new(options, tenants, Timestamp(0)));
        Self { writer: Writer::new(connection, shared), recorder, _directory: directory }
    }

    /// One group of commands with an event each, and their answers.
    fn group(&mut self, drafts: Vec<Draft>) -> Vec<Result<Outcome, Refused>> {
        let (waiting, answers): (Vec<_>, Vec<_>) = drafts
            .into_iter()
            .map(|draft| {
                let (reply, answer) = oneshot::channel();
                let command = Command { tenant: tenant("default"), action: Action::Publish(vec![draft]) };
                (Waiting { command, reply }, answer)
            })
            .unzip();
        self.writer.group(waiting);
        answers.into_iter().map(|mut answer| answer.try_recv().unwrap()).collect()
    }

    fn told(&self) -> usize {
        self.recorder.events(&tenant("default")).len()
    }
}

fn failed(answer: &Result<Outcome, Refused>) -> bool {
    matches!(answer, Err(Refused::Storage(StorageError::Failed(_))))
}

#[test]
fn a_full_disk_fails_the_whole_group_and_all_that_follow() {
    let mut bench = Bench::new();
    assert!(bench.group(vec![draft("a"), draft("b")]).iter().all(Result::is_ok));
    let pages: i64 =
        bench.writer.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    bench.writer.connection.pragma_update_and_check(None, "max_page_count", pages + 3, |_| Ok(())).unwrap();
    let large = || Draft { data: json(&format!("\"{}\"", "x".repeat(60_000))), ..draft("a") };
    let answers = bench.group(vec![draft("a"), large(), draft("a")]);
    assert!(answers.iter().all(failed), "{answers:?}");
    assert_eq!(bench.told(), 2, "nothing of the failed group is told");
    assert!(matches!(bench.writer.shared.health(), Err(StorageError::Failed(_))));
    let rows = |connection: &Connection| {
        connection.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(rows(&bench.writer.connection), 2);
    bench.writer.connection.pragma_update_and_check(None, "max_page_count", 1_000_000, |_| Ok(())).unwrap();
    assert!(bench.group(vec![draft("a")]).iter().all(failed), "also once there is room again");
    assert_eq!(rows(&bench.writer.connection), 2);
}

#[test]
fn a_violated_constraint_undoes_its_command_alone() {
    let mut bench = Bench::new();
    assert!(bench.group(vec![draft("a")])[0].is_ok());
    let connection = &bench.writer.connection;
    connection.execute("INSERT INTO channels (tenant, name) VALUES (1, 'b')", []).unwrap();
    let channel = connection.last_insert_rowid();
    connection.execute("INSERT INTO channel_events VALUES (?1, 2, 0)", [channel]).unwrap();
    // The second command stores event 2 and then finds it in the index of `b` already.
    let answers = bench.group(vec![draft("b"), draft("a"), draft("c")]);
    assert!(matches!(answers[0], Err(Refused::Storage(StorageError::Unavailable(_)))), "{:?}", answers[0]);
    assert_eq!(answers[1].as_ref().unwrap().head.seq.0, 2);
    assert_eq!(answers[2].as_ref().unwrap().head.seq.0, 3);
    bench.writer.shared.health().unwrap();
    assert_eq!(bench.told(), 3);
}

#[test]
fn a_panicking_decision_is_refused_alone() {
    let mut bench = Bench::new();
    let (reply, mut answer) = oneshot::channel();
    let action = Action::Decide {
        reads: Vec::new(),
        decide: Box::new(|_| panic!("a bug of an app")),
        idempotency: Vec::new(),
    };
    let command = Command { tenant: tenant("default"), action };
    bench.writer.group(vec![Waiting { command, reply }]);
    assert!(matches!(answer.try_recv().unwrap(), Err(Refused::Problem(_))));
    assert!(bench.group(vec![draft("a")])[0].is_ok());
}

#[test]
fn another_writer_of_the_file_is_noticed() {
    let mut bench = Bench::new();
    assert!(bench.group(vec![draft("a")])[0].is_ok());
    bench.writer.connection.execute("UPDATE tenants SET head = 7", []).unwrap();
    assert!(failed(&bench.group(vec![draft("a")])[0]));
    assert_eq!(bench.told(), 1);
}
