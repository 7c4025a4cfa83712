//! What a key is: a name, a place in the settings, bounds, and a meaning.
//!
//! Owns: how a value is read into its place and shown from it. Leaves out: which keys there are ([`super::keys`]).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tidings_core::port::directory::Grant;
use tidings_server::config::SameSite;

use super::issuers::{self, Issuer};
use super::raw::Said;
use super::settings::{Durability, Settings};
use super::units::{parse_duration, parse_size, show_duration, show_size};
use super::{Fault, Origin};

/// Finds a value's place in the settings.
pub(crate) type Place<T> = fn(&mut Settings) -> &mut T;

/// A value's place, and with it its type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Field {
    Flag(Place<bool>),
    Count(Place<usize>),
    Count32(Place<u32>),
    Count64(Place<u64>),
    Size(Place<usize>),
    Duration(Place<Duration>),
    Durability(Place<Durability>),
    SameSite(Place<SameSite>),
    Grants(Place<Vec<Grant>>),
    Folder(Place<PathBuf>),
    File(Place<Option<PathBuf>>),
    Addresses(Place<Vec<SocketAddr>>),
    Origin(Place<Option<String>>),
    Origins(Place<Vec<String>>),
    /// A URL that may hold a password, which is not shown.
    Url(Place<String>),
    /// Never shown.
    Secret(Place<Option<String>>),
    /// A list of tables.
    Issuers(Place<Vec<Issuer>>),
    /// Some of these words.
    Words(&'static [&'static str], Place<Vec<String>>),
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) field: Field,
    /// What zero means; where this is `None`, zero is refused.
    pub(crate) zero: Option<&'static str>,
    /// The least that makes sense, zero apart: milliseconds, bytes or a number.
    pub(crate) least: u64,
    pub(crate) meaning: &'static str,
}

/// The longest duration that may be set: ten years, so that no sum of times overflows.
const LONGEST: Duration = Duration::from_secs(3_650 * 24 * 3_600);

impl Key {
    /// The variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("TIDINGS_{}", self.name.replace('.', "__").to_uppercase())
    }

    /// Its type, in words.
    pub(crate) const fn kind(&self) -> &'static str {
        match self.field {
            Field::Flag(_) => "true or false",
            Field::Count(_) | Field::Count32(_) | Field::Count64(_) => "number",
            Field::Size(_) => "size",
            Field::Duration(_) => "duration",
            Field::Durability(_) => "`fsync` or `os`",
            Field::SameSite(_) => "`lax` or `none`",
            Field::Grants(_) => "list of grants",
            Field::Folder(_) | Field::File(_) => "path",
            Field::Addresses(_) => "list of addresses",
            Field::Origin(_) => "origin",
            Field::Origins(_) => "list of origins",
            Field::Url(_) => "word or URL",
            Field::Secret(_) => "secret",
            Field::Issuers(_) => "list of tables",
            Field::Words(..) => "list of words",
        }
    }

    /// Reads what was said into its place.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(
        &self,
        said: &Said,
        origin: &Origin,
        settings: &mut Settings,
    ) -> Result<(), Vec<Fault>> {
        if let Field::Issuers(place) = self.field {
            *place(settings) = issuers::read(said, origin)?;
            return Ok(());
        }
        let wrong = |message: String| vec![Fault::with_key(origin, self.name, &message)];
        self.read_value(said, settings).map_err(wrong)
    }

    fn read_value(&self, said: &Said, settings: &mut Settings) -> Result<(), String> {
        match self.field {
            // Read apart: a list of tables has more than one place where something can be wrong.
            Field::Issuers(_) => {}
            Field::Flag(place) => *place(settings) = said.flag()?,
            Field::Count(place) => {
                *place(settings) = narrow(self.bounded(said.number()?, |n| n.to_string())?)?
            }
            Field::Count32(place) => {
                *place(settings) = narrow(self.bounded(said.number()?, |n| n.to_string())?)?
            }
            Field::Count64(place) => *place(settings) = self.bounded(said.number()?, |n| n.to_string())?,
            Field::Size(place) => {
                let bytes = said.number().or_else(|_| parse_size(said.text()?))?;
                *place(settings) = narrow(self.bounded(bytes, show_size)?)?;
            }
            Field::Duration(place) => *place(settings) = self.duration(said)?,
            Field::Durability(place) => {
                let known = || format!("it is one of {}", Durability::NAMES.join(", "));
                *place(settings) = Durability::parse(said.text()?).ok_or_else(known)?;
            }
            Field::SameSite(place) => *place(settings) = parse_same_site(said.text()?)?,
            Field::Grants(place) => *place(settings) = parse_each(&said.list()?, parse_grant)?,
            Field::Folder(place) => *place(settings) = PathBuf::from(said.filled()?),
            Field::File(place) => *place(settings) = Some(PathBuf::from(said.filled()?)),
            Field::Addresses(place) => *place(settings) = parse_each(&said.list()?, parse_address)?,
            Field::Origin(place) => *place(settings) = Some(parse_origin(said.text()?)?),
            Field::Origins(place) => *place(settings) = parse_each(&said.list()?, parse_origin)?,
            Field::Url(place) => *place(settings) = said.filled()?.to_owned(),
            Field::Secret(place) => *place(settings) = Some(said.filled()?.to_owned()),
            Field::Words(words, place) => *place(settings) = parse_words(&said.list()?, words)?,
        }
        Ok(())
    }

    /// The value as it stands in the settings, in the form in which it may be written in a file; `None` where it is not
    /// set and has no default.
    pub(crate) fn show(&self, settings: &Settings) -> Option<Value> {
        let settings = &mut settings.clone();
        Some(match self.field {
            Field::Flag(place) => json!(place(settings)),
            Field::Count(place) => json!(place(settings)),
            Field::Count32(place) => json!(place(settings)),
            Field::Count64(place) => json!(place(settings)),
            Field::Size(place) => json!(show_size(*place(settings) as u64)),
            Field::Duration(place) => json!(show_duration(*place(settings))),
            Field::Durability(place) => json!(place(settings).name()),
            Field::SameSite(place) => json!(show_same_site(*place(settings))),
            Field::Grants(place) => json!(place(settings).iter().map(Grant::to_string).collect::<Vec<_>>()),
            Field::Folder(place) => json!(place(settings)),
            Field::File(place) => json!(place(settings).as_ref()?),
            Field::Addresses(place) => json!(place(settings)),
            Field::Origin(place) => json!(place(settings).as_ref()?),
            Field::Origins(place) => json!(place(settings)),
            Field::Url(place) => json!(without_password(place(settings))),
            Field::Secret(place) => {
                place(settings).as_ref()?;
                json!("(set, not shown)")
            }
            Field::Issuers(place) => issuers::show(place(settings)),
            Field::Words(_, place) => json!(place(settings)),
        })
    }

    fn duration(&self, said: &Said) -> Result<Duration, String> {
        let duration = match said {
            Said::Number(0) => Duration::ZERO,
            Said::Number(number) => return Err(format!("{number} needs a unit, e.g. \"{number}s\"")),
            other => parse_duration(other.text()?)?,
        };
        if duration > LONGEST {
            return Err("this is longer than ten years".to_owned());
        }
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.bounded(millis, |millis| show_duration(Duration::from_millis(millis)))?;
        Ok(duration)
    }

    fn bounded(&self, value: u64, show: impl Fn(u64) -> String) -> Result<u64, String> {
        match value {
            0 if self.zero.is_none() => {
                Err("zero is not possible here: this cannot be switched off".to_owned())
            }
            0 => Ok(0),
            value if value < self.least => {
                Err(format!("{} is too little: at least {}", show(value), show(self.least)))
            }
            value => Ok(value),
        }
    }
}

