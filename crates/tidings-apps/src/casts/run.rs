//! What a workflow's run means for casts. Unlike a request, a webhook is never refused for what it says: repeats, what is
//! late or out of order, and later attempts of a run whose cast has ended change nothing.
//!
//! A run belongs to all casts that have its id, and, where the run was dispatched, to all that its title names, if they
//! have no run yet and name no other repository. Such a cast gets the run's id, so that later deliveries are matched by
//! that. All, and not the first: casts are named by whoever makes them, and nobody is to take a run from another.

use tidings_core::port::store::{Changes, Record};
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;

use super::cast::Cast;
use super::command::{Act, Change, Command};
use super::decide::decide;
use super::fields::Fields;
use super::github::{Conclusion, Phase, RunUpdate};
use super::id::CastId;
use super::status::Status;
use crate::author::Author;
use crate::if_match::Expected;
use crate::object::Object;

/// What comes of a run's update.
#[derive(Debug, Clone, Default)]
pub struct RunDecided {
    /// The casts that it is about.
    pub matched: Vec<CastId>,
    /// Those among them that it changes.
    pub changed: Vec<CastId>,
    /// What the store is to do. The answer is `{"matched":[…],"changed":[…]}`: the ids.
    pub changes: Changes,
}

/// Decides what an update of a run changes, given the records that it may be about: those with the run's id
/// ([`super::cast::run_tag`]) and those that its title may name ([`RunUpdate::candidates`]), in this order.
///
/// # Errors
/// `internal` for a record that is no cast.
pub fn decide_run(
    records: &[Option<Record>],
    update: &RunUpdate,
    author: &Author,
    now: Timestamp,
) -> Result<RunDecided, Problem> {
    let mut decided = RunDecided::default();
    for cast in matching(records, update)? {
        decided.matched.push(cast.id.clone());
        let Some(change) = change_of(&cast, update) else { continue };
        let command = Command {
            id: cast.id.clone(),
            act: Act::Change(change),
            expected: Expected::default(),
            mutation_id: None,
        };
        let step = decide(Some(&cast), &command, author, now)?.changes;
        decided.changed.push(cast.id);
        decided.changes.records.extend(step.records);
        decided.changes.events.extend(step.events);
        decided.changes.audit.extend(step.audit);
    }
    let names = |ids: &[CastId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let answer = Object::default().put("matched", &names(&decided.matched));
    decided.changes.answer = Some(answer.put("changed", &names(&decided.changed)).into_text());
    Ok(decided)
}

fn matching(records: &[Option<Record>], update: &RunUpdate) -> Result<Vec<Cast>, Problem> {
    let mut matching: Vec<Cast> = Vec::new();
    for record in records.iter().flatten() {
        let cast = Cast::from_record(record)?;
        let is_of_run = cast.workflow_run_id.as_ref() == Some(&update.run);
        let is_known = matching.iter().any(|known| known.id == cast.id);
        if !is_known && (is_of_run || is_named(&cast, update)) {
            matching.push(cast);
        }
    }
    Ok(matching)
}

fn is_named(cast: &Cast, update: &RunUpdate) -> bool {
    let is_its_repository = cast
        .repository
        .as_ref()
        .is_none_or(|named| update.repository.as_ref().is_some_and(|repository| named.is(repository)));
    update.may_match_by_title()
        && cast.workflow_run_id.is_none()
        && is_its_repository
        && update.candidates.contains(&cast.id)
}

/// The step that the update makes of this cast; `None` for none.
fn change_of(cast: &Cast, update: &RunUpdate) -> Option<Change> {
    if cast.status.is_terminal() {
        return None;
    }
    let is_bound = cast.workflow_run_id.is_some();
    let bound = Fields { workflow_run_id: (!is_bound).then(|| update.run.clone()), ..Fields::default() };
    match &update.phase {
        Phase::InProgress if cast.status == Status::Queued => {
            let fields = Fields { started_at: update.started_at, ..bound };
            Some(Change { status: Some(Status::Running), is_start: true, fields })
        }
        Phase::Requested | Phase::InProgress => {
            (!is_bound).then_some(Change { fields: bound, ..Change::default() })
        }
        Phase::Completed(conclusion) => {
            let fields = ended(cast, update, bound);
            let (status, error_message) = match conclusion {
                Conclusion::Success => (Status::Succeeded, None),
                Conclusion::Cancelled => (Status::Cancelled, None),
                Conclusion::Other(word) => (Status::Failed, Some(failure(word.as_deref(), update))),
            };
            Some(Change { status: Some(status), is_start: false, fields: Fields { error_message, ..fields } })
        }
    }
}

/// The times of a run that has ended; a beginning that the cast knows already stays.
fn ended(cast: &Cast, update: &RunUpdate, fields: Fields) -> Fields {
    let began_and_ended = update.started_at.zip(update.updated_at);
    let took = |(from, to): (Timestamp, Timestamp)| u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0);
    Fields {
        started_at: update.started_at.filter(|_| cast.started_at.is_none()),
        finished_at: update.updated_at,
        duration: began_and_ended.map(took),
        ..fields
    }
}

fn failure(word: Option<&str>, update: &RunUpdate) -> String {
    let ended = match word {
        Some(word) => format!("the workflow's run ended with `{word}`"),
        None => "the workflow's run ended without a conclusion".to_owned(),
    };
    update.page.as_ref().map_or_else(|| ended.clone(), |page| format!("{ended}: {page}"))
}
