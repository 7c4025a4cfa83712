//! `GET /api/casts/{id}/events`: one cast, from its state to its end.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use http::{HeaderValue, Method, StatusCode, header};
use tidings_core::Entry;
use tidings_core::session::{Course, Ending, Start};
use tidings_protocol::cursor::Since;
use tidings_protocol::{Cursor, ErrorCode, EventType, Filter};
use tidings_server::App;
use tidings_server::audit::About;
use tidings_server::problem::{Answer, Refusal};
use tidings_server::routes::{Caller, Purpose, principal};
use tidings_server::stream::open::{Ask, AskedSince, OpenedStream, Plan, open, resolve_start};
use tidings_server::stream::respond::{Look, SseRequest, respond};

use super::Shared;
use super::access::{check_read, exact};
use super::shared::{Found, need, parse_id};
use crate::casts::cast::Cast;
use crate::casts::choice::Choice;
use crate::casts::snapshot::state_events;
use crate::casts::view::CastView;

/// What stands before the actions of these streams in the audit log.
pub(super) const AUDITED: &str = "cast.sse";

/// What a request asks of a stream of casts.
pub(super) struct Wanted {
    pub(super) ask: Ask,
    choice: Choice,
}

impl Wanted {
    /// Reads the query and `Last-Event-ID`; `?type=` names frames.
    pub(super) fn read(request: &SseRequest) -> Answer<Self> {
        let mut ask = Ask::from_query(&request.query)?;
        ask.read_headers(&request.headers);
        let choice = Choice::parse(ask.filter.types.iter().map(EventType::as_str))?;
        // Terminal events are seen whatever was chosen: the stream ends with them.
        let (types, categories) = (choice.types().into(), Box::default());
        ask.filter = Filter { types, categories, terminal: true };
        ask.patterns.clear();
        Ok(Self { ask, choice })
    }

    pub(super) fn look(&self) -> Look {
        let view = CastView::new(self.choice.clone());
        Look { heartbeat: self.ask.heartbeat, view: Some(Arc::new(view)), batch: self.ask.batch }
    }

    /// The state of a cast as the frames that were chosen: events of which nothing would be shown are left out.
    pub(super) fn state(&self, cast: &Cast, head: Cursor) -> Answer<Vec<Arc<Entry>>> {
        let events = state_events(cast, head)?;
        let chosen = events.into_iter().filter(|event| self.ask.filter.names(event));
        Ok(chosen.map(Entry::new).collect())
    }
}

/// What becomes of a request.
enum Opened {
    /// A stream; none for HEAD.
    Stream(Option<Box<OpenedStream>>),
    /// The cast has ended, and the client has seen it end.
    SeenToTheEnd,
}

/// Streams a cast.
pub(super) async fn events(
    State(app): State<Arc<App>>,
    Extension(shared): Extension<Shared>,
    Path(id): Path<String>,
    request: SseRequest,
) -> Answer {
    let about = About::new(AUDITED, Some(id.clone()), &request.headers, request.peer);
    let wanted = app.audit.watch(&about, Wanted::read(&request))?;
    let look = wanted.look();
    let opened = open_stream(&app, &shared, &request, &id, wanted, &about).await;
    let opened = match app.audit.watch(&about, opened) {
        // What makes a native `EventSource` stop for good (HTML, "Processing model" of server-sent events).
        Ok(Opened::SeenToTheEnd) => {
            let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            return Ok((StatusCode::NO_CONTENT, no_store).into_response());
        }
        Ok(Opened::Stream(stream)) => Ok(stream.map(|stream| *stream)),
        Err(refusal) => Err(refusal),
    };
    respond(&app, &request, look, opened).await
}

async fn open_stream(
    app: &Arc<App>,
    shared: &Shared,
    request: &SseRequest,
    id: &str,
    mut wanted: Wanted,
    about: &About,
) -> Answer<Opened> {
    let caller = Caller { headers: &request.headers, peer: request.peer, purpose: Purpose::Open };
    let principal = principal(app, caller, wanted.ask.ticket.as_deref()).await?;
    about.is_by(&principal);
    let found = need(app, &principal.tenant, &parse_id(id)?).await?;
    check_read(&principal, &found.cast)?;
    if app.draining.is_cancelled() {
        return Err(Refusal::of(ErrorCode::ServerShutdown));
    }
    let hub = app.hub.tenant(&principal.tenant).await?;
    let asked = match wanted.ask.since {
        None => None,
        since => Some(resolve_start(app, &hub, since).await?),
    };
    if is_seen_to_the_end(&found, asked) {
        return Ok(Opened::SeenToTheEnd);
    }
    if request.method == Method::HEAD {
        return Ok(Opened::Stream(None));
    }
    wanted.ask.patterns.push(exact(found.cast.id.channel()));
    let (start, course) = begin(&wanted, &found, asked)?;
    let plan = Plan {
        session: shared.session.clone(),
        course,
        start: Some(start),
        head: Some(found.head),
        fixed: true,
        ..Plan::stream(app, about.clone())
    };
    open(app, principal, wanted.ask, plan).await.map(|stream| Opened::Stream(Some(Box::new(stream))))
}

/// Whether the cast has ended, and its end lies at or before the client's cursor.
fn is_seen_to_the_end(found: &Found, asked: Option<Start>) -> bool {
    let Some(Start::Resume(cursor)) = asked else { return false };
    found.cast.status.is_terminal() && cursor.seq >= found.at.seq
}

/// Where the stream begins, with what, and how it ends.
fn begin(wanted: &Wanted, found: &Found, asked: Option<Start>) -> Answer<(Start, Course)> {
    let is_over = found.cast.status.is_terminal();
    let state = || wanted.state(&found.cast, found.head);
    let now = matches!(wanted.ask.since, Some(AskedSince::Valid(Since::Now)));
    Ok(match asked {
        // What the client knew counts for nothing, or it knows nothing yet: the state.
        None | Some(Start::Unknown) => {
            let ending = if is_over { Ending::Over(Vec::new()) } else { Ending::WithTerminal };
            (asked.unwrap_or(Start::After(found.head)), Course { state: state()?, ending })
        }
        Some(_) if now && !is_over => {
            let start = Start::After(found.head);
            (start, Course { state: Vec::new(), ending: Ending::WithTerminal })
        }
        Some(_) if now => {
            let start = Start::After(found.head);
            (start, Course { state: state()?, ending: Ending::Over(Vec::new()) })
        }
        Some(start) => {
            let ending = if is_over { Ending::Over(state()?) } else { Ending::WithTerminal };
            (start, Course { state: Vec::new(), ending })
        }
    })
}
