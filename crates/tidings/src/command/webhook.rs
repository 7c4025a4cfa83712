//! `tidings webhook`: secrets by which webhooks are verified, and which say whose they are.

use std::path::PathBuf;

use clap::Subcommand;
use tidings_server::admin::request::{CreatedWebhook, Request, WebhookAdd, WebhookRow, Webhooks};

use super::secret;
use crate::cli::LocalArgs;
use crate::config::Sources;
use crate::failure::Failure;
use crate::local;
use crate::output::{Output, say, table};

/// What can be done with webhooks.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a secret; several of one tenant hold at once, so that it can be changed without a gap
    Add {
        /// The tenant that the secret names
        #[arg(long)]
        tenant: String,
        /// Who sends
        #[arg(long, default_value = "github")]
        provider: String,
        /// Draw a secret and show it, now and never again
        #[arg(long, conflicts_with = "secret_file")]
        generate: bool,
        /// A file whose first line is the secret [default: it is asked for, or the first line of stdin]
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        #[command(flatten)]
        local: LocalArgs,
    },
    /// List webhooks, without their secrets
    List {
        /// Of this tenant alone
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        local: LocalArgs,
    },
    /// Remove a secret; what is signed with it is refused from then on
    Remove {
        /// The webhook's id, whk_…
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
        Command::Add { tenant, provider, generate, secret_file, local } => {
            let settings = local.load(sources)?.settings;
            let secret = match secret_file {
                _ if *generate => None,
                Some(path) => Some(secret::from_file(path)?),
                None => Some(secret::from_stdin("secret")?),
            };
            let webhook = WebhookAdd { tenant: tenant.clone(), provider: provider.clone(), secret };
            let made: CreatedWebhook = local::ask(&settings, Request::WebhookAdd(webhook)).await?;
            if !output.json && made.secret.is_some() {
                say(&format!(
                    "webhook {} of tenant {tenant}; keep the secret now, it is not shown again:",
                    made.id
                ));
            }
            output.data(&made, |made| made.secret.clone().unwrap_or_else(|| made.id.clone()))
        }
        Command::List { tenant, local } => {
            let request = Request::WebhookList { tenant: tenant.clone() };
            let webhooks: Webhooks = local::ask(&local.load(sources)?.settings, request).await?;
            output.data(&webhooks, words)
        }
        Command::Remove { id, local } => {
            let request = Request::WebhookRemove { id: id.clone() };
            let row: WebhookRow = local::ask(&local.load(sources)?.settings, request).await?;
            output.data(&row, |row| format!("{} removed", row.id))
        }
    }
}

fn words(webhooks: &Webhooks) -> String {
    let mut rows = vec![["id", "tenant", "provider", "created"].map(str::to_owned).to_vec()];
    rows.extend(
        webhooks
            .webhooks
            .iter()
            .map(|row| [&row.id, &row.tenant, &row.provider, &row.created_at].map(Clone::clone).to_vec()),
    );
    table(&rows)
}
