//! `tidings key`: API keys.

use std::time::Duration;

use clap::Subcommand;
use tidings_server::admin::request::{CreatedKey, KeyCreate, KeyRow, Keys, Request};

use crate::cli::LocalArgs;
use crate::config::Sources;
use crate::config::units::parse_duration;
use crate::failure::Failure;
use crate::local;
use crate::output::{Output, say, table};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key; its text is shown now and never again
    Create {
        /// Whose it is; what it may see and do ends there
        #[arg(long, default_value = "default")]
        tenant: String,
        /// What you call it; distinct within the tenant
        #[arg(long)]
        name: String,
        /// What it may do: publish:PATTERN or subscribe:PATTERN, e.g. 'publish:*' or 'subscribe:cast:*'; repeatable
        #[arg(long = "grant", value_name = "GRANT", required = true)]
        grants: Vec<String>,
        /// For how long it works, e.g. 30d [default: until it is revoked]
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        expires: Option<Duration>,
        #[command(flatten)]
        local: LocalArgs,
    },
    /// List keys, without their texts
    List {
        /// Of this tenant alone
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        local: LocalArgs,
    },
    /// Revoke a key for good; its streams end at once
    Revoke {
        /// The key's id, key_…
        id: String,
        #[command(flatten)]
        local: LocalArgs,
    },
}

/// Carries it out.
///
/// # Errors
/// What did not work.
pub(crate) async fn run(command: &Command, sources: &dyn Sources, output: Output) -> Result<(), Failure> {
    match command {
        Command::Create { tenant, name, grants, expires, local } => {
            let key = KeyCreate {
                tenant: tenant.clone(),
                name: name.clone(),
                grants: grants.clone(),
                expires_in: expires.map(|duration| duration.as_secs()),
            };
            let made: CreatedKey =
                local::ask(&local.load(sources)?.settings, Request::KeyCreate(key)).await?;
            if !output.json {
                say(&format!("key {} of tenant {tenant}; keep it now, it is not shown again:", made.id));
            }
            output.data(&made, |made| made.key.clone())
        }
        Command::List { tenant, local } => {
            let request = Request::KeyList { tenant: tenant.clone() };
            let keys: Keys = local::ask(&local.load(sources)?.settings, request).await?;
            output.data(&keys, words)
        }
        Command::Revoke { id, local } => {
            let request = Request::KeyRevoke { id: id.clone() };
            let row: KeyRow = local::ask(&local.load(sources)?.settings, request).await?;
            output.data(&row, |row| format!("{} revoked", row.id))
        }
    }
}

fn words(keys: &Keys) -> String {
    let titles = ["id", "tenant", "name", "grants", "created", "state"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    rows.extend(keys.keys.iter().map(|key| {
        let state = match (&key.revoked_at, &key.expires_at) {
            (Some(at), _) => format!("revoked {at}"),
            (None, Some(at)) => format!("until {at}"),
            (None, None) => "good".to_owned(),
        };
        let words = [&key.id, &key.tenant, &key.name, &key.grants.join(" "), &key.created_at, &state];
        words.map(Clone::clone).to_vec()
    }));
    table(&rows)
}
