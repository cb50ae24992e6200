//! Files that people write: resource, request and connector files in TOML.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::failure::{Done, Failure};

/// Reads a TOML file; an error names the file and the line.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Done<T> {
    let text = read_text(path)?;
    toml::from_str(&text).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

pub fn read_text(path: &Path) -> Done<String> {
    std::fs::read_to_string(path).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

/// `class/sequence` as it stands in a path.
#[must_use]
pub fn in_path(code: &str) -> String {
    code.replace('/', "-")
}
