//! Opening a stream or poll: who asks, for what, from where; and the session that comes of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tidings_core::feed::Frame;
use tidings_core::hub::{Mailbox, TenantHub};
use tidings_core::port::directory::Right;
use tidings_core::port::log::Resolution;
use tidings_core::session::{Course, JoinAt, Opening, SessionConfig, Start};
use tidings_core::{Feed, Principal, Session};
use tidings_protocol::control::Control;
use tidings_protocol::cursor::Since;
use tidings_protocol::limits::FILTER_WORDS;
use tidings_protocol::problem::Problem;
use tidings_protocol::{Category, Cursor, EndReason, ErrorCode, EventType, Filter, Pattern};

use super::batch::LONGEST;
use super::registry::{Holder, OpenStream, StreamGuard};
use super::sse::HeartbeatForm;
use crate::app::App;
use crate::audit::About;
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
    /// For how long events are gathered into one.
    pub batch: Option<Duration>,
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
                "batch" => {
                    once(&mut ask.batch, Duration::from_millis(parse_number(&value, "batch")?), "batch")?
                }
                "wait" => once(&mut ask.wait, Duration::from_secs(parse_number(&value, "wait")?), "wait")?,
                "limit" => {
                    let limit = usize::try_from(parse_number(&value, "limit")?).unwrap_or(usize::MAX);
                    once(&mut ask.limit, limit, "limit")?;
                }
                _ => {}
            }
        }
        ask.heartbeat = heartbeat.unwrap_or_default();
        if ask.batch.is_some_and(|window| window > LONGEST) {
            return Err(bad("batch", "`batch` is at most 60000 milliseconds"));
        }
        ask.set_filter(types, categories)?;
        Ok(ask)
    }

    /// What the audit log says it is about: the first channel.
    #[must_use]
    pub fn resource(&self) -> Option<String> {
        self.patterns.first().map(ToString::to_string)
    }

    /// Which events are wanted.
    ///
    /// # Errors
    /// `invalid_parameter` past 100 types or 100 categories.
    pub fn set_filter(&mut self, types: Vec<EventType>, categories: Vec<Category>) -> Answer<()> {
        if types.len() > FILTER_WORDS || categories.len() > FILTER_WORDS {
            return Err(bad("type", "at most 100 types and 100 categories"));
        }
        self.filter = Filter { types: types.into(), categories: categories.into(), terminal: false };
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

/// What a stream or poll is to be.
#[derive(Debug)]
pub struct Plan {
    /// How it leaves the server.
    pub transport: Transport,
    /// What its session is like.
    pub session: Arc<SessionConfig>,
    /// What it begins and ends with of its own accord.
    pub course: Course,
    /// What it begins and ends with in place of that, where the client's cursor is unknown.
    pub unknown: Option<Course>,
    /// Where it begins, where that is not what the client asked for.
    pub start: Option<Start>,
    /// The log's end as far as the stream is concerned, where that was read before.
    pub head: Option<Cursor>,
    /// Whether its channels are what they are.
    pub fixed: bool,
    /// What its rows in the audit log say; polls have none.
    pub about: Option<About>,
}

impl Plan {
    /// A native stream of server-sent events.
    #[must_use]
    pub fn stream(app: &App, about: About) -> Self {
        Self {
            transport: Transport::Sse,
            session: app.stream_session.clone(),
            course: Course::default(),
            unknown: None,
            start: None,
            head: None,
            fixed: false,
            about: Some(about),
        }
    }

    /// A poll.
    #[must_use]
    pub fn poll(app: &App) -> Self {
        Self {
            transport: Transport::Poll,
            session: app.poll_session.clone(),
            course: Course::default(),
            unknown: None,
            start: None,
            head: None,
            fixed: false,
            about: None,
        }
    }
}

/// A session at work, entered among the open streams.
#[derive(Debug)]
pub struct OpenedStream {
    /// The session.
    pub feed: Feed,
    /// Whose it is.
    pub holder: Arc<Holder>,
    /// Whether its channels are what they are.
    pub fixed: bool,
    _guard: StreamGuard,
    app: Arc<App>,
    transport: Transport,
    about: Option<About>,
    reason: Option<EndReason>,
    delivered: u64,
    messages: u64,
    opened_at: Duration,
}

impl OpenedStream {
    /// Counts messages that go out: an event is one, or as many as its view has frames.
    pub fn count_messages(&mut self, messages: usize) {
        self.messages += messages as u64;
    }

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
        let open_for = self.app.clocks.now().saturating_sub(self.opened_at);
        let reason = self.end_reason();
        if self.transport != Transport::Poll {
            self.app.metrics.stream_closed(self.transport, reason, self.delivered, open_for);
        }
        if let Some(about) = &self.about {
            self.app.audit.closed(self.feed.session().id(), about, open_for, self.messages, reason);
            about.log_end(reason);
        }
    }
}

