//! `GET|POST /v1/poll` and `GET /v1/history`: reading in answers instead of a stream.
//!
//! Both are sessions as streams are, so that order, gaps and cursors are the same; a poll whose session has nothing
//! waits for what comes.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use tidings_core::Entry;
use tidings_core::feed::Frame;
use tidings_protocol::control::{Control, Reset, ResetReason};
use tidings_protocol::cursor::Since;
use tidings_protocol::json::from_object;
use tidings_protocol::problem::Problem;
use tidings_protocol::{Cursor, EndReason, ErrorCode};

use super::{Caller, Purpose, json, principal, read_body};
use crate::access::authorize;
use crate::app::App;
use crate::audit::About;
use crate::departure::Departure;
use crate::metrics::Transport;
use crate::peer::Peer;
use crate::problem::{Answer, Refusal};
use crate::stream::open::{Ask, AskedSince, OpenedStream, Plan, open, parse_since, parse_word};

/// How long a poll waits if it says nothing, and at most.
const WAIT: Duration = Duration::from_secs(25);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long the log may take to answer.
const LONGEST_READ: Duration = Duration::from_secs(30);

/// Bytes of events after which an answer is full.
const ANSWER_BYTES: usize = 1024 * 1024;

/// Largest body of a poll: a thousand of the longest channels.
const POLL_BYTES: usize = 512 * 1024;

#[derive(Deserialize)]
struct PollBody {
    #[serde(default)]
    channel: Vec<String>,
    #[serde(default)]
    r#type: Vec<String>,
    #[serde(default)]
    category: Vec<String>,
    after: Option<String>,
    wait: Option<u64>,
    limit: Option<usize>,
}

/// Waits until there is something, for as long as asked, or as the client is there.
pub async fn poll(
    State(app): State<Arc<App>>,
    departure: Departure,
    peer: Peer,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answer {
    let ask = Ask::from_query(&query.unwrap_or_default())?;
    answer_poll(&app, caller(&headers, peer, &ask), ask, &departure).await
}

/// The same, asked for by a body: for more channels than a URL holds.
pub async fn poll_by_body(
    State(app): State<Arc<App>>,
    departure: Departure,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    // The body is read for those who may ask at all; whether this counts as opening is known only after.
    principal(&app, Caller { headers: &headers, peer, purpose: Purpose::Ask }, None).await?;
    let body = read_body(&app, body, POLL_BYTES).await?;
    let asked: PollBody = from_object(&body)?;
    let mut ask = Ask { wait: asked.wait.map(Duration::from_secs), limit: asked.limit, ..Ask::default() };
    ask.set_channels(&asked.channel, app.config.limits.channels_per_session)?;
    let types: Answer<Vec<_>> = asked.r#type.iter().map(|word| parse_word(word, "type")).collect();
    let categories: Answer<Vec<_>> = asked.category.iter().map(|word| parse_word(word, "category")).collect();
    ask.set_filter(types?, categories?)?;
    ask.since = asked.after.as_deref().map(|text| parse_since(text, "after")).transpose()?;
    answer_poll(&app, caller(&headers, peer, &ask), ask, &departure).await
}

/// A poll that continues a cursor does not count as opening.
fn caller<'a>(headers: &'a HeaderMap, peer: Peer, ask: &Ask) -> Caller<'a> {
    let purpose = if ask.since.is_none() { Purpose::Open } else { Purpose::Ask };
    Caller { headers, peer, purpose }
}

async fn answer_poll(app: &Arc<App>, caller: Caller<'_>, ask: Ask, departure: &Departure) -> Answer {
    let wait = match ask.since {
        // Without a cursor the answer is where to begin.
        None | Some(AskedSince::Valid(Since::Now)) => Duration::ZERO,
        Some(_) => ask.wait.unwrap_or(WAIT).min(LONGEST_WAIT),
    };
    read(app, caller, ask, Wait { most: wait, departure }).await
}

/// How long a request waits.
struct Wait<'a> {
    most: Duration,
    departure: &'a Departure,
}

