//! Log lines: text for people, JSON for collectors, on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::panics::hide_words;
use crate::settings::{LineFormat, Telemetry};

/// Sets up the log of the process, once.
pub fn start(settings: &Telemetry) -> Result<(), String> {
    let filter = EnvFilter::try_new(&settings.filter)
        .map_err(|error| format!("telemetry.filter: {}: {error}", settings.filter))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A line that cannot be written, as on a full disk, would be complained about where it cannot be written either:
        // by a panic, in whatever was being served.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    match settings.format {
        LineFormat::Text => lines.finish().try_init(),
        LineFormat::Json => lines.json().finish().try_init(),
    }
    .map_err(|error| error.to_string())?;
    hide_words();
    Ok(())
}