/// Where a session begins that was asked to begin at `since`.
///
/// # Errors
/// Storage's.
pub async fn resolve_start(app: &App, hub: &TenantHub, since: Option<AskedSince>) -> Answer<Start> {
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
        Start::Resume(cursor) | Start::After(cursor) => JoinAt::After(cursor),
        Start::Oldest(floor) => JoinAt::Oldest(floor),
        Start::Unknown => JoinAt::Unknown,
    })
}

/// Looks once more, now that the stream would be told: its credential may have ended or lost rights, or the server may
/// have begun to leave, since that was asked first.
fn still_welcome(app: &App, principal: &Principal, patterns: &[Pattern]) -> Answer<()> {
    if app.auth.has_ended(principal) {
        return Err(Refusal::of(ErrorCode::Unauthenticated));
    }
    if let Some(now) = app.auth.changed(principal)
        && patterns.iter().any(|pattern| !now.may(Right::Subscribe, pattern))
    {
        return Err(Refusal::of(ErrorCode::ForbiddenChannel));
    }
    if app.draining.is_cancelled() {
        return Err(Refusal::of(ErrorCode::ServerShutdown));
    }
    Ok(())
}

/// Takes a place among the open streams.
fn enter(
    app: &App,
    id: &str,
    principal: &Arc<Principal>,
    mailbox: &Arc<Mailbox>,
    plan: &Plan,
) -> Answer<(Arc<Holder>, StreamGuard)> {
    let holder = Holder::new(principal.clone());
    let limits = &app.config.limits;
    let (limit, whose) = match principal.is_service() {
        true => (limits.streams_per_key, "key"),
        false => (limits.streams_per_user, "user"),
    };
    let entry = OpenStream {
        holder: holder.clone(),
        mailbox: mailbox.clone(),
        counted: plan.transport != Transport::Poll,
        fixed: plan.fixed,
    };
    let guard = app.registry.enter(id, entry, limit).map_err(|_| {
        let why = format!("the {whose} has as many streams open as it may have");
        Refusal(Problem::new(ErrorCode::TooManyStreams, why).retry_after(5))
    })?;
    Ok((holder, guard))
}

/// Puts a session to work for a principal that was found and authorised.
///
/// # Errors
/// Storage's; `too_many_streams` for streams past the principal's limit; `capacity` where the audit log has no room.
pub async fn open(app: &Arc<App>, principal: Arc<Principal>, ask: Ask, plan: Plan) -> Answer<OpenedStream> {
    let hub = app.hub.tenant(&principal.tenant).await?;
    let start = match plan.start {
        Some(start) => start,
        None => resolve_start(app, &hub, ask.since).await?,
    };
    let filter = Arc::new(ask.filter);
    let mailbox = Mailbox::new(filter.clone(), app.mailbox_bytes);
    let id = random_text::<16>().map_err(|error| {
        tracing::error!(%error, "no session id can be drawn");
        Refusal::of(ErrorCode::Internal)
    })?;
    let (holder, guard) = enter(app, &id, &principal, &mailbox, &plan)?;
    still_welcome(app, &principal, &ask.patterns)?;
    if let Some(about) = &plan.about {
        app.audit.opened(&id, about).await?;
        about.log_opened();
    }
    let now = app.clocks.now();
    let opening = Opening {
        id,
        patterns: ask.patterns,
        filter,
        start,
        head: plan.head.unwrap_or_else(|| hub.published()),
        expires: principal.expires_at.map(|at| (at, app.time_left(at))),
        course: plan.unknown.filter(|_| start == Start::Unknown).unwrap_or(plan.course),
    };
    let page_bytes = plan.session.page_bytes;
    let session = Session::open(now, plan.session, opening);
    let feed = Feed::new(session, mailbox, hub, app.pages.clone(), page_bytes);
    if plan.transport != Transport::Poll {
        app.metrics.stream_opened(plan.transport, matches!(start, Start::Resume(_)));
    }
    Ok(OpenedStream {
        feed,
        holder,
        fixed: plan.fixed,
        _guard: guard,
        app: app.clone(),
        transport: plan.transport,
        about: plan.about,
        reason: None,
        delivered: 0,
        messages: 0,
        opened_at: now,
    })
}
