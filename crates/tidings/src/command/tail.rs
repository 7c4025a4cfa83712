//! `tidings tail`: events as they come.

use clap::Args as ClapArgs;
use serde::Deserialize;
use serde_json::value::RawValue;
use tidings_protocol::sse::Event;

use crate::client::follow::Follower;
use crate::client::{Client, Query, ServerArgs};
use crate::config::Sources;
use crate::failure::Failure;
use crate::output::{Output, say};

/// What is followed.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Channels or patterns, e.g. cast:cast_123 or 'cast:*'
    #[arg(required = true, value_name = "CHANNEL")]
    channels: Vec<String>,
    /// After which event: an event's id, start (the oldest retained) or now
    #[arg(long, value_name = "CURSOR", default_value = "now")]
    since: String,
    /// Only events of this type; repeatable
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only events of this category; repeatable
    #[arg(long = "category", value_name = "CATEGORY")]
    categories: Vec<String>,
    /// End after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    server: ServerArgs,
}

/// An event, as far as people are shown it.
#[derive(Debug, Deserialize)]
pub(super) struct Shown<'a> {
    id: &'a str,
    channel: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    time: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Follows the channels, over lost connections and restarts of the server, until it is stopped.
///
/// # Errors
/// What did not work, was refused, or ended for good.
pub(crate) async fn run(args: &Args, sources: &dyn Sources, output: Output) -> Result<(), Failure> {
    let client = Client::new(args.server.target(sources)?);
    let query = Query::of("/v1/events")
        .with_each("channel", &args.channels)
        .with_each("type", &args.types)
        .with_each("category", &args.categories)
        .with("since", &args.since)
        .with("heartbeat", "event");
    let mut left = args.count;
    let mut take = |event: &Event<'_>| {
        if event.event.starts_with('$') {
            tell(event);
            return Ok(true);
        }
        show(event.data, output)?;
        left = left.map(|left| left - 1);
        Ok(left != Some(0))
    };
    Follower::new(client, query).run(&mut take).await
}

/// Writes an event: its JSON as it came, or a line for people.
///
/// # Errors
/// The output is closed.
pub(super) fn show(event: &str, output: Output) -> Result<(), Failure> {
    if output.json {
        return output.line(event);
    }
    match serde_json::from_str::<Shown<'_>>(event) {
        Ok(Shown { id, channel, kind, time, data }) => {
            output.line(&format!("{time} {id} {channel} {kind} {data}"))
        }
        Err(_) => output.line(event),
    }
}

/// What the stream says about itself and a reader must know.
fn tell(event: &Event<'_>) {
    let data = event.data;
    match event.event {
        "$reset" => say(&format!("tidings: events are missing: {data}")),
        "$lagged" => say(&format!("tidings: superseded events were skipped: {data}")),
        "$expiring" => say(&format!("tidings: the key expires soon: {data}")),
        _ => {}
    }
}
