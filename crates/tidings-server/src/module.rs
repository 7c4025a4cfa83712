//! What an app brings to the server: routes, channels with rules of their own, and their description.
//!
//! The server knows apps by this alone. A channel that an app claims is read by whoever may read the record it tells of
//! (service keys by their grants) and written by the app alone.

use std::sync::Arc;

use axum::Router;
use serde_json::{Map, Value};
use tidings_core::Principal;
use tidings_core::port::PortFuture;
use tidings_protocol::Pattern;

use crate::app::App;
use crate::problem::Answer;
use crate::routes::openapi::Route;

/// How much of a pattern is an app's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// No channel that the pattern takes in.
    Nothing,
    /// Some of them.
    Some,
    /// All of them.
    All,
}

/// What an app adds to the descriptions of the HTTP interface.
#[derive(Debug, Default, Clone)]
pub struct Description {
    /// Its routes.
    pub routes: &'static [Route],
    /// OpenAPI parameters by name.
    pub parameters: Map<String, Value>,
    /// OpenAPI schemas by name.
    pub schemas: Map<String, Value>,
    /// Its streams: the AsyncAPI channel's name, the address, and what goes over it by name.
    pub streams: Vec<(String, String, Map<String, Value>)>,
}

/// An app.
pub trait Module: Send + Sync + 'static {
    /// Its name in the configuration: `casts`.
    fn name(&self) -> &'static str;

    /// Its routes, with the state they need.
    fn routes(&self, app: &Arc<App>) -> Router;

    /// How much of the pattern is its own.
    fn claims(&self, pattern: &Pattern) -> Claim;

    /// Whether a principal with an account may read what the pattern takes in of the app's channels.
    ///
    /// # Errors
    /// Storage's.
    fn may_read<'a>(
        &'a self,
        app: &'a App,
        principal: &'a Principal,
        pattern: &'a Pattern,
    ) -> PortFuture<'a, Answer<bool>>;

    /// What it adds to the descriptions.
    fn describe(&self) -> Description;
}
