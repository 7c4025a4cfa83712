//! `tidings user`: who signs in.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use tidings_server::admin::request::{DisabledUser, Login, Request, UserAdd, UserRows};
use tidings_server::admin::secret::SecretText;

use super::secret;
use crate::cli::LocalArgs;
use crate::config::Sources;
use crate::failure::Failure;
use crate::local;
use crate::output::{Output, say, table};

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a user
    Add {
        /// What it signs in with; distinct over all tenants
        email: String,
        /// Whose it is; what it may see and do ends there
        #[arg(long, default_value = "default")]
        tenant: String,
        /// member: its own records and what it is a member of; admin: everything within the tenant
        #[arg(long, default_value = "member", value_parser = PossibleValuesParser::new(["member", "admin"]))]
        role: String,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        local: LocalArgs,
    },
    /// List users, disabled ones too
    List {
        /// Of this tenant alone
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        local: LocalArgs,
    },
    /// Disable a user for good: it is signed out, its keys and tokens work no longer, its streams end at once
    Disable {
        /// Its email or id
        #[arg(value_name = "EMAIL-OR-ID")]
        user: String,
        /// Its tenant; needed for an id that only tokens name, ISSUER|SUB, which can be disabled before it first comes
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        local: LocalArgs,
    },
    /// Set another password; wherever the user was signed in, it is signed out
    Password {
        /// Its email or id
        #[arg(value_name = "EMAIL-OR-ID")]
        user: String,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        local: LocalArgs,
    },
}

/// Where a password comes from: without any of these, it is typed, or the first line of stdin.
#[derive(Debug, Args)]
pub(crate) struct PasswordArgs {
    /// Draw a password and show it, now and never again
    #[arg(long, conflicts_with = "password_file")]
    generate: bool,
    /// A file whose first line is the password [default: it is asked for, or the first line of stdin]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordArgs {
    /// The password; `None` where one is to be drawn.
    fn take(&self) -> Result<Option<SecretText>, Failure> {
        match &self.password_file {
            _ if self.generate => Ok(None),
            Some(path) => secret::from_file(path).map(Some),
            None => secret::from_stdin("password").map(Some),
        }
    }
}

/// Carries it out.
///
/// # Errors
/// What did not work.
pub(crate) async fn run(command: &Command, sources: &dyn Sources, output: Output) -> Result<(), Failure> {
    match command {
        Command::Add { email, tenant, role, password, local } => {
            let settings = local.load(sources)?.settings;
            let (tenant, email, role) = (tenant.clone(), email.clone(), role.clone());
            let user = UserAdd { tenant, email, role, password: password.take()? };
            show(&local::ask(&settings, Request::UserAdd(user)).await?, output)
        }
        Command::List { tenant, local } => {
            let request = Request::UserList { tenant: tenant.clone() };
            let users: UserRows = local::ask(&local.load(sources)?.settings, request).await?;
            output.data(&users, words)
        }
        Command::Disable { user, tenant, local } => {
            let request = Request::UserDisable { user: user.clone(), tenant: tenant.clone() };
            let disabled: DisabledUser = local::ask(&local.load(sources)?.settings, request).await?;
            output.data(&disabled, |DisabledUser { user, entered }| match entered {
                false => format!("{} disabled", user.id),
                true => format!(
                    "{} disabled; no user is stored under this id: tokens that name it are refused from now on",
                    user.id
                ),
            })
        }
        Command::Password { user, password, local } => {
            let settings = local.load(sources)?.settings;
            let request = Request::UserPassword { user: user.clone(), password: password.take()? };
            show(&local::ask(&settings, request).await?, output)
        }
    }
}

/// Shows the user, and the password where it was drawn.
fn show(login: &Login, output: Output) -> Result<(), Failure> {
    if !output.json && login.password.is_some() {
        say(&format!("user {}, {}; keep the password now, it is not shown again:", login.id, login.email));
    }
    output.data(login, |login| login.password.clone().unwrap_or_else(|| login.id.clone()))
}

fn words(users: &UserRows) -> String {
    let titles = ["id", "tenant", "email", "role", "created", "state"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    rows.extend(users.users.iter().map(|user| {
        let state = match &user.disabled_at {
            Some(at) => format!("disabled {at}"),
            None => "good".to_owned(),
        };
        let email = user.email.clone().unwrap_or_else(|| "-".to_owned());
        vec![user.id.clone(), user.tenant.clone(), email, user.role.clone(), user.created_at.clone(), state]
    }));
    table(&rows)
}