/// What the log holds, at once.
pub async fn history(
    State(app): State<Arc<App>>,
    departure: Departure,
    peer: Peer,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answer {
    let mut ask = Ask::from_query(&query.unwrap_or_default())?;
    ask.since.get_or_insert(AskedSince::Valid(Since::Start));
    let wait = Wait { most: Duration::ZERO, departure: &departure };
    read(&app, Caller { headers: &headers, peer, purpose: Purpose::Ask }, ask, wait).await
}

async fn read(app: &Arc<App>, caller: Caller<'_>, ask: Ask, wait: Wait<'_>) -> Answer {
    let about = About::new("stream.poll", ask.resource(), caller.headers, caller.peer);
    let allowed = async {
        let principal = principal(app, caller, ask.ticket.as_deref()).await?;
        about.is_by(&principal);
        authorize(app, &principal, &ask.patterns).await?;
        Ok(principal)
    };
    let principal = app.audit.watch(&about, allowed.await)?;
    if ask.patterns.is_empty() {
        return Err(Refusal(
            Problem::new(ErrorCode::InvalidParameter, "name at least one channel").at("channel"),
        ));
    }
    let most = app.config.limits.poll_events.max(1);
    let limit = ask.limit.unwrap_or(most).clamp(1, most);
    let asks_where = matches!(ask.since, None | Some(AskedSince::Valid(Since::Now)));
    let mut stream = open(app, principal, ask, Plan::poll(app)).await?;
    let mut page = AnswerPage::new(limit);
    if asks_where {
        // Where to begin and nothing else: what is committed this very moment is there for who asks again.
        return Ok(page.json(stream.feed.session().position(), false));
    }
    let waited = tokio::time::timeout(wait.most, page.wait_for_events(app, &mut stream));
    tokio::select! {
        biased;
        _ = waited => {}
        () = app.draining.cancelled(), if !wait.most.is_zero() => {}
        () = wait.departure.wait(), if !wait.most.is_zero() => {}
    }
    // The time is up, or it was none: what there is, once everything up to the head was looked at.
    let read = tokio::time::timeout(LONGEST_READ, poll_fn(|cx| page.poll_fill(cx, app, &mut stream, false)));
    if read.await.is_err() {
        return Err(Refusal::of(ErrorCode::Capacity));
    }
    app.metrics.delivered(Transport::Poll, page.events.len() as u64);
    page.answer(app, &mut stream)
}

/// What an answer is made of.
struct AnswerPage {
    limit: usize,
    events: Vec<Arc<Entry>>,
    bytes: usize,
    resets: Vec<Reset>,
    ended: Option<EndReason>,
}

impl AnswerPage {
    fn new(limit: usize) -> Self {
        Self { limit, events: Vec::new(), bytes: 0, resets: Vec::new(), ended: None }
    }

    fn is_full(&self) -> bool {
        self.events.len() >= self.limit || self.bytes >= ANSWER_BYTES
    }

    /// Waits until there is something to say; the session's own deadlines, its credential's end, are kept meanwhile.
    async fn wait_for_events(&mut self, app: &App, stream: &mut OpenedStream) {
        loop {
            let deadline = stream.feed.next_deadline();
            let due = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(app.clocks.instant(deadline)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = poll_fn(|cx| self.poll_fill(cx, app, stream, true)) => return,
                () = due => stream.feed.tick(app.clocks.now()),
            }
        }
    }

    /// Takes frames. Ready when full, ended, or caught up with something to say (`wait`), or caught up at all.
    fn poll_fill(
        &mut self,
        cx: &mut std::task::Context<'_>,
        app: &App,
        stream: &mut OpenedStream,
        wait: bool,
    ) -> Poll<()> {
        loop {
            if self.is_full() || self.ended.is_some() {
                return Poll::Ready(());
            }
            match stream.feed.poll(cx, app.clocks.now()) {
                Poll::Ready(frame) => {
                    self.take(frame);
                    self.take_back(stream);
                }
                Poll::Pending if !stream.feed.is_caught_up() => return Poll::Pending,
                Poll::Pending if wait && self.events.is_empty() && self.resets.is_empty() => {
                    return Poll::Pending;
                }
                Poll::Pending => return Poll::Ready(()),
            }
        }
    }

    fn take(&mut self, frame: Frame) {
        match frame {
            Frame::Event(entry) | Frame::Backfill(entry) => {
                self.bytes += entry.weight();
                self.events.push(entry);
            }
            Frame::Control(control, _) => match *control {
                Control::Reset(reset) => self.resets.push(reset),
                Control::End { reason, .. } => self.ended = Some(reason),
                _ => {}
            },
            Frame::Heartbeat(_) => {}
            Frame::Abort(reason) => self.ended = Some(reason),
            Frame::Over => {
                self.ended.get_or_insert(EndReason::ClientDisconnect);
            }
        }
    }

    /// Events of channels whose right has just ended are not told.
    fn take_back(&mut self, stream: &OpenedStream) {
        let is_loss = |reset: &Reset| reset.reason == ResetReason::Unauthorized;
        if self.resets.last().is_some_and(is_loss) {
            let patterns = stream.feed.session().patterns();
            self.events.retain(|entry| patterns.iter().any(|pattern| entry.event().is_on(pattern)));
        }
    }

    /// `{"events","cursor","more","resets"}`.
    fn answer(self, app: &App, stream: &mut OpenedStream) -> Answer {
        let refusal = self.ended.and_then(|reason| match reason {
            // The server is being stopped: what there is.
            EndReason::ServerShutdown => None,
            EndReason::Expired => Some(ErrorCode::Expired),
            EndReason::SignedOut => Some(ErrorCode::SignedOut),
            EndReason::Revoked => Some(ErrorCode::Revoked),
            _ => Some(ErrorCode::Capacity),
        });
        if let Some(code) = refusal {
            return Err(Refusal::of(code));
        }
        let more = self.is_full() && !stream.feed.is_caught_up();
        if !more {
            stream.feed.settle(app.clocks.now());
        }
        Ok(self.json(stream.feed.session().position(), more))
    }

    fn json(&self, cursor: Cursor, more: bool) -> Response {
        let resets: Vec<_> = self.resets.iter().map(Reset::to_value).collect();
        let resets = serde_json::Value::Array(resets);
        let events: Vec<_> = self.events.iter().map(|entry| entry.event().to_json()).collect();
        let events = events.join(",");
        json(format!("{{\"events\":[{events}],\"cursor\":\"{cursor}\",\"more\":{more},\"resets\":{resets}}}"))
    }
}
