//! A server that answers as a test says.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::exchange::{Call, Exchange, Trouble};
use crate::refusal::Refusal;

/// Answers in their order, and what was asked when.
#[derive(Debug, Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Result<String, Trouble>>>,
    sent: Mutex<Vec<(Instant, String)>>,
}

impl Script {
    pub(crate) fn of(answers: Vec<Result<&str, Trouble>>) -> Arc<Self> {
        let answers = answers.into_iter().map(|answer| answer.map(str::to_owned)).collect();
        Arc::new(Self { answers: Mutex::new(answers), sent: Mutex::default() })
    }

    pub(crate) fn sent(&self) -> Vec<(Instant, String)> {
        self.sent.lock().clone()
    }

    /// Answers that were not needed.
    pub(crate) fn left(&self) -> usize {
        self.answers.lock().len()
    }
}

impl Exchange for Script {
    fn post<'a>(&'a self, call: &'a Call, _limit: Duration) -> BoxFuture<'a, Result<Bytes, Trouble>> {
        let body = String::from_utf8_lossy(&call.body).into_owned();
        self.sent.lock().push((Instant::now(), body.clone()));
        let scripted = self.answers.lock().pop_front();
        let answer = scripted.unwrap_or_else(|| Ok(receipts(&body)));
        Box::pin(async move { answer.map(Bytes::from) })
    }
}

/// What the server answers to a publish: an id for each event.
pub(crate) fn receipts(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let count = body["events"].as_array().map_or(1, Vec::len);
    let receipt = |n| serde_json::json!({"id": format!("{n:013}.0000000"), "duplicate": false});
    serde_json::json!({"events": (0..count).map(receipt).collect::<Vec<_>>()}).to_string()
}

pub(crate) fn broken() -> Trouble {
    Trouble::Broken("cut".into())
}

pub(crate) fn refused(status: u16, code: &str, seconds: Option<u64>) -> Trouble {
    Trouble::Refused(Refusal {
        status,
        code: code.into(),
        detail: String::new(),
        at: None,
        current: None,
        retry_after: seconds.map(Duration::from_secs),
    })
}
