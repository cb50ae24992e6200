//! `[telemetry]`: what the process writes about itself.

use super::LineFormat;
use super::section::section;

section! {
    /// Log lines of the process (never the content of a record).
    Telemetry in "telemetry" {
        /// `text` for people, `json` for collectors.
        format: LineFormat = "text";
        /// What is logged: a level, or directives such as `info,changtong=debug`.
        filter: String = "info";
    }
}
