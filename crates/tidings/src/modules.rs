//! Which apps are served.
//!
//! Owns: from the names in `apps` to what the edge is given. Leaves out: what the apps do.

use std::sync::Arc;

use tidings_apps::casts::{Casts, CastsConfig};
use tidings_server::module::Module;

use crate::config::Settings;

/// The apps that the settings name. Of those that are known, this build has casts.
pub(crate) fn modules(settings: &Settings) -> Vec<Arc<dyn Module>> {
    let mut modules: Vec<Arc<dyn Module>> = Vec::new();
    if settings.apps.iter().any(|app| app == "casts") {
        modules.push(Casts::new(CastsConfig {
            lifetime: settings.casts_lifetime,
            github_secret: settings.github_secret.clone(),
        }));
    }
    modules
}
