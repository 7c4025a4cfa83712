//! `Retry-After` (RFC 9110, 10.2.3): for how long an answer asks to be left alone.
//!
//! Seconds are digits alone. A date counts from the answer's own `Date`, so that clocks that differ do no harm; where the
//! answer has none, from this machine's time. What is neither, and a date that has passed, names nothing: the caller's own
//! delays count then.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, header};

/// A longer pause counts as this one: every deadline can be reckoned with it.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// The pause that the headers name.
pub(crate) fn pause(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, header::RETRY_AFTER)?;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Nothing but too many digits can be wrong with it.
        return Some(text.parse().map_or(LONGEST, Duration::from_secs).min(LONGEST));
    }
    let end = httpdate::parse_http_date(text).ok()?;
    let date = self::text(headers, header::DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    let ahead = end.duration_since(date.unwrap_or_else(wall_time)).ok()?;
    (!ahead.is_zero()).then_some(ahead.min(LONGEST))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[allow(clippy::disallowed_methods, reason = "a date says nothing without the time of day")]
fn wall_time() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(value: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, value.parse().unwrap());
        if let Some(date) = date {
            headers.insert(header::DATE, date.parse().unwrap());
        }
        pause(&headers)
    }

    #[test]
    fn seconds_are_digits_alone() {
        for (value, seconds) in [("0", 0), ("7", 7), ("007", 7)] {
            assert_eq!(named(value, None), Some(Duration::from_secs(seconds)), "{value}");
        }
        for bad in ["", "+7", "-7", "7.5", "7 ", "7, 8", "0x7", "soon"] {
            assert_eq!(named(bad, None), None, "{bad:?}");
        }
        assert_eq!(pause(&HeaderMap::new()), None);
    }

    #[test]
    fn a_pause_has_an_end_that_clocks_can_reckon_with() {
        for long in [
            "99999999999",
            "18446744073709551615",
            "99999999999999999999999",
            "Fri, 31 Dec 9999 23:59:59 GMT",
        ] {
            assert_eq!(named(long, None), Some(LONGEST), "{long}");
        }
    }

    #[test]
    fn a_date_counts_from_that_of_the_answer() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for until in
            ["Sun, 06 Nov 1994 08:51:07 GMT", "Sunday, 06-Nov-94 08:51:07 GMT", "Sun Nov  6 08:51:07 1994"]
        {
            assert_eq!(named(until, date), Some(Duration::from_secs(90)), "{until}");
        }
        for passed in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:36 GMT"] {
            assert_eq!(named(passed, date), None, "{passed}");
        }
        // The day of the week is wrong.
        assert_eq!(named("Mon, 06 Nov 1994 08:51:07 GMT", date), None);
    }

    #[test]
    fn without_a_date_of_the_answer_this_machines_time_counts() {
        let until = httpdate::fmt_http_date(wall_time() + Duration::from_secs(90));
        let named = self::named(&until, None).unwrap();
        assert!((Duration::from_secs(60)..=Duration::from_secs(90)).contains(&named), "{named:?}");
        assert_eq!(self::named("Sun, 06 Nov 1994 08:49:37 GMT", Some("yesterday")), None);
    }
}
