//! `/auth/…`: signing in with a password, out, and the cookie sessions of a user.
//!
//! Invariants: every sign-in has a token of its own, drawn here, so that none can be planted; a wrong email and a wrong
//! password cannot be told apart, neither by the answer nor by its time; signing out ends what was opened with the
//! session before it is answered.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json as value};
use tidings_core::Principal;
use tidings_core::port::directory::DirectoryError;
use tidings_core::port::users::{CookieSession, User, UserId};
use tidings_core::principal::Credential;
use tidings_protocol::json::from_object;
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{EndReason, ErrorCode};

use super::{Caller, Purpose, cookie_name, json, principal, read_body};
use crate::app::App;
use crate::audit::About;
use crate::auth::credential::cookie_value;
use crate::auth::{COOKIE_PREFIX, Ended, hash_key, password};
use crate::clock::wall_time;
use crate::config::SameSite;
use crate::ids::random_text;
use crate::origin;
use crate::peer::Peer;
use crate::problem::{Answer, Refusal};

/// Largest body of a login.
const LOGIN_BYTES: usize = 4 * 1024;
/// Longest email (RFC 5321, 4.5.3.1.3).
const EMAIL_BYTES: usize = 254;

#[derive(Deserialize)]
struct Login {
    email: String,
    password: String,
}

/// Signs in; the answer sets the cookie.
pub async fn login(State(app): State<Arc<App>>, peer: Peer, headers: HeaderMap, body: Body) -> Answer {
    let about = About::new("auth.login", None, &headers, peer);
    let outcome = sign_in(&app, peer, &headers, body, &about).await;
    if let Err(Refusal(problem)) = &outcome {
        app.audit.refused(&about, "auth.login_failed".to_owned(), problem.code, &Map::new());
    }
    outcome
}

async fn sign_in(app: &App, peer: Peer, headers: &HeaderMap, body: Body, about: &About) -> Answer {
    origin::check(&app.config, headers)?;
    let body = read_body(app, body, LOGIN_BYTES).await?;
    let login: Login = from_object(&body)?;
    let email = login.email.trim().to_lowercase();
    if email.len() > EMAIL_BYTES || login.password.len() > password::LONGEST {
        return Err(Refusal::of(ErrorCode::InvalidLogin));
    }
    app.gates.login(peer.0, &email)?;
    let found = app.auth.users().find_login(&email).await.map_err(|error| storage(&error))?;
    let (user, kept) = found.unzip();
    let is_right = app.passwords.verify(login.password, kept.clone()).await?;
    let user = user.filter(|user| is_right && user.disabled_at.is_none());
    let user = user.ok_or_else(|| Refusal::of(ErrorCode::InvalidLogin))?;
    leave_earlier(app, headers).await?;
    let token = open_session(app, &user, about, headers).await?;
    // Changing the password ends the sessions that are there by then: one that was verified before and stored after must
    // not outlast it.
    let now = app.auth.users().find_login(&email).await.map_err(|error| storage(&error))?;
    if now.map(|(_, hash)| hash) != kept {
        end(app, &user.id, None, EndReason::SignedOut).await?;
        return Err(Refusal::of(ErrorCode::InvalidLogin));
    }
    let mut response = json(value!({ "user": shown(&user) }).to_string());
    set_cookie(app, headers, &mut response, &token, app.config.auth.session_lifetime.as_secs())?;
    Ok(response)
}

/// A browser that signs in anew has left the session it had.
async fn leave_earlier(app: &App, headers: &HeaderMap) -> Answer<()> {
    let name = cookie_name(origin::is_https(&app.config, headers));
    let Ok(Some(token)) = cookie_value(headers, name) else { return Ok(()) };
    let found = app.auth.users().find_cookie_session(hash_key(token)).await;
    if let Some((session, user)) = found.map_err(|error| storage(&error))? {
        end(app, &user.id, Some(&session.id), EndReason::SignedOut).await?;
    }
    Ok(())
}

/// Stores a new session; answers its token.
async fn open_session(app: &App, user: &User, about: &About, headers: &HeaderMap) -> Answer<String> {
    let drawn = |text: Result<String, _>| {
        text.map_err(|error: crate::ids::NoRandomness| {
            tracing::error!(%error, "no session can be drawn");
            Refusal::of(ErrorCode::Internal)
        })
    };
    let token = format!("{COOKIE_PREFIX}{}", drawn(random_text::<32>())?);
    let now = wall_time();
    let life = i64::try_from(app.config.auth.session_lifetime.as_millis()).unwrap_or(i64::MAX);
    let row = about.row("auth.login".to_owned(), &value!({}), now);
    let session = CookieSession {
        id: format!("ses_{}", drawn(random_text::<10>())?),
        user: user.id.clone(),
        created_at: now,
        expires_at: Timestamp(now.0.saturating_add(life)),
        ip_address: row.ip_address,
        user_agent: row.user_agent,
    };
    let pushed_out = app.auth.users().add_cookie_session(&session, hash_key(&token)).await;
    for id in pushed_out.map_err(|error| match error {
        DirectoryError::Missing => Refusal::of(ErrorCode::InvalidLogin),
        other => storage(&other),
    })? {
        let credential = Credential::CookieSession(id.into());
        app.end(&Ended::Credential(credential), EndReason::SignedOut);
    }
    let about = About::new("auth.login", Some(session.id), headers, Peer(about.address()));
    let mut row = about.row("auth.login".to_owned(), &value!({}), now);
    row.tenant_id = Some(user.tenant.clone());
    row.user_id = Some(user.id.to_string());
    app.audit.note(row).await?;
    Ok(token)
}