fn narrow<T: TryFrom<u64>>(value: u64) -> Result<T, String> {
    T::try_from(value).map_err(|_| format!("{value} is too much"))
}

fn parse_each<T>(texts: &[String], parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    texts.iter().map(|text| parse(text)).collect()
}

fn parse_grant(text: &str) -> Result<Grant, String> {
    text.parse().map_err(|why| format!("`{text}`: {why}"))
}

fn parse_same_site(text: &str) -> Result<SameSite, String> {
    let known = [SameSite::Lax, SameSite::None].into_iter().find(|policy| show_same_site(*policy) == text);
    known.ok_or_else(|| "it is one of lax, none".to_owned())
}

const fn show_same_site(policy: SameSite) -> &'static str {
    match policy {
        SameSite::Lax => "lax",
        SameSite::None => "none",
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("`{text}` is no address: write an IP address and a port, e.g. 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080")
    })
}

/// An origin as browsers write it (RFC 6454 section 6.2): scheme, host in lower case, and the port unless it is the
/// scheme's own.
fn parse_origin(text: &str) -> Result<String, String> {
    let wrong = |why: &str| {
        format!("`{text}` is no origin: {why}; write it as browsers do, e.g. https://app.example.org")
    };
    let (scheme, authority) = text.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
    let own_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return Err(wrong("its scheme is neither http nor https")),
    };
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._:[]".contains(c);
    if authority.is_empty() || !authority.chars().all(allowed) {
        return Err(wrong("after the scheme come host and port alone, in lower case, no path and no `*`"));
    }
    if authority.ends_with(own_port) {
        return Err(wrong("the scheme's own port is left out"));
    }
    Ok(text.to_owned())
}

fn parse_words(texts: &[String], words: &[&str]) -> Result<Vec<String>, String> {
    parse_each(texts, |text| {
        let known = words.contains(&text).then(|| text.to_owned());
        known.ok_or_else(|| format!("`{text}` is not one of {}", words.join(", ")))
    })
}

/// The URL with what stands between `:` and `@` of its authority hidden.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some(at) = rest[..end].rfind('@') else { return url.to_owned() };
    let user = rest[..at].split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:***{}", &rest[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_as_browsers_write_them() {
        for good in ["https://app.example.org", "http://127.0.0.1:3000", "http://[::1]:3000"] {
            assert_eq!(parse_origin(good).unwrap(), good);
        }
        for bad in [
            "*",
            "null",
            "app.example.org",
            "https://",
            "https://app.example.org/",
            "https://App.example.org",
            "https://*.example.org",
            "https://app.example.org:443",
            "http://app.example.org:80",
            "ftp://app.example.org",
        ] {
            assert!(parse_origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn passwords_in_urls_are_hidden() {
        for (url, shown) in [
            ("sqlite", "sqlite"),
            ("nats://h:4222", "nats://h:4222"),
            ("postgres://u:p@h/db?x=a@b", "postgres://u:***@h/db?x=a@b"),
            ("postgres://u:p@q@h/db", "postgres://u:***@h/db"),
            ("redis://:secret@h", "redis://:***@h"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
