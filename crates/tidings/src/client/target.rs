//! Which server is meant, and with which key.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use http::Uri;
use http::uri::Scheme;

use super::trust::{self, Trust};
use crate::config::Sources;
use crate::failure::Failure;

/// The server, where nothing names another.
const LOCAL: &str = "http://127.0.0.1:8080";

/// Which server, and which credential.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServerArgs {
    /// The server's URL [default: $TIDINGS_URL, else http://127.0.0.1:8080]
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The API key [default: $TIDINGS_API_KEY]; others on this machine can see it in the list of processes
    #[arg(long, value_name = "KEY", conflicts_with = "key_file")]
    pub(crate) key: Option<String>,
    /// Certificates (PEM) to believe instead of the system's, where the URL begins with https://
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// A file with the API key alone
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

/// A server to talk to.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What stands in `Host`.
    pub(crate) authority: String,
    /// What every path begins with, without a slash at its end.
    pub(crate) prefix: String,
    /// Empty where none is sent.
    pub(crate) key: String,
    /// Over TLS, whom is believed.
    pub(crate) trust: Option<Trust>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl Target {
    /// A server at an address, without a key.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self {
            host: address.ip().to_string(),
            port: address.port(),
            authority: address.to_string(),
            prefix: String::new(),
            key: String::new(),
            trust: None,
        }
    }
}

impl ServerArgs {
    /// The server and key that are meant.
    ///
    /// # Errors
    /// No URL that can be used, or no key.
    pub(crate) fn target(&self, sources: &dyn Sources) -> Result<Target, Failure> {
        let url = self
            .server
            .clone()
            .or_else(|| sources.variable("TIDINGS_URL"))
            .unwrap_or_else(|| LOCAL.to_owned());
        let (target, is_secure) = parse(&url, self.find_key(sources)?)?;
        let trust = match (&self.ca, is_secure) {
            (None, false) => None,
            (None, true) => Some(trust::of_system()?),
            (Some(file), true) => Some(trust::of_file(file)?),
            (Some(_), false) => {
                return Err(Failure::usage("--ca is for a server whose URL begins with https://"));
            }
        };
        Ok(Target { trust, ..target })
    }

    fn find_key(&self, sources: &dyn Sources) -> Result<String, Failure> {
        let from_file = |path: &PathBuf| {
            let text = sources.read(path);
            text.map_err(|error| {
                Failure::usage(format!("cannot read the key from {}: {error}", path.display()))
            })
        };
        let key = match (&self.key, &self.key_file) {
            (Some(key), _) => key.clone(),
            (None, Some(path)) => from_file(path)?,
            (None, None) => sources.variable("TIDINGS_API_KEY").unwrap_or_default(),
        };
        let key = key.trim();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::refused(
                "an API key is needed: name a file that holds one by --key-file, or set TIDINGS_API_KEY; \
                 `tidings key create` makes one",
            ));
        }
        Ok(key.to_owned())
    }
}

/// The server, and whether it is reached over TLS.
fn parse(url: &str, key: String) -> Result<(Target, bool), Failure> {
    let wrong = |why: &str| Failure::usage(format!("`{url}` cannot be used as the server's URL: {why}"));
    let uri: Uri = url.parse().map_err(|_| wrong("write it as http://host:port"))?;
    let authority = uri.authority().ok_or_else(|| wrong("write it as http://host:port"))?;
    let is_secure = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => false,
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        _ => return Err(wrong("it begins with http:// or https://")),
    };
    if uri.query().is_some() || authority.as_str().contains('@') {
        return Err(wrong("it has neither a query nor a user"));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let target = Target {
        host: host.to_owned(),
        port: authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 }),
        authority: authority.to_string(),
        prefix: uri.path().trim_end_matches('/').to_owned(),
        key,
        trust: None,
    };
    Ok((target, is_secure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::Given;

    fn environment() -> Given {
        Given {
            variables: vec![("TIDINGS_URL", "http://env:1".into()), ("TIDINGS_API_KEY", "tdk_env".into())],
            files: vec![("key", "tdk_file\n".into()), ("empty", "\n".into())],
        }
    }

    fn args(server: Option<&str>, key: Option<&str>, file: Option<&str>) -> ServerArgs {
        ServerArgs {
            server: server.map(str::to_owned),
            key: key.map(str::to_owned),
            ca: None,
            key_file: file.map(PathBuf::from),
        }
    }

    #[test]
    fn flags_win_over_the_environment() {
        for (given, authority, key) in [
            (args(None, None, None), "env:1", "tdk_env"),
            (args(Some("http://flag:2/"), None, Some("key")), "flag:2", "tdk_file"),
            (args(None, Some("tdk_flag"), None), "env:1", "tdk_flag"),
        ] {
            let target = given.target(&environment()).unwrap();
            assert_eq!((target.authority.as_str(), target.key.as_str()), (authority, key));
        }
        let target = args(None, Some("k"), None).target(&Given::default()).unwrap();
        assert_eq!((target.host.as_str(), target.port), ("127.0.0.1", 8080));
    }

    #[test]
    fn urls_are_taken_apart() {
        let target =
            args(Some("http://[::1]/under/here/"), Some("k"), None).target(&Given::default()).unwrap();
        assert_eq!((target.host.as_str(), target.port, target.prefix.as_str()), ("::1", 80, "/under/here"));
        for bad in ["", "localhost", "localhost:8080", "ftp://h", "http://u@h", "http://h/?x"] {
            assert!(args(Some(bad), Some("k"), None).target(&Given::default()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn https_takes_its_own_port_and_someone_to_believe() {
        for (url, port, is_secure) in
            [("https://h", 443, true), ("https://h:8443", 8443, true), ("http://h", 80, false)]
        {
            let (target, found) = parse(url, String::new()).unwrap();
            assert_eq!((target.port, found), (port, is_secure));
        }
        let ca = |url| ServerArgs { ca: Some("nowhere.pem".into()), ..args(Some(url), Some("k"), None) };
        let refused = |url| ca(url).target(&Given::default()).unwrap_err().to_string();
        assert!(refused("http://h").contains("--ca is for"));
        assert!(refused("https://h").contains("nowhere.pem"));
    }

    #[test]
    fn a_key_is_needed() {
        for given in [args(None, None, None), args(None, None, Some("empty")), args(None, Some("a b"), None)]
        {
            assert!(given.target(&Given { variables: vec![], ..environment() }).is_err());
        }
    }
}