/// Sets or, with an empty token, removes the cookie (RFC 6265bis, 4.1).
fn set_cookie(
    app: &App,
    headers: &HeaderMap,
    response: &mut Response,
    token: &str,
    max_age: u64,
) -> Answer<()> {
    let is_https = origin::is_https(&app.config, headers);
    let secure = if is_https { "; Secure" } else { "" };
    let same_site = match app.config.auth.cookie_same_site {
        SameSite::None if is_https => "None",
        _ => "Lax",
    };
    let name = cookie_name(is_https);
    let cookie = format!("{name}={token}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={max_age}{secure}");
    let value = HeaderValue::from_str(&cookie).map_err(|_| Refusal::of(ErrorCode::Internal))?;
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(())
}

fn storage(error: &DirectoryError) -> Refusal {
    tracing::warn!(%error, "users cannot be looked up or changed");
    Refusal(Problem::of(ErrorCode::Capacity).retry_after(1))
}

fn shown(user: &User) -> Value {
    value!({
        "id": user.id.as_str(),
        "email": user.email,
        "role": user.role.name(),
        "tenant": user.tenant.as_str(),
    })
}

/// Ends cookie sessions of a user, and what was opened with them.
async fn end(app: &App, user: &UserId, id: Option<&str>, reason: EndReason) -> Answer<usize> {
    let ended = app.auth.users().end_cookie_sessions(user, id).await.map_err(|error| storage(&error))?;
    for id in &ended {
        app.end(&Ended::Credential(Credential::CookieSession(id.as_str().into())), reason);
    }
    Ok(ended.len())
}

/// Signs out: the session of the cookie ends. Without one there is nothing to do.
pub async fn logout(State(app): State<Arc<App>>, peer: Peer, headers: HeaderMap) -> Answer<Response> {
    let caller = Caller { headers: &headers, peer, purpose: Purpose::Change };
    match principal(&app, caller, None).await {
        Ok(principal) => {
            if let (Credential::CookieSession(id), Some(user)) = (&principal.credential, principal.user()) {
                end(&app, user, Some(id), EndReason::SignedOut).await?;
                note(&app, &principal, "auth.logout", Some(id), &headers, peer).await?;
            }
        }
        Err(refusal) if refusal.0.code == ErrorCode::Unauthenticated => {}
        Err(refusal) => return Err(refusal),
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&app, &headers, &mut response, "", 0)?;
    Ok(response)
}

async fn note(
    app: &App,
    principal: &Principal,
    action: &str,
    resource: Option<&str>,
    headers: &HeaderMap,
    peer: Peer,
) -> Answer<()> {
    let about = About::new("auth", resource.map(str::to_owned), headers, peer);
    about.is_by(principal);
    app.audit.note(about.row(action.to_owned(), &value!({}), wall_time())).await
}

/// The user of a request's credential, as stored; tokens name users that are not.
async fn user_of(
    app: &App,
    headers: &HeaderMap,
    peer: Peer,
    purpose: Purpose,
) -> Answer<(Arc<Principal>, UserId)> {
    let principal = principal(app, Caller { headers, peer, purpose }, None).await?;
    let user = principal.user().cloned();
    let problem =
        Problem::new(ErrorCode::Unauthenticated, "the credential is a service key's, and no user's");
    user.map(|user| (principal, user)).ok_or(Refusal(problem))
}

/// Who is signed in.
pub async fn me(State(app): State<Arc<App>>, peer: Peer, headers: HeaderMap) -> Answer<Response> {
    let (principal, id) = user_of(&app, &headers, peer, Purpose::Read).await?;
    let stored = app.auth.users().find_user(&id).await.map_err(|error| storage(&error))?;
    let role = principal.account.as_ref().map(|account| account.role.name());
    let user = stored.map_or_else(
        || value!({"id": id.as_str(), "email": null, "role": role, "tenant": principal.tenant.as_str()}),
        |user| shown(&user),
    );
    Ok(json(value!({ "user": user }).to_string()))
}

/// Where the user is signed in, newest first.
pub async fn sessions(State(app): State<Arc<App>>, peer: Peer, headers: HeaderMap) -> Answer<Response> {
    let (principal, user) = user_of(&app, &headers, peer, Purpose::Read).await?;
    let sessions = app.auth.users().cookie_sessions(&user).await.map_err(|error| storage(&error))?;
    let items: Vec<Value> = sessions
        .iter()
        .map(|session| {
            value!({
                "id": session.id,
                "createdAt": session.created_at,
                "expiresAt": session.expires_at,
                "ipAddress": session.ip_address,
                "userAgent": session.user_agent,
                "current": principal.credential == Credential::CookieSession(session.id.as_str().into()),
            })
        })
        .collect();
    Ok(json(value!({"items": items, "nextCursor": null}).to_string()))
}

/// Signs the user out everywhere.
pub async fn end_sessions(State(app): State<Arc<App>>, peer: Peer, headers: HeaderMap) -> Answer<Response> {
    let (principal, user) = user_of(&app, &headers, peer, Purpose::Change).await?;
    end(&app, &user, None, EndReason::SignedOut).await?;
    note(&app, &principal, "auth.logout", Some("*"), &headers, peer).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&app, &headers, &mut response, "", 0)?;
    Ok(response)
}

/// Ends one of the user's sessions.
pub async fn end_session(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    peer: Peer,
    headers: HeaderMap,
) -> Answer<Response> {
    let (principal, user) = user_of(&app, &headers, peer, Purpose::Change).await?;
    if end(&app, &user, Some(&id), EndReason::SignedOut).await? == 0 {
        return Err(Refusal(Problem::new(ErrorCode::NotFound, "the user has no such session")));
    }
    note(&app, &principal, "auth.logout", Some(&id), &headers, peer).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
