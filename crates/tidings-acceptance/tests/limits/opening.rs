//! An attempt to open a stream, by each transport, and how it comes out.

use std::time::Duration;

use tidings_acceptance::http::Answer;
use tidings_acceptance::subscription::{Closed, Item};
use tidings_acceptance::{Ask, Frames, Subscription, Target, Transport, within};

use crate::PATIENCE;

/// How a stream is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Sse,
    WebSocket,
    /// A stream of the cast `live`, which everybody here may read.
    Cast,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Sse, Self::WebSocket, Self::Cast];

    pub(crate) fn nth(index: usize) -> Self {
        Self::ALL[index % Self::ALL.len()]
    }
}

/// A stream that was opened; dropping it closes the connection.
#[derive(Debug)]
pub(crate) enum Open {
    Frames(#[allow(dead_code, reason = "held open")] Box<Frames>),
    Socket(#[allow(dead_code, reason = "held open")] Box<Subscription>),
}

/// How a stream was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// By a status, a code, and the seconds after which to try again.
    Status(u16, String, Option<u64>),
    /// By an upgrade that ends: the reason and the close code.
    Closed(String, u16),
    /// By a stream that ends: the reason, and the milliseconds after which to come back.
    Ended(String, u64),
}

impl Refused {
    /// Whether it says that there were too many, and when to try again.
    pub(crate) fn is_too_many(&self, code: &str) -> bool {
        match self {
            Self::Status(429, found, Some(1..=120)) => found == code,
            Self::Closed(reason, 4429) => reason == "rate_limited",
            Self::Ended(reason, 1_000..) => reason == "rate_limited",
            _ => false,
        }
    }

    /// Whether it says that there is no valid credential.
    pub(crate) fn is_unauthenticated(&self) -> bool {
        match self {
            Self::Status(401, code, None) => code == "unauthenticated",
            Self::Closed(_, 4401) => true,
            _ => false,
        }
    }
}

fn of_answer(answer: &Answer) -> Refused {
    let after = answer.head.header("retry-after").map(|after| after.parse().expect("whole seconds"));
    Refused::Status(answer.status(), answer.code(), after)
}

/// Opens a stream; `more` are further header lines, each ending in CRLF.
pub(crate) async fn open_with(way: Way, target: &Target, more: &str) -> Result<Open, Refused> {
    if way == Way::WebSocket {
        return socket(target).await;
    }
    let path = if way == Way::Cast { "/api/casts/live/events" } else { "/v1/events?channel=live" };
    match within(PATIENCE, "an answer", Frames::open(target, path, more)).await {
        Ok(mut frames) => {
            assert_eq!(frames.event().await.name, "$ready");
            Ok(Open::Frames(Box::new(frames)))
        }
        Err(answer) if answer.status() == 200 => Err(ended(&answer)),
        Err(answer) => Err(of_answer(&answer)),
    }
}

pub(crate) async fn open(way: Way, target: &Target) -> Result<Open, Refused> {
    open_with(way, target, "").await
}

async fn socket(target: &Target) -> Result<Open, Refused> {
    let opened = Subscription::open(Transport::Ws, target, &Ask::of(&["live"])).await;
    let mut socket = opened.unwrap_or_else(|closed| panic!("an upgrade is always completed: {closed:?}"));
    let Item::Control { name, data, .. } = socket.next().await.unwrap() else {
        panic!("a control comes first")
    };
    if name == "$ready" {
        return Ok(Open::Socket(Box::new(socket)));
    }
    assert_eq!(name, "$end");
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    let Err(Closed::Ended(Some(code))) = socket.next().await else { panic!("a close follows {data}") };
    Err(Refused::Closed(data["reason"].as_str().unwrap().to_owned(), code))
}

/// The refusal of a browser that comes back: `retry:` and `$end`, and no id.
fn ended(answer: &Answer) -> Refused {
    let mut parser = tidings_acceptance::frames::Parser::default();
    let frames = parser.push(&answer.body).unwrap();
    let [frame] = &frames[..] else { panic!("one block: {frames:?}") };
    assert_eq!((frame.name.as_str(), &frame.id), ("$end", &None));
    assert_eq!(answer.head.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let after = frame.data["after"].as_u64().expect("when to come back");
    assert_eq!(frame.retry, Some(after));
    Refused::Ended(frame.data["reason"].as_str().unwrap().to_owned(), after)
}

/// Waits until so many streams are open.
pub(crate) async fn settled(target: &Target, streams: u64, limit: Duration) {
    tidings_acceptance::wait::until(limit, &format!("{streams} streams to be open"), async || {
        (tidings_acceptance::Figures::read(target.address).await.streams() == streams).then_some(())
    })
    .await;
}
