//! `tidings history`: events that channels have retained.

use clap::Args as ClapArgs;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::tail::show;
use crate::client::{Client, Query, ServerArgs};
use crate::config::Sources;
use crate::failure::Failure;
use crate::output::{Output, say};

/// The most events asked of the server at once.
const PAGE: u64 = 1_000;

/// What is read.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Channels or patterns, e.g. cast:cast_123 or 'cast:*'
    #[arg(required = true, value_name = "CHANNEL")]
    channels: Vec<String>,
    /// After which event: an event's id, or the cursor of an earlier answer [default: the oldest retained]
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// At most so many events
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Only events of this type; repeatable
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only events of this category; repeatable
    #[arg(long = "category", value_name = "CATEGORY")]
    categories: Vec<String>,
    #[command(flatten)]
    server: ServerArgs,
}

/// An answer of the server, and of this command.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    events: Vec<Box<RawValue>>,
    cursor: String,
    more: bool,
    resets: Vec<Value>,
}

/// Reads pages until there are enough events or no more.
///
/// # Errors
/// What did not work, or was refused.
pub(crate) async fn run(args: &Args, sources: &dyn Sources, output: Output) -> Result<(), Failure> {
    let client = Client::new(args.server.target(sources)?);
    let mut read = page(args, &client, args.after.as_deref(), args.limit).await?;
    while read.more && (read.events.len() as u64) < args.limit {
        let left = args.limit - read.events.len() as u64;
        let next = page(args, &client, Some(&read.cursor), left).await?;
        read.events.extend(next.events);
        read.resets.extend(next.resets);
        (read.cursor, read.more) = (next.cursor, next.more);
    }
    if output.json {
        return output.data(&read, |_| String::new());
    }
    read.resets.iter().for_each(|reset| say(&format!("tidings: events are missing: {reset}")));
    read.events.iter().try_for_each(|event| show(event.get(), output))?;
    if read.more {
        say(&format!("tidings: there is more: --after {}", read.cursor));
    }
    Ok(())
}

async fn page(args: &Args, client: &Client, after: Option<&str>, limit: u64) -> Result<Answer, Failure> {
    let query = Query::of("/v1/history")
        .with_each("channel", &args.channels)
        .with_each("type", &args.types)
        .with_each("category", &args.categories)
        .with_some("after", after)
        .with("limit", &limit.min(PAGE).to_string());
    let answer = client.ask(Method::GET, query.as_str(), Vec::new()).await?;
    serde_json::from_slice(&answer)
        .map_err(|error| Failure::new(format!("the server's answer is not understood: {error}")))
}
