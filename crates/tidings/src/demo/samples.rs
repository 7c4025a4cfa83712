//! The demo's casts, told of through the server's own API, as a backend would.
//!
//! Two that have ended, once for all starts, and one that is queued until somebody drives it: then the next start makes
//! another. Where the server has no casts there are none.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;
use tokio::time::timeout;

use super::files::{self, Files};
use crate::client::Client;
use crate::client::http::Trouble;
use crate::client::target::Target;
use crate::command::simulate::{Ending, Step, script};

/// The samples must not keep the server from saying that it is ready.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the samples say they ran.
const RAN: Duration = Duration::from_secs(42);

/// Who tells, and whose casts these are.
#[derive(Debug)]
pub(super) struct Samples<'a> {
    pub(super) files: &'a Files,
    pub(super) service_key: &'a str,
    pub(super) member: &'a str,
}

impl Samples<'_> {
    /// Tells of the casts; answers the id of the queued one.
    pub(super) async fn tell(&self, server: SocketAddr) -> Option<String> {
        let client = Client::new(Target { key: self.service_key.to_owned(), ..Target::at(server) });
        match timeout(PATIENCE, self.all(&client)).await {
            Ok(Ok(cast)) => cast,
            Ok(Err(trouble)) => {
                tracing::warn!(?trouble, "the demo's casts could not be made");
                None
            }
            Err(_) => {
                tracing::warn!("the demo's casts could not be made in time");
                None
            }
        }
    }

    async fn all(&self, client: &Client) -> Result<Option<String>, Trouble> {
        for (id, ending) in [("cast_demo_succeeded", Ending::Succeeded), ("cast_demo_failed", Ending::Failed)]
        {
            for (number, step) in script(id, ending, RAN).iter().enumerate() {
                let key = format!("serve-demo-{id}-{number}");
                match self.event(client, id, step, Some(&key)).await? {
                    StatusCode::NOT_FOUND => return Ok(None),
                    StatusCode::CONFLICT => break,
                    _ => {}
                }
            }
        }
        self.queued(client).await.map(Some)
    }

    /// The cast of an earlier start, if it is queued still, or a new one.
    async fn queued(&self, client: &Client) -> Result<String, Trouble> {
        let earlier =
            self.files.read(files::CAST).filter(|id| tidings_apps::casts::CastId::new(id).is_some());
        let new = format!("cast_demo_{:08x}", rand::random::<u32>());
        for id in earlier.into_iter().chain([new]) {
            let steps = script(&id, Ending::Succeeded, RAN);
            let Some(step) = steps.first() else { break };
            if self.event(client, &id, step, None).await?.is_success() {
                if let Err(failure) = self.files.write(files::CAST, &format!("{id}\n")) {
                    tracing::warn!(%failure, "the next start makes another cast");
                }
                return Ok(id);
            }
        }
        Err(Trouble::Broken("no cast could be made".to_owned()))
    }

    /// Tells of one step. Not found and conflicts are answers too: no such app, and what was told before.
    async fn event(
        &self,
        client: &Client,
        id: &str,
        step: &Step,
        idempotency_key: Option<&str>,
    ) -> Result<StatusCode, Trouble> {
        let body = json!({
            "type": step.kind,
            "data": step.data,
            "userId": self.member,
            "idempotencyKey": idempotency_key,
        });
        let path = format!("/api/casts/{id}/events");
        match client.ask(Method::POST, &path, body.to_string().into_bytes()).await {
            Ok(_) => Ok(StatusCode::OK),
            Err(Trouble::Refused(refusal))
                if [StatusCode::NOT_FOUND, StatusCode::CONFLICT].contains(&refusal.status) =>
            {
                Ok(refusal.status)
            }
            Err(trouble) => Err(trouble),
        }
    }
}
