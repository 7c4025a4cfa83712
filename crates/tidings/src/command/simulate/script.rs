//! What happens to one simulated cast, and when. Pure.

use std::time::Duration;

use serde_json::{Value, json};

/// How a cast ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Succeeded,
    Failed,
    Cancelled,
}

impl Ending {
    /// How the cast at this place, from 0, of so many ends: of few all succeed, of more than three the fourth of every
    /// five fails and the fifth is cancelled.
    pub(super) const fn of(place: usize, count: usize) -> Self {
        match place % 5 {
            3 if count > 3 => Self::Failed,
            4 if count > 3 => Self::Cancelled,
            _ => Self::Succeeded,
        }
    }
}

/// One event, and how long after the one before it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) after: Duration,
    /// One of the kinds of `POST /api/casts/{id}/events`.
    pub(crate) kind: &'static str,
    pub(crate) data: Value,
}

/// What a run tells of its progress.
const PROGRESS: [(u32, &str); 5] = [
    (10, "Preparing the workspace"),
    (30, "Fetching the sources"),
    (55, "Building"),
    (80, "Checking"),
    (95, "Packing the artifact"),
];

/// What a cast costs for each second, in hundredths.
const CENTS_PER_SECOND: u64 = 2;

/// The life of a cast: `duration` from its start to its end, with a tenth of that before it starts.
pub(crate) fn script(id: &str, ending: Ending, duration: Duration) -> Vec<Step> {
    let step = duration / (PROGRESS.len() as u32 + 1);
    let mut steps = vec![
        Step { after: Duration::ZERO, kind: "STATUS_CHANGED", data: json!({ "status": "queued" }) },
        Step { after: duration / 10, kind: "STARTED", data: json!({}) },
    ];
    let reached = match ending {
        Ending::Succeeded => PROGRESS.len(),
        Ending::Failed => 3,
        Ending::Cancelled => 2,
    };
    steps.extend(PROGRESS.iter().take(reached).map(|(progress, message)| Step {
        after: step,
        kind: "PROGRESS_UPDATE",
        data: json!({ "progress": progress, "message": message }),
    }));
    match ending {
        Ending::Succeeded => steps.extend(success(id, duration, step)),
        Ending::Failed => steps.push(Step {
            after: step,
            kind: "FAILED",
            data: json!({ "errorMessage": "the build ended with exit code 2 (simulated)" }),
        }),
        Ending::Cancelled => steps.push(cancelled(step)),
    }
    steps
}

fn success(id: &str, duration: Duration, step: Duration) -> [Step; 2] {
    let artifact = format!("https://artifacts.example.org/{id}.tar.gz");
    let done = json!({
        "duration": u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        "costCents": duration.as_secs() * CENTS_PER_SECOND,
        "artifactUrl": artifact,
    });
    [
        Step { after: step, kind: "ARTIFACT_READY", data: json!({ "artifactUrl": artifact }) },
        Step { after: Duration::ZERO, kind: "COMPLETED", data: done },
    ]
}

/// The end of a cast that nobody wants any more.
pub(super) fn cancelled(after: Duration) -> Step {
    Step { after, kind: "STATUS_CHANGED", data: json!({ "status": "cancelled" }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(ending: Ending) -> Vec<&'static str> {
        script("cast_1", ending, Duration::from_secs(60)).iter().map(|step| step.kind).collect()
    }

    #[test]
    fn every_life_begins_queued_and_has_one_end() {
        let ends = ["COMPLETED", "FAILED"];
        for (ending, last) in [
            (Ending::Succeeded, "COMPLETED"),
            (Ending::Failed, "FAILED"),
            (Ending::Cancelled, "STATUS_CHANGED"),
        ] {
            let kinds = kinds(ending);
            assert_eq!((kinds[0], kinds[1], *kinds.last().unwrap()), ("STATUS_CHANGED", "STARTED", last));
            assert!(kinds[..kinds.len() - 1].iter().all(|kind| !ends.contains(kind)), "{kinds:?}");
        }
    }

    #[test]
    fn the_steps_after_the_start_take_the_duration() {
        let steps = script("cast_1", Ending::Succeeded, Duration::from_secs(60));
        let running: Duration = steps[2..].iter().map(|step| step.after).sum();
        assert_eq!((steps[1].after, running), (Duration::from_secs(6), Duration::from_secs(60)));
        assert_eq!(steps.last().unwrap().data["costCents"], 120);
    }

    #[test]
    fn few_succeed_and_of_many_some_do_not() {
        let endings = |count: usize| (0..count).map(|place| Ending::of(place, count)).collect::<Vec<_>>();
        assert!(endings(3).iter().all(|ending| *ending == Ending::Succeeded));
        assert_eq!(endings(5)[3..], [Ending::Failed, Ending::Cancelled]);
    }
}
