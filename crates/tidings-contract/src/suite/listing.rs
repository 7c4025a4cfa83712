//! Listing records: by kind and by tag, newest first, with the head of the same snapshot.

use tidings_core::port::store::{Changes, Hold, RecordKey, RecordPage, RecordQuery, RecordWrite};
use tidings_core::port::{Directory, Store};
use tidings_protocol::Seq;

use super::Harness;
use super::kit::{Bench, HOUR, draft, numbered, put, record_key, tagged, tenant};

fn writing(records: Vec<RecordWrite>) -> Changes {
    Changes { records, ..Changes::default() }
}

fn asking(tag: Option<&str>, before: Option<u64>, limit: usize) -> RecordQuery {
    RecordQuery { kind: "thing".into(), tag: tag.map(str::to_owned), before, limit }
}

async fn page<H: Harness>(bench: &Bench<H>, query: RecordQuery) -> RecordPage {
    bench.node().records(&bench.tenant, &query).await.unwrap()
}

async fn ids<H: Harness>(bench: &Bench<H>, tag: Option<&str>) -> Vec<String> {
    let page = page(bench, asking(tag, None, 100)).await;
    assert!(page.records.is_sorted_by(|a, b| a.place > b.place), "newest first, each place once");
    page.records.into_iter().map(|record| record.key.id).collect()
}

/// Records are listed in the order of their creation, the newest first; a change leaves a record in its place.
pub async fn records_are_listed_newest_first(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    for id in ["z", "a", "m"] {
        bench.change(writing(vec![put(id, "1")])).await.unwrap();
    }
    bench.change(writing(vec![put("z", "2")])).await.unwrap();
    let of_another = RecordKey { kind: "other".into(), id: "a".into() };
    let put_other = RecordWrite::Put { key: of_another, body: "1".into(), tags: Vec::new() };
    bench.change(writing(vec![put_other])).await.unwrap();
    bench.restart().await;
    assert_eq!(ids(&bench, None).await, ["m", "a", "z"]);
    let newest = bench.record(&record_key("m")).await.unwrap();
    let listed = page(&bench, asking(None, None, 100)).await.records;
    assert_eq!(listed[0], newest, "a list gives what a read gives");
    bench.change(writing(vec![RecordWrite::Delete(record_key("m"))])).await.unwrap();
    bench.change(writing(vec![put("m", "1")])).await.unwrap();
    let anew = bench.record(&record_key("m")).await.unwrap();
    assert!(anew.place > newest.place, "a place is not given twice");
    assert_eq!(ids(&bench, None).await, ["m", "a", "z"]);
}

/// Pages follow each other by the place of the last record.
pub async fn pages_follow_by_place(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    for n in 0..7 {
        let tags: &[&str] = if n % 2 == 0 { &["even"] } else { &[] };
        bench.change(writing(vec![tagged(&n.to_string(), "1", tags)])).await.unwrap();
    }
    for (tag, expected) in
        [(None, &["6", "5", "4", "3", "2", "1", "0"][..]), (Some("even"), &["6", "4", "2", "0"])]
    {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page = page(&bench, asking(tag, before, 2)).await;
            assert!(page.records.len() <= 2);
            let Some(last) = page.records.last() else { break };
            before = Some(last.place);
            seen.extend(page.records.into_iter().map(|record| record.key.id));
        }
        assert_eq!(seen, expected);
    }
}

/// A record is listed by the tags that its last change gave it, and by no earlier ones.
pub async fn tags_are_those_of_the_last_change(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    bench.change(writing(vec![tagged("r", "1", &["a", "b"]), tagged("s", "1", &["b"])])).await.unwrap();
    assert_eq!(ids(&bench, Some("a")).await, ["r"]);
    assert_eq!(ids(&bench, Some("b")).await, ["s", "r"]);
    bench.change(writing(vec![tagged("r", "2", &["b", "c é"])])).await.unwrap();
    bench.restart().await;
    assert_eq!(ids(&bench, Some("a")).await, Vec::<String>::new());
    assert_eq!(ids(&bench, Some("b")).await, ["s", "r"]);
    assert_eq!(ids(&bench, Some("c é")).await, ["r"]);
    bench.change(writing(vec![put("r", "3"), RecordWrite::Delete(record_key("s"))])).await.unwrap();
    assert_eq!(ids(&bench, Some("b")).await, Vec::<String>::new());
    assert_eq!(ids(&bench, None).await, ["r"]);
    bench.change(writing(vec![tagged("s", "1", &["b"])])).await.unwrap();
    assert_eq!(ids(&bench, Some("b")).await, ["s"]);
}

/// Another tenant's records are not listed, whatever their tags.
pub async fn lists_belong_to_their_tenant(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let other = tenant("other");
    bench.node().add_tenant(&other).await.unwrap();
    bench.change(writing(vec![tagged("r", "1", &["a"])])).await.unwrap();
    for tag in [None, Some("a")] {
        assert_eq!(bench.node().records(&other, &asking(tag, None, 9)).await.unwrap().records, []);
        assert_eq!(ids(&bench, tag).await, ["r"]);
    }
    assert!(bench.node().records(&tenant("nobody"), &asking(None, None, 9)).await.is_err());
}

/// What is read comes with the head at that moment, under this run's lineage, also where nothing is found.
pub async fn what_is_read_comes_with_the_head(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    bench.change(Changes { events: vec![draft("a")], ..writing(vec![put("r", "1")]) }).await.unwrap();
    bench.publish_many("b", 3).await;
    bench.restart().await;
    let head = bench.bounds().await.head;
    assert_eq!(head.seq, Seq(4));
    for id in ["r", "none"] {
        let read = bench.node().record(&bench.tenant, &record_key(id)).await.unwrap();
        assert_eq!((read.head, read.record.is_some()), (head, id == "r"));
    }
    assert_eq!(page(&bench, asking(None, None, 1)).await.head, head);
    assert_eq!(page(&bench, asking(Some("none"), None, 1)).await.head, head);
    assert!(bench.knows(head).await);
}

/// The tags of a held record come with it, also over a kill.
pub async fn a_held_record_brings_its_tags(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    for n in 1..=2 {
        let records = vec![tagged("r", &n.to_string(), &[&format!("t{n}")])];
        let hold = Hold { stage: "s".into(), window: HOUR, event: numbered("a", n), records };
        bench.change(Changes { hold: vec![hold], ..Changes::default() }).await.unwrap();
    }
    assert_eq!(
        (ids(&bench, Some("t1")).await, ids(&bench, Some("t2")).await),
        (vec!["r".to_owned()], vec![])
    );
    bench.restart().await;
    assert_eq!(
        (ids(&bench, Some("t1")).await, ids(&bench, Some("t2")).await),
        (vec![], vec!["r".to_owned()])
    );
}
