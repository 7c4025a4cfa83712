//! What is decided: typed, and checked as a whole.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tidings_core::port::store::Policy;
use tidings_server::config::{Config, SameSite, TlsFiles};

use super::issuers::Issuer;
use super::{Fault, Faults, Origin};

/// Everything that a server is started with.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// What the edge needs.
    pub(crate) server: Config,
    /// Where the log, the keys and the admin socket are.
    pub(crate) data_dir: PathBuf,
    pub(crate) durability: Durability,
    /// How much is kept.
    pub(crate) policy: Policy,
    pub(crate) store_url: String,
    pub(crate) tail_url: String,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) apps: Vec<String>,
    pub(crate) casts_lifetime: Duration,
    pub(crate) github_secret: Option<String>,
    /// Whose tokens are believed; what the edge is given has their keys from files too.
    pub(crate) issuers: Vec<Issuer>,
    /// Whether to draw demo credentials and publish demo events.
    pub(crate) demo: bool,
}

/// When a publish counts as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Durability {
    /// After `fsync`: it outlives a loss of power.
    #[default]
    Fsync,
    /// After the operating system has it: it outlives the process, and the last of it may go with the power.
    Os,
}

impl Durability {
    pub(crate) const NAMES: [&str; 2] = ["fsync", "os"];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fsync => "fsync",
            Self::Os => "os",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Fsync, Self::Os].into_iter().find(|mode| mode.name() == text)
    }
}

/// The apps there are.
pub(crate) const APPS: [&str; 4] = ["casts", "studio", "bands", "runs"];
/// Those that this build has.
const BUILT: [&str; 1] = ["casts"];

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: Config::default(),
            data_dir: PathBuf::from("./data"),
            durability: Durability::default(),
            policy: Policy::default(),
            store_url: "sqlite".to_owned(),
            tail_url: "in-process".to_owned(),
            tls_cert: None,
            tls_key: None,
            apps: APPS.map(str::to_owned).to_vec(),
            casts_lifetime: Duration::from_secs(300),
            github_secret: None,
            issuers: Vec::new(),
            demo: false,
        }
    }
}

impl Settings {
    /// Hands on to the edge what more than one key decides.
    pub(super) fn join(&mut self) {
        let files = self.tls_cert.clone().zip(self.tls_key.clone());
        self.server.tls = files.map(|(cert, key)| TlsFiles { cert, key });
    }

    /// Whether only this machine can reach the server.
    pub(crate) fn is_local(&self) -> bool {
        self.server.listen.iter().all(|address| is_loopback(address.ip()))
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether a server may start with it.
///
/// # Errors
/// Every reason why not.
pub(crate) fn check(settings: &Settings, origins: &BTreeMap<&'static str, Origin>) -> Result<(), Faults> {
    let refusals = [
        ("listen", no_address(settings)),
        ("listen", open_without_cover(settings)),
        ("listen", demo_in_the_open(settings)),
        ("tls.cert", one_half_of_tls(settings, true)),
        ("tls.key", one_half_of_tls(settings, false)),
        ("auth.cookie_same_site", cross_site_in_the_clear(settings)),
        ("store.url", store(settings)),
        ("tail.url", tail(settings)),
    ];
    let faults = refusals.into_iter().filter_map(|(key, refusal)| {
        let message = refusal?;
        let origin = origins.get(key).unwrap_or(&Origin::Default);
        Some(Fault::with_key(origin, key, &message))
    });
    Faults::unless_any(faults.collect(), ())
}

fn no_address(settings: &Settings) -> Option<String> {
    settings
        .server
        .listen
        .is_empty()
        .then(|| "at least one address is needed, e.g. 127.0.0.1:8080".to_owned())
}

fn open_without_cover(settings: &Settings) -> Option<String> {
    let open = settings.server.listen.iter().find(|address| !is_loopback(address.ip()))?;
    // Half of TLS is refused on its own.
    let tls = settings.tls_cert.is_some() || settings.tls_key.is_some();
    let covered = settings.server.behind_proxy || tls;
    (!covered).then(|| {
        format!(
            "{open} can be reached from other machines, and credentials would cross the network in the clear: \
             set tls.cert and tls.key, or put a proxy that ends TLS in front and set behind_proxy = true, or listen on \
             127.0.0.1"
        )
    })
}

fn demo_in_the_open(settings: &Settings) -> Option<String> {
    let open = settings.demo && !settings.is_local();
    open.then(|| {
        "--demo is for this machine alone: listen on 127.0.0.1 or [::1], or leave --demo out".to_owned()
    })
}

/// `cert`: whether it is the certificate that stands alone.
fn one_half_of_tls(settings: &Settings, cert: bool) -> Option<String> {
    let (has_cert, has_key) = (settings.tls_cert.is_some(), settings.tls_key.is_some());
    let (alone, sentence) = if cert {
        (
            has_cert && !has_key,
            "a certificate is of no use without its key: set tls.key too, or take tls.cert out",
        )
    } else {
        (
            has_key && !has_cert,
            "a key is of no use without its certificate: set tls.cert too, or take tls.key out",
        )
    };
    alone.then(|| sentence.to_owned())
}

/// Browsers take a cookie for other sites over TLS alone.
fn cross_site_in_the_clear(settings: &Settings) -> Option<String> {
    let server = &settings.server;
    let public = server.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
    let covered = server.tls.is_some() || server.behind_proxy || public;
    (server.auth.cookie_same_site == SameSite::None && !covered).then(|| {
        "\"none\" needs TLS: set tls.cert and tls.key, or behind_proxy = true, or an https:// public_url; or leave it at \
         \"lax\""
            .to_owned()
    })
}

fn store(settings: &Settings) -> Option<String> {
    match settings.store_url.as_str() {
        "sqlite" => None,
        url if ["postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme)) => {
            Some("this build has no PostgreSQL store yet: set it to \"sqlite\" or take it out".to_owned())
        }
        _ => Some("this is no store: it is \"sqlite\" or a postgres:// URL".to_owned()),
    }
}

fn tail(settings: &Settings) -> Option<String> {
    match settings.tail_url.as_str() {
        "in-process" => None,
        url if ["nats:", "redis:", "rediss:", "postgres:"].iter().any(|scheme| url.starts_with(scheme)) => {
            Some("this build runs as one node only: set it to \"in-process\" or take it out".to_owned())
        }
        _ => Some("this is no tail: it is \"in-process\", or a nats:// or redis:// URL".to_owned()),
    }
}

/// What has no effect in this build, though it may be set.
pub(crate) fn notes(settings: &Settings, origins: &BTreeMap<&'static str, Origin>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(origin) = origins.get("apps") {
        let missing = settings.apps.iter().filter(|app| !BUILT.contains(&app.as_str()));
        notes.extend(
            missing.map(|app| format!("{origin}: apps: {app} has no effect: this build comes without it")),
        );
    }
    if settings.durability == Durability::Os {
        notes.push(
            "log.durability is \"os\": a loss of power may take the last answered publishes with it".into(),
        );
    }
    notes
}
