//! Many casts of one run, and many deliveries at once.

use std::time::Duration;

use serde_json::json;
use tidings_acceptance::wait::within;
use tidings_acceptance::{Call, report};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::hub::{Hub, Run, completed, in_progress, signed};

/// More casts than are decided on at once.
const CROWD: u64 = 45;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_takes_a_run_from_another() {
    let hub = Hub::make().await;
    let victim = hub.bound().await;
    for n in 0..CROWD {
        hub.create(&format!("crowd_{n}"), &json!({"workflowRunId": victim.id})).await;
    }
    let reply = hub.deliver(&hub.delivery(completed(&victim, &json!("success"), 1))).await;
    let changed = reply.json()["changed"].as_array().unwrap().len() as u64;
    assert_eq!(changed, CROWD + 1, "{}", reply.told());
    assert_eq!(hub.state(&hub.north, &victim.cast).await.cast["status"], "succeeded");
    report(format!("webhook: a run of {changed} casts moved each of them"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_known_as_one() {
    let hub = Hub::make().await;
    let run = hub.bound().await;
    let body = in_progress(&run);
    let (id, secret) = (hub.id(), &hub.north.secret);
    let repeated = async |call: &Call| hub.deliver(call).await.json()["repeated"].clone();
    assert_eq!(repeated(&signed(secret, &id, &body)).await, json!(false));
    assert_eq!(repeated(&signed(secret, &id, &body)).await, json!(true), "the same again");
    assert_eq!(repeated(&hub.delivery(&body)).await, json!(true), "its body under a new id");
    let late = Run { cast: run.cast.clone(), id: run.id };
    assert_eq!(repeated(&hub.delivery(completed(&late, &json!("success"), 1))).await, json!(false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_has_signed_is_held_for_a_few_alone() {
    const HELD: usize = 32;
    const MORE: usize = 8;
    let hub = Hub::make().await;
    let address = hub.server.address();
    let head = format!(
        "POST /api/webhooks/github HTTP/1.1\r\nhost: x\r\nx-hub-signature-256: sha256={}\r\n\
         x-github-event: workflow_run\r\nx-github-delivery: d\r\ncontent-length: 2000000\r\n\r\n",
        "0".repeat(64)
    );
    // Which of them are held is the scheduler's choice; that no more are is not.
    let (answered, mut answers) = mpsc::channel(HELD + MORE);
    let mut open = JoinSet::new();
    for _ in 0..HELD + MORE {
        let (head, answered) = (head.clone(), answered.clone());
        open.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            answered.send(answer).await.unwrap();
        });
    }
    for _ in 0..MORE {
        let answer = within(Duration::from_secs(10), "an answer", answers.recv()).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 503");
    }
    assert!(answers.try_recv().is_err(), "the others are read on");
    drop(open);
    let run = hub.bound().await;
    let taken = async {
        loop {
            let reply = hub.delivery(in_progress(&run)).make(address).await;
            if reply.status == 202 {
                return;
            }
            assert_eq!(reply.status, 503, "{}", reply.told());
        }
    };
    within(Duration::from_secs(10), "the twin to be taken", taken).await;
    report(format!(
        "webhook: {HELD} bodies were held, {MORE} more refused, and a signed one taken afterwards"
    ));
}
