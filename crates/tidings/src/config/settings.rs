//! What is decided: typed, and checked as a whole.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tidings_core::port::store::Policy;
use tidings_server::config::Config;

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
            demo: false,
        }
    }
}

impl Settings {
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
        ("tls.cert", tls(settings)),
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
    let covered = settings.server.behind_proxy || settings.tls_cert.is_some();
    (!covered).then(|| {
        format!(
            "{open} can be reached from other machines, and credentials would cross the network in the clear: \
             put a proxy that ends TLS in front and set behind_proxy = true, or listen on 127.0.0.1"
        )
    })
}

fn demo_in_the_open(settings: &Settings) -> Option<String> {
    let open = settings.demo && !settings.is_local();
    open.then(|| {
        "--demo is for this machine alone: listen on 127.0.0.1 or [::1], or leave --demo out".to_owned()
    })
}

fn tls(settings: &Settings) -> Option<String> {
    let wanted = settings.tls_cert.is_some() || settings.tls_key.is_some();
    wanted.then(|| {
        "this build cannot end TLS itself yet: put a proxy in front, set behind_proxy = true, and take tls.* out"
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
    let without_apps = ["apps", "stream.casts_lifetime", "webhooks.github.secret"];
    let said = without_apps.iter().filter_map(|key| Some((key, origins.get(key)?)));
    let mut notes: Vec<String> = said
        .map(|(key, origin)| format!("{origin}: {key} has no effect: this build comes without the apps"))
        .collect();
    if settings.durability == Durability::Os {
        notes.push(
            "log.durability is \"os\": a loss of power may take the last answered publishes with it".into(),
        );
    }
    notes
}
