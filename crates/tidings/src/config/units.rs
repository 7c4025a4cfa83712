//! Durations and sizes as people write them.

use std::time::Duration;

/// Units of time, in milliseconds, largest first.
const TIMES: [(&str, u64); 5] =
    [("d", 24 * 3_600_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
/// Units of size, in bytes, largest first.
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads `250ms`, `30s`, `5m`, `2h`, `7d`, or `0`.
///
/// # Errors
/// A sentence that says how a duration is written.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed = if text == "0" { Some(0) } else { parse(text, &TIMES) };
    let how =
        || format!("`{text}` is no duration: write a number and its unit, e.g. 250ms, 30s, 5m, 2h or 7d");
    parsed.map(Duration::from_millis).ok_or_else(how)
}

/// Reads `65536`, `64KiB`, `1MiB`, or `2GiB`.
///
/// # Errors
/// A sentence that says how a size is written.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let parsed = text.parse().ok().filter(|_| is_digits(text)).or_else(|| parse(text, &SIZES));
    parsed.ok_or_else(|| {
        format!("`{text}` is no size: write bytes, or a number and its unit, e.g. 256KiB or 1MiB")
    })
}

/// The shortest way to write the duration exactly; parts of a millisecond are dropped.
pub(crate) fn show_duration(duration: Duration) -> String {
    show(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &TIMES, "0s")
}

/// The shortest way to write the size exactly.
pub(crate) fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES, "0")
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn show(value: u64, units: &[(&str, u64)], zero: &str) -> String {
    if value == 0 {
        return zero.to_owned();
    }
    let fitting = units.iter().find(|(_, factor)| value.is_multiple_of(*factor));
    fitting.map_or_else(|| value.to_string(), |(unit, factor)| format!("{}{unit}", value / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_as_written() {
        for (text, millis) in
            [("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("36h", 129_600_000), ("7d", 604_800_000)]
        {
            let duration = parse_duration(text).unwrap();
            assert_eq!(duration, Duration::from_millis(millis));
            assert_eq!(show_duration(duration), text);
        }
        assert_eq!(parse_duration("0").unwrap(), Duration::ZERO);
        assert_eq!(show_duration(Duration::from_millis(90_000)), "90s");
        for bad in
            ["", "30", "s", "-1s", "1.5s", "30 s", "30S", "1w", "99999999999999999999s", "300000000000000d"]
        {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sizes_read_back_as_written() {
        for (text, bytes) in [("1B", 1), ("256KiB", 262_144), ("1MiB", 1 << 20), ("3GiB", 3 << 30)] {
            assert_eq!(parse_size(text).unwrap(), bytes);
            assert_eq!(show_size(bytes), text);
        }
        assert_eq!(parse_size("1000").unwrap(), 1000);
        for bad in ["", "KiB", "1KB", "1k", "-1", "+1", "1.5MiB", "99999999999999999999"] {
            assert!(parse_size(bad).is_err(), "{bad:?}");
        }
    }
}
