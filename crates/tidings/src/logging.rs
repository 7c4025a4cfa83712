//! Logs of the server, to stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::Sources;
use crate::failure::Failure;

/// Starts logging as `TIDINGS_LOG` and `TIDINGS_LOG_FORMAT` say.
///
/// # Errors
/// One of them cannot be understood.
pub(crate) fn start(sources: &dyn Sources) -> Result<(), Failure> {
    let wanted = sources.variable("TIDINGS_LOG").unwrap_or_else(|| "info".to_owned());
    let filter = EnvFilter::try_new(&wanted).map_err(|error| {
        Failure::usage(format!(
            "TIDINGS_LOG: `{wanted}` is no filter ({error}); e.g. info, or info,tidings_server=debug"
        ))
    })?;
    let colours = std::io::stderr().is_terminal() && sources.variable("NO_COLOR").is_none();
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    let started = match sources.variable("TIDINGS_LOG_FORMAT").as_deref() {
        None | Some("text") => logs.try_init(),
        Some("json") => logs.json().flatten_event(true).try_init(),
        Some(other) => {
            return Err(Failure::usage(format!("TIDINGS_LOG_FORMAT: `{other}` is neither text nor json")));
        }
    };
    started.map_err(|error| Failure::new(format!("cannot start logging: {error}")))
}
