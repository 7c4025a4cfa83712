//! `tidings tenant`: the walls.

use clap::Subcommand;
use tidings_server::admin::request::{Request, TenantRow, Tenants};

use crate::cli::LocalArgs;
use crate::config::Sources;
use crate::failure::Failure;
use crate::local;
use crate::output::{Output, table};

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a tenant
    Add {
        /// Its name: 1 to 63 of a-z, 0-9, - and _
        name: String,
        #[command(flatten)]
        local: LocalArgs,
    },
    /// List all tenants
    List {
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
        Command::Add { name, local } => {
            let request = Request::TenantAdd { tenant: name.clone() };
            let row: TenantRow = local::ask(&local.load(sources)?.settings, request).await?;
            output.data(&row, |row| row.tenant.clone())
        }
        Command::List { local } => {
            let tenants: Tenants = local::ask(&local.load(sources)?.settings, Request::TenantList {}).await?;
            output.data(&tenants, words)
        }
    }
}

fn words(tenants: &Tenants) -> String {
    let mut rows = vec![vec!["tenant".to_owned(), "created".to_owned()]];
    rows.extend(tenants.tenants.iter().map(|row| vec![row.tenant.clone(), row.created_at.clone()]));
    table(&rows)
}
