//! `[database]`: where the catalog, grants, positions and audit events are kept.

use super::section::section;
use super::source::Values;
use super::{Secret, SettingsError};

section! {
    /// The store.
    Database in "database" {
        /// `postgres://USER@HOST:PORT/NAME`; not set: a SQLite file in the data folder.
        url: Option<String> = "";
        /// Password of PostgreSQL, as `file:PATH` or `env:NAME`.
        password: Option<Secret> = "";
        /// The most connections to PostgreSQL, or of readers of the SQLite file; the server's own work has five more to PostgreSQL.
        connections: u32 = "16";
    }
}

impl Database {
    pub(super) fn check(&self, values: &Values) -> Result<(), SettingsError> {
        let Some(url) = &self.url else { return Ok(()) };
        let Some((_, rest)) = url.split_once("://").filter(|(scheme, _)| scheme.starts_with("postgres"))
        else {
            return Err(values.wrong("database.url", "expected postgres://USER@HOST:PORT/NAME"));
        };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user).unwrap_or_default();
        if user.contains(':') || rest.contains("password=") {
            return Err(values.wrong(
                "database.url",
                "a password in the address would show in process lists and logs; give it by database.password",
            ));
        }
        Ok(())
    }
}
