//! `[rules]`: rules of the catalog that a deployment may relax for development.

use super::SettingsError;
use super::section::section;
use super::source::Values;

section! {
    /// Rules of the catalog.
    Rules in "rules" {
        /// Whoever approves or submits must not have written it. Not set: true, and false under `serve --dev`.
        four_eyes: Option<bool> = "";
    }
}

impl Rules {
    pub(super) fn check(&self, values: &Values, dev: bool) -> Result<(), SettingsError> {
        if self.four_eyes == Some(false) && !dev {
            return Err(values.wrong("rules.four_eyes", "false is for `changtong serve --dev` only"));
        }
        Ok(())
    }
}
