//! Opening a stream or poll: who asks, for what, from where; and the session that comes of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tidings_core::feed::Frame;
use tidings_core::hub::{Mailbox, TenantHub};
use tidings_core::port::directory::Right;
use tidings_core::port::log::Resolution;
use tidings_core::session::{JoinAt, Opening, SessionConfig, Start};
use tidings_core::{Feed, Principal, Session};
use tidings_protocol::control::Control;
use tidings_protocol::cursor::Since;
use tidings_protocol::limits::FILTER_WORDS;
use tidings_protocol::problem::Problem;
use tidings_protocol::{Category, Cursor, EndReason, ErrorCode, EventType, Filter, Pattern};

use super::registry::{OpenStream, StreamGuard};
use super::sse::HeartbeatForm;
use crate::app::App;
use crate::ids::random_text;
use crate::metrics::Transport;
use crate::problem::{Answer, Refusal};

/// Most channels that a body names where sessions may have any number.
const BODY_CHANNELS: usize = 10_000;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What a stream or poll is asked for, by query or body.
#[derive(Debug, Default)]
pub struct Ask {
    /// Channels and patterns.
    pub patterns: Vec<Pattern>,
    /// Which events.
    pub filter: Filter,
    /// Where to begin; `None` where nothing was said.
    pub since: Option<AskedSince>,
    /// A ticket in place of a credential.
    pub ticket: Option<String>,
    /// How heartbeats are to come.
    pub heartbeat: HeartbeatForm,
    /// Parameters of poll and history.
    pub wait: Option<Duration>,
    /// Most events in one answer.
    pub limit: Option<usize>,
}

/// Where to begin, as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedSince {
    /// A word or a cursor.
    Valid(Since),
    /// A `Last-Event-ID` that no server of this kind ever gave: unknown, and no fault of a browser that sends it.
    Foreign,
}

fn bad(parameter: &str, detail: impl Into<String>) -> Refusal {
    Refusal(Problem::new(ErrorCode::InvalidParameter, detail).at(parameter))
}

impl Ask {
    /// Reads a query string; parameters that are not known are ignored.
    ///
    /// # Errors
    /// A refusal naming the parameter.
    pub fn from_query(query: &str) -> Answer<Self> {
        let mut ask = Self::default();
        let (mut types, mut categories, mut heartbeat) = (Vec::new(), Vec::new(), None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "channel" => {
                    // A query has at most 8 KiB, so that looking through what is there is cheap.
                    let pattern = parse_channel(&value)?;
                    if !ask.patterns.contains(&pattern) {
                        ask.patterns.push(pattern);
                    }
                }
                "type" => types.push(parse_word(&value, "type")?),
                "category" => categories.push(parse_word(&value, "category")?),
                "since" | "after" => once(&mut ask.since, parse_since(&value, &name)?, &name)?,
                "ticket" => once(&mut ask.ticket, value.into_owned(), "ticket")?,
                "heartbeat" => once(&mut heartbeat, parse_heartbeat(&value)?, "heartbeat")?,
                "wait" => once(&mut ask.wait, Duration::from_secs(parse_number(&value, "wait")?), "wait")?,
                "limit" => {
                    let limit = usize::try_from(parse_number(&value, "limit")?).unwrap_or(usize::MAX);
                    once(&mut ask.limit, limit, "limit")?;
                }
                _ => {}
            }
        }
        ask.heartbeat = heartbeat.unwrap_or_default();
        ask.set_filter(types, categories)?;
        Ok(ask)
    }

    /// Which events are wanted.
    ///
    /// # Errors
    /// `invalid_parameter` past 100 types or 100 categories.
    pub fn set_filter(&mut self, types: Vec<EventType>, categories: Vec<Category>) -> Answer<()> {
        if types.len() > FILTER_WORDS || categories.len() > FILTER_WORDS {
            return Err(bad("type", "at most 100 types and 100 categories"));
        }
        self.filter = Filter { types: types.into(), categories: categories.into() };
        Ok(())
    }

    /// Takes in the channels of a body; those that stand there more than once are one.
    ///
    /// # Errors
    /// `too_many_channels` past `limit` (zero: past what any body is meant to name), `invalid_channel`.
    pub fn set_channels(&mut self, texts: &[String], limit: usize) -> Answer<()> {
        if texts.len() > if limit == 0 { BODY_CHANNELS } else { limit } {
            return Err(Refusal::of(ErrorCode::TooManyChannels));
        }
        let mut seen = HashSet::new();
        for text in texts.iter().filter(|text| seen.insert(text.as_str())) {
            self.patterns.push(parse_channel(text)?);
        }
        Ok(())
    }

    /// Takes in `Last-Event-ID`, which wins over `since`.
    pub fn read_headers(&mut self, headers: &HeaderMap) {
        if let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) {
            let cursor = Cursor::from_bytes(value.as_bytes());
            self.since =
                Some(cursor.map_or(AskedSince::Foreign, |cursor| AskedSince::Valid(Since::Cursor(cursor))));
        }
    }
}

