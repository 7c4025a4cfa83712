//! `tidings publish`: one event.

use std::io::Read;

use clap::Args as ClapArgs;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_protocol::limits::BATCH_BYTES;

use crate::client::{Client, ServerArgs};
use crate::config::Sources;
use crate::failure::Failure;
use crate::output::Output;

/// What is published, and how.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The channel, e.g. cast:cast_123
    channel: String,
    /// What kind of fact it is
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
    /// The payload: JSON, or - to read it from stdin
    #[arg(long, value_name = "JSON")]
    data: String,
    /// A further channel whose subscribers receive it too; repeatable
    #[arg(long, value_name = "CHANNEL")]
    also: Vec<String>,
    /// A coarser grouping
    #[arg(long)]
    category: Option<String>,
    /// A waiting event is superseded by a later one with the same conflation key
    #[arg(long, value_name = "KEY")]
    conflation_key: Option<String>,
    /// Makes retries one event
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// The version of the record that the event tells of
    #[arg(long, value_name = "VERSION")]
    record_version: Option<u64>,
    /// Your own name for the change
    #[arg(long, value_name = "ID")]
    mutation_id: Option<String>,
    /// Who did it
    #[arg(long)]
    actor: Option<String>,
    /// Nothing follows on the channel
    #[arg(long)]
    terminal: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// The body of `POST /v1/publish`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    channel: &'a str,
    r#type: &'a str,
    data: &'a RawValue,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    also: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    terminal: bool,
}

/// What comes back.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    events: Vec<Receipt>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Receipt {
    id: String,
    duplicate: bool,
}

/// Publishes, and shows the event's id.
///
/// # Errors
/// What did not work, or was refused.
pub(crate) async fn run(args: &Args, sources: &dyn Sources, output: Output) -> Result<(), Failure> {
    let client = Client::new(args.server.target(sources)?);
    let data = payload(&args.data)?;
    let answer = client.ask(Method::POST, "/v1/publish", body(args, &data)?).await?;
    let answer: Answer = serde_json::from_slice(&answer)
        .map_err(|error| Failure::new(format!("the server's answer is not understood: {error}")))?;
    output.data(&answer, |answer| {
        let line = |receipt: &Receipt| {
            let remark = if receipt.duplicate { " (known already)" } else { "" };
            format!("{}{remark}", receipt.id)
        };
        answer.events.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}

fn payload(data: &str) -> Result<Box<RawValue>, Failure> {
    let text = if data == "-" { read_stdin()? } else { data.to_owned() };
    serde_json::from_str(text.trim()).map_err(|error| {
        Failure::usage(format!("--data is not JSON ({error}); a text is written '\"like this\"'"))
    })
}

fn read_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(BATCH_BYTES as u64 + 1).read_to_string(&mut text);
    read.map_err(|error| Failure::new(format!("cannot read the payload from stdin: {error}")))?;
    Ok(text)
}

fn body(args: &Args, data: &RawValue) -> Result<Vec<u8>, Failure> {
    let body = Body {
        channel: &args.channel,
        r#type: &args.kind,
        data,
        also: &args.also,
        category: args.category.as_deref(),
        key: args.conflation_key.as_deref(),
        idempotency_key: args.idempotency_key.as_deref(),
        version: args.record_version,
        mutation_id: args.mutation_id.as_deref(),
        actor: args.actor.as_deref(),
        terminal: args.terminal,
    };
    serde_json::to_vec(&body).map_err(|error| Failure::new(error.to_string()))
}
