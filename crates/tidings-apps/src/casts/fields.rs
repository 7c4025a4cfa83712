//! What can be set on a cast besides its status, within which limits.
//!
//! Texts are counted in characters. A member that is `null` is as if it were not there, so nothing that was set can be
//! unset again.

use serde::{Serialize, Serializer};
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;

use crate::members::Members;

/// Longest `message` and `errorMessage`.
pub const MESSAGE_CHARS: usize = 2_000;
/// Longest `artifactUrl`.
pub const URL_CHARS: usize = 2_000;
/// Longest `repository`.
pub const REPOSITORY_CHARS: usize = 140;
/// Longest `workflowRunId`, in digits: what an unsigned number of 64 bits has.
const RUN_DIGITS: usize = 20;

/// How far a cast is, from 0 to 100, in hundredths; finer steps are rounded. Written `50` or `33.33`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Progress(u16);

impl Progress {
    /// The progress of that number; `None` outside of 0 to 100.
    #[must_use]
    pub fn new(percent: f64) -> Option<Self> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 10,000")]
        (0.0..=100.0).contains(&percent).then(|| Self((percent * 100.0).round() as u16))
    }
}

impl Serialize for Progress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 % 100 {
            0 => serializer.serialize_u16(self.0 / 100),
            _ => serializer.serialize_f64(f64::from(self.0) / 100.0),
        }
    }
}

/// A repository: `owner/name`, each of `[A-Za-z0-9._-]+`, at most 140 characters. The case is kept; GitHub's names are
/// the same in every case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository(Box<str>);

impl Repository {
    /// The repository of that name; `None` for what is none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let is_part = |part: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            !part.is_empty() && part.bytes().all(allowed)
        };
        let (owner, name) = text.split_once('/')?;
        (text.len() <= REPOSITORY_CHARS && is_part(owner) && is_part(name)).then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both name the same repository: in whatever case.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

/// The id of a workflow's run: 1 to 20 digits without a leading zero, kept and written as text, taken as a number too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunId(Box<str>);

impl RunId {
    /// The id of that text; `None` for what is none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        (!text.is_empty() && text.len() <= RUN_DIGITS && is_number).then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether the text is an address that a browser may be sent to: `http` or `https` with a host, without white space or
/// control characters.
#[must_use]
pub fn is_web_address(text: &str) -> bool {
    let scheme_ends = text.find("://");
    let is_web =
        scheme_ends.is_some_and(|at| matches!(text[..at].to_ascii_lowercase().as_str(), "http" | "https"));
    let host = scheme_ends.map_or("", |at| &text[at + 3..]);
    let has_host = !host.is_empty() && !host.starts_with(['/', '?', '#', '\\']);
    is_web && has_host && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// What is to be set; `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    /// How far it is.
    pub progress: Option<Progress>,
    /// What it does just now; at most 2,000 characters.
    pub message: Option<String>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub duration: Option<u64>,
    /// What it cost, in cents.
    pub cost_cents: Option<u64>,
    /// What it made; `http` or `https`, at most 2,000 characters.
    pub artifact_url: Option<String>,
    /// Why it failed; at most 2,000 characters.
    pub error_message: Option<String>,
    /// The repository whose workflow carries it out.
    pub repository: Option<Repository>,
    /// The run of that workflow.
    pub workflow_run_id: Option<RunId>,
}

impl Fields {
    /// Reads the members of that name.
    ///
    /// # Errors
    /// `invalid_body` naming the first that is malformed or past its limit.
    pub fn parse(members: &Members) -> Result<Self, Problem> {
        Ok(Self {
            progress: parse_progress(members)?,
            message: members.text("message", MESSAGE_CHARS)?,
            started_at: members.instant("startedAt")?,
            finished_at: members.instant("finishedAt")?,
            duration: members.whole("duration")?,
            cost_cents: members.whole("costCents")?,
            artifact_url: parse_url(members)?,
            error_message: members.text("errorMessage", MESSAGE_CHARS)?,
            repository: parse_repository(members)?,
            workflow_run_id: parse_run(members)?,
        })
    }

