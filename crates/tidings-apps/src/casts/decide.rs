//! What comes of a command: the state machine of a cast. Pure, so that it can run inside the store's transaction.
//!
//! Rules: `queued` → `running`, `succeeded`, `failed`, `cancelled`; `running` → `succeeded`, `failed`, `cancelled`. The
//! same status again before the end, and whatever else changes nothing, is published again without a new version. After
//! the end everything is `illegal_transition`. Members create for themselves and cancel what is theirs; service keys and
//! admins may do all of it.
//!
//! Invariants: a record is written at most once a decision, and then its version grows by one; every event of a decision
//! carries the version that the record has after it; a terminal event is the last of its decision and comes with the
//! write that ends the cast.

use tidings_core::port::store::{Changes, Record};
use tidings_core::port::users::UserId;
use tidings_protocol::ErrorCode;
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;

use super::cast::Cast;
use super::command::{Act, Change, Command, Told};
use super::events::{Teller, kinds};
use super::fields::Fields;
use super::kind::Kind;
use super::status::Status;
use crate::author::{Author, Standing};

/// What comes of a command.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The cast as it is afterwards.
    pub cast: Cast,
    /// What the store is to do; the answer is the cast as clients see it.
    pub changes: Changes,
}

/// Decides on a stored record; see [`decide`].
///
/// # Errors
/// As [`decide`], and `internal` for a record that is no cast.
pub fn decide_record(
    record: Option<&Record>,
    command: &Command,
    author: &Author,
    now: Timestamp,
) -> Result<Decided, Problem> {
    let stored = record.map(Cast::from_record).transpose()?;
    decide(stored.as_ref(), command, author, now)
}

/// Decides what comes of a command, given the cast as it is.
///
/// # Errors
/// - `not_found`: a change of a cast that there is not.
/// - `forbidden`: a member asks for more than its own casts' creation and cancellation.
/// - `already_exists`: a creation of a cast that there is; with the record where the author may read it.
/// - `precondition_failed`, `version_conflict`: the cast is not at the version expected; with the record.
/// - `illegal_transition`: the cast has ended, or would go back; with the record.
/// - `invalid_body`: a first mention without an owner, or a mention that names another owner than the cast has.
pub fn decide(
    stored: Option<&Cast>,
    command: &Command,
    author: &Author,
    now: Timestamp,
) -> Result<Decided, Problem> {
    let mut teller = Teller::new(author, command.mutation_id.as_deref(), now);
    match &command.act {
        Act::Create { owner, fields } => create(stored, command, owner, fields, author, teller, now),
        Act::Change(change) => {
            let cast = stored.ok_or_else(|| Problem::new(ErrorCode::NotFound, "there is no such cast"))?;
            may_change(cast, change, author)?;
            command.expected.check(cast.version, || cast.to_raw())?;
            let next = settled(stored, apply(cast, change, now)?, now);
            tell_step(&mut teller, cast, change, &next)?;
            Ok(teller.decided(stored, next))
        }
        Act::Tell { owner, told } => tell(stored, command, owner.as_ref(), told, author, teller, now),
    }
}

fn create(
    stored: Option<&Cast>,
    command: &Command,
    owner: &UserId,
    fields: &Fields,
    author: &Author,
    mut teller: Teller<'_>,
    now: Timestamp,
) -> Result<Decided, Problem> {
    if let Standing::Member(user) = &author.standing
        && user != owner
    {
        return Err(forbidden("casts are created for oneself; leave `userId` out").at("/userId"));
    }
    if let Some(cast) = stored {
        let problem = Problem::of(ErrorCode::AlreadyExists).at("/id");
        let may_read = !matches!(&author.standing, Standing::Member(user) if *user != cast.user);
        return Err(if may_read { problem.current(cast.to_raw()) } else { problem });
    }
    let cast = Cast::new(command.id.clone(), owner.clone(), now).with(fields);
    teller.tell(&cast, Kind::StatusChanged)?;
    teller.note(None, &cast);
    Ok(teller.decided(None, cast))
}

fn may_change(cast: &Cast, change: &Change, author: &Author) -> Result<(), Problem> {
    let Standing::Member(user) = &author.standing else { return Ok(()) };
    if *user != cast.user {
        return Err(forbidden("the cast belongs to another user"));
    }
    if !change.is_cancellation() {
        return Err(forbidden(
            "an owner may cancel a cast (`{\"status\":\"cancelled\"}`); anything else needs a service key or an admin",
        ));
    }
    Ok(())
}

