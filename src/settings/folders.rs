//! `[data]` and `[keys]`: the folders of this server.

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
