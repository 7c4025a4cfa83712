//! What clients ask for besides reading: the same over HTTP and on a WebSocket.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tidings_core::Principal;
use tidings_core::hub::{Mailbox, Signal};
use tidings_core::port::store::{Action, Command, Outcome};
use tidings_core::session::Join;
use tidings_protocol::problem::Problem;
use tidings_protocol::socket::{Change, ClientOp, error_frame, ok_frame, parse_client};
use tidings_protocol::{Draft, EndReason, ErrorCode};
use tokio::sync::oneshot;

use crate::access::{check_free, may_subscribe};
use crate::app::App;
use crate::clock::wall_time;
use crate::problem::{Answer, Refusal};
use crate::routes::socket;
use crate::stream::open::{OpenedStream, resolve_join};
use crate::stream::registry::Holder;

/// How long a change waits for a session that is busy.
const CHANGE_WAIT: Duration = Duration::from_secs(10);

/// Publishes events, all or none.
///
/// # Errors
/// `forbidden_channel`, `forbidden` for an actor that the credential may not name, and the store's.
pub async fn publish(app: &App, principal: &Principal, drafts: Vec<Draft>) -> Answer<Outcome> {
    for draft in &drafts {
        if let Some(channel) = draft.channels().find(|channel| !principal.may_publish(channel)) {
            let detail = format!("the credential gives no right to publish to {channel}");
            return Err(Refusal(Problem::new(ErrorCode::ForbiddenChannel, detail).at(channel.to_string())));
        }
        for channel in draft.channels() {
            check_free(app, channel)?;
        }
        if draft.actor.is_some() && !principal.names_actors() {
            let problem = Problem::new(ErrorCode::Forbidden, "only service keys may name an actor");
            return Err(Refusal(problem.at("actor")));
        }
    }
    let began = app.clocks.now();
    let command = Command { tenant: principal.tenant.clone(), action: Action::Publish(drafts) };
    let outcome = app.store.submit(command).await?;
    let duplicates = outcome.receipts.iter().filter(|receipt| receipt.duplicate).count() as u64;
    let events = outcome.receipts.len() as u64 - duplicates;
    app.metrics.published(events, duplicates, app.clocks.now().saturating_sub(began));
    Ok(outcome)
}

/// `{"events":[{"id","duplicate"}]}`.
#[must_use]
pub fn receipts_json(outcome: &Outcome) -> String {
    let events: Vec<_> = outcome
        .receipts
        .iter()
        .map(|receipt| json!({"id": receipt.id, "duplicate": receipt.duplicate}))
        .collect();
    json!({ "events": events }).to_string()
}

/// Changes a stream's subscriptions; answers `{"added","refused":[{"channel","code"}]}`.
///
/// # Errors
/// Storage's, `session_unknown` where the stream has ended meanwhile, and `capacity` where it was busy for too long.
pub async fn change(
    app: &App,
    principal: &Principal,
    mailbox: Arc<Mailbox>,
    change: Change,
) -> Answer<String> {
    let hub = app.hub.tenant(&principal.tenant).await?;
    let mut refused: Vec<(String, ErrorCode)> = change.refused;
    let mut joins = Vec::with_capacity(change.add.len());
    for addition in change.add {
        if may_subscribe(app, principal, &addition.pattern).await? {
            let at = resolve_join(app, &hub, addition.since).await?;
            joins.push(Join { pattern: addition.pattern, at });
        } else {
            refused.push((addition.pattern.to_string(), ErrorCode::ForbiddenChannel));
        }
    }
    let (reply, answer) = oneshot::channel();
    if !mailbox.signal(Signal::Change { add: joins, remove: change.remove, reply }) {
        return Err(Refusal(Problem::new(ErrorCode::Capacity, "too many changes wait for the stream")));
    }
    // From here on it is the stream alone that keeps its mailbox: if it ends, what waits there goes with it.
    drop(mailbox);
    let result = match tokio::time::timeout(CHANGE_WAIT, answer).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => return Err(Refusal::of(ErrorCode::SessionUnknown)),
        Err(_) => return Err(Refusal(Problem::new(ErrorCode::Capacity, "the stream is busy; try again"))),
    };
    refused.extend(result.refused.into_iter().map(|(pattern, code)| (pattern.to_string(), code)));
    let refused: Vec<_> =
        refused.into_iter().map(|(channel, code)| json!({"channel": channel, "code": code.name()})).collect();
    Ok(json!({"added": result.added, "refused": refused}).to_string())
}

/// Gives a stream a fresh credential of the same principal.
///
/// # Errors
/// `unauthenticated`; `forbidden` where it is another principal's, or gives fewer rights than the stream was opened with.
pub async fn renew(app: &App, holder: &Holder, mailbox: &Mailbox, text: &str) -> Answer<()> {
    let fresh = app.auth.by_text(text, wall_time()).await?;
    renew_with(app, holder, mailbox, &fresh)
}

/// As [`renew`], with the credential verified already.
///
/// # Errors
/// `forbidden`.
pub fn renew_with(app: &App, holder: &Holder, mailbox: &Mailbox, fresh: &Principal) -> Answer<()> {
    let held = holder.get();
    let forbidden = |why| Err(Refusal(Problem::new(ErrorCode::Forbidden, why)));
    if fresh.id != held.id || fresh.tenant != held.tenant {
        return forbidden("the credential is another principal's");
    }
    // Whoever has fewer rights is to open a stream with these: what it may see is looked at there.
    let keeps_grants = held.grants.iter().all(|grant| fresh.grants.contains(grant));
    if !keeps_grants || held.account != fresh.account {
        return forbidden(
            "the credential gives other rights than the stream was opened with: open a new one",
        );
    }
    holder.renew(fresh);
    mailbox.signal(Signal::Credential(fresh.expires_at, fresh.expires_at.map(|at| app.time_left(at))));
    // It may have ended while it was looked at.
    if app.auth.has_ended(fresh) {
        mailbox.signal(Signal::End(EndReason::Revoked, None));
    }
    Ok(())
}

/// Carries out one request of a WebSocket; answers the frame.
pub fn on_socket(
    app: Arc<App>,
    stream: &OpenedStream,
    text: String,
) -> impl Future<Output = String> + Send + 'static + use<> {
    let (holder, mailbox) = (stream.holder.clone(), stream.feed.mailbox().clone());
    async move {
        let (reference, answer) = match parse_client(text.as_bytes()) {
            Ok((reference, op)) => (reference, carry_out(&app, &holder, mailbox, op).await),
            Err((reference, problem)) => (reference, Err(Refusal(problem))),
        };
        match answer {
            Ok(ok) => ok_frame(reference.as_deref(), &ok),
            Err(Refusal(problem)) => {
                app.metrics.refused(problem.code, socket::PATH);
                error_frame(reference.as_deref(), &problem)
            }
        }
    }
}

async fn carry_out(app: &App, holder: &Holder, mailbox: Arc<Mailbox>, op: ClientOp) -> Answer<String> {
    let principal = holder.get();
    // What it asks for after its credential has ended comes too late, even where its `$end` is still on its way.
    if app.auth.has_ended(&principal) {
        return Err(Refusal::of(ErrorCode::Unauthenticated));
    }
    match op {
        ClientOp::Ping => Ok("{}".to_owned()),
        ClientOp::Publish(drafts) => {
            publish(app, &principal, drafts).await.map(|outcome| receipts_json(&outcome))
        }
        ClientOp::Subscribe(wanted) => change(app, &principal, mailbox, wanted).await,
        ClientOp::Auth(token) => renew(app, holder, &mailbox, &token).await.map(|()| "{}".to_owned()),
    }
}
