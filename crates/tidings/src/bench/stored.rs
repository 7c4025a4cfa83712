//! What resuming on one exact channel costs with ever more events stored on others.

use std::io::{Read, Write};
use std::time::Duration;

use serde::Serialize;

use super::crowd::Crowd;
use super::driver::Driver;
use super::plan::Plan;
use super::process::{PerThing, Used};
use super::publisher::{Publisher, whole_body};
use super::scan::Wire;
use super::server::OwnServer;
use crate::failure::Failure;

/// Clients that resume.
const CLIENTS: usize = 1_000;
/// Channels over which the other events are spread.
const OTHERS: usize = 100;
/// Events in one publish: the most there may be.
const BATCH: usize = 100;

/// One number of stored events.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stored {
    pub(super) events: u64,
    pub(super) database_mib: f64,
    /// Pages of the log that were read; clients that ask for the same at once share one.
    pub(super) pages: f64,
    /// Rows looked at, a page, to find the two events that each client missed.
    pub(super) rows_examined: f64,
    pub(super) cpu_us_per_client: Option<PerThing>,
    pub(super) seconds: f64,
}

fn fill(crowd: &Crowd<'_>, bytes: usize, events: u64) -> Result<(), Failure> {
    let mut driver = Driver::new()?;
    for number in 0..events.div_ceil(BATCH as u64) {
        if number % 1_000 == 0 {
            driver.drop_sources();
            for other in 0..8 {
                let stream = crowd
                    .dial
                    .connect(other)
                    .map_err(|error| Failure::new(format!("a publisher: {error}")))?;
                let channel = format!("{}:{}", crowd.channel, (number as usize / 1_000 * 8 + other) % OTHERS);
                driver.add_source(Box::new(Publisher::new(stream, crowd.target, &channel, bytes, BATCH)))?;
            }
        }
        if number % 8 == 0 {
            driver.send_for(Duration::ZERO)?;
        }
    }
    Ok(())
}

fn publish(driver: &mut Driver, crowd: &Crowd<'_>, bytes: usize) -> Result<(), Failure> {
    let stream = crowd.dial.connect(0).map_err(|error| Failure::new(format!("a publisher: {error}")))?;
    driver.add_source(Box::new(Publisher::new(stream, crowd.target, crowd.channel, bytes, 1)))?;
    driver.send_for(Duration::ZERO)?;
    driver.drop_sources();
    Ok(())
}

/// A counter of the server.
fn counter(crowd: &Crowd<'_>, name: &str) -> Result<f64, Failure> {
    let failed = |error| Failure::new(format!("/metrics: {error}"));
    let mut stream = crowd.dial.connect(0).map_err(failed)?;
    stream.set_nonblocking(false).map_err(failed)?;
    let (prefix, authority) = (&crowd.target.prefix, &crowd.target.authority);
    let request = format!("GET {prefix}/metrics HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    let mut answer = Vec::new();
    stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_end(&mut answer)).map_err(failed)?;
    let text = String::from_utf8_lossy(whole_body(&answer).unwrap_or_default()).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    line.ok_or_else(|| Failure::new(format!("/metrics does not tell {name}")))
}

/// What the server has read of its log.
struct Reads {
    pages: f64,
    rows: f64,
}

impl Reads {
    fn now(crowd: &Crowd<'_>) -> Result<Self, Failure> {
        Ok(Self {
            pages: counter(crowd, "tidings_log_pages_read")?,
            rows: counter(crowd, "tidings_log_rows_examined")?,
        })
    }
}

/// Fills the log to each of the numbers and has clients resume from its beginning.
///
/// # Errors
/// What did not work.
pub(super) fn measure(plan: &Plan, server: &OwnServer, channel: &str) -> Result<Vec<Stored>, Failure> {
    let crowd = Crowd { dial: server.dial()?, target: &server.target, wire: Wire::Sse, channel };
    let mut driver = Driver::new()?;
    crowd.gather(&mut driver, CLIENTS)?;
    let gone = driver.disconnect();
    driver.start_over();
    publish(&mut driver, &crowd, plan.bytes)?;
    let mut stored = 0;
    let mut found = Vec::new();
    for events in &plan.stored {
        fill(&crowd, plan.bytes, events.saturating_sub(stored))?;
        stored = *events;
        if found.is_empty() {
            publish(&mut driver, &crowd, plan.bytes)?;
        }
        let reads = Reads::now(&crowd)?;
        let (before, began) = (Used::of(server.pid()), driver.now());
        crowd.gather_again(&mut driver, &gone)?;
        driver.settle()?;
        let took = driver.now() - began;
        let used = Used::since(before, server.pid(), CLIENTS as u64);
        let now = Reads::now(&crowd)?;
        let pages = now.pages - reads.pages;
        found.push(Stored {
            events: *events,
            database_mib: server.workspace.database_bytes() as f64 / 1024.0 / 1024.0,
            pages,
            rows_examined: (now.rows - reads.rows) / pages.max(1.0),
            cpu_us_per_client: used,
            seconds: took.as_secs_f64(),
        });
        driver.disconnect();
        driver.recount();
    }
    Ok(found)
}
