//! A reader of `GET /v1/poll`: one poll after the other on one connection, and pages of `/v1/history`.

use std::collections::VecDeque;
use std::io;

use serde_json::Value;
use tidings_protocol::Cursor;

use crate::http::{Connection, invalid, request};
use crate::subscription::{Ask, Closed, Item, cursor};
use crate::target::Target;

/// A chain of polls. Its items are those of a stream: `$ready` when the first poll is answered, a control for each
/// reset, events, then the position.
#[derive(Debug)]
pub struct Poll {
    connection: Connection,
    target: Target,
    query: String,
    wait: u64,
    after: String,
    /// A request was sent and its answer has not come.
    waiting: bool,
    ready: VecDeque<Item>,
    /// Polls answered.
    pub answered: usize,
}

/// One answer of poll or history.
#[derive(Debug, Clone)]
pub struct Page {
    /// Events, as JSON.
    pub events: Vec<Value>,
    /// Where reading goes on.
    pub cursor: Cursor,
    /// Whether there is more at once.
    pub more: bool,
    /// Gaps.
    pub resets: Vec<Value>,
}

impl Poll {
    /// Begins: with a cursor at once, without one by a poll that says where.
    ///
    /// # Errors
    /// [`Closed`]: broken, or refused.
    pub async fn open(target: &Target, ask: &Ask) -> Result<Self, Closed> {
        let connection = Connection::open(target.address).await?;
        let mut poll = Self {
            connection,
            target: target.clone(),
            query: ask.query(),
            wait: ask.wait,
            after: ask.since.clone().unwrap_or_default(),
            waiting: false,
            ready: VecDeque::new(),
            answered: 0,
        };
        if ask.since.is_none() {
            poll.send().await?;
            let page = poll.page().await?;
            let data = format!("{{\"resumed\":false,\"head\":\"{}\"}}", page.cursor);
            poll.ready.push_back(Item::Control { name: "$ready".to_owned(), id: Some(page.cursor), data });
            poll.take(page);
        }
        Ok(poll)
    }

    async fn send(&mut self) -> Result<(), Closed> {
        let mut path = format!("/v1/poll?{}wait={}", self.query, self.wait);
        if !self.after.is_empty() {
            path.push_str(&format!("&after={}", self.after));
        }
        self.connection.send(&request(&self.target, "GET", &path, "", None)).await?;
        self.waiting = true;
        Ok(())
    }

    /// What comes next. May be dropped and called again.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn next(&mut self) -> Result<Item, Closed> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(item);
            }
            if !self.waiting {
                self.send().await?;
            }
            let page = self.page().await?;
            self.take(page);
        }
    }

    /// The answer to the request under way. Only ever leaves the buffer behind when it is dropped on the way.
    async fn page(&mut self) -> Result<Page, Closed> {
        let (head, body) = loop {
            match whole_answer(self.connection.buffer())? {
                Some(answer) => break answer,
                None => self.connection.fill().await?,
            }
        };
        self.waiting = false;
        self.answered += 1;
        if head.status != 200 {
            return Err(Closed::refused(&head, &body));
        }
        Ok(Page::parse(&body)?)
    }

    fn take(&mut self, page: Page) {
        for reset in page.resets {
            self.ready.push_back(Item::Control {
                name: "$reset".to_owned(),
                id: None,
                data: reset.to_string(),
            });
        }
        for event in page.events {
            let id = event["id"].as_str().and_then(|id| id.parse().ok());
            self.ready.push_back(Item::Event { id, data: event.to_string() });
        }
        self.after = page.cursor.to_string();
        self.ready.push_back(Item::Position(page.cursor));
    }
}

/// A whole answer of known length at the front of the buffer, taken out; `None` if more must be read.
fn whole_answer(buffer: &mut bytes::BytesMut) -> io::Result<Option<(crate::http::Head, Vec<u8>)>> {
    let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = crate::http::Head::parse(&buffer[..end])?;
    let length = head.header("content-length").and_then(|length| length.parse::<usize>().ok());
    let length = length.ok_or_else(|| invalid("an answer to a poll without a length"))?;
    if buffer.len() < end + 4 + length {
        return Ok(None);
    }
    let mut answer = buffer.split_to(end + 4 + length);
    let body = answer.split_off(end + 4);
    Ok(Some((head, body.to_vec())))
}

impl Page {
    fn parse(body: &[u8]) -> io::Result<Self> {
        let mut value: Value = serde_json::from_slice(body).map_err(|error| invalid(&error.to_string()))?;
        let array = |value: Value| match value {
            Value::Array(items) => Ok(items),
            other => Err(invalid(&format!("an array was expected, not {other}"))),
        };
        Ok(Self {
            events: array(value["events"].take())?,
            cursor: cursor(value["cursor"].as_str().unwrap_or_default())?,
            more: value["more"].as_bool().ok_or_else(|| invalid("`more` is a boolean"))?,
            resets: array(value["resets"].take())?,
        })
    }
}

/// Everything that the log retains of the channels, from its beginning or after a cursor.
///
/// # Panics
/// If it cannot be read, or has gaps.
pub async fn history(target: &Target, channels: &[&str], after: Option<&str>) -> Vec<Value> {
    let mut connection = Connection::open(target.address).await.expect("a connection for history");
    let ask = Ask::of(channels);
    let (mut events, mut after) = (Vec::new(), after.map(str::to_owned));
    loop {
        let mut path = format!("/v1/history?{}limit=1000", ask.query());
        if let Some(after) = &after {
            path.push_str(&format!("&after={after}"));
        }
        let answer = connection.exchange(&request(target, "GET", &path, "", None)).await.expect("an answer");
        assert_eq!(answer.status(), 200, "history: {}", String::from_utf8_lossy(&answer.body));
        let page = Page::parse(&answer.body).expect("a page");
        assert!(page.resets.is_empty(), "history has a gap: {:?}", page.resets);
        events.extend(page.events);
        if !page.more {
            return events;
        }
        after = Some(page.cursor.to_string());
    }
}
