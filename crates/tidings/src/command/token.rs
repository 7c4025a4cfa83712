//! `tidings token`: JSON Web Tokens, as a configured issuer would give them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use tidings_core::port::directory::{Grant, Right};
use tidings_core::port::users::Role;
use tidings_protocol::Pattern;
use tidings_protocol::time::Timestamp;
use tidings_server::clock::wall_time;
use tidings_server::jwt::mint::{Claims, Signer, mint};
use tidings_server::jwt::{IssuerConfig, KeySource, Verifier};

use crate::cli::faulty;
use crate::config::units::parse_duration;
use crate::config::{Faults, Flags, Settings, Sources, issuers};
use crate::failure::Failure;
use crate::output::Output;

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign a token; needs the configuration and no server
    Mint(Mint),
}

/// What the token is to say.
#[derive(Debug, Args)]
pub(crate) struct Mint {
    /// The name of the issuer, from [[auth.issuers]]
    #[arg(long, value_name = "NAME")]
    issuer: String,
    /// Who it is for; the user is NAME|SUB
    #[arg(long, value_name = "SUB")]
    subject: String,
    /// Channels to follow besides those that the user may anyway, e.g. 'news:*'; repeatable
    #[arg(long, value_name = "PATTERN", value_parser = parse_pattern)]
    subscribe: Vec<Pattern>,
    /// Channels to publish to besides those that the user may anyway; repeatable
    #[arg(long, value_name = "PATTERN", value_parser = parse_pattern)]
    publish: Vec<Pattern>,
    /// member or admin [default: the server's own, member]
    #[arg(long, value_name = "ROLE", value_parser = parse_role)]
    role: Option<Role>,
    /// For how long it is good, at least 1s
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_life)]
    expires: Duration,
    /// Private key (PEM) to sign with [default: the issuer's first HS256 secret]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The key's name, where the issuer has several or its keys come from a URL
    #[arg(long, value_name = "KID")]
    kid: Option<String>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Minted {
    token: String,
    expires_at: Timestamp,
    user: String,
}

/// Carries it out.
///
/// # Errors
/// What did not work.
pub(crate) async fn run(command: &Command, sources: &dyn Sources, output: Output) -> Result<(), Failure> {
    let Command::Mint(order) = command;
    let minted = order.carry_out(sources, wall_time()).await?;
    output.data(&minted, |minted| minted.token.clone())
}

impl Mint {
    async fn carry_out(&self, sources: &dyn Sources, now: Timestamp) -> Result<Minted, Failure> {
        let flags = Flags { config: self.config.clone(), ..Flags::default() };
        let settings = crate::config::read(&flags, sources).map_err(|faults| faulty(&faults))?.settings;
        let issuer = self.issuer(&settings, sources)?;
        let named = |why| Failure::new(format!("issuer {}: {why}", self.issuer));
        let signer = match &self.key_file {
            None => Signer::of_config(&issuer, self.kid.as_deref()).map_err(named)?,
            Some(path) => {
                let of_file = |why| Failure::new(format!("{}: {why}", path.display()));
                Signer::of_pem(&issuer, &read_key(path, sources)?, self.kid.as_deref()).map_err(of_file)?
            }
        };
        let claims = self.claims(now);
        let token = mint(&issuer, &signer, &claims).map_err(named)?;
        let user = format!("{}|{}", issuer.name, self.subject);
        if matches!(issuer.keys, KeySource::Static(_)) {
            // So that no token is given that the server would refuse.
            let verifier = Verifier::new(vec![issuer]).map_err(Failure::usage)?;
            verifier.verify(&token, now).await.map_err(|why| named(why.to_string()))?;
        }
        // The claim has whole seconds.
        let expires_at = Timestamp(claims.expires_at.0.div_euclid(1_000) * 1_000);
        Ok(Minted { token, expires_at, user })
    }

    fn issuer(&self, settings: &Settings, sources: &dyn Sources) -> Result<IssuerConfig, Failure> {
        let names: Vec<&str> = settings.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
        if !names.contains(&self.issuer.as_str()) {
            let there_are = match names.is_empty() {
                true => "the configuration has no [[auth.issuers]]; name its file by --config".to_owned(),
                false => format!("there are {}", names.join(", ")),
            };
            return Err(Failure::usage(format!("there is no issuer named {}: {there_are}", self.issuer)));
        }
        let all = issuers::resolve(&settings.issuers, sources).map_err(|faults| faulty(&Faults(faults)))?;
        let found = all.into_iter().find(|issuer| issuer.name == self.issuer);
        found.ok_or_else(|| Failure::usage(format!("there is no issuer named {}", self.issuer)))
    }

    fn claims(&self, now: Timestamp) -> Claims {
        let grants = |right, patterns: &[Pattern]| {
            patterns.iter().map(move |pattern| Grant { right, pattern: pattern.clone() }).collect::<Vec<_>>()
        };
        let life = i64::try_from(self.expires.as_millis()).unwrap_or(i64::MAX);
        Claims {
            subject: self.subject.clone(),
            role: self.role,
            grants: [grants(Right::Subscribe, &self.subscribe), grants(Right::Publish, &self.publish)]
                .concat(),
            issued_at: now,
            expires_at: Timestamp(now.0.saturating_add(life)),
        }
    }
}

fn read_key(path: &Path, sources: &dyn Sources) -> Result<String, Failure> {
    sources.read(path).map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
}

fn parse_pattern(text: &str) -> Result<Pattern, String> {
    text.parse().map_err(|error| format!("`{text}` is no pattern, e.g. news, news:* or *: {error}"))
}

fn parse_role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| format!("`{text}` is neither member nor admin"))
}

fn parse_life(text: &str) -> Result<Duration, String> {
    let life = parse_duration(text)?;
    if life < Duration::from_secs(1) { Err("at least 1s is needed".to_owned()) } else { Ok(life) }
}

#[cfg(test)]
mod tests;
