//! Moments as they are told: RFC 3339.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tidings_protocol::time::Timestamp;

/// A moment, as RFC 3339. A text is passed on as it is; the server refuses what is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Time(String);

impl From<SystemTime> for Time {
    /// In UTC, to the millisecond.
    fn from(time: SystemTime) -> Self {
        let millis = match time.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        };
        Self(Timestamp(millis).to_string())
    }
}

impl From<&str> for Time {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Time {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn moments_are_told_to_the_millisecond() {
        let time = UNIX_EPOCH + Duration::from_micros(1_763_715_600_120_900);
        assert_eq!(Time::from(time).to_string(), "2025-11-21T09:00:00.120Z");
        let before = UNIX_EPOCH - Duration::from_millis(1);
        assert_eq!(Time::from(before).to_string(), "1969-12-31T23:59:59.999Z");
        assert_eq!(Time::from("2026-11-21T10:00:00+02:00").to_string(), "2026-11-21T10:00:00+02:00");
    }
}
