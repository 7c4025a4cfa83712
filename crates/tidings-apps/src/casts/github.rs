//! What GitHub tells of a workflow's run: the event `workflow_run` of its webhooks, read from a body whose signature was
//! verified (docs.github.com, "Webhook events and payloads").
//!
//! Leaves out: signatures, deliveries, and what a run means for a cast, which is [`super::run`]'s.

use serde::Deserialize;
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;

use super::fields::{Repository, RunId, URL_CHARS, is_web_address};
use super::id::{CastId, is_id_char};
use crate::members::parse_instant;
use tidings_protocol::json::from_object;

/// So many characters of a run's title are looked at.
const TITLE_CHARS: usize = 1_000;
/// Most ids that a title can name.
const CANDIDATES: usize = 20;

/// What happened to the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// It was asked for.
    Requested,
    /// It runs.
    InProgress,
    /// It ended.
    Completed(Conclusion),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// Well.
    Success,
    /// By cancellation.
    Cancelled,
    /// In any other way: GitHub's word for it, `[a-z_]{1,40}`, or nothing where it gives none that is a word.
    Other(Option<Box<str>>),
}

/// A change of a workflow's run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunUpdate {
    /// What happened.
    pub phase: Phase,
    /// Which run: the same for all its attempts.
    pub run: RunId,
    /// Which attempt, from 1.
    pub attempt: u64,
    /// What triggered it: `push`, `workflow_dispatch`.
    pub trigger: String,
    /// The repository; `None` where its name is not one of GitHub's.
    pub repository: Option<Repository>,
    /// The run's page.
    pub page: Option<String>,
    /// When this attempt began.
    pub started_at: Option<Timestamp>,
    /// When the run was last changed: at its completion, when it ended.
    pub updated_at: Option<Timestamp>,
    /// The casts that its title may name; at most 20.
    pub candidates: Vec<CastId>,
}

#[derive(Deserialize)]
struct Payload {
    action: Option<String>,
    workflow_run: Option<Run>,
    repository: Option<Repo>,
}

#[derive(Deserialize)]
struct Run {
    id: u64,
    run_attempt: Option<u64>,
    conclusion: Option<String>,
    display_title: Option<String>,
    event: Option<String>,
    html_url: Option<String>,
    run_started_at: Option<String>,
    updated_at: Option<String>,
}

#[derive(Deserialize)]
struct Repo {
    full_name: Option<String>,
}

impl RunUpdate {
    /// Reads a delivery: `event` is the header `X-GitHub-Event`. `None` for other events and other actions.
    ///
    /// # Errors
    /// `invalid_body` where the body of a `workflow_run` cannot be read.
    pub fn parse(event: &str, body: &[u8]) -> Result<Option<Self>, Problem> {
        if event != "workflow_run" {
            return Ok(None);
        }
        let payload: Payload = from_object(body)?;
        let Some(run) = payload.workflow_run else { return Ok(None) };
        let phase = match payload.action.as_deref() {
            Some("requested") => Phase::Requested,
            Some("in_progress") => Phase::InProgress,
            Some("completed") => Phase::Completed(Conclusion::parse(run.conclusion.as_deref())),
            _ => return Ok(None),
        };
        let Some(id) = RunId::new(&run.id.to_string()) else { return Ok(None) };
        let instant = |text: Option<String>| text.as_deref().and_then(parse_instant);
        let is_page = |page: &String| page.chars().count() <= URL_CHARS / 2 && is_web_address(page);
        Ok(Some(Self {
            phase,
            run: id,
            attempt: run.run_attempt.unwrap_or(1),
            trigger: run.event.unwrap_or_default(),
            repository: payload.repository.and_then(|repo| Repository::new(&repo.full_name?)),
            page: run.html_url.filter(is_page),
            started_at: instant(run.run_started_at),
            updated_at: instant(run.updated_at),
            candidates: candidates(&run.display_title.unwrap_or_default()),
        }))
    }

    /// Whether the title may tell which cast this is: where the run was dispatched, its title was set by whoever has the
    /// right to. The title of any other is a commit's or a pull request's, which anybody can write.
    #[must_use]
    pub fn may_match_by_title(&self) -> bool {
        matches!(self.trigger.as_str(), "workflow_dispatch" | "repository_dispatch")
    }
}

impl Conclusion {
    fn parse(word: Option<&str>) -> Self {
        let is_word = |word: &&str| {
            (1..=40).contains(&word.len())
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        match word {
            Some("success") => Self::Success,
            Some("cancelled") => Self::Cancelled,
            other => Self::Other(other.filter(is_word).map(Into::into)),
        }
    }
}

/// The words of a title that could be a cast's id, those that begin like one of the server's making first. A word is
/// taken as it stands and without punctuation at its ends, since a sentence may end with an id.
fn candidates(title: &str) -> Vec<CastId> {
    let title: String = title.chars().take(TITLE_CHARS).collect();
    let mut words: Vec<&str> = Vec::new();
    for word in title.split(|c: char| !is_id_char(c)) {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        for form in [word, bare] {
            if !words.contains(&form) {
                words.push(form);
            }
        }
    }
    words.sort_by_key(|word| !word.starts_with("cast_"));
    words.into_iter().filter_map(CastId::new).take(CANDIDATES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(title: &str) -> Vec<String> {
        candidates(title).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_titles_words_are_candidates_with_and_without_punctuation() {
        assert_eq!(ids("Run cast_123."), ["cast_123.", "cast_123", "Run"]);
        assert_eq!(ids("[build/my-cast] (42) events"), ["build", "my-cast", "42"]);
        assert_eq!(ids(""), [""; 0]);
        assert_eq!(ids("…  — é"), [""; 0]);
    }

    #[test]
    fn titles_are_looked_at_within_bounds() {
        let many: String = (0..300).map(|n| format!("w{n} ")).collect();
        assert_eq!(ids(&format!("{many:.900} cast_late")).len(), 20);
        assert_eq!(ids(&format!("{many:.900} cast_late"))[0], "cast_late");
        assert_eq!(ids(&format!("{}cast_late", " ".repeat(1_000))), [""; 0]);
        assert_eq!(ids(&"é".repeat(100_000)), [""; 0]);
    }

    #[test]
    fn other_events_and_actions_say_nothing_of_a_run() {
        let body = br#"{"action":"rerequested","workflow_run":{"id":7}}"#;
        assert_eq!(RunUpdate::parse("workflow_run", body), Ok(None));
        assert_eq!(RunUpdate::parse("push", b"whatever"), Ok(None));
        assert_eq!(RunUpdate::parse("workflow_run", b"{}"), Ok(None));
        assert!(RunUpdate::parse("workflow_run", b"[]").is_err());
        let body = br#"{"action":"requested","workflow_run":{"id":7}}"#;
        assert_eq!(RunUpdate::parse("workflow_run", body).unwrap().unwrap().run, RunId::new("7").unwrap());
    }

    #[test]
    fn a_conclusion_is_a_word_or_nothing() {
        let other = |word: &str| Conclusion::Other(Some(word.into()));
        assert_eq!(Conclusion::parse(Some("timed_out")), other("timed_out"));
        for odd in [None, Some(""), Some("a b"), Some("<b>"), Some(&*"x".repeat(41))] {
            assert_eq!(Conclusion::parse(odd), Conclusion::Other(None), "{odd:?}");
        }
    }
}
