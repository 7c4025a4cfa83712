//! `GET /api/casts/events`: several casts, all of the user's, or all of the tenant's. These streams do not end with a
//! cast; several begin with the state of each.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use http::Method;
use tidings_core::Principal;
use tidings_core::port::directory::Right;
use tidings_core::session::{Course, Ending, Start};
use tidings_protocol::problem::Problem;
use tidings_protocol::{ErrorCode, Pattern};
use tidings_server::App;
use tidings_server::audit::About;
use tidings_server::problem::{Answer, Refusal};
use tidings_server::routes::{Caller, Purpose, principal};
use tidings_server::stream::open::{AskedSince, OpenedStream, Plan, open};
use tidings_server::stream::respond::{SseRequest, respond};

use super::Shared;
use super::access::{check_read, exact, forbidden};
use super::shared::{Found, need, parse_id};
use super::stream::{AUDITED, Wanted};
use crate::casts::id::casts_of;
use tidings_protocol::cursor::Since;

/// How often the states of several casts are read again because one of them changed meanwhile.
const TRIES: usize = 20;

/// Which casts are asked for.
enum Which {
    Ids(Vec<String>),
    Mine,
    All,
}

fn which(query: &str) -> Answer<Which> {
    let mut ids: Vec<String> = Vec::new();
    let mut all = false;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match (&*name, &*value) {
            ("castId", id) if !ids.iter().any(|known| known == id) => ids.push(id.to_owned()),
            ("scope", "all") => all = true,
            ("scope", "mine") => {}
            ("scope", _) => {
                let problem = Problem::new(ErrorCode::InvalidParameter, "`scope` is mine or all");
                return Err(Refusal(problem.at("scope")));
            }
            _ => {}
        }
    }
    Ok(match (ids.is_empty(), all) {
        (false, true) => {
            let why = "name casts by `castId` or all by `scope=all`, not both";
            return Err(Refusal(Problem::new(ErrorCode::InvalidParameter, why).at("scope")));
        }
        (false, false) => Which::Ids(ids),
        (true, true) => Which::All,
        (true, false) => Which::Mine,
    })
}

/// Streams casts.
pub(super) async fn events(
    State(app): State<Arc<App>>,
    Extension(shared): Extension<Shared>,
    request: SseRequest,
) -> Answer {
    let asked = which(&request.query).and_then(|which| Ok((which, Wanted::read(&request)?)));
    let resource = match &asked {
        Ok((Which::Ids(ids), _)) => ids.first().cloned(),
        Ok((Which::All, _)) => Some("*".to_owned()),
        _ => None,
    };
    let about = About::new(AUDITED, resource, &request.headers, request.peer);
    let (which, wanted) = app.audit.watch(&about, asked)?;
    let look = wanted.look();
    let opened = open_stream(&app, &shared, &request, &which, wanted, &about).await;
    respond(&app, &request, look, app.audit.watch(&about, opened)).await
}

async fn open_stream(
    app: &Arc<App>,
    shared: &Shared,
    request: &SseRequest,
    which: &Which,
    mut wanted: Wanted,
    about: &About,
) -> Answer<Option<OpenedStream>> {
    let caller = Caller { headers: &request.headers, peer: request.peer, purpose: Purpose::Open };
    let principal = principal(app, caller, wanted.ask.ticket.as_deref()).await?;
    about.is_by(&principal);
    // No stream of these ends with a cast, so that terminal events are chosen like others.
    wanted.ask.filter.terminal = false;
    let mut plan = Plan { session: shared.session.clone(), fixed: true, ..Plan::stream(app, about.clone()) };
    match which {
        Which::Ids(ids) => {
            let found = read_all(app, &principal, ids).await?;
            wanted.ask.patterns.extend(found.iter().map(|found| exact(found.cast.id.channel())));
            begin(&wanted, &found, &mut plan)?;
        }
        Which::Mine => wanted.ask.patterns.push(mine(&principal)?),
        Which::All => wanted.ask.patterns.push(everything(&principal)?),
    }
    if app.draining.is_cancelled() {
        return Err(Refusal::of(ErrorCode::ServerShutdown));
    }
    if request.method == Method::HEAD {
        return Ok(None);
    }
    open(app, principal, wanted.ask, plan).await.map(Some)
}

/// Reads the casts as of one moment: again, where one changed while the others were read.
async fn read_all(app: &App, principal: &Principal, ids: &[String]) -> Answer<Vec<Found>> {
    let limit = app.config.limits.channels_per_session;
    if limit > 0 && ids.len() > limit {
        return Err(Refusal::of(ErrorCode::TooManyChannels));
    }
    for _ in 0..TRIES {
        let mut all = Vec::with_capacity(ids.len());
        for id in ids {
            let found = need(app, &principal.tenant, &parse_id(id)?).await?;
            check_read(principal, &found.cast)?;
            all.push(found);
        }
        let first = all.iter().map(|found| found.head).min();
        // Relayed events change no record, but they are told, not part of a state.
        if all.iter().all(|found| first.is_none_or(|first| found.at <= first)) {
            all.iter_mut().for_each(|found| found.head = first.unwrap_or(found.head));
            return Ok(all);
        }
    }
    let why = "the casts change too fast to be read together; try again";
    Err(Refusal(Problem::new(ErrorCode::Capacity, why).retry_after(1)))
}

/// Without a cursor, or with one that is unknown, the states come first.
fn begin(wanted: &Wanted, found: &[Found], plan: &mut Plan) -> Answer<()> {
    let Some(head) = found.first().map(|found| found.head) else { return Ok(()) };
    plan.head = Some(head);
    let mut state = Vec::new();
    for found in found {
        state.extend(wanted.state(&found.cast, head)?);
    }
    let course = Course { state, ending: Ending::Open };
    match wanted.ask.since {
        None => (plan.start, plan.course) = (Some(Start::After(head)), course),
        Some(AskedSince::Foreign) => plan.course = course,
        Some(AskedSince::Valid(Since::Now)) => plan.start = Some(Start::After(head)),
        Some(AskedSince::Valid(_)) => plan.unknown = Some(course),
    }
    Ok(())
}

/// All of the user's.
fn mine(principal: &Principal) -> Answer<Pattern> {
    let user = principal.user().ok_or_else(|| {
        let why = "a service key has no casts of its own: name some by `castId`, or ask for `scope=all`";
        Refusal(Problem::new(ErrorCode::InvalidParameter, why).at("scope"))
    })?;
    let pattern = exact(&casts_of(user)?);
    if principal.is_within_ticket(&pattern) {
        Ok(pattern)
    } else {
        Err(forbidden("the ticket is for other channels"))
    }
}

/// All of the tenant's: for admins, and for service keys with a grant of all.
fn everything(principal: &Principal) -> Answer<Pattern> {
    let pattern = Pattern::Prefix("cast:".into());
    if principal.may(Right::Subscribe, &pattern) && (principal.is_service() || is_admin(principal)) {
        Ok(pattern)
    } else {
        Err(forbidden("all casts are for admins, and for service keys granted subscribe:cast:*"))
    }
}

fn is_admin(principal: &Principal) -> bool {
    Principal { only: None, ..principal.clone() }.is_admin()
}
