//! Who may subscribe to what, and which channels nobody but an app may write.

use tidings_core::Principal;
use tidings_core::port::directory::Right;
use tidings_protocol::problem::Problem;
use tidings_protocol::{ChannelName, ErrorCode, Pattern};

use crate::app::App;
use crate::module::Claim;
use crate::problem::{Answer, Refusal};

/// Whether the principal may subscribe to everything that the pattern takes in: an app's channels by the app's rule,
/// others by role and grants; a service key by its grants alone.
///
/// # Errors
/// Storage's.
pub async fn may_subscribe(app: &App, principal: &Principal, pattern: &Pattern) -> Answer<bool> {
    if principal.is_service() {
        return Ok(principal.may(Right::Subscribe, pattern));
    }
    if !principal.is_within_ticket(pattern) {
        return Ok(false);
    }
    let mut all_claimed = false;
    for module in &app.modules {
        let claim = module.claims(pattern);
        if claim != Claim::Nothing && !module.may_read(app, principal, pattern).await? {
            return Ok(false);
        }
        all_claimed |= claim == Claim::All;
    }
    Ok(all_claimed || principal.may(Right::Subscribe, pattern))
}

/// Checks that every pattern may be subscribed to, and that there are not too many.
///
/// # Errors
/// `forbidden_channel` naming the first that may not, `too_many_channels`, storage's.
pub async fn authorize(app: &App, principal: &Principal, patterns: &[Pattern]) -> Answer<()> {
    let limit = app.config.limits.channels_per_session;
    if limit > 0 && patterns.len() > limit {
        return Err(Refusal::of(ErrorCode::TooManyChannels));
    }
    for pattern in patterns {
        if !may_subscribe(app, principal, pattern).await? {
            let detail = format!("the credential gives no right to subscribe to {pattern}");
            return Err(Refusal(Problem::new(ErrorCode::ForbiddenChannel, detail).at(pattern.to_string())));
        }
    }
    Ok(())
}

/// Refuses to publish to an app's channel past the app.
///
/// # Errors
/// `reserved_channel`.
pub fn check_free(app: &App, channel: &ChannelName) -> Answer<()> {
    let pattern = Pattern::Exact(channel.clone());
    match app.modules.iter().find(|module| module.claims(&pattern) != Claim::Nothing) {
        None => Ok(()),
        Some(module) => {
            let name = module.name();
            let detail = format!("{channel} belongs to the app `{name}`: publish through its own route");
            Err(Refusal(Problem::new(ErrorCode::ReservedChannel, detail).at(channel.to_string())))
        }
    }
}
