//! The cases and tables as they stand in `conformance/`.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// One case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// A sentence.
    pub(crate) name: String,
    /// The file that it is in.
    pub(crate) file: String,
    /// The transports that it is played over.
    pub(crate) over: Vec<String>,
    /// What a client must be able to do.
    pub(crate) needs: Vec<String>,
    /// The case as it stands there.
    pub(crate) text: Value,
    /// What happens, in its order.
    pub(crate) steps: Vec<Value>,
}

fn texts(value: &Value, default: &[&str]) -> Vec<String> {
    match value.as_array() {
        Some(values) => values.iter().map(|value| value.as_str().unwrap().to_owned()).collect(),
        None => default.iter().map(|&text| text.to_owned()).collect(),
    }
}

impl Case {
    /// The case of this text.
    pub(crate) fn read(file: &str, text: &Value) -> Self {
        Self {
            name: text["name"].as_str().unwrap().to_owned(),
            file: file.to_owned(),
            over: texts(&text["over"], &["sse", "websocket"]),
            needs: texts(&text["needs"], &[]),
            steps: text["steps"].as_array().unwrap().clone(),
            text: text.clone(),
        }
    }

    /// Whether this side has a part in it: `clients`, `server`.
    pub(crate) fn is_for(&self, side: &str) -> bool {
        texts(&self.text["for"], &["server", "clients"]).iter().any(|name| name == side)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every case of every file.
pub(crate) fn all_cases() -> Vec<Case> {
    let folder = std::fs::read_dir(root().join("cases")).unwrap();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let of_file = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let cases = read(&path)["cases"].as_array().unwrap().clone();
        cases.into_iter().map(move |case| Case::read(&name, &case))
    };
    files.into_iter().flat_map(of_file).collect()
}

/// A table by its name.
pub(crate) fn table(name: &str) -> Value {
    read(&root().join(format!("tables/{name}.json")))
}
