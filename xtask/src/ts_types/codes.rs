//! The table of codes: why streams end, what a client does then, and why requests are refused.

use std::fmt::Write;

use tidings_protocol::control::ResetReason;
use tidings_protocol::{EndReason, ErrorCode, Retry};

use super::shape::comment;

const RETRIES: [Retry; 4] = [Retry::Now, Retry::Later, Retry::Auth, Retry::Never];

const RESETS: [ResetReason; 3] = [ResetReason::Expired, ResetReason::Unknown, ResetReason::Unauthorized];

/// All of it.
pub(super) fn render() -> String {
    retries() + &ends() + &resets() + &errors()
}

fn retries() -> String {
    let rows =
        RETRIES.map(|retry| (retry.name(), retry.close_code().to_string(), about_retry(retry).to_owned()));
    table(
        "RETRY_CLOSE_CODES",
        "Which code closes a WebSocket after an `$end`, by what the client does next.",
        &rows,
    ) + &keys("Retry", "What a client does when its stream has ended.", "RETRY_CLOSE_CODES")
}

const fn about_retry(retry: Retry) -> &'static str {
    match retry {
        Retry::Now => "Come back at once.",
        Retry::Later => "Come back after the time the server names.",
        Retry::Auth => "Sign in again first.",
        Retry::Never => "Do not come back.",
    }
}

/// Only what a client can be told; the other reasons stand in the audit log alone.
fn ends() -> String {
    let told = EndReason::ALL.iter().filter(|reason| reason.is_on_wire());
    let rows: Vec<Row> = told
        .map(|reason| (reason.name(), format!("'{}'", reason.retry().name()), reason.meaning().to_owned()))
        .collect();
    table("END_REASONS", "Why a stream ended: each reason with what the client does next.", &rows)
        + &keys("EndReason", "Why a stream ended.", "END_REASONS")
}

fn resets() -> String {
    let words = RESETS.map(|reason| format!("'{}'", reason.name())).join(" | ");
    let about = RESETS.map(|reason| format!("`{}`: {}", reason.name(), about_reset(reason))).join("; ");
    format!(
        "\n{}export type ResetReason = {words};\n",
        comment("", &format!("Why events can no longer be given. {about}."))
    )
}

const fn about_reset(reason: ResetReason) -> &'static str {
    match reason {
        ResetReason::Expired => "retention has removed them",
        ResetReason::Unknown => "the cursor is of another history",
        ResetReason::Unauthorized => "the right to the channels has ended",
    }
}

/// Why requests are refused.
pub(super) fn errors() -> String {
    let rows: Vec<Row> = ErrorCode::ALL
        .iter()
        .map(|code| (code.name(), code.status().to_string(), code.meaning().to_owned()))
        .collect();
    table("ERROR_CODES", "Why a request is refused: each code with its HTTP status.", &rows)
        + &keys("ErrorCode", "Why a request is refused.", "ERROR_CODES")
}

/// A key, its value as TypeScript, and what it means.
type Row = (&'static str, String, String);

fn table(name: &str, about: &str, rows: &[Row]) -> String {
    let mut text = format!("\n{}export const {name} = {{\n", comment("", about));
    for (key, value, about) in rows {
        let _ = writeln!(text, "{}  {key}: {value},", comment("  ", about));
    }
    text + "} as const;\n"
}

fn keys(name: &str, about: &str, table: &str) -> String {
    format!("\n{}export type {name} = keyof typeof {table};\n", comment("", about))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_tables_is_there() {
        let text = render();
        for code in ErrorCode::ALL {
            assert!(text.contains(&format!("  {}: {},\n", code.name(), code.status())), "{code:?}");
            assert!(text.contains(&format!("/** {} */", code.meaning())), "{code:?}");
        }
        for reason in EndReason::ALL {
            let row = format!("  {}: '{}',\n", reason.name(), reason.retry().name());
            assert_eq!(text.contains(&row), reason.is_on_wire(), "{reason:?}");
        }
    }

    #[test]
    fn every_retry_has_its_row() {
        let used = EndReason::ALL.iter().map(|reason| reason.retry());
        assert!(used.into_iter().all(|retry| RETRIES.contains(&retry)));
        assert!(render().contains("  never: 4003,\n"));
    }
}