fn tell(
    stored: Option<&Cast>,
    command: &Command,
    owner: Option<&UserId>,
    told: &Told,
    author: &Author,
    mut teller: Teller<'_>,
    now: Timestamp,
) -> Result<Decided, Problem> {
    if matches!(author.standing, Standing::Member(_)) {
        return Err(forbidden("only a service key or an admin may tell what happens to a cast"));
    }
    let cast = match stored {
        Some(cast) => is_owner(cast, owner).map(|()| cast.clone())?,
        None => first_mention(command, owner, now)?,
    };
    let next = match told {
        Told::Change(change) => settled(stored, apply(&cast, change, now)?, now),
        Told::Relay { .. } if cast.status.is_terminal() => return Err(has_ended(&cast)),
        Told::Relay { .. } => cast.clone(),
    };
    if stored.is_none() {
        let is_queueing = matches!(told, Told::Change(change)
            if next.status == Status::Queued && kinds(change, &next).contains(&Kind::StatusChanged));
        if !is_queueing {
            teller.tell(&cast, Kind::StatusChanged)?;
        }
        teller.note(None, &cast);
    }
    match told {
        Told::Change(change) => tell_step(&mut teller, &cast, change, &next)?,
        Told::Relay { kind, data } => teller.relay(&next, kind, data)?,
    }
    Ok(teller.decided(stored, next))
}

fn first_mention(command: &Command, owner: Option<&UserId>, now: Timestamp) -> Result<Cast, Problem> {
    let owner = owner.ok_or_else(|| {
        let detail = "this is the first mention of the cast: `userId` has to name its owner";
        Problem::new(ErrorCode::InvalidBody, detail).at("/userId")
    })?;
    Ok(Cast::new(command.id.clone(), owner.clone(), now))
}

fn is_owner(cast: &Cast, owner: Option<&UserId>) -> Result<(), Problem> {
    if owner.is_none_or(|owner| *owner == cast.user) {
        return Ok(());
    }
    let detail = "the cast belongs to another user; leave `userId` out or name its owner";
    Err(Problem::new(ErrorCode::InvalidBody, detail).at("/userId"))
}

/// Tells of a step from `cast` to `next`.
fn tell_step(teller: &mut Teller<'_>, cast: &Cast, change: &Change, next: &Cast) -> Result<(), Problem> {
    for kind in kinds(change, next) {
        teller.tell(next, kind)?;
    }
    if cast.status != next.status {
        teller.note(Some(cast.status), next);
    }
    Ok(())
}

/// The cast after a step, with the version and times that it had.
fn apply(cast: &Cast, change: &Change, now: Timestamp) -> Result<Cast, Problem> {
    let status = change.status.unwrap_or(cast.status);
    if cast.status.is_terminal() {
        return Err(has_ended(cast));
    }
    if !cast.status.allows(status) {
        let detail = format!("a {} cast cannot become {status}", cast.status);
        return Err(Problem::new(ErrorCode::IllegalTransition, detail).current(cast.to_raw()));
    }
    let mut next = cast.clone().with(&change.fields);
    next.status = status;
    if cast.status != status && status == Status::Running {
        next.started_at.get_or_insert(now);
    }
    if status.is_terminal() {
        let finished_at = *next.finished_at.get_or_insert(now);
        let took = |from: Timestamp| u64::try_from(finished_at.0.saturating_sub(from.0)).unwrap_or(0);
        next.duration = next.duration.or_else(|| next.started_at.map(took));
    }
    Ok(next)
}

/// A new version where something has changed, or where nothing is stored yet.
fn settled(stored: Option<&Cast>, next: Cast, now: Timestamp) -> Cast {
    match stored {
        Some(stored) if *stored != next => Cast { version: stored.version + 1, updated_at: now, ..next },
        _ => next,
    }
}

fn has_ended(cast: &Cast) -> Problem {
    let detail = format!("the cast has {}; nothing follows its end", ended_as(cast.status));
    Problem::new(ErrorCode::IllegalTransition, detail).current(cast.to_raw())
}

const fn ended_as(status: Status) -> &'static str {
    match status {
        Status::Cancelled => "been cancelled",
        Status::Failed => "failed",
        _ => "succeeded",
    }
}

fn forbidden(detail: &str) -> Problem {
    Problem::new(ErrorCode::Forbidden, detail)
}
