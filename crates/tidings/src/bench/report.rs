//! The figures of a run, as JSON and in words.

use serde::Serialize;

use super::durable::Durable;
use super::fan_out::{FanOut, Side};
use super::idle::Idle;
use super::machine::Machine;
use super::process::PerThing;
use super::resume::Resume;
use super::start::Start;
use super::stored::Stored;
use super::tally::Faults;
use crate::output::table;

/// Everything that was measured.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) start: Option<Start>,
    pub(super) fan_out: Vec<FanOut>,
    pub(super) idle: Vec<Idle>,
    pub(super) publish: Vec<Durable>,
    /// 4 KiB written and on disk, one after the other.
    pub(super) disk_syncs_per_second: Option<f64>,
    pub(super) resume: Option<Resume>,
    pub(super) stored: Vec<Stored>,
}

impl Report {
    /// With nothing measured yet.
    pub(super) const fn new(machine: Machine) -> Self {
        Self {
            machine,
            start: None,
            fan_out: Vec::new(),
            idle: Vec::new(),
            publish: Vec::new(),
            disk_syncs_per_second: None,
            resume: None,
            stored: Vec::new(),
        }
    }

    /// For people to read.
    pub(super) fn words(&self) -> String {
        let parts = [
            self.fan_out_words(),
            self.idle_words(),
            self.publish_words(),
            self.start.map(start_words),
            self.resume.as_ref().map(resume_words),
            self.stored_words(),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
    }

    fn fan_out_words(&self) -> Option<String> {
        let titles = [
            "fan-out",
            "publishers",
            "side",
            "deliveries/s",
            "events/s",
            "CPU µs",
            "user",
            "driver µs",
            "p50 ms",
            "p99 ms",
            "faults",
        ];
        let mut rows = vec![owned(titles)];
        for found in &self.fan_out {
            rows.push(side_row(found, "server", &found.server, faults(found.faults)));
            if let Some(bare) = &found.bare {
                rows.push(side_row(found, "bare", bare, String::new()));
                let mut ratio = vec![String::new(); titles.len()];
                "server ÷ bare".clone_into(&mut ratio[2]);
                ratio[5] = found.cpu_ratio.map_or_else(String::new, |ratio| format!("× {ratio:.2}"));
                ratio[9] = found.p99_ratio.map_or_else(String::new, |ratio| format!("× {ratio:.2}"));
                rows.push(ratio);
            }
        }
        (!self.fan_out.is_empty()).then(|| table(&rows))
    }

    fn idle_words(&self) -> Option<String> {
        let mut rows =
            vec![owned(["idle", "connections", "connects/s", "KiB each", "after traffic", "faults"])];
        rows.extend(self.idle.iter().map(|found| {
            vec![
                format!("{:?}", found.transport).to_lowercase(),
                found.connections.to_string(),
                format!("{:.0}", found.connects_per_second),
                format!("{:.2}", found.kib),
                format!("{:.2}", found.kib_after_traffic),
                faults(found.faults),
            ]
        }));
        (!self.idle.is_empty()).then(|| table(&rows))
    }

    fn publish_words(&self) -> Option<String> {
        let mut rows = vec![owned(["durable publish, in flight", "publishes/s", "CPU µs"])];
        rows.extend(self.publish.iter().map(|found| {
            vec![
                found.in_flight.to_string(),
                format!("{:.0}", found.publishes_per_second),
                micros(found.cpu_us),
            ]
        }));
        if let Some(syncs) = self.disk_syncs_per_second {
            rows.push(vec!["(4 KiB to disk)".to_owned(), format!("{syncs:.0}"), String::new()]);
        }
        (!self.publish.is_empty()).then(|| table(&rows))
    }

    fn stored_words(&self) -> Option<String> {
        let mut rows = vec![owned([
            "stored events",
            "MiB",
            "pages read",
            "rows examined a page",
            "CPU µs",
            "seconds for all",
        ])];
        rows.extend(self.stored.iter().map(|found| {
            vec![
                found.events.to_string(),
                format!("{:.0}", found.database_mib),
                format!("{:.0}", found.pages),
                format!("{:.1}", found.rows_examined),
                micros(found.cpu_us_per_client),
                format!("{:.2}", found.seconds),
            ]
        }));
        (!self.stored.is_empty()).then(|| table(&rows))
    }
}

fn owned<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn micros(used: Option<PerThing>) -> String {
    used.map_or_else(|| "–".to_owned(), |used| format!("{:.2}", used.all))
}

fn own_micros(used: Option<PerThing>) -> String {
    used.map_or_else(|| "–".to_owned(), |used| format!("{:.2}", used.user))
}

fn faults(faults: Faults) -> String {
    if faults == Faults::default() {
        return "none".to_owned();
    }
    let Faults { lost, doubles, disorder, ended } = faults;
    format!("lost {lost}, doubles {doubles}, disorder {disorder}, ended {ended}")
}

fn side_row(found: &FanOut, name: &str, side: &Side, faults: String) -> Vec<String> {
    vec![
        format!("{:?}", found.transport).to_lowercase(),
        found.publishers.to_string(),
        name.to_owned(),
        format!("{:.0}", side.deliveries_per_second),
        format!("{:.0}", side.events_per_second),
        micros(side.cpu_us),
        own_micros(side.cpu_us),
        micros(side.driver_cpu_us),
        format!("{:.2}", side.latency_ms.p50),
        format!("{:.2}", side.latency_ms.p99),
        faults,
    ]
}

fn start_words(start: Start) -> String {
    let Start { least_ms, median_ms, most_ms } = start;
    format!("start to ready: {median_ms:.1} ms ({least_ms:.1} to {most_ms:.1})")
}

fn resume_words(resume: &Resume) -> String {
    format!(
        "resume: {} clients, each with {} missed events, were back {:.2} s after the killed server was ready again \
         ({:.1} ms after its start); CPU µs a client: {}; resets: {}; faults: {}",
        resume.clients,
        resume.missed,
        resume.seconds,
        resume.ready_ms,
        micros(resume.cpu_us_per_client),
        resume.resets,
        faults(resume.faults),
    )
}
