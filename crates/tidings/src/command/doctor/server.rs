//! The server: whether one runs here, and whether it answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::Method;
use tidings_server::admin::request::{Request, Status};
use tidings_server::config::TlsFiles;
use tidings_server::tls::files::{Look, readable_by_others};
use tidings_sqlite::LockError;

use super::check::Check;
use crate::client::Client;
use crate::client::target::Target;
use crate::client::trust;
use crate::config::Settings;
use crate::failure::Failure;
use crate::{local, parts};

const NAME: &str = "server";

/// Whether the directory is free, or its server answers on socket and network.
pub(super) async fn check(settings: &Settings) -> Vec<Check> {
    match parts::lock(&settings.data_dir) {
        Ok(_) => return vec![Check::ok(NAME, "none runs in this directory")],
        Err(LockError::Held(_)) => {}
        Err(other) => return vec![Check::fail(NAME, other.to_string(), "run this as the server's user")],
    }
    let status: Result<Status, Failure> = local::ask(settings, Request::Status {}).await;
    let Status { version, pid, started_at, listen, .. } = match status {
        Ok(status) => status,
        Err(error) => return vec![Check::fail(NAME, error.to_string(), "look at its logs; restart it")],
    };
    let found = format!("{version} runs as process {pid} since {started_at}");
    let mut checks = vec![if version == env!("CARGO_PKG_VERSION") {
        Check::ok(NAME, found)
    } else {
        Check::warn(NAME, format!("{found}; this is {}", env!("CARGO_PKG_VERSION")), "restart it to upgrade")
    }];
    for address in listen {
        checks.push(reach(address, settings.server.tls.as_ref()).await);
    }
    checks
}

/// Whether it answers there; over TLS, whether it shows the certificate that the configuration names.
async fn reach(address: SocketAddr, tls: Option<&TlsFiles>) -> Check {
    let name = "network";
    let reachable = SocketAddr::new(local_of(address.ip()), address.port());
    let trust = match tls.map(|files| trust::exactly(&files.cert)).transpose() {
        Ok(trust) => trust,
        Err(failure) => return Check::fail(name, failure.to_string(), "correct tls.cert"),
    };
    let client = Client::new(Target { trust, ..Target::at(reachable) });
    match client.ask(Method::GET, "/readyz", Vec::new()).await {
        Ok(_) => Check::ok(name, format!("it takes requests at {address}")),
        Err(trouble) => {
            let found = format!("{address}: {}", Failure::from(trouble));
            Check::fail(name, found, "look at its logs; restart it if writing has failed")
        }
    }
}

/// Whether the certificate and its key can be used.
pub(super) fn certificate(files: &TlsFiles) -> Check {
    let name = "certificate";
    match (Look::at(files).config(files), readable_by_others(files)) {
        (Err(fault), _) => {
            Check::fail(name, fault.to_string(), "correct it; a running server keeps the old one")
        }
        (Ok(_), Some(found)) => Check::warn(name, found, "the key is then its owner's alone"),
        (Ok(_), None) => Check::ok(name, format!("{} and its key can be used", files.cert.display())),
    }
}

/// Where a server that listens everywhere is found from here.
fn local_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}
