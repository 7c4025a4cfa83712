//! `If-Match` and a body's `version`: a change that is meant for one version of a record alone (RFC 9110, 13.1.1).

use serde_json::value::RawValue;
use tidings_protocol::ErrorCode;
use tidings_protocol::problem::Problem;

/// Most entity tags that one header may name.
const TAGS: usize = 20;

/// What `If-Match` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: any version of a record that exists.
    Any,
    /// One of these versions. Tags that are weak or name no version match nothing.
    Versions(Vec<u64>),
}

impl IfMatch {
    /// Reads the header's value: `*`, or entity tags such as `"3"`.
    ///
    /// # Errors
    /// `invalid_parameter` for what is neither, and for more than 20 tags.
    pub fn parse(value: &str) -> Result<Self, Problem> {
        let value = value.trim();
        if value == "*" {
            return Ok(Self::Any);
        }
        let tags: Vec<&str> = value.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect();
        let is_tag = |tag: &&str| {
            let strong = tag.strip_prefix("W/").unwrap_or(tag);
            strong.len() >= 2 && strong.starts_with('"') && strong.ends_with('"')
        };
        if tags.is_empty() || tags.len() > TAGS || !tags.iter().all(is_tag) {
            let detail = "`If-Match` is `*` or 1 to 20 entity tags as `ETag` gave them, e.g. \"3\"";
            return Err(Problem::new(ErrorCode::InvalidParameter, detail).at("If-Match"));
        }
        let version = |tag: &str| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok();
        Ok(Self::Versions(tags.into_iter().filter_map(version).collect()))
    }

    fn takes(&self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Versions(versions) => versions.contains(&version),
        }
    }
}

/// Which version a change is meant for. Without either the last write wins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expected {
    /// By the header `If-Match`.
    pub if_match: Option<IfMatch>,
    /// By the body's `version`.
    pub version: Option<u64>,
}

impl Expected {
    /// Holds the record's version against what is expected; the header first.
    ///
    /// # Errors
    /// `precondition_failed` by the header, `version_conflict` by the body, both with the record as it is.
    pub fn check(&self, version: u64, current: impl FnOnce() -> Box<RawValue>) -> Result<(), Problem> {
        if self.if_match.as_ref().is_some_and(|if_match| !if_match.takes(version)) {
            let detail = format!(
                "the record is at version {version}, which `If-Match` does not name; merge and try again"
            );
            return Err(Problem::new(ErrorCode::PreconditionFailed, detail)
                .at("If-Match")
                .current(current()));
        }
        if self.version.is_some_and(|expected| expected != version) {
            let detail = format!("the record is at version {version} by now; merge and try again");
            return Err(Problem::new(ErrorCode::VersionConflict, detail).at("/version").current(current()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(if_match: Option<&str>, version: Option<u64>) -> Result<(), ErrorCode> {
        let if_match = if_match.map(|value| IfMatch::parse(value).unwrap());
        let record = || RawValue::from_string("{\"version\":3}".into()).unwrap();
        Expected { if_match, version }.check(3, record).map_err(|problem| {
            assert!(problem.current.is_some());
            problem.code
        })
    }

    #[test]
    fn a_stale_version_is_refused_with_the_record_and_the_present_one_is_not() {
        for good in [None, Some("*"), Some("\"3\""), Some("\"2\", \"3\"")] {
            assert_eq!(check(good, None), Ok(()), "{good:?}");
        }
        for stale in ["\"2\"", "W/\"3\"", "\"three\"", "\"\""] {
            assert_eq!(check(Some(stale), None), Err(ErrorCode::PreconditionFailed), "{stale}");
        }
        assert_eq!(check(None, Some(3)), Ok(()));
        assert_eq!(check(None, Some(4)), Err(ErrorCode::VersionConflict));
        assert_eq!(
            check(Some("\"2\""), Some(4)),
            Err(ErrorCode::PreconditionFailed),
            "the header goes first"
        );
    }

    #[test]
    fn what_is_no_entity_tag_is_refused() {
        for bad in ["", "3", "\"", ",", "\"3\", 4", &"\"1\",".repeat(21)] {
            assert_eq!(IfMatch::parse(bad).unwrap_err().code, ErrorCode::InvalidParameter, "{bad:?}");
        }
    }
}
