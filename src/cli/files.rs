//! Files that people write, resource, request and connector files in TOML, and files written for them.

use std::fs::File;
use std::io::ErrorKind;
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

/// A new file: one that is there may hold what a person wrote.
pub fn create(path: &Path) -> Done<File> {
    File::create_new(path).map_err(|error| {
        let what = if error.kind() == ErrorKind::AlreadyExists {
            "it is there already and is not overwritten; remove it, or name another by --out".to_owned()
        } else {
            error.to_string()
        };
        Failure::Failed(format!("{}: {what}", path.display()))
    })
}

/// `class/sequence` as it stands in a path.
#[must_use]
pub fn in_path(code: &str) -> String {
    code.replace('/', "-")
}