    /// Whether nothing is to be set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn parse_progress(members: &Members) -> Result<Option<Progress>, Problem> {
    let Some(value) = members.get("progress") else { return Ok(None) };
    let progress = value.as_f64().and_then(Progress::new);
    progress.map(Some).ok_or_else(|| members.refuse("progress", "`progress` is a number from 0 to 100"))
}

fn parse_url(members: &Members) -> Result<Option<String>, Problem> {
    let url = members.text("artifactUrl", URL_CHARS)?;
    match url {
        Some(url) if !is_web_address(&url) => {
            Err(members
                .refuse("artifactUrl", "`artifactUrl` is an address that begins with http:// or https://"))
        }
        url => Ok(url),
    }
}

fn parse_repository(members: &Members) -> Result<Option<Repository>, Problem> {
    let Some(value) = members.get("repository") else { return Ok(None) };
    let repository = value.as_str().and_then(Repository::new);
    repository
        .map(Some)
        .ok_or_else(|| members.refuse("repository", "`repository` is `owner/name`, at most 140 characters"))
}

fn parse_run(members: &Members) -> Result<Option<RunId>, Problem> {
    let Some(value) = members.get("workflowRunId") else { return Ok(None) };
    let text = value.as_u64().map(|number| number.to_string());
    let id = text.as_deref().or_else(|| value.as_str()).and_then(RunId::new);
    id.map(Some).ok_or_else(|| {
        members.refuse("workflowRunId", "`workflowRunId` is a whole number, or 1 to 20 digits as text")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Fields, String> {
        Fields::parse(&Members::parse(text.as_bytes(), "").unwrap()).map_err(|problem| problem.at.unwrap())
    }

    #[test]
    fn what_fits_is_taken() {
        let url = format!("https://x/{}", "y".repeat(1_990));
        let fields = parse(&format!(
            r#"{{"progress":33.333,"message":"{}","artifactUrl":"{url}","repository":"a/b.c","workflowRunId":289782451,"costCents":0,"other":1}}"#,
            "é".repeat(2_000)
        ))
        .unwrap();
        assert_eq!(serde_json::to_string(&fields.progress).unwrap(), "33.33");
        assert_eq!(fields.workflow_run_id, RunId::new("289782451"));
        assert_eq!((fields.cost_cents, fields.artifact_url), (Some(0), Some(url)));
        assert!(parse(r#"{"message":null,"other":1}"#).unwrap().is_empty());
        assert_eq!(parse(r#"{"workflowRunId":"7"}"#).unwrap().workflow_run_id, RunId::new("7"));
    }

    #[test]
    fn what_does_not_fit_is_refused_at_its_place() {
        let long = "x".repeat(2_001);
        let cases = [
            ("progress", "100.01"),
            ("progress", "-1"),
            ("progress", "\"5\""),
            ("message", &format!("\"{long}\"")),
            ("message", "5"),
            ("errorMessage", &format!("\"{long}\"")),
            ("artifactUrl", &format!("\"https://x/{}\"", "y".repeat(1_991))),
            ("artifactUrl", "\"javascript:alert(1)\""),
            ("artifactUrl", "\"javascript://x/%0aalert(1)\""),
            ("artifactUrl", "\"https:///path\""),
            ("artifactUrl", "\"https://x y\""),
            ("artifactUrl", "\"/relative\""),
            ("artifactUrl", "\"\""),
            ("repository", "\"a\""),
            ("repository", "\"a/b/c\""),
            ("repository", "\"/b\""),
            ("repository", &format!("\"a/{}\"", "b".repeat(139))),
            ("workflowRunId", "1.5"),
            ("workflowRunId", "-1"),
            ("workflowRunId", "\"07\""),
            ("workflowRunId", "\"\""),
            ("workflowRunId", "\"abc\""),
            ("duration", "0.5"),
            ("costCents", "-1"),
            ("startedAt", "5"),
            ("finishedAt", "\"soon\""),
        ];
        for (name, value) in cases {
            assert_eq!(parse(&format!("{{\"{name}\":{value}}}")), Err(format!("/{name}")), "{value}");
        }
    }

    #[test]
    fn progress_is_written_without_a_needless_fraction() {
        for (number, text) in [(0.0, "0"), (50.0, "50"), (99.999, "100"), (12.5, "12.5")] {
            assert_eq!(serde_json::to_string(&Progress::new(number)).unwrap(), text);
        }
        assert_eq!(Progress::new(f64::NAN), None);
    }

    #[test]
    fn repositories_are_the_same_in_every_case() {
        let repository = |text| Repository::new(text).unwrap();
        assert!(repository("Octo-Org/Octo").is(&repository("octo-org/octo")));
        assert!(!repository("octo-org/octo").is(&repository("octo-org/other")));
    }
}
