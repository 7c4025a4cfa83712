//! What casts look like over HTTP and on their streams.
//!
//! The Rust types live in `tidings-apps`, which this crate does not know; `crates/tidings-apps/tests/typescript.rs`
//! compares the generated file with them.

use std::fmt::Write;

use super::shape::Value::{List, Named, Number, OrNull, Text, TextOrNumber, Word};
use super::shape::{Shape, Value, comment};

const ID: Value = Text;
const STATUS: Value = Named("CastStatus");
const INSTANT: Value = Text;

const STATUSES: &[(&str, &str)] = &[
    ("queued", "It waits for its turn."),
    ("running", "It is being carried out."),
    ("succeeded", "It ended well."),
    ("failed", "It ended badly."),
    ("cancelled", "It was ended before its end."),
];

const KINDS: &[&str] =
    &["STATUS_CHANGED", "PROGRESS_UPDATE", "STARTED", "COMPLETED", "FAILED", "ARTIFACT_READY"];

const FRAMES: &[(&str, &str)] = &[
    ("status", "CastStatusFrame"),
    ("progress", "CastProgressFrame"),
    ("complete", "CastCompleteFrame"),
    ("failed", "CastFailedFrame"),
    ("artifact", "CastArtifactFrame"),
];

/// The statuses and the kinds of events.
pub(super) fn words() -> String {
    let mut text = format!("\n{}export type CastStatus =\n", comment("", "A cast's status."));
    for (index, (status, about)) in STATUSES.iter().enumerate() {
        let ends = if index + 1 == STATUSES.len() { ";" } else { "" };
        let _ = writeln!(text, "{}  | '{status}'{ends}", comment("  ", about));
    }
    let kinds: Vec<String> = KINDS.iter().map(|kind| format!("'{kind}'")).collect();
    let about = "The type of a cast's event on `cast:{id}`; other types are relayed as a backend sent them.";
    let _ =
        write!(text, "\n{}export type CastEventKind =\n  | {};\n", comment("", about), kinds.join("\n  | "));
    text
}

/// The frames by their names.
pub(super) fn frames() -> String {
    let rows: String = FRAMES.iter().map(|(name, data)| format!("  readonly {name}: {data};\n")).collect();
    let about = comment("", "The frames of the casts' streams, each with its data.");
    format!("\n{about}export interface CastFrames {{\n{rows}}}\n")
}

/// Objects.
pub(super) const SHAPES: &[Shape] = &[
    Shape {
        name: "Cast",
        about: "The record of a cast.",
        members: &[
            ("id", ID, "Its name: 1 to 120 of `A-Z a-z 0-9 . _ ~ @ -`."),
            ("userId", Text, "Its owner, for good."),
            ("status", STATUS, "Where it stands."),
            ("progress", OrNull(&Number), "How far it is, from 0 to 100, in hundredths."),
            ("message", OrNull(&Text), "What it does just now; at most 2,000 characters."),
            ("startedAt", OrNull(&INSTANT), "When it began to run."),
            ("finishedAt", OrNull(&INSTANT), "When it ended."),
            ("duration", OrNull(&Number), "How long it took, in milliseconds."),
            ("costCents", OrNull(&Number), "What it cost, in cents."),
            ("artifactUrl", OrNull(&Text), "What it made: `http` or `https`, at most 2,000 characters."),
            ("errorMessage", OrNull(&Text), "Why it failed; at most 2,000 characters."),
            ("repository?", Text, "The repository whose workflow carries it out: `owner/name`."),
            ("workflowRunId?", Text, "The run of that workflow: 1 to 20 digits."),
            ("createdAt", INSTANT, "When it was created."),
            ("updatedAt", INSTANT, "When it was last changed."),
            ("version", Number, "1 at its creation, one more with each change."),
        ],
    },
    Shape {
        name: "CastList",
        about: "A page of casts.",
        members: &[
            ("items", List(&Named("Cast")), "The newest first."),
            ("nextCursor", OrNull(&Text), "For the parameter `cursor` of the next page; `null` at the end."),
            (
                "refused?",
                List(&Named("CastRefusal")),
                "Where casts were named by `id`: those that cannot be given.",
            ),
        ],
    },
    Shape {
        name: "CastRefusal",
        about: "A cast that was named and cannot be given.",
        members: &[
            ("id", ID, "Its name."),
            ("code", Text, "`not_found`, or `forbidden` where it is another user's."),
        ],
    },
    Shape {
        name: "CastFields",
        about: "What can be said of a cast; what is left out or `null` stays as it is.",
        members: &[
            ("status?", STATUS, "Where it stands."),
            ("progress?", Number, "How far it is, from 0 to 100; finer steps than a hundredth are rounded."),
            ("message?", Text, "What it does just now; at most 2,000 characters."),
            ("startedAt?", INSTANT, "When it began: RFC 3339 with its offset from UTC."),
            ("finishedAt?", INSTANT, "When it ended."),
            ("duration?", Number, "How long it took, in whole milliseconds."),
            ("costCents?", Number, "What it cost, in whole cents."),
            ("artifactUrl?", Text, "What it made: `http` or `https`, at most 2,000 characters."),
            ("errorMessage?", Text, "Why it failed; at most 2,000 characters."),
            (
                "repository?",
                Text,
                "The repository whose workflow carries it out: `owner/name`, at most 140 characters.",
            ),
            ("workflowRunId?", TextOrNumber, "The run of that workflow: 1 to 20 digits."),
        ],
    },
    Shape {
        name: "CastStatusFrame",
        about: "`status`: the cast has this status; at its end too.",
        members: &[
            ("castId", ID, "Which cast."),
            ("status", STATUS, "Where it stands."),
            ("startedAt?", INSTANT, "When it began to run."),
            ("timestamp", INSTANT, "When this was so."),
        ],
    },
    Shape {
        name: "CastProgressFrame",
        about: "`progress`: it got further.",
        members: &[
            ("castId", ID, "Which cast."),
            ("progress", Number, "How far it is, from 0 to 100, in hundredths."),
            ("message?", Text, "What it does just now."),
            ("timestamp", INSTANT, "When this was so."),
        ],
    },
    Shape {
        name: "CastCompleteFrame",
        about: "`complete`: it succeeded.",
        members: &[
            ("castId", ID, "Which cast."),
            ("status", Word("succeeded"), "Where it stands."),
            ("duration", OrNull(&Number), "How long it took, in milliseconds; `null` while not known."),
            ("costCents", OrNull(&Number), "What it cost, in cents; `null` while not known."),
            ("finishedAt", INSTANT, "When it ended."),
            ("artifactUrl?", Text, "What it made."),
            ("timestamp", INSTANT, "When this was so."),
        ],
    },
    Shape {
        name: "CastFailedFrame",
        about: "`failed`: it failed.",
        members: &[
            ("castId", ID, "Which cast."),
            ("status", Word("failed"), "Where it stands."),
            ("errorMessage", OrNull(&Text), "Why; `null` where nobody gave a reason."),
            ("timestamp", INSTANT, "When this was so."),
        ],
    },
    Shape {
        name: "CastArtifactFrame",
        about: "`artifact`: there is something that it made.",
        members: &[
            ("castId", ID, "Which cast."),
            ("artifactUrl", Text, "Where."),
            ("timestamp", INSTANT, "When this was so."),
        ],
    },
];
