//! `GET /v1/events`: server-sent events.

use std::sync::Arc;

use axum::extract::State;
use http::Method;
use tidings_protocol::ErrorCode;

use super::{Caller, Purpose, principal};
use crate::access::authorize;
use crate::app::App;
use crate::audit::About;
use crate::problem::{Answer, Refusal};
use crate::stream::open::{Ask, OpenedStream, Plan, open};
use crate::stream::respond::{Look, SseRequest, respond};

/// What stands before the actions of these streams in the audit log.
const AUDITED: &str = "stream.sse";

/// Opens a stream.
pub async fn events(State(app): State<Arc<App>>, request: SseRequest) -> Answer {
    let mut ask = Ask::from_query(&request.query)?;
    ask.read_headers(&request.headers);
    let look = Look { heartbeat: ask.heartbeat, view: None, batch: ask.batch };
    let about = About::new(AUDITED, ask.resource(), &request.headers, request.peer);
    let opened = app.audit.watch(&about, open_stream(&app, &request, ask, about.clone()).await);
    respond(&app, &request, look, opened).await
}

/// Opens the session; none for HEAD, which asks for the headers alone.
async fn open_stream(
    app: &Arc<App>,
    request: &SseRequest,
    ask: Ask,
    about: About,
) -> Answer<Option<OpenedStream>> {
    let caller = Caller { headers: &request.headers, peer: request.peer, purpose: Purpose::Open };
    let principal = principal(app, caller, ask.ticket.as_deref()).await?;
    about.is_by(&principal);
    authorize(app, &principal, &ask.patterns).await?;
    if app.draining.is_cancelled() {
        return Err(Refusal::of(ErrorCode::ServerShutdown));
    }
    if request.method == Method::HEAD {
        return Ok(None);
    }
    open(app, principal, ask, Plan::stream(app, about)).await.map(Some)
}
