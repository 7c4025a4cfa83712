//! What a token says, once its signature is good.

use std::sync::Arc;

use tidings_core::port::directory::{Grant, Right};
use tidings_core::port::users::{Role, UserId};
use tidings_protocol::time::Timestamp;

use super::json::{Json, Members};
use super::verifier::{Invalid, Issuer, Verified};

/// How far the issuer's clock may be ahead: for `nbf` and `iat`. `exp` has no such allowance, so that what hangs on the
/// token ends when it says.
const AHEAD_SECONDS: u64 = 60;

/// The last second that counts, at the end of the year 9999: a later one is a mistake of units.
const LAST_SECOND: u64 = 253_402_300_799;

/// The longest subject, in bytes.
const SUBJECT_BYTES: usize = 200;

/// Most grants in one token.
const GRANTS: usize = 100;

/// Who says so.
///
/// # Errors
/// No `iss`.
pub(super) fn issuer(claims: &Members) -> Result<&str, Invalid> {
    claims.get("iss").and_then(Json::text).ok_or(Invalid::Token("iss is missing or no text"))
}

/// Judges the claims of a token whose signature is the issuer's.
///
/// # Errors
/// The first claim that is missing or wrong.
pub(super) fn judge(claims: &Members, issuer: &Issuer, now: Timestamp) -> Result<Verified, Invalid> {
    let expires_at = times(claims, now)?;
    audience(claims, &issuer.audience)?;
    let user = user(claims, &issuer.name)?;
    let (role, grants) = match claims.get("tidings") {
        None => (Role::default(), Vec::new()),
        Some(Json::Object(own)) => (role(own)?, grants(own)?),
        Some(_) => return Err(Invalid::Token("tidings is no object")),
    };
    let (tenant, name) = (issuer.tenant.clone(), Arc::clone(&issuer.name));
    Ok(Verified { tenant, user, role, grants, expires_at, issuer: name })
}

fn times(claims: &Members, now: Timestamp) -> Result<Timestamp, Invalid> {
    let exp = second(claims, "exp")?.ok_or(Invalid::Token("exp is missing"))?;
    let expires_at = millis(exp);
    if expires_at <= now {
        return Err(Invalid::Token("the token has expired"));
    }
    for (name, reason) in
        [("nbf", "the token is not valid yet"), ("iat", "the token was issued in the future")]
    {
        let begins = second(claims, name)?.map(|second| millis(second.saturating_sub(AHEAD_SECONDS)));
        if begins.is_some_and(|begins| begins > now) {
            return Err(Invalid::Token(reason));
        }
    }
    Ok(expires_at)
}

fn second(claims: &Members, name: &str) -> Result<Option<u64>, Invalid> {
    match claims.get(name) {
        None => Ok(None),
        Some(Json::Whole(second)) if *second <= LAST_SECOND => Ok(Some(*second)),
        Some(_) => Err(Invalid::Token("a time is not a whole number of seconds in range")),
    }
}

/// Cannot overflow: seconds are bounded.
fn millis(second: u64) -> Timestamp {
    Timestamp(i64::try_from(second.saturating_mul(1_000)).unwrap_or(i64::MAX))
}

/// RFC 7519 section 4.1.3: one text, or several, of which one is ours.
fn audience(claims: &Members, ours: &[String]) -> Result<(), Invalid> {
    let named = match claims.get("aud") {
        Some(Json::Text(text)) => Some(vec![text.as_str()]),
        Some(list) => list.texts(),
        None => None,
    };
    let named = named.ok_or(Invalid::Token("aud is missing or no text"))?;
    let is_ours = named.iter().any(|name| ours.iter().any(|our| our == name));
    if is_ours { Ok(()) } else { Err(Invalid::Token("the token is for another audience")) }
}

fn user(claims: &Members, issuer: &str) -> Result<UserId, Invalid> {
    let subject = claims.get("sub").and_then(Json::text);
    let subject = subject.filter(|subject| is_subject(subject));
    let user = subject.and_then(|subject| UserId::new(&format!("{issuer}|{subject}")));
    user.ok_or(Invalid::Token("sub is not a text of 1 to 200 bytes without control characters"))
}

/// Whether a text can be a subject.
pub(super) fn is_subject(text: &str) -> bool {
    !text.is_empty() && text.len() <= SUBJECT_BYTES && !text.chars().any(char::is_control)
}

fn role(own: &Members) -> Result<Role, Invalid> {
    match own.get("role") {
        None => Ok(Role::default()),
        Some(role) => {
            let role = role.text().and_then(Role::parse);
            role.ok_or(Invalid::Token("tidings.role is neither member nor admin"))
        }
    }
}

fn grants(own: &Members) -> Result<Vec<Grant>, Invalid> {
    let mut grants = Vec::new();
    for right in [Right::Subscribe, Right::Publish] {
        let Some(list) = own.get(right.name()) else { continue };
        let patterns = list.texts().ok_or(Invalid::Token("a list of patterns in tidings is none"))?;
        if grants.len() + patterns.len() > GRANTS {
            return Err(Invalid::Token("tidings has more than 100 patterns"));
        }
        for text in patterns {
            let pattern = text.parse().map_err(|_| Invalid::Token("a pattern in tidings is none"))?;
            grants.push(Grant { right, pattern });
        }
    }
    Ok(grants)
}
