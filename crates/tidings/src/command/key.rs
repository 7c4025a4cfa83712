//! `tidings key`: API keys.

use std::time::Duration;

use clap::Subcommand;
use tidings_server::admin::request::{CreatedKey, KeyCreate, KeyRow, Keys, Request};

use crate::cli::LocalArgs;
use crate::config::units::parse_duration;
use crate::config::{Settings, Sources};
use crate::failure::Failure;
use crate::local;
use crate::output::{Output, say, table};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key; its text is shown now and never again
    Create {
        /// Whose it is; what it may see and do ends there [default: the user's, else default]
        #[arg(long)]
        tenant: Option<String>,
        /// What you call it; distinct within the tenant
        #[arg(long)]
        name: String,
        /// What a service key may do: publish:PATTERN or subscribe:PATTERN, e.g. 'publish:*' or 'subscribe:cast:*';
        /// repeatable
        #[arg(long = "grant", value_name = "GRANT", required_unless_present = "user")]
        grants: Vec<String>,
        /// The user as whom it acts, with all that the user may do; such a key has no grants
        #[arg(long, value_name = "EMAIL-OR-ID", conflicts_with = "grants")]
        user: Option<String>,
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
    /// Let a service key do more
    Grant {
        /// The key's id, key_…
        id: String,
        /// What it may do besides: publish:PATTERN or subscribe:PATTERN
        #[arg(required = true, value_name = "GRANT")]
        grants: Vec<String>,
        #[command(flatten)]
        local: LocalArgs,
    },
    /// Let a service key do less; its streams lose those channels at once
    Ungrant {
        /// The key's id, key_…
        id: String,
        /// What it may not do any more, as `key list` shows it
        #[arg(required = true, value_name = "GRANT")]
        grants: Vec<String>,
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
        Command::Create { tenant, name, grants, user, expires, local } => {
            let key = KeyCreate {
                tenant: tenant.clone(),
                name: name.clone(),
                user: user.clone(),
                grants: grants.clone(),
                expires_in: expires.map(|duration| duration.as_secs()),
            };
            let made: CreatedKey =
                local::ask(&local.load(sources)?.settings, Request::KeyCreate(key)).await?;
            if !output.json {
                say(&format!("key {}; keep it now, it is not shown again:", made.id));
            }
            output.data(&made, |made| made.key.clone())
        }
        Command::List { tenant, local } => {
            let request = Request::KeyList { tenant: tenant.clone() };
            let keys: Keys = local::ask(&local.load(sources)?.settings, request).await?;
            output.data(&keys, words)
        }
        Command::Grant { id, grants, local } => {
            let request = Request::KeyGrant { id: id.clone(), grants: grants.clone() };
            regranted(&local.load(sources)?.settings, request, output).await
        }
        Command::Ungrant { id, grants, local } => {
            let request = Request::KeyUngrant { id: id.clone(), grants: grants.clone() };
            regranted(&local.load(sources)?.settings, request, output).await
        }
        Command::Revoke { id, local } => {
            let request = Request::KeyRevoke { id: id.clone() };
            let row: KeyRow = local::ask(&local.load(sources)?.settings, request).await?;
            output.data(&row, |row| format!("{} revoked", row.id))
        }
    }
}

async fn regranted(settings: &Settings, request: Request, output: Output) -> Result<(), Failure> {
    let row: KeyRow = local::ask(settings, request).await?;
    output.data(&row, |row| format!("{} may now: {}", row.id, row.grants.join(" ")))
}

fn words(keys: &Keys) -> String {
    let titles = ["id", "tenant", "name", "may", "created", "state"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    rows.extend(keys.keys.iter().map(|key| {
        let state = match (&key.revoked_at, &key.expires_at) {
            (Some(at), _) => format!("revoked {at}"),
            (None, Some(at)) => format!("until {at}"),
            (None, None) => "good".to_owned(),
        };
        let may = match &key.user {
            Some(user) => format!("what user {user} may"),
            None => key.grants.join(" "),
        };
        let words = [&key.id, &key.tenant, &key.name, &may, &key.created_at, &state];
        words.map(Clone::clone).to_vec()
    }));
    table(&rows)
}
