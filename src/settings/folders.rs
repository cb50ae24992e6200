//! `[data]`, `[keys]` and `[connectors]`: the folders of this server.

use std::path::PathBuf;

use super::section::section;

section! {
    /// The folder of this node.
    Data in "data" {
        /// Holds the node's id and lock, and the embedded engines' files.
        dir: PathBuf = "changtong-data";
    }
}

section! {
    /// Key material.
    Keys in "keys" {
        /// Folder of the key material; not set: `keys` in the data folder. Back it up apart from the database.
        dir: Option<PathBuf> = "";
    }
}

section! {
    /// Managed connectors.
    Connectors in "connectors" {
        /// Files of connectors, a folder for each agency's credit code; not set: `files` in the data folder.
        root: Option<PathBuf> = "";
        /// Passwords that connectors name, in the same folders; not set: `secrets` in the data folder.
        secrets: Option<PathBuf> = "";
        /// `HOST:PORT` of the databases that sinks may write to; any other is refused.
        databases: Vec<String> = "";
    }
}
