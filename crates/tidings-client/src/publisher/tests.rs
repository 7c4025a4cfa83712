//! Publishing through a server that answers as the test says.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;

use super::testing::{Script, broken, refused};
use super::*;
use crate::exchange::Trouble;

fn publisher(script: &Arc<Script>, queue: QueueOptions, on_error: Option<OnError>) -> Publisher {
    let sender = Sender { exchange: script.clone(), shown: Default::default() };
    Publisher::over(sender, Patience::default(), queue, on_error)
}

fn plain(script: &Arc<Script>) -> Publisher {
    publisher(script, QueueOptions::default(), None)
}

fn draft(n: usize) -> Draft {
    Draft::new(format!("c:{}", n % 3), "t", &n).unwrap()
}

/// The numbers of the events of each request.
fn numbers(script: &Script) -> Vec<Vec<u64>> {
    let numbers = |body: &str| {
        let body: Value = serde_json::from_str(body).unwrap();
        body["events"].as_array().unwrap().iter().map(|event| event["data"].as_u64().unwrap()).collect()
    };
    script.sent().iter().map(|(_, body)| numbers(body)).collect()
}

#[tokio::test(start_paused = true)]
async fn an_awaited_event_is_tried_with_one_key() {
    let script = Script::of(vec![Err(broken()), Err(refused(503, "storage_failed", None))]);
    plain(&script).publish(draft(1)).await.unwrap();
    let sent = script.sent();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|(_, body)| *body == sent[0].1) && sent[0].1.contains("idempotencyKey"));
}

#[tokio::test(start_paused = true)]
async fn many_events_go_in_several_requests_and_say_how_far_they_came() {
    let script = Script::of(vec![]);
    let receipts = plain(&script).publish_all((0..250).map(draft)).await.unwrap();
    assert_eq!(receipts.len(), 250);
    assert_eq!(numbers(&script).iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 50]);
    let events: Vec<String> =
        (0..100).map(|n| format!(r#"{{"id":"{n:013}.0000000","duplicate":false}}"#)).collect();
    let first = format!(r#"{{"events":[{}]}}"#, events.join(","));
    let script = Script::of(vec![Ok(&first), Err(refused(403, "forbidden_channel", None))]);
    let interrupted = plain(&script).publish_all((0..250).map(draft)).await.unwrap_err();
    assert_eq!((interrupted.published.len(), interrupted.error.code()), (100, Some("forbidden_channel")));
    assert_eq!(interrupted.last(), Some(interrupted.published[99].id));
}

#[tokio::test(start_paused = true)]
async fn the_queue_keeps_its_order_over_an_outage() {
    let outage = (0..20).map(|_| Err(Trouble::Unreachable("refused".into()))).collect();
    let script = Script::of(outage);
    let publisher = plain(&script);
    (0..250).for_each(|n| publisher.enqueue(draft(n)).unwrap());
    publisher.flush(Duration::from_secs(600)).await.unwrap();
    let mut numbers = numbers(&script);
    let first = numbers.first().unwrap().clone();
    assert_eq!(numbers.iter().take_while(|request| **request == first).count(), 21);
    numbers.dedup();
    assert_eq!(numbers.concat(), (0..250).collect::<Vec<u64>>());
}

#[tokio::test(start_paused = true)]
async fn one_bad_event_does_not_take_the_others_with_it() {
    let script = Script::of(vec![
        Err(refused(409, "channel_ended", None)),
        Ok(r#"{"events":[{"id":"0000000000001.0000000","duplicate":false}]}"#),
        Err(refused(409, "channel_ended", None)),
    ]);
    let failed = Arc::new(Mutex::new(Vec::new()));
    let told = failed.clone();
    let on_error = OnError::new(move |draft, error| {
        told.lock().push((draft.data().to_owned(), error.code().unwrap().to_owned()));
    });
    let publisher = publisher(&script, QueueOptions::default(), Some(on_error));
    (0..3).for_each(|n| publisher.enqueue(draft(n)).unwrap());
    publisher.flush(Duration::from_secs(60)).await.unwrap();
    assert_eq!(numbers(&script), [vec![0, 1, 2], vec![0], vec![1], vec![2]]);
    assert_eq!(*failed.lock(), [("1".to_owned(), "channel_ended".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_says_so_and_takes_more_once_there_is_room() {
    let queue = QueueOptions { events: 5, ..QueueOptions::default() };
    let publisher = publisher(&Script::of(vec![]), queue, None);
    (0..5).for_each(|n| publisher.enqueue(draft(n)).unwrap());
    assert!(matches!(publisher.enqueue(draft(5)), Err(NotQueued::Full(draft)) if draft.data() == "5"));
    publisher.flush(Duration::from_secs(1)).await.unwrap();
    publisher.enqueue(draft(5)).unwrap();
    let refused = publisher.enqueue(Draft::new("a:*", "t", &1).unwrap());
    assert!(matches!(refused, Err(NotQueued::Refused(error)) if error.code() == Some("invalid_channel")));
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_told_and_the_rest_goes_on() {
    let failed = Arc::new(Mutex::new(0));
    let told = failed.clone();
    let patience = Patience { attempts: 2, ..Patience::default() };
    let queue = QueueOptions { patience, ..QueueOptions::default() };
    let script = Script::of(vec![Err(broken()), Err(broken())]);
    let publisher = publisher(&script, queue, Some(OnError::new(move |_, _| *told.lock() += 1)));
    (0..150).for_each(|n| publisher.enqueue(draft(n)).unwrap());
    publisher.flush(Duration::from_secs(60)).await.unwrap();
    assert_eq!((*failed.lock(), script.sent().len()), (100, 3));
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_leaves_a_queue_that_is_still_emptied() {
    let script = Script::of(vec![Err(broken())]);
    let publisher = plain(&script);
    let other = publisher.clone();
    publisher.enqueue(draft(1)).unwrap();
    drop(publisher);
    other.enqueue(draft(2)).unwrap();
    drop(other);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(numbers(&script).last().unwrap(), &[1, 2]);
}

#[test]
fn the_queue_needs_a_runtime() {
    let publisher = plain(&Script::of(vec![]));
    assert!(matches!(publisher.enqueue(draft(1)), Err(NotQueued::NoRuntime)));
}
