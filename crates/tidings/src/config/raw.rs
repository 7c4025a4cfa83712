//! What was said, in three places, before anybody asks what it means.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Fault, Faults, Loaded, Origin, Settings, Sources, file, keys, settings, variables};

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<String>),
    /// A list of tables, each with what it says.
    Tables(Vec<Vec<Statement>>),
}

impl Said {
    pub(crate) fn text(&self) -> Result<&str, String> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err("a text is needed here, e.g. \"…\"".to_owned()),
        }
    }

    /// A text that is not empty.
    pub(crate) fn filled(&self) -> Result<&str, String> {
        let text = self.text()?;
        if text.is_empty() { Err("this must not be empty".to_owned()) } else { Ok(text) }
    }

    pub(crate) fn number(&self) -> Result<u64, String> {
        let wrong = || "a number is needed here, zero or more".to_owned();
        match self {
            Self::Number(number) => u64::try_from(*number).map_err(|_| wrong()),
            Self::Text(text) => text.parse().map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }

    pub(crate) fn flag(&self) -> Result<bool, String> {
        match self {
            Self::Flag(flag) => Ok(*flag),
            Self::Text(text) if text == "true" => Ok(true),
            Self::Text(text) if text == "false" => Ok(false),
            _ => Err("true or false is needed here".to_owned()),
        }
    }

    /// A list; a text is taken for one with commas.
    pub(crate) fn list(&self) -> Result<Vec<String>, String> {
        match self {
            Self::List(list) => Ok(list.clone()),
            Self::Text(text) => {
                let parts = text.split(',').map(str::trim);
                Ok(parts.filter(|part| !part.is_empty()).map(str::to_owned).collect())
            }
            _ => Err("a list of texts is needed here".to_owned()),
        }
    }
}

/// A value said under a name that may or may not be a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) name: String,
    pub(crate) said: Said,
    pub(crate) origin: Origin,
}

/// What the command line says about configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) config: Option<PathBuf>,
    pub(crate) listen: Vec<String>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) demo: bool,
}

/// What was said, by key; of several places the one that wins.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawConfig {
    statements: BTreeMap<&'static str, (Said, Origin)>,
    demo: bool,
}

impl RawConfig {
    /// Gathers file, variables and flags.
    ///
    /// # Errors
    /// A file that cannot be read, and every name that is no key.
    pub(crate) fn gather(flags: &Flags, sources: &dyn Sources) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        let mut statements = Vec::new();
        let named = flags.config.clone().or_else(|| sources.variable(variables::CONFIG).map(PathBuf::from));
        if let Some(path) = named {
            collect(file::statements(&path, sources), &mut statements, &mut faults);
        }
        collect(variables::statements(sources), &mut statements, &mut faults);
        statements.extend(flags.statements());
        let mut raw = Self { demo: flags.demo, ..Self::default() };
        for statement in statements {
            match keys::find(&statement.name) {
                Some(key) => drop(raw.statements.insert(key.name, (statement.said, statement.origin))),
                None => faults.push(unknown(&statement)),
            }
        }
        Faults::unless_any(faults, raw)
    }

    /// Reads every value into its place.
    ///
    /// # Errors
    /// Every value that its key cannot have.
    pub(crate) fn decide(self) -> Result<Loaded, Faults> {
        let mut settings = Settings { demo: self.demo, ..Settings::default() };
        let mut origins = BTreeMap::new();
        let mut faults = Vec::new();
        for (name, (said, origin)) in self.statements {
            let Some(key) = keys::find(name) else { continue };
            if let Err(more) = key.read(&said, &origin, &mut settings) {
                faults.extend(more);
            }
            origins.insert(name, origin);
        }
        settings.join();
        let notes = settings::notes(&settings, &origins);
        Faults::unless_any(faults, Loaded { settings, origins, notes })
    }
}

fn collect(found: Result<Vec<Statement>, Vec<Fault>>, into: &mut Vec<Statement>, faults: &mut Vec<Fault>) {
    match found {
        Ok(statements) => into.extend(statements),
        Err(more) => faults.extend(more),
    }
}

fn unknown(statement: &Statement) -> Fault {
    let known: Vec<&str> = keys::all().map(|key| key.name).collect();
    let hint = match super::nearest::nearest(&statement.name, &known) {
        _ if statement.name.starts_with("auth.issuers.") => {
            "write [[auth.issuers]], with two brackets: there may be several".to_owned()
        }
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "`tidings config print` shows all keys".to_owned(),
    };
    Fault::new(&statement.origin, format!("there is no key \"{}\"; {hint}", statement.name))
}

impl Flags {
    fn statements(&self) -> Vec<Statement> {
        let mut statements = Vec::new();
        let mut say = |name: &str, said: Said, flag: &'static str| {
            statements.push(Statement { name: name.to_owned(), said, origin: Origin::Flag(flag) });
        };
        if !self.listen.is_empty() {
            say("listen", Said::List(self.listen.clone()), "--listen");
        }
        if let Some(path) = &self.data_dir {
            say("data_dir", Said::Text(path.to_string_lossy().into_owned()), "--data-dir");
        }
        statements
    }
}