fn parse_channel(text: &str) -> Answer<Pattern> {
    text.parse().map_err(|why: tidings_protocol::channel::InvalidChannel| {
        Refusal(Problem::new(ErrorCode::InvalidChannel, format!("{why}: {text:?}")).at("channel"))
    })
}

fn once<T>(slot: &mut Option<T>, value: T, name: &str) -> Answer<()> {
    if slot.replace(value).is_some() {
        return Err(bad(name, format!("`{name}` stands more than once")));
    }
    Ok(())
}

/// Reads a type or category.
///
/// # Errors
/// `invalid_type`.
pub fn parse_word<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str, name: &str) -> Answer<T> {
    text.parse()
        .map_err(|why: T::Err| Refusal(Problem::new(ErrorCode::InvalidType, why.to_string()).at(name)))
}

/// Reads `start`, `now` or a cursor.
///
/// # Errors
/// `invalid_cursor`.
pub fn parse_since(text: &str, name: &str) -> Answer<AskedSince> {
    text.parse().map(AskedSince::Valid).map_err(|_| Refusal(Problem::of(ErrorCode::InvalidCursor).at(name)))
}

fn parse_heartbeat(text: &str) -> Answer<HeartbeatForm> {
    match text {
        "comment" => Ok(HeartbeatForm::Comment),
        "event" => Ok(HeartbeatForm::Event),
        _ => Err(bad("heartbeat", "`heartbeat` is comment or event")),
    }
}

fn parse_number(text: &str, name: &str) -> Answer<u64> {
    text.parse().map_err(|_| bad(name, format!("`{name}` is a whole number")))
}

/// A session at work, entered among the open streams.
#[derive(Debug)]
pub struct OpenedStream {
    /// The session.
    pub feed: Feed,
    /// Whose it is.
    pub principal: Arc<Principal>,
    _guard: StreamGuard,
    app: Arc<App>,
    transport: Transport,
    reason: Option<EndReason>,
    delivered: u64,
    opened_at: Duration,
}

impl OpenedStream {
    /// Counts a frame that goes out.
    pub fn count(&mut self, frame: &Frame) {
        match frame {
            Frame::Event(_) | Frame::Backfill(_) => self.delivered += 1,
            Frame::Control(control, _) => {
                if let Control::End { reason, .. } = &**control {
                    self.reason = Some(*reason);
                }
            }
            _ => {}
        }
    }

    /// Why it ended, once it has.
    #[must_use]
    pub fn end_reason(&self) -> EndReason {
        self.reason.unwrap_or(EndReason::ClientDisconnect)
    }

    /// Notes why it ended; the first reason stays.
    pub fn note_end(&mut self, reason: EndReason) {
        self.reason.get_or_insert(reason);
    }
}

impl Drop for OpenedStream {
    fn drop(&mut self) {
        if self.transport != Transport::Poll {
            let open_for = self.app.clocks.now().saturating_sub(self.opened_at);
            self.app.metrics.stream_closed(self.transport, self.end_reason(), self.delivered, open_for);
        }
    }
}

