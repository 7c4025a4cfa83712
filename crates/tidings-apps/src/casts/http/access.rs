//! Who may read a cast: its owner, the tenant's admins, and service keys whose grant takes in its channel.

use tidings_core::Principal;
use tidings_core::port::directory::Right;
use tidings_protocol::problem::Problem;
use tidings_protocol::{ChannelName, ErrorCode, Pattern};
use tidings_server::App;
use tidings_server::problem::{Answer, Refusal};

use super::shared::find;
use crate::casts::cast::Cast;
use crate::casts::id::{CastId, Territory};
use crate::user_channel::user_segment;

/// Whether a principal with an account may read what the pattern takes in of the casts' channels.
pub(super) async fn may_read_channel(app: &App, principal: &Principal, pattern: &Pattern) -> Answer<bool> {
    let Some(territory) = Territory::of(pattern) else { return Ok(true) };
    let is_admin = is_admin(principal);
    match territory {
        Territory::Cast(id) => {
            // Whether it exists makes no difference to whoever may not read it.
            let found = find(app, &principal.tenant, &id).await?;
            Ok(is_admin || found.is_some_and(|found| is_owner(principal, &found.cast)))
        }
        Territory::OfUser(segment) => {
            Ok(is_admin || principal.user().is_some_and(|user| user_segment(user) == segment))
        }
        Territory::Wide => Ok(is_admin),
    }
}

/// Whether the principal is an admin, also where a ticket stands for it.
fn is_admin(principal: &Principal) -> bool {
    let unlimited = Principal { only: None, ..principal.clone() };
    unlimited.is_admin()
}

pub(super) fn is_owner(principal: &Principal, cast: &Cast) -> bool {
    principal.user() == Some(&cast.user)
}

/// Refuses whoever may not read the cast.
///
/// # Errors
/// `forbidden`.
pub(super) fn check_read(principal: &Principal, cast: &Cast) -> Answer<()> {
    let pattern = Pattern::Exact(cast.id.channel().clone());
    let allowed = match principal.is_service() {
        true => principal.may(Right::Subscribe, &pattern),
        false => principal.is_within_ticket(&pattern) && (is_admin(principal) || is_owner(principal, cast)),
    };
    if allowed { Ok(()) } else { Err(forbidden("the cast belongs to another user")) }
}

/// Refuses a service key that has no grant to write the cast.
///
/// # Errors
/// `forbidden`.
pub(super) fn check_write(principal: &Principal, id: &CastId) -> Answer<()> {
    if !principal.is_service() || principal.may_publish(id.channel()) {
        return Ok(());
    }
    Err(forbidden(&format!("the key has no grant publish:{}", id.channel())))
}

/// The pattern of a channel.
pub(super) fn exact(channel: &ChannelName) -> Pattern {
    Pattern::Exact(channel.clone())
}

pub(super) fn forbidden(why: &str) -> Refusal {
    Refusal(Problem::new(ErrorCode::Forbidden, why))
}
