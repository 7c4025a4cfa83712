//! `tidings bench`: what a server costs, measured beside bare writes of the same bytes on the same machine.
//!
//! Owns: the driver and what it measures. Leaves out: any judgement; figures are printed, never asserted.
//!
//! Invariants: what subscribers are given is held against what publishers were answered, in every phase; the driver is
//! one thread on a core of its own, the server (or the bare writer) on another; nothing stays behind on the machine.
//!
//! Reading order: [`plan`] (what is measured), [`driver`] with [`subscriber`], [`source`] and [`tally`], the two
//! sources [`publisher`] and [`bare`], then the parts: [`fan_out`], [`idle`], [`durable`], [`start`], [`resume`],
//! [`stored`]; [`report`] shows them.

#![allow(clippy::cast_precision_loss, reason = "figures for people")]

mod bare;
mod child;
mod crowd;
mod dial;
mod driver;
mod durable;
mod fan_out;
mod idle;
mod latency;
mod machine;
mod plan;
mod process;
mod publisher;
mod report;
mod resume;
mod scan;
mod server;
mod source;
mod start;
mod stored;
mod subscriber;
mod tally;
mod workspace;

use std::fs;
use std::path::Path;

pub(crate) use plan::Plan as Args;

use crate::client::target::Target;
use crate::config::Sources;
use crate::failure::Failure;
use crate::output::{Output, say};
use crowd::Crowd;
use dial::Dial;
use machine::Machine;
use plan::Part;
use process::Cores;
use report::Report;
use scan::Wire;
use server::OwnServer;
use workspace::Workspace;

/// Where results are kept, seen from where the benchmark is started.
const RESULTS: &str = "bench/results";

/// Measures, and shows what was found.
///
/// # Errors
/// What did not work. Loss and disorder are figures, not errors.
pub(crate) fn run(args: &Args, sources: &dyn Sources, output: Output) -> Result<(), Failure> {
    if args.bare {
        return bare::run(output);
    }
    crate::open_files::raise();
    let cores = Cores::find();
    let mut report = Report::new(Machine::find(cores.is_some()));
    let bench = Bench { plan: args, cores };
    let outcome = match &args.server.server {
        Some(_) => bench.remote(&args.server.target(sources)?, &mut report),
        None => bench.local(&mut report),
    };
    // What was measured before something failed is shown all the same, and not kept.
    output.data(&report, Report::words)?;
    outcome?;
    args.save.as_ref().map_or(Ok(()), |name| save(&report, name))
}

fn save(report: &Report, name: &str) -> Result<(), Failure> {
    let path = Path::new(RESULTS).join(format!("{}-{name}.json", report.machine.day()));
    let text = serde_json::to_string_pretty(report).map_err(|error| Failure::new(error.to_string()))?;
    let written = fs::create_dir_all(RESULTS).and_then(|()| fs::write(&path, text + "\n"));
    written.map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}

/// A channel that nobody else uses.
fn channel() -> String {
    format!("bench:{:08x}", rand::random::<u32>())
}

/// One run.
struct Bench<'a> {
    plan: &'a Args,
    cores: Option<Cores>,
}

impl Bench<'_> {
    /// A server of the benchmark's own, fresh.
    fn server(&self) -> Result<OwnServer, Failure> {
        let under = self.plan.dir.clone().unwrap_or_else(std::env::temp_dir);
        OwnServer::start(Workspace::new(&under)?, self.cores)
    }

    /// Whether this part is to be measured; says so.
    fn begins(&self, part: Part, what: &str) -> bool {
        let has = self.plan.has(part);
        if has {
            say(&format!("measuring {what} …"));
        }
        has
    }

    fn local(&self, report: &mut Report) -> Result<(), Failure> {
        if self.begins(Part::Start, "the start") {
            report.start = Some(start::measure(self.server()?)?);
        }
        if self.begins(Part::Idle, "idle connections") {
            for wire in &self.plan.transport {
                report.idle.push(idle::measure(self.plan, &self.server()?, *wire, &channel())?);
            }
        }
        if self.plan.has(Part::FanOut) || self.plan.has(Part::Publish) {
            let server = self.server()?;
            // Before the load: after it, the server still trims what was published.
            report.disk_syncs_per_second = Some(durable::disk(self.plan, &server.workspace)?);
            self.load(server.dial()?, &server.target, Some(server.pid()), report)?;
        }
        if self.begins(Part::Resume, "coming back") {
            report.resume = Some(resume::measure(self.plan, self.server()?, &channel())?);
        }
        if self.begins(Part::Stored, "resuming from a long log") {
            report.stored = stored::measure(self.plan, &self.server()?, &channel())?;
        }
        Ok(())
    }

    fn remote(&self, target: &Target, report: &mut Report) -> Result<(), Failure> {
        let local = [Part::Start, Part::Idle, Part::Resume, Part::Stored];
        if local.into_iter().any(|part| self.plan.has(part)) {
            return Err(Failure::usage("with --server only fan-out and publish can be measured"));
        }
        if target.trust.is_some() {
            return Err(Failure::usage("the bench speaks plain HTTP: name a server by http://"));
        }
        // Pins the driver, too.
        Cores::on_measured(self.cores, || ());
        self.load(Dial::find(&target.host, target.port)?, target, self.plan.pid, report)
    }

    fn load(
        &self,
        dial: Dial,
        target: &Target,
        pid: Option<u32>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let wires: &[Wire] = if self.begins(Part::FanOut, "fan-out") { &self.plan.transport } else { &[] };
        for wire in wires {
            for publishers in &self.plan.publishers {
                let crowd = Crowd { dial, target, wire: *wire, channel: &channel() };
                report.fan_out.push(fan_out::measure(self.plan, &crowd, pid, self.cores, *publishers)?);
            }
        }
        if self.begins(Part::Publish, "durable publishes") {
            for in_flight in &self.plan.in_flight {
                report.publish.push(durable::measure(self.plan, dial, target, pid, &channel(), *in_flight)?);
            }
        }
        Ok(())
    }
}