/// Checks that every pattern may be subscribed to.
///
/// # Errors
/// `forbidden_channel` naming the first that may not, `too_many_channels`.
pub fn authorize(app: &App, principal: &Principal, patterns: &[Pattern]) -> Answer<()> {
    let limit = app.config.limits.channels_per_session;
    if limit > 0 && patterns.len() > limit {
        return Err(Refusal::of(ErrorCode::TooManyChannels));
    }
    match patterns.iter().find(|pattern| !principal.may(Right::Subscribe, pattern)) {
        Some(pattern) => {
            let detail = format!("the credential gives no right to subscribe to {pattern}");
            Err(Refusal(Problem::new(ErrorCode::ForbiddenChannel, detail).at(pattern.to_string())))
        }
        None => Ok(()),
    }
}

/// Where a session begins that was asked to begin at `since`.
async fn resolve_start(app: &App, hub: &TenantHub, since: Option<AskedSince>) -> Answer<Start> {
    Ok(match since {
        None | Some(AskedSince::Valid(Since::Now)) => Start::Head,
        Some(AskedSince::Foreign) => Start::Unknown,
        Some(AskedSince::Valid(Since::Start)) => {
            Start::Oldest(app.pages.log().bounds(hub.tenant()).await?.floor)
        }
        Some(AskedSince::Valid(Since::Cursor(cursor))) => {
            match app.pages.log().resolve(hub.tenant(), cursor).await? {
                Resolution::Known => Start::Resume(cursor),
                Resolution::Unknown => Start::Unknown,
            }
        }
    })
}

/// Where a channel begins that is added with `since`.
///
/// # Errors
/// Storage's.
pub async fn resolve_join(app: &App, hub: &TenantHub, since: Option<Since>) -> Answer<JoinAt> {
    Ok(match resolve_start(app, hub, since.map(AskedSince::Valid)).await? {
        Start::Head => JoinAt::Here,
        Start::Resume(cursor) => JoinAt::After(cursor),
        Start::Oldest(floor) => JoinAt::Oldest(floor),
        Start::Unknown => JoinAt::Unknown,
    })
}

/// Looks once more, now that the stream would be told: its key may have been revoked, or the server may have begun to
/// leave, since that was asked first.
fn still_welcome(app: &App, principal: &Principal) -> Answer<()> {
    if app.auth.is_revoked(principal) {
        return Err(Refusal::of(ErrorCode::Unauthenticated));
    }
    if app.draining.is_cancelled() {
        return Err(Refusal::of(ErrorCode::ServerShutdown));
    }
    Ok(())
}

/// Puts a session to work for a principal that was found and authorised.
///
/// # Errors
/// Storage's; `too_many_streams` for streams past the principal's limit.
pub async fn open(
    app: &Arc<App>,
    principal: Arc<Principal>,
    ask: Ask,
    transport: Transport,
    config: Arc<SessionConfig>,
) -> Answer<OpenedStream> {
    let hub = app.hub.tenant(&principal.tenant).await?;
    let start = resolve_start(app, &hub, ask.since).await?;
    let filter = Arc::new(ask.filter);
    let mailbox = Mailbox::new(filter.clone(), app.mailbox_bytes);
    let id = random_text::<16>().map_err(|error| {
        tracing::error!(%error, "no session id can be drawn");
        Refusal::of(ErrorCode::Internal)
    })?;
    let is_stream = transport != Transport::Poll;
    let entry = OpenStream { principal: principal.clone(), mailbox: mailbox.clone(), counted: is_stream };
    let guard = app.registry.enter(&id, entry, app.config.limits.streams_per_key).map_err(|_| {
        let problem =
            Problem::new(ErrorCode::TooManyStreams, "the key has as many streams open as it may have");
        Refusal(problem.retry_after(5))
    })?;
    still_welcome(app, &principal)?;
    let now = app.clocks.now();
    let opening = Opening {
        id,
        patterns: ask.patterns,
        filter,
        start,
        head: hub.published(),
        expires: principal.expires_at.map(|at| (at, app.time_left(at))),
    };
    let page_bytes = config.page_bytes;
    let session = Session::open(now, config, opening);
    let feed = Feed::new(session, mailbox, hub, app.pages.clone(), page_bytes);
    if is_stream {
        app.metrics.stream_opened(transport);
    }
    Ok(OpenedStream {
        feed,
        principal,
        _guard: guard,
        app: app.clone(),
        transport,
        reason: None,
        delivered: 0,
        opened_at: now,
    })
}
